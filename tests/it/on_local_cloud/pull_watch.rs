//! `sftpctl pull --watch`: files arrive as customers upload them, told by Transfer's and S3's events.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::site::{Running, Site};

const BUCKET: &str = "pl-pt99-5-uploads";
const EVENTS: &str = "files: { events: true }\n";

/// A pull that goes on.
struct Follower {
    running: Running,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Follower {
    fn command(site: &Site, to: &PathBuf) -> Command {
        let mut command = site.command(&["pull", "--env", "99", "--local", "--cluster", "99-5", "--output", "json"]);
        command.arg("--to").arg(to).args(["--watch", "--settle", "2"]).stdout(Stdio::piped());
        command
    }

    fn new(site: &Site, to: &PathBuf) -> Self {
        let mut child = Self::command(site, to).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { running: Running(child), lines }
    }

    /// The next line of this schema.
    fn next(&mut self, schema: &str) -> Value {
        loop {
            let line = self.lines.next().unwrap().unwrap();
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["schema"] == schema {
                return line;
            }
        }
    }

    /// The next event of a file: its kind and key.
    fn event(&mut self) -> (String, String) {
        let event = self.next("sftpctl/pull-file/1");
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        (text("event"), text("key"))
    }

    /// Asks it to stop; its exit code and summary.
    fn stop(mut self) -> (Option<i32>, Value) {
        let id = self.running.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let summary = self.next("sftpctl/pull/1");
        (self.running.0.wait().unwrap().code(), summary)
    }
}

fn told(event: &str, key: &str) -> (String, String) {
    (event.to_owned(), key.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_arrive_as_they_are_uploaded_and_broken_uploads_do_not() {
    let site = Site::deployed(EVENTS);
    assert_eq!(site.planned(), Vec::<String>::new(), "a second deployment has nothing to do");
    let login = site.add(17578, "jan@example.com", "Fake-Password-1");
    let [west, east] = ["us-west-2", "us-east-2"].map(|region| site.port(region));
    let put = |port: u16, content: &str, name: &str| {
        std::fs::write(site.dir.path().join("content"), content).unwrap();
        let output = site.sftp(port, &login, &format!("put content {name}\n"));
        assert!(output.status.success(), "{name}");
    };
    put(west, "before", "before.csv");
    let to = site.dir.path().join("incoming");
    std::fs::create_dir(&to).unwrap();
    let read = |name: &str| std::fs::read_to_string(to.join(name)).unwrap();

    let mut follower = Follower::new(&site, &to);
    assert_eq!(follower.event(), told("fetched", "17578/before.csv"));
    // A server of another region tells the bucket's.
    for (port, name) in [(west, "west.csv"), (east, "east.csv")] {
        put(port, name, name);
        assert_eq!(follower.event(), told("fetched", &format!("17578/{name}")));
        assert_eq!(read(&format!("17578/{name}")), name);
    }
    // The same name and content again is another upload.
    put(west, "west.csv again", "west.csv");
    assert_eq!(follower.event(), told("fetched", "17578/west.csv"));
    // Clients write under another name first.
    put(west, "renamed", "late.csv.filepart");
    site.sftp(west, &login, "rename late.csv.filepart late.csv\n");
    assert_eq!(follower.event(), told("fetched", "17578/late.csv"));
    // S3 has what had arrived of a file whose connection broke, as any other object.
    site.paramiko_ok(west, &login, &["breaks-off", "broken.csv", "40000"]);
    assert_eq!(follower.event(), told("left", "17578/broken.csv"));
    // What the application itself puts there, no server tells of.
    let s3 = site.aws_of("111111111111").await.s3("us-west-2");
    s3.put(BUCKET, "17578/by-others.csv", "others".into(), false).await.unwrap();
    assert_eq!(follower.event(), told("fetched", "17578/by-others.csv"));
    assert_eq!(s3.head(BUCKET, "17578/broken.csv").await.unwrap().unwrap().size, 40_000);
    assert!(!to.join("17578/broken.csv").exists());
    let (code, summary) = follower.stop();
    assert_eq!((code, &summary["fetched"], &summary["left"]), (Some(6), &6.into(), &1.into()), "{summary}");

    // What comes while nobody looks is in the queue; the rest is known, and the broken one is told again.
    put(west, "meanwhile", "meanwhile.csv");
    let mut follower = Follower::new(&site, &to);
    let mut both = [follower.event(), follower.event()];
    both.sort();
    assert_eq!(both, [told("fetched", "17578/meanwhile.csv"), told("left", "17578/broken.csv")]);
    // Whole now, though with the same content.
    assert!(site.sftp(west, &login, "get broken.csv content\nput content broken.csv\n").status.success());
    assert_eq!(follower.event(), told("fetched", "17578/broken.csv"));
    assert_eq!(std::fs::metadata(to.join("17578/broken.csv")).unwrap().len(), 40_000);
    // One object that may not be read does not keep the others.
    let sealed = ["local", "faults", "add", "s3.HeadObject", "error=403:AccessDenied:Denied", "--object", "*sealed*"];
    site.ok(&sealed);
    s3.put(BUCKET, "17578/sealed.csv", "sealed".into(), false).await.unwrap();
    assert_eq!(follower.event(), told("left", "17578/sealed.csv"));
    put(west, "open", "open.csv");
    assert_eq!(follower.event(), told("fetched", "17578/open.csv"));
    site.ok(&["local", "faults", "clear"]);
    // Killed; the next one finds its work.
    follower.running.0.kill().unwrap();
    follower.running.0.wait().unwrap();
    put(west, "after", "after.csv");
    let mut follower = Follower::new(&site, &to);
    let mut both = [follower.event(), follower.event()];
    both.sort();
    assert_eq!(both, [told("fetched", "17578/after.csv"), told("fetched", "17578/sealed.csv")]);
    let (code, summary) = follower.stop();
    assert_eq!((code, &summary["fetched"], &summary["left"]), (Some(0), &2.into(), &0.into()), "{summary}");

    // Without the setting, queues and rules go, and the reason is named.
    site.edit(|file| file.replace(EVENTS, ""));
    let said =
        site.ends_with(2, &["pull", "--env", "99", "--local", "--cluster", "99-5", "--to", "incoming", "--watch"]);
    assert!(said.contains("files: { events: true }") && said.contains("sftpctl deploy --env 99"), "{said}");
    site.deploy();
    assert_eq!(site.planned(), Vec::<String>::new());
    let queue = site.aws_of("111111111111").await.queue("us-west-2", "99-upload-99-5-events").await.unwrap();
    assert!(queue.is_none());
}
