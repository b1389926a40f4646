//! `mounts …` with a real s3fs, and an rclone: every way in which a mount dies is found in time and healed, and what an
//! application writes is in S3 or fails, and never in the bare mount point.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use sftpctl_aws::S3;
use sftpctl_files::mounts::mountinfo::mounts_at;
use sftpctl_files::mounts::system::processes::daemons;

use super::faults::front;
use crate::site::{DEADLINE, Running, Site, built, oracle, shown, succeeded, text, tool, until, with_input};

mod found;

pub(super) const ACCOUNT: &str = "111111111111";
pub(super) const BUCKET: &str = "pl-pt99-5-uploads";
/// Within this time, every fault is found (issue: "each found within 15 s").
const FOUND: Duration = Duration::from_secs(15);
const UNITS: &str = "etc/systemd/system";

/// The file of a program.
fn path_of(program: &str) -> PathBuf {
    let all = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&all).map(|folder| folder.join(program)).find(|path| path.is_file()).unwrap()
}

/// An application server: a folder that `--root` names, with the bucket mounted at `/sftp` below it.
pub(super) struct Server {
    pub(super) site: Site,
    root: PathBuf,
    /// The program of the mount.
    program: &'static str,
}

/// A run of the program that did not end in time is a failure of its own.
const NEVER_HANGS: &str = "60";

impl Server {
    async fn new(program: &'static str) -> Self {
        let is_root = text(&Command::new("id").arg("-u").output().unwrap().stdout).trim() == "0";
        assert!(is_root, "mounts need root: sudo -E cargo test …");
        assert!(Path::new("/dev/fuse").exists(), "/dev/fuse is missing: modprobe fuse");
        tool(program, program);
        let site = Site::new();
        let s3 = site.aws_of(ACCOUNT).await.s3("us-west-2");
        s3.create_bucket(BUCKET).await.unwrap();
        // As on AWS, a new bucket is not there for every call at once.
        let end = Instant::now() + DEADLINE;
        while let Err(error) = s3.enable_versioning(BUCKET, ACCOUNT).await {
            assert!(Instant::now() < end, "{error}");
        }
        let endpoint = site.endpoint();
        site.edit(|file| {
            format!(
                "{file}\nmounts:\n  main:\n    - {{ kind: {program}, cluster: 99-5, at: /sftp, credentials: \"file:/etc/keys\", \
                 endpoint: \"{endpoint}\", keep_free_mb: 10 }}\n"
            )
        });
        let root = site.dir.path().canonicalize().unwrap().join("server");
        std::fs::create_dir_all(root.join("etc")).unwrap();
        std::fs::write(root.join("etc/updatedb.conf"), "PRUNEPATHS=\"/tmp\"\n").unwrap();
        let secret = site.secret();
        let keys = match program {
            "s3fs" => format!("{ACCOUNT}:{secret}\n"),
            _ => format!("[default]\naws_access_key_id={ACCOUNT}\naws_secret_access_key={secret}\n"),
        };
        std::fs::write(root.join("etc/keys"), keys).unwrap();
        Self { site, root, program }
    }

    /// A server with the mount installed and started.
    pub(super) async fn mounted(program: &'static str) -> Self {
        let server = Self::new(program).await;
        server.run(0, "install", &["--env", "99", "--host", "main"]);
        server.run(0, "heal", &[]);
        server
    }

    pub(super) async fn s3(&self) -> S3 {
        self.site.aws_of(ACCOUNT).await.s3("us-west-2")
    }

