//! `sftpctl local` in cases in which it starts nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::site::{Site, shown, text};

#[test]
fn taken_port_is_reported() {
    let cloud = Site::stopped();
    let _taken = TcpListener::bind(("127.0.0.1", cloud.cloud_port)).unwrap();
    let output = cloud.run(&["local", "start", "--port", &cloud.cloud_port.to_string()]);
    let errors = text(&output.stderr);
    assert!(!output.status.success());
    assert!(errors.contains(&format!("port {} on 127.0.0.1 is taken", cloud.cloud_port)), "{errors}");
    assert!(errors.contains("local start --port"), "{errors}");
}

#[test]
fn process_with_a_recycled_id_is_left_alone() {
    let cloud = Site::stopped();
    let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
    let process = serde_json::json!({ "pid": stranger.id(), "started": 1 });
    let run = serde_json::json!({ "version": 1, "port": cloud.cloud_port, "front": process, "ministack": process });
    fs::create_dir_all(cloud.cloud()).unwrap();
    // An empty folder is taken as made here from now on.
    assert_eq!(cloud.ok(&["local", "stop"]), "not running\n");
    fs::write(cloud.cloud().join("run.json"), run.to_string()).unwrap();
    let output = cloud.run(&["local", "stop"]);
    assert_eq!(text(&output.stdout), "not running\n", "{}", shown(&output));
    assert!(stranger.try_wait().unwrap().is_none(), "an unrelated process was stopped");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

/// In a user namespace all users without an ID there have one together, and so does a process whose user has none.
#[test]
fn files_of_nobody_are_not_ours_in_a_user_namespace() {
    // Not every machine lets one make them.
    if !Command::new("unshare").args(["-U", "true"]).status().is_ok_and(|status| status.success()) {
        return;
    }
    let cloud = Site::stopped();
    fs::create_dir_all(cloud.cloud()).unwrap();
    assert_eq!(cloud.ok(&["local", "stop"]), "not running\n");
    fs::write(cloud.cloud().join("file"), "").unwrap();
    let refused = |options: &str| {
        let command = cloud.command(&["local", "status"]);
        let mut inside = Command::new("unshare");
        inside.arg(options).arg(command.get_program()).args(command.get_args()).current_dir(cloud.dir.path());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        let output = inside.output().unwrap();
        let errors = text(&output.stderr);
        assert!(
            !output.status.success() && errors.contains("without an ID in this user namespace"),
            "{}",
            shown(&output)
        );
        assert!(errors.contains("hint: rerun the command outside of the namespace"), "{errors}");
    };
    // Of this user nothing is known there, and then that of others is not.
    refused("-U");
    // For other users than root the folder `/` is root's, who has no ID there.
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(cloud.cloud()).unwrap());
    let _ = std::os::unix::fs::chown(cloud.cloud(), Some(1), None);
    fs::set_permissions(cloud.cloud(), fs::Permissions::from_mode(0o755)).unwrap();
    refused("-Ur");
    let _ = std::os::unix::fs::chown(cloud.cloud(), Some(owner), None);
}

