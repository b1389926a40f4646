//! The environment file: which faults are reported, at which position, and with which message.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use rstest::rstest;
use sftpctl_core::spec;

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
fn minimal_environment_is_valid() {
    assert!(MINIMAL.lines().count() < 15);
    let environment = spec::load(MINIMAL, "x.yaml").unwrap();
    assert_eq!(environment.table.name, "dydb-99-uploads");
    assert_eq!(environment.table.regions, ["us-west-2"]);
}

#[test]
fn home_directories_are_named_after_organisations() {
    let homes = |more: &str| spec::load(&format!("{MINIMAL}{more}"), "x.yaml").unwrap().homes;
    let plain = homes("");
    assert_eq!((plain.root.as_str(), plain.folder_of(17578).as_str()), ("/home", "17578"));
    assert_eq!(
        ["17578", "jan", "+7", "007", "-1"].map(|name| plain.org_of(name)),
        [Some(17578), None, None, None, Some(-1)]
    );
    let named = homes("homes: { root: /srv/sftp, folder: \"org{orgid}.d\" }\n");
    assert_eq!((named.root.as_str(), named.folder_of(7).as_str()), ("/srv/sftp", "org7.d"));
    assert_eq!(["org7.d", "org7", "7"].map(|name| named.org_of(name)), [Some(7), None, None]);
    assert_eq!(plain.from, None);
    let far = homes("homes: { from: \"sftp://root@old:2222\" }\n").from.unwrap();
    assert_eq!((far.user.as_deref(), far.host.as_str(), far.port), (Some("root"), "old", Some(2222)));
    for (from, fault) in [
        ("old", "invalid address `old`: expected sftp://"),
        ("sftp://root:x@old", "must not contain a password"),
        ("sftp://old/home", "has a path"),
    ] {
        let faults = spec::load(&format!("{MINIMAL}homes: {{ from: \"{from}\" }}\n"), "x.yaml").unwrap_err();
        assert!(faults.list()[0].message.contains(fault), "{faults:?}");
    }
}

#[test]
fn shipped_environments_are_valid() {
    for (name, source) in [
        ("99", include_str!("../../../../environments/99.yaml")),
        ("prod", include_str!("../../../../environments/prod.yaml")),
    ] {
        let environment = spec::load(source, name).unwrap();
        assert_eq!(environment.name, name);
        assert_eq!(environment.regions.len(), 3);
    }
}