    pub(super) fn program(&self) -> &'static str {
        self.program
    }

    pub(super) fn at(&self) -> PathBuf {
        self.root.join("sftp")
    }

    /// Runs a command with a limit, which ends with this code.
    fn run(&self, code: i32, verb: &str, more: &[&str]) -> Value {
        let program = self.site.command(&[]);
        let mut command = tool("timeout", "coreutils");
        command.args(["--signal=KILL", NEVER_HANGS]).arg(program.get_program()).args(["mounts", verb]).args(more);
        command.args(["--output", "json", "--root"]).arg(&self.root).current_dir(self.site.dir.path());
        // The keys of who runs it are not the mount's.
        command.env("AWS_ACCESS_KEY_ID", "another").env("AWS_SECRET_ACCESS_KEY", "key");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{verb} {more:?}: {}", shown(&output));
        serde_json::from_str(text(&output.stdout).lines().last().unwrap_or("null")).unwrap_or_default()
    }

    /// The mount's state as a check says it, within the time that is promised.
    fn check(&self, more: &[&str]) -> Value {
        let begin = Instant::now();
        let output = self.run(1, "check", more);
        assert!(begin.elapsed() < FOUND, "a check took {:?}", begin.elapsed());
        output["mounts"][0].clone()
    }

    fn is_healthy(&self) {
        let found = self.run(0, "check", &[]);
        assert_eq!((&found["mounts"][0]["state"], &found["mounts"][0]["canary"]), (&"healthy".into(), &true.into()));
    }

    /// The process of the mount.
    fn daemon(&self) -> u32 {
        let [daemon] = daemons(&path_of(self.program), &self.at())[..] else { panic!("not one {}", self.program) };
        daemon.pid
    }

    pub(super) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.daemon().to_string()]).status().unwrap();
        assert!(status.success());
    }

    pub(super) fn fault(&self, fault: &str) {
        self.site.ok(&["local", "faults", "add", "s3.*", fault]);
    }

    pub(super) fn repair(&self) {
        self.site.ok(&["local", "faults", "clear"]);
    }

    /// Nothing is mounted, and root cannot write there.
    fn is_bare_and_protected(&self) {
        assert!(mounts_at(&std::fs::read_to_string("/proc/self/mountinfo").unwrap(), &self.at()).is_empty());
        let error = std::fs::write(self.at().join("stray"), "lost").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{error}");
        assert_eq!(std::fs::read_dir(self.at()).unwrap().count(), 0);
    }
}

/// Whatever a test has left behind is ended, so that nothing on this machine hangs.
impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("mount").args(["-t", "fusectl", "fusectl", "/sys/fs/fuse/connections"]).output();
        for daemon in daemons(&path_of(self.program), &self.at()) {
            let _ = Command::new("kill").args(["-KILL", &daemon.pid.to_string()]).status();
        }
        let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        for at in [self.at(), self.root.join("var/cache/sftpctl/sftp"), self.root.join("elsewhere")] {
            for entry in mounts_at(&table, &at) {
                if let Some(number) = entry.connection() {
                    let _ = std::fs::write(format!("/sys/fs/fuse/connections/{number}/abort"), "1");
                }
                let _ = Command::new("umount").args(["--lazy", "--no-canonicalize"]).arg(&at).status();
            }
        }
        // The folder of the test can be deleted then.
        let _ = Command::new("chattr").arg("-i").arg(self.at()).output();
    }
}

/// An application that writes files into the mount, and what became of them.
struct Application {
    process: Running,
    said: Arc<Mutex<Vec<String>>>,
}

impl Application {
    fn start(folder: &Path) -> Self {
        let mut command = tool("python3", "python3");
        command.arg(oracle("mount_user.py")).arg(folder).stdout(Stdio::piped());
        let mut process = Running(command.spawn().unwrap());
        let lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
        let said = Arc::new(Mutex::new(Vec::new()));
        let all = said.clone();
        // It ends with the application.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| all.lock().unwrap().push(line)));
        Self { process, said }
    }

    fn count(&self, word: &str) -> usize {
        self.said.lock().unwrap().iter().filter(|line| line.starts_with(word)).count()
    }

    /// Waits until it has said this more often than now.
    fn says(&self, word: &str) {
        let before = self.count(word);
        until(word, || (self.count(word) > before).then_some(()));
    }

    /// It works again, and everything is in S3 that it was told is written.
    async fn goes_on(self, server: &Server) {
        self.says("ok");
        server.is_healthy();
        self.lost_nothing(&server.s3().await).await;
    }

