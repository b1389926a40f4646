//! `bench …` on real mounts of the local S3, on the bucket itself, and on the local SFTP server: the whole matrix ends,
//! and every symptom that ended the tests of 2019 is a result.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::mounts::{ACCOUNT, BUCKET, Server};
use crate::bench::{end, samples};
use crate::site::{Running, Site, shown, succeeded, tool, until, with_input};

/// A run of `bench` on a server's mount, which ends with this code. It never hangs, which `timeout` watches.
fn run(server: &Server, code: i32, arguments: &[&str]) -> Value {
    let program = server.site.command(&[]);
    let mut command = tool("timeout", "coreutils");
    command.args(["--signal=KILL", "120"]).arg(program.get_program()).arg("bench").args(arguments);
    command.args(["--output", "json"]).current_dir(server.site.dir.path());
    let output: Output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", shown(&output));
    end(&output)
}

/// What did not succeed.
fn problems(ended: &Value) -> Vec<String> {
    let problems = ended["report"]["problems"].as_array().unwrap().iter();
    problems.map(|problem| problem["text"].as_str().unwrap().to_owned()).collect()
}

/// A plan with everything in small.
fn plan(at: &Path) -> String {
    format!(
        "version: 1\ntargets: {{ mount: {{ at: '{}' }} }}\ndeadline: 30\n\
         sizes: {{ sizes: [1KB, 1MB], repeat: 2, warmup: 0 }}\n\
         threads: {{ sizes: [200KB], threads: [1, 3], iterations: 2, warmup: 0 }}\n",
        at.display()
    )
}

/// The whole matrix on a healthy mount; nothing is left.
async fn matrix(server: &Server) {
    std::fs::write(server.site.dir.path().join("plan.yaml"), plan(&server.at())).unwrap();
    let ended = run(server, 0, &["run", "--plan", "plan.yaml", "--results", "matrix.jsonl"]);
    // Sizes: 2 sizes, 2 contents, 3 actions, twice. Threads: 4 threads, 3 actions, twice.
    assert_eq!((&ended["operations"], &ended["problems"]), (&(2 * 2 * 3 * 2 + 4 * 3 * 2).into(), &0.into()), "{ended}");
    let kind = format!("fuse.{}", server.program());
    let results = std::fs::read_to_string(server.site.dir.path().join("matrix.jsonl")).unwrap();
    let run: Value = serde_json::from_str(results.lines().next().unwrap()).unwrap();
    let notes = run["notes"].to_string();
    let version = tool(server.program(), server.program()).arg("--version").output().unwrap();
    let version = succeeded("--version", &version).lines().next().unwrap().to_owned();
    assert!(notes.contains(&kind) && notes.contains(&version), "kind and version of the mount: {notes}");
    let report = server.site.ok(&["bench", "report", "matrix.jsonl"]);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert!(report.contains(&version) && report.contains(kernel.trim()), "{report}");
    server.site.ok(&["bench", "report", "matrix.jsonl", "--html", "matrix.html"]);
    let page = std::fs::read_to_string(server.site.dir.path().join("matrix.html")).unwrap();
    assert!(page.contains(&version) && page.contains(kernel.trim()), "{page}");
    assert_eq!(std::fs::read_dir(server.at()).unwrap().count(), 0);
}

/// What is measured to see a symptom.
fn few(at: &str) -> [&str; 10] {
    ["sizes", at, "--sizes", "1KB,100KB", "--content", "text", "--repeat", "2", "--warmup", "0"]
}

