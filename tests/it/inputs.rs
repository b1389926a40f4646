//! Files that a command line names: pipes, devices, and links of somebody else's choice.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::site::{Running, shown, succeeded, text, tool};
use crate::stub::{Reply, Stub};

/// A folder with environment 99.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("environments")).unwrap();
    std::fs::copy(source(), dir.path().join("environments/99.yaml")).unwrap();
    dir
}

fn source() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/environments/99.yaml"))
}

fn sftpctl(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(sftpctl_testkit::programs::sftpctl());
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command
}

#[test]
fn signal_ends_the_wait_for_a_pipe() {
    let dir = folder();
    let pipe = dir.path().join("pipe");
    succeeded("mkfifo", &tool("mkfifo", "coreutils").arg(&pipe).output().unwrap());
    for arguments in [
        &["deploy", "--env", "99", "--plan", "pipe", "--yes"][..],
        &["plan", "--env-file", "pipe"],
        &["validate", "--env-file", "pipe"],
    ] {
        let mut command = sftpctl(dir.path(), arguments);
        let mut running = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        // Opens when the command has opened it, and now reads.
        let _writer = File::options().write(true).open(&pipe).unwrap();
        // Not SIGINT, which a shell has its background jobs ignore.
        let id = running.0.id().to_string();
        succeeded("kill", &tool("kill", "procps").arg(id).output().unwrap());
        assert_eq!(running.0.wait().unwrap().signal(), Some(15), "{arguments:?}");
    }
}