    /// Ends it, and finds every file that it has written in S3.
    async fn lost_nothing(self, s3: &S3) {
        let Self { mut process, said } = self;
        process.0.kill().unwrap();
        process.0.wait().unwrap();
        let stored = s3.keys(BUCKET, "").await.unwrap();
        let said = said.lock().unwrap();
        let written: Vec<&str> = said.iter().filter_map(|line| line.strip_prefix("ok ")).collect();
        let lost: Vec<_> = written.iter().filter(|name| !stored.iter().any(|key| key == *name)).collect();
        assert!(!written.is_empty() && lost.is_empty(), "{lost:?} of {written:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mount_is_installed_killed_healed_and_removed() {
    let server = Server::new("s3fs").await;
    let install = ["--env", "99", "--host", "main"];
    let whats = |output: &Value| -> Vec<String> {
        let changes = output["changes"].as_array().unwrap().iter();
        changes.map(|change| change["what"].as_str().unwrap().to_owned()).collect()
    };
    // A dry run changes nothing, and says what the next does; a second one has nothing to do.
    let planned = server.run(0, "install", &[&install[..], &["--dry-run"]].concat());
    assert!(!server.root.join("etc/systemd").exists() && !server.at().exists(), "{planned}");
    let done = server.run(0, "install", &install);
    assert_eq!(whats(&planned), whats(&done));
    let again = server.run(0, "install", &install);
    assert!(whats(&again).iter().all(|what| what == "unchanged"), "{again}");
    let read = |path: &str| std::fs::read_to_string(server.root.join(path)).unwrap();
    assert!(read("etc/updatedb.conf").contains("/tmp /sftp /var/cache/sftpctl/sftp"));
    let service = format!("{UNITS}/sftpctl-mount-sftp.service");
    assert!(
        read(&service).contains("endpoint=us-west-2")
            && server.root.join(UNITS).join("multi-user.target.wants").exists()
    );
    let keys = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(server.root.join("etc/keys")).unwrap().permissions(),
    );
    assert_eq!(keys & 0o777, 0o600);
    server.is_bare_and_protected();
    units_are_valid(&server.root.join(UNITS));

    let found = server.check(&[]);
    assert_eq!((&found["state"], &found["isProtected"]), (&"not-mounted".into(), &true.into()), "{found}");
    assert_eq!(server.run(0, "heal", &[])["mounts"][0]["after"]["state"], "healthy");
    server.is_healthy();
    let s3 = server.s3().await;
    assert_eq!(s3.keys(BUCKET, "").await.unwrap(), Vec::<String>::new(), "no canary is left");
    s3.put(BUCKET, "17578/order.csv", b"an order\n".to_vec().into(), false).await.unwrap();
    let path = server.at().join("17578/order.csv");
    until("an upload appears", || std::fs::read_to_string(&path).ok().filter(|content| content == "an order\n"));

    let application = Application::start(&server.at());
    application.says("ok");
    server.signal("-KILL");
    until("the application notices", || (application.count("error 107") > 0).then_some(()));
    let dead = server.check(&[]);
    assert_eq!((&dead["state"], dead["detail"].as_str().unwrap().contains("credentials")), (&"dead".into(), false));
    // Why it may have ended.
    let (keys, away) = (server.root.join("etc/keys"), server.root.join("etc/keys.away"));
    std::fs::rename(&keys, &away).unwrap();
    let without = server.check(&[])["detail"].to_string();
    assert!(without.contains(&format!("the credentials {} cannot be read: No such file", keys.display())), "{without}");
    std::fs::rename(&away, &keys).unwrap();
    let healed = &server.run(0, "heal", &[])["mounts"][0];
    let actions: Vec<&str> =
        healed["actions"].as_array().unwrap().iter().map(|a| a["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["abort", "kill", "unmount", "start"]);
    let user = &healed["users"][0];
    assert_eq!((&user["pid"], &user["by"]), (&application.process.0.id().into(), &"cwd".into()), "{healed}");
    application.says("ok");
    server.is_healthy();

    // One that is in use is not removed. The working folder of the application is in the mount that is gone.
    let user = Application::start(&server.at());
    user.says("ok");
    server.run(3, "remove", &[]);
    server.is_healthy();
    user.lost_nothing(&s3).await;
    application.lost_nothing(&s3).await;
    // Neither is one that a heal is at work on, which another heal leaves alone, too.
    let lock = server.root.join("run/sftpctl/mounts/sftp.heal.lock");
    let mut holder = tool("flock", "util-linux");
    let mut holder = Running(holder.arg(&lock).args(["cat"]).stdin(Stdio::piped()).spawn().unwrap());
    until("the lock is held", || {
        let mut free = tool("flock", "util-linux");
        (!free.arg("--nonblock").arg(&lock).arg("true").status().unwrap().success()).then_some(())
    });
    server.run(5, "heal", &[]);
    server.run(5, "remove", &[]);
    drop(holder.0.stdin.take());
    holder.0.wait().unwrap();
    server.run(0, "remove", &[]);
    // Only what was empty can be removed, so nothing was ever written below the mount.
    assert!(!server.at().exists() && !server.root.join(service).exists());
    assert_eq!(read("etc/updatedb.conf"), "PRUNEPATHS=\"/tmp\"\n");
    server.run(2, "check", &[]);
}

/// systemd itself reads the units.
pub(super) fn units_are_valid(folder: &Path) {
    let units = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let mut verify = tool("systemd-analyze", "systemd");
    let output = verify.args(["verify", "--man=no"]).args(units).output().unwrap();
    // It also says what is wrong with units of the machine.
    let said = shown(&output);
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("sftpctl-mount")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}

/// A rehearsal mounts nothing of AWS's.
#[test]
fn mounts_of_another_s3_need_its_endpoint() {
    let site = Site::new();
    site.edit(|file| format!("{file}\nmounts:\n  main: [{{ kind: s3fs, cluster: 99-5, at: /sftp }}]\n"));
    for elsewhere in [&["--local"][..], &["--endpoint-url", "http://127.0.0.1:9"]] {
        let refused = site.ends_with(2, &[&["mounts", "plan", "--env", "99"], elsewhere].concat());
        assert!(refused.contains("/sftp would be a mount of AWS's S3"), "{refused}");
        let refused = site.ends_with(2, &[&["mounts", "install", "--env", "99", "--host", "main"], elsewhere].concat());
        assert!(refused.contains("add `endpoint: URL`"), "{refused}");
    }
    site.ok(&["mounts", "plan", "--env", "99"]);
}

/// What was in the folder before, what others could put there, and what is mounted in it stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_with_files_or_a_mount_in_it_is_never_emptied() {
    let server = Server::new("s3fs").await;
    let install = ["--env", "99", "--host", "main"];
    // A link in the place of the mount point is said to be one, and is not followed.
    let point = server.root.join("sftp");
    std::os::unix::fs::symlink("elsewhere", &point).unwrap();
    let refused = server.run(3, "install", &install).to_string();
    assert!(
        refused.contains("sftp is a symbolic link to elsewhere") && refused.contains("remove the link"),
        "{refused}"
    );
    std::fs::remove_file(&point).unwrap();
    // What an application has written into the bare folder is named.
    std::fs::create_dir(&point).unwrap();
    (1..=7).for_each(|number| std::fs::write(point.join(format!("{number}.csv")), "an order").unwrap());
    let refused = server.run(3, "install", &install).to_string();
    let content = "sftp is not an empty folder: it has 1.csv, 2.csv, 3.csv, 4.csv, 5.csv and 2 more";
    assert!(refused.contains(content) && refused.contains("move away what is in"), "{refused}");
    assert_eq!(std::fs::read_dir(&point).unwrap().count(), 7);
    std::fs::remove_dir_all(&point).unwrap();
    let cache = server.root.join("var/cache/sftpctl/sftp");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::write(cache.join("order.csv"), "an order").unwrap();
    let mode = std::fs::metadata(&cache).unwrap().permissions();
    server.run(3, "install", &install);
    assert_eq!(std::fs::metadata(&cache).unwrap().permissions(), mode);
    assert!(!server.root.join("etc/sftpctl").exists(), "nothing was installed");
    std::fs::remove_file(cache.join("order.csv")).unwrap();
    server.run(0, "install", &install);
    let marker = cache.join(".sftpctl-cache");
    assert_eq!(std::fs::read_to_string(&marker).unwrap(), "sftp\n");

    // A bind mount has the device of its folder; another one has another device.
    let customers = server.root.join("customers");
    std::fs::create_dir(&customers).unwrap();
    std::fs::write(customers.join("order.csv"), "an order").unwrap();
    let mounted = cache.join("mounted");
    std::fs::create_dir(&mounted).unwrap();
    let mut bind = Command::new("mount");
    succeeded("bind", &bind.arg("--bind").args([&customers, &mounted]).output().unwrap());
    let removed = server.run(0, "remove", &[]);
    succeeded("umount", &Command::new("umount").arg(&mounted).output().unwrap());
    let of_cache = |output: &Value| {
        let changes = output["changes"].as_array().unwrap().iter();
        let mut changes = changes.filter(|change| change["path"].as_str() == cache.to_str());
        changes.next().unwrap()["what"].as_str().unwrap().to_owned()
    };
    assert_eq!(of_cache(&removed), "left", "{removed}");
    assert_eq!(std::fs::read_to_string(customers.join("order.csv")).unwrap(), "an order");

    // Without its mark, the folder is no longer the mount's.
    server.run(0, "install", &install);
    std::fs::remove_file(&marker).unwrap();
    let removed = server.run(0, "remove", &[]);
    assert!(of_cache(&removed) == "left" && mounted.exists(), "{removed}");
    std::fs::remove_dir(&mounted).unwrap();
    server.run(0, "install", &install);
    assert_eq!(of_cache(&server.run(0, "remove", &[])), "removed");
    assert!(!cache.exists());
}

/// Root runs what a record says.
#[tokio::test(flavor = "multi_thread")]
async fn only_a_record_that_an_installation_of_root_wrote_is_read() {
    use std::os::unix::fs::PermissionsExt as _;

    let server = Server::new("s3fs").await;
    server.run(0, "install", &["--env", "99", "--host", "main"]);
    let record = server.root.join("etc/sftpctl/mounts/sftp.json");
    let good = std::fs::read_to_string(&record).unwrap();
    let rights = |mode| std::fs::set_permissions(&record, std::fs::Permissions::from_mode(mode)).unwrap();
    server.run(1, "check", &[]);
    rights(0o666);
    server.run(3, "check", &[]);
    rights(0o644);
    std::fs::write(&record, good.replace("/usr/bin/s3fs", "/usr/bin/sh")).unwrap();
    server.run(2, "heal", &[]);
    std::fs::write(&record, good.replace("/var/cache/sftpctl/sftp", "/etc")).unwrap();
    server.run(2, "remove", &[]);
    let elsewhere = server.root.join("elsewhere.json");
    std::fs::write(&elsewhere, &good).unwrap();
    std::fs::remove_file(&record).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &record).unwrap();
    server.run(3, "check", &[]);
    // Nobody writes into this pipe, so who waits for it waits for ever.
    std::fs::remove_file(&record).unwrap();
    succeeded("mkfifo", &Command::new("mkfifo").arg(&record).output().unwrap());
    server.run(3, "check", &[]);
    // The log is not written through a link.
    std::fs::remove_file(&record).unwrap();
    std::fs::write(&record, &good).unwrap();
    let log = server.root.join("run/sftpctl/mounts/sftp.log");
    std::fs::create_dir_all(log.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &log).unwrap();
    server.run(1, "heal", &["--wait", "2"]);
    assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), good);
}

