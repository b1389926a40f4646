//! Breaks each link of the log-in chain that `deploy` creates: the log-in fails as it does on AWS, `test-login` names
//! the link, and `deploy` repairs the links that it checks.

use std::process::Stdio;

use crate::site::{Login, Running, Site, shown, succeeded, until};

const WEST: &str = "us-west-2";

/// How a link is repaired.
enum Repair<'a> {
    /// By `deploy`, in the step with this ID.
    Deploy(&'a str),
    /// By hand, with these commands of `door.py`: `deploy` checks only what it created itself, not what is inside the
    /// stack.
    Hand(&'a [&'a [&'a str]]),
}

struct Link<'a> {
    breaks: &'a dyn Fn(&Site),
    /// The regions whose servers then refuse log-ins.
    refuse: &'a [&'a str],
    /// The status code of the identity provider: 200 if the authorizer refuses, as for any refusal.
    status: u16,
    /// The finding of `test-login`.
    finding: &'a str,
    repair: Repair<'a>,
}

#[test]
fn every_broken_link_is_diagnosed_and_repaired() {
    let site = Site::deployed("");
    let login = site.add(175_781, "my1sftp", "correct horse");
    let door = |arguments: &[&str]| site.oracle("door.py", arguments);
    let (good, refused) = site.test_login(&login);
    assert!(good, "{refused}");
    let links = [
        Link {
            breaks: &|site| drop(site.aws(&["drift", "server-id"])),
            refuse: &[WEST],
            status: 200,
            finding: "the authorizer only admits users of server s-00000000000000000, but this server is s-",
            repair: Repair::Deploy("us-west-2/server-id"),
        },
        Link {
            breaks: &|site| drop(site.aws(&["drift", "trigger"])),
            refuse: &[WEST],
            status: 500,
            finding: "the trigger is missing: lambda-99-upload-us-west-2 does not let API Gateway invoke it",
            repair: Repair::Deploy("us-west-2/trigger"),
        },
        Link {
            breaks: &|_| drop(door(&["break", "invoke"])),
            refuse: &[WEST],
            status: 403,
            finding: "the invocation role may not invoke the API",
            repair: Repair::Hand(&[&["break", "invoke-again"]]),
        },
        Link {
            breaks: &|_| drop(door(&["break", "trust"])),
            refuse: &[WEST],
            status: 500,
            finding: "Transfer cannot assume the invocation role: ",
            repair: Repair::Hand(&[&["break", "trust-again"]]),
        },
        Link {
            breaks: &|_| drop(door(&["break", "concurrency"])),
            refuse: &[WEST],
            status: 500,
            finding: "the function may not run: its reserved concurrency is 0",
            repair: Repair::Hand(&[&["break", "concurrency-again"]]),
        },
        Link {
            breaks: &|site| drop(site.aws(&["drift", "replica"])),
            refuse: &["us-east-2"],
            status: 500,
            finding: "the table dydb-99-uploads has no replica in us-east-2",
            repair: Repair::Deploy("us-east-2/replica"),
        },
        Link {
            breaks: &|_| drop(door(&["break", "query"])),
            refuse: &[WEST],
            status: 500,
            finding: "does not allow dynamodb:Query on \
                      arn:aws:dynamodb:us-west-2:111111111111:table/dydb-99-uploads/index/username-index",
            repair: Repair::Hand(&[&["break", "query-again"]]),
        },
        Link {
            breaks: &|_| drop(door(&["break", "variables"])),
            refuse: &[WEST],
            status: 500,
            finding: "the variables of the function lambda-99-upload-us-west-2 are not those of its stack: SERVER_ID is \
                      missing",
            repair: Repair::Hand(&[&["break", "variables-again"]]),
        },
        Link {
            breaks: &|_| drop(door(&["break", "role-name"])),
            refuse: &[WEST],
            status: 200,
            finding: "the authorizer hands out the role arn:aws:iam::111111111111:role/sftp-transfr, \
                      which does not exist",
            repair: Repair::Hand(&[&["break", "role-name-again"]]),
        },
        // The API was changed and deployed, then changed back but not deployed: the stage still has the wrong method.
        Link {
            breaks: &|_| {
                door(&["mapping", WEST, "\"serverId\"", "\"server\""]);
                door(&["deploy-api", WEST]);
                door(&["mapping", WEST, "\"server\"", "\"serverId\""]);
            },
            refuse: &[WEST],
            status: 200,
            finding: "the API was changed by hand, or changed and not deployed to its stage again",
            repair: Repair::Hand(&[&["deploy-api", WEST]]),
        },
    ];
    for Link { breaks, refuse, status, finding, repair } in links {
        breaks(&site);
        for (region, port) in site.ports() {
            assert_eq!(site.admits(port, &login), !refuse.contains(&region.as_str()), "{finding}: {region}");
        }
        let mut json = site.command(&["test-login", "--env", "99", "--local", "--all-regions", "--output", "json"]);
        let json = json.args(["--password-stdin", "--username", &login.username]);
        let output = crate::site::with_input(json, login.password.as_bytes());
        assert_eq!(output.status.code(), Some(1), "{finding}: {}", shown(&output));
        for line in crate::site::text(&output.stdout).lines() {
            let check: serde_json::Value = serde_json::from_str(line).unwrap();
            let broken = refuse.contains(&check["region"].as_str().unwrap());
            assert_eq!(check["admitted"], !broken, "{check}");
            if broken {
                assert_eq!(check["status"], status, "{check}");
                // A refusal is final: nothing in the chain retries it for half a minute.
                assert!(check["seconds"].as_f64().unwrap() < 20.0, "{check}");
                assert!(check["finding"].as_str().unwrap().contains(finding), "{check}");
                let advises_deploy = check["hint"].as_str().unwrap().contains("run: sftpctl deploy");
                assert_eq!(advises_deploy, matches!(repair, Repair::Deploy(_)), "{check}");
            }
        }
        match repair {
            Repair::Deploy(step) => {
                assert_eq!(site.planned(), [step], "{finding}");
                site.deploy();
            }
            Repair::Hand(commands) => {
                for command in commands {
                    door(command);
                }
            }
        }
        for (region, port) in site.ports() {
            assert!(site.admits(port, &login), "{finding}: {region} after repair");
        }
    }
}

