//! The arithmetic against published examples and the table of 2019, and the coverage of everything that is deployed.

mod files;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::bill::{Amount, Bill, GLOBAL};
use super::change::CostChange;
use super::coverage::{Coverage, of_kind, of_type};
use super::inventory::Inventory;
use super::money::{Quantity, Usd};
use super::prices::{Confidence, Prices, PricesError, id};
use super::usage::{Basis, Estimate, Field, Usage};
use crate::kind::{Kind, NodeId};
use crate::model::{Action, Change, PropertyChange};
use crate::plan::model::{Plan, Step, VERSION};
use crate::spec;
use crate::spec::model::Environment;
use crate::template;

const TEST: &str = include_str!("../../../../environments/99.yaml");
const PRODUCTION: &str = include_str!("../../../../environments/prod.yaml");

fn prices() -> Prices {
    Prices::built_in().unwrap()
}

fn environment(text: &str) -> Environment {
    spec::load(text, "environment.yaml").unwrap()
}

fn inventory(text: &str) -> Inventory {
    Inventory::of(&environment(text)).unwrap()
}

fn usd(text: &str) -> Usd {
    Usd::parse(text).unwrap()
}

fn quantity(text: &str) -> Quantity {
    Quantity::parse(text).unwrap()
}

fn amount(id: &str, region: &str, of: &str) -> String {
    prices().row(id).unwrap().amount(region, quantity(of)).unwrap().to_string()
}

/// A usage file in which everything is one number.
fn exact(settings: &[(&str, f64)]) -> Usage {
    let all = Field::ALL.iter().map(|field| {
        let value = settings.iter().find(|(name, _)| *name == field.name()).map_or(0.0, |(_, value)| *value);
        format!("{}: {value}\n", field.name())
    });
    let text = format!("version: 1\n{}", all.collect::<String>());
    Usage::load(&text, "usage.yaml", &[]).unwrap()
}

#[test]
fn every_kind_is_priced_or_free() {
    let prices = prices();
    for kind in Kind::ALL.iter().copied() {
        match of_kind(kind) {
            Coverage::Priced(ids) => {
                assert!(!ids.is_empty(), "{kind}");
                ids.iter().for_each(|id| assert!(prices.row(id).is_some(), "{kind}: there is no row {id}"));
            }
            Coverage::Free(why) | Coverage::Unknown(why) => assert!(!why.is_empty(), "{kind}"),
        }
    }
}

#[test]
fn every_resource_type_of_the_region_template_is_priced_or_free() {
    let prices = prices();
    let resources = template::source().unwrap()["Resources"].as_object().unwrap();
    let types: BTreeSet<&str> = resources.values().map(|resource| resource["Type"].as_str().unwrap()).collect();
    assert!(types.len() > 10, "{types:?}");
    for name in types {
        match of_type(name) {
            None => panic!("{name} is neither priced nor named free in crates/core/src/cost/coverage.rs"),
            Some(Coverage::Priced(ids)) => {
                ids.iter().for_each(|id| assert!(prices.row(id).is_some(), "{name}: there is no row {id}"));
            }
            Some(Coverage::Free(why) | Coverage::Unknown(why)) => assert!(!why.is_empty(), "{name}"),
        }
    }
}

