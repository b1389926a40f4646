//! Runs that are killed: before and within each line of the manifest, and with calls whose answers nobody gets.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::on_local_cloud::users_import::faults;

/// The signal of a write beyond the limit to a file's size, which ends a process as SIGKILL does (setrlimit(2)).
const SIGXFSZ: i32 = 25;

/// The same command, which is killed as soon as it makes a file larger than this.
pub(super) fn limited(command: &Command, bytes: u64) -> Command {
    let mut limited = Command::new("prlimit");
    limited.arg(format!("--fsize={bytes}:{bytes}")).arg("--core=0").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited.current_dir(command.get_current_dir().unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
    limited
}

/// The whole lines: of each the kind with the step, and what it is about.
pub(super) fn lines(manifest: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(manifest).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let step = line["step"].as_str().unwrap_or_default();
        let kind = format!("{} {step}", line["line"].as_str().unwrap()).trim().to_owned();
        (kind, format!("{} {}", line["path"], line["number"]))
    };
    whole.lines().map(line).collect()
}

/// Runs a command again and again, each time killed some bytes further on in the manifest, until it succeeds. Returns what
/// the last whole line was at each kill.
fn killed_at_each_line(customer: &Customer, arguments: &[&str]) -> BTreeSet<String> {
    killed_and_checked(customer, arguments, |_| ())
}

/// As [`killed_at_each_line`]; after each kill `check` gets the kind of the last whole line.
pub(super) fn killed_and_checked(
    customer: &Customer,
    arguments: &[&str],
    mut check: impl FnMut(&str),
) -> BTreeSet<String> {
    // Less than the length of any line.
    const STEP: u64 = 40;
    let (manifest, mut last, mut bytes) = (customer.manifest(), BTreeSet::new(), STEP);
    for _ in 0..600 {
        // A run repeats steps, and notes what it sends: that alone is no progress.
        let done = || {
            let lines = lines(&manifest).into_iter().filter(|(kind, _)| kind != "sending");
            lines.collect::<BTreeSet<_>>().len()
        };
        // Without a torn line at the end, which the next run removes.
        let text = std::fs::read(&manifest).unwrap_or_default();
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end as u64 + 1);
        let (before, length) = (done(), whole);
        let status = limited(&customer.site.command(arguments), length + bytes).status().unwrap();
        if status.success() {
            return last;
        }
        assert_eq!(status.signal(), Some(SIGXFSZ), "{status}");
        let home = std::fs::symlink_metadata(&customer.home).unwrap();
        assert!(home.is_dir() || home.is_symlink());
        // At the begin, and after the exchange, each line counts.
        let is_slow = done() <= 2 || home.is_symlink();
        bytes = match done() > before {
            true if is_slow => STEP,
            true => (bytes / 2).max(STEP),
            false => bytes + STEP,
        };
        let kind = lines(&manifest).pop().map(|(kind, _)| kind);
        check(kind.as_deref().unwrap_or_default());
        last.extend(kind);
    }
    panic!("no end: {last:?}");
}

/// A small home, with an entry of each kind that has lines of its own.
fn small(home: &Path) {
    std::fs::create_dir_all(home.join("sub")).unwrap();
    std::fs::write(home.join("plain"), "plain").unwrap();
    std::fs::hard_link(home.join("plain"), home.join("sub/hard")).unwrap();
    std::os::unix::fs::symlink("plain", home.join("link")).unwrap();
    std::fs::write(home.join("large"), (0..17_u32 << 20).map(|at| (at % 251) as u8).collect::<Vec<u8>>()).unwrap();
}

