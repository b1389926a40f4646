//! What happens meanwhile: late writes, full disks, clocks that jump, files that grow, and an S3 that fails or is slow.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use super::*;
use crate::on_local_cloud::users_import::faults;

/// Written after the last copy, and before the exchange.
#[test]
fn a_late_write_is_brought_over() {
    let (customer, cutover) = Customer::to_be_cut_over();
    std::fs::create_dir_all(customer.path("mount/17578")).unwrap();
    faults(&customer.site, &[&["s3.HeadObject", "hold-before", "--count", "1", "--object", "17578/plain.txt"]]);
    let arguments = customer.arguments("cutover", &[&cutover[..], &["--output", "json"]].concat());
    let run = customer.site.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("verify", || (front(&customer.site, "GET", "faults")["holds"].as_array().unwrap().len() == 1).then_some(()));
    customer.write("plain.txt", "late");
    customer.write("new-and-late", "late, too");
    front(&customer.site, "POST", "faults/release");
    let output = run.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    assert!(customer.is_link());
    let stored = customer.stored();
    assert_eq!((&stored["plain.txt"].1[..], &stored["new-and-late"].1[..]), (&b"late"[..], &b"late, too"[..]));
    let status = customer.json(0, "status", &[]);
    assert!(status["homes"][0]["verified"].is_object(), "signed off with what was late: {status:#}");
}

/// A process that opened a file after the last look goes on in the old folder: it is named, and what it writes comes with
/// the next run.
#[test]
fn a_descriptor_that_is_open_after_the_exchange_is_named() {
    let (customer, cutover) = Customer::to_be_cut_over();
    std::fs::create_dir_all(customer.path("mount/17578")).unwrap();
    let arguments = customer.arguments("cutover", &cutover);
    let exchanged = || std::fs::read_to_string(customer.manifest()).unwrap_or_default().contains("\"exchanged\"");
    // Killed after the exchange, and before the look at the old folder is complete.
    faults(&customer.site, &[&["dynamodb.*", "hold-before", "--only", "mutating"]]);
    let mut command = customer.site.command(&arguments);
    let run = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until("the exchange", || exchanged().then_some(()));
    drop(run);
    customer.site.ok(&["local", "faults", "clear"]);
    let text = std::fs::read_to_string(customer.manifest()).unwrap();
    let before_late: String =
        text.lines().filter(|line| !line.contains("\"late\"")).map(|line| format!("{line}\n")).collect();
    std::fs::write(customer.manifest(), before_late).unwrap();
    let kept = customer.path("home/.17578.before-cutover");
    let mut file = std::fs::File::options().append(true).open(kept.join("plain.txt")).unwrap();
    let child = Command::new("cat").stdin(Stdio::piped()).stdout(file.try_clone().unwrap()).spawn().unwrap();
    let busy = Running(child);
    let told = customer.json(6, "cutover", &cutover);
    let notes = told["notes"].to_string();
    assert!(notes.contains(&format!("cat (process {})", busy.0.id())) && told.get("failure").is_none(), "{told:#}");
    file.write_all(b"and more").unwrap();
    drop((busy, file));
    customer.json(0, "cutover", &cutover);
    assert_eq!(customer.stored()["plain.txt"].1, b"plain\nand more");
}

/// Nothing is signed off that is not the home.
#[test]
fn a_sign_off_ends_with_what_is_left_out_or_changes() {
    let customer = Customer::new();
    customer.write("file", "x");
    assert_eq!(customer.json(0, "copy", &[])["isComplete"], true);
    assert_eq!(customer.json(0, "verify", &[])["signed"]["objects"], 2);
    let is_verified = || customer.json(0, "status", &[])["homes"][0]["verified"].is_object();
    assert!(is_verified());
    // A late change, which no copy has seen.
    customer.write("file", "y");
    customer.write("new", "z");
    let late = customer.json(6, "verify", &[]);
    assert_eq!((&late["changed"], late.get("signed")), (&3.into(), None), "the folder, too: {late:#}");
    assert!(!is_verified());
    customer.json(0, "copy", &[]);
    customer.json(0, "verify", &[]);
    assert!(is_verified());
    // An entry that nobody has decided about.
    succeeded("mkfifo", &Command::new("mkfifo").arg(customer.home.join("fifo")).output().unwrap());
    assert_eq!(customer.json(6, "copy", &[])["left"], 1);
    assert!(!is_verified());
    let left = customer.json(6, "verify", &[]);
    assert_eq!((&left["left"], left.get("signed")), (&1.into(), None), "{left:#}");
    customer.json(0, "copy", &["--skip", "fifo"]);
    customer.json(0, "verify", &[]);
    assert!(is_verified());
    // What was stored is left out by a later decision.
    std::fs::remove_file(customer.home.join("new")).unwrap();
    succeeded("mkfifo", &Command::new("mkfifo").arg(customer.home.join("new")).output().unwrap());
    customer.json(0, "copy", &["--skip", "fifo"]);
    assert!(!is_verified());
}

