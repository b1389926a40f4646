//! `homes …`: a home directory of every kind is inventoried, copied, verified, changed, killed and continued.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod adverse;
mod again;
mod killed;
mod nasty;
mod over_sftp;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use sftpctl_aws::HeadFacts;

use super::faults::front;
use crate::site::{Login, Running, Site, shown, succeeded, until};

const BUCKET: &str = "pl-pt99-5-uploads";
const DECISIONS: [&str; 6] = ["--name-charset", "cp1252", "--links", "marker", "--skip", nasty::SKIP];

/// A site with an account whose home is a folder beside it.
struct Customer {
    site: Site,
    login: Login,
    home: PathBuf,
}

impl Customer {
    fn new() -> Self {
        Self::with("homes: { root: /nonexistent }\n")
    }

    fn with(settings: &str) -> Self {
        let site = Site::deployed(settings);
        let login = site.add(17578, "jan@example.com", "Fake-Password-1");
        let home = site.dir.path().join("home/17578");
        std::fs::create_dir_all(&home).unwrap();
        Self { site, login, home }
    }

    fn arguments<'a>(&self, verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        [&["homes", verb, "--env", "99", "--local", "--root", "home", "--orgid", "17578"], more].concat()
    }

    /// Runs a verb that ends with this code; its last line of JSON.
    fn json(&self, code: i32, verb: &str, more: &[&str]) -> Value {
        let output = self.site.run(&self.arguments(verb, &[more, &["--output", "json"]].concat()));
        assert_eq!(output.status.code(), Some(code), "{verb} {more:?}: {}", shown(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        serde_json::from_str(text.lines().last().unwrap()).unwrap()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.home.join(name), content).unwrap();
    }

    /// What S3 has, by key without the folder.
    fn stored(&self) -> BTreeMap<String, (HeadFacts, Vec<u8>)> {
        block_on(async {
            let s3 = self.site.aws_of("111111111111").await.s3("us-west-2");
            let mut all = BTreeMap::new();
            let mut from = None;
            loop {
                let page = s3.page(BUCKET, "17578/", false, 1000, from.as_deref()).await.unwrap();
                for object in page.objects {
                    let facts = s3.facts(BUCKET, &object.key).await.unwrap().unwrap();
                    let content = s3.range(BUCKET, &object.key, (0, 1 << 30), None).await.unwrap().unwrap();
                    all.insert(object.key.strip_prefix("17578/").unwrap().to_owned(), (facts, content.to_vec()));
                }
                from = page.next;
                if from.is_none() {
                    return all;
                }
            }
        })
    }

    /// A customer's upload, while the home is being moved.
    fn upload(&self, name: &str, content: &str) {
        std::fs::write(self.site.dir.path().join("upload"), content).unwrap();
        let port = self.site.port("us-west-2");
        succeeded(name, &self.site.sftp(port, &self.login, &format!("put upload \"{name}\"\n")));
    }

    fn manifest(&self) -> PathBuf {
        self.site.cloud().join("state/homes/99/17578.jsonl")
    }

    /// Lines of the manifest.
    fn lines(&self) -> usize {
        std::fs::read_to_string(self.manifest()).unwrap_or_default().lines().count()
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn a_home_of_every_kind_is_accounted_for() {
    let customer = Customer::new();
    nasty::create(&customer.home);
    let before = nasty::tree(&customer.home);

    // The inventory says what needs a decision, and needs neither AWS nor a deployment.
    let found = customer.json(0, "inventory", &["--report", "all.json"]);
    let left = |kind: &str| found["concerns"][kind]["left"].as_u64().unwrap_or_default();
    for (kind, count) in [
        ("not-utf8", 2),
        ("control", 2),
        ("too-long", 1),
        ("link-to-file", 1),
        ("link-to-folder", 1),
        ("link-outside", 1),
        ("link-to-nothing", 1),
        ("link-loop", 2),
        ("fifo", 1),
        ("socket", 1),
    ] {
        assert_eq!(left(kind), count, "{kind}: {found:#}");
    }
    for (kind, count) in
        [("case", 2), ("composition", 2), ("hard-link", 2), ("sparse", 1), ("set-id", 1), ("empty-folder", 1)]
    {
        assert_eq!(found["concerns"][kind]["entries"], count, "{kind}: {found:#}");
    }
    // The quota of its owner, as a program says it that takes the place of `quota`.
    let programs = customer.path("programs");
    std::fs::create_dir(&programs).unwrap();
    let quota =
        "#!/bin/sh\necho 'Disk quotas for user x (uid '$5'):'\necho '/dev/sda1 2048* 1024 4096 0 7 0 0 0'\nexit 1\n";
    std::fs::write(programs.join("quota"), quota).unwrap();
    std::fs::set_permissions(programs.join("quota"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let output = customer.site.command(&customer.arguments("inventory", &[])).env("PATH", path).output().unwrap();
    let text = succeeded("inventory", &output);
    assert!(text.contains("has 2.0 MiB of 4.0 MiB on /dev/sda1; S3 has no quotas"), "{text}");
    let report = std::fs::read_to_string(customer.site.dir.path().join("all.json")).unwrap();
    assert_eq!(report.lines().count(), before.len());
    let decided = customer.json(0, "inventory", &DECISIONS);
    assert_eq!((&decided["left"], &decided["objects"]), (&0.into(), &nasty::OBJECTS.into()), "{decided:#}");
    assert_eq!(decided["concerns"]["same-key"]["skipped"], 2);

    // Without decisions everything else is copied, and the exit code says that something is left.
    let first = customer.json(6, "copy", &["--report", "left.html"]);
    assert_eq!((&first["isComplete"], &first["leftByReason"]["fifo"]), (&false.into(), &1.into()), "{first:#}");
    let html = std::fs::read_to_string(customer.site.dir.path().join("left.html")).unwrap();
    assert!(html.contains("link-out") && html.contains("latin-\\xe4\\xf6.txt"), "{html}");
    let second = customer.json(0, "copy", &[&DECISIONS[..], &["--report", "skipped.csv"]].concat());
    assert_eq!((&second["isComplete"], &second["left"]), (&true.into(), &0.into()), "{second:#}");
    assert_eq!(second["entries"], before.len() as u64);
    // What an option skips is named, too.
    let skipped = std::fs::read_to_string(customer.site.dir.path().join("skipped.csv")).unwrap();
    assert_eq!(skipped.lines().count() as u64, 1 + second["skipped"].as_u64().unwrap(), "{skipped}");
    assert!(skipped.contains("17578,fifo,skipped,fifo,") && skipped.contains("17578,new\\x0aline,skipped,control,"));

    // What arrived is what was there.
    let stored = customer.stored();
    // One of the two names with the same key was UTF-8, and stored before the encoding was known.
    let objects = nasty::OBJECTS + 1;
    assert_eq!((stored.len() as u64, stored["twice-ä"].1.as_slice()), (objects, &b"utf-8"[..]), "{:?}", stored.keys());
    assert_eq!(stored["plain.txt"].1, b"plain\n");
    assert_eq!(stored["latin-äö.txt"].1, b"latin-1");
    assert_eq!(stored["latin-äö.txt"].0.metadata["file-name-raw"], "bGF0aW4t5PYudHh0");
    assert_eq!(
        (stored["NFC-\u{e4}"].1.as_slice(), stored["NFC-a\u{308}"].1.as_slice()),
        (&b"composed"[..], &b"decomposed"[..])
    );
    assert_eq!(stored["quote\"'`$(x) & %2B+=?#;\\"].1, b"shell");
    assert_eq!(
        (stored["link-out"].1.as_slice(), &stored["link-out"].0.metadata["file-permissions"][..]),
        (&b"/etc/hostname"[..], "0120777")
    );
    assert_eq!(stored["sparse"].1, vec![0; 300_000]);
    let metadata = |name: &str| stored[name].0.metadata.clone();
    assert_eq!(metadata("setuid")["file-permissions"], "0104750");
    assert_eq!(metadata("empty")["file-mtime"], "-1500000000ns");
    assert_eq!(metadata("sub/")["file-permissions"], "0040755");
    assert_eq!(metadata(""), metadata("").into_iter().filter(|(name, _)| name.starts_with("file-")).collect());
    assert_eq!(metadata("sub/hard"), metadata("plain.txt"));
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(customer.home.join("plain.txt")).unwrap());
    assert_eq!(metadata("plain.txt")["file-owner"], owner.to_string());

    // By checksum, and by content; the manifest is signed.
    let verified = customer.json(0, "verify", &[]);
    assert_eq!((&verified["objects"], &verified["signed"]["objects"]), (&objects.into(), &objects.into()));
    // By the listing alone: a call for a single object would fail.
    customer.site.ok(&["local", "faults", "add", "s3.HeadObject", "error=403:AccessDenied:no"]);
    let quick = customer.json(0, "verify", &["--quick"]);
    customer.site.ok(&["local", "faults", "clear"]);
    assert_eq!((&quick["signed"]["listed"], &quick["objects"]), (&true.into(), &verified["objects"]), "{quick:#}");
    assert_eq!(quick["signed"]["digest"], verified["signed"]["digest"]);
    let deep = customer.json(0, "verify", &["--deep"]);
    assert_eq!(deep["signed"]["digest"], verified["signed"]["digest"]);
    let status = customer.json(0, "status", &[]);
    assert_eq!(status["homes"][0]["verified"]["digest"], verified["signed"]["digest"], "{status:#}");

    // Nothing is sent twice, and nothing was changed here.
    front(&customer.site, "POST", "calls/reset");
    let third = customer.json(0, "copy", &DECISIONS);
    assert_eq!((&third["stored"], &third["bytes"]), (&0.into(), &0.into()), "{third:#}");
    let calls = front(&customer.site, "GET", "calls");
    assert!(calls["calls"].get("s3.PutObject").is_none() && calls["calls"].get("s3.CopyObject").is_none(), "{calls}");
    assert_eq!(nasty::tree(&customer.home), before);
}

#[test]
fn what_a_customer_uploads_meanwhile_is_kept() {
    let customer = Customer::new();
    customer.write("both.txt", "of the old server");
    customer.write("same.txt", "the same");
    customer.write("later.txt", "1");
    customer.write("gone.txt", "x");
    customer.upload("both.txt", "of the customer");
    customer.upload("same.txt", "the same");
    // Another writer's file is a conflict; the same content is not.
    let first = customer.json(6, "copy", &[]);
    assert_eq!((&first["leftByReason"]["conflict"], &first["left"]), (&1.into(), &1.into()), "{first:#}");
    assert_eq!(customer.stored()["both.txt"].1, b"of the customer");
    let decided = customer.json(0, "copy", &["--skip", "conflict"]);
    assert_eq!(decided["skippedByReason"]["conflict"], 1, "{decided:#}");

    // A change here is sent; one after a customer's is not.
    customer.write("later.txt", "22");
    assert_eq!(customer.json(0, "copy", &["--skip", "conflict"])["stored"], 1, "the file alone");
    customer.upload("later.txt", "333");
    customer.write("later.txt", "4444");
    assert_eq!(customer.json(6, "copy", &[])["leftByReason"]["conflict"], 2);
    assert_eq!(customer.stored()["later.txt"].1, b"333");
    let verified = customer.json(1, "verify", &[]);
    assert_eq!((&verified["differences"]["replaced"], verified.get("signed")), (&1.into(), None), "{verified:#}");

    // A file that was deleted here is reported, and its object deleted on request, unless a customer has written it.
    std::fs::remove_file(customer.home.join("gone.txt")).unwrap();
    std::fs::remove_file(customer.home.join("later.txt")).unwrap();
    assert_eq!(customer.json(6, "copy", &["--skip", "conflict"])["gone"], 2);
    customer.json(0, "copy", &["--skip", "conflict", "--gone", "delete"]);
    let stored = customer.stored();
    assert!(!stored.contains_key("gone.txt") && stored["later.txt"].1 == b"333", "{:?}", stored.keys());
}

/// Owner and rights are metadata: a change of them alone sends no content.
#[test]
fn a_change_of_rights_sends_no_content() {
    use std::os::unix::fs::PermissionsExt as _;
    let customer = Customer::new();
    customer.write("small", "small");
    customer.write("large", vec![7; 20 << 20]);
    assert_eq!(customer.json(0, "copy", &[])["isComplete"], true);
    for name in ["small", "large"] {
        std::fs::set_permissions(customer.home.join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    front(&customer.site, "POST", "calls/reset");
    let copied = customer.json(0, "copy", &[]);
    assert_eq!((&copied["stored"], &copied["bytes"]), (&2.into(), &0.into()), "{copied:#}");
    let calls = front(&customer.site, "GET", "calls");
    assert_eq!((&calls["calls"]["s3.CopyObject"], calls["calls"].get("s3.UploadPart")), (&2.into(), None), "{calls}");
    let stored = customer.stored();
    for name in ["small", "large"] {
        assert_eq!(stored[name].0.metadata["file-permissions"], "0100600");
    }
    assert_eq!(customer.json(0, "verify", &["--deep"])["signed"]["objects"], 3);
}

#[test]
fn a_copy_that_is_killed_goes_on() {
    let customer = Customer::new();
    for number in 0..60 {
        customer.write(&format!("file-{number}"), format!("content {number}"));
    }
    customer.write("large", (0..28_u32 << 20).map(|at| (at % 251) as u8).collect::<Vec<u8>>());
    // Slow, so that each kill meets calls in flight, whose answers nobody gets.
    customer.site.ok(&["local", "faults", "add", "s3.PutObject", "delay=100ms"]);
    customer.site.ok(&["local", "faults", "add", "s3.UploadPart", "delay=200ms"]);
    for lines in [1, 2, 20, 40, 60, 63] {
        let mut command = customer.site.command(&customer.arguments("copy", &[]));
        let mut run = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        until("lines of the manifest, or the end", || {
            (customer.lines() >= lines || run.0.try_wait().unwrap().is_some()).then_some(())
        });
        drop(run);
    }
    customer.site.ok(&["local", "faults", "clear"]);
    let copied = customer.json(0, "copy", &[]);
    assert_eq!((&copied["isComplete"], &copied["entries"]), (&true.into(), &62.into()), "{copied:#}");
    let stored = customer.stored();
    for number in 0..60 {
        assert_eq!(stored[&format!("file-{number}")].1, format!("content {number}").as_bytes());
    }
    assert_eq!(stored["large"].1, std::fs::read(customer.home.join("large")).unwrap());
    assert!(stored["large"].0.crc64nvme.is_some(), "a checksum of the whole object");
    assert_eq!(customer.json(0, "verify", &["--deep"])["signed"]["objects"], 62);
}

/// Of an upload in parts that was killed, only the missing parts are sent.
#[test]
fn parts_are_sent_once() {
    let customer = Customer::new();
    customer.write("large", (0..50_u32 << 20).map(|at| (at % 251) as u8).collect::<Vec<u8>>());
    customer.site.ok(&["local", "faults", "add", "s3.UploadPart", "error500", "--skip", "3"]);
    let failed = customer.json(6, "copy", &[]);
    assert_eq!(failed["leftByReason"]["failed"], 1, "{failed:#}");
    customer.site.ok(&["local", "faults", "clear"]);
    let parts = || std::fs::read_to_string(customer.manifest()).unwrap().matches("\"line\":\"part\"").count();
    let before = parts();
    assert!(before >= 1, "{before}");
    front(&customer.site, "POST", "calls/reset");
    assert_eq!(customer.json(0, "copy", &[])["isComplete"], true);
    let calls = front(&customer.site, "GET", "calls");
    assert_eq!(calls["calls"]["s3.UploadPart"], 7 - before as u64, "{calls}");
    assert!(calls["calls"].get("s3.CreateMultipartUpload").is_none(), "{calls}");
    assert_eq!(customer.json(0, "verify", &["--deep"])["signed"]["objects"], 2);
}

/// Another name of a file, and other rights, send nothing, also of a file that S3 does not copy with one call.
#[test]
fn large_objects_are_copied_inside_s3_in_parts() {
    let customer = Customer::new();
    let sparse = std::fs::File::create(customer.home.join("sparse")).unwrap();
    sparse.set_len(24 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"end", (24 << 20) + 1).unwrap();
    drop(sparse);
    std::fs::hard_link(customer.home.join("sparse"), customer.home.join("sparse-too")).unwrap();
    let limit = ["--single-copy", "8388608"];
    // The first attempt fails in the middle of the copy, and leaves no parts that would be paid for.
    customer.site.ok(&["local", "faults", "add", "s3.UploadPartCopy", "error=400:Refused:no", "--skip", "1"]);
    let failed = customer.json(6, "copy", &limit);
    assert_eq!(failed["leftByReason"]["failed"], 1, "{failed:#}");
    customer.site.ok(&["local", "faults", "clear"]);
    assert_eq!(customer.json(0, "status", &[])["homes"][0]["uploadsInProgress"], 0);
    let calls = |verb: &str| {
        front(&customer.site, "POST", "calls/reset");
        customer.json(0, verb, if verb == "copy" { &limit } else { &[] });
        let calls = front(&customer.site, "GET", "calls")["calls"].clone();
        ["s3.UploadPart", "s3.UploadPartCopy", "s3.PutObject"].map(|call| calls[call].as_u64().unwrap_or_default())
    };
    assert_eq!(calls("copy"), [0, 4, 0]);
    customer.json(0, "verify", &["--deep"]);
    // Other rights: both objects get other metadata.
    std::fs::set_permissions(customer.home.join("sparse"), std::os::unix::fs::PermissionsExt::from_mode(0o640))
        .unwrap();
    assert_eq!(calls("copy"), [0, 8, 0]);
    customer.json(0, "verify", &["--deep"]);
    let stored = customer.stored();
    for name in ["sparse", "sparse-too"] {
        let (facts, content) = &stored[name];
        assert_eq!((facts.metadata["file-permissions"].as_str(), content.len()), ("0100640", (24 << 20) + 4));
        assert!(content.ends_with(b"\0end") && facts.crc64nvme.is_some());
    }
}

/// Parts of a file that is no longer in the home would be paid for.
#[test]
fn parts_of_a_deleted_file_are_aborted() {
    let customer = Customer::new();
    customer.write("large", vec![1; 20 << 20]);
    customer.site.ok(&["local", "faults", "add", "s3.UploadPart", "error500", "--skip", "1"]);
    customer.json(6, "copy", &[]);
    customer.site.ok(&["local", "faults", "clear"]);
    assert_eq!(customer.json(0, "status", &[])["homes"][0]["uploadsInProgress"], 1);
    std::fs::remove_file(customer.home.join("large")).unwrap();
    front(&customer.site, "POST", "calls/reset");
    customer.json(0, "copy", &[]);
    assert_eq!(customer.json(0, "status", &[])["homes"][0]["uploadsInProgress"], 0);
    assert_eq!(front(&customer.site, "GET", "calls")["calls"]["s3.AbortMultipartUpload"], 1);
}

/// An object that is gone, and one that another writer has replaced.
#[test]
fn verification_finds_what_differs() {
    let customer = Customer::new();
    for name in ["same", "missing", "replaced"] {
        customer.write(name, name);
    }
    customer.json(0, "copy", &[]);
    block_on(async {
        let s3 = customer.site.aws_of("111111111111").await.s3("us-west-2");
        s3.delete_object(BUCKET, "17578/missing").await.unwrap();
        s3.put_object(BUCKET, "17578/replaced", b"else".to_vec(), "111111111111").await.unwrap();
    });
    for depth in [&[][..], &["--deep"], &["--quick"]] {
        let verified = customer.json(1, "verify", depth);
        assert_eq!(verified["differences"], serde_json::json!({ "missing": 1, "replaced": 1 }), "{verified:#}");
    }
}

/// The arguments of a cut-over to a folder that stands for the mount.
const CUTOVER: [&str; 8] = [
    "--mount",
    "mount",
    "--yes",
    "--allow-chroot",
    "--freeze-command",
    "echo $SFTPCTL_HOME >> frozen-$SFTPCTL_ORGID",
    "--thaw-command",
    "rm -f frozen-$SFTPCTL_ORGID",
];
const ROLLBACK: [&str; 5] = ["--mount", "mount", "--yes", "--thaw-command", "rm -f frozen-$SFTPCTL_ORGID"];

impl Customer {
    /// A customer with a home of every kind, whose account is disabled until the cut-over.
    fn to_be_cut_over() -> (Self, Vec<&'static str>) {
        let customer = Self::new();
        nasty::create(&customer.home);
        succeeded("disable", &customer.site.users(&["disable", "--orgid", "17578"], ""));
        (customer, [&CUTOVER[..], &DECISIONS].concat())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.site.dir.path().join(name)
    }

    fn is_link(&self) -> bool {
        std::fs::symlink_metadata(&self.home).unwrap().is_symlink()
    }
}

#[test]
fn a_home_is_cut_over_and_rolled_back() {
    let (customer, cutover) = Customer::to_be_cut_over();
    let port = customer.site.port("us-west-2");
    let before = nasty::tree(&customer.home);
    assert!(!customer.site.admits(port, &customer.login));

    // Refusals say why, and leave the home as it is, and thawed.
    let refused = customer.json(3, "cutover", &cutover);
    assert!(refused["failure"].as_str().unwrap().contains("is the mount there"), "{refused}");
    std::fs::create_dir_all(customer.path("mount/17578")).unwrap();
    let file = std::fs::File::create(customer.home.join("empty")).unwrap();
    let child = std::process::Command::new("cat").stdin(Stdio::piped()).stdout(file).spawn().unwrap();
    let busy = Running(child);
    let refused = customer.json(3, "cutover", &cutover);
    let expected = format!("cat (process {})", busy.0.id());
    assert!(refused["failure"].as_str().unwrap().contains(&expected), "{refused}");
    drop(busy);
    let undecided = customer.json(3, "cutover", &CUTOVER);
    assert!(undecided["failure"].as_str().unwrap().contains("left, 0 objects gone"), "{undecided}");
    assert!(!customer.is_link() && !customer.path("frozen-17578").exists());
    assert!(customer.json(3, "rollback", &ROLLBACK)["error"].as_str().unwrap().contains("was not cut over"));
    let before: BTreeMap<_, _> =
        nasty::tree(&customer.home).into_iter().filter(|(path, _)| before.contains_key(path)).collect();

    customer.json(0, "cutover", &cutover);
    assert!(customer.is_link() && customer.path("frozen-17578").exists());
    assert_eq!(std::fs::read_link(&customer.home).unwrap(), customer.path("mount/17578"));
    assert!(customer.site.admits(port, &customer.login), "the account is enabled");
    // Done is done.
    customer.json(0, "cutover", &cutover);
    let status = customer.json(0, "status", &[]);
    let steps: Vec<&str> =
        status["homes"][0]["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["frozen", "copied", "verified", "exchanged", "late", "enabled"]);

    // Customers and the application go on.
    customer.upload("plain.txt", "changed by the customer");
    customer.upload("new.txt", "of the customer");
    succeeded("mkdir", &customer.site.sftp(port, &customer.login, "mkdir added\n"));
    customer.upload("added/deep.txt", "in a folder");
    block_on(async {
        let s3 = customer.site.aws_of("111111111111").await.s3("us-west-2");
        s3.put_object(BUCKET, "17578/../escape", b"x".to_vec(), "111111111111").await.unwrap();
        s3.put_object(BUCKET, "17578/a//b", b"x".to_vec(), "111111111111").await.unwrap();
        s3.delete_object(BUCKET, "17578/setuid").await.unwrap();
    });

    let back = customer.json(6, "rollback", &ROLLBACK);
    let notes = back["notes"].to_string();
    for key in ["17578/../escape", "17578/a//b"] {
        let expected = format!("{key}: no file can have this name");
        assert!(notes.contains(&expected), "what cannot come back is said: {back:#}");
    }
    assert!(notes.contains("1 file was deleted in S3 since"), "{back:#}");
    assert!(!customer.is_link() && !customer.path("frozen-17578").exists());
    assert!(!customer.site.admits(port, &customer.login), "the account is disabled");
    let after = nasty::tree(&customer.home);
    let changed: Vec<String> = after
        .iter()
        .filter(|(path, is)| before.get(*path) != Some(*is))
        .map(|(path, _)| String::from_utf8_lossy(path).into_owned())
        .collect();
    assert_eq!(changed, ["", "added", "added/deep.txt", "new.txt", "plain.txt"]);
    assert!(before.keys().all(|path| after.contains_key(path)));
    assert_eq!(std::fs::read(customer.home.join("plain.txt")).unwrap(), b"changed by the customer");
    assert_eq!(std::fs::read(customer.home.join("added/deep.txt")).unwrap(), b"in a folder");

    assert!(!customer.path("home/escape").exists());

    // Another try, from where it is now.
    customer.json(0, "cutover", &cutover);
    assert_eq!(customer.stored()["setuid"].1, b"#!/bin/sh\n", "it is on the disk still, and is sent again");
}

/// Killed after each line of the manifest, the same command goes on to the same end.
#[test]
fn a_cutover_that_is_killed_goes_on() {
    let (customer, cutover) = Customer::to_be_cut_over();
    std::fs::create_dir_all(customer.path("mount/17578")).unwrap();
    let before = nasty::tree(&customer.home);
    let killed_at = |verb: &str, more: &[&str], line: &str| {
        let mut command = customer.site.command(&customer.arguments(verb, more));
        let mut run = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        until(line, || {
            let text = std::fs::read_to_string(customer.manifest()).unwrap_or_default();
            (text.contains(line) || run.0.try_wait().unwrap().is_some()).then_some(())
        });
    };
    for line in ["\"line\":\"home\"", "frozen", "17578/plain.txt", "copied", "\"line\":\"verified\"", "exchanged"] {
        killed_at("cutover", &cutover, line);
        let is_there = nasty::tree(&customer.home).len() == before.len() || customer.is_link();
        assert!(is_there, "{line}: the home is the folder, or the link");
    }
    customer.json(0, "cutover", &cutover);
    assert!(customer.is_link());
    for line in ["brought-back", "rolled-back"] {
        killed_at("rollback", &ROLLBACK, line);
    }
    customer.json(0, "rollback", &ROLLBACK);
    assert_eq!(nasty::tree(&customer.home), before);
}

/// Of many homes, one that has no account is named, and the others are copied.
#[test]
fn a_home_without_an_account_does_not_stop_the_others() {
    let customer = Customer::new();
    customer.write("file", "x");
    std::fs::create_dir_all(customer.path("home/17577")).unwrap();
    std::fs::create_dir_all(customer.path("home/not-a-home")).unwrap();
    let all = ["homes", "copy", "--env", "99", "--local", "--root", "home", "--all"];
    let shown = customer.site.ends_with(6, &all);
    assert!(shown.contains("17577") && shown.contains("home 17578: 2 entries: 2 stored"), "{shown}");
    let alone =
        customer.site.ends_with(3, &["homes", "copy", "--env", "99", "--local", "--root", "home", "--orgid", "17577"]);
    assert!(alone.contains("or pass --cluster"), "{alone}");
    let listed = [&all[..], &["--cluster", "99-5"]].concat();
    assert!(customer.site.ok(&listed).contains("home 17577: 1 entry: 1 stored"));
    // Nor does a manifest that is damaged.
    std::fs::write(customer.manifest().with_file_name("17577.jsonl"), "damaged\ndamaged\n").unwrap();
    let copied = customer.site.ends_with(6, &listed);
    assert!(copied.contains("17577.jsonl") && copied.contains("home 17578: 2 entries"), "{copied}");
    let status = customer.site.ends_with(6, &["homes", "status", "--env", "99", "--local", "--root", "home", "--all"]);
    assert!(status.contains("17577.jsonl") && status.contains("home 17578 in"), "{status}");
}
