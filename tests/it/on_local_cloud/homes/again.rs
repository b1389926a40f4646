//! What comes after a first cut-over: all homes by one command, a second cut-over, and accounts that somebody disabled.

use std::os::unix::fs::{MetadataExt as _, symlink};
use std::process::Command;

use super::*;
use crate::on_local_cloud::users_import::faults;

/// The arguments of a cut-over of a home that needs no decisions, by a folder that stands for the mount.
const PLAIN: [&str; 4] = ["--mount", "mount", "--yes", "--allow-chroot"];

impl Customer {
    fn all<'a>(&self, verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        [&["homes", verb, "--env", "99", "--local", "--root", "home", "--all"], more].concat()
    }

    fn with_mount() -> Self {
        let customer = Self::new();
        std::fs::create_dir_all(customer.path("mount/17578")).unwrap();
        customer
    }

    fn session(&self, what: &str, commands: &str) {
        succeeded(what, &self.site.sftp(self.site.port("us-west-2"), &self.login, commands));
    }
}

fn s3(customer: &Customer) -> sftpctl_aws::S3 {
    block_on(async { customer.site.aws_of("111111111111").await.s3("us-west-2") })
}

/// `--all` has the homes that were cut over, although a link is in their place.
#[test]
fn all_homes_are_those_that_were_cut_over_too() {
    let customer = Customer::with_mount();
    customer.write("file", "x");
    let frozen = [&PLAIN[..], &["--frozen"]].concat();
    // The account is disabled, and cannot be enabled at the end.
    succeeded("disable", &customer.site.users(&["disable", "--orgid", "17578"], ""));
    faults(&customer.site, &[&["dynamodb.*", "error=400:AccessDeniedException:no", "--only", "mutating"]]);
    let output = customer.site.run(&customer.all("cutover", &frozen));
    assert_ne!(output.status.code(), Some(0), "{}", shown(&output));
    assert!(customer.is_link());
    customer.site.ok(&["local", "faults", "clear"]);
    let resumed = customer.site.ok(&customer.all("cutover", &frozen));
    assert!(resumed.contains("home 17578: cut over"), "{resumed}");
    assert!(customer.site.admits(customer.site.port("us-west-2"), &customer.login));

    let status = customer.site.ok(&customer.all("status", &[]));
    assert!(status.contains("home 17578 in") && status.contains("last step: enabled"), "{status}");
    assert!(customer.site.ok(&customer.all("verify", &[])).contains("home 17578: 2 objects compared"));
    // What was cut over is not copied, and that is said.
    for verb in ["copy", "inventory"] {
        let output = customer.site.run(&customer.all(verb, &[]));
        assert!(output.status.success() && shown(&output).contains("home 17578 was cut over"), "{}", shown(&output));
        let alone = customer.site.ends_with(3, &customer.arguments(verb, &[]));
        assert!(alone.contains("home 17578 was cut over") && alone.contains("homes rollback"), "{alone}");
    }
    // The link alone is gone.
    std::fs::remove_file(&customer.home).unwrap();
    let lost = customer.site.ends_with(6, &customer.all("rollback", &PLAIN[..3]));
    assert!(lost.contains("put it back (ln -s"), "{lost}");
    symlink(customer.path("mount/17578"), &customer.home).unwrap();
    // A home that was never cut over is none of its business.
    std::fs::create_dir(customer.path("home/17577")).unwrap();
    let back = customer.site.ok(&customer.all("rollback", &PLAIN[..3]));
    assert!(back.contains("home 17578: rolled back") && !back.contains("17577"), "{back}");
    assert!(!customer.is_link());
}

/// Of many homes, one that has no account counts as a failure, and the others are cut over.
#[test]
fn a_home_without_an_account_does_not_end_a_cutover() {
    let customer = Customer::with_mount();
    customer.write("file", "x");
    std::fs::create_dir(customer.path("home/17577")).unwrap();
    // Without a question, since there is none.
    let none = customer.site.ends_with(3, &customer.all("rollback", &["--mount", "mount"]));
    assert!(none.contains("no home was cut over"), "{none}");
    let cutover = |code: i32, more: &[&str]| {
        customer.site.ends_with(code, &[&customer.all("cutover", &PLAIN)[..], &["--frozen"], more].concat())
    };
    let rehearsed = cutover(6, &["--dry-run"]);
    assert!(rehearsed.contains("or pass --cluster"), "{rehearsed}");
    assert!(rehearsed.contains("home 17578: would be cut over"), "{rehearsed}");
    let ended = cutover(3, &[]);
    assert!(ended.contains("or pass --cluster") && !customer.is_link(), "{ended}");
    let moved = cutover(6, &["--max-failures", "1"]);
    assert!(moved.contains("or pass --cluster") && moved.contains("home 17578: cut over"), "{moved}");
    assert!(customer.is_link());
}

