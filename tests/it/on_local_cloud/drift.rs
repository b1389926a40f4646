//! Drift, and the adoption of manually created resources, on a local cloud; the manual changes are made with botocore.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;

use crate::site::{Site, text};

const DRIFT: [&str; 6] = ["drift", "--env", "99", "--local", "--output", "json"];

/// The report, and the exit code.
fn drift(site: &Site, more: &[&str]) -> (Value, i32) {
    let output = site.run(&[&DRIFT, more].concat());
    let shown = text(&output.stdout);
    let report = shown.lines().last().and_then(|line| serde_json::from_str(line).ok());
    (report.unwrap_or_else(|| panic!("{shown}{}", text(&output.stderr))), output.status.code().unwrap())
}

/// `resource property`, for every property that is not ignored.
fn counted(report: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for drifted in report["drifted"].as_array().unwrap() {
        for property in drifted["properties"].as_array().unwrap() {
            if property.get("ignored").is_none() {
                all.push(format!("{} {}", drifted["resource"].as_str().unwrap(), property["name"].as_str().unwrap()));
            }
        }
    }
    all.sort();
    all
}

#[test]
fn manual_changes_are_reported_inside_and_outside_the_stack() {
    let site = Site::deployed("");
    let (clean, code) = drift(&site, &[]);
    assert_eq!((counted(&clean), code), (Vec::new(), 0));
    assert!(clean["seen"].as_u64().unwrap() > 30, "{clean}");
    // Nothing is skipped: resources that CloudFormation does not check here are read.
    assert_eq!(clean["unseen"].to_string(), "[]");

    for what in ["memory", "retention", "method", "trigger"] {
        site.oracle("handmade.py", &["meddle", what]);
    }
    let (report, code) = drift(&site, &[]);
    assert_eq!(code, 4, "{report}");
    assert_eq!(
        counted(&report),
        [
            "us-west-2/stack/ApiMethod AuthorizationType",
            "us-west-2/stack/Authorizer MemorySize",
            "us-west-2/stack/AuthorizerLogs RetentionInDays",
            "us-west-2/trigger exists",
        ]
    );

    // Ignored by the file with a reason, or on the command line; a rule without effect is reported.
    site.edit(|file| {
        file + "\ndrift:\n  ignore:\n    - { resource: us-west-2/stack/*, reason: \"a load test\" }\n    \
                - { resource: us-west-2/server, property: SETSTAT, reason: \"old\" }\n"
    });
    let all = site.ends_with(2, &[&DRIFT[..], &["--ignore", "*"]].concat());
    assert!(all.contains("`--ignore *` does not name a resource"), "{all}");
    let (report, code) = drift(&site, &["--ignore", "us-west-2/trigger"]);
    assert_eq!((counted(&report), code), (Vec::new(), 0));
    assert!(report["drifted"].to_string().contains("a load test"), "{report}");
    assert_eq!(report["unusedIgnores"].to_string(), r#"["us-west-2/server:SETSTAT"]"#);
}

/// Variables that somebody gave the function by hand.
#[test]
fn secrets_of_others_are_shown_in_no_form() {
    let site = Site::deployed("");
    site.oracle("handmade.py", &["meddle", "variables"]);
    let env = ["--env", "99", "--local"];
    for command in [
        &["plan"][..],
        &["plan", "--output", "json"],
        &["plan", "--output", "markdown"],
        &["plan", "--out", "plan.json"],
        &["drift"],
        &["drift", "--output", "json"],
        &["deploy", "--yes", "--output", "json"],
    ] {
        let output = site.run(&[command, &env].concat());
        // As Markdown has it.
        let all = (text(&output.stdout) + &text(&output.stderr)).replace("&#95;", "_");
        assert!(!all.contains("made-up"), "{command:?}: {all}");
        assert!(all.contains("DB_PASSWORD") && all.contains("(not shown"), "{command:?}: {all}");
    }
    let saved = std::fs::read_to_string(site.dir.path().join("plan.json")).unwrap();
    assert!(!saved.contains("made-up") && saved.contains("DB_PASSWORD"), "{saved}");
}

/// `resource property: before -> after`, for every property.
fn changes(report: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for drifted in report["drifted"].as_array().unwrap() {
        for property in drifted["properties"].as_array().unwrap() {
            let (resource, name) = (drifted["resource"].as_str().unwrap(), property["name"].as_str().unwrap());
            let resource = resource.strip_prefix("us-west-2/stack/").unwrap();
            all.push(format!("{resource} {name}: {} -> {}", property["before"], property["after"]));
        }
    }
    all.sort();
    all
}

#[test]
fn resources_skipped_by_cloudformation_are_compared_with_before_and_after() {
    let site = Site::deployed("");
    // The same policy in another notation is not drift.
    site.oracle("handmade.py", &["meddle", "inline-policy-reordered"]);
    let (clean, code) = drift(&site, &[]);
    assert_eq!((changes(&clean), code), (Vec::new(), 0));

    for what in ["alarm", "metric-filter", "stage-log", "stage-trace", "stage-throttle", "model", "resource"] {
        site.oracle("handmade.py", &["meddle", what]);
    }
    for what in ["api-policy", "inline-policy", "inline-policy-added"] {
        site.oracle("handmade.py", &["meddle", what]);
    }
    let (report, code) = drift(&site, &[]);
    assert_eq!((code, report["unseen"].to_string().as_str()), (4, "[]"), "{report}");
    let statement = r#"[{"Action":"execute-api:Invoke","Effect":"Allow","Principal":"*","Resource":"*"}]"#;
    let all = r#"{"Statement":[{"Action":"*","Effect":"Allow","Resource":"*"}],"Version":"2012-10-17"}"#;
    assert_eq!(
        changes(&report),
        [
            format!(r#"Api Policy: null -> {{"Statement":{statement},"Version":"2012-10-17"}}"#),
            r#"ApiRefusalModel Schema.$schema: "http://json-schema.org/draft-04/schema#" -> null"#.to_owned(),
            r#"ApiRefusalModel Schema.properties: {"message":{"type":"string"},"status":{"type":"integer"}} -> null"#
                .to_owned(),
            r#"ApiRefusalModel Schema.title: "Refusal" -> null"#.to_owned(),
            r#"ApiRefusalModel Schema.type: "object" -> "string""#.to_owned(),
            "ApiStage MethodSettings.0.DataTraceEnabled: false -> true".to_owned(),
            r#"ApiStage MethodSettings.0.LoggingLevel: "ERROR" -> "OFF""#.to_owned(),
            "ApiStage MethodSettings.0.ThrottlingBurstLimit: 1000 -> 7".to_owned(),
            r#"ApiUsers PathPart: "users" -> "people""#.to_owned(),
            "AuthorizerErrorsAlarm ActionsEnabled: true -> false".to_owned(),
            "AuthorizerErrorsAlarm Threshold: 1 -> 1000".to_owned(),
            concat!(
                r#"AuthorizerRole Policies.read-accounts.Statement.1.Resource: "#,
                r#""arn:aws:dynamodb:us-west-2:111111111111:table/dydb-99-uploads/index/username-index" -> "*""#
            )
            .to_owned(),
            r#"FaultsMetric FilterPattern: "{ $.outcome = \"refused\" && $.level = \"ERROR\" }" -> "nothing""#
                .to_owned(),
            format!("InvocationRole Policies.more: null -> {all}"),
        ]
    );

    // Alarms that cannot be read are reported as unseen.
    site.ok(&["local", "faults", "add", "monitoring.*", "error=403:AccessDenied:no", "--region", "us-west-2"]);
    let (report, _) = drift(&site, &[]);
    let unseen: Vec<&Value> = report["unseen"].as_array().unwrap().iter().filter(|one| one["failed"] == true).collect();
    let because_of = |call: &str| unseen.iter().filter(|one| one["why"].as_str().unwrap().contains(call)).count();
    let alarms_and_dashboard = (because_of("cloudwatch:DescribeAlarms"), because_of("cloudwatch:GetDashboard"));
    assert_eq!((alarms_and_dashboard, unseen.len()), ((5, 1), 6), "{report}");
    site.ok(&["local", "faults", "clear"]);

    // Deleted resources are reported, and so is a stage with another deployment.
    let deployed = site.oracle("handmade.py", &["physical", "ApiDeployment*"]);
    for what in ["alarm-deleted", "stage-deployment", "deployment-deleted", "resource-deleted"] {
        site.oracle("handmade.py", &["meddle", what]);
    }
    let ignored = ["Api", "Authorizer*", "ApiRefusalModel", "ApiUsers", "FaultsMetric", "InvocationRole"];
    let ignored = ignored.map(|resource| format!("us-west-2/stack/{resource}"));
    let mut more: Vec<&str> = ignored.iter().flat_map(|rule| ["--ignore", rule.as_str()]).collect();
    more.extend(["--ignore", "us-west-2/stack/ApiStage:MethodSettings"]);
    let (report, code) = drift(&site, &more);
    assert_eq!((code, report["unseen"].to_string().as_str()), (4, "[]"), "{report}");
    let counted = counted(&report);
    let names: Vec<String> = counted.iter().map(|name| name.replace("us-west-2/stack/", "")).collect();
    let deployment = names.iter().find(|name| name.starts_with("ApiDeployment")).unwrap();
    assert_eq!(
        names,
        ["ApiConfig exists", deployment.as_str(), "ApiMethod exists", "ApiStage DeploymentId", "FaultsAlarm exists",]
    );
    assert!(deployment.ends_with(" exists"), "{deployment}");
    let stage = changes(&report).into_iter().find(|line| line.starts_with("ApiStage DeploymentId")).unwrap();
    assert!(stage.starts_with(&format!("ApiStage DeploymentId: \"{deployed}\" -> \"")), "{stage}");
}

/// Changes that lock customers out or lose their accounts, although neither a template nor a plan covers them.
#[test]
fn changes_outside_template_and_plan_are_reported() {
    let site = Site::deployed("");
    // The template first: its update, with every parameter unchanged, undoes the other changes.
    for what in ["stack-template", "code", "concurrency", "boundary", "user-role", "table-expiry", "stage-cache"] {
        site.oracle("handmade.py", &["meddle", what]);
    }
    let (report, code) = drift(&site, &[]);
    assert_eq!((code, report["unseen"].to_string().as_str()), (4, "[]"), "{report}");
    assert_eq!(
        counted(&report),
        [
            "global/user-role other policies",
            "us-west-2/server-id code",
            "us-west-2/stack Authorizer.Description",
            "us-west-2/stack/ApiStage CacheClusterEnabled",
            "us-west-2/stack/Authorizer Code",
            "us-west-2/stack/Authorizer ReservedConcurrentExecutions",
            "us-west-2/stack/AuthorizerRole PermissionsBoundary",
            "us-west-2/table time to live",
        ]
    );
    // A deployment changes only the code.
    assert_eq!(site.planned(), ["us-west-2/server-id"]);
}

#[test]
fn manually_created_resources_are_adopted_unchanged() {
    let site = Site::new();
    site.planned();
    let server = site.oracle("handmade.py", &["make"]);
    let (before, owners) = (site.oracle("handmade.py", &["look"]), site.oracle("handmade.py", &["owners"]));

    let refused = site.ends_with(3, &["deploy", "--env", "99", "--local", "--yes"]);
    let ids =
        "global/record/99-uploads-us-west-2.xx.net global/user-role us-west-2/bucket/pl-pt99-5-uploads us-west-2/table";
    assert!(refused.contains(&format!("sftpctl import --env 99 --local {ids}")), "{refused}");
    assert_eq!(site.oracle("handmade.py", &["look"]), before, "a refused deployment changes nothing");

    let named = format!("us-west-2/server={server}");
    let import: Vec<&str> =
        ["import", "--env", "99", "--local"].into_iter().chain(ids.split(' ')).chain([named.as_str()]).collect();
    let refused = site.ends_with(3, &import);
    assert!(refused.contains("pass --yes"), "{refused}");
    assert_eq!(site.oracle("handmade.py", &["look"]), before, "a preview changes nothing");
    site.ok(&[import.as_slice(), &["--yes"]].concat());
    assert!(site.ok(&["import", "--env", "99", "--local"]).contains("Nothing to adopt."));
    assert_eq!(site.oracle("handmade.py", &["look"]), before, "an import changes tags only");

    // Settings that an import would leave as they were are changed before the import, and the plan shows them.
    assert_eq!(site.oracle("handmade.py", &["bucket"]), r#"["", false]"#);
    let plan = site.ok(&["plan", "--env", "99", "--local"]);
    assert!(plan.contains("pl-pt99-5-uploads versioning") && plan.contains("pl-pt99-5-uploads policy"), "{plan}");
    site.deploy();
    assert_eq!(site.oracle("handmade.py", &["bucket"]), r#"["Enabled", true]"#);
    assert_eq!(site.oracle("handmade.py", &["look"]), before, "server, host key, accounts and files are unchanged");
    assert_eq!(site.planned(), Vec::<String>::new());

    // Tags and lifecycle rules belong to the owner. CloudFormation replaces all tags when those of the stack change, so
    // the owner's are put back.
    assert!(owners.contains("made-by") && owners.contains("archive/"), "{owners}");
    assert_eq!(site.oracle("handmade.py", &["owners"]), owners);
    site.oracle("handmade.py", &["meddle", "stack-tags"]);
    let plan = site.ok(&["plan", "--env", "99", "--local"]);
    assert!(plan.contains("bucket pl-pt99-5-uploads") && plan.contains("made-by"), "{plan}");
    site.deploy();
    assert_eq!(site.oracle("handmade.py", &["owners"]), owners);
    assert_eq!(site.planned(), Vec::<String>::new());
}

#[test]
fn import_takes_nothing_from_another_environment() {
    let site = Site::new();
    site.planned();
    site.oracle("handmade.py", &["make"]);
    site.oracle("handmade.py", &["meddle", "other-environment"]);
    let refused = site.ends_with(3, &["import", "--env", "99", "--local", "global/user-role", "--yes"]);
    assert!(refused.contains("belongs to environment 98"), "{refused}");
    // Every resource is checked before the first is tagged.
    let both = ["import", "--env", "99", "--local", "us-west-2/table", "global/user-role", "--yes"];
    assert!(site.ends_with(3, &both).contains("belongs to environment 98"));
    let listed = site.ok(&["import", "--env", "99", "--local"]);
    assert!(listed.contains("us-west-2/table: ") && listed.contains("global/user-role: "), "{listed}");
    // A resource that could not be read may be foreign, too.
    site.ok(&["local", "faults", "add", "iam.GetRole", "error=403:AccessDenied:no"]);
    let listed = site.ends_with(1, &["import", "--env", "99", "--local"]);
    assert!(listed.contains("global/user-role could not be read") && listed.contains("us-west-2/table: "), "{listed}");
    site.ok(&["local", "faults", "clear"]);
    let unknown = site.ends_with(2, &["import", "--env", "99", "--local", "global/nothing", "--yes"]);
    assert!(unknown.contains("has no resource global/nothing"), "{unknown}");
}