/// A hang in the middle: the program is stopped, each thread aborted at its deadline, and when it is back, the rest is
/// measured.
fn hangs_and_comes_back(server: &Server) {
    let at = server.at();
    let results = server.site.dir.path().join("hang.jsonl");
    let target = at.to_str().unwrap();
    let many = ["bench", "threads", target, "--threads", "3", "--iterations", "30", "--sizes", "100KB"];
    let short = ["--operations", "put", "--deadline", "1", "--slowest", "100", "--give-up-after", "1000"];
    let end_of = ["--results", "hang.jsonl", "--output", "json"];
    let mut command = server.site.command(&[&many[..], &short, &end_of].concat());
    let mut running = Running(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    until("some are measured", || (samples(&results).len() > 9).then_some(()));
    server.signal("-STOP");
    let is_stuck = |sample: &Value| sample["outcome"] == "stuck";
    until("one is stuck", || samples(&results).iter().any(is_stuck).then_some(()));
    server.signal("-CONT");
    let mut stdout = Vec::new();
    running.0.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    let status = running.0.wait().unwrap();
    let ended = end(&Output { status, stdout, stderr: Vec::new() });
    assert_eq!(status.code(), Some(1), "{ended}");
    let said = problems(&ended);
    assert!(
        said[0].contains("stuck at 100KB text put, thread") && said[0].contains("aborted after 1 s while"),
        "{said:?}"
    );
    assert_eq!((samples(&results).len(), &ended["left"]), (3 * 31, &0.into()), "{ended}");
}

/// A hang in the kernel: S3 does not answer a request that the program has read, so that even a kill does not end the
/// worker.
fn cannot_be_killed(server: &Server) {
    let at = server.at();
    server.fault("hold-before");
    let short = ["--deadline", "1", "--slowest", "100", "--give-up-after", "1", "--results", "held.jsonl"];
    let ended = run(server, 6, &[&few(at.to_str().unwrap())[..], &short].concat());
    let said = problems(&ended);
    assert!(said.iter().any(|said| said.contains("cannot be killed and was abandoned")), "{said:?}");
    server.repair();
}

/// Transport endpoint is not connected: the program is dead.
fn is_dead(server: &Server) {
    let at = server.at();
    server.signal("-KILL");
    until("the mount is dead", || std::fs::read_dir(&at).err().filter(|error| error.raw_os_error() == Some(107)));
    let ended = run(server, 6, &[&few(at.to_str().unwrap())[..], &["--results", "dead.jsonl"]].concat());
    let said = problems(&ended);
    assert!(said[0].contains("Transport endpoint is not connected"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3fs_goes_through_the_matrix_and_every_symptom_of_2019_is_a_result() {
    let server = Server::mounted("s3fs").await;
    matrix(&server).await;
    assert_eq!(server.s3().await.keys(BUCKET, "").await.unwrap(), Vec::<String>::new());

    // Input/output error: S3 refuses, and it goes on.
    server.site.ok(&["local", "faults", "add", "s3.PutObject", "error=400:BadRequest:no", "--skip", "1"]);
    let ended = run(&server, 6, &[&few(server.at().to_str().unwrap())[..], &["--results", "eio.jsonl"]].concat());
    assert!(problems(&ended).iter().any(|said| said.contains("Input/output error")), "{:?}", problems(&ended));
    server.repair();

    hangs_and_comes_back(&server);
    cannot_be_killed(&server);
    is_dead(&server);
}

/// The file system that is full is one of memory, mounted for this test.
#[test]
fn a_full_file_system_is_a_result_and_what_fits_is_measured() {
    struct Mounted(tempfile::TempDir);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
        }
    }
    let mounted = Mounted(tempfile::tempdir().unwrap());
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs"]).arg(mounted.0.path());
    succeeded("tmpfs", &mount.output().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let at = mounted.0.path().to_str().unwrap();
    let arguments =
        ["bench", "sizes", at, "--sizes", "100KB,3MB", "--content", "binary", "--repeat", "2", "--warmup", "0"];
    let measure = |more: &[&str]| {
        let output = crate::bench::sftpctl(dir.path(), &[&arguments[..], &["--output", "json"], more].concat())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(6), "{}", shown(&output));
        assert!(shown(&output).contains("has less free space than the 3.0 MB"), "{}", shown(&output));
        output
    };
    // What does not fit is not tried: it would fill a disk that others write to.
    let ended = end(&measure(&["--results", "fits.jsonl"]));
    assert_eq!((problems(&ended).len(), std::fs::read_dir(at).unwrap().count()), (0, 0), "{ended}");
    let skipped = ended["report"]["skipped"].to_string();
    assert!(skipped.contains("3.0 MB would fill it up: make room"), "{ended}");
    let output = measure(&["--fill"]);
    let ended = end(&output);
    let said = problems(&ended);
    assert!(said[0].contains("failed at 3MB binary put") && said[0].contains("No space left on device"), "{said:?}");
    let small = ended["report"]["rows"].as_array().unwrap().iter().filter(|row| row["size"] == 100_000);
    assert!(small.clone().count() == 3 && small.into_iter().all(|row| row["seconds"]["count"] == 2), "{ended}");
    assert_eq!(std::fs::read_dir(at).unwrap().count(), 0);
}

/// rclone takes a file into its cache, and uploads it later: what S3 refuses, or does not answer, is no error of the
/// application, and no symptom here.
#[tokio::test(flavor = "multi_thread")]
async fn an_rclone_goes_through_the_matrix_and_hangs_and_dies_as_in_2019() {
    let server = Server::mounted("rclone").await;
    matrix(&server).await;
    hangs_and_comes_back(&server);
    is_dead(&server);
}

/// The bucket itself, with versions: nothing of the run is left, not even old versions.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_measured_without_a_mount() {
    let site = Site::new();
    let s3 = site.aws_of(ACCOUNT).await.s3("us-west-2");
    s3.create_bucket(BUCKET).await.unwrap();
    while s3.enable_versioning(BUCKET, ACCOUNT).await.is_err() {}
    s3.put(BUCKET, "17578/order.csv", b"an order\n".to_vec().into(), false).await.unwrap();
    let target = format!("s3://{BUCKET}/17578");
    let arguments = ["bench", "sizes", &target, "--region", "us-west-2", "--sizes", "1KB,20MB", "--content", "binary"];
    let more = ["--repeat", "2", "--warmup", "0", "--output", "json"];
    let arguments = [&arguments[..], &more].concat();
    let local = [&arguments[..], &["--local", "--env", "99"]].concat();
    let ended = end(&site.run(&local));
    assert_eq!((&ended["operations"], &ended["problems"]), (&8.into(), &0.into()), "{ended}");
    assert_eq!(ended["left"], 0, "{ended}");
    let left: Vec<String> =
        s3.all_versions(BUCKET).await.unwrap().iter().map(|version| version.key().to_owned()).collect();
    assert_eq!(left, ["17578/order.csv"]);
    // An error of S3 is a result, in its words.
    site.ok(&["local", "faults", "add", "s3.PutObject", "error=503:SlowDown:Reduce your request rate."]);
    let ended = end(&site.run(&[&local[..], &["--results", "slow.jsonl"]].concat()));
    let said = problems(&ended);
    assert!(said.iter().any(|said| said.contains("SlowDown")), "{said:?}");
}

#[test]
fn the_environments_server_is_measured_as_a_customer_uses_it() {
    let site = Site::deployed("");
    let login = site.add(17578, "jan", "Harbour-7-lantern");
    let bench = |code: i32, verb: &str, password: &str, more: &[&str]| {
        let arguments = ["bench", verb, "--env", "99", "--local", "--username", &login.username, "--password-stdin"];
        let mut command = site.command(&[&arguments[..], more, &["--output", "json"]].concat());
        let output = with_input(&mut command, password.as_bytes());
        assert_eq!(output.status.code(), Some(code), "{verb}: {}", shown(&output));
        assert!(!shown(&output).contains(&login.password), "{}", shown(&output));
        end(&output)
    };
    let few = ["--repeat", "2", "--warmup", "0", "--sizes", "1KB,9MB", "--content", "binary", "--results", "a.jsonl"];
    let ended = bench(0, "sizes", &login.password, &few);
    assert_eq!((&ended["operations"], &ended["problems"]), (&8.into(), &0.into()), "{ended}");
    let few = ["--threads", "1,2", "--iterations", "3", "--warmup", "0", "--results", "b.jsonl"];
    let ended = bench(0, "logins", &login.password, &few);
    let rows = ended["report"]["rows"].as_array().unwrap();
    assert!(rows.len() == 2 && rows.iter().all(|row| row["operations"].as_f64() > Some(0.0)), "{ended}");
    let few = ["--threads", "1", "--iterations", "2", "--warmup", "0", "--results", "c.jsonl"];
    let refused = bench(1, "logins", "wrong", &few);
    assert!(problems(&refused)[0].contains("Permission denied"), "{refused}");
}

/// The server by its address, with a file of the password: its host key must be the known one, and the password goes
/// nowhere else.
#[test]
fn a_password_goes_only_to_a_server_whose_host_key_is_known() {
    let site = Site::deployed("");
    let login = site.add(17578, "jan", "Harbour-7-lantern");
    let info = site.ok(&["connect-info", "--env", "99", "--local", "--username", &login.username, "--output", "json"]);
    let info: Value = serde_json::from_str(info.lines().last().unwrap()).unwrap();
    let server = &info["endpoints"][0];
    let (host, port) = (server["host"].as_str().unwrap(), server["port"].as_u64().unwrap().to_string());
    let path = |name: &str| site.dir.path().join(name);
    std::fs::write(path("password"), format!("{}\n", login.password)).unwrap();
    std::fs::set_permissions(path("password"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let known = format!("UserKnownHostsFile {}\nGlobalKnownHostsFile /dev/null\n", path("known").display());
    // A password needs a strict check, whatever the configuration says.
    std::fs::write(path("ssh_config"), format!("StrictHostKeyChecking no\n{known}")).unwrap();
    let target = format!("sftp://{}@{host}:{port}", login.username);
    let bench = |code: i32, results: &str| {
        let start = ["bench", "logins", &target, "--password-file", "password", "--ssh-config", "ssh_config"];
        let more = ["--threads", "1", "--iterations", "2", "--warmup", "0", "--results", results, "--output", "json"];
        let output = site.run(&[&start[..], &more].concat());
        assert_eq!(output.status.code(), Some(code), "{}", shown(&output));
        assert!(!shown(&output).contains(&login.password), "{}", shown(&output));
        end(&output)
    };
    let refused = bench(1, "unknown.jsonl");
    let said = &problems(&refused)[0];
    assert!(said.contains("Host key verification failed") && said.contains("log in once"), "{said}");
    let keys = tool("ssh-keyscan", "openssh-client").args(["-p", &port, host]).output().unwrap();
    std::fs::write(path("known"), succeeded("ssh-keyscan", &keys)).unwrap();
    let ended = bench(0, "known.jsonl");
    assert_eq!((&ended["operations"], &ended["problems"]), (&2.into(), &0.into()), "{ended}");
    // Another key under the same name.
    crate::bench::sshd::key(&path("other"));
    let other = std::fs::read_to_string(path("other.pub")).unwrap();
    std::fs::write(path("known"), format!("[{host}]:{port} {other}")).unwrap();
    let refused = bench(1, "changed.jsonl");
    let said = &problems(&refused)[0];
    assert!(said.contains("Host key verification failed"), "{said}");
    assert_eq!(refused["report"]["rows"][0]["operations"], Value::Null, "{refused}");
}