#[test]
fn an_empty_selection_is_an_error() {
    let customer = Customer::new();
    std::fs::remove_dir(&customer.home).unwrap();
    std::fs::write(customer.path("none.txt"), "# nobody\n\n").unwrap();
    let list = ["--env", "99", "--local", "--root", "home", "--list", "none.txt"];
    for verb in ["inventory", "copy", "verify", "status", "cutover", "rollback"] {
        let more = if matches!(verb, "cutover" | "rollback") { &PLAIN[..3] } else { &[][..] };
        let frozen = if verb == "cutover" { &["--frozen"][..] } else { &[][..] };
        let all = customer.site.ends_with(2, &[&customer.all(verb, more)[..], frozen].concat());
        assert!(all.contains("there is no home in"), "{verb}: {all}");
        let listed = customer.site.ends_with(2, &[&["homes", verb][..], &list, more, frozen].concat());
        assert!(listed.contains("none.txt names no organisation"), "{verb}: {listed}");
    }
}

/// A customer uploads, replaces, makes and removes by SFTP; the home comes back, and is cut over again.
#[test]
fn a_home_that_was_used_is_cut_over_again() {
    let customer = Customer::with_mount();
    for folder in ["kept", "removed", "full"] {
        std::fs::create_dir(customer.home.join(folder)).unwrap();
    }
    for name in ["plain", "replaced", "deleted", "renamed", "full/in"] {
        customer.write(name, format!("{name} of the old server"));
    }
    symlink("plain", customer.home.join("link")).unwrap();
    let cutover = [&PLAIN[..], &["--frozen", "--links", "marker"]].concat();
    customer.json(0, "cutover", &cutover);
    for round in ["first", "second"] {
        customer.upload("replaced", &format!("replaced in the {round} round"));
        customer.upload(&format!("new-{round}"), "new");
        customer.session(
            "a session",
            &format!("mkdir made-{round}\nput upload made-{round}/in\nrm deleted\nrmdir removed\nrename renamed moved-{round}\n"),
        );
        let back = customer.json(0, "rollback", &["--mount", "mount", "--yes"]);
        assert!(!customer.is_link() && back["leftCount"] == 0 && back["besideCount"] == 0, "{back:#}");
        let copied = customer.json(0, "copy", &["--links", "marker"]);
        assert_eq!((&copied["isComplete"], &copied["left"]), (&true.into(), &0.into()), "{copied:#}");
        for depth in [&[][..], &["--deep"], &["--quick"]] {
            let verified = customer.json(0, "verify", depth);
            assert!(verified["signed"].is_object(), "{depth:?}: {verified:#}");
        }
        // Nothing is deleted on the disk, and what is there is in S3 again.
        let stored = customer.stored();
        let content = format!("replaced in the {round} round");
        assert_eq!(stored["replaced"].1, content.as_bytes());
        assert_eq!(stored["deleted"].1, b"deleted of the old server");
        assert!(stored.contains_key("removed/") && stored.contains_key(&format!("made-{round}/in")));
        assert_eq!(std::fs::read_to_string(customer.home.join("replaced")).unwrap(), content);
        let moved = std::fs::read_to_string(customer.home.join(format!("moved-{round}"))).unwrap();
        assert_eq!(moved, "renamed of the old server");
        let again = customer.json(0, "cutover", &cutover);
        assert!(customer.is_link() && again.get("notes").is_none(), "{again:#}");
        let port = customer.site.port("us-west-2");
        assert!(customer.site.admits(port, &customer.login), "the roll-back's disabling is undone");
    }
}

