//! Servers in VPCs with fixed addresses: created, moved there and back, and killed in between.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Stdio;

use serde_json::Value;

use crate::site::{Running, Site, shown, text, until};

/// The VPC that every account has.
const PLACE: &str = "vpc: vpc-00000001, security_groups: [sg-00000001]";

/// The setting of a server in a VPC with these subnets.
fn in_vpc(subnets: &str) -> String {
    format!("{{ endpoint: vpc, {PLACE}, subnets: [{subnets}] }}")
}

fn two() -> String {
    in_vpc("subnet-00000001, subnet-00000002")
}

/// Changes `server` of us-west-2.
fn set(site: &Site, server: &str) {
    site.edit(|file| {
        let lines = file.lines().map(|line| match line.starts_with("  us-west-2: {") {
            true => format!("  us-west-2: {{ server: {server} }}"),
            false => line.to_owned(),
        });
        lines.collect::<Vec<_>>().join("\n") + "\n"
    });
}

/// Lets everybody reach port 22 in the VPC's own security group, which otherwise admits only its members.
fn admit(site: &Site) {
    site.oracle("addresses.py", &["admit"]);
}

/// The server of us-west-2 and the addresses there, as botocore sees them.
fn show(site: &Site) -> Value {
    serde_json::from_str(&site.oracle("addresses.py", &["show"])).unwrap()
}

fn plan(site: &Site) -> Value {
    let lines = site.ok(&["plan", "--env", "99", "--local", "--output", "json"]);
    serde_json::from_str(lines.lines().last().unwrap()).unwrap()
}

/// `connect-info` of us-west-2.
fn connect_info(site: &Site) -> Value {
    let lines = site.ok(&["connect-info", "--env", "99", "--local", "--username", "jan", "--output", "json"]);
    let all: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    let endpoints = all["endpoints"].as_array().unwrap();
    endpoints.iter().find(|endpoint| endpoint["region"] == "us-west-2").unwrap().clone()
}

#[test]
fn the_front_enforces_the_order_of_aws() {
    let site = Site::new();
    site.oracle("addresses.py", &["rules"]);
}

#[test]
fn addresses_outlive_the_environment() {
    let site = Site::new();
    admit(&site);
    set(&site, &two());
    site.deploy();
    assert_eq!(site.planned(), Vec::<String>::new(), "a second deployment has nothing to do");
    let first = show(&site);
    assert_eq!((&first["type"], &first["state"]), (&"VPC".into(), &"ONLINE".into()));
    assert_eq!(first["used"], first["allocated"]);
    assert_eq!(first["ips"].as_array().unwrap().len(), 2);
    assert_eq!(connect_info(&site)["addresses"], first["ips"]);
    let text = site.ok(&["connect-info", "--env", "99", "--local", "--username", "jan"]);
    assert!(text.contains("firewall   allow outgoing TCP to 203.0.113."), "{text}");
    site.ok(&["drift", "--env", "99", "--local"]);

    let kept = site.run(&["teardown", "--env", "99", "--local", "--yes", "--delete-data"]);
    assert!(shown(&kept).contains("--release-addresses gives it back to AWS"), "{}", shown(&kept));
    assert_eq!(show(&site)["ips"], first["ips"]);
    site.teardown_with_data(&[]);
    site.deploy();
    let again = show(&site);
    assert_eq!(
        (&again["used"], &again["ips"]),
        (&first["used"], &first["ips"]),
        "customers' firewalls stay as they are"
    );
    assert_ne!(again["id"], first["id"]);

    // Without the state, too.
    site.forget();
    assert_eq!(site.planned(), Vec::<String>::new());
    site.teardown_with_data(&["--release-addresses"]);
    assert_eq!(show(&site)["allocated"], Value::Array(Vec::new()));
    assert_eq!(site.aws(&["left"]), "[]");
}

