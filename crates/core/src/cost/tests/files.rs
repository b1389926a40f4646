//! Files of usage and of prices.

use super::*;

#[test]
fn a_usage_file_is_read_or_every_fault_is_said() {
    let regions = ["us-west-2", "us-east-2"];
    let usage = Usage::load(
        "version: 1\nlog_ins: 2000\nstored_gb: { low: 10, high: 20.5 }\nregions:\n  us-west-2: { uploaded_gb: 7 }\n",
        "usage.yaml",
        &regions,
    );
    let usage = usage.unwrap();
    assert_eq!(
        usage.of("us-west-2", Field::LogIns, (1, 2)).unwrap(),
        Estimate::exactly(Quantity::whole(1000), Basis::Given)
    );
    assert_eq!(usage.of("us-west-2", Field::StoredGb, (1, 1)).unwrap().high, quantity("20.5"));
    assert_eq!(usage.of("us-west-2", Field::UploadedGb, (1, 2)).unwrap().low, Quantity::whole(7));
    assert_eq!(usage.of("us-east-2", Field::UploadedGb, (1, 2)).unwrap().high, Quantity::ZERO);
    assert_eq!(usage.of("us-east-2", Field::DownloadedGb, (1, 2)).unwrap().basis, Basis::Assumed);
    for (text, says) in [
        ("log_ins: 1\n", "the setting `version` is missing"),
        ("version: 2\n", "unknown format version 2"),
        ("version: 1\nlog_ins: -1\n", "`log_ins` is out of range"),
        ("version: 1\nlog_ins: { low: 2, high: 1 }\n", "ends below its beginning"),
        ("version: 1\noverwritten_percent: 101\n", "`overwritten_percent` is out of range"),
        ("version: 1\nlogins: 1\n", "logins"),
        ("version: 1\nlog_ins: many\n", "a range such as { low: 10, high: 20 }"),
        ("version: 1\nregions: { mars-1: { log_ins: 1 } }\n", "the environment has no region mars-1"),
        ("version: 1\nlog_ins: 1\nregions: { us-west-2: { log_ins: 1 } }\n", "also given for the whole environment"),
    ] {
        let faults = Usage::load(text, "usage.yaml", &regions).unwrap_err().render(false);
        assert!(faults.contains(says), "{text}: {faults}");
    }
}

#[test]
fn usage_by_region_is_the_same_bill_as_its_sum() {
    let whole = exact(&[("log_ins", 1e6), ("uploaded_gb", 600.0)]);
    let mut parts = exact(&[]);
    for region in ["us-west-2", "us-east-2"] {
        parts.set(region, Field::LogIns, Estimate::exactly(Quantity::whole(500_000), Basis::Given));
        parts.set(region, Field::UploadedGb, Estimate::exactly(Quantity::whole(300), Basis::Given));
    }
    let bill = |usage| Bill::of(&inventory(TEST), usage, &prices());
    assert_eq!(bill(&whole).lines, bill(&parts).lines);
}

#[test]
fn what_is_measured_of_one_region_leaves_the_others_what_is_given() {
    let mut usage = exact(&[("log_ins", 1e6), ("uploaded_gb", 600.0), ("authorizer_ms", 60.0)]);
    let measured = |number| Estimate::exactly(Quantity::whole(number), Basis::Measured);
    usage.set("us-west-2", Field::UploadedGb, measured(100));
    usage.set("us-west-2", Field::AuthorizerMs, measured(80));
    let bill = Bill::of(&inventory(TEST), &usage, &prices());
    let quantity = |place: &str, id: &str| line(&bill, place, id).quantity.low;
    assert_eq!(quantity("us-west-2", id::SFTP_UPLOAD), Quantity::whole(100));
    assert_eq!(quantity("us-east-2", id::SFTP_UPLOAD), Quantity::whole(300), "its half of what is given");
    assert_eq!(quantity("us-west-2", id::API_REQUESTS).to_string(), "0.5", "nothing was measured of it");
    assert_eq!(usage.of("us-west-2", Field::AuthorizerMs, (1, 2)).unwrap(), measured(80));
    assert_eq!(usage.of("us-east-2", Field::AuthorizerMs, (1, 2)).unwrap().low, Quantity::whole(60));
    // Without anything given, a region of which nothing is measured has none of it, and its authorizer takes the time
    // that follows from its memory.
    let mut alone = Usage::default();
    alone.set("us-west-2", Field::UploadedGb, measured(100));
    alone.set("us-west-2", Field::AuthorizerMs, measured(80));
    assert_eq!(alone.of("us-east-2", Field::AuthorizerMs, (1, 2)), None);
    assert_eq!(alone.of("us-east-2", Field::UploadedGb, (1, 2)).unwrap().high, Quantity::ZERO);
}