/// What others have deleted or replaced in S3 since is not taken for stored.
#[test]
fn what_is_gone_from_s3_is_sent_again_and_what_was_replaced_is_left() {
    let customer = Customer::new();
    for name in ["same", "missing", "replaced", "swapped"] {
        customer.write(name, name);
    }
    std::fs::create_dir(customer.home.join("folder")).unwrap();
    std::fs::hard_link(customer.home.join("missing"), customer.home.join("other-name")).unwrap();
    customer.json(0, "copy", &[]);
    let s3 = s3(&customer);
    block_on(async {
        for key in ["17578/missing", "17578/other-name", "17578/folder/"] {
            s3.delete_object(BUCKET, key).await.unwrap();
        }
        s3.put_object(BUCKET, "17578/replaced", b"else".to_vec(), "111111111111").await.unwrap();
        s3.put_object(BUCKET, "17578/swapped", b"deppaws".to_vec(), "111111111111").await.unwrap();
    });
    let copied = customer.json(6, "copy", &[]);
    assert_eq!((&copied["stored"], &copied["leftByReason"]["conflict"]), (&3.into(), &2.into()), "{copied:#}");
    let stored = customer.stored();
    let of = |name: &str| stored[name].1.clone();
    assert_eq!((of("missing"), of("other-name"), of("folder/")), (b"missing".into(), b"missing".into(), b"".into()));
    assert_eq!((of("replaced"), of("swapped")), (b"else".to_vec(), b"deppaws".to_vec()), "not ours to replace");
    customer.json(0, "copy", &["--skip", "conflict"]);
    let verified = customer.json(0, "verify", &[]);
    assert_eq!(verified["signed"]["objects"], 5, "{verified:#}");
    // Of a file that is gone from both there is nothing to decide.
    std::fs::remove_file(customer.home.join("same")).unwrap();
    block_on(async { s3.delete_object(BUCKET, "17578/same").await.unwrap() });
    assert_eq!(customer.json(0, "copy", &["--skip", "conflict"])["gone"], 0);
}

/// Names that customers give in S3 and that the old folder has for something else do not keep a home from coming back.
#[test]
fn objects_whose_names_are_taken_come_back_beside() {
    let customer = Customer::with_mount();
    for name in ["a", "b", "other"] {
        customer.write(name, format!("{name} of the old server"));
    }
    std::fs::create_dir(customer.home.join("d")).unwrap();
    customer.write("d/in", "in the old folder");
    let cutover = [&PLAIN[..], &["--frozen", "--links", "marker"]].concat();
    symlink("d", customer.home.join("lnk")).unwrap();
    customer.json(0, "cutover", &cutover);
    std::fs::write(customer.path("upload"), "of the customer").unwrap();
    // A file becomes a folder, and a folder a file; others are below a file, and below a link.
    customer.session("remove", "rm a\nmkdir a\nput upload a/in\nrm d/in\nrmdir d\nput upload d\n");
    // Somebody writes into the old folder, and the customer the same file.
    let kept = customer.path("home/.17578.before-cutover");
    std::fs::write(kept.join("other"), "written late").unwrap();
    customer.upload("other", "of the customer");
    let s3 = s3(&customer);
    block_on(async {
        for key in ["17578/b/z", "17578/lnk/y", "17578/other/1", "17578/other/2", "17578/other/3"] {
            s3.put_object(BUCKET, key, key.as_bytes().to_vec(), "111111111111").await.unwrap();
        }
    });
    let back = customer.json(0, "rollback", &["--mount", "mount", "--yes", "--report", "elsewhere.csv"]);
    assert!(!customer.is_link(), "{back:#}");
    let expected = ["a/", "a/in", "b/z", "d", "lnk/y", "other", "other/1", "other/2", "other/3"];
    let mut keys: Vec<&str> =
        back["beside"].as_array().unwrap().iter().map(|beside| beside["key"].as_str().unwrap()).collect();
    keys.sort_unstable();
    assert_eq!(keys, expected.map(|key| format!("17578/{key}")), "every one is named: {back:#}");
    let report = std::fs::read_to_string(customer.path("elsewhere.csv")).unwrap();
    assert_eq!(report.lines().count(), 1 + expected.len(), "{report}");
    assert!(report.contains("17578,17578/b/z,b.from-s3/z,beside,"), "{report}");
    let read = |name: &str| std::fs::read_to_string(customer.home.join(name)).unwrap();
    assert_eq!((read("a"), read("b")), ("a of the old server".into(), "b of the old server".into()));
    assert_eq!((read("b.from-s3/z"), read("lnk.from-s3/y")), ("17578/b/z".into(), "17578/lnk/y".into()));
    assert_eq!((read("other"), read("other.from-s3")), ("written late".into(), "of the customer".into()));
    assert_eq!((read("d/in"), read("d.from-s3")), ("in the old folder".into(), "of the customer".into()));
    assert!(customer.home.join("a.from-s3/in").exists() && customer.home.join("other.from-s3-2/3").exists());
    // Once more: nothing is brought back twice.
    let before = nasty::tree(&customer.home);
    let again = customer.json(0, "rollback", &["--mount", "mount", "--yes"]);
    assert_eq!((&again["returned"], nasty::tree(&customer.home)), (&0.into(), before), "{again:#}");
    // And the home can be cut over.
    customer.json(0, "copy", &["--links", "marker"]);
    customer.json(0, "verify", &["--deep"]);
    customer.json(0, "cutover", &cutover);
    let stored = customer.stored();
    assert_eq!(
        (&stored["other"].1[..], &stored["other.from-s3"].1[..]),
        (&b"written late"[..], &b"of the customer"[..])
    );
}