/// A source is read while signals are listened for, since the lock is held: one signal ends the command, which releases it.
#[tokio::test]
async fn signal_ends_an_import_from_a_pipe_that_never_ends() {
    let stub = Stub::new().await;
    let caller = "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111111111111</Account>\
                  <Arn>arn:aws:iam::111111111111:user/u</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>";
    let empty = r#"{"Items":[],"Count":0,"ScannedCount":0}"#;
    stub.on("sts:GetCallerIdentity", [Reply::ok(caller)]).on("dynamodb:Scan", [Reply::ok(empty)]);
    let endpoint = stub.endpoint().to_owned();
    let work = move || {
        let dir = folder();
        let pipe = dir.path().join("pipe");
        succeeded("mkfifo", &tool("mkfifo", "coreutils").arg(&pipe).output().unwrap());
        let rows = format!("orgid,username,cluster\n{}", "17578,jan,99-0\n".repeat(100_000));
        // Before its first byte, inside its first line, and after some of its rows.
        for (kind, begins) in [("csv:", ""), ("csv:", "orgid,use"), ("json:", "[{\"orgid\": 1, "), ("csv:", &*rows)] {
            for more in [&["--yes"][..], &["--dry-run"]] {
                let from = format!("{kind}pipe");
                let mut command =
                    sftpctl(dir.path(), &[&["users", "import", "--env", "99", "--from", &from], more].concat());
                command.env("AWS_ENDPOINT_URL", &endpoint).env_remove("AWS_PROFILE");
                command.envs([("AWS_ACCESS_KEY_ID", "111111111111"), ("AWS_SECRET_ACCESS_KEY", "fake-secret")]);
                let mut running = Running(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
                // Opens when the command has opened it, and now reads.
                let mut writer = File::options().write(true).open(&pipe).unwrap();
                writer.write_all(begins.as_bytes()).unwrap();
                let id = running.0.id().to_string();
                succeeded("kill", &tool("kill", "procps").arg(id).output().unwrap());
                let ended = running.0.wait().unwrap();
                let mut told = String::new();
                running.0.stderr.take().unwrap().read_to_string(&mut told).unwrap();
                assert_eq!(ended.code(), Some(130), "{from} {more:?}: {told}");
                assert!(told.contains("interrupted; nothing was written"), "{told}");
                drop(writer);
            }
        }
        let lock = sftpctl(dir.path(), &["users", "import", "--env", "99", "--from", "csv:nowhere", "--yes"])
            .env("AWS_ENDPOINT_URL", &endpoint)
            .envs([("AWS_ACCESS_KEY_ID", "111111111111"), ("AWS_SECRET_ACCESS_KEY", "fake-secret")])
            .output()
            .unwrap();
        assert_eq!(lock.status.code(), Some(2), "the lock is free: {}", shown(&lock));
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}

/// `<(…)` in a shell is a pipe, too.
#[test]
fn pipes_of_a_shell_are_read() {
    let dir = folder();
    let program = sftpctl_testkit::programs::sftpctl().display().to_string();
    let shell = |line: &str| -> Output {
        tool("bash", "bash").args(["--norc", "-c", line]).current_dir(dir.path()).output().unwrap()
    };
    succeeded("validate", &shell(&format!("{program} validate --env-file <(cat environments/99.yaml)")));
    let refused = shell(&format!("{program} deploy --env 99 --plan <(echo '{{}}') --yes"));
    assert_eq!(refused.status.code(), Some(2), "{}", shown(&refused));
    assert!(text(&refused.stderr).contains("as a saved plan"), "{}", shown(&refused));
}

#[test]
fn endless_files_are_refused() {
    let dir = folder();
    for arguments in [
        &["validate", "--env-file", "/dev/zero"][..],
        &["deploy", "--env", "99", "--plan", "/dev/zero", "--yes"],
        &["plan", "--env", "99", "--package", "/dev/zero"],
    ] {
        let refused = sftpctl(dir.path(), arguments).output().unwrap();
        assert!(!refused.status.success(), "{arguments:?}: {}", shown(&refused));
        assert!(
            text(&refused.stderr).contains("too much for a file of this kind"),
            "{arguments:?}: {}",
            shown(&refused)
        );
    }
}

/// The faults of a file are shown with its lines, and a file may be another than the one that was meant.
#[test]
fn faults_show_nothing_of_foreign_files() {
    let dir = folder();
    let foreign = [
        ("shadow", "root:$y$j9T$c2FsdA$MADEUP:19000:0:99999:7:::\nMADEUP:!:19000::::::\n"),
        ("credentials", "[default]\naws_secret_access_key = MADEUP\n"),
        ("config.json", "{\"auths\": {\"x\": {\"auth\": \"MADEUP\"}}}"),
        ("compose.yaml", "version: \"3\"\nservices:\n  db:\n    environment: { POSTGRES_PASSWORD: MADEUP }\n"),
        ("plan.json", "{\"version\": 1, \"steps\": \"MADEUP\"}"),
        ("mapping.yaml", "version: 1\npassword: { column: a, value: \"MADEUP\" }\n"),
    ];
    for (name, text_of_file) in foreign {
        std::fs::write(dir.path().join(name), text_of_file).unwrap();
        for arguments in [
            &["users", "import", "--env", "99", "--from", "csv:x.csv", "--mapping", name][..],
            &["users", "import", "--env", "99", "--inspect", "--from", "csv:x.csv", "--mapping", name],
            &["users", "import", "--env", "99", "--inspect", "--from", &format!("csv:{name}")],
            &["users", "import", "--env", "99", "--inspect", "--from", &format!("json:{name}")],
            &["validate", "--env-file", name],
            &["validate", "--env-file", name, "--output", "json"],
            &["validate", "--env-file", name, "--annotations", "github"],
            &["plan", "--env-file", name],
            &["deploy", "--env", "99", "--plan", name, "--yes"],
        ] {
            let refused = sftpctl(dir.path(), arguments).output().unwrap();
            assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {}", shown(&refused));
            assert!(!shown(&refused).contains("MADEUP"), "{arguments:?}: {}", shown(&refused));
        }
    }
}

/// In a request from a fork `environments/NAME.yaml` may be a link to any file, of which a fault would show a piece.
#[test]
fn environment_that_leads_out_of_the_folder_is_not_read() {
    let dir = folder();
    let path = |name: &str| dir.path().join("environments").join(name);
    let secret = "aws_secret_access_key: made-up";
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.yaml"), secret).unwrap();
    std::fs::create_dir_all(dir.path().join(".git")).unwrap();
    std::fs::write(dir.path().join(".git/config"), secret).unwrap();
    for (name, target) in [
        ("file.yaml", outside.path().join("secret.yaml")),
        ("environ.yaml", "/proc/self/environ".into()),
        ("stdin.yaml", "/dev/stdin".into()),
        ("hidden.yaml", "../.git/config".into()),
        ("twice.yaml", "file.yaml".into()),
        ("folder", outside.path().to_owned()),
    ] {
        symlink(target, path(name)).unwrap();
    }
    for name in ["file", "environ", "stdin", "hidden", "twice", "folder/secret"] {
        for command in ["validate", "plan", "deploy"] {
            let mut command = sftpctl(dir.path(), &[command, "--env", name]);
            let refused = crate::site::with_input(command.env("MADE_UP", secret), secret.as_bytes());
            assert_eq!(refused.status.code(), Some(2), "{name}: {}", shown(&refused));
            assert!(
                !shown(&refused).contains("aws_secret") && !shown(&refused).contains("made-up"),
                "{}",
                shown(&refused)
            );
            if name != "stdin" {
                let told = text(&refused.stderr);
                assert!(told.contains("which is not among the files of this folder"), "{name}: {told}");
                assert!(told.contains("--env-file takes any path"), "{name}: {told}");
            }
        }
    }
    // Within the folder a link is as good as the file; a path on the command line is what somebody means.
    std::fs::create_dir(dir.path().join("shared")).unwrap();
    std::fs::rename(path("99.yaml"), dir.path().join("shared/99.yaml")).unwrap();
    symlink("../shared/99.yaml", path("99.yaml")).unwrap();
    succeeded("link", &sftpctl(dir.path(), &["validate", "--env", "99"]).output().unwrap());
    symlink(source(), path("other.yaml")).unwrap();
    succeeded("path", &sftpctl(dir.path(), &["validate", "--env-file", "environments/other.yaml"]).output().unwrap());
}