#[test]
fn a_server_moves_into_a_vpc_and_back() {
    let site = Site::deployed("");
    admit(&site);
    let login = site.add(17578, "jan@x.com", "a password of some length");
    let before = connect_info(&site);
    assert_eq!(before["addresses"], Value::Array(Vec::new()));
    set(&site, &two());
    let planned = plan(&site);
    let steps = planned["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["id"] == "us-west-2/server").unwrap();
    let reason = step["change"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("outage: nobody can log in to this server for 5 to 15 minutes"), "{reason}");
    let markdown = site.ok(&["plan", "--env", "99", "--local", "--output", "markdown"]);
    assert!(markdown.contains("outage: nobody can log in"), "{markdown}");
    site.deploy();
    let moved = show(&site);
    assert_eq!((&moved["type"], &moved["state"]), (&"VPC".into(), &"ONLINE".into()));
    assert_eq!(site.planned(), Vec::<String>::new());
    let after = connect_info(&site);
    assert_eq!((&after["server"], &after["hostKeys"]), (&before["server"], &before["hostKeys"]));
    assert_eq!(after["addresses"], moved["ips"]);
    assert!(site.admits(site.port("us-west-2"), &login));

    // Security groups change without an outage.
    let group = site.oracle("addresses.py", &["group"]);
    set(&site, &two().replace("sg-00000001", &group));
    let planned = plan(&site);
    assert_eq!(planned["steps"][0]["change"]["reason"], Value::Null, "{planned}");
    site.aws(&["post", "/_sftpctl/calls/reset"]);
    site.deploy();
    let calls = site.aws(&["fetch", "/_sftpctl/calls"]);
    assert!(calls.contains("ec2.ModifyVpcEndpoint") && !calls.contains("transfer.StopServer"), "{calls}");
    assert_eq!(show(&site)["groups"], serde_json::json!([group]));

    // One address fewer: the other is kept.
    set(&site, &in_vpc("subnet-00000003"));
    site.deploy();
    let fewer = show(&site);
    assert_eq!(fewer["subnets"], serde_json::json!(["subnet-00000003"]));
    assert_eq!((fewer["used"].as_array().unwrap().len(), fewer["allocated"].as_array().unwrap().len()), (1, 2));
    let drift = site.ends_with(4, &["drift", "--env", "99", "--local"]);
    assert!(drift.contains("us-west-2/orphan/address/eipalloc-"), "{drift}");

    set(&site, "{ endpoint: public }");
    site.deploy();
    let public = show(&site);
    assert_eq!((&public["type"], &public["id"]), (&"PUBLIC".into(), &moved["id"]));
    assert_eq!(public["allocated"], moved["allocated"], "they are kept");
    assert_eq!(site.planned(), Vec::<String>::new());
    site.ok(&["teardown", "--env", "99", "--local", "--yes", "--orphans", "--release-addresses"]);
    assert_eq!(show(&site)["allocated"], Value::Array(Vec::new()));
    // Without a word about it, the endpoint stays where it is.
    set(&site, "true");
    assert_eq!(site.planned(), Vec::<String>::new());
}

#[test]
fn what_somebody_changed_by_hand_is_found_and_repaired() {
    let site = Site::new();
    admit(&site);
    set(&site, &two());
    site.deploy();
    let first = show(&site);
    site.oracle("addresses.py", &["bare"]);
    let drift = site.ends_with(4, &["drift", "--env", "99", "--local"]);
    assert!(drift.contains("addresses") && drift.contains("ONLINE → OFFLINE"), "{drift}");
    site.deploy();
    assert_eq!(show(&site), first);
    // Addresses that lost their tag are not replaced by others.
    site.oracle("addresses.py", &["disown"]);
    let refused = site.ends_with(3, &["deploy", "--env", "99", "--local", "--yes"]);
    assert!(refused.contains("exists without the tag sftpctl:environment"), "{refused}");
    site.oracle("addresses.py", &["own"]);
    assert_eq!(site.planned(), Vec::<String>::new());
}

/// What AWS would refuse is refused before the server is stopped.
#[test]
fn nobody_is_cut_off_for_a_mistake() {
    let site = Site::deployed("");
    let before = show(&site);
    // The VPC's own security group, as AWS makes it.
    set(&site, &two());
    let closed = "sg-00000001 admits nobody to port 22";
    let doctor = site.ends_with(1, &["doctor", "--env", "99", "--local"]);
    assert!(doctor.contains("D024-network") && doctor.contains(closed), "{doctor}");
    admit(&site);
    set(&site, &in_vpc("subnet-00000001, subnet-0123456789abcdef0"));
    let doctor = site.ends_with(1, &["doctor", "--env", "99", "--local"]);
    assert!(doctor.contains("D024-network") && doctor.contains("subnet-0123456789abcdef0 does not exist"), "{doctor}");
    set(&site, &two());
    let doctor = site.ok(&["doctor", "--env", "99", "--local", "--details"]);
    assert!(doctor.contains("need 2, free 5 of 5"), "{doctor}");
    for (server, message) in [
        (in_vpc("subnet-0123456789abcdef0"), "one of the subnets subnet-0123456789abcdef0 does not exist"),
        (two().replace("vpc-00000001", "vpc-00000002"), "subnet-00000001 is in vpc-00000001, not in vpc-00000002"),
        (two().replace("sg-00000001", "sg-0123456789abcdef0"), "security groups sg-0123456789abcdef0 does not exist"),
        (
            format!(
                "{{ endpoint: vpc, {PLACE}, subnets: [subnet-00000001], addresses: [eipalloc-0123456789abcdef0] }}"
            ),
            "there is no Elastic IP address eipalloc-0123456789abcdef0",
        ),
    ] {
        set(&site, &server);
        let refused = site.run(&["deploy", "--env", "99", "--local", "--yes"]);
        assert!(!refused.status.success() && shown(&refused).contains(message), "{}", shown(&refused));
        let now = show(&site);
        assert_eq!((&now["state"], &now["type"], &now["id"]), (&before["state"], &before["type"], &before["id"]));
    }
}

/// Without an internet gateway AWS refuses addresses late. A route to it may be missing for a good reason: a firewall
/// has it. AWS says nothing of it.
#[test]
fn a_network_without_a_way_to_the_internet_is_found_before_anything_is_done() {
    let site = Site::deployed("");
    admit(&site);
    set(&site, &two());
    let before = show(&site);
    let command = |verb: &'static str| [verb, "--env", "99", "--local"];
    let deploy = [&command("deploy")[..], &["--yes", "--output", "plain"]].concat();
    let gateway = |what: &str| site.oracle("addresses.py", &["gateway", what]);
    let say = |outputs: &[&String], message: &str, remedy: &str| {
        for said in outputs {
            assert!(said.contains("D024-network") && said.contains(message) && said.contains(remedy), "{said}");
        }
    };
    let missing = "vpc-00000001 has no internet gateway";
    gateway("detach");
    let doctor = site.ends_with(1, &command("doctor"));
    let planned = site.ends_with(0, &command("plan"));
    let refused = site.ends_with(1, &deploy);
    say(&[&doctor, &planned, &refused], missing, "attach-internet-gateway --region us-west-2");
    assert_eq!(show(&site), before, "nothing was allocated, and the server goes on");
    gateway("attach");
    gateway("unroute");
    let doctor = site.ends_with(0, &command("doctor"));
    let planned = site.ends_with(0, &command("plan"));
    let deployed = site.ends_with(0, &deploy);
    say(&[&doctor, &planned, &deployed], "subnet-00000001 has no route to an internet gateway", "create-route");
    assert_eq!(show(&site)["type"], "VPC");
    gateway("route");
    assert_eq!(site.planned(), Vec::<String>::new());

    // A new server with addresses: nothing is created either.
    site.teardown_with_data(&["--release-addresses"]);
    gateway("detach");
    let refused = site.ends_with(1, &deploy);
    assert!(refused.contains(missing), "{refused}");
    assert_eq!((&show(&site)["allocated"], &show(&site)["id"]), (&serde_json::json!([]), &Value::Null));
}

/// `status` says what customers' firewalls have to allow, also of addresses that were there before.
#[test]
fn status_shows_the_addresses_of_each_region() {
    let site = Site::new();
    admit(&site);
    set(&site, &two());
    let deployed = site.ends_with(0, &["deploy", "--env", "99", "--local", "--yes", "--output", "plain"]);
    let rows = || {
        let lines = site.ok(&["status", "--env", "99", "--local", "--output", "json"]);
        let status: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        let row = |region: &str| {
            let rows = status["regions"].as_array().unwrap();
            rows.iter().find(|row| row["region"] == region).unwrap()["addresses"].clone()
        };
        (row("us-west-2"), row("us-east-2"))
    };
    let shown = show(&site);
    assert_eq!(rows(), (shown["ips"].clone(), serde_json::json!([])));
    let text = site.ok(&["status", "--env", "99", "--local"]);
    assert!(!deployed.contains("eipalloc-"), "{deployed}");
    let ips: Vec<&str> = shown["ips"].as_array().unwrap().iter().map(|ip| ip.as_str().unwrap()).collect();
    for text in [&text, &deployed] {
        assert!(text.contains("fixed") && ips.iter().all(|ip| text.contains(ip)), "{text}");
    }

    // The same as addresses of the file: the environment's own are no longer its.
    let ids = shown["used"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect::<Vec<_>>().join(", ");
    set(&site, &two().replace(" }", &format!(", addresses: [{ids}] }}")));
    assert_eq!(rows(), (shown["ips"].clone(), serde_json::json!([])));
    // Customers connect to them until a deployment has made the server public.
    set(&site, "{ endpoint: public }");
    assert_eq!(rows(), (shown["ips"].clone(), serde_json::json!([])));

    // What cannot be read is named.
    site.ok(&["local", "faults", "add", "ec2.DescribeAddresses", "error=403:UnauthorizedOperation:no"]);
    let unread = crate::site::shown(&site.run(&["status", "--env", "99", "--local"]));
    assert!(
        unread.contains("the fixed addresses of us-west-2 could not be read") && unread.contains("eipalloc-"),
        "{unread}"
    );
}

/// The security group of the file's ranges comes and goes with them.
#[test]
fn customers_ranges_are_a_security_group() {
    let site = Site::new();
    admit(&site);
    let place = "vpc: vpc-00000001, subnets: [subnet-00000001]";
    let allow = |ranges: &str| format!("{{ endpoint: vpc, {place}, allow: [{ranges}] }}");
    set(&site, &allow("203.0.113.0/24, 198.51.100.7/32"));
    site.deploy();
    assert_eq!(site.planned(), Vec::<String>::new());
    let first = show(&site);
    assert_eq!(first["admitted"], serde_json::json!(["198.51.100.7/32", "203.0.113.0/24"]));
    set(&site, &allow("203.0.113.0/24, 192.0.2.0/24"));
    assert_eq!(site.planned(), ["us-west-2/security-group"]);
    site.aws(&["post", "/_sftpctl/calls/reset"]);
    site.deploy();
    let calls = site.aws(&["fetch", "/_sftpctl/calls"]);
    assert!(!calls.contains("transfer.StopServer"), "{calls}");
    let second = show(&site);
    assert_eq!(second["admitted"], serde_json::json!(["192.0.2.0/24", "203.0.113.0/24"]));
    assert_eq!((&second["groups"], &second["used"]), (&first["groups"], &first["used"]));
    site.oracle("addresses.py", &["open"]);
    let drift = site.ends_with(4, &["drift", "--env", "99", "--local"]);
    assert!(drift.contains("other rules"), "{drift}");
    site.deploy();
    assert_eq!(site.planned(), Vec::<String>::new());

    // Deleted once the endpoint no longer has it.
    set(&site, &in_vpc("subnet-00000001"));
    site.deploy();
    let third = show(&site);
    assert_eq!((&third["groups"], &third["owned"]), (&serde_json::json!(["sg-00000001"]), &serde_json::json!([])));
    set(&site, &allow("0.0.0.0/0"));
    site.deploy();
    site.forget();
    site.teardown_with_data(&["--release-addresses"]);
    assert_eq!(show(&site)["owned"], serde_json::json!([]));
}

const DEPLOY: [&str; 6] = ["deploy", "--env", "99", "--local", "--yes", "--no-verify"];

/// Starts a deployment, and kills it when the rule that was added holds its call.
fn kill_when_held(site: &Site, added: &str) {
    let id = serde_json::from_str::<Value>(added).unwrap()["id"].to_string();
    let mut run = Running(site.command(&DEPLOY).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until("the call is held", || {
        let faults: Value = serde_json::from_str(&site.ok(&["local", "faults", "list", "--output", "json"])).ok()?;
        (!faults["holds"].as_array()?.is_empty()).then_some(())
    });
    run.0.kill().unwrap();
    run.0.wait().unwrap();
    site.ok(&["local", "faults", "clear", &id]);
}

/// A run that was killed when AWS had created its security group: the next run takes that one, and none is left behind
/// when the file no longer asks for it.
#[test]
fn a_security_group_of_a_killed_run_is_neither_doubled_nor_left_behind() {
    let site = Site::deployed("");
    let allow = "{ endpoint: vpc, vpc: vpc-00000001, subnets: [subnet-00000001], allow: [203.0.113.0/24] }";
    let owned = || show(&site)["owned"].as_array().unwrap().len();
    let kill = || {
        set(&site, allow);
        let held = ["ec2.CreateSecurityGroup", "hold-after", "--region", "us-west-2", "--count", "1"];
        let added = site.ok(&[&["local", "faults", "add", "--output", "json"][..], &held].concat());
        kill_when_held(&site, &added);
        assert_eq!(owned(), 1, "AWS has created it");
    };
    kill();
    site.ok(&DEPLOY);
    assert_eq!((owned(), site.planned()), (1, Vec::new()));
    set(&site, "{ endpoint: public }");
    site.ok(&DEPLOY);
    assert_eq!(owned(), 0);

    kill();
    set(&site, "{ endpoint: public }");
    site.ok(&DEPLOY);
    site.ok(&["teardown", "--env", "99", "--local", "--yes", "--orphans", "--release-addresses"]);
    let now = show(&site);
    assert_eq!((&now["owned"], &now["allocated"]), (&serde_json::json!([]), &serde_json::json!([])));
    assert_eq!((&now["type"], &now["state"]), (&"PUBLIC".into(), &"ONLINE".into()));
}

/// Killed at any call of the move, before or after it took effect, the next run completes it, with the same addresses.
#[test]
fn a_move_that_was_killed_is_completed_by_the_next_run() {
    let site = Site::deployed("");
    admit(&site);
    let mut wanted = true;
    let mut known: Option<Value> = None;
    for call in [
        ["ec2.AllocateAddress", "hold-after", "0"],
        ["transfer.StopServer", "hold-after", "0"],
        ["transfer.UpdateServer", "hold-after", "0"],
        ["transfer.UpdateServer", "hold-before", "1"],
        ["transfer.UpdateServer", "hold-after", "1"],
        ["transfer.StartServer", "hold-before", "0"],
        ["transfer.StartServer", "hold-after", "0"],
    ] {
        set(&site, if wanted { two() } else { "{ endpoint: public }".to_owned() }.as_str());
        let [operation, kind, skip] = call;
        let added = site.ok(&[
            "local",
            "faults",
            "add",
            "--output",
            "json",
            operation,
            kind,
            "--region",
            "us-west-2",
            "--skip",
            skip,
            "--count",
            "1",
        ]);
        kill_when_held(&site, &added);
        site.ok(&DEPLOY);
        let now = show(&site);
        assert_eq!(now["state"], "ONLINE", "{call:?}");
        assert_eq!(now["type"], if wanted { "VPC" } else { "PUBLIC" }, "{call:?}");
        assert_eq!(site.planned(), Vec::<String>::new(), "{call:?}");
        let addresses = now["allocated"].clone();
        assert_eq!(addresses.as_array().unwrap().len(), 2, "{call:?}");
        assert_eq!(*known.get_or_insert(addresses.clone()), addresses, "{call:?}");
        wanted = !wanted;
    }
}

/// An update that AWS refuses although everything was checked leaves no server stopped.
#[test]
fn a_refused_move_starts_the_server_again() {
    let site = Site::deployed("");
    admit(&site);
    set(&site, &two());
    site.ok(&[
        "local",
        "faults",
        "add",
        "transfer.UpdateServer",
        "error=400:InvalidRequestException:no",
        "--count",
        "1",
    ]);
    let refused = site.run(&DEPLOY);
    let said = format!("{}{}", text(&refused.stdout), text(&refused.stderr));
    assert!(!refused.status.success() && said.contains("the server was started again as it is"), "{said}");
    until("it is on line", || (show(&site)["state"] == "ONLINE").then_some(()));
    assert_eq!(show(&site)["type"], "PUBLIC");
    site.deploy();
    assert_eq!(show(&site)["type"], "VPC");
}