/// What an application changes through s3fs is in the keys of s3fs, beside those that the copy has written.
#[test]
fn metadata_of_s3fs_is_newer() {
    let customer = Customer::with_mount();
    for name in ["chmod", "written", "touched", "old"] {
        customer.write(name, "of the old server");
    }
    customer.json(0, "cutover", &[&PLAIN[..], &["--frozen", "--s3fs-metadata"]].concat());
    let stored = customer.stored();
    let s3 = s3(&customer);
    let changed = |name: &str, changes: &[(&str, &str)]| {
        let mut metadata = stored[name].0.metadata.clone();
        metadata.extend(changes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        metadata
    };
    block_on(async {
        // As s3fs does it: an object is copied onto itself with other metadata, or written with its own.
        for (name, changes) in
            [("chmod", &[("mode", "33152"), ("uid", "1234")][..]), ("touched", &[("mtime", "1500000000.250000000")])]
        {
            let key = format!("17578/{name}");
            let (etag, metadata) = (stored[name].0.etag.clone(), changed(name, changes));
            let expected = sftpctl_aws::Expected::Etag(&etag);
            s3.copy_whole(BUCKET, (&key, &etag), &key, &metadata, expected).await.unwrap();
        }
        for (name, changes) in [("written", &[("mtime", "1600000000"), ("mode", "33184")][..]), ("old", &[])] {
            let (body, metadata) = (b"of the application".to_vec(), changed(name, changes));
            let sum = sftpctl_files::checksum::text(sftpctl_files::checksum::of(&body));
            let expected = sftpctl_aws::Expected::Etag(&stored[name].0.etag);
            let key = format!("17578/{name}");
            s3.put_whole((BUCKET, &key), body.into(), &sum, &metadata, expected).await.unwrap();
        }
    });
    let before = nasty::tree(&customer.path("home/.17578.before-cutover"));
    customer.json(0, "rollback", &["--mount", "mount", "--yes"]);
    let facts = |name: &str| std::fs::metadata(customer.home.join(name)).unwrap();
    assert_eq!(facts("chmod").mode(), 0o100_600);
    assert_eq!(facts("chmod").uid(), 1234, "only root can give files away: run this test as root");
    assert_eq!((facts("touched").mtime(), facts("touched").mtime_nsec()), (1_500_000_000, 250_000_000));
    assert_eq!((facts("written").mtime(), facts("written").mode()), (1_600_000_000, 0o100_640));
    // New content with the old time gets that of its version, and not the one of the copy.
    let modified = customer.stored()["old"].0.modified;
    assert_eq!(facts("old").mtime(), modified);
    assert_ne!(nasty::tree(&customer.home)[&b"old"[..]], before[&b"old"[..]]);
}

/// Two folders that would be one in S3 are left with everything in them.
#[test]
fn folders_of_one_key_are_not_merged() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let customer = Customer::new();
    for (folder, file) in [(&b"caf\xe9"[..], "latin"), ("café".as_bytes(), "utf-8")] {
        let folder = customer.home.join(OsStr::from_bytes(folder));
        std::fs::create_dir_all(folder.join("sub")).unwrap();
        std::fs::write(folder.join("sub").join(file), "x").unwrap();
    }
    customer.write("plain", "x");
    let charset = ["--name-charset", "cp1252"];
    let found = customer.json(0, "inventory", &charset);
    assert_eq!(found["concerns"]["same-key"]["left"], 6, "{found:#}");
    let copied = customer.json(6, "copy", &charset);
    assert_eq!((&copied["leftByReason"]["same-key"], &copied["stored"]), (&6.into(), &2.into()), "{copied:#}");
    let skipped = customer.json(0, "copy", &[&charset[..], &["--skip", "same-key"]].concat());
    assert_eq!(skipped["skippedByReason"]["same-key"], 6, "{skipped:#}");
    assert_eq!(customer.stored().into_keys().collect::<Vec<_>>(), ["", "plain"]);
    customer.json(0, "verify", &[]);
}

/// An absolute link to a file of the home is one into the home.
#[test]
fn absolute_links_into_the_home_are_copied() {
    let customer = Customer::new();
    std::fs::create_dir(customer.home.join("sub")).unwrap();
    customer.write("plain", "content");
    symlink(customer.home.join("plain"), customer.home.join("sub/absolute")).unwrap();
    symlink("../plain", customer.home.join("sub/relative")).unwrap();
    let copied = customer.json(0, "copy", &["--links", "copy"]);
    assert_eq!((&copied["isComplete"], &copied["stored"]), (&true.into(), &5.into()), "{copied:#}");
    let stored = customer.stored();
    assert_eq!((&stored["sub/absolute"].1[..], &stored["sub/relative"].1[..]), (&b"content"[..], &b"content"[..]));
    customer.json(0, "verify", &[]);
}

