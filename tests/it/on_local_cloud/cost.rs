//! What a plan changes of the costs, and the limit to it.

use serde_json::Value;

use crate::site::{Site, shown};

const ONE_MORE: (&str, &str) = ("us-east-1: { server: false }", "us-east-1: { server: true }");

#[test]
fn plan_says_what_it_costs_and_is_refused_above_the_limit() {
    let site = Site::new();
    let plan = ["plan", "--env", "99", "--local"];
    let with = |more: &[&'static str]| [&plan[..], more].concat();
    let first = site.ok(&plan);
    assert!(first.contains("Cost: + ") && first.contains("from 0.00 to "), "{first}");
    // Nothing is created or saved above the limit, by `plan` or by `deploy`.
    let refused = site.ends_with(3, &with(&["--out", "plan.json", "--max-monthly-increase", "50"]));
    assert!(refused.contains("the limit of --max-monthly-increase is 50.00 USD"), "{refused}");
    assert!(!site.dir.path().join("plan.json").exists());
    site.ends_with(3, &["deploy", "--env", "99", "--local", "--yes", "--max-monthly-increase", "50"]);
    assert_eq!(site.aws(&["left"]), "[]");

    site.deploy();
    let nothing = shown(&site.run(&plan));
    assert!(!nothing.contains("Cost:") && !nothing.contains("price is of"), "there is nothing to do: {nothing}");
    site.edit(|file| file.replace(ONE_MORE.0, ONE_MORE.1));
    let printed = site.ok(&plan);
    assert!(printed.contains("us-east-1    Transfer Family: SFTP endpoint  + 219.00"), "{printed}");
    let warned = shown(&site.run(&plan));
    assert!(warned.contains("warning: the oldest price is of 2025-06-"), "{warned}");
    // As docs/cost.md shows it.
    let document = std::fs::read_to_string(sftpctl_testkit::programs::root().join("docs/cost.md")).unwrap();
    let documented =
        document.lines().skip_while(|line| !line.starts_with("Cost: ")).take_while(|line| !line.starts_with("```"));
    for line in documented {
        assert!(printed.lines().any(|printed| printed == line), "{line}: {printed}");
    }
    let markdown = site.ok(&with(&["--output", "markdown"]));
    assert!(markdown.contains("| us-east-1 | Transfer Family: SFTP endpoint | + 219.00 |"), "{markdown}");
    let printed = site.ok(&with(&["--output", "json"]));
    let view = printed.lines().find(|line| line.contains("\"sftpctl/plan/1\"")).unwrap();
    let view: Value = serde_json::from_str(view).unwrap();
    let high: f64 = view["cost"]["change"]["high"].as_str().unwrap().parse().unwrap();
    assert!((218.0..227.0).contains(&high), "{}", view["cost"]);
    // The plan of one region has the same change: what no step changes is the same before and after.
    let limited = site.ok(&with(&["--region", "us-east-1", "--output", "json"]));
    let limited = limited.lines().find(|line| line.contains("\"sftpctl/plan/1\"")).unwrap();
    let limited: Value = serde_json::from_str(limited).unwrap();
    assert_eq!(limited["cost"], view["cost"]);
    site.ends_with(3, &with(&["--max-monthly-increase", "200"]));
    // A saved plan has no costs in it, and can be followed.
    site.ok(&with(&["--max-monthly-increase", "250", "--out", "plan.json"]));
    let saved = std::fs::read_to_string(site.dir.path().join("plan.json")).unwrap();
    assert!(!saved.contains("\"cost\""), "{saved}");
    site.ok(&["deploy", "--env", "99", "--local", "--yes", "--plan", "plan.json", "--max-monthly-increase", "250"]);

    site.edit(|file| file.replace(ONE_MORE.1, ONE_MORE.0));
    let less = site.ok(&with(&["--max-monthly-increase", "0"]));
    assert!(less.contains("us-east-1    Transfer Family: SFTP endpoint  - 219.00"), "{less}");
}

/// AWS's price list files have another date than the built-in prices, and more products than are looked for.
#[test]
fn prices_are_refreshed_from_price_list_files() {
    let site = Site::new();
    // No keys are needed: anybody may read the files.
    let cost = ["cost", "--env", "99", "--local"];
    let with = |more: &[&'static str]| [&cost[..], more].concat();
    let output = site.run(&with(&["--refresh", "prices.toml", "--output", "json"]));
    assert!(output.status.success(), "{}", shown(&output));
    let said = shown(&output);
    assert!(said.contains("wrote prices.toml: ") && said.contains(" prices of AWS in 3 regions;"), "{said}");
    let view = said.lines().find(|line| line.contains("\"sftpctl/cost/1\"")).unwrap();
    let view: Value = serde_json::from_str(view).unwrap();
    let lines = view["lines"].as_array().unwrap();
    for (id, price) in [
        ("transfer.sftp-hour", "0.30"),
        ("transfer.upload", "0.04"),
        ("apigateway.requests", "3.50"),
        ("dynamodb.storage", "0.25"),
        ("logs.ingest", "0.50"),
        ("data.internet-out", "0.09"),
    ] {
        let line = lines.iter().find(|line| line["priceId"] == id && line["place"] == "us-west-2").unwrap();
        assert_eq!((&line["price"], &line["published"]), (&price.into(), &"2026-08-31".into()), "{line}");
    }
    // What is not looked for has its price and its date as before, and the file is one for --prices.
    let zone = lines.iter().find(|line| line["priceId"] == "route53.zone").unwrap();
    assert_eq!(zone["published"], "2025-06-05");
    let table = std::fs::read_to_string(site.dir.path().join("prices.toml")).unwrap();
    assert!(table.contains("published = \"2026-08-31\"") && !table.contains("route53"), "{table}");
    let total = |more: &[&'static str]| {
        let printed = site.ok(&[&["cost", "--env", "99"], more].concat());
        printed.lines().find(|line| line.starts_with("Total: ")).unwrap().to_owned()
    };
    assert_eq!(total(&["--prices", "prices.toml"]), total(&[]));
    // A region of which there are no files keeps its prices.
    site.edit(|file| file.replace("us-east-1: { server: false }", "eu-north-1: { server: false }"));
    let kept = shown(&site.run(&with(&["--refresh", "others.toml"])));
    assert!(kept.contains("kept as it was: AWSTransfer in eu-north-1: AWS has no such price list file"), "{kept}");
    let both = site.ends_with(2, &with(&["--refresh", "a.toml", "--prices", "prices.toml"]));
    assert!(both.contains("cannot be used with"), "{both}");
}

/// What botocore has put into CloudWatch of 30 days is in the bill of a month of 730 hours.
#[test]
fn usage_is_measured_and_scaled_to_a_month() {
    let site = Site::deployed("");
    site.oracle("metrics.py", &[]);
    let printed = site.ok(&["cost", "--env", "99", "--local", "--measured", "30d", "--output", "json"]);
    let view: Value = serde_json::from_str(&printed).unwrap();
    let lines = view["lines"].as_array().unwrap();
    let line = |place: &str, id: &str| {
        let line = lines.iter().find(|line| line["place"] == place && line["priceId"] == id);
        line.unwrap_or_else(|| panic!("{place} {id}: {printed}"))
    };
    for (id, quantity, amount) in [
        ("transfer.upload", "365", "14.60"),
        ("apigateway.requests", "0.73", "2.56"),
        ("s3.storage", "150", "3.45"),
        // 73,000 files, half a unit and 1 KB of log lines for each log-in.
        ("s3.puts", "73", "0.37"),
        ("dynamodb.reads", "0.365", "0.05"),
        ("logs.ingest", "0.696182", "0.35"),
    ] {
        let line = line("us-west-2", id);
        assert_eq!(
            (&line["quantity"]["low"], &line["quantity"]["high"]),
            (&quantity.into(), &quantity.into()),
            "{line}"
        );
        assert_eq!(
            (&line["amount"]["high"], &line["quantity"]["basis"]),
            (&amount.into(), &"measured".into()),
            "{line}"
        );
    }
    assert!(
        !lines.iter().any(|line| line["place"] == "us-east-2" && line["priceId"] == "transfer.upload"),
        "{printed}"
    );
    assert_eq!(view["usage"]["accounts"]["basis"], "assumed", "{printed}");
}