#[rstest]
#[case::unknown_key("clusters:", "clustres:", "unknown setting `clustres`", "did you mean `clusters`?")]
#[case::missing_key("version: 1\n", "", "the setting `version` is missing", "")]
#[case::duplicate_key("version: 1\n", "version: 1\nversion: 1\n", "duplicate", "")]
#[case::wrong_type("{ server: true }", "{ server: perhaps }", "expected `true`, `false`", "")]
#[case::bad_region(
    "  us-west-2: { server",
    "  us-wets-2: { server",
    "unknown region `us-wets-2`",
    "did you mean `us-west-2`?"
)]
#[case::bad_home("home_region: us-west-2", "home_region: eu-wst-1", "unknown region `eu-wst-1`", "did you mean")]
#[case::account(
    "\"111111111111\"",
    "\"1111\"",
    "invalid AWS account `1111`: expected 12 digits, got 4 characters",
    "twelve digits"
)]
#[case::bucket_case("99-0: us-west-2", "99_A: us-west-2", "contains `_`", "cluster")]
#[case::bucket_length(
    "99-0: us-west-2",
    "99-0123456789012345678901234567890123456789012345678901: us-west-2",
    "S3 allows 3 to 63",
    ""
)]
#[case::duplicate_cluster("  99-0: us-west-2\n", "  99-0: us-west-2\n  99-0: us-west-2\n", "duplicate", "")]
#[case::boundary(
    "clusters:",
    "permissions_boundary: sftp-boundary\nclusters:",
    "not the ARN of a managed policy",
    "arn:aws:iam"
)]
#[case::stack_role_elsewhere(
    "clusters:",
    "stack_role: \"arn:aws:iam::222222222222:role/cfn\"\nclusters:",
    "not the ARN of a role in account 111111111111",
    "arn:aws:iam::111111111111:role/<name>"
)]
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
#[case::table_name("clusters:", "table: { name: a }\nclusters:", "invalid table name `a` for DynamoDB", "3 to 255")]
#[case::homes_root("clusters:", "homes: { root: home }\nclusters:", "`home` is not an absolute path", "/home")]
#[case::homes_root_above("clusters:", "homes: { root: /a/../b }\nclusters:", "without `..`", "/home")]
#[case::homes_folder(
    "clusters:",
    "homes: { folder: customers }\nclusters:",
    "does not contain `{orgid}` once",
    "{orgid}"
)]
#[case::homes_folder_below(
    "clusters:",
    "homes: { folder: \"a/{orgid}\" }\nclusters:",
    "not the name of one folder",
    "customer-{orgid}"
)]
#[case::environment_name("\"99\"", "\"9 9\"", "`9 9` cannot be part of the names", "letters")]
#[case::version("version: 1", "version: 2", "unknown format version 2", "newer")]
#[case::ignored_without_reason(
    "clusters:",
    "drift: { ignore: [{ resource: us-west-2/server, reason: \" \" }] }\nclusters:",
    "an `ignore` rule needs a `reason`",
    "say who changes it"
)]
#[case::ignored_without_resource(
    "clusters:",
    "drift: { ignore: [{ resource: \"*\", reason: why }] }\nclusters:",
    "`*` does not name a resource",
    "as `sftpctl drift` shows it"
)]
#[case::retention(
    "clusters:",
    "logs: { retention_days: 31 }\nclusters:",
    "31 days",
    "nearest value that it allows is 30"
)]
#[case::old_versions(
    "clusters:",
    "files: { keep_old_versions_days: 0 }\nclusters:",
    "old versions must be kept for 1 to 36500 days",
    ""
)]
#[case::no_log_in(
    "clusters:",
    "alarms: { no_log_in_minutes: 62 }\nclusters:",
    "must be a multiple of 5, from 5 to 1440",
    ""
)]
#[case::no_canary(
    "clusters:",
    "alarms: { no_canary_in_minutes: 1445 }\nclusters:",
    "must be a multiple of 5, from 5 to 1440",
    "at least twice the interval"
)]
#[case::replication("clusters:", "alarms: { replication_ms: 0 }\nclusters:", "1 to 3600000 milliseconds", "")]
#[case::dead_letters(
    "clusters:",
    "alarms: { dead_letters: true }\nclusters:",
    "no queues without `files: { events: true }`",
    ""
)]
#[case::history_events(
    "clusters:",
    "files: { history_events: true }\nclusters:",
    "`history_events` needs `events: true`",
    ""
)]
#[case::runbook(
    "clusters:",
    "alarms: { runbook: our wiki }\nclusters:",
    "`our wiki` is not a URL",
    "https://wiki.example.com/sftp"
)]
#[case::memory("clusters:", "authorizer: { memory_mb: 64 }\nclusters:", "AWS allows 128 to 10240", "")]
#[case::timeout("clusters:", "authorizer: { timeout_seconds: 60 }\nclusters:", "AWS allows 1 to 29", "")]
#[case::architecture(
    "clusters:",
    "authorizer: { architecture: arm }\nclusters:",
    "invalid architecture",
    "did you mean `arm64`?"
)]
#[case::security_policy(
    "clusters:",
    "server: { security_policy: TransferSecurtyPolicy-2025-03 }\nclusters:",
    "invalid security policy",
    "did you mean `TransferSecurityPolicy-2025-03`?"
)]
#[case::low_port(
    "clusters:",
    "server: { ports: [22, 1999] }\nclusters:",
    "cannot listen on port 1999",
    "2000 to 65535"
)]
#[case::high_port("clusters:", "server: { ports: [65536] }\nclusters:", "cannot listen on port 65536", "")]
#[case::port_twice("clusters:", "server: { ports: [22, 22] }\nclusters:", "port 22 is listed twice", "")]
#[case::four_ports("clusters:", "server: { ports: [22, 2222, 2223, 2224] }\nclusters:", "AWS allows three", "")]
#[case::no_port(
    "clusters:",
    "server: { ports: [] }\nclusters:",
    "`server.ports` names no port",
    "leave the setting out"
)]
#[case::role("clusters:", "names: { user_role: \"a b\" }\nclusters:", "invalid role name `a b` for IAM", "")]
#[case::code_bucket("clusters:", "names: { code_bucket_prefix: Lambda }\nclusters:", "contains `L`", "")]
#[case::zone("clusters:", "dns: { zone: XX }\nclusters:", "invalid DNS zone `XX`", "lower case")]
#[case::alias(
    "clusters:",
    "dns: { zone: xx.net, aliases: { a.yy.net: us-west-2 } }\nclusters:",
    "not a name in the zone xx.net",
    ""
)]
#[case::customer_aliases(
    "clusters:",
    "dns: { zone: xx.net, customer_aliases: site-files }\nclusters:",
    "invalid pattern `site-files` of customers' aliases",
    "for example `site-files-*`"
)]
#[case::alias_region(
    "clusters:",
    "dns: { zone: xx.net, aliases: { a.xx.net: us-east-1 } }\nclusters:",
    "us-east-1 has no server",
    ""
)]
#[case::tag("clusters:", "tags: { \"aws:x\": y }\nclusters:", "reserved", "")]
#[case::topic(
    "clusters:",
    "alarms: { topics: { us-west-2: nonsense } }\nclusters:",
    "not the ARN of an SNS topic in us-west-2",
    "arn:aws:sns"
)]
#[case::email(
    "clusters:",
    "alarms: { email: [Ops <ops@example.com>] }\nclusters:",
    "is not a mail address",
    "ops@example.com"
)]
#[case::arrivals_elsewhere(
    "clusters:",
    "files: { notify: { 99-9: {} } }\nclusters:",
    "`99-9` is not among `clusters`",
    ""
)]
#[case::arrivals_both(
    "clusters:",
    "files: { notify: { 99-0: { email: [a@b.c], topic: \"arn:aws:sns:us-west-2:111111111111:x\" } } }\nclusters:",
    "`topic` names another",
    "subscribe them yourself"
)]
#[case::arrivals_region(
    "clusters:",
    "files: { notify: { 99-0: { topic: \"arn:aws:sns:us-east-1:111111111111:x\" } } }\nclusters:",
    "not the ARN of an SNS topic in us-west-2",
    ""
)]
#[case::email_twice(
    "clusters:",
    "alarms: { email: [a@example.com, a@example.com] }\nclusters:",
    "a@example.com is listed twice",
    ""
)]
#[case::tag_character(
    "clusters:",
    "tags: { owner: \"a;b\" }\nclusters:",
    "AWS does not allow `;` in a tag",
    "letters, digits"
)]
#[case::no_clusters(
    "clusters:\n  99-0: us-west-2",
    "clusters: {}",
    "at least one cluster is needed",
    "99-0: us-west-2"
)]
#[case::deadline("clusters:", "deadlines: { stak: 5 }\nclusters:", "unknown deadline `stak`", "stack")]
fn a_fault_is_named(#[case] from: &str, #[case] to: &str, #[case] message: &str, #[case] hint: &str) {
    let source = MINIMAL.replacen(from, to, 1);
    assert_ne!(source, MINIMAL);
    let found = faults(&source);
    assert!(found.iter().any(|f| f.contains(message) && f.contains(hint)), "{found:#?}");
}

