//! File systems of Amazon S3 Files: deployed, changed, compared and deleted with everything else.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::mounts::units_are_valid;
use crate::site::{Site, shown, succeeded, text};

const FILE_SYSTEM: &str = "s3_files:\n  99-5:\n    subnets: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]\n    \
                           security_groups: [sg-0123456789abcdef0]\n";
const MOUNTS: &str = "mounts:\n  main:\n    - { kind: s3files, cluster: 99-5, at: /sftp, uid: 48, gid: 48 }\n    \
                      - { kind: s3files, cluster: 99-5, at: /all }\n  \
                      other: [{ kind: s3files, cluster: 99-5, at: /sftp, uid: 48, gid: 48 }]\n";

fn drifted(site: &Site, code: i32) -> Vec<String> {
    let output = site.run(&["drift", "--env", "99", "--local", "--output", "json"]);
    let report: Value = serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
    assert_eq!((output.status.code(), report["unseen"].to_string().as_str()), (Some(code), "[]"), "{report}");
    let all = report["drifted"].as_array().unwrap().iter();
    all.map(|drifted| format!("{} {}", drifted["resource"], drifted["properties"][0]["name"])).collect()
}

#[test]
fn file_systems_come_and_go_with_their_setting() {
    let site = Site::deployed(&format!("{FILE_SYSTEM}{MOUNTS}"));
    assert_eq!(site.planned(), Vec::<String>::new(), "a second deployment has nothing to do");
    site.oracle("s3_files.py", &["deployed"]);
    site.oracle("s3_files.py", &["strict"]);
    assert_eq!(drifted(&site, 0), Vec::<String>::new(), "the rules of S3 Files are not drift");
    site.oracle("s3_files.py", &["meddle"]);
    let changed = drifted(&site, 4);
    assert!(changed.len() == 1 && changed[0].contains("FilesMountTarget99x2d5subnet"), "{changed:?}");
    assert!(changed[0].contains("SecurityGroups"), "{changed:?}");

    // What S3 Files needs is examined beforehand.
    let doctor = || {
        let said = site.run(&["doctor", "--env", "99", "--local", "--output", "json"]);
        let report: Value = serde_json::from_str(text(&said.stdout).lines().last().unwrap()).unwrap();
        let mut checks = report["checks"].as_array().unwrap().iter();
        let check = checks.find(|check| check["id"] == "D051-s3-files").unwrap();
        (check["region"].clone(), check["status"].clone(), check["hint"].to_string())
    };
    let (region, status, hint) = doctor();
    assert_eq!((region, status), ("us-west-2".into(), "unknown".into()), "{hint}");
    assert!(hint.contains("--subnet-ids subnet-0123456789abcdef0 subnet-0123456789abcdef1 "), "{hint}");
    site.aws(&["versioning", "pl-pt99-5-uploads", "Suspended"]);
    let (_, status, hint) = doctor();
    assert!(status == "failed" && hint.contains("put-bucket-versioning --bucket pl-pt99-5-uploads"), "{hint}");
    site.aws(&["versioning", "pl-pt99-5-uploads", "Enabled"]);

    // Files of customers stay when the file system goes.
    let login = site.add(17578, "jan@example.com", "Fake-Password-1");
    site.sftp(site.port("us-west-2"), &login, "put environments/99.yaml kept.yaml\n");
    let with = std::fs::read_to_string(site.dir.path().join("environments/99.yaml")).unwrap();
    site.edit(|file| file.replace(FILE_SYSTEM, "").replace(MOUNTS, ""));
    assert_eq!(site.planned(), ["us-west-2/stack"]);
    site.deploy();
    site.oracle("s3_files.py", &["left"]);
    assert!(site.admits(site.port("us-west-2"), &login));

    // And it comes again over a bucket that is there.
    site.edit(|_| with);
    site.deploy();
    site.oracle("s3_files.py", &["deployed"]);
    // And over one that a teardown has kept.
    site.ok(&["teardown", "--env", "99", "--local", "--yes"]);
    site.oracle("s3_files.py", &["left"]);
    site.deploy();
    site.oracle("s3_files.py", &["deployed"]);
    // In use by others, it is not deleted, and the next teardown goes on.
    site.oracle("s3_files.py", &["occupy"]);
    let refused = site.ends_with(6, &["teardown", "--env", "99", "--local", "--yes", "--delete-data"]);
    assert!(refused.contains("has mount targets or access points"), "{refused}");
    site.oracle("s3_files.py", &["vacate"]);
    site.teardown_with_data(&[]);
    site.oracle("s3_files.py", &["left"]);
}

