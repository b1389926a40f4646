//! The environment file: what is refused, where, and with which words.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use rstest::rstest;
use sftpctl::spec;

const MINIMAL: &str = "\
version: 1
environment: \"99\"
account: \"111111111111\"
home_region: us-west-2
regions:
  us-west-2: { server: true }
clusters:
  99-0: us-west-2
";

/// Every fault as `line:column message | hint`.
fn faults(source: &str) -> Vec<String> {
    let faults = spec::load(source, "x.yaml").unwrap_err();
    let line =
        |f: &spec::Fault| format!("{}:{} {} | {}", f.line, f.column, f.message, f.hint.clone().unwrap_or_default());
    faults.list().iter().map(line).collect()
}

#[test]
fn a_minimal_environment_is_short_and_sound() {
    assert!(MINIMAL.lines().count() < 15);
    let environment = spec::load(MINIMAL, "x.yaml").unwrap();
    assert_eq!(environment.table.name, "dydb-99-uploads");
    assert_eq!(environment.table.regions, ["us-west-2"]);
}

#[test]
fn the_shipped_environments_are_sound() {
    for name in ["99", "prod"] {
        let path = format!("{}/environments/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        let environment = spec::load(&std::fs::read_to_string(&path).unwrap(), &path).unwrap();
        assert_eq!(environment.name, name);
        assert_eq!(environment.regions.len(), 3);
    }
}

#[rstest]
#[case::unknown_key("clusters:", "clustres:", "there is no setting `clustres` here", "did you mean `clusters`?")]
#[case::missing_key("version: 1\n", "", "the setting `version` is missing", "")]
#[case::duplicate_key("version: 1\n", "version: 1\nversion: 1\n", "duplicate", "")]
#[case::wrong_type("{ server: true }", "{ server: perhaps }", "bool", "")]
#[case::bad_region(
    "  us-west-2: { server",
    "  us-wets-2: { server",
    "there is no region `us-wets-2`",
    "did you mean `us-west-2`?"
)]
#[case::bad_home("home_region: us-west-2", "home_region: eu-wst-1", "there is no region `eu-wst-1`", "did you mean")]
#[case::account("\"111111111111\"", "\"1111\"", "`1111` is no AWS account: it has 4 characters", "twelve digits")]
#[case::bucket_case("99-0: us-west-2", "99_A: us-west-2", "has `_`", "cluster")]
#[case::bucket_length(
    "99-0: us-west-2",
    "99-0123456789012345678901234567890123456789012345678901: us-west-2",
    "S3 takes 3 to 63",
    ""
)]
#[case::duplicate_cluster("  99-0: us-west-2\n", "  99-0: us-west-2\n  99-0: us-west-2\n", "duplicate", "")]
#[case::cluster_elsewhere("99-0: us-west-2", "99-0: eu-west-1", "which is not among `regions`", "move the cluster")]
#[case::home_not_listed("home_region: us-west-2", "home_region: us-east-1", "is not among `regions`", "add")]
#[case::table_without_server_region(
    "clusters:",
    "table: { regions: [us-east-1] }\nclusters:",
    "us-west-2 has a server but no replica",
    "table.regions"
)]
#[case::table_without_home(
    "clusters:",
    "table: { regions: [us-east-1] }\nclusters:",
    "no replica in the home region",
    "table.regions"
)]
#[case::table_name("clusters:", "table: { name: a }\nclusters:", "DynamoDB takes no table name `a`", "3 to 255")]
#[case::environment_name("\"99\"", "\"9 9\"", "`9 9` cannot be part of names", "letters")]
#[case::version("version: 1", "version: 2", "version 2 of the format is not known", "newer")]
#[case::retention("clusters:", "logs: { retention_days: 31 }\nclusters:", "31 days", "nearest it takes is 30")]
#[case::memory("clusters:", "authorizer: { memory_mb: 64 }\nclusters:", "AWS takes 128 to 10240", "")]
#[case::timeout("clusters:", "authorizer: { timeout_seconds: 60 }\nclusters:", "AWS takes 1 to 29", "")]
#[case::architecture(
    "clusters:",
    "authorizer: { architecture: arm }\nclusters:",
    "no architecture",
    "did you mean `arm64`?"
)]
#[case::security_policy(
    "clusters:",
    "server: { security_policy: TransferSecurityPolicy-2025-3 }\nclusters:",
    "no security policy",
    "did you mean `TransferSecurityPolicy-2025-03`?"
)]
#[case::role("clusters:", "names: { user_role: \"a b\" }\nclusters:", "IAM takes no role name `a b`", "")]
#[case::code_bucket("clusters:", "names: { code_bucket_prefix: Lambda }\nclusters:", "has `L`", "")]
#[case::zone("clusters:", "dns: { zone: XX }\nclusters:", "`XX` is no DNS zone", "lower case")]
#[case::alias(
    "clusters:",
    "dns: { zone: xx.net, aliases: { a.yy.net: us-west-2 } }\nclusters:",
    "no name in the zone xx.net",
    ""
)]
#[case::alias_region(
    "clusters:",
    "dns: { zone: xx.net, aliases: { a.xx.net: us-east-1 } }\nclusters:",
    "there is no server in us-east-1",
    ""
)]
#[case::tag("clusters:", "tags: { \"aws:x\": y }\nclusters:", "reserved", "")]
#[case::topic(
    "clusters:",
    "alarms: { topics: { us-west-2: nonsense } }\nclusters:",
    "no SNS topic of us-west-2",
    "arn:aws:sns"
)]
#[case::deadline("clusters:", "deadlines: { stak: 5 }\nclusters:", "no deadline for `stak`", "stack")]
fn a_fault_is_named(#[case] from: &str, #[case] to: &str, #[case] message: &str, #[case] hint: &str) {
    let source = MINIMAL.replacen(from, to, 1);
    assert_ne!(source, MINIMAL);
    let found = faults(&source);
    assert!(found.iter().any(|f| f.contains(message) && f.contains(hint)), "{found:#?}");
}