/// A row that no line ever has would be a resource that is called priced, and is not.
#[test]
fn everything_priced_has_a_line_in_some_bill() {
    let told = "notify: { 01-1: { email: [a@example.com] } }";
    let all = format!(
        "{PRODUCTION}\nmetrics: {{ refusal_reasons: true, api_methods: true, dashboard: true }}\n\
         files: {{ events: true, malware_scan: {{}}, {told} }}\nwaf: {{}}\n"
    );
    let latency = all.replace("  zone: xx.net\n", "  zone: xx.net\n  latency: true\n");
    let alone = "version: 1\nenvironment: e\naccount: \"111111111111\"\nhome_region: us-west-2\n\
                 regions: { us-west-2: { server: true } }\nclusters: { a: us-west-2 }\n\
                 authorizer: { architecture: arm64 }\nfiles: { decrypt: { a: {} } }\n";
    let mut seen = BTreeSet::new();
    let place = "endpoint: vpc, vpc: vpc-01234567, subnets: [subnet-01234567], security_groups: [sg-01234567]";
    let fixed = alone.replace("server: true", &format!("server: {{ {place} }}"));
    for text in [&all, &latency, &fixed, alone] {
        let bill = Bill::of(&inventory(text), &Usage::default(), &prices());
        assert_eq!(bill.unpriced, []);
        seen.extend(bill.lines.into_iter().map(|line| line.price_id));
    }
    // No alarm of today's template has them; zones of more than 10,000 records are not there yet.
    let rest = [id::ALARM_HIGH_RESOLUTION, id::ALARM_COMPOSITE, id::RECORDS];
    for id in id::ALL {
        assert_eq!(seen.contains(id), !rest.contains(&id), "{id}");
    }
    // What is called priced is, by every row that it names.
    let of_kinds = Kind::ALL.iter().map(|kind| (kind.to_string(), of_kind(*kind)));
    let resources = template::source().unwrap()["Resources"].as_object().unwrap();
    let types = resources.values().map(|resource| resource["Type"].as_str().unwrap());
    let of_types = types.filter_map(|name| Some((name.to_owned(), of_type(name)?)));
    for (what, coverage) in of_kinds.chain(of_types) {
        let Coverage::Priced(ids) = coverage else { continue };
        for id in ids {
            assert!(seen.contains(*id) || rest.contains(id), "{what}: no bill has {id}");
        }
        assert!(ids.iter().any(|id| seen.contains(*id)), "{what}");
    }
}

#[test]
fn the_built_in_table_is_sound() {
    let prices = prices();
    for id in id::ALL {
        assert!(prices.row(id).is_some(), "{id}");
    }
    for row in prices.rows() {
        for (region, price) in &row.prices {
            let usd = &price.usd;
            assert!(usd.iter().all(|price| *price > Usd::ZERO), "{} {region}", row.id);
            assert!(usd.windows(2).all(|pair| pair[0] >= pair[1]), "{} {region}: a later tier costs more", row.id);
            let origin = &price.origin;
            // A date is that of AWS's file, and so only of what such a file says.
            assert_eq!(origin.confidence == Confidence::Published, origin.published.is_some(), "{}", row.id);
            assert!(!origin.source.is_empty(), "{}", row.id);
        }
    }
}

/// The figures of the facts about prices, for regions that have others than those of the United States.
#[test]
fn prices_of_other_regions_are_theirs() {
    for (id, region, expected) in [
        (id::API_REQUESTS, "eu-central-1", "3.70"),
        (id::API_REQUESTS, "eu-central-2", "4.07"),
        (id::TABLE_REPLICATED_WRITES, "eu-west-2", "0.7423"),
        (id::LAMBDA_X86, "eu-south-1", "0.0000195172"),
        (id::S3_STORAGE, "eu-central-2", "0.02695"),
        (id::LOGS_INGEST, "eu-central-1", "0.63"),
        (id::LOGS_STORAGE, "us-east-1", "0.03"),
        (id::LOGS_STORAGE, "eu-central-1", "0.0324"),
        (id::SQS_REQUESTS, "us-east-2", "0.40"),
        (id::SQS_REQUESTS, "eu-central-2", "0.44"),
        (id::SNS_REQUESTS, "eu-central-1", "0.50"),
        (id::SNS_MAILS, "eu-central-2", "0.022"),
        (id::QUERIES, "", "0.40"),
        (id::LATENCY_QUERIES, "", "0.60"),
        ("route53.geo-queries", "", "0.70"),
        (id::SFTP_HOUR, "eu-north-1", "0.30"),
        ("waf.requests", "eu-central-2", "0.65"),
        ("vpc.endpoint-hour", "eu-west-1", "0.011"),
        ("ec2.m4.large", "eu-west-1", "0.111"),
        ("ec2.m7g.large", "eu-central-1", "0.0978"),
    ] {
        let prices = prices();
        let price = prices.row(id).unwrap().in_region(region).unwrap()[0];
        assert_eq!(price.exact(), expected, "{id} {region}");
    }
    assert_eq!(prices().row(id::SFTP_HOUR).unwrap().in_region("mars-1"), None);
}