/// A `mount.s3files` that says its version, and writes down how it was called instead of mounting: this machine's kernel
/// has no NFS.
fn helper(site: &Site) -> (PathBuf, PathBuf) {
    let (folder, calls) = (site.dir.path().join("sbin"), site.dir.path().join("calls"));
    std::fs::create_dir(&folder).unwrap();
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then echo \"$0 Version: 3.2.0\"; exit; fi\necho \"$@\" >> {}\n\
         echo 'Failed to locate an available port' >&2\nexit 1\n",
        calls.display()
    );
    let program = folder.join("mount.s3files");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    (folder, calls)
}

fn mounts(site: &Site, folder: &Path, arguments: &[&str]) -> std::process::Output {
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    site.command(&[&["mounts"], arguments].concat()).env("PATH", path).output().unwrap()
}

#[test]
fn servers_mount_the_file_system_of_the_stack() {
    let site = Site::deployed(&format!("{FILE_SYSTEM}{MOUNTS}"));
    let ids: Value = serde_json::from_str(&site.oracle("s3_files.py", &["deployed"])).unwrap();
    let (id, point) = (ids["fileSystem"].as_str().unwrap(), ids["accessPoint"].as_str().unwrap());
    let (folder, calls) = helper(&site);
    let root = site.dir.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let root_text = root.to_str().unwrap();
    let on = |verb: &'static str| [verb, "--env", "99", "--local", "--host", "main"];

    let output = mounts(&site, &folder, &on("plan"));
    let plan = succeeded("plan", &output);
    let line = format!("mount.s3files {id} /sftp -o region=us-west-2,accesspoint={point}");
    assert!(plan.contains(&line), "{plan}");
    assert!(plan.contains(&format!("mount.s3files {id} /all -o region=us-west-2\n")), "{plan}");
    assert!(plan.contains("made for an application that writes, on AWS") && plan.contains("belongs to root"), "{plan}");
    let install = |code: i32| {
        let output = mounts(&site, &folder, &[&on("install")[..], &["--root", root_text]].concat());
        assert_eq!(output.status.code(), Some(code), "{}", shown(&output));
        shown(&output)
    };
    let changed = install(0);
    assert!(changed.contains("sftpctl-mount-sftp.service: created"), "{changed}");
    assert!(!root.join("var/cache/sftpctl").exists(), "nothing is cached on the disk");
    let unit = std::fs::read_to_string(root.join("etc/systemd/system/sftpctl-mount-sftp.service")).unwrap();
    assert!(unit.contains(&line) && unit.contains("Type=oneshot"), "{unit}");
    units_are_valid(&root.join("etc/systemd/system"));
    assert!(install(0).contains("everything is as it should be"));
    let record = std::fs::read_to_string(root.join("etc/sftpctl/mounts/sftp.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    assert_eq!((&record["fileSystem"]["id"], &record["fileSystem"]["accessPoint"]), (&id.into(), &point.into()));

    // What the servers do needs neither the environment file nor AWS.
    let here = |verb: &'static str| [verb, "--at", "/sftp", "--root", root_text];
    let output = mounts(&site, &folder, &here("check"));
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert!(text(&output.stdout).contains("nothing is mounted"), "{}", shown(&output));
    let output = mounts(&site, &folder, &here("heal"));
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert!(shown(&output).contains("Failed to locate an available port"), "{}", shown(&output));
    let called = std::fs::read_to_string(&calls).unwrap();
    let at = root.join("sftp");
    assert_eq!(called, format!("{id} {} -o region=us-west-2,accesspoint={point}\n", at.display()));
    let output = mounts(&site, &folder, &here("remove"));
    assert!(output.status.success() && !at.exists(), "{}", shown(&output));

    // A stack without it.
    let other = FILE_SYSTEM.replace("99-5", "99-4") + &MOUNTS.replace("99-5", "99-4");
    site.edit(|file| file.replace(FILE_SYSTEM, "").replace(MOUNTS, &other));
    let refused = install(3);
    assert!(refused.contains("has no output FilesSystem99x2d4"), "{refused}");
    assert!(refused.contains("deploy the environment first: sftpctl deploy --env 99 --local"), "{refused}");
    // What can be said is said.
    let plan = succeeded("plan", &mounts(&site, Path::new("/nonexistent"), &on("plan")));
    assert!(plan.contains("its file system is not known: the stack sftp-99-upload-us-west-2"), "{plan}");
    assert!(plan.contains("mount.s3files is not installed") && plan.contains("made for an application"), "{plan}");

    // CloudFormation ends an update well that leaves something behind. The deployment does not.
    site.oracle("s3_files.py", &["occupy"]);
    let left = site.ends_with(6, &["deploy", "--env", "99", "--local", "--yes"]);
    let reason = "AWS could not delete FilesSystem99x2d5 (File system fs-";
    assert!(left.contains(reason) && left.contains("delete it by hand if AWS does not try again"), "{left}");
    assert!(site.planned().is_empty(), "the stack is as the file says");
}