/// The error output of `local start` with a shell script, or nothing, in place of Python.
fn with_python(script: Option<&str>) -> String {
    let cloud = Site::stopped();
    let python = cloud.dir.path().join("python");
    if let Some(script) = script {
        fs::write(&python, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let port = cloud.cloud_port.to_string();
    let mut command = cloud.command(&["local", "start", "--port", &port]);
    let venv = cloud.dir.path().join("venv");
    let output = command.env("SFTPCTL_PYTHON", python).env("SFTPCTL_LOCAL_VENV", venv).output().unwrap();
    assert!(!output.status.success());
    text(&output.stderr)
}

#[test]
fn missing_python_module_is_reported() {
    let missing = with_python(None);
    assert!(missing.contains("there is no `") && missing.contains("apt-get install python3"), "{missing}");
    let old = with_python(Some("[ $2 = -c ] && echo 3.8 && exit 1"));
    assert!(old.contains("is Python 3.8") && old.contains("3.10"), "{old}");
    let no_venv = with_python(Some("[ $2 = -c ] && echo 3.11 && exit 0\necho ensurepip is not available\nexit 1"));
    assert!(no_venv.contains("ensurepip") && no_venv.contains("python3-venv"), "{no_venv}");
    let pip = "[ $2 = -c ] && echo 3.11 && exit 0\n\
               [ $3 = venv ] && mkdir -p $5/bin && cp $0 $5/bin/python && exit 0\n\
               echo 'no matching distribution' >&2\nexit 1";
    let no_pip = with_python(Some(pip));
    assert!(no_pip.contains("no matching distribution") && no_pip.contains("PIP_INDEX_URL"), "{no_pip}");
}

/// A cloned repository may have files with the names of modules that the installation runs.
#[test]
fn installation_runs_nothing_of_the_current_folder() {
    let cloud = Site::stopped();
    let mark = cloud.dir.path().join("mark");
    for module in ["venv", "pip", "ensurepip", "site", "sys", "ministack", "sitecustomize"] {
        let code = format!("open({:?}, 'a').write('{module} ')\n", mark.display().to_string());
        fs::write(cloud.dir.path().join(format!("{module}.py")), code).unwrap();
    }
    let planted = cloud.dir.path().join("python3");
    fs::write(&planted, format!("#!/bin/sh\necho python3 >> '{}'\nexit 1\n", mark.display())).unwrap();
    fs::set_permissions(&planted, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!(":{}", std::env::var("PATH").unwrap());
    let mut command = cloud.command(&["local", "start", "--port", &cloud.cloud_port.to_string()]);
    command.env("SFTPCTL_LOCAL_VENV", cloud.dir.path().join("own/venv")).env("PIP_NO_INDEX", "1").env("PATH", path);
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{}", shown(&output));
    // It came as far as pip itself.
    assert!(text(&output.stderr).contains("No matching distribution"), "{}", shown(&output));
    assert!(!mark.exists(), "{}", fs::read_to_string(&mark).unwrap_or_default());
}

/// The cache may be in a checkout, as in pipelines, and an installation in it may have come with that.
#[test]
fn installation_that_came_with_a_copy_is_not_run() {
    let cloud = Site::stopped();
    let root = sftpctl_testkit::programs::root();
    let requirements = fs::read_to_string(root.join("supply-chain/python/local-cloud.txt")).unwrap();
    let version = requirements.lines().find_map(|line| line.strip_prefix("ministack==")).unwrap();
    let version = version.split_whitespace().next().unwrap();
    let (cache, mark) = (cloud.dir.path().join("cache"), cloud.dir.path().join("mark"));
    let venv = cache.join(format!("sftpctl/ministack-{version}"));
    fs::create_dir_all(venv.join("bin")).unwrap();
    fs::write(venv.join("sftpctl-requirements.txt"), requirements).unwrap();
    let planted = venv.join("bin/python");
    fs::write(&planted, format!("#!/bin/sh\necho ran >> '{}'\nexit 1\n", mark.display())).unwrap();
    fs::set_permissions(&planted, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = cloud.command(&["local", "start", "--port", &cloud.cloud_port.to_string()]);
    command.env_remove("SFTPCTL_LOCAL_VENV").env("XDG_CACHE_HOME", &cache).env("PIP_NO_INDEX", "1");
    let output = command.output().unwrap();
    // It is installed anew, which comes as far as pip.
    assert!(text(&output.stderr).contains("No matching distribution"), "{}", shown(&output));
    assert!(!mark.exists() && !output.status.success());
}

/// Every pinned package is on offer with its name and version, but with other content than was pinned.
#[test]
fn package_with_a_wrong_hash_is_refused() {
    let cloud = Site::stopped();
    let wheels = cloud.dir.path().join("wheels");
    fs::create_dir(&wheels).unwrap();
    let script = r#"
import re, sys, zipfile
folder, requirements = sys.argv[1:]
for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", open(requirements).read(), re.M):
    stem = f"{name.replace('-', '_')}-{version}"
    with zipfile.ZipFile(f"{folder}/{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")
"#;
    let locked = sftpctl_testkit::programs::root().join("supply-chain/python/local-cloud.txt");
    let made = Command::new("python3").args(["-c", script]).arg(&wheels).arg(locked).output().unwrap();
    assert!(made.status.success(), "{}", shown(&made));

    let venv = cloud.dir.path().join("venv");
    let mut command = cloud.command(&["local", "start", "--port", &cloud.cloud_port.to_string()]);
    command.env("SFTPCTL_LOCAL_VENV", &venv).env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", &wheels);
    let output = command.output().unwrap();
    let errors = text(&output.stderr);
    assert!(!output.status.success(), "{}", shown(&output));
    assert!(errors.contains("was refused: its SHA-256 is "), "{errors}");
    assert!(errors.contains("hint: nothing was installed; rerun the command"), "{errors}");
    assert!(errors.contains("PIP_INDEX_URL"), "{errors}");
    // The next start begins anew.
    assert!(venv.join("bin/python").exists() && !venv.join("sftpctl-requirements.txt").exists());
}