#[test]
fn block_list_too_long_for_lambda_is_refused() {
    let list: Vec<String> = (0..400).map(|n| format!("robot{n:04}")).collect();
    let file = MINIMAL.replace("clusters:", &format!("authorizer: {{ block_list: [{}] }}\nclusters:", list.join(", ")));
    let faults = faults(&file);
    assert!(faults[0].contains("the block list has 4000 characters; at most 3500 fit | a Lambda"), "{faults:?}");
}

/// An environment file with `each` clusters in each of these regions.
fn clusters(regions: &[&str], each: usize) -> String {
    let mut file =
        "version: 1\nenvironment: \"77\"\naccount: \"111111111111\"\nhome_region: us-west-2\nregions:\n".to_owned();
    file.extend(regions.iter().map(|region| format!("  {region}: {{ server: true }}\n")));
    file += "clusters:\n";
    for (at, region) in regions.iter().enumerate() {
        file.extend((0..each).map(|n| format!("  77-{at}-{n}: {region}\n")));
    }
    file
}

#[test]
fn cluster_limits_are_checked_offline() {
    let regions =
        ["us-west-2", "us-east-1", "us-east-2", "eu-west-1", "eu-central-1", "ap-south-1", "sa-east-1", "ca-central-1"];
    let warnings_with =
        |each: usize| spec::load(&clusters(&regions, each), "x.yaml").map(|environment| spec::warnings(&environment));
    assert_eq!(warnings_with(90).unwrap(), Vec::<String>::new());
    let warnings = warnings_with(150).unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0]
            .starts_with("1200 clusters need 16 policies on the role sftp-transfer; AWS attaches 10, enough for")
    );
    let faults = faults(&clusters(&regions, 230));
    assert!(faults[0].contains("1840 clusters are more than the user role's policies can name: "), "{faults:?}");
    assert!(faults[0].contains(" fit into the 20 policies that IAM allows for a role | divide them"), "{faults:?}");
}

