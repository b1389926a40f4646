//! The local cloud's manners, each compared with MiniStack as it is, by botocore.

use serde_json::Value;
use sftpctl_testkit::programs::root;

use crate::site::Site;

/// Every manner has a check in `manners.py` that fails while the manner is off, and a row in the documentation.
#[test]
fn every_manner_answers_as_aws_does() {
    let site = Site::with_times(&["--server-start-time", "0s"]);
    let listed: Value = serde_json::from_str(&site.ok(&["local", "manners", "--output", "json"])).unwrap();
    let manners = listed.as_array().or_else(|| listed["manners"].as_array()).unwrap();
    let documented = std::fs::read_to_string(root().join("docs/local-cloud.md")).unwrap();
    for manner in manners {
        let text = |member: &str| manner[member].as_str().unwrap().to_owned();
        let row = format!("| `{}` | {} | {} |\n", text("name"), text("aws"), text("source"));
        assert!(documented.contains(&row), "docs/local-cloud.md lacks {row}");
    }
    assert_eq!(site.oracle("manners.py", &[]), format!("{} manners", manners.len()));
}