#[test]
fn each_tier_has_its_own_price() {
    // 333 million at 3.50, 667 million at 2.80, and 1 million at 2.38.
    assert_eq!(amount(id::API_REQUESTS, "us-west-2", "333000000"), "1,165.50");
    assert_eq!(amount(id::API_REQUESTS, "us-west-2", "1001000000"), "3,035.48");
    // 50 TB at 0.023, 450 TB at 0.022, and 1 GB at 0.021.
    assert_eq!(amount(id::S3_STORAGE, "us-east-1", "51200"), "1,177.60");
    assert_eq!(amount(id::S3_STORAGE, "us-east-1", "512001"), "11,315.22");
}

/// The table of the design of 2019: three endpoints for 720 hours, 200 GB at each, 3 TB, a million log-ins. Its amounts
/// for S3 with DynamoDB (80) and for Lambda (10) were those of AWS's calculator of that year.
#[test]
fn the_table_of_2019_is_its_own_arithmetic() {
    let hours = usd(&amount(id::SFTP_HOUR, "us-east-1", "2160"));
    let data = usd(&amount(id::SFTP_UPLOAD, "us-east-1", "600"));
    let requests = usd(&amount(id::API_REQUESTS, "us-east-1", "1000000"));
    assert_eq!([hours, data, requests], [usd("648"), usd("24"), usd("3.5")]);
    assert_eq!((hours + data + requests + usd("80") + usd("10")).to_string(), "765.50");
}

/// Today's prices for the same: 730 hours, files of 1 MB, 60 ms of 256 MB for a log-in.
#[test]
fn the_same_today() {
    let region = "us-east-1";
    let lines = [
        (amount(id::SFTP_HOUR, region, "2190"), "657.00"),
        (amount(id::SFTP_UPLOAD, region, "600"), "24.00"),
        (amount(id::S3_STORAGE, region, "3072"), "70.66"),
        (amount(id::S3_PUTS, region, "614400"), "3.07"),
        (amount(id::S3_GETS, region, "1228800"), "0.49"),
        (amount(id::API_REQUESTS, region, "1000000"), "3.50"),
        (amount(id::LAMBDA_X86, region, "15000"), "0.25"),
        (amount(id::LAMBDA_ARM, region, "15000"), "0.20"),
        (amount(id::LAMBDA_REQUESTS, region, "1000000"), "0.20"),
        (amount(id::ALARM, region, "15"), "1.50"),
        (amount(id::METRIC, region, "27"), "8.10"),
        (amount(id::QUERIES, "", "1000000"), "0.40"),
        (amount(id::ZONE, "", "1"), "0.50"),
        (amount("waf.acl", region, "1"), "5.00"),
        (amount(id::IPV4_HOUR, region, "4380"), "21.90"),
    ];
    for (at, (shown, expected)) in lines.iter().enumerate() {
        assert_eq!(shown, expected, "line {at}");
    }
}

/// Examples that AWS publishes with its prices, where their prices are still those of the table. Free tiers are taken
/// off before, as the examples do: the table has none.
#[test]
fn examples_that_aws_publishes() {
    let one = "us-east-1";
    for (source, id, quantity, expected) in [
        // aws.amazon.com/lambda/pricing, as of 2024: 3 million requests of 120 ms with 1,536 MB.
        ("540,000 GB-s less 400,000", id::LAMBDA_X86, "140000", "2.33"),
        ("3 million requests less 1 million", id::LAMBDA_REQUESTS, "2000000", "0.40"),
        // aws.amazon.com/api-gateway/pricing, "REST APIs", read 2026-08-10: 5 million calls of 3 KB; and 15 billion
        // calls.
        ("5 million calls", id::API_REQUESTS, "5000000", "17.50"),
        ("14.3 GB of answers", id::INTERNET_OUT, "14.3", "1.29"),
        ("the first 333 million of 15 billion calls", id::API_REQUESTS, "333000000", "1,165.50"),
        // 1,165.50 + 1,867.60 + 33,320.00
        ("15 billion calls", id::API_REQUESTS, "15000000000", "36,353.10"),
        // aws.amazon.com/s3/faqs, "How will I be charged and billed", of a month with 31 days.
        ("100 GB for 15 days and 100 TB for 16 days", id::S3_STORAGE, "52900", "1,215.00"),
        ("10,000 PUT a day in March", id::S3_PUTS, "310000", "1.55"),
        ("20,000 GET a day in March", id::S3_GETS, "620000", "0.25"),
        // Less the 40,960 and 12,288 GB of the next tiers, 860.16 + 3,481.60.
        ("10 TB less 1 GB to the internet", id::INTERNET_OUT, "10239", "921.51"),
        // aws.amazon.com/cloudwatch/pricing, examples of detailed monitoring, of logs, and of flow logs, as of 2023.
        ("7 metrics of 10 instances", id::METRIC, "70", "21.00"),
        ("1 GB of logs a day less 5 GB", id::LOGS_INGEST, "25", "12.50"),
        ("6 GB of compressed logs less 5 GB", id::LOGS_STORAGE, "1", "0.03"),
        ("30 TB of compressed logs", id::LOGS_STORAGE, "30720", "921.60"),
    ] {
        assert_eq!(amount(id, one, quantity), expected, "{source}");
    }
}