#[test]
fn function_may_do_only_what_its_role_allows() {
    let site = Site::deployed("");
    let login = site.add(175_781, "my1sftp", "correct horse");
    let port = site.port(WEST);
    assert!(site.admits(port, &login));
    let answers: serde_json::Value = serde_json::from_str(&site.oracle("door.py", &["as-function"])).unwrap();
    let denied = |operation: &str, action: &str| {
        format!(
            "An error occurred (AccessDeniedException) when calling the {operation} operation: \
             User: arn:aws:sts::111111111111:assumed-role/"
        ) + &format!(
            "… is not authorized to perform: dynamodb:{action} \
             on resource: arn:aws:dynamodb:us-west-2:111111111111:table/"
        )
    };
    for (call, expected) in [
        ("query", "done".to_owned()),
        ("scan", denied("Scan", "Scan")),
        ("put", denied("PutItem", "PutItem")),
        ("other table", denied("GetItem", "GetItem")),
        ("batch", denied("BatchGetItem", "BatchGetItem")),
        ("s3", "the local cloud lets functions call DynamoDB only, not s3:ListBuckets".to_owned()),
        ("secret", "(InvalidSignatureException)".to_owned()),
        ("token", "(InvalidSignatureException)".to_owned()),
    ] {
        let output = answers[call].as_str().unwrap();
        assert!(expected.split('…').all(|part| output.contains(part)), "{call}: {output}");
    }
    assert_eq!(answers["settings"], serde_json::json!([]));
    let variables = site.oracle("door.py", &["set-variables", WEST]);
    let set = "BLOCK_LIST GUARD_RULES GUARD_TABLE HOME_TYPE INDEX_NAME SERVER_ID TABLE_NAME TAKES_KEYS USERNAMES \
               USER_ROLE_ARN";
    let set: Vec<&str> = set.split(' ').collect();
    assert_eq!(serde_json::from_str::<Vec<&str>>(&variables).unwrap(), set);

    // A permission that the role loses counts at once, and the authorizer's log names it.
    site.oracle("door.py", &["break", "query"]);
    assert!(!site.admits(port, &login));
    let log = site.oracle("door.py", &["log", WEST]);
    let line = log.lines().rfind(|line| line.contains("the table did not answer")).unwrap();
    assert!(
        line.contains("\"level\":\"ERROR\"")
            && line.contains("AccessDeniedException: User: arn:aws:sts::111111111111:assumed-role/")
            && line.contains("/lambda-99-upload-us-west-2 is not authorized to perform: dynamodb:Query on resource:"),
        "{line}"
    );
    // To Transfer this is an error of its identity provider, and `TestIdentityProvider` shows no body.
    let logged = |line: &str| line.contains("activity=\"ERROR\"") && line.contains(" refused ");
    assert!(site.logs().lines().any(logged), "{}", site.logs());
    let mut command = site.oracle_command("door.py");
    let output = command.args(["test", WEST, "my1sftp"]).env("SFTP_PASSWORD", &login.password).output().unwrap();
    let answer: serde_json::Value = serde_json::from_str(&succeeded("test", &output)).unwrap();
    assert_eq!((answer["StatusCode"].as_u64(), answer["Response"].as_str()), (Some(500), Some("")), "{answer}");
    assert!(answer["Message"].as_str().unwrap().starts_with("Unable to call identity provider"), "{answer}");
    site.oracle("door.py", &["break", "query-again"]);
    assert!(site.admits(port, &login));
}

