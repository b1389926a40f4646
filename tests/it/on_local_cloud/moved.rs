//! A cluster that is renamed keeps its bucket, and its customers their files.

use serde_json::Value;

use crate::site::{Site, shown, succeeded};

const MOVED: &str = "\nmoved: [{ from: 99-5, to: 99-7 }]\n";

#[test]
fn a_renamed_cluster_keeps_its_bucket_and_its_customers() {
    let site = Site::deployed("files: { events: true }\nalarms: { dead_letters: true }\n");
    let jan = site.add(17578, "jan", "Fake-password-1");
    let port = site.port("us-west-2");
    let put = site.sftp(port, &jan, "put environments/99.yaml a.yaml\n");
    assert!(put.status.success(), "{put:?}");

    // Without a line about it, the bucket would be retired and an empty one created.
    site.edit(|file| file.replace("  99-5: us-west-2", "  99-7: us-west-2"));
    let arguments = ["plan", "--env", "99", "--local"];
    let without = site.ok(&arguments);
    let lost = "UploadBucket99x2d5 (AWS::S3::Bucket): exists → leaves the stack and is kept";
    assert!(without.contains(lost) && without.contains("UploadBucket99x2d7"), "{without}");

    site.edit(|file| file + MOVED);
    let text = site.ok(&arguments);
    let line = "Moved: cluster 99-7 was 99-5; it keeps the bucket pl-pt99-5-uploads";
    assert!(text.contains("Nothing to do") && text.contains(line), "{text}");
    let json = site.ok(&[&arguments[..], &["--output", "json"]].concat());
    let plan: Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    let moved = serde_json::json!([{ "from": "99-5", "to": "99-7", "bucket": "pl-pt99-5-uploads" }]);
    assert_eq!((&plan["steps"], &plan["moved"]), (&serde_json::json!([]), &moved));
    assert!(site.deploy().contains(line));
    site.ok(&["drift", "--env", "99", "--local"]);

    // Old customers find their files, and new ones are added by the new name.
    assert!(site.admits(port, &jan));
    let listed = String::from_utf8(site.sftp(port, &jan, "ls\n").stdout).unwrap();
    assert!(listed.contains("a.yaml"), "{listed}");
    let add = ["add", "--orgid", "17579", "--username", "els", "--cluster", "99-7", "--password-stdin"];
    succeeded("els", &site.users(&add, "Fake-password-2"));
    let list = site.ok(&["users", "list", "--env", "99", "--local", "--cluster", "99-7", "--output", "json"]);
    assert!(list.contains("jan") && list.contains("els") && list.contains("/pl-pt99-5-uploads/17579"), "{list}");
    let old = ["add", "--orgid", "17580", "--username", "old", "--cluster", "99-5", "--password-stdin"];
    let old = site.users(&old, "Fake-password-3");
    assert!(old.status.code() == Some(2) && shown(&old).contains("99-7"), "{}", shown(&old));
    assert!(site.ok(&["policy", "agent", "--env", "99", "--cluster", "99-7"]).contains("pl-pt99-5-uploads"));
}