fn line<'a>(bill: &'a Bill, place: &str, id: &str) -> &'a super::bill::Line {
    bill.lines.iter().find(|line| line.place == place && line.price_id == id).unwrap_or_else(|| panic!("{place} {id}"))
}

#[test]
fn the_bill_of_the_production_example() {
    let usage = exact(&[
        ("log_ins", 1e6),
        ("uploaded_gb", 600.0),
        ("uploaded_files", 614_400.0),
        ("stored_gb", 3072.0),
        ("authorizer_ms", 60.0),
        ("read_units", 1.0),
        ("dns_queries", 1e6),
    ]);
    let bill = Bill::of(&inventory(PRODUCTION), &usage, &prices());
    let server = line(&bill, "us-east-1", id::SFTP_HOUR);
    assert_eq!(
        (server.quantity.low, server.price.exact(), server.amount.low),
        (quantity("730"), "0.30".into(), usd("219"))
    );
    assert_eq!(server.quantity.basis, Basis::Fixed);
    assert_eq!(line(&bill, "us-west-2", id::ALARM).amount.low, usd("0.5"));
    assert_eq!(line(&bill, "us-east-1", id::SFTP_UPLOAD).amount.low, usd("8"));
    // Two of seven buckets.
    assert_eq!(line(&bill, "us-east-1", id::S3_STORAGE).quantity.low, quantity("877.714286"));
    let services = bill.by_service();
    assert_eq!(services["Transfer Family"].low, usd("681"));
    assert_eq!(services["Route 53"].low, usd("0.9"));
    let sum: Usd = bill.lines.iter().map(|line| line.amount.high).sum();
    assert_eq!(bill.total.high, sum, "the total is the sum of what is shown");
    assert!(bill.lines.iter().all(|line| line.amount.low == line.amount.low.rounded()));
}

#[test]
fn unknown_usage_is_a_range_and_what_the_file_fixes_is_not() {
    let bill = Bill::of(&inventory(TEST), &Usage::default(), &prices());
    assert!(bill.total.low < bill.total.high);
    for line in &bill.lines {
        assert!(line.amount.low <= line.amount.high, "{line:?}");
        assert_eq!(line.quantity.basis == Basis::Fixed, line.quantity.low == line.quantity.high, "{line:?}");
    }
    let fixed: Usd =
        bill.lines.iter().filter(|line| line.quantity.basis == Basis::Fixed).map(|line| line.amount.low).sum();
    // Two servers, five alarms in each of three regions, and the zone.
    assert_eq!(fixed, usd("438") + usd("1.5") + usd("0.5"));
    let places: BTreeSet<_> = bill.lines.iter().map(|line| line.place.as_str()).collect();
    assert_eq!(places, BTreeSet::from([GLOBAL, "us-east-1", "us-east-2", "us-west-2"]));
    let standing_by = bill.by_place()["us-east-1"];
    assert!(standing_by.low == usd("0.5") && standing_by.high < usd("0.6"), "{standing_by:?}");
}

#[test]
fn a_region_without_prices_is_said_and_not_free() {
    let text = TEST.replace("us-east-2", "ap-east-2");
    let bill = Bill::of(&inventory(&text), &Usage::default(), &prices());
    let said: Vec<String> = bill.unpriced.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|what| what.contains("SFTP endpoint") && what.contains("ap-east-2")), "{said:?}");
}