#[test]
fn bucket_outside_the_user_policy_denies_file_access() {
    let site = Site::deployed("");
    let login = site.add(175_781, "my1sftp", "correct horse");
    let port = site.port(WEST);
    assert!(site.admits(port, &login));
    // Within an account, a bucket policy that names the role grants access by itself, so both policies must lack it.
    site.oracle("door.py", &["break", "bucket"]);
    site.oracle("door.py", &["break", "bucket-grant"]);
    // The log-in itself succeeds, as on AWS: the policies are evaluated only when a file is accessed.
    let listed = site.sftp(port, &login, "pwd\n");
    assert!(listed.status.success(), "{}", shown(&listed));
    std::fs::write(site.dir.path().join("f"), "f").unwrap();
    let refused = site.sftp(port, &login, "put f\n");
    assert!(shown(&refused).contains("Permission denied"), "{}", shown(&refused));
    let (good, found) = site.test_login(&login);
    assert!(!good && found.contains("the user role's policy does not have the bucket pl-pt99-5-uploads"), "{found}");
    assert_eq!(site.planned(), ["global/user-policy", "us-west-2/bucket/pl-pt99-5-uploads"]);
    site.deploy();
    let put = site.sftp(port, &login, "put f\n");
    assert!(put.status.success(), "{}", shown(&put));
}