#[test]
fn clusters_of_a_region_are_limited_by_its_stack() {
    assert!(spec::load(&clusters(&["us-west-2"], 235), "x.yaml").is_ok());
    for more in [236, 300] {
        let faults = faults(&clusters(&["us-west-2"], more));
        assert_eq!(faults.len(), 1, "reported once: {faults:?}");
        let words = "us-west-2 has more clusters than fit into one stack: CloudFormation allows 500 resources";
        assert!(faults[0].contains(words), "{faults:?}");
    }
    let with_queries = |count| format!("{}\nlogs: {{ saved_queries: true }}\n", clusters(&["us-west-2"], count));
    assert!(spec::load(&with_queries(232), "x.yaml").is_ok());
    assert_eq!(faults(&with_queries(233)).len(), 1);
    let with_events =
        |count, more: &str| format!("{}\nfiles: {{ events: true{more} }}\n", clusters(&["us-west-2"], count));
    assert!(spec::load(&with_events(58, ""), "x.yaml").is_ok());
    assert_eq!(faults(&with_events(59, "")).len(), 1);
    assert!(spec::load(&with_events(47, ", history_events: true"), "x.yaml").is_ok());
    assert_eq!(faults(&with_events(48, ", history_events: true")).len(), 1);
}

/// Where a secret is, is none, and a word of it does not hide the same word elsewhere.
#[test]
fn places_of_secrets_are_shown() {
    let of = |keys: &str| format!("{MINIMAL}\nserver: {{ host_keys: [{keys}] }}\nhomes: {{ from: \"ssh://old\" }}\n");
    let shown = |keys: &str| spec::load(&of(keys), "x.yaml").unwrap_err().render(false);
    let said = shown("\"secretsmanager:ssh\", \"wrong:ssh\"");
    assert!(said.contains("[\"secretsmanager:ssh\",") && said.contains("`ssh://old`"), "{said}");
    // As a name of a value, it hides it; and so do forms.
    let said = shown("{ secretsmanager: hunter2 }");
    assert!(!said.contains("hunter2"), "{said}");
    let said = shown("\"secretsmanager:$6$salt$0123456789abcdef\", \"wrong:ssh\"");
    assert!(!said.contains("0123456789abcdef"), "{said}");
}

#[test]
fn names_of_rules_fit() {
    let named = |length: usize| MINIMAL.replace("99-0:", &format!("{}:", "c".repeat(length)));
    assert!(spec::load(&format!("{}\nfiles: {{ events: true }}\n", named(31)), "x.yaml").is_ok());
    assert!(spec::load(&named(45), "x.yaml").is_ok());
    let faults = faults(&format!("{}\nfiles: {{ events: true }}\n", named(45)));
    assert!(faults[0].contains("EventBridge allows 64 characters for a rule"), "{faults:?}");
}

#[rstest]
#[case("TransferSecurityPolicy-2025-03", 0)]
#[case("TransferSecurityPolicy-FIPS-2025-03", 0)]
#[case("TransferSecurityPolicy-2020-06", 1)]
fn old_security_policy_causes_a_warning(#[case] policy: &str, #[case] warnings: usize) {
    let file = MINIMAL.replace("clusters:", &format!("server: {{ security_policy: {policy} }}\nclusters:"));
    assert_eq!(spec::warnings(&spec::load(&file, "x.yaml").unwrap()).len(), warnings);
}

#[test]
fn unknown_security_policy_of_the_right_form_causes_a_warning() {
    let file = MINIMAL.replace("clusters:", "server: { security_policy: TransferSecurityPolicy-2027-01 }\nclusters:");
    let warnings = spec::warnings(&spec::load(&file, "x.yaml").unwrap());
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(
        warning.contains("TransferSecurityPolicy-2027-01 is not a security policy that this sftpctl knows"),
        "{warning}"
    );
}