#[test]
fn what_has_no_known_price_is_said_once_there_is_more_of_it() {
    let files = "s3_files: { 99-5: { subnets: [subnet-0123456789abcdef0], security_groups: [sg-0123456789abcdef0] } }";
    let mut after = inventory(&format!("{TEST}\n{files}\n"));
    let bill = Bill::of(&after, &Usage::default(), &prices());
    let said: Vec<String> = bill.unpriced.iter().map(ToString::to_string).collect();
    let says =
        |count: u64| format!("no price is known of file systems of Amazon S3 Files, of which us-west-2 has {count}");
    assert_eq!(said, [says(1)]);
    let new_system = |before: Option<serde_json::Value>, to: serde_json::Value| {
        let mut step = step("us-west-2", Kind::Stack, Action::Update);
        step.change.properties = vec![PropertyChange::new("F (AWS::S3Files::FileSystem)", before, Some(to))];
        plan(vec![step])
    };
    let one_more = new_system(None, json!("new"));
    assert_eq!(change(&after, &one_more).unpriced, [says(1)]);
    assert_eq!(change(&after, &plan(Vec::new())).unpriced, Vec::<String>::new());
    // A second one is more, and its removal is not.
    after.regions.get_mut("us-west-2").unwrap().stack.as_mut().unwrap().file_systems = 2;
    assert_eq!(change(&after, &one_more).unpriced, [says(2)]);
    let one_less = new_system(Some(json!("exists")), json!("removed"));
    assert_eq!(change(&after, &one_less).unpriced, Vec::<String>::new());
}

#[test]
fn the_guard_costs_reads_of_log_ins_and_writes_of_refusals() {
    let after = inventory(&format!("{TEST}\nguard: {{}}\n"));
    let bill = Bill::of(&after, &Usage::default(), &prices());
    let of_guard = bill.lines.iter().filter(|line| line.note.as_deref().is_some_and(|note| note.contains("guard")));
    let sum = of_guard.fold(Amount::default(), |sum, line| sum.plus(line.exact));
    // 10,000 to a million log-ins with three halves of a unit, 1,000 to 500,000 refusals with two.
    assert_eq!((sum.low, sum.high), (usd("0.003125"), usd("0.8125")));
    let without = Bill::of(&inventory(TEST), &Usage::default(), &prices());
    assert!(without.lines.iter().all(|line| !line.note.as_deref().unwrap_or_default().contains("guard")));
    let mut step = step("us-west-2", Kind::Stack, Action::Update);
    step.change.properties = vec![PropertyChange::new("GuardTable (AWS::DynamoDB::Table)", None, Some(json!("new")))];
    assert_eq!(change(&after, &plan(vec![step])).change.high, usd("0.4"), "of one of two servers, in two lines");
}

/// The plan of a first deployment: everything is created.
fn creation(inventory: &Inventory) -> Plan {
    let mut steps = vec![step(inventory.home_region.as_str(), Kind::Table, Action::Create)];
    for (name, region) in &inventory.regions {
        steps.push(step(name, Kind::Stack, Action::Create));
        if region.server {
            steps.push(step(name, Kind::Server, Action::Create));
            steps.push(step("global", Kind::Record, Action::Create));
        }
        if region.replica && *name != inventory.home_region {
            steps.push(step(name, Kind::Replica, Action::Create));
        }
    }
    plan(steps)
}

fn step(place: &str, kind: Kind, action: Action) -> Step {
    let change = Change { action, reason: None, properties: Vec::new() };
    Step { id: NodeId::new(place, kind), kind, title: String::new(), change, needs: Vec::new() }
}

fn plan(steps: Vec<Step>) -> Plan {
    Plan { version: VERSION, environment: "99".into(), account: "1".into(), steps }
}

fn change(after: &Inventory, plan: &Plan) -> CostChange {
    let bill = |inventory: &Inventory| Bill::of(inventory, &Usage::default(), &prices());
    CostChange::between(&bill(&after.before(plan)), &bill(after))
}

