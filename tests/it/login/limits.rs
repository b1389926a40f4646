//! Large files, many customers, and what breaks off.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::shared;
use crate::site::{Site, shown, until};

const WEST: &str = "us-west-2";
const BUCKET: &str = "pl-pt99-5-uploads";

/// MB of the front's memory, by a field of /proc/PID/status: proc(5).
fn memory(site: &Site, field: &str) -> u64 {
    let pid = site.status()["pid"].as_u64().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap() / 1024
}

/// 256 MB, or as many as `SFTPCTL_TEST_UPLOAD_MB` says: 1024 shows what the README claims, and takes its time.
#[test]
fn a_large_upload_goes_through_in_flat_memory() {
    let site = Site::deployed("");
    let login = site.add(5001, "bulk", "correct horse");
    let port = site.port(WEST);
    let size: u64 = std::env::var("SFTPCTL_TEST_UPLOAD_MB").map_or(256, |size| size.parse().unwrap());
    let file = std::fs::File::create(site.dir.path().join("large.bin")).unwrap();
    file.set_len(size << 20).unwrap();
    assert!(site.admits(port, &login));
    let before = memory(&site, "VmRSS:");
    let put = site.sftp(port, &login, "put large.bin\nls -l\n");
    assert!(put.status.success() && shown(&put).contains(&(size << 20).to_string()), "{}", shown(&put));
    let peak = memory(&site, "VmHWM:");
    assert!(peak < before + 150, "{size} MB: {before} MB before, {peak} MB at the peak");
    let get = site.sftp(port, &login, "get large.bin back.bin\nrm large.bin\n");
    assert!(get.status.success(), "{}", shown(&get));
    assert_eq!(std::fs::metadata(site.dir.path().join("back.bin")).unwrap().len(), size << 20);
    let peak = memory(&site, "VmHWM:");
    assert!(peak < before + 150, "{size} MB back: {before} MB before, {peak} MB at the peak");
}

#[test]
fn an_upload_that_breaks_off_leaves_nothing() {
    let site = shared();
    let login = site.add(5002, "unlucky", "correct horse");
    for size in ["100000", "12000000"] {
        site.paramiko_ok(site.port(WEST), &login, &["breaks-off", "half.bin", size]);
        until("parts given up", || (site.oracle("door.py", &["uploads", BUCKET]) == "0").then_some(()));
        assert_eq!(site.oracle("door.py", &["keys", BUCKET, "5002/"]), r#"["5002/"]"#, "{size}");
    }
}

#[test]
fn fifty_customers_at_once() {
    let site = shared();
    let login = site.add(5003, "crowd", "correct horse");
    site.paramiko_ok(site.port(WEST), &login, &["crowd", "50"]);
}

#[test]
fn wrong_passwords_end_the_connection() {
    let site = shared();
    let login = crate::site::Login::new("guesser", "wrong");
    let mut command = site.openssh("ssh", &login);
    command.args(["-v", "-o", "LogLevel=VERBOSE", "-o", "NumberOfPasswordPrompts=30", "-p"]);
    command.args([&site.port(WEST).to_string(), "guesser@127.0.0.1"]);
    let output = crate::site::with_input(&mut command, b"");
    assert!(!output.status.success());
    let refusals = shown(&output).matches("Permission denied").count();
    assert!((3..10).contains(&refusals), "{refusals}: {}", shown(&output));
}