#[test]
fn each_refusal_is_explained() {
    let site = Site::deployed("");
    let login = site.add(175_781, "my1sftp", "correct horse");
    let far = ["add", "--orgid", "2", "--username", "far.away", "--cluster", "99-5", "--password-stdin"];
    succeeded("far", &site.users(&[&far[..], &["--allow-cidr", "192.0.2.0/24"]].concat(), "correct horse"));
    for (name, password, finding) in [
        ("my1sftp", "wrong", "the password is wrong"),
        ("nobody", "correct horse", "there is no account of this name"),
        ("root", "correct horse", "`root` is on the block list: refused before any look-up"),
        ("far.away", "correct horse", "the account does not admit the address 127.0.0.1"),
    ] {
        let (good, found) = site.test_login(&Login::new(name, password));
        assert!(!good && found.matches(finding).count() == 2, "{name}: {found}");
    }
    // A refusal is a failed authentication, and no error of the identity provider.
    assert!(!site.admits(site.port(WEST), &Login::new("my1sftp", "wrong")));
    let logs = site.logs();
    let failed = |line: &str| line.contains("activity=\"AUTH_FAILURE\"") && line.contains("user=\"my1sftp\"");
    assert!(logs.lines().any(failed) && !logs.contains("did not decide"), "{logs}");
    let mut from =
        site.command(&["test-login", "--env", "99", "--local", "--password-stdin", "--username", "far.away"]);
    succeeded("far", &crate::site::with_input(from.args(["--source-ip", "192.0.2.7"]), b"correct horse"));

    // A trigger exists, but for another API.
    site.oracle("door.py", &["break", "trigger-source"]);
    let (good, found) = site.test_login(&login);
    assert!(
        !good && found.contains("the trigger is another API's: lambda-99-upload-us-west-2 lets arn:aws:"),
        "{found}"
    );
    assert_eq!(site.planned(), ["us-west-2/trigger"]);
    site.deploy();

    // Without its method the API cannot answer log-ins, and `deploy` does not check the API.
    site.oracle("door.py", &["break", "method"]);
    let (good, found) = site.test_login(&login);
    assert!(!good && found.contains("API Gateway has no such method") && found.contains("REVERT_DRIFT"), "{found}");
    assert_eq!(site.planned(), [""; 0]);
    site.oracle("door.py", &["break", "method-again"]);

    // The bucket's own policy is enough to grant access to the role, and so to the customer.
    site.oracle("door.py", &["break", "bucket"]);
    assert!(site.admits(site.port(WEST), &login));
    let (good, found) = site.test_login(&login);
    assert!(good, "{found}");
    assert_eq!(site.planned(), ["global/user-policy"]);

    // An error from AWS in one region does not hide the result of another.
    let rule = ["transfer.ListServers", "error=400:InvalidRequestException:not today", "--region", WEST];
    site.ok(&[&["local", "faults", "add"][..], &rule].concat());
    let (good, found) = site.test_login(&login);
    assert!(!good && found.contains("not today") && found.contains("ok: admitted"), "{found}");
    site.ok(&["local", "faults", "clear"]);

    site.oracle("door.py", &["stop", WEST]);
    let (good, found) = site.test_login(&login);
    assert!(!good && found.contains("the identity provider admits the user, but the server is OFFLINE"), "{found}");
    assert!(found.contains("aws transfer start-server --region us-west-2 --server-id s-"), "{found}");
}