#[test]
fn a_first_deployment_costs_what_the_bill_says() {
    let after = inventory(TEST);
    let before = after.before(&creation(&after));
    let bill = Bill::of(&before, &Usage::default(), &prices());
    assert_eq!(bill.lines, [], "before it there is nothing");
    let change = change(&after, &creation(&after));
    assert_eq!(change.change, change.after);
    assert!(change.is_assumed);
}

#[test]
fn one_more_server_costs_its_hours() {
    let after = inventory(&TEST.replace("us-east-1: { server: false }", "us-east-1: { server: true }"));
    let change = change(&after, &plan(vec![step("us-east-1", Kind::Server, Action::Create)]));
    let first = &change.lines[0];
    assert_eq!((first.place.as_str(), first.item.as_str()), ("us-east-1", "SFTP endpoint"));
    assert_eq!((first.change.low, first.change.high), (usd("219"), usd("219")));
    // What customers do is only divided; but a third more of 2,000 GB than a half goes to the buckets' region from
    // others.
    assert!(change.change.low > usd("218.9") && change.change.high < usd("227"), "{change:?}");
    let data = |line: &super::change::Difference| line.item == "to another region" && line.change.high == usd("6.67");
    assert!(change.lines.iter().any(data), "{change:?}");
    assert!(change.exceeds(usd("218")) && !change.exceeds(usd("227")));
}

#[test]
fn a_server_that_is_removed_costs_less_and_a_deleted_region_too() {
    let after = inventory(TEST);
    let removed = change(&after, &plan(vec![step("us-east-1", Kind::Server, Action::Delete)]));
    assert!(removed.change.high < Usd::ZERO - usd("218"), "{removed:?}");
    assert_eq!(removed.lines[0].change.low, Usd::ZERO - usd("219"));
    let gone = change(&after, &plan(vec![step("eu-west-1", Kind::Stack, Action::Delete)]));
    assert_eq!(gone.change.low, Usd::ZERO - usd("0.5"), "{gone:?}");
}

/// The buckets of a stack that takes them back cost the same before it.
#[test]
fn an_import_of_buckets_does_not_change_their_costs() {
    let after = inventory(TEST);
    let of = |action| change(&after, &plan(vec![step("us-west-2", Kind::Stack, action)]));
    let s3 = |change: &CostChange| change.lines.iter().any(|line| line.service == "S3");
    assert!(s3(&of(Action::Create)), "new buckets cost something");
    let imported = of(Action::Import);
    assert!(!s3(&imported), "{imported:?}");
    let alarms = imported.lines.iter().find(|line| line.item == "alarms").unwrap();
    assert_eq!(alarms.change.low, usd("0.5"), "the rest of the stack is new");
}

#[test]
fn events_that_are_sent_to_another_region_cost_something_once_they_are() {
    let after = inventory(&format!("{PRODUCTION}\nfiles: {{ events: true }}\n"));
    let stack = after.regions["us-west-2"].stack.as_ref().unwrap();
    assert!(stack.forwards > 0 && stack.forwards < 20, "{stack:?}");
    // As the plan of a stack names its new resources.
    let environment = environment(&format!("{PRODUCTION}\nfiles: {{ events: true }}\n"));
    let code = template::Code { bucket: String::new(), key: String::new() };
    let rendered = template::render(&environment, "us-west-2", &code).unwrap();
    let rules = rendered.template["Resources"].as_object().unwrap().iter();
    let rules = rules.filter(|(_, resource)| resource["Type"] == "AWS::Events::Rule");
    let new =
        rules.map(|(name, _)| PropertyChange::new(format!("{name} (AWS::Events::Rule)"), None, Some(json!("new"))));
    let mut step = step("us-west-2", Kind::Stack, Action::Update);
    step.change.properties = new.collect();
    let plan = plan(vec![step]);
    assert_eq!(after.before(&plan).regions["us-west-2"].stack.as_ref().unwrap().forwards, 0);
    let change = change(&after, &plan);
    assert!(change.lines.iter().any(|line| line.service == "EventBridge"), "{change:?}");
}