#[test]
fn ports_are_sorted_and_leaving_out_22_causes_a_warning() {
    let with = |ports: &str| MINIMAL.replace("clusters:", &format!("server: {{ ports: {ports} }}\nclusters:"));
    let environment = spec::load(&with("[2222, 22]"), "x.yaml").unwrap();
    assert_eq!(environment.server.ports, [22, 2222]);
    assert_eq!(spec::warnings(&environment), Vec::<String>::new());
    let warnings = spec::warnings(&spec::load(&with("[2222]"), "x.yaml").unwrap());
    assert!(warnings[0].contains("leaves out port 22"), "{warnings:?}");
}

/// Customers in the network of the VPC have no country, and a list of countries shuts them out.
#[test]
fn countries_beside_a_server_in_a_vpc_cause_a_warning() {
    let endpoint = "{ endpoint: vpc, vpc: vpc-0123456789abcdef0, subnets: [subnet-0123456789abcdef0], \
                    allow: [10.0.0.0/8] }";
    let with = |server: &str, countries: &str| {
        let file = MINIMAL.replacen("{ server: true }", &format!("{{ server: {server} }}"), 1);
        let file = format!("{file}\nwaf: {{ mode: block, countries: {{ {countries}: [DE] }} }}\n");
        spec::warnings(&spec::load(&file, "x.yaml").unwrap())
    };
    let says = |warnings: &[String]| warnings.iter().any(|warning| warning.contains("addresses without a country"));
    assert!(says(&with(endpoint, "allow")), "{:?}", with(endpoint, "allow"));
    assert!(!says(&with(endpoint, "block")) && !says(&with("true", "allow")));
}

/// Files as editors, copying and other programs leave them: each is refused with a hint, none causes a panic.
#[rstest]
#[case::empty("", "1:1 this file has no settings", "sftpctl schema")]
#[case::only_a_comment("# nothing yet\n", "this file has no settings", "sftpctl schema")]
#[case::a_list("- version: 1\n", "1:1 expected settings here", "`name: value`")]
#[case::a_word("version\n", "1:1 this is not an environment file", "sftpctl schema")]
#[case::no_value("home_region:\n", "a value is missing", "after the colon")]
#[case::a_tab("regions:\n\tus-west-2: { server: true }\n", "2:2 YAML does not allow tabs for indentation", "spaces")]
#[case::nul("version: \"1\0\"\n", "there is a NUL byte in this file", "UTF-8")]
#[case::escape("version: \"\u{1b}[31m\"\n", "unexpected character", "")]
#[case::number_with_a_point("version: 1.0\n", "not a whole number", "digits")]
#[case::unknown_anchor("version: *nowhere\n", "unknown anchor", "`&name`")]
#[case::an_alias_bomb(
    "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nversion: [*b,*b,*b,*b,*b,*b,*b,*b]\n",
    "unknown setting `a`",
    ""
)]
#[case::unclosed("regions: { us-west-2: { server: true\n", "", "")]
fn malformed_file_is_refused_with_a_hint(#[case] source: &str, #[case] message: &str, #[case] hint: &str) {
    let found = faults(source);
    assert!(found.iter().any(|f| f.contains(message) && f.contains(hint)), "{found:#?}");
    let shown = spec::load(source, "x.yaml").unwrap_err().render(false);
    assert!(!shown.contains('\u{1b}') && !shown.contains('\0'), "a file must not command the terminal: {shown:?}");
}

#[test]
fn deep_nesting_is_refused() {
    let source = format!("regions: {}{}\n", "[".repeat(5000), "]".repeat(5000));
    assert!(!faults(&source).is_empty());
}

#[test]
fn second_document_and_nameless_cluster_are_refused() {
    assert!(faults(&format!("{MINIMAL}---\n{MINIMAL}"))[0].contains("10:1 a second document begins here"));
    assert!(faults(&MINIMAL.replace("99-0:", "\"\":"))[0].contains("a cluster needs a name"));
}

#[rstest]
#[case::windows_line_ends(MINIMAL.replace('\n', "\r\n"))]
#[case::byte_order_mark(format!("\u{feff}{MINIMAL}"))]
#[case::anchors(MINIMAL.replace("99-0: us-west-2", "99-0: &region us-west-2\n  99-1: *region"))]
#[case::json("{\"version\": 1, \"environment\": \"99\", \"account\": \"111111111111\", \"home_region\": \"us-west-2\", \
    \"regions\": {\"us-west-2\": {\"server\": true}}, \"clusters\": {\"99-0\": \"us-west-2\"}}".to_owned())]
fn equivalent_notations_are_accepted(#[case] source: String) {
    let environment = spec::load(&source, "x.yaml").unwrap();
    assert_eq!((environment.name.as_str(), environment.home_region.as_str()), ("99", "us-west-2"));
}

