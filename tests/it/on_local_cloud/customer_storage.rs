//! S3 that is throttled, failing, slow or lost under a customer's session.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::faults::front;
use crate::site::{Login, Site, shown, succeeded};

/// Replaces all faults of the local cloud.
fn faults(site: &Site, rules: &[&[&str]]) {
    site.ok(&["local", "faults", "clear"]);
    for rule in rules {
        site.ok(&[&["local", "faults", "add"], *rule].concat());
    }
}

/// Uploads `name` to the customer's folder. Returns whether it succeeded, and what OpenSSH said.
fn put(site: &Site, port: u16, login: &Login, name: &str) -> (bool, String) {
    let output = site.sftp(port, login, &format!("put {name}\n"));
    (output.status.success(), shown(&output))
}

/// The content of a file of the customer as OpenSSH downloads it.
fn get(site: &Site, port: u16, login: &Login, name: &str) -> Vec<u8> {
    succeeded(name, &site.sftp(port, login, &format!("get {name} downloaded\n")));
    std::fs::read(site.dir.path().join("downloaded")).unwrap()
}

#[test]
fn faults_strike_what_a_customer_does() {
    let site = Site::deployed("");
    let login = site.add(17578, "me@example.com", "Fake-Password-1");
    let port = site.port("us-west-2");
    let small = b"an order\n".to_vec();
    // More than one part.
    let large: Vec<u8> = (0..12_u32 << 20).map(|index| u8::try_from(index % 251).unwrap()).collect();
    for (name, content) in [("small", &small), ("large", &large)] {
        std::fs::write(site.dir.path().join(name), content).unwrap();
    }

    // A call that S3 throttles, answers slowly or whose answer is lost is made again, and the customer sees nothing.
    for rule in [
        ["s3.PutObject", "throttle", "--count", "2"],
        ["s3.PutObject", "reset-after", "--count", "1"],
        ["s3.GetObject", "error500", "--count", "1"],
        ["s3.GetObject", "delay=300ms", "--count", "1"],
    ] {
        faults(&site, &[&rule]);
        let (uploaded, said) = put(&site, port, &login, "small");
        assert!(uploaded, "{rule:?}: {said}");
        assert_eq!(get(&site, port, &login, "small"), small, "{rule:?}");
        let list = site.ok(&["local", "faults", "list", "--output", "json"]);
        let list: serde_json::Value = serde_json::from_str(&list).unwrap();
        assert_eq!(list["rules"][0]["applied"].to_string(), rule[3], "{rule:?} struck: {list}");
    }

    // S3 fails for good: the client is told, nothing half-written is left, and the earlier file stays.
    faults(&site, &[&["s3.UploadPart", "error500"], &["s3.PutObject", "error=503:ServiceUnavailable:down"]]);
    for name in ["small", "large"] {
        let (uploaded, said) = put(&site, port, &login, name);
        assert!(!uploaded && said.contains("Failure"), "{name}: {said}");
    }
    let calls = front(&site, "GET", "calls");
    assert_eq!(calls["calls"]["s3.AbortMultipartUpload"], 1, "abandoned parts would be billed: {calls}");
    faults(&site, &[]);
    let listed = succeeded("ls", &site.sftp(port, &login, "ls\n"));
    assert!(listed.contains("small") && !listed.contains("large"), "{listed}");
    assert_eq!(get(&site, port, &login, "small"), small);
    let (uploaded, said) = put(&site, port, &login, "large");
    assert!(uploaded, "{said}");
    assert_eq!(get(&site, port, &login, "large"), large);
}