#[test]
fn any_line_of_the_manifest_may_be_the_last() {
    let customer = Customer::new();
    let options = ["--links", "marker", "--mount", "mount", "--yes", "--allow-chroot", "--freeze-mode"];
    std::fs::create_dir_all(customer.path("mount/17578")).unwrap();
    small(&customer.home);
    let before = nasty::tree(&customer.home);
    let last = killed_at_each_line(&customer, &customer.arguments("cutover", &options));
    let kinds = ["sending", "object", "part", "pass", "verified", "step frozen", "step exchanged"];
    for kind in kinds {
        assert!(last.contains(kind), "no kill after {kind}: {last:?}");
    }
    assert!(customer.is_link());
    let stored = customer.stored();
    assert_eq!((&stored["sub/hard"].1[..], &stored["link"].1[..]), (&b"plain"[..], &b"plain"[..]));
    assert_eq!(stored["large"].1.len(), 17 << 20);
    assert_eq!(stored[""].0.metadata["file-permissions"], "0040755", "not those of the freeze");
    let s3 = async || customer.site.aws_of("111111111111").await.s3("us-west-2");
    assert_eq!(block_on(async { s3().await.open_uploads(BUCKET, "17578/large").await.unwrap() }), []);

    customer.upload("plain", "of the customer");
    customer.upload("new", "new");
    let rollback = customer.arguments("rollback", &["--mount", "mount", "--yes"]);
    let last = killed_at_each_line(&customer, &rollback);
    assert!(last.contains("object"), "{last:?}");
    let after = nasty::tree(&customer.home);
    let changed: Vec<_> =
        after.iter().filter(|(path, is)| before.get(*path) != Some(*is)).map(|(path, _)| path).collect();
    assert_eq!(changed, [&b""[..], b"new", b"plain"], "{after:?}");
    assert_eq!(std::fs::read_to_string(customer.home.join("plain")).unwrap(), "of the customer");
    assert_eq!(std::fs::read_to_string(customer.home.join("sub/hard")).unwrap(), "plain");
    assert_eq!(after.len(), before.len() + 1);
    assert!(before.keys().all(|path| after.contains_key(path)));
    let root = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&customer.home).unwrap());
    assert_eq!(root & 0o7777, 0o755, "the freeze has ended");
}

/// Runs a copy that is killed while S3's answer to this call is held.
fn killed_with_an_answer(customer: &Customer, call: &str, key: &str) {
    faults(&customer.site, &[&[call, "hold-after", "--count", "1", "--object", key]]);
    let mut command = customer.site.command(&customer.arguments("copy", &[]));
    let run = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until(call, || (front(&customer.site, "GET", "faults")["holds"].as_array().unwrap().len() == 1).then_some(()));
    drop(run);
    customer.site.ok(&["local", "faults", "clear"]);
}

/// An upload in parts whose ID nobody has got; that of someone else goes on.
#[test]
fn an_upload_that_nobody_knows_is_aborted() {
    let customer = Customer::new();
    customer.write("large", vec![1; 20 << 20]);
    killed_with_an_answer(&customer, "s3.CreateMultipartUpload", "17578/large");
    let s3 = async || customer.site.aws_of("111111111111").await.s3("us-west-2");
    let open = || block_on(async { s3().await.open_uploads(BUCKET, "17578/large").await.unwrap() });
    let unknown = open();
    assert!(unknown.len() == 1 && unknown[0].is_whole, "{unknown:?}");
    block_on(async { s3().await.begin(BUCKET, "17578/large").await.unwrap() });
    // The file is another one by now.
    customer.write("large", vec![2; 21 << 20]);
    assert_eq!(customer.json(0, "copy", &[])["isComplete"], true);
    let open = open();
    assert!(open.len() == 1 && !open[0].is_whole, "only the one of someone else: {open:?}");
    assert_eq!(customer.stored()["large"].1.len(), 21 << 20);
}

/// An object that a killed run has stored is replaced by the next state of the file; a customer's is not.
#[test]
fn what_a_killed_run_has_stored_is_ours() {
    let customer = Customer::new();
    customer.write("file", "first");
    killed_with_an_answer(&customer, "s3.PutObject", "17578/file");
    assert_eq!(customer.stored()["file"].1, b"first");
    customer.write("file", "second");
    assert_eq!(customer.json(0, "copy", &[])["isComplete"], true);
    assert_eq!(customer.stored()["file"].1, b"second");
    // Twice killed, with two states.
    for state in ["third", "fourth"] {
        customer.write("file", state);
        killed_with_an_answer(&customer, "s3.PutObject", "17578/file");
    }
    customer.write("file", "fifth");
    assert_eq!(customer.json(0, "copy", &[])["isComplete"], true);
    assert_eq!(customer.stored()["file"].1, b"fifth");

    // The same content as a killed run has sent, but by a customer.
    customer.write("file", "sixth");
    killed_with_an_answer(&customer, "s3.PutObject", "17578/file");
    customer.upload("file", "sixth");
    customer.write("file", "seventh");
    assert_eq!(customer.json(6, "copy", &[])["leftByReason"]["conflict"], 1);
    assert_eq!(customer.stored()["file"].1, b"sixth");
}