/// A small file system; only root can mount one.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    fn mount(at: &'a Path, size: &str) -> Self {
        let size = format!("size={size},mode=755");
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output().unwrap();
        assert!(output.status.success(), "this test mounts a file system: run it as root\n{}", shown(&output));
        Self(at)
    }

    fn resize(&self, size: &str) {
        let size = format!("remount,size={size}");
        succeeded("remount", &Command::new("mount").args(["-o", &size]).arg(self.0).output().unwrap());
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

/// The folder does not come back without what there is no room for.
#[test]
fn a_rollback_onto_a_full_disk_is_completed_later() {
    let customer = Customer::new();
    let homes = customer.path("home");
    let disk = Small::mount(&homes, "3m");
    std::fs::create_dir(&customer.home).unwrap();
    customer.write("kept", "kept");
    std::fs::create_dir_all(customer.path("mount/17578")).unwrap();
    customer.json(0, "cutover", &CUTOVER);
    let large: String = "0123456789abcdef".repeat(300_000);
    customer.upload("large", &large);
    customer.upload("small", "small");
    let full = customer.json(6, "rollback", &ROLLBACK);
    assert!(full["failure"].as_str().unwrap().contains("rerun"), "{full:#}");
    assert!(full["notes"].to_string().contains("No space left"), "{full:#}");
    assert!(customer.is_link(), "customers go on in S3");
    assert!(customer.site.admits(customer.site.port("us-west-2"), &customer.login));
    let names = |at: &Path| {
        let names = std::fs::read_dir(at).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    assert!(!names(&homes).iter().any(|name| name.contains("put-back")), "nothing half is left: {:?}", names(&homes));
    disk.resize("30m");
    customer.json(0, "rollback", &ROLLBACK);
    assert!(!customer.is_link());
    assert_eq!(names(&customer.home).into_iter().collect::<Vec<_>>(), ["kept", "large", "small"]);
    assert_eq!(std::fs::read_to_string(customer.home.join("large")).unwrap(), large);
}

/// No customer is locked out on both sides after an error of AWS.
#[test]
fn a_cutover_and_a_rollback_that_aws_refuses_leave_customers_where_they_are() {
    let customer = Customer::new();
    customer.write("kept", "kept");
    std::fs::create_dir_all(customer.path("mount/17578")).unwrap();
    let admits = || customer.site.admits(customer.site.port("us-west-2"), &customer.login);
    let clear = || customer.site.ok(&["local", "faults", "clear"]);
    faults(&customer.site, &[&["s3.PutObject", "error=403:AccessDenied:no"]]);
    let refused = customer.json(3, "cutover", &CUTOVER);
    assert!(refused["failure"].as_str().unwrap().contains("AccessDenied"), "{refused}");
    assert!(!customer.path("frozen-17578").exists() && !customer.is_link(), "thawed");
    clear();
    customer.json(0, "cutover", &CUTOVER);
    customer.upload("cold", "cold");
    customer.upload("warm", "warm");

    // One object stops no other.
    let archived = "error=403:InvalidObjectState:The storage class of the object does not allow it";
    faults(&customer.site, &[&["s3.GetObject", archived, "--object", "17578/cold"]]);
    let failed = customer.json(6, "rollback", &ROLLBACK);
    assert!(failed["failure"].as_str().unwrap().contains("1 object failed"), "{failed}");
    assert_eq!(failed["left"][0]["key"], "17578/cold", "{failed}");
    assert!(customer.path("home/.17578.before-cutover/warm").exists());
    clear();
    assert!(customer.is_link() && admits());

    faults(&customer.site, &[&["s3.ListObjectsV2", "error=403:AccessDenied:no"]]);
    let refused = customer.json(1, "rollback", &ROLLBACK);
    assert!(refused["error"].as_str().unwrap().contains("AccessDenied"), "{refused}");
    clear();
    assert!(customer.is_link() && admits());
    customer.json(0, "rollback", &ROLLBACK);
    assert_eq!(std::fs::read_to_string(customer.home.join("cold")).unwrap(), "cold");
}

/// A file that never stops growing is left, and is no reason to hang; what grew before is whole.
#[test]
fn a_file_that_grows_for_ever_is_left() {
    let customer = Customer::new();
    customer.write("other", "x");
    customer.write("log", vec![b'x'; 18 << 20]);
    customer.write("short-log", "x");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for name in ["log", "short-log"] {
            let (path, over) = (customer.home.join(name), &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let mut file = std::fs::File::options().append(true).open(&path).unwrap();
                    file.write_all(b"line\n").unwrap();
                    std::thread::yield_now();
                }
            });
        }
        let copied = customer.site.run(&customer.arguments("copy", &["--output", "json"]));
        over.store(true, Ordering::Relaxed);
        assert_eq!(copied.status.code(), Some(6), "{}", shown(&copied));
        // Lines of progress come first on a slow machine.
        let copied: Value = serde_json::from_str(crate::site::text(&copied.stdout).lines().last().unwrap()).unwrap();
        assert!(copied["left"].as_u64() >= Some(1), "{copied:#}");
    });
    assert_eq!(customer.json(0, "status", &[])["homes"][0]["uploadsInProgress"], 0);
    customer.json(0, "copy", &[]);
    for name in ["log", "short-log", "other"] {
        assert!(customer.stored()[name].1 == std::fs::read(customer.home.join(name)).unwrap(), "{name}");
    }
}

