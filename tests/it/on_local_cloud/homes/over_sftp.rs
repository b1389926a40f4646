//! A home on another machine: an sshd of OpenSSH on this one stands for it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::super::faults::front;
use super::killed::{self, killed_and_checked};
use super::{Customer, DECISIONS, nasty};
use crate::bench::sshd::Sshd;
use crate::site::{Running, shown, succeeded, until};

/// An sshd of its own, and what `ssh` needs to reach it as `old-server`.
struct OldServer {
    sshd: Sshd,
    /// For `--ssh-config`.
    config: PathBuf,
    folder: PathBuf,
}

impl OldServer {
    fn new(folder: PathBuf) -> Self {
        let rules = folder.join("sshd_config.d");
        let more = format!("Include {}/*.conf\nForceCommand internal-sftp", rules.display());
        let sshd = Sshd::start(&folder, &more);
        std::fs::create_dir(rules).unwrap();
        let (known, config) = (folder.join("known"), folder.join("ssh_config"));
        std::fs::write(&known, sshd.known("host.pub")).unwrap();
        std::fs::write(&config, format!("{}StrictHostKeyChecking yes\n", sshd.alias("old-server", &known))).unwrap();
        Self { sshd, config, folder }
    }

    /// The arguments that say where the homes are.
    fn arguments<'a>(&'a self, root: &'a str) -> [&'a str; 6] {
        ["--from", "sftp://old-server", "--ssh-config", self.config.to_str().unwrap(), "--root", root]
    }
}

impl Customer {
    fn root(&self) -> String {
        self.path("home").display().to_string()
    }

