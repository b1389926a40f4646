//! What can be wrong with a mount, each found in time and healed.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_program_is_found_and_replaced() {
    let server = Server::mounted("s3fs").await;
    let application = Application::start(&server.at());
    application.says("ok");
    let before = server.daemon();
    server.signal("-STOP");
    let found = server.check(&["--deadline", "3"]);
    assert_eq!((&found["state"], &found["daemons"][0]["isStopped"]), (&"stopped".into(), &true.into()), "{found}");
    server.run(0, "heal", &["--deadline", "3"]);
    assert_ne!(server.daemon(), before);
    application.goes_on(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_that_hangs_is_found_and_nobody_waits_for_ever() {
    let server = Server::mounted("s3fs").await;
    let application = Application::start(&server.at());
    application.says("ok");
    server.fault("hold-before");
    let found = server.check(&[]);
    assert_eq!(found["state"], "hung", "{found}");
    assert!(found["waiting"].as_u64().unwrap() > 0, "{found}");
    // The helper of that check cannot be killed yet, and no second one is started.
    let again = server.check(&[]);
    assert!(again["state"] == "hung" && again["detail"].as_str().unwrap().contains("earlier check"), "{again}");
    // Healing frees who waits, even if S3 still hangs. Then nothing is mounted, and nobody can write.
    let errors = application.count("error");
    let healed = server.run(1, "heal", &["--wait", "3"]);
    assert_eq!(healed["mounts"][0]["before"]["state"], "hung", "{healed}");
    until("the application gets an error", || (application.count("error") > errors).then_some(()));
    server.repair();
    server.run(0, "heal", &[]);
    application.goes_on(&server).await;
}

/// As the timers do: it is called hung, and aborted only if it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_mount_that_answers_again_is_not_aborted() {
    let server = Server::mounted("s3fs").await;
    let before = server.daemon();
    server.fault("hold-before");
    let mut heal = server.site.command(&["mounts", "heal", "--deadline", "2", "--confirm", "50", "--root"]);
    heal.arg(&server.root).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut heal = Running(heal.spawn().unwrap());
    let mut said = String::new();
    let mut lines = BufReader::new(heal.0.stderr.take().unwrap());
    while !said.contains("waiting 50 s more before it is aborted") {
        assert!(lines.read_line(&mut said).unwrap() > 0, "{said}");
    }
    server.repair();
    assert!(heal.0.wait().unwrap().success(), "{said}");
    assert_eq!(server.daemon(), before, "it was not restarted");
    server.is_healthy();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_found_and_emptied() {
    let server = Server::new("s3fs").await;
    let cache = server.root.join("var/cache/sftpctl/sftp");
    std::fs::create_dir_all(&cache).unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=160m,mode=700", "tmpfs"]).arg(&cache);
    succeeded("tmpfs", &mount.output().unwrap());
    server.run(0, "install", &["--env", "99", "--host", "main"]);
    server.run(0, "heal", &[]);
    let application = Application::start(&server.at());
    application.says("ok");
    let before = server.daemon();
    // s3fs writes nothing with less than is to stay free.
    std::fs::write(cache.join("nearly"), vec![1; 154 << 20]).unwrap();
    let found = server.check(&["--no-canary"]);
    assert!(
        found["state"] == "full" && found["detail"].as_str().unwrap().contains("10 MB are to stay free"),
        "{found}"
    );
    server.run(0, "heal", &[]);
    application.goes_on(&server).await;
    let application = Application::start(&server.at());
    std::fs::write(cache.join("left"), vec![1; 200 << 20]).unwrap_err();
    application.says("error 28");
    let found = server.check(&[]);
    assert_eq!(found["state"], "full", "{found}");
    assert!(found["detail"].as_str().unwrap().contains("No space left"), "{found}");
    // The disk itself says so to checks that write nothing.
    assert_eq!(server.check(&["--no-canary"])["state"], "full");
    server.run(0, "heal", &[]);
    assert_eq!((server.daemon(), cache.join("left").exists()), (before, false), "it was not restarted");
    application.goes_on(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_gone_are_found() {
    let server = Server::mounted("s3fs").await;
    let application = Application::start(&server.at());
    application.says("ok");
    server.fault("error=403:InvalidAccessKeyId:The AWS Access Key Id you provided does not exist in our records.");
    application.says("error 1");
    assert_eq!(server.check(&[])["state"], "denied");
    // Without a canary, too: s3fs says that a file is there, which cannot be.
    assert_eq!(server.check(&["--no-canary"])["state"], "denied");
    // No restart helps as long as S3 refuses; the program's own words say why, and nobody writes into nothing.
    let healed = server.run(1, "heal", &["--wait", "5"]);
    assert!(
        healed["mounts"][0]["log"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains("403")),
        "{healed}"
    );
    server.is_bare_and_protected();
    application.says("error 1");
    server.repair();
    server.run(0, "heal", &[]);
    application.goes_on(&server).await;
}