/// Times that lie: a file from the future, and a change that keeps size and time of modification.
#[test]
fn a_clock_that_jumps_loses_nothing() {
    let customer = Customer::new();
    let set = |name: &str, time: SystemTime| {
        std::fs::File::options().write(true).open(customer.home.join(name)).unwrap().set_modified(time).unwrap();
    };
    let future = SystemTime::now() + Duration::from_secs(10 * 365 * 86_400);
    for name in ["future", "past", "same"] {
        customer.write(name, "before");
    }
    set("future", future);
    set("past", SystemTime::UNIX_EPOCH);
    customer.json(0, "copy", &[]);
    let time = std::fs::metadata(customer.home.join("same")).unwrap().modified().unwrap();
    for name in ["future", "past", "same"] {
        customer.write(name, "after!");
    }
    // The clock was set back: the new state looks older than the one that was copied, or exactly like it.
    set("future", future - Duration::from_secs(86_400));
    set("past", SystemTime::UNIX_EPOCH - Duration::from_secs(1));
    set("same", time);
    let copied = customer.json(0, "copy", &[]);
    assert!(copied["isComplete"] == true && copied["stored"].as_u64() >= Some(3), "{copied:#}");
    let stored = customer.stored();
    for name in ["future", "past", "same"] {
        assert_eq!(stored[name].1, b"after!", "{name}");
        let mtime = std::fs::metadata(customer.home.join(name)).unwrap();
        let mtime = i128::from(mtime.mtime()) * 1_000_000_000 + i128::from(mtime.mtime_nsec());
        assert_eq!(stored[name].0.metadata["file-mtime"], format!("{mtime}ns"));
    }
    customer.json(0, "verify", &[]);
}

/// Throttled, failing, slow, and cut off: what does not arrive is left, and the next run has it.
#[test]
fn an_s3_that_fails_is_outlasted() {
    let customer = Customer::new();
    for number in 0..40 {
        customer.write(&format!("file-{number}"), format!("content {number}"));
    }
    customer.write("large", vec![3; 20 << 20]);
    faults(
        &customer.site,
        &[
            &["s3.PutObject", "error=503:SlowDown:Please reduce your request rate.", "--probability", "0.2"],
            &["s3.PutObject", "error500", "--probability", "0.1", "--seed", "1"],
            &["s3.PutObject", "reset-after", "--probability", "0.1", "--seed", "2"],
            &["s3.UploadPart", "delay=500ms"],
            &["s3.CompleteMultipartUpload", "reset-after", "--count", "1"],
        ],
    );
    let mut rounds = 0;
    loop {
        let output = customer.site.run(&customer.arguments("copy", &["--output", "json"]));
        rounds += 1;
        match output.status.code() {
            Some(0) => break,
            Some(6) if rounds < 20 => {}
            _ => panic!("{}", shown(&output)),
        }
    }
    customer.site.ok(&["local", "faults", "clear"]);
    let verified = customer.json(0, "verify", &["--deep"]);
    assert_eq!(verified["signed"]["objects"], 42, "{verified:#}");
    assert_eq!(customer.json(0, "status", &[])["homes"][0]["uploadsInProgress"], 0);
}