/// rclone says that a file is written before it is in S3. What waits in its cache outlives its death, and healing.
#[tokio::test(flavor = "multi_thread")]
async fn an_rclone_that_is_killed_keeps_what_waits_for_s3() {
    let server = Server::mounted("rclone").await;
    server.is_healthy();
    server.site.ok(&["local", "faults", "add", "s3.PutObject", "error500"]);
    std::fs::write(server.at().join("order.csv"), "an order\n").unwrap();
    // `close` returns before rclone has noted in its cache what waits.
    until("it has tried to upload", || {
        (front(&server.site, "GET", "faults")["rules"][0]["applied"].as_u64() > Some(0)).then_some(())
    });
    server.signal("-KILL");
    let gone = || daemons(&path_of("rclone"), &server.at()).is_empty().then_some(());
    until("the program is gone", gone);
    assert_eq!(server.check(&[])["state"], "dead");
    server.run(0, "heal", &[]);
    let s3 = server.s3().await;
    assert_eq!(s3.keys(BUCKET, "").await.unwrap(), Vec::<String>::new());
    server.repair();
    // Its pauses after failures grow up to five minutes; a new one begins with the shortest.
    server.signal("-KILL");
    until("the program is gone again", gone);
    server.run(0, "heal", &[]);
    let end = Instant::now() + DEADLINE;
    while s3.keys(BUCKET, "order").await.unwrap() != ["order.csv"] {
        assert!(Instant::now() < end, "the upload was lost");
    }
    server.is_healthy();
}