#[test]
fn all_faults_of_values_come_in_one_run_with_their_places() {
    let source = MINIMAL.replace("\"111111111111\"", "\"12\"").replace("99-0: us-west-2", "99-Ä: us-wset-2");
    let found = faults(&source);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].starts_with("3:10 "), "{found:#?}");
    assert!(found[1].starts_with("8:3 "), "{found:#?}");
    assert!(found[2].starts_with("8:9 "), "{found:#?}");
    let shown = spec::load(&source, "x.yaml").unwrap_err().render(false);
    assert!(shown.contains("--> x.yaml:8:9") && shown.contains("99-Ä: us-wset-2"), "{shown}");
}

#[test]
fn the_schema_beside_the_environments_is_the_one_of_the_types() {
    let path = format!("{}/environments/environment.schema.json", env!("CARGO_MANIFEST_DIR"));
    let schema = serde_json::to_string_pretty(&spec::schema()).unwrap() + "\n";
    let there = std::fs::read_to_string(&path).unwrap();
    assert!(there == schema, "write it anew: sftpctl schema > environments/environment.schema.json");
}

proptest! {
    #[test]
    fn no_text_makes_the_loader_panic(text in "\\PC{0,200}", at in 0usize..250, cut in 0usize..20) {
        let _ = spec::load(&text, "x.yaml");
        let at = (at.min(MINIMAL.len())..=MINIMAL.len()).find(|i| MINIMAL.is_char_boundary(*i)).unwrap();
        let end = (at + cut).min(MINIMAL.len());
        let mutated = format!("{}{text}{}", &MINIMAL[..at], &MINIMAL[end..]);
        if let Err(faults) = spec::load(&mutated, "x.yaml") {
            faults.render(false);
        }
    }
}
