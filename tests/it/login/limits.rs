//! Large, broken off, and many at once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::FileExt as _;

use super::shared;
use crate::site::{Site, succeeded, until};

const WEST: &str = "us-west-2";
const BUCKET: &str = "pl-pt99-5-uploads";

/// The most memory that the front has used so far, in kB (proc(5), `VmHWM`).
fn front_memory(site: &Site) -> u64 {
    let pid = site.status()["pid"].as_u64().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_gigabyte_goes_up_in_little_memory() {
    let site = shared();
    let login = site.add(5001, "heavy", "secret");
    // Sparse here, a gigabyte on the wire and in the bucket; its two ends are marked.
    let file = std::fs::File::create(site.dir.path().join("large")).unwrap();
    file.set_len(1 << 30).unwrap();
    file.write_at(b"begin", 0).unwrap();
    file.write_at(b"end", (1 << 30) - 3).unwrap();
    let before = front_memory(&site);
    succeeded("put", &site.sftp(site.port(WEST), &login, "put large\n"));
    let grown = front_memory(&site).saturating_sub(before) / 1024;
    // Eight parts of 8 MiB under way would be more than half of this.
    assert!(grown < 200, "the front grew by {grown} MB for an upload of 1 GB");
    let listed = succeeded("ls", &site.sftp(site.port(WEST), &login, "ls -l large\n"));
    assert!(listed.contains("1073741824"), "{listed}");
    succeeded("rm", &site.sftp(site.port(WEST), &login, "rm large\n"));
}

#[test]
fn an_upload_that_breaks_off_leaves_nothing() {
    let site = shared();
    let login = site.add(5002, "broken.off", "secret");
    for size in ["100000", "30000000"] {
        site.paramiko_ok(site.port(WEST), &login, &["breaks-off", "half", size]);
    }
    until("the parts are gone", || (site.oracle("door.py", &["uploads", BUCKET]) == "0").then_some(()));
    assert_eq!(site.oracle("door.py", &["keys", BUCKET, "5002/"]), r#"["5002/"]"#);
}

#[test]
fn fifty_customers_at_once() {
    let site = shared();
    let login = site.add(5003, "crowd", "secret");
    site.paramiko_ok(site.port(WEST), &login, &["crowd", "50"]);
}