/// A name of a file that has several is stored by a copy inside S3. What a customer writes there at the last moment stays.
#[test]
fn a_copy_inside_s3_replaces_nothing() {
    let customer = Customer::new();
    customer.write("a", "of the old server");
    std::fs::hard_link(customer.home.join("a"), customer.home.join("b")).unwrap();
    std::fs::create_dir(customer.home.join("sub")).unwrap();
    faults(&customer.site, &[&["s3.CopyObject", "hold-before", "--count", "1"]]);
    let mut command = customer.site.command(&customer.arguments("copy", &["--output", "json"]));
    let run = command.stdout(Stdio::piped()).spawn().unwrap();
    until("the copy", || {
        (front(&customer.site, "GET", "faults")["holds"].as_array().unwrap().len() == 1).then_some(())
    });
    let copied = ["a", "b"].into_iter().find(|name| !customer.stored().contains_key(*name)).unwrap();
    customer.upload(copied, "of the customer");
    front(&customer.site, "POST", "faults/release");
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{}", shown(&output));
    assert_eq!(customer.stored()[copied].1, b"of the customer");
    // Nor does a folder's marker replace a file, whatever is in it.
    let key = "17578/other/";
    block_on(async {
        let s3 = customer.site.aws_of("111111111111").await.s3("us-west-2");
        s3.put(BUCKET, key, "x".into(), true).await.unwrap();
    });
    std::fs::create_dir(customer.home.join("other")).unwrap();
    assert_eq!(customer.json(6, "copy", &[])["leftByReason"]["conflict"], 2);
    assert_eq!(customer.stored()["other/"].1, b"x");
}

/// A home that was frozen when the cut-over was killed is thawed by a roll-back.
#[test]
fn a_home_that_was_only_frozen_is_thawed() {
    let (customer, cutover) = Customer::to_be_cut_over();
    std::fs::create_dir_all(customer.path("mount/17578")).unwrap();
    let rights = || std::fs::metadata(&customer.home).unwrap().permissions().mode() & 0o7777;
    let (before, tree) = (rights(), nasty::tree(&customer.home));
    let cutover = [&cutover[..], &["--freeze-mode"]].concat();
    // Killed by the first write after the line of the freeze.
    let is_frozen = (40..2_000).step_by(40).any(|bytes| {
        let command = customer.site.command(&customer.arguments("cutover", &cutover));
        let length = std::fs::metadata(customer.manifest()).map_or(0, |facts| facts.len());
        limited(&command, length + bytes).status().unwrap();
        lines(&customer.manifest()).pop().is_some_and(|(kind, _)| kind == "step frozen")
    });
    assert!(is_frozen && rights() == 0 && customer.path("frozen-17578").exists());
    let back = customer.json(0, "rollback", &ROLLBACK);
    assert_eq!(back["what"], "thawed", "{back}");
    assert_eq!(rights(), before);
    assert!(!customer.path("frozen-17578").exists() && !customer.is_link());
    assert_eq!(nasty::tree(&customer.home), tree);
    assert!(customer.json(3, "rollback", &ROLLBACK)["error"].as_str().unwrap().contains("was not cut over"));

    // A freeze that fails is undone, too.
    let mut failing = CUTOVER;
    failing[5] = "touch frozen-17578; false";
    let refused = customer.json(3, "cutover", &failing);
    assert!(refused["failure"].as_str().unwrap().contains("the freeze failed"), "{refused}");
    assert!(!customer.path("frozen-17578").exists());
}

/// A cut-over that was killed between the exchange and its line is rolled back as one that was exchanged, wherever the
/// roll-back is killed: what came since is brought back.
#[test]
fn an_exchange_without_its_line_is_rolled_back() {
    let (customer, cutover) = Customer::to_be_cut_over();
    std::fs::create_dir_all(customer.path("mount/17578")).unwrap();
    let limited = |verb: &str, more: &[&str], bytes: u64| {
        let command = customer.site.command(&customer.arguments(verb, more));
        let length = std::fs::metadata(customer.manifest()).map_or(0, |facts| facts.len());
        limited(&command, length + bytes).status().unwrap();
    };
    let last = || lines(&customer.manifest()).pop().map_or_else(String::new, |(kind, _)| kind);
    customer.json(0, "copy", &DECISIONS);
    // Less than the length of any line.
    let is_killed = (40..4_000).step_by(40).any(|bytes| {
        limited("cutover", &cutover, bytes);
        customer.is_link()
    });
    assert!(is_killed && last() == "step verified", "{}", last());
    block_on(async {
        let s3 = customer.site.aws_of("111111111111").await.s3("us-west-2");
        s3.put_object(BUCKET, "17578/since", b"new".to_vec(), "111111111111").await.unwrap();
    });
    // Until the folder is back.
    let is_back = (40..4_000).step_by(40).any(|bytes| {
        limited("rollback", &ROLLBACK, bytes);
        !customer.is_link()
    });
    assert!(is_back);
    let back = customer.json(0, "rollback", &ROLLBACK);
    assert_eq!(back["what"], "rolled back", "{back}");
    assert_eq!(std::fs::read_to_string(customer.home.join("since")).unwrap(), "new");
}