const ROW: &str = "version = 1\n[[price]]\nid = \"transfer.sftp-hour\"\nservice = \"Transfer Family\"\n\
                   item = \"SFTP endpoint\"\nunit = \"hours\"\n\
                   usd = [{ usd = [\"0.25\"], regions = [\"us-west-2\"] }]\nsource = \"contract\"\n\
                   published = \"2026-11-01\"\nretrieved = \"2026-11-02\"\nconfidence = \"published\"\n";

#[test]
fn a_price_file_wins_where_it_has_a_price() {
    let mut all = prices();
    all.extend(Prices::parse(ROW).unwrap());
    let row = all.row(id::SFTP_HOUR).unwrap();
    assert_eq!(row.in_region("us-west-2").unwrap(), [usd("0.25")]);
    assert_eq!(row.in_region("us-east-1").unwrap(), [usd("0.30")], "the built-in price stays");
    let date = |region: &str| row.price(region).unwrap().origin.published.clone();
    assert_eq!(date("us-west-2").as_deref(), Some("2026-11-01"));
    assert_eq!(date("us-east-1").as_deref(), Some("2025-06-17"), "with its date");
    assert_eq!(row.note.as_deref(), Some("also while the server is OFFLINE: AWS bills it until it is deleted"));
    let bill = Bill::of(&inventory(TEST), &Usage::default(), &all);
    assert_eq!(bill.oldest_price(), Some("2025-06-05"), "one new price does not make the others new");
    assert_eq!(line(&bill, "us-west-2", id::SFTP_HOUR).published.as_deref(), Some("2026-11-01"));
    let regions: BTreeMap<&str, &str> = [("us-west-2", "182.50"), ("us-east-1", "219.00")].into();
    for (region, expected) in regions {
        assert_eq!(row.amount(region, Quantity::whole(730)).unwrap().to_string(), expected);
    }
}

#[test]
fn faults_of_a_price_file_name_the_row_or_the_line() {
    for (from, to, says) in [
        ("version = 1", "version = 2", "unknown format version 2"),
        ("unit = \"hours\"", "unit = hours", "line 6: "),
        ("unit = ", "units = ", "line 6: "),
        ("\"0.25\"", "\"0,25\"", "row `transfer.sftp-hour`: `0,25` is not a price"),
        ("[\"0.25\"]", "[\"0.25\", \"0.2\"]", "2 prices in `usd` for 1 tiers"),
        ("\"2026-11-01\"", "\"November\"", "`November` is not a date"),
        ("\"2026-11-01\"", "\"2026-99-99\"", "`2026-99-99` is not a date"),
        ("\"2026-11-01\"", "\"2026-02-29\"", "`2026-02-29` is not a date"),
        ("\"2026-11-02\"", "\"2026-11-31\"", "`2026-11-31` is not a date"),
        ("\"2026-11-02\"", "\"2026-11-00\"", "`2026-11-00` is not a date"),
        ("\"2026-11-02\"", "\"2026-11-2\"", "`2026-11-2` is not a date"),
        ("published = \"2026-11-01\"\n", "", "`published` is missing"),
    ] {
        let error = Prices::parse(&ROW.replacen(from, to, 1)).unwrap_err();
        assert!(error.to_string().contains(says), "{to}: {error}");
    }
    assert!(matches!(Prices::parse(&ROW.replace("version", "x")), Err(PricesError::Syntax { line: 1 | 2, .. })));
    let twice = format!("{ROW}{}", &ROW["version = 1\n".len()..]);
    assert!(Prices::parse(&twice).unwrap_err().to_string().contains("twice"));
}