/// No canary stays in the account table, even if the run that created it was killed.
#[test]
fn canary_of_a_killed_deployment_is_deleted_by_the_next() {
    let site = Site::new();
    // Hold the run when the canary account exists but has not been tested yet.
    site.ok(&["local", "faults", "add", "transfer.TestIdentityProvider", "hold-before"]);
    let mut deploy = site.command(&["deploy", "--env", "99", "--local", "--yes"]);
    let mut deploy = Running(deploy.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until("a canary in the table", || (site.oracle("door.py", &["canaries"]) == "1").then_some(()));
    deploy.0.kill().unwrap();
    deploy.0.wait().unwrap();
    site.ok(&["local", "faults", "clear"]);
    assert!(site.deploy().contains("ok: admitted"));
    assert_eq!(site.oracle("door.py", &["canaries"]), "0");
}

#[test]
fn canary_waits_for_new_resources() {
    let site = Site::new();
    // As while a new role is not visible everywhere; the SDK itself does not retry this.
    let rule = ["transfer.TestIdentityProvider", "error=400:InvalidRequestException:not yet", "--count", "3"];
    site.ok(&[&["local", "faults", "add"][..], &rule].concat());
    assert!(site.deploy().contains("ok: admitted"));
    // Later, such an error is final.
    site.ok(&[&["local", "faults", "add"][..], &rule[..2]].concat());
    let output = site.ends_with(1, &["verify", "--env", "99", "--local"]);
    assert_eq!(output.matches("not yet").count(), 2, "{output}");
}

/// A refused canary fails the deployment, and the next one too although it has nothing to do, until it is admitted.
#[test]
fn deployment_fails_until_its_servers_admit_the_canary() {
    let site = Site::deployed("");
    let deploy = ["deploy", "--env", "99", "--local", "--yes"];
    let attempts = || {
        let calls = serde_json::from_str::<serde_json::Value>(&site.aws(&["fetch", "/_sftpctl/calls"])).unwrap();
        calls["calls"]["transfer.TestIdentityProvider"].as_u64().unwrap()
    };
    let leftovers = || site.oracle("door.py", &["canaries"]);
    let once = attempts();
    assert!(site.ok(&deploy).contains("Nothing to do"));
    assert_eq!(attempts(), once, "an admitted canary is not tested again");

    site.oracle("door.py", &["break", "invoke"]);
    site.edit(|file| file.replace("retention_days: 30", "retention_days: 60"));
    let refused = site.ends_with(1, &deploy);
    assert!(refused.contains("the invocation role may not invoke the API"), "{refused}");
    let again = site.ends_with(1, &deploy);
    assert!(again.contains("Nothing to do") && again.contains("the invocation role may not invoke the API"), "{again}");
    assert_eq!(leftovers(), "0", "the canary is deleted, admitted or not");
    let before = attempts();
    site.ok(&[&deploy[..], &["--no-verify"]].concat());
    assert_eq!(attempts(), before, "--no-verify skips the test");

    site.oracle("door.py", &["break", "invoke-again"]);
    assert!(site.ok(&deploy).contains("ok: admitted"));
    assert!(!site.ok(&deploy).contains("admitted"));
    assert_eq!(leftovers(), "0");
}

#[test]
fn malformed_items_are_refused() {
    let site = super::shared();
    let digest = "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==";
    let home = r#""HomeDirectory": {"S": "/pl-pt99-5-uploads/3000"}"#;
    let password = format!(r#""password": {{"S": "{digest}"}}"#);
    for (name, item, finding) in [
        ("no.home", password.clone(), "malformed: the attribute HomeDirectory is missing"),
        ("whole.bucket", format!(r#"{password}, "HomeDirectory": {{"S": "/pl-pt99-5-uploads"}}"#), "malformed"),
        ("climbs", format!(r#"{password}, "HomeDirectory": {{"S": "/pl-pt99-5-uploads/../x"}}"#), "malformed"),
        ("number", format!(r#"{home}, "password": {{"N": "17"}}"#), "malformed"),
        ("nothing", home.to_owned(), "malformed"),
        (
            "status",
            format!(r#"{home}, {password}, "status": {{"S": "Active"}}"#),
            "malformed: the attribute status is neither active nor disabled",
        ),
        ("range", format!(r#"{home}, {password}, "allowedSources": {{"L": [{{"S": "10.0.0.0/99"}}]}}"#), "malformed"),
        ("hash.end", format!(r#"{home}, "password": {{"S": "{digest}\n"}}"#), "has a line end after the hash"),
        ("hash.space", format!(r#"{home}, "password": {{"S": " {digest}"}}"#), "has white space before the hash"),
        ("scheme", format!(r#"{home}, "password": {{"S": "$2b$12$notOurs"}}"#), "has an unknown form"),
        ("plain", format!(r#"{home}, "password": {{"S": "secret"}}"#), "has an unknown form"),
    ] {
        let login = Login::new(name, "secret");
        let org = 3000 + u64::try_from(name.len()).unwrap() * 100 + u64::from(name.as_bytes()[0]);
        site.oracle(
            "door.py",
            &["item", &format!(r#"{{"orgid": {{"N": "{org}"}}, "username": {{"S": "{name}"}}, {item}}}"#)],
        );
        assert!(!site.admits(site.port(WEST), &login), "{name}");
        let (good, shown) = site.test_login(&login);
        assert!(!good && shown.contains(finding), "{name}: {shown}");
        // A line may come with the log of the next call: Lambda delivers logs when it likes.
        let line = until("the refusal in the log", || {
            let log = site.oracle("door.py", &["log", WEST]);
            let line = log.lines().rfind(|line| line.contains(&format!("\"username\":\"{name}\"")));
            line.map(str::to_owned).or_else(|| {
                assert!(!site.admits(site.port(WEST), &login), "{name}");
                None
            })
        });
        assert!(line.contains("\"level\":\"ERROR\"") && !line.contains("secret"), "{line}");
    }
}
