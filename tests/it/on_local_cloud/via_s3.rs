//! `users import --via-s3`: DynamoDB creates the account table from objects beside the state.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Stdio;

use serde_json::Value;

use super::faults::front;
use super::users_import::{faults, import, many, table};
use crate::site::{Login, Site, shown, until};

const BUCKET: &str = "company-states";
const STATE: &str = "s3://company-states/runs";

/// The arguments of such an import.
fn via_s3<'a>(more: &[&'a str]) -> Vec<&'a str> {
    import("csv:all.csv", &[&["--via-s3", "--state", STATE], more].concat())
}

/// The status of the table; `None` without one.
fn status(site: &Site) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let dynamodb = site.aws_of("111111111111").await.dynamodb("us-west-2");
        Some(dynamodb.table("dydb-99-uploads").await.unwrap()?.status)
    })
}

/// The versions of the objects of imports that are left in the bucket.
fn left(site: &Site) -> usize {
    objects(site).len()
}

/// Their keys.
fn objects(site: &Site) -> Vec<String> {
    kept(site, "runs/99.import/")
}

/// The keys of all versions below a prefix.
fn kept(site: &Site, prefix: &str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let s3 = site.aws_of("111111111111").await.s3("us-west-2");
        let versions = s3.versions_below(BUCKET, prefix).await.unwrap();
        versions.into_iter().map(|version| version.key().to_owned()).collect()
    })
}

fn put(site: &Site, key: &str, content: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let s3 = site.aws_of("111111111111").await.s3("us-west-2");
        s3.put_object(BUCKET, key, content.as_bytes().to_vec(), "111111111111").await.unwrap();
    });
}

fn calls(site: &Site, call: &str) -> u64 {
    front(site, "GET", "calls")["calls"][call].as_u64().unwrap_or_default()
}

#[test]
fn dynamodb_creates_the_table_that_a_deployment_completes() {
    let site = Site::new();
    site.aws(&["state-bucket", BUCKET]);
    many(1_200, 50_000).save(&site, "all.csv");
    let refused = site.ends_with(2, &import("csv:all.csv", &["--via-s3"]));
    assert!(refused.contains("the state is in the folder"), "{refused}");
    // A rehearsal says what the run would, is refused where the run would be, and leaves nothing.
    site.aws(&["versioning", BUCKET, "Suspended"]);
    let refused = site.ends_with(2, &via_s3(&["--dry-run"]));
    assert!(refused.contains("the bucket does not keep versions"), "{refused}");
    site.aws(&["versioning", BUCKET, "Enabled"]);
    let tried = site.run(&via_s3(&["--dry-run"]));
    assert!(tried.status.success() && shown(&tried).contains("2,400 items"), "{}", crate::site::shown(&tried));
    assert_eq!(kept(&site, "runs/"), [""; 0]);
    let output = site.run(&via_s3(&["--output", "json"]));
    let shown = crate::site::succeeded("import", &output);
    let result: Value = serde_json::from_str(shown.lines().last().unwrap()).unwrap();
    assert_eq!((&result["counts"]["new"], &result["written"]["new"]), (&1_200.into(), &1_200.into()), "{shown}");
    let estimate = String::from_utf8(output.stderr).unwrap();
    assert!(estimate.contains("2,400 items") && estimate.contains("DynamoDB charges about $0.00"), "{estimate}");
    assert_eq!(left(&site), 0, "the objects have hashes of passwords");
    let (accounts, reserved) = table(&site);
    assert_eq!((accounts.len(), reserved.len()), (1_200, 1_200));

    // The table is ours now: another import of this kind has nothing to create.
    let refused = site.ends_with(3, &via_s3(&[]));
    assert!(refused.contains("the table dydb-99-uploads exists"), "{refused}");
    site.ok(&["deploy", "--env", "99", "--local", "--yes", "--no-verify", "--state", STATE]);
    assert_eq!(site.planned(), Vec::<String>::new());
    let again = site.ok(&import("csv:all.csv", &["--state", STATE]));
    assert!(again.contains("1,200  the same in the table") && again.contains("nothing to write"), "{again}");
    let login = Login::new("customer50007", "Fake-Password-1");
    assert!(site.admits(site.port("us-west-2"), &login) && site.admits(site.port("us-east-2"), &login));
}

/// Items that DynamoDB refuses are counted, and its reasons are read from its log.
#[test]
fn refused_items_are_told_with_their_reasons() {
    let site = Site::new();
    site.aws(&["state-bucket", BUCKET]);
    many(20, 50_000).save(&site, "all.csv");
    faults(&site, &[&["dynamodb.ImportTable", "hold-before"]]);
    let child = site.command(&via_s3(&[])).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let key = until("the objects", || objects(&site).into_iter().next());
    until("the import", || (calls(&site, "dynamodb.ImportTable") > 0).then_some(()));
    // Somebody writes beside them: an item without its key, and a line that is not one.
    let folder = key.rsplit_once('/').unwrap().0;
    put(&site, &format!("{folder}/900000.json"), "{\"Item\":{\"username\":{\"S\":\"jan\"}}}\n{\"Item\":\n");
    faults(&site, &[]);
    let output = child.wait_with_output().unwrap();
    let said = shown(&output);
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(said.contains("and refused 2: ItemValidationError"), "{said}");
    assert!(said.matches(" of 900000.json: ").count() == 2 && said.contains("orgid"), "{said}");
    assert_eq!((objects(&site), table(&site).0.len()), (Vec::new(), 20));
}

#[test]
fn killed_import_is_finished_by_the_same_command() {
    let site = Site::new();
    site.aws(&["state-bucket", BUCKET]);
    many(300, 50_000).save(&site, "all.csv");
    let mut killed = site.command(&via_s3(&[])).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the table", || status(&site));
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(left(&site) > 0, "the first run was killed after it had deleted the objects");
    let finished = site.ok(&via_s3(&[]));
    assert!(finished.contains("600 items were imported by the earlier run"), "{finished}");
    assert_eq!(left(&site), 0);
    assert_eq!(table(&site).0.len(), 300);
    assert!(site.ends_with(3, &via_s3(&[])).contains("exists"));
}