/// A folder that somebody made in the place of the link is not taken for the home.
#[test]
fn another_folder_in_the_place_of_the_link_is_refused() {
    let customer = Customer::with_mount();
    customer.write("file", "of the old server");
    customer.json(0, "cutover", &[&PLAIN[..], &["--frozen"]].concat());
    customer.upload("new", "of the customer");
    std::fs::remove_file(&customer.home).unwrap();
    std::fs::create_dir(&customer.home).unwrap();
    let rollback = ["--mount", "mount", "--yes"];
    let refused = customer.json(3, "rollback", &rollback);
    assert!(refused["error"].as_str().unwrap().contains("is not the folder that was cut over"), "{refused}");
    assert!(refused["hint"].as_str().unwrap().contains(".17578.before-cutover"), "{refused}");
    assert_eq!(std::fs::read_dir(&customer.home).unwrap().count(), 0);
    assert!(customer.site.admits(customer.site.port("us-west-2"), &customer.login), "nothing was done");
    // The folder that was kept may be put back by hand.
    std::fs::remove_dir(&customer.home).unwrap();
    std::fs::rename(customer.path("home/.17578.before-cutover"), &customer.home).unwrap();
    customer.json(0, "rollback", &rollback);
    assert_eq!(std::fs::read_to_string(customer.home.join("new")).unwrap(), "of the customer");
}

/// An account that an operator has disabled stays so.
#[test]
fn an_account_that_was_disabled_is_enabled_and_named_or_left() {
    let customer = Customer::with_mount();
    let port = customer.site.port("us-west-2");
    customer.write("file", "x");
    succeeded("disable", &customer.site.users(&["disable", "--orgid", "17578"], ""));
    let cutover = [&PLAIN[..], &["--frozen"]].concat();
    let left = [&cutover[..], &["--leave-disabled"]].concat();
    for _ in 0..2 {
        let moved = customer.json(0, "cutover", &left);
        assert!(moved["notes"].to_string().contains("disabled before, and stays so"), "{moved}");
        assert!(customer.is_link() && !customer.site.admits(port, &customer.login));
        // Nor is it enabled because of a roll-back that did not disable it.
        customer.json(0, "rollback", &["--mount", "mount", "--yes"]);
    }
    let moved = customer.json(0, "cutover", &cutover);
    assert!(moved["notes"].to_string().contains("disabled before, and is enabled now"), "{moved}");
    assert!(customer.site.admits(port, &customer.login));
}

/// Interrupted while the user's command runs, which the signal of a terminal ends, too.
#[test]
fn a_cutover_that_is_interrupted_during_the_freeze_says_so() {
    let customer = Customer::with_mount();
    customer.write("file", "x");
    let freeze = "touch frozen; kill -INT $PPID; kill -INT $$; sleep 60";
    let options = [&PLAIN[..], &["--freeze-command", freeze, "--thaw-command", "rm -f frozen"]].concat();
    let ended = customer.json(130, "cutover", &options);
    assert_eq!(ended["what"], "not cut over", "{ended}");
    assert!(ended["failure"].as_str().unwrap().contains("the freeze failed"), "{ended}");
    assert!(!customer.is_link() && !customer.path("frozen").exists());
}

/// Outside the hours nothing is sent, also not when the run is stopped.
#[test]
fn waiting_for_the_hours_is_said_and_can_be_stopped() {
    let customer = Customer::new();
    customer.write("file", "x");
    let hour = jiff::ZonedDateTime::now().time().hour();
    let hours = format!("{}-{}", (hour + 2) % 24, (hour + 3) % 24);
    let mut command = customer.site.command(&customer.arguments("copy", &["--hours", &hours]));
    let log = std::fs::File::create(customer.path("log")).unwrap();
    let mut run = Running(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    let read = || std::fs::read_to_string(customer.path("log")).unwrap();
    let until_hour = format!("waiting until {:02}:00", (hour + 2) % 24);
    until("the wait", || read().contains(&until_hour).then_some(()));
    succeeded("kill", &Command::new("kill").args(["-INT", &run.0.id().to_string()]).output().unwrap());
    assert_eq!(run.0.wait().unwrap().code(), Some(130), "{}", read());
    assert!(!customer.stored().contains_key("file"));
}