#[test]
fn each_arriving_file_is_a_message_and_a_mail_for_each_address() {
    const TOLD: &str = "files: { notify: { 99-0: { email: [a@example.com, b@example.com] }, 99-1: {} } }";
    let after = inventory(&format!("{TEST}\n{TOLD}\n"));
    let stack = after.regions["us-west-2"].stack.as_ref().unwrap();
    assert_eq!((stack.arrivals, stack.arrival_mails), (2, 2), "{stack:?}");
    let bill = Bill::of(&after, &Usage::default(), &prices());
    let of = |id: &str| bill.lines.iter().find(|line| line.price_id == id).unwrap().quantity;
    // Two buckets, and two addresses of one of them; in millions, and in thousands.
    let (messages, mails) = (of(id::SNS_REQUESTS), of(id::SNS_MAILS));
    assert_eq!((mails.low.part(1, 1_000), mails.high.part(1, 1_000)), (messages.low, messages.high));
    let gone = ["ArrivedUploads99x2d0 (AWS::Events::Rule)", "ArrivalsSubscription99x2d0a (AWS::SNS::Subscription)"];
    let mut update = step("us-west-2", Kind::Stack, Action::Update);
    update.change.properties = gone.map(|name| PropertyChange::new(name, None, Some(json!("new")))).into();
    let before = after.before(&plan(vec![update]));
    let stack = before.regions["us-west-2"].stack.as_ref().unwrap();
    assert_eq!((stack.arrivals, stack.arrival_mails), (1, 1), "{stack:?}");
}

#[test]
fn a_queue_for_the_history_costs_as_much_as_the_other_one() {
    let requests = |more: &str| {
        let inventory = inventory(&format!("{PRODUCTION}\nfiles: {{ events: true{more} }}\n"));
        let bill = Bill::of(&inventory, &Usage::default(), &prices());
        let lines = bill.lines.iter().filter(|line| line.price_id == id::SQS_REQUESTS);
        lines.map(|line| line.quantity.high).collect::<Vec<_>>()
    };
    let (one, two) = (requests(""), requests(", history_events: true"));
    assert!(!one.is_empty() && one.len() == two.len(), "{one:?} {two:?}");
    // But for what is rounded.
    assert!(one.iter().zip(&two).all(|(one, two)| one.part(2, 100) == two.part(1, 100)), "{one:?} {two:?}");
}

#[test]
fn settings_of_the_stack_change_the_bill() {
    let after = inventory(TEST);
    let update = |name: &str, before: Option<serde_json::Value>, to: serde_json::Value| {
        let mut step = step("us-west-2", Kind::Stack, Action::Update);
        step.change.properties = vec![PropertyChange::new(name, before, Some(to))];
        change(&after, &plan(vec![step])).change
    };
    // An alarm more; and metrics that earlier versions had for each reason, 14 more than one, and for the method, 5.
    assert_eq!(update("X (AWS::CloudWatch::Alarm)", None, json!("new")).high, usd("0.1"));
    assert_eq!(
        update("X (AWS::CloudWatch::Alarm)", Some(json!("exists")), json!("removed")).low,
        Usd::ZERO - usd("0.1")
    );
    assert_eq!(update("parameter RefusalReasons", None, json!("false")).low, Usd::ZERO - usd("4.2"));
    assert_eq!(update("parameter ApiMethodMetrics", Some(json!("true")), json!("false")).low, Usd::ZERO - usd("1.5"));
    assert_eq!(update("parameter BlockList", Some(json!("a")), json!("b")).high, Usd::ZERO);
    // A log-in costs nearly the same, and half a second of a refusal the half.
    let less = update("parameter MemoryMb", Some(json!("1024")), json!("512"));
    let below = |text| Usd::ZERO - usd(text);
    assert!(less.low > below("2") && less.low < below("1") && less.high <= Usd::ZERO, "{less:?}");
    assert!(less.high > below("0.1"), "{less:?}");
}

/// Decryption is billed by what is uploaded where the workflow is.
#[test]
fn decryption_has_a_line_for_uploads() {
    let file = "version: 1\nenvironment: e\naccount: \"111111111111\"\nhome_region: us-west-2\n\
                regions: { us-west-2: { server: true }, us-east-1: { server: true } }\nclusters: { a: us-west-2 }\n";
    let decrypt = "files: { decrypt: { a: {} } }\n";
    let usage = exact(&[("uploaded_gb", 600.0)]);
    let bill = Bill::of(&inventory(&format!("{file}{decrypt}")), &usage, &prices());
    assert_eq!(line(&bill, "us-west-2", id::PGP).amount.low.to_string(), "30.00", "half of the uploads");
    assert!(!bill.lines.iter().any(|line| line.place == "us-east-1" && line.price_id == id::PGP));
    let without = Bill::of(&inventory(file), &usage, &prices());
    assert!(!without.lines.iter().any(|line| line.price_id == id::PGP));
}

