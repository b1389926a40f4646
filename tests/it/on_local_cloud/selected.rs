//! Deployments of a part of an environment: what is left out is listed, and the next whole deployment does it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use serde_json::Value;

use crate::site::{Site, shown};

const ON: [&str; 3] = ["--env", "99", "--local"];

fn with(command: &[&'static str], more: &[&'static str]) -> Vec<&'static str> {
    [command, &ON[..], more].concat()
}

/// The last line of a command's JSON.
fn last(output: &str) -> Value {
    serde_json::from_str(output.lines().last().unwrap()).unwrap()
}

fn names(value: &Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_part_is_deployed_and_the_next_deployment_completes_it() {
    let site = Site::new();
    let whole: BTreeSet<String> = site.planned().into_iter().collect();

    // A step without what it needs is refused, with all that is missing.
    let refused = site.ends_with(3, &with(&["deploy"], &["--yes", "--only", "us-west-2/stack"]));
    let missing = ["--only global/user-role", "--only us-west-2/api-account", "--only us-west-2/package"];
    assert!(missing.iter().all(|missing| refused.contains(missing)), "{refused}");
    let unknown = site.ends_with(2, &with(&["plan"], &["--skip", "us-west-3"]));
    let lists = ["nothing in environment 99 is named us-west-3", "its regions are global, us-east-1", "its kinds are "];
    assert!(lists.iter().all(|line| unknown.contains(line)), "{unknown}");
    assert_eq!(site.planned().into_iter().collect::<BTreeSet<_>>(), whole, "nothing was changed");

    // A region by itself, and a canary that logs in there.
    let west = ["--only", "us-west-2", "--only", "user-*", "--only", "record", "--skip", "*us-east-2*", "--yes"];
    let planned = last(&site.ok(&with(&["plan", "--output=json"], &west[..8])));
    let left_out = names(&planned["leftOut"]);
    let steps = planned["steps"].as_array().unwrap().iter().map(|step| step["id"].as_str().unwrap().to_owned());
    let steps: BTreeSet<String> = steps.collect();
    assert!(steps.contains("us-west-2/server") && steps.contains("global/user-role"), "{steps:?}");
    assert!(left_out.contains("us-east-2/server") && left_out.contains("global/record/99-uploads-us-east-2.xx.net"));
    // A server of a region, and not that of the other one.
    let cost: f64 = planned["cost"]["after"]["low"].as_str().unwrap().parse().unwrap();
    assert!((219.0..438.0).contains(&cost), "{planned:#}");
    assert_eq!(steps.union(&left_out).cloned().collect::<BTreeSet<_>>(), whole, "each step is on one side");
    let deployed = site.ends_with(6, &with(&["deploy"], &west));
    let says = ["left out: ", "Run `sftpctl deploy --env 99 --local` to do that, too.", "us-west-2"];
    assert!(says.iter().all(|line| deployed.contains(line)), "{deployed}");
    assert_eq!(site.ports().into_keys().collect::<Vec<_>>(), ["us-west-2"]);
    assert_eq!(site.planned().into_iter().collect::<BTreeSet<_>>(), left_out, "exactly that is left");
    let status = last(&site.ok(&with(&["status", "--output=json"], &[])));
    assert_eq!(status["lastDeploy"]["outcome"], "partly");
    site.ok(&["verify", "--env", "99", "--local", "--region", "us-west-2"]);

    // With nothing to do in the part, too, the exit code says that something is left.
    let nothing = site.ends_with(6, &with(&["deploy"], &["--yes", "--only", "us-west-2"]));
    assert!(nothing.contains("Nothing to do in what is selected") && nothing.contains("Left out: "), "{nothing}");

    // A deployment without the options does the rest.
    site.deploy();
    assert_eq!(site.planned(), Vec::<String>::new());
    site.ok(&with(&["deploy"], &["--yes", "--only", "us-east-*"]));
    site.aws(&["properties"]);
}

#[test]
fn what_is_wrong_with_what_is_left_out_stops_nothing() {
    let site = Site::new();
    site.planned();
    // Somebody else has the name of a bucket of us-east-2's neighbour: the whole cannot be deployed.
    site.aws(&["state-bucket", "pl-pt99-5-uploads"]);
    let refused = site.ends_with(3, &with(&["deploy"], &["--yes"]));
    assert!(refused.contains("pl-pt99-5-uploads"), "{refused}");
    let part = ["--yes", "--skip", "us-west-2/bucket", "--skip", "us-west-2/stack", "--skip", "us-west-2/server*"];
    let rest = ["--skip", "us-west-2/trigger", "--skip", "*us-west-2.xx.net"];
    let output = site.run(&with(&["deploy"], &[&part[..], &rest[..]].concat()));
    assert_eq!(output.status.code(), Some(6), "{}", shown(&output));
    assert_eq!(site.ports().into_keys().collect::<Vec<_>>(), ["us-east-2"]);
    site.aws(&["delete-bucket", "pl-pt99-5-uploads"]);
    site.deploy();
    assert_eq!(site.planned(), Vec::<String>::new());
}

#[test]
fn a_saved_part_is_deployed_with_the_same_selection() {
    let site = Site::new();
    site.ok(&with(&["plan"], &["--only", "table", "--out", "part.json"]));
    let refused = site.ends_with(3, &with(&["deploy"], &["--yes", "--plan", "part.json"]));
    assert!(refused.contains("was not in the plan"), "{refused}");
    let same = with(&["deploy"], &["--yes", "--only", "table", "--plan", "part.json"]);
    site.ends_with(6, &same);
    // As a job that is run again.
    site.ends_with(6, &same);
    assert!(!site.planned().contains(&"us-west-2/table".to_owned()));
}
