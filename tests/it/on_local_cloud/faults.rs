//! Injected faults: what an SDK sees of each, and how a deployment handles them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::site::{Running, Site, shown, tool, until};

const SERVER: &str = r#"{"EndpointType": "PUBLIC", "IdentityProviderType": "SERVICE_MANAGED"}"#;
const TRUST: &str = r#"{"RoleName": "r", "AssumeRolePolicyDocument": "{\"Version\":\"2012-10-17\",\"Statement\":[]}"}"#;

/// Sends a request to one of the front's own paths.
pub(super) fn front(site: &Site, method: &str, path: &str) -> Value {
    let address = site.endpoint().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(
        stream,
        "{method} /_sftpctl/{path} HTTP/1.0\r\nHost: {address}\r\nx-sftpctl-secret: {}\r\n\r\n",
        site.secret()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or_else(|_| panic!("{answer}"))
}

fn add(site: &Site, rule: &[&str]) {
    site.ok(&[&["local", "faults", "add"], rule].concat());
}

fn clear(site: &Site) {
    site.ok(&["local", "faults", "clear"]);
}

/// The regions of an account's servers, from the status of the local cloud.
fn servers(site: &Site, account: &str) -> Vec<String> {
    let status = site.status();
    let all = status["servers"].as_array().unwrap().iter().filter(|server| server["account"] == account);
    all.map(|server| server["region"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_protocol_has_its_own_error_codes() {
    let site = Site::new();
    let respond = |service: &str, operation: &str| site.oracle("faults.py", &[service, operation]);
    let calls = [
        ("transfer", "list_servers", "400 ThrottlingException", "500 InternalServerError"),
        ("dynamodb", "list_tables", "400 ThrottlingException", "500 InternalServerError"),
        ("iam", "list_roles", "400 Throttling", "500 InternalFailure"),
        ("cloudformation", "list_stacks", "400 Throttling", "500 InternalFailure"),
        ("route53", "list_hosted_zones", "400 Throttling", "500 InternalFailure"),
        ("s3", "list_buckets", "503 SlowDown", "500 InternalError"),
        ("lambda", "list_functions", "429 TooManyRequestsException", "500 ServiceException"),
        ("apigateway", "get_rest_apis", "429 TooManyRequestsException", "500 ServiceException"),
    ];
    add(&site, &["*", "throttle", "--account", "222222222222"]);
    for (service, operation, throttled, _) in calls {
        assert_eq!(respond(service, operation), throttled);
    }
    clear(&site);
    add(&site, &["*", "error500", "--account", "222222222222"]);
    for (service, operation, _, failed) in calls {
        assert_eq!(respond(service, operation), failed);
    }
    clear(&site);

    // `--skip` and `--count` limit a rule.
    add(&site, &["transfer.List*", "error=403:Odd:no", "--skip", "1", "--count", "1", "--region", "us-west-2"]);
    let responses: Vec<String> = (0..3).map(|_| respond("transfer", "list_servers")).collect();
    assert_eq!(responses, [r#"{"Servers": []}"#, "403 Odd", r#"{"Servers": []}"#]);
    let list = site.ok(&["local", "faults", "list", "--output", "json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!((&list["rules"][0]["matched"], &list["rules"][0]["applied"]), (&2.into(), &1.into()), "{list}");
    site.ok(&["local", "faults", "clear", &list["rules"][0]["id"].to_string()]);
    assert_eq!(site.ok(&["local", "faults", "list"]).trim(), "no faults");
}

#[test]
fn responses_can_be_lost_stale_or_incomplete() {
    let site = Site::new();
    let respond = |operation: &str, input: &str| site.oracle("faults.py", &["transfer", operation, input]);
    let count = || servers(&site, "222222222222").len();
    add(&site, &["transfer.CreateServer", "reset-before", "--count", "1"]);
    assert_eq!(respond("create_server", SERVER), "ConnectionClosedError");
    assert_eq!(count(), 0, "the call never arrived");
    add(&site, &["transfer.CreateServer", "reset-after", "--count", "1"]);
    assert_eq!(respond("create_server", SERVER), "ConnectionClosedError");
    assert_eq!(count(), 1, "the call took effect");
    clear(&site);

    add(&site, &["transfer.ListServers", "stale=10m"]);
    let before = respond("list_servers", "{}");
    respond("create_server", SERVER);
    assert_eq!(respond("list_servers", "{}"), before);
    clear(&site);
    assert_ne!(respond("list_servers", "{}"), before);

    // IAM would not know the role anyway.
    site.ok(&["local", "manners", "off", "iam-propagation"]);
    add(&site, &["*.*", "hide-new=10m", "--only", "reads"]);
    let before = respond("list_servers", "{}");
    respond("create_server", SERVER);
    assert_eq!(respond("list_servers", "{}"), before);
    let iam = |operation: &str, input: &str| site.oracle("faults.py", &["iam", operation, input]);
    iam("create_role", TRUST);
    assert_eq!(iam("get_role", r#"{"RoleName": "r"}"#), "404 NoSuchEntity");
    clear(&site);
    assert_ne!(respond("list_servers", "{}"), before);
    assert!(iam("get_role", r#"{"RoleName": "r"}"#).contains("RoleId"));

    // Calls are logged in order, with their kind and the fault that was injected.
    let log = front(&site, "GET", "calls/log");
    let ours = log.as_array().unwrap().iter().filter(|call| call["account"] == "222222222222");
    let first: Vec<(&str, bool, bool)> = ours
        .map(|call| {
            let operation = call["operation"].as_str().unwrap();
            (operation, call["mutating"].as_bool().unwrap(), call["fault"].is_string())
        })
        .take(2)
        .collect();
    assert_eq!(first, [("CreateServer", true, true), ("CreateServer", true, true)]);
}

/// IAM, CloudFormation, DynamoDB and Transfer Family show some changes only a few seconds later.
#[test]
fn eventual_consistency_only_delays_a_deployment() {
    let site = Site::new();
    for rule in [
        ["iam.GetRole", "hide-new=5s"],
        ["transfer.ListServers", "hide-new=5s"],
        ["cloudformation.DescribeStacks", "stale=2s"],
        ["dynamodb.DescribeTable", "stale=2s"],
    ] {
        add(&site, &rule);
    }
    site.ok(&["deploy", "--env", "99", "--local", "--yes"]);
    clear(&site);
    assert_eq!(servers(&site, "111111111111").len(), 2);
    assert_eq!(site.planned(), Vec::<String>::new());
    site.aws(&["properties"]);
}

/// Starts a deployment that will be killed.
fn deploying(site: &Site) -> Running {
    let mut command = site.command(&["deploy", "--env", "99", "--local", "--yes"]);
    Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn rerun_after_a_kill_around_create_server_leaves_one_server_per_region() {
    for (fault, had_effect) in [("hold-before", 0), ("hold-after", 1)] {
        let site = Site::new();
        add(&site, &["transfer.CreateServer", fault, "--region", "us-west-2"]);
        let mut run = deploying(&site);
        until("the call is held", || (front(&site, "GET", "faults")["holds"].as_array()?.len() == 1).then_some(()));
        let count = servers(&site, "111111111111").iter().filter(|region| *region == "us-west-2").count();
        assert_eq!(count, had_effect, "{fault}");
        run.0.kill().unwrap();
        run.0.wait().unwrap();
        until("the caller is gone", || front(&site, "GET", "faults")["holds"].as_array()?.is_empty().then_some(()));
        clear(&site);
        site.deploy();
        let mut regions = servers(&site, "111111111111");
        regions.sort();
        assert_eq!(regions, ["us-east-2", "us-west-2"], "{fault}");
        assert_eq!(site.planned(), Vec::<String>::new(), "{fault}");
    }
}

#[test]
fn throttles_errors_and_lost_responses_only_delay_a_deployment() {
    let site = Site::new();
    add(&site, &["*", "throttle", "--probability", "0.3", "--seed", "1"]);
    // Probabilities apply to what the earlier rules let through, so that each is the intended share of all calls.
    add(&site, &["*", "error500", "--probability", "0.1429", "--seed", "2"]);
    add(&site, &["*", "reset-after", "--probability", "0.0833", "--seed", "3"]);
    site.deploy();
    let rules = front(&site, "GET", "faults")["rules"].clone();
    assert!(rules.as_array().unwrap().iter().all(|rule| rule["applied"].as_u64().unwrap() > 0), "{rules}");
    clear(&site);
    let mut regions = servers(&site, "111111111111");
    regions.sort();
    assert_eq!(regions, ["us-east-2", "us-west-2"]);
    assert_eq!(site.planned(), Vec::<String>::new());
}

#[test]
fn expired_credentials_stop_a_run_that_can_be_resumed() {
    let site = Site::new();
    add(&site, &["*", "error=400:ExpiredTokenException:the token has expired", "--only", "mutating", "--skip", "12"]);
    let output = site.ends_with(6, &["deploy", "--env", "99", "--local", "--yes"]);
    assert!(output.contains("sign in again"), "{output}");
    clear(&site);
    site.deploy();
    assert_eq!(site.planned(), Vec::<String>::new());
}

/// With the state in S3, the first call that is refused is often a write of the journal, here that of the first intent.
/// Nothing has been changed, and the run must still advise to sign in again.
#[test]
fn credentials_expiring_at_a_journal_write_stop_a_run_that_can_be_resumed() {
    let site = Site::new();
    site.aws(&["state-bucket", "sftpctl-state-of-tests"]);
    let state = "s3://sftpctl-state-of-tests/expired";
    let expired = "error=400:ExpiredToken:the token has expired";
    add(&site, &["s3.PutObject", expired, "--object", "*.journal", "--skip", "1"]);
    let deploy = ["deploy", "--env", "99", "--local", "--yes", "--no-verify", "--state", state];
    let output = site.ends_with(6, &deploy);
    assert!(output.contains("sign in again"), "{output}");
    clear(&site);
    site.ok(&deploy);
    site.aws(&["properties"]);
}

/// `deploy` with a credential process, as for SSO or an assumed role: each set of credentials lasts for a few seconds,
/// and the program provides them only `times` times.
fn with_program(site: &Site, times: u32) -> Command {
    let folder = site.dir.path();
    let program = folder.join("credentials");
    let script = format!(
        "#!/bin/sh\necho x >> {0}/calls\n\
         [ $(wc -l < {0}/calls) -le {times} ] || {{ echo 'the session is over' >&2; exit 1; }}\n\
         date -u -d '+5 seconds' '+{{\"Version\":1,\"AccessKeyId\":\"111111111111\",\
         \"SecretAccessKey\":\"{1}\",\"Expiration\":\"%Y-%m-%dT%H:%M:%SZ\"}}'\n",
        folder.display(),
        site.secret()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let _ = std::fs::remove_file(folder.join("calls"));
    let config = folder.join("aws-config");
    std::fs::write(&config, format!("[profile p]\ncredential_process = {}\n", program.display())).unwrap();
    let endpoint = site.endpoint();
    let deploy = ["deploy", "--env", "99", "--yes", "--no-verify", "--profile", "p", "--endpoint-url", &endpoint];
    let mut command = site.command(&deploy);
    command.env("AWS_CONFIG_FILE", config);
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn credentials_are_refreshed_mid_run_until_the_session_ends() {
    let site = Site::new();
    // The account's hosted zone exists beforehand, as on AWS.
    site.planned();
    let stopped = with_program(&site, 60).output().unwrap();
    let output = shown(&stopped);
    assert_eq!(stopped.status.code(), Some(6), "{output}");
    assert!(output.contains("sign in again"), "{output}");
    let retried = |line: &str| line.contains("retrying") && line.contains("xpired");
    assert!(!output.lines().any(retried), "this fault is not transient: {output}");
    // The same command resumes while the session lasts; the credentials are refreshed many times.
    let done = with_program(&site, 10_000).output().unwrap();
    assert!(done.status.success(), "{}", shown(&done));
    let refreshes = std::fs::read_to_string(site.dir.path().join("calls")).unwrap().lines().count();
    assert!(refreshes > 10, "{refreshes}");
    site.aws(&["properties"]);
}

#[test]
fn stop_before_any_call_releases_the_lock() {
    let site = Site::new();
    add(&site, &["transfer.ListServers", "hold-before"]);
    let mut command = site.command(&["deploy", "--env", "99", "--local", "--yes"]);
    let mut run = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until("the run reads", || (!front(&site, "GET", "faults")["holds"].as_array()?.is_empty()).then_some(()));
    let locked = shown(&site.run(&["lock", "show", "--env", "99", "--local"]));
    assert!(locked.contains("deploy by "), "{locked}");
    let sent = tool("kill", "procps").args(["-s", "TERM", &run.0.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(run.0.wait().unwrap().code(), Some(130));
    let free = site.ok(&["lock", "show", "--env", "99", "--local"]);
    assert!(free.contains("is not locked"), "{free}");
    clear(&site);
    assert_eq!(site.aws(&["left"]), "[]", "nothing was changed");
}

#[test]
fn unreadable_resource_fails_the_drift_check() {
    let site = Site::deployed("");
    site.ok(&["drift", "--env", "99", "--local"]);
    add(&site, &["transfer.Describe*", "error=403:AccessDeniedException:no", "--region", "us-west-2"]);
    let output = site.ends_with(1, &["drift", "--env", "99", "--local"]);
    assert!(output.contains("us-west-2/server"), "{output}");
}

#[test]
fn missing_permission_is_reported_before_any_change() {
    let site = Site::new();
    // The account's hosted zone exists beforehand, as on AWS.
    site.planned();
    add(&site, &["iam.GetRole", "error=403:AccessDenied:not you"]);
    let refused = site.ends_with(3, &["deploy", "--env", "99", "--local", "--yes"]);
    assert!(refused.contains("allow `iam:GetRole`") && refused.contains("docs/permissions.md"), "{refused}");
    assert!(refused.contains("nothing was changed"), "{refused}");
    assert_eq!(site.aws(&["left"]), "[]");
}

#[test]
fn unreachable_endpoint_is_reported() {
    let site = Site::stopped();
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let mut command: Command = site.command(&["deploy", "--env", "99", "--yes", "--endpoint-url", &endpoint]);
    command.env("AWS_ACCESS_KEY_ID", "111111111111").env("AWS_SECRET_ACCESS_KEY", "fake-secret");
    let output = command.output().unwrap();
    assert!(!output.status.success());
    assert!(shown(&output).contains("check the network"), "{}", shown(&output));
    // A name that never resolves (RFC 2606).
    let mut command = site.command(&["deploy", "--env", "99", "--yes", "--endpoint-url", "http://aws.invalid"]);
    command.env("AWS_ACCESS_KEY_ID", "111111111111").env("AWS_SECRET_ACCESS_KEY", "fake-secret");
    let output = command.output().unwrap();
    assert!(!output.status.success());
    assert!(shown(&output).contains("check the network"), "{}", shown(&output));
}