/// s3fs with the planned options and with the permissions of `sftpctl policy mount` alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_printed_policy_is_enough_for_a_mount() {
    let server = Server::new("s3fs").await;
    let policy = server.site.ok(&["policy", "mount", "--env", "99", "--cluster", "99-5"]);
    let policy: Value = serde_json::from_str(&policy).unwrap();
    let grant = serde_json::json!({ "account": ACCOUNT, "purpose": "mount", "policies": [policy] });
    let mut local = Command::new(built("sftpctl-local"));
    local.envs(server.site.command(&[]).get_envs().filter_map(|(name, value)| Some((name, value?))));
    local.args(["start", "--output", "json", "--grant"]).current_dir(server.site.dir.path());
    let granted = succeeded("grant", &with_input(&mut local, grant.to_string().as_bytes()));
    let keys = serde_json::from_str::<Value>(granted.lines().last().unwrap()).unwrap()["keys"].clone();

    let plan = server.site.ok(&["mounts", "plan", "--env", "99", "--output", "json"]);
    let plan: Value = serde_json::from_str(plan.trim()).unwrap();
    let (at, cache) = (server.at(), server.root.join("cache"));
    [&at, &cache].iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
    let words = plan["mounts"][0]["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
    let words: Vec<String> = words
        .map(|word| match word {
            "/sftp" => at.to_str().unwrap().to_owned(),
            // The keys are a session's, which s3fs takes from variables.
            word => {
                word.replace("/var/cache/sftpctl/sftp", cache.to_str().unwrap()).replace("passwd_file=/etc/keys,", "")
            }
        })
        .collect();
    let mut s3fs = Command::new(&words[0]);
    let variable = |name: &str| keys[name].as_str().unwrap().to_owned();
    s3fs.args(&words[1..]).env("AWS_ACCESS_KEY_ID", variable("accessKey"));
    s3fs.env("AWS_SECRET_ACCESS_KEY", variable("secretKey")).env("AWS_SESSION_TOKEN", variable("token"));
    let _s3fs = Running(s3fs.spawn().unwrap());
    until("mounted", || {
        let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        (!mounts_at(&table, &at).is_empty()).then_some(())
    });
    // Small, in parts, renamed (a copy), with other rights (a copy onto itself), listed, deleted.
    let large = vec![7; 30 << 20];
    std::fs::create_dir(at.join("17578")).unwrap();
    std::fs::write(at.join("17578/large"), &large).unwrap();
    std::fs::rename(at.join("17578/large"), at.join("17578/moved")).unwrap();
    let rights = std::os::unix::fs::PermissionsExt::from_mode(0o640);
    std::fs::set_permissions(at.join("17578/moved"), rights).unwrap();
    assert!(std::fs::read(at.join("17578/moved")).unwrap() == large);
    let names: Vec<_> = std::fs::read_dir(at.join("17578")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["moved"]);
    std::fs::remove_file(at.join("17578/moved")).unwrap();
    // Nothing else: another cluster's bucket is not mounted.
    let mut other = Command::new(&words[0]);
    let elsewhere = server.root.join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let foreign = |word: &String| {
        word.replace(BUCKET, "pl-pt99-4-uploads").replace(at.to_str().unwrap(), elsewhere.to_str().unwrap())
    };
    other.args(words[1..].iter().map(foreign)).env("AWS_ACCESS_KEY_ID", variable("accessKey"));
    other.env("AWS_SECRET_ACCESS_KEY", variable("secretKey")).env("AWS_SESSION_TOKEN", variable("token"));
    let output = other.output().unwrap();
    assert!(shown(&output).contains("403"), "{}", shown(&output));
}