    /// Runs a verb on the home on the old server; its last line of JSON.
    fn far(&self, server: &OldServer, code: i32, verb: &str, more: &[&str]) -> serde_json::Value {
        let root = self.root();
        let start = ["homes", verb, "--env", "99", "--local", "--orgid", "17578", "--output", "json"];
        let output = self.site.run(&[&start[..], &server.arguments(&root), more].concat());
        assert_eq!(output.status.code(), Some(code), "{verb} {more:?}: {}", shown(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        serde_json::from_str(text.lines().last().unwrap()).unwrap()
    }
}

#[test]
fn a_home_on_another_machine_is_accounted_for() {
    let customer = Customer::new();
    let server = OldServer::new(customer.path("old-server"));
    nasty::create(&customer.home);
    let before = nasty::tree(&customer.home);

    // The names and links are those of an inventory by path; what SFTP does not tell is said.
    let found = customer.far(&server, 0, "inventory", &["--report", "all.json"]);
    let near = customer.json(0, "inventory", &[]);
    for kind in [
        "not-utf8",
        "control",
        "too-long",
        "link-to-file",
        "link-to-folder",
        "link-outside",
        "link-to-nothing",
        "link-loop",
        "fifo",
        "socket",
        "case",
        "composition",
        "set-id",
        "empty-folder",
    ] {
        assert_eq!(found["concerns"][kind], near["concerns"][kind], "{kind}: {found:#}");
    }
    assert_eq!((&found["entries"], &found["left"]), (&near["entries"], &near["left"]));
    assert!(found["concerns"].get("hard-link").is_none() && near["concerns"].get("hard-link").is_some());
    assert!(found["notKnown"].as_array().unwrap().contains(&"hard-link".into()), "{found:#}");
    let report = std::fs::read_to_string(customer.path("all.json")).unwrap();
    assert_eq!(report.lines().count(), before.len());

    let copied = customer.far(&server, 0, "copy", &DECISIONS);
    assert_eq!((&copied["isComplete"], &copied["stored"]), (&true.into(), &nasty::OBJECTS.into()), "{copied:#}");
    let stored = customer.stored();
    for (key, name) in
        [("plain.txt", &b"plain.txt"[..]), ("sub/hard", b"sub/hard"), ("latin-äö.txt", b"latin-\xe4\xf6.txt")]
    {
        let path = customer.home.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(name));
        assert_eq!(stored[key].1, std::fs::read(path).unwrap(), "{key}");
    }
    let plain = &stored["plain.txt"].0.metadata;
    let facts = std::fs::metadata(customer.home.join("plain.txt")).unwrap();
    let mtime = std::os::unix::fs::MetadataExt::mtime(&facts);
    assert_eq!((plain["file-owner"].as_str(), plain["file-mtime"].clone()), ("12001", format!("{mtime}000000000ns")));
    assert_eq!(customer.far(&server, 0, "verify", &["--deep"])["signed"]["objects"], nasty::OBJECTS);

    // What has changed since is sent, and nothing else.
    customer.write("new", "new");
    customer.write("plain.txt", "it has another size now");
    let again = customer.far(&server, 0, "copy", &DECISIONS);
    // The folder of the new file has another time; `sub/hard` is the same file.
    assert_eq!((&again["stored"], &again["isComplete"]), (&4.into(), &true.into()), "{again:#}");
    assert_eq!(nasty::tree(&customer.home).len(), before.len() + 1, "nothing was left in the home");

    // On the old server, the manifest goes on by path: no content is sent again.
    front(&customer.site, "POST", "calls/reset");
    let near = customer.json(0, "copy", &DECISIONS);
    assert_eq!(near["isComplete"], true, "{near:#}");
    let calls = front(&customer.site, "GET", "calls");
    assert!(calls["calls"].get("s3.PutObject").is_none(), "{calls}");
    customer.json(0, "verify", &[]);
}

/// The connection is cut in the middle of a large file; the same command again sends only what is missing.
#[test]
fn a_connection_that_is_lost_is_continued() {
    let customer = Customer::new();
    let server = OldServer::new(customer.path("old-server"));
    for number in 0..40 {
        customer.write(&format!("file-{number}"), format!("content {number}"));
    }
    customer.write("large", (0..50_u32 << 20).map(|at| (at % 251) as u8).collect::<Vec<u8>>());
    let root = customer.root();
    let start = ["homes", "copy", "--env", "99", "--local", "--orgid", "17578", "--bandwidth", "20"];
    let mut command = customer.site.command(&[&start[..], &server.arguments(&root)].concat());
    let copy = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let parts = |customer: &Customer| {
        std::fs::read_to_string(customer.manifest()).unwrap_or_default().matches("\"line\":\"part\"").count()
    };
    until("a part is stored", || (parts(&customer) > 0).then_some(()));
    server.sshd.cut();
    let output = copy.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    let said = shown(&output);
    assert!(said.contains("is lost") && said.contains("rerun the same command"), "{said}");
    let before = parts(&customer);
    assert!((1..7).contains(&before), "{before} parts");
    front(&customer.site, "POST", "calls/reset");
    let copied = customer.far(&server, 0, "copy", &[]);
    assert_eq!((&copied["isComplete"], &copied["entries"]), (&true.into(), &42.into()), "{copied:#}");
    let calls = front(&customer.site, "GET", "calls");
    assert_eq!(calls["calls"]["s3.UploadPart"], 7 - before as u64, "{calls}");
    assert_eq!(customer.stored()["large"].1, std::fs::read(customer.home.join("large")).unwrap());
    customer.far(&server, 0, "verify", &["--deep"]);
}

#[test]
fn what_cannot_be_done_over_sftp_is_refused() {
    let customer = Customer::new();
    let server = OldServer::new(customer.path("old-server"));
    customer.write("file", "x");
    let root = customer.root();
    let run = |code: i32, arguments: &[&str]| {
        let output = customer.site.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", shown(&output));
        shown(&output)
    };
    let cutover = ["homes", "cutover", "--env", "99", "--local", "--orgid", "17578", "--mount", "mount", "--frozen"];
    let said = run(2, &[&cutover[..], &["--yes"], &server.arguments(&root)].concat());
    assert!(said.contains("not over SFTP") && said.contains("run the command on that machine"), "{said}");
    // The list of homes is that of the other machine, with the words of `ssh` if that does not let in.
    let all = ["homes", "copy", "--env", "99", "--local", "--all"];
    std::fs::create_dir(customer.path("home/no-home")).unwrap();
    let text = run(0, &[&all[..], &server.arguments(&root)].concat());
    assert!(text.contains("home 17578: 2 entries"), "{text}");
    let config = std::fs::read_to_string(&server.config).unwrap();
    std::fs::write(&server.config, config.replace("IdentityFile", "#IdentityFile")).unwrap();
    let said = run(1, &[&all[..], &server.arguments(&root)].concat());
    assert!(said.contains("Permission denied (publickey") && said.contains("try it: sftp"), "{said}");
    std::fs::write(&server.config, &config).unwrap();
    std::fs::write(server.folder.join("known"), "").unwrap();
    let said = run(1, &[&all[..], &server.arguments(&root)].concat());
    assert!(said.contains("Host key verification failed"), "{said}");
    // A password has no place in an address.
    let said = run(2, &[&all[..], &["--from", "sftp://root:secret@old-server"]].concat());
    assert!(said.contains("must not contain a password"), "{said}");
}

/// A home that the environment file says to be on another machine is read there, or `here` if that is said.
#[test]
fn the_environment_file_says_which_machine() {
    let customer = Customer::with("homes: { from: \"sftp://old-server\", root: /nonexistent }\n");
    customer.write("file", "x");
    let server = OldServer::new(customer.path("old-server"));
    let root = customer.root();
    let start = ["homes", "inventory", "--env", "99", "--local", "--orgid", "17578", "--root", &root];
    let config = ["--ssh-config", server.config.to_str().unwrap()];
    let far = succeeded("far", &customer.site.run(&[&start[..], &config].concat()));
    assert!(far.contains("not known over SFTP: hard-link"), "{far}");
    let near = succeeded("near", &customer.site.run(&[&start[..], &["--from", "here"]].concat()));
    assert!(!near.contains("not known over SFTP"), "{near}");
}

impl OldServer {
    /// A session of a user that stays open until it is dropped.
    fn session(&self, user: &str) -> Running {
        let mut sftp = Command::new("sftp");
        sftp.arg("-F").arg(&self.config).args(["-q", "-o", "BatchMode=yes", &format!("{user}@old-server")]);
        let log = std::fs::File::create(self.folder.join(user)).unwrap();
        Running(sftp.stdin(Stdio::piped()).stdout(log).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Whether a user may log in.
    fn admits(&self, user: &str) -> bool {
        let mut session = self.session(user);
        std::io::Write::write_all(session.0.stdin.as_mut().unwrap(), b"pwd\n").unwrap();
        drop(session.0.stdin.take());
        session.0.wait().unwrap();
        std::fs::read_to_string(self.folder.join(user)).unwrap().contains("Remote working directory")
    }
}

/// The owner of a home on the old server.
const USER: &str = "nobody";

/// A customer whose home has a file and belongs to [`USER`], with the server, its configuration, and the file of a
/// denial.
fn denied_by_sshd() -> (Customer, OldServer, PathBuf, PathBuf) {
    let customer = Customer::new();
    // The keys are read as the user.
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(customer.site.dir.path(), everybody).unwrap();
    let server = OldServer::new(customer.path("old-server"));
    customer.write("file", "x");
    std::os::unix::fs::chown(&customer.home, Some(65_534), None).unwrap();
    std::fs::create_dir_all(customer.path("mount/17578")).unwrap();
    let rule = server.folder.join("sshd_config.d/00-sftpctl-moved-17578.conf");
    let config = server.folder.join("sshd_config");
    (customer, server, config, rule)
}

impl OldServer {
    /// The options of a cut-over that this sshd freezes.
    fn freeze(&self) -> Vec<String> {
        let (config, pid) = (self.folder.join("sshd_config"), self.folder.join("pid"));
        let of_sshd = ["--sshd-config", config.to_str().unwrap(), "--sshd-pid-file", pid.to_str().unwrap()];
        let all = [&["--mount", "mount", "--yes", "--freeze-sshd"], &of_sshd[..]].concat();
        all.into_iter().map(str::to_owned).collect()
    }
}

/// sshd itself denies the customer, whose session ends; whatever fails, and a roll-back, admits the customer again.
#[test]
fn sshd_freezes_a_home_and_thaws_it() {
    let (customer, server, config, rule) = denied_by_sshd();
    succeeded("disable", &customer.site.users(&["disable", "--orgid", "17578"], ""));
    let freeze = server.freeze();
    let freeze: Vec<&str> = freeze.iter().map(String::as_str).collect();
    assert!(server.admits(USER) && server.admits("root"));

    // sshd locks the customer into the home, as it says itself: a dry run and a cut-over are refused, and nothing is
    // done.
    let whole = std::fs::read_to_string(&config).unwrap();
    let of_sshd = &freeze[4..6];
    let rehearsal = [&["--mount", "mount", "--dry-run"], of_sshd].concat();
    let fine = customer.json(0, "cutover", &rehearsal);
    assert_eq!((&fine["what"], &fine["failure"]), (&"would be cut over".into(), &Value::Null), "{fine}");
    // A session that the freeze would end refuses nothing, unless the home is said to be frozen.
    let file = std::fs::File::create(customer.home.join("open")).unwrap();
    let session = Running(Command::new("cat").stdin(Stdio::piped()).stdout(file).spawn().unwrap());
    let noted = customer.json(0, "cutover", &rehearsal);
    assert!(noted["notes"][0].as_str().unwrap().contains("unless the freeze ends them"), "{noted}");
    let refused = customer.json(3, "cutover", &[&rehearsal[..], &["--frozen"]].concat());
    assert!(refused["failure"].as_str().unwrap().contains("cat (process"), "{refused}");
    drop(session);
    std::fs::remove_file(customer.home.join("open")).unwrap();
    // What is in the place of the folder that is kept.
    let kept = customer.home.with_file_name(".17578.before-cutover");
    std::fs::create_dir(&kept).unwrap();
    let refused = customer.json(3, "cutover", &rehearsal);
    assert!(refused["failure"].as_str().unwrap().contains("is in the way"), "{refused}");
    std::fs::remove_dir(&kept).unwrap();
    for (chroot, is_refused) in
        [(customer.home.parent().unwrap().display().to_string(), true), ("/srv".to_owned(), false)]
    {
        std::fs::write(&config, format!("{whole}Match User {USER}\n  ChrootDirectory {chroot}\n")).unwrap();
        let said = customer.json(if is_refused { 3 } else { 0 }, "cutover", &rehearsal);
        let failure = said["failure"].as_str().unwrap_or_default();
        assert_eq!(failure.contains(&format!("sshd locks {USER} into {chroot}")), is_refused, "{said}");
    }
    std::fs::write(&config, format!("{whole}Match User {USER}\n  ChrootDirectory {}\n", customer.home.display()))
        .unwrap();
    let refused = customer.json(3, "cutover", &freeze);
    assert!(refused["failure"].as_str().unwrap().contains("sshd locks"), "{refused}");
    assert!(!rule.exists() && server.admits("root"), "nothing was begun");

    // A configuration that does not read the folder, or that sshd refuses, is left as it was.
    std::fs::write(&config, whole.replace("Include", "#Include")).unwrap();
    let refused = customer.json(3, "cutover", &freeze);
    assert!(refused["failure"].as_str().unwrap().contains("needs `Include"), "{refused}");
    std::fs::write(&config, format!("{whole}Nonsense yes\n")).unwrap();
    let refused = customer.json(3, "cutover", &freeze);
    assert!(refused["failure"].as_str().unwrap().contains("`sshd -t` refuses"), "{refused}");
    std::fs::write(&config, &whole).unwrap();
    assert!(!rule.exists() && server.admits(USER));

    // What fails after the freeze thaws it.
    customer.write("link", "");
    std::fs::remove_file(customer.home.join("link")).unwrap();
    std::os::unix::fs::symlink("missing", customer.home.join("link")).unwrap();
    let refused = customer.json(3, "cutover", &freeze);
    assert!(refused["failure"].as_str().unwrap().contains("1 entry left"), "{refused}");
    assert!(!rule.exists() && server.admits(USER));
    std::fs::remove_file(customer.home.join("link")).unwrap();

    let mut open = server.session(USER);
    until("a session", || (server.sshd.sessions().len() == 1).then_some(()));
    customer.json(0, "cutover", &[&freeze[..], &["--gone", "delete"]].concat());
    assert!(customer.is_link() && rule.exists());
    open.0.wait().unwrap();
    assert!(!server.admits(USER) && server.admits("root"));
    let status = customer.json(0, "status", &[]);
    let steps: Vec<_> =
        status["homes"][0]["steps"].as_array().unwrap().iter().map(|step| step["step"].clone()).collect();
    assert_eq!(steps[..2], ["frozen", "denied"]);
    customer.json(0, "rollback", &["--mount", "mount", "--yes"]);
    assert!(!customer.is_link() && !rule.exists() && server.admits(USER));
}

/// Killed at each line of the manifest, a cut-over and a roll-back go on, and sshd denies the customer exactly as long
/// as the home is frozen or moved.
#[test]
fn a_freeze_by_sshd_that_is_killed_goes_on() {
    let (customer, server, _, rule) = denied_by_sshd();
    let freeze = server.freeze();
    let freeze: Vec<&str> = freeze.iter().map(String::as_str).collect();
    let before = nasty::tree(&customer.home);
    let last = killed_and_checked(&customer, &customer.arguments("cutover", &freeze), |line| {
        // Before its first line nothing is denied; once it is denied, no kill admits the customer.
        match line {
            "" | "home" => assert!(!rule.exists(), "{line}"),
            "step frozen" | "step denied" => {}
            _ => assert!(rule.exists() && !server.admits(USER), "{line}"),
        }
    });
    for kind in ["step frozen", "step denied", "sending", "pass", "verified", "step exchanged", "step late"] {
        assert!(last.contains(kind), "no kill after {kind}: {last:?}");
    }
    assert!(customer.is_link() && rule.exists() && !server.admits(USER) && server.admits("root"));

    customer.upload("new", "new");
    let rollback = customer.arguments("rollback", &["--mount", "mount", "--yes"]);
    let last = killed_and_checked(&customer, &rollback, |line| {
        if customer.is_link() {
            assert!(rule.exists() && !server.admits(USER), "{line}: customers go on in S3");
        }
    });
    assert!(last.contains("step brought-back"), "{last:?}");
    assert!(!customer.is_link() && !rule.exists() && server.admits(USER));
    assert_eq!(nasty::tree(&customer.home).len(), before.len() + 1);
    let files = std::fs::read_dir(server.folder.join("sshd_config.d")).unwrap();
    assert_eq!(files.count(), 0, "nothing of the killed runs is left");
}

/// What a killed run has frozen is thawed by the next run that fails, whatever its options, and by a roll-back that had
/// to be repeated.
#[test]
fn what_a_killed_run_has_denied_is_admitted_again() {
    let (customer, server, config, rule) = denied_by_sshd();
    let freeze = server.freeze();
    let freeze: Vec<&str> = freeze.iter().map(String::as_str).collect();
    let killed = |line: &str| {
        let command = customer.site.command(&customer.arguments("cutover", &freeze));
        for bytes in (40..2_000).step_by(40) {
            let length = std::fs::metadata(customer.manifest()).map_or(0, |facts| facts.len());
            killed::limited(&command, length + bytes).status().unwrap();
            if killed::lines(&customer.manifest()).pop().is_some_and(|(kind, _)| kind == line) && rule.exists() {
                return;
            }
        }
        panic!("no kill after {line}");
    };
    // The mount is gone meanwhile.
    killed("step denied");
    assert!(rule.exists() && !server.admits(USER));
    std::fs::remove_dir(customer.path("mount/17578")).unwrap();
    customer.json(3, "cutover", &freeze);
    assert!(!rule.exists() && server.admits(USER));
    std::fs::create_dir(customer.path("mount/17578")).unwrap();

    // Another run freezes in another way.
    std::fs::remove_file(customer.manifest()).unwrap();
    killed("step denied");
    customer.json(0, "cutover", &["--mount", "mount", "--yes", "--frozen"]);
    assert!(customer.is_link() && rule.exists() && !server.admits(USER));

    // sshd refuses its configuration during the roll-back: that is not over then.
    let whole = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{whole}Nonsense yes\n")).unwrap();
    let rollback = ["--mount", "mount", "--yes"];
    let partly = customer.json(6, "rollback", &rollback);
    assert!(partly["failure"].as_str().unwrap().contains("the thaw failed"), "{partly}");
    assert!(!customer.is_link() && !server.admits(USER));
    std::fs::write(&config, &whole).unwrap();
    customer.json(0, "rollback", &rollback);
    assert!(!rule.exists() && server.admits(USER));
}