#[test]
fn all_invalid_values_are_reported_at_once_with_positions() {
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
fn shipped_schema_matches_the_types() {
    let schema = serde_json::to_string_pretty(&spec::schema()).unwrap() + "\n";
    let shipped = include_str!("../../../../environments/environment.schema.json");
    assert!(shipped == schema, "regenerate it: sftpctl schema > environments/environment.schema.json");
}

proptest! {
    #[test]
    fn loader_never_panics(text in "\\PC{0,200}", at in 0usize..250, cut in 0usize..20) {
        let _ = spec::load(&text, "x.yaml");
        let at = (at.min(MINIMAL.len())..=MINIMAL.len()).find(|i| MINIMAL.is_char_boundary(*i)).unwrap();
        let end = (at + cut).min(MINIMAL.len());
        let mutated = format!("{}{text}{}", &MINIMAL[..at], &MINIMAL[end..]);
        if let Err(faults) = spec::load(&mutated, "x.yaml") {
            faults.render(false);
        }
    }
}

/// A private key of nobody, as people paste it: in PEM, in one line, or its body alone.
const PASTED: [&str; 5] = [
    "[\"-----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNzaC1rZXktdjEAAAAA SECRET -----END OPENSSH PRIVATE KEY-----\"]",
    "[b3BlbnNzaC1rZXktdjEAAAAASECRET]",
    "[\"file:-----BEGIN RSA PRIVATE KEY----- MIIEpAIBAAKCAQEASECRET -----END RSA PRIVATE KEY-----\"]",
    "|\n    -----BEGIN OPENSSH PRIVATE KEY-----\n    b3BlbnNzaC1rZXktdjEAAAAASECRET\n    -----END OPENSSH PRIVATE KEY-----",
    "\n    - |\n      b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQyNTSECRET\n      SECRETSECRETSECRETSECRETSECRETSECRETSECRETSECRETSECRETSECRETSECRET=",
];

#[test]
fn a_pasted_private_key_is_never_shown() {
    let file = include_str!("../../../../environments/99.yaml");
    for pasted in PASTED {
        let source = format!("{file}\nserver:\n  host_keys: {pasted}\n");
        let faults = sftpctl_core::spec::load(&source, "99.yaml").unwrap_err();
        let shown = faults.render(false);
        let list = serde_json::to_string(faults.list()).unwrap();
        assert!(!shown.contains("SECRET") && !list.contains("SECRET"), "{shown}\n{list}");
        assert!(shown.contains("99.yaml:"), "where it is: {shown}");
        // Nor where the fault is in another line.
        let source = format!("{source}\n  unknown: 1\n");
        let shown = sftpctl_core::spec::load(&source, "99.yaml").unwrap_err().render(false);
        assert!(!shown.contains("SECRET"), "{shown}");
    }
}

#[test]
fn secrets_in_an_environment_file_are_not_shown() {
    for more in [
        "secret_access_key: SECRET",
        "aws: { access: SECRET, secret_access_key: SECRET }",
        "server:\n  DB_PASS: SECRET",
        "tags: { api-token: SECRET, owner: 7, \"x\": [] }",
        "production: $6$saltsalt$SECRETSECRET",
        "homes: { root: \"postgres://me:SECRET@db\" }",
        "dns: { zone: x, hunter: SECRET }",
    ] {
        let source = format!("{MINIMAL}{more}\n");
        let faults = spec::load(&source, "x.yaml").unwrap_err();
        let shown = format!("{}{}", faults.render(false), serde_json::to_string(faults.list()).unwrap());
        assert!(!shown.contains("SECRET"), "{more}: {shown}");
        assert!(shown.contains("x.yaml:"), "{shown}");
    }
}

#[test]
fn nothing_of_a_file_that_is_no_environment_is_shown() {
    for source in ["root:$6$salt$SECRET:19000::\n", "{\"account_key\": \"SECRET\"}", "AWS_SECRET_ACCESS_KEY=SECRET\n"] {
        let faults = spec::load(source, "/etc/shadow").unwrap_err();
        let shown = format!("{}{}", faults.render(false), serde_json::to_string(faults.list()).unwrap());
        assert!(!shown.contains("SECRET"), "{shown}");
        assert!(shown.contains("this is not an environment file") && shown.contains("/etc/shadow:1"), "{shown}");
    }
}
