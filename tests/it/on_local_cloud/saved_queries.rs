//! Saved queries of CloudWatch Logs Insights: deployed, compared and deleted with their stack.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::site::Site;

const WEST: &str = "us-west-2";
const KEPT: &str = "  retention_days: 30\n";

/// The region's saved queries, by name.
fn queries(site: &Site, region: &str) -> BTreeMap<String, Value> {
    let said = site.oracle("logs.py", &["queries", region]);
    let queries = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    queries.map(|query| (query["name"].as_str().unwrap().to_owned(), query)).collect()
}

#[test]
fn queries_come_and_go_with_the_setting_and_their_drift_is_found() {
    let site = Site::deployed("");
    site.oracle("logs.py", &["own", WEST, "other/query"]);
    assert_eq!(queries(&site, WEST).len(), 1);
    site.edit(|file| file.replace(KEPT, &format!("{KEPT}  saved_queries: true\n")));
    site.deploy();
    assert_eq!(site.planned(), Vec::<String>::new(), "a second deployment has nothing to do");
    let mut all = queries(&site, WEST);
    assert!(all.remove("other/query").is_some());
    let names: Vec<&str> = all.keys().map(String::as_str).collect();
    let expected = ["clients", "refusals by address", "refusals by reason", "slow log-ins", "uploads by customer"];
    let folder = "99-upload-us-west-2";
    let expected: Vec<String> =
        expected.iter().chain(&["who wrote a path"]).map(|name| format!("{folder}/{name}")).collect();
    assert_eq!(names, expected);
    let writer = &all[&format!("{folder}/who wrote a path")];
    assert_eq!(writer["logGroupNames"], json!(["/aws/vendedlogs/transfer/99-upload-us-west-2"]));
    assert_eq!(writer["parameters"][0]["name"], "path");
    assert!(writer["queryString"].as_str().unwrap().contains("{{path}}"), "{writer}");
    // A region without a server has a stack, too.
    assert_eq!(queries(&site, "us-east-1").len(), 6);
    site.ok(&["drift", "--env", "99", "--local"]);

    // They are the same after a restart of the local cloud.
    site.ok(&["local", "stop"]);
    site.start(&["--server-start-time", "100ms"]);
    site.ok(&["drift", "--env", "99", "--local"]);
    assert_eq!(queries(&site, WEST).len(), 7);

    site.oracle("logs.py", &["meddle", WEST, "slow log-ins"]);
    let said = site.ends_with(4, &["drift", "--env", "99", "--local"]);
    assert!(said.contains("SlowLogInsQuery") && said.contains("QueryString"), "{said}");
    site.oracle("logs.py", &["unsave", WEST, "slow log-ins"]);
    let said = site.ends_with(4, &["drift", "--env", "99", "--local"]);
    assert!(said.contains("SlowLogInsQuery"), "{said}");

    site.edit(|file| file.replace("  saved_queries: true\n", ""));
    site.deploy();
    assert_eq!(queries(&site, WEST).keys().collect::<Vec<_>>(), ["other/query"], "only another's is left");
    site.edit(|file| file.replace(KEPT, &format!("{KEPT}  saved_queries: true\n")));
    site.deploy();
    site.teardown_with_data(&[]);
    assert_eq!(queries(&site, WEST).keys().collect::<Vec<_>>(), ["other/query"]);
    assert!(queries(&site, "us-east-1").is_empty());
}