#[test]
fn what_cannot_be_mounted_is_refused() {
    let site = Site::stopped();
    let ends = |code, arguments: &[&str]| site.ends_with(code, &[&["mounts"], arguments].concat());
    assert!(ends(2, &["plan", "--env", "99"]).contains("environment 99 has no mounts"));
    site.edit(|file| {
        format!(
            "{file}\nmounts:\n  main: [{{ kind: rclone, cluster: 99-5, at: /sftp }}]\n  agent: [{{ kind: mountpoint, \
             cluster: 99-5, at: /in, read_only: true }}]\n"
        )
    });
    let root = site.dir.path().to_str().unwrap();
    let refused = ends(2, &["install", "--env", "99", "--host", "agent", "--root", root]);
    assert!(refused.contains("/in cannot be mounted: mount-s3 is not installed"), "{refused}");
    // No program is found without a path.
    let output = site.command(&["mounts", "plan", "--env", "99"]).env("PATH", "").output().unwrap();
    let plan = succeeded("plan", &output);
    assert!(plan.contains("/sftp on main: bucket pl-pt99-5-uploads in us-west-2, by rclone"), "{plan}");
    assert!(plan.contains("mount-s3 pl-pt99-5-uploads /in --foreground") && plan.contains("--read-only"), "{plan}");
    assert!(plan.contains("mount-s3 is not installed"), "{plan}");
    assert!(ends(2, &["plan", "--env", "99", "--host", "x"]).contains("there are mounts for agent, main"));
    assert!(ends(2, &["check", "--root", root]).contains("no mount is installed"));
}
