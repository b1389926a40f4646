//! Drift, and the adoption of what was made by hand, on a local cloud; botocore is the hand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use sftpctl_engine::drift::stack::{self, Found, Looked};

use crate::site::{Site, text};
use crate::stub::{Reply, Stub};

const DRIFT: [&str; 6] = ["drift", "--env", "99", "--local", "--output", "json"];

/// The report, and how the command ended.
fn drift(site: &Site, more: &[&str]) -> (Value, i32) {
    let output = site.run(&[&DRIFT, more].concat());
    let shown = text(&output.stdout);
    let report = shown.lines().last().and_then(|line| serde_json::from_str(line).ok());
    (report.unwrap_or_else(|| panic!("{shown}{}", text(&output.stderr))), output.status.code().unwrap())
}

/// `resource property`, for everything that counts.
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
fn what_is_changed_by_hand_is_named_in_the_stack_and_outside() {
    let site = Site::deployed("");
    let (clean, code) = drift(&site, &[]);
    assert_eq!((counted(&clean), code), (Vec::new(), 0));
    assert!(clean["seen"].as_u64().unwrap() > 30, "{clean}");
    // Nothing is passed over: what the endpoint's CloudFormation does not look at is read.
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

    // Ignored by the file with a reason, or on the command line; a rule without effect is told.
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

/// `resource property: before -> after`, for everything.
fn told(report: &Value) -> Vec<String> {
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
fn what_cloudformation_does_not_look_at_is_read_and_told_with_before_and_after() {
    let site = Site::deployed("");
    // The same policy written otherwise is the same.
    site.oracle("handmade.py", &["meddle", "inline-policy-reordered"]);
    let (clean, code) = drift(&site, &[]);
    assert_eq!((told(&clean), code), (Vec::new(), 0));

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
        told(&report),
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

    // Nobody knows of the alarms where they cannot be read.
    site.ok(&["local", "faults", "add", "monitoring.*", "error=403:AccessDenied:no", "--region", "us-west-2"]);
    let (report, _) = drift(&site, &[]);
    let unseen: Vec<&Value> = report["unseen"].as_array().unwrap().iter().filter(|one| one["failed"] == true).collect();
    assert_eq!(unseen.len(), 5, "{report}");
    assert!(unseen[0]["why"].as_str().unwrap().contains("cloudwatch:DescribeAlarms"), "{report}");
    site.ok(&["local", "faults", "clear"]);

    // What is gone is gone, and a stage that shows something else is told.
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
    let stage = told(&report).into_iter().find(|line| line.starts_with("ApiStage DeploymentId")).unwrap();
    assert!(stage.starts_with(&format!("ApiStage DeploymentId: \"{deployed}\" -> \"")), "{stage}");
}

/// What turns customers away, or loses their accounts, though nothing of it is in a template or in a plan.
#[test]
fn what_no_template_and_no_plan_names_is_told_too() {
    let site = Site::deployed("");
    // The update of a template with every parameter as it was puts everything else back.
    for what in ["stack-template", "code", "concurrency", "boundary", "user-role", "table-expiry", "stage-cache"] {
        site.oracle("handmade.py", &["meddle", what]);
    }
    let (report, code) = drift(&site, &[]);
    assert_eq!((code, report["unseen"].to_string().as_str()), (4, "[]"), "{report}");
    assert_eq!(
        counted(&report),
        [
            "global/user-role other policies",
            "us-west-2/stack Authorizer.Description",
            "us-west-2/stack/ApiStage CacheClusterEnabled",
            "us-west-2/stack/Authorizer Code",
            "us-west-2/stack/Authorizer ReservedConcurrentExecutions",
            "us-west-2/stack/AuthorizerRole PermissionsBoundary",
            "us-west-2/table time to live",
        ]
    );
    // None of it is a deployment's to change.
    assert_eq!(site.planned(), Vec::<String>::new());
}

#[test]
fn what_was_made_by_hand_is_adopted_and_stays_itself() {
    let site = Site::new();
    site.planned();
    let server = site.oracle("handmade.py", &["make"]);
    let (before, owners) = (site.oracle("handmade.py", &["look"]), site.oracle("handmade.py", &["owners"]));

    let refused = site.ends_with(3, &["deploy", "--env", "99", "--local", "--yes"]);
    let ids =
        "global/record/99-uploads-us-west-2.xx.net global/user-role us-west-2/bucket/pl-pt99-5-uploads us-west-2/table";
    assert!(refused.contains(&format!("sftpctl import --env 99 {ids}")), "{refused}");
    assert_eq!(site.oracle("handmade.py", &["look"]), before, "a refusal changes nothing");

    let named = format!("us-west-2/server={server}");
    let import: Vec<&str> =
        ["import", "--env", "99", "--local"].into_iter().chain(ids.split(' ')).chain([named.as_str()]).collect();
    let asked = site.ends_with(3, &import);
    assert!(asked.contains("pass --yes"), "{asked}");
    assert_eq!(site.oracle("handmade.py", &["look"]), before, "a preview changes nothing");
    site.ok(&[import.as_slice(), &["--yes"]].concat());
    assert!(site.ok(&["import", "--env", "99", "--local"]).contains("Nothing of this environment's names"));
    assert_eq!(site.oracle("handmade.py", &["look"]), before, "an import changes tags only");

    // What an import would leave as the hand made it is changed before, and is in the plan.
    assert_eq!(site.oracle("handmade.py", &["bucket"]), r#"["", false]"#);
    let plan = site.ok(&["plan", "--env", "99", "--local"]);
    assert!(plan.contains("pl-pt99-5-uploads versioning") && plan.contains("pl-pt99-5-uploads policy"), "{plan}");
    site.deploy();
    assert_eq!(site.oracle("handmade.py", &["bucket"]), r#"["Enabled", true]"#);
    assert_eq!(site.oracle("handmade.py", &["look"]), before, "server, host key, accounts and files are the old ones");
    assert_eq!(site.planned(), Vec::<String>::new());

    // Tags and lifecycle rules are the owner's. CloudFormation replaces all tags when the stack's change: put back.
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
fn nothing_is_taken_from_another_environment() {
    let site = Site::new();
    site.planned();
    site.oracle("handmade.py", &["make"]);
    site.oracle("handmade.py", &["meddle", "other-environment"]);
    let refused = site.ends_with(3, &["import", "--env", "99", "--local", "global/user-role", "--yes"]);
    assert!(refused.contains("belongs to environment 98"), "{refused}");
    // Everything is looked at before the first is tagged.
    let both = ["import", "--env", "99", "--local", "us-west-2/table", "global/user-role", "--yes"];
    assert!(site.ends_with(3, &both).contains("belongs to environment 98"));
    let listed = site.ok(&["import", "--env", "99", "--local"]);
    assert!(listed.contains("us-west-2/table: ") && listed.contains("global/user-role: "), "{listed}");
    // What could not be looked at may be another's, too.
    site.ok(&["local", "faults", "add", "iam.GetRole", "error=403:AccessDenied:no"]);
    let listed = site.ends_with(1, &["import", "--env", "99", "--local"]);
    assert!(listed.contains("global/user-role could not be read") && listed.contains("us-west-2/table: "), "{listed}");
    site.ok(&["local", "faults", "clear"]);
    let unknown = site.ends_with(2, &["import", "--env", "99", "--local", "global/nothing", "--yes"]);
    assert!(unknown.contains("has no resource global/nothing"), "{unknown}");
}

fn xml(operation: &str, inside: &str) -> Reply {
    Reply::ok(format!("<{operation}Response><{operation}Result>{inside}</{operation}Result></{operation}Response>"))
}

/// Looks into a stack of these resources, of which CloudFormation says `drifts`.
async fn looked(stub: &Stub, resources: Value, drifts: &[(&str, &str)]) -> Found {
    let arn = "arn:aws:cloudformation:us-west-2:111111111111:stack/sftp-99-upload-us-west-2/1";
    let drifts: String = drifts
        .iter()
        .map(|(logical, status)| {
            format!(
                "<member><StackId>{arn}</StackId><LogicalResourceId>{logical}</LogicalResourceId>\
                 <ResourceType>x</ResourceType><StackResourceDriftStatus>{status}</StackResourceDriftStatus></member>"
            )
        })
        .collect();
    let ids: String = resources
        .as_object()
        .unwrap()
        .keys()
        .map(|logical| {
            format!(
                "<member><LogicalResourceId>{logical}</LogicalResourceId>\
                 <PhysicalResourceId>id-{logical}</PhysicalResourceId></member>"
            )
        })
        .collect();
    let id = "<StackDriftDetectionId>d1</StackDriftDetectionId>";
    stub.on("cloudformation:DetectStackDrift", [xml("DetectStackDrift", id)])
        .on(
            "cloudformation:DescribeStackDriftDetectionStatus",
            [xml(
                "DescribeStackDriftDetectionStatus",
                &format!("<StackId>{arn}</StackId>{id}<DetectionStatus>DETECTION_COMPLETE</DetectionStatus>"),
            )],
        )
        .on(
            "cloudformation:DescribeStackResourceDrifts",
            [xml("DescribeStackResourceDrifts", &format!("<StackResourceDrifts>{drifts}</StackResourceDrifts>"))],
        )
        .on(
            "cloudformation:ListStackResources",
            [xml("ListStackResources", &format!("<StackResourceSummaries>{ids}</StackResourceSummaries>"))],
        )
        .on(
            "cloudformation:DescribeStacks",
            [xml(
                "DescribeStacks",
                "<Stacks><member><StackStatus>UPDATE_COMPLETE</StackStatus><Parameters><member>\
                 <ParameterKey>Most</ParameterKey><ParameterValue>3</ParameterValue></member></Parameters>\
                 </member></Stacks>",
            )],
        );
    let template = json!({ "Parameters": { "Most": { "Type": "Number" } }, "Resources": resources });
    let aws = stub.aws("us-west-2").await;
    stack::look(&aws, &Looked { node: "stack", region: "us-west-2", arn, template: &template }).await
}

/// `resource property`, for everything.
fn drifted(found: &Found) -> Vec<String> {
    let of = |drifted: &sftpctl_engine::drift::model::Drifted| {
        let name = drifted.resource.clone();
        drifted.properties.iter().map(move |property| format!("{name} {}", property.name)).collect::<Vec<_>>()
    };
    found.drifted.iter().flat_map(of).collect()
}

#[tokio::test]
async fn what_cloudformation_has_looked_at_is_not_read_again_but_for_what_it_passes_over() {
    let stub = Stub::new().await;
    let document = "%7B%22Statement%22%3A%5B%5D%7D";
    stub.on("iam:ListRolePolicies", [xml("ListRolePolicies", "<PolicyNames><member>more</member></PolicyNames>")])
        .on(
            "iam:GetRolePolicy",
            [xml(
                "GetRolePolicy",
                &format!(
                    "<RoleName>r</RoleName><PolicyName>more</PolicyName><PolicyDocument>{document}</PolicyDocument>"
                ),
            )],
        )
        .on("iam:ListAttachedRolePolicies", [xml("ListAttachedRolePolicies", "<AttachedPolicies/>")])
        .on(
            "iam:GetRole",
            [xml(
                "GetRole",
                "<Role><Path>/</Path><RoleName>r</RoleName><RoleId>i</RoleId><Arn>a</Arn>\
                 <CreateDate>2026-01-01T00:00:00Z</CreateDate><PermissionsBoundary><PermissionsBoundaryArn>b\
                 </PermissionsBoundaryArn></PermissionsBoundary></Role>",
            )],
        )
        .on(
            "monitoring:DescribeAlarms",
            [Reply::ok(
                json!({ "MetricAlarms": [{ "AlarmName": "id-Alarm", "Threshold": 1.0, "ActionsEnabled": false,
                                           "TreatMissingData": "missing" }] })
                .to_string(),
            )],
        );
    let resources = json!({
        "Alarm": { "Type": "AWS::CloudWatch::Alarm", "Properties": { "Threshold": 1 } },
        "Filter": { "Type": "AWS::Logs::MetricFilter", "Properties": {} },
        "Looked": { "Type": "AWS::Logs::MetricFilter", "Properties": {} },
        "Role": { "Type": "AWS::IAM::Role", "Properties": {} },
        "Other": { "Type": "AWS::SNS::Topic", "Properties": {} },
        "Late": { "Type": "AWS::SNS::Topic", "Properties": {} },
    });
    let synced = ["Alarm", "Looked", "Role"].map(|logical| (logical, "IN_SYNC"));
    let others = [("Filter", "DELETED"), ("Other", "NOT_CHECKED"), ("Late", "UNKNOWN")];
    let found = looked(&stub, resources, &[synced, others].concat()).await;
    let expected =
        ["stack/Alarm ActionsEnabled", "stack/Filter exists", "stack/Role PermissionsBoundary", "stack/Role Policies"];
    assert_eq!(drifted(&found), expected);
    // What CloudFormation cannot look at is no failure; what it could not look at now is.
    let mut unseen: Vec<_> = found.unseen.iter().map(|one| (one.resource.as_str(), one.failed)).collect();
    unseen.sort_unstable();
    assert_eq!((unseen, found.seen), (vec![("stack/Late", true), ("stack/Other", false)], 4));
    assert_eq!(stub.count("logs:DescribeMetricFilters"), 0);
}

/// CloudFormation compares no more of a function than its template names, and its code not at all.
#[tokio::test]
async fn a_function_is_what_its_template_and_its_package_say() {
    let stub = Stub::new().await;
    let function = |more: Value| {
        let mut configuration = json!({ "Handler": "bootstrap", "CodeSha256": "Z7cv6JteSn1zdsRx5CnjdwBABuwbdKAJuRdOmt0m7K0=",
                                        "TracingConfig": { "Mode": "PassThrough" }, "Architectures": ["x86_64"] });
        configuration.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Reply::ok(json!({ "Configuration": configuration, "Concurrency": {} }).to_string())
    };
    let meddled = json!({ "Layers": [{ "Arn": "arn:layer" }], "VpcConfig": { "SubnetIds": ["subnet-1"] },
                          "KMSKeyArn": "arn:key", "TracingConfig": { "Mode": "Active" }, "CodeSha256": "other" });
    stub.on("lambda:GET /2015-03-31/functions/id-Function", [function(meddled), function(json!({}))])
        // Whose SHA-256 is the one above.
        .on("s3:GET /code/key.zip", [Reply::ok("package of this test")]);
    let resources = json!({ "Function": { "Type": "AWS::Lambda::Function", "Properties": {
        "Handler": "bootstrap", "Code": { "S3Bucket": "code", "S3Key": "key.zip" },
    } } });
    let found = looked(&stub, resources.clone(), &[("Function", "IN_SYNC")]).await;
    let names = ["Code", "KmsKeyArn", "Layers", "TracingConfig", "VpcConfig"];
    assert_eq!(drifted(&found), names.map(|name| format!("stack/Function {name}")), "{:?}", found.unseen);
    let found = looked(&stub, resources, &[("Function", "IN_SYNC")]).await;
    assert_eq!((drifted(&found), found.seen), (Vec::new(), 1), "{:?}", found.unseen);
}

#[tokio::test]
async fn what_is_read_is_understood_as_aws_writes_it() {
    let stub = Stub::new().await;
    let stage = json!({
        "stageName": "prod", "deploymentId": "id-Deployment",
        "accessLogSettings": { "destinationArn": "arn:aws:logs:us-west-2:111111111111:log-group:id-Group", "format": "f" },
        "methodSettings": {
            "*/*": { "loggingLevel": "ERROR", "dataTraceEnabled": false, "metricsEnabled": false,
                     "throttlingRateLimit": 500.0, "throttlingBurstLimit": 1000, "cacheTtlInSeconds": 300 },
            "~1users~1{name}/GET": { "loggingLevel": "INFO", "dataTraceEnabled": true, "metricsEnabled": false,
                                     "throttlingRateLimit": 5.0, "throttlingBurstLimit": 5 },
        },
    });
    let alarm = |name: &str, threshold: f64| {
        json!({ "AlarmName": name, "ExtendedStatistic": "p99", "Threshold": threshold, "ActionsEnabled": true,
                "TreatMissingData": "missing", "Dimensions": [{ "Name": "b", "Value": "2" }, { "Name": "a", "Value": "1" }],
                "StateUpdatedTimestamp": 1.7e9, "AlarmArn": "arn" })
    };
    let page = |alarm: Value, token: Option<&str>| {
        Reply::ok(json!({ "MetricAlarms": [alarm], "CompositeAlarms": [], "NextToken": token }).to_string())
    };
    stub.on("apigateway:GET /restapis/id-Api/stages", [Reply::ok(json!({ "item": [stage] }).to_string())]).on(
        "monitoring:DescribeAlarms",
        [
            // Refused once, as AWS does: it is asked again.
            Reply::json_error(400, "Throttling", "Rate exceeded"),
            page(alarm("id-Alarm", 3.0), Some("more")),
            page(alarm("id-Other", 4.0), None),
        ],
    );
    let setting = |path: &str, verb: &str, level: &str, trace: bool, most: u32| {
        json!({ "ResourcePath": path, "HttpMethod": verb, "LoggingLevel": level, "DataTraceEnabled": trace,
                "MetricsEnabled": false, "ThrottlingRateLimit": most, "ThrottlingBurstLimit": most })
    };
    let mut all = setting("/*", "*", "ERROR", false, 500);
    all["ThrottlingBurstLimit"] = json!(1000);
    let wanted = json!({
        "Threshold": { "Ref": "Most" }, "ExtendedStatistic": "p99",
        "Dimensions": [{ "Name": "a", "Value": "1" }, { "Name": "b", "Value": "2" }],
    });
    let resources = json!({
        "Group": { "Type": "AWS::Logs::LogGroup" },
        "Stage": { "Type": "AWS::ApiGateway::Stage", "Properties": {
            "RestApiId": "id-Api", "StageName": "prod", "DeploymentId": { "Ref": "Deployment" },
            "AccessLogSetting": { "DestinationArn": { "Fn::GetAtt": ["Group", "Arn"] }, "Format": "f" },
            "MethodSettings": [setting("/users/{name}", "GET", "INFO", true, 5), all],
        } },
        "Alarm": { "Type": "AWS::CloudWatch::Alarm", "Properties": wanted },
        "Other": { "Type": "AWS::CloudWatch::Alarm", "Properties": wanted },
    });
    let found = looked(&stub, resources, &[("Group", "IN_SYNC")]).await;
    assert_eq!(drifted(&found), ["stack/Other Threshold"], "{:?}", found.unseen);
    assert_eq!(found.seen, 4);
    let asked = stub.asked("monitoring:DescribeAlarms");
    assert_eq!(asked[0].body, asked[1].body);
    assert_eq!(asked[1].region, "us-west-2");
    assert_eq!(asked[1].body, r#"{"AlarmNames":["id-Alarm","id-Other"]}"#);
    assert_eq!(asked[2].body, r#"{"AlarmNames":["id-Alarm","id-Other"],"NextToken":"more"}"#);
}