/// A plan that deletes a region's stack does not know that it had a workflow: another region has one because of its
/// cluster.
#[test]
fn a_deleted_region_did_not_decrypt() {
    let file = "version: 1\nenvironment: e\naccount: \"111111111111\"\nhome_region: us-west-2\n\
                regions: { us-west-2: { server: true } }\nclusters: { a: us-west-2 }\nfiles: { decrypt: { a: {} } }\n";
    let after = inventory(file);
    let steps = [Kind::Server, Kind::Stack].map(|kind| step("us-east-1", kind, Action::Delete));
    let before = after.before(&plan(steps.into()));
    let workflows = |region: &str| before.regions[region].stack.as_ref().unwrap().workflows;
    assert_eq!((workflows("us-west-2"), workflows("us-east-1")), (1, 0));
    let bill = Bill::of(&before, &exact(&[("uploaded_gb", 600.0)]), &prices());
    let decrypted = bill.lines.iter().filter(|line| line.price_id == id::PGP);
    assert_eq!(decrypted.map(|line| line.place.as_str()).collect::<Vec<_>>(), ["us-west-2"]);
}

/// A web ACL is billed where a server is, with each of its rules.
#[test]
fn web_acls_and_their_rules_have_lines() {
    for (more, rules) in [("waf: {}", "4"), ("waf: { countries: { allow: [DE] } }", "5")] {
        let bill = Bill::of(&inventory(&format!("{TEST}\n{more}")), &exact(&[("log_ins", 2e6)]), &prices());
        let amount = |id: &str| line(&bill, "us-west-2", id).amount.low.to_string();
        assert_eq!((amount(id::WAF_ACL), amount(id::WAF_RULE)), ("5.00".into(), format!("{rules}.00")));
        assert_eq!(amount(id::WAF_REQUESTS), "0.60", "half of the log-ins");
        assert!(!bill.lines.iter().any(|line| line.place == "us-east-1" && line.price_id == id::WAF_ACL));
    }
}

#[test]
fn scans_cost_by_the_file_and_by_the_gb() {
    let scanned = |setting: &str| inventory(&format!("{TEST}\nfiles: {{ malware_scan: {setting} }}\n"));
    let all = Bill::of(&scanned("{}"), &Usage::default(), &prices());
    let of_one = Bill::of(&scanned("{ clusters: [99-5] }"), &Usage::default(), &prices());
    let sum = |bill: &Bill, wanted: &str| {
        let lines = bill.lines.iter().filter(|line| line.price_id == wanted);
        lines.fold(Amount::default(), |sum, line| sum.plus(line.exact))
    };
    for (what, usd_of) in [(id::MALWARE_GB, "0.09"), (id::MALWARE_OBJECTS, "0.215")] {
        let (field, per) = if what == id::MALWARE_GB { (Field::UploadedGb, 1) } else { (Field::UploadedFiles, 1000) };
        let whole = sum(&all, what).high;
        let expected = usd(usd_of).of(field.assumed().unwrap().high, per);
        assert_eq!(whole.rounded(), expected.rounded(), "every file of every bucket: {what}");
        assert!(sum(&of_one, what).high < whole, "{what}");
    }
    assert_eq!(sum(&Bill::of(&inventory(TEST), &Usage::default(), &prices()), id::MALWARE_GB), Amount::default());
    // A plan that turns it on says what it costs more.
    let after = scanned("{ clusters: [99-5] }");
    let mut step = step("us-west-2", Kind::Stack, Action::Update);
    step.change.properties = vec![PropertyChange::new(
        "MalwarePlan99x2d5 (AWS::GuardDuty::MalwareProtectionPlan)",
        None,
        Some(json!("new")),
    )];
    let more = change(&after, &plan(vec![step])).change;
    assert!(more.low > Usd::default() && more.high > more.low, "{more:?}");
}
