//! Drift of stacks, with a stub that responds as AWS does.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use sftpctl_engine::drift::stack::{self, Found, StackToCheck};

use crate::stub::{Reply, Stub};

fn xml(operation: &str, inside: &str) -> Reply {
    Reply::ok(format!("<{operation}Response><{operation}Result>{inside}</{operation}Result></{operation}Response>"))
}

/// Inspects a stack with these resources; `drifts` is CloudFormation's drift status of each.
async fn inspected(stub: &Stub, resources: Value, drifts: &[(&str, &str)]) -> Found {
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
    stack::find_drift(&aws, &StackToCheck { node: "stack", region: "us-west-2", arn, template: &template }).await
}

/// `resource property` for everything that has drifted.
fn drifted(found: &Found) -> Vec<String> {
    let of = |drifted: &sftpctl_engine::drift::model::Drifted| {
        let name = drifted.resource.clone();
        drifted.properties.iter().map(move |property| format!("{name} {}", property.name)).collect::<Vec<_>>()
    };
    found.drifted.iter().flat_map(of).collect()
}

#[tokio::test]
async fn resources_in_sync_are_read_only_for_uncovered_properties() {
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
            [Reply::cbor(
                200,
                &json!({ "MetricAlarms": [{ "AlarmName": "id-Alarm", "Threshold": 1.0, "ActionsEnabled": false,
                                            "TreatMissingData": "missing" }] }),
            )],
        );
    let resources = json!({
        "Alarm": { "Type": "AWS::CloudWatch::Alarm", "Properties": { "Threshold": 1 } },
        "Filter": { "Type": "AWS::Logs::MetricFilter", "Properties": {} },
        "Checked": { "Type": "AWS::Logs::MetricFilter", "Properties": {} },
        "Role": { "Type": "AWS::IAM::Role", "Properties": {} },
        "Other": { "Type": "AWS::SNS::Topic", "Properties": {} },
        "Late": { "Type": "AWS::SNS::Topic", "Properties": {} },
    });
    let synced = ["Alarm", "Checked", "Role"].map(|logical| (logical, "IN_SYNC"));
    let others = [("Filter", "DELETED"), ("Other", "NOT_CHECKED"), ("Late", "UNKNOWN")];
    let found = inspected(&stub, resources, &[synced, others].concat()).await;
    let expected =
        ["stack/Alarm ActionsEnabled", "stack/Filter exists", "stack/Role PermissionsBoundary", "stack/Role Policies"];
    assert_eq!(drifted(&found), expected);
    // A type that CloudFormation cannot check is not a failure; a resource that it failed to check is.
    let mut unseen: Vec<_> = found.unseen.iter().map(|one| (one.resource.as_str(), one.failed)).collect();
    unseen.sort_unstable();
    assert_eq!((unseen, found.seen), (vec![("stack/Late", true), ("stack/Other", false)], 4));
    assert_eq!(stub.count("logs:DescribeMetricFilters"), 0);
}

/// Of a function, CloudFormation compares only the properties in its template, and never its code.
#[tokio::test]
async fn function_is_compared_with_its_template_and_package() {
    let stub = Stub::new().await;
    let function = |more: Value| {
        let mut configuration = json!({ "Handler": "bootstrap",
                                        "CodeSha256": "Z7cv6JteSn1zdsRx5CnjdwBABuwbdKAJuRdOmt0m7K0=",
                                        "TracingConfig": { "Mode": "PassThrough" }, "Architectures": ["x86_64"] });
        configuration.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Reply::ok(json!({ "Configuration": configuration, "Concurrency": {} }).to_string())
    };
    let meddled = json!({ "Layers": [{ "Arn": "arn:layer" }], "VpcConfig": { "SubnetIds": ["subnet-1"] },
                          "KMSKeyArn": "arn:key", "TracingConfig": { "Mode": "Active" }, "CodeSha256": "other" });
    stub.on("lambda:GET /2015-03-31/functions/id-Function", [function(meddled), function(json!({}))])
        // Its SHA-256 is `CodeSha256` above.
        .on("s3:GET /code/key.zip", [Reply::ok("package of this test")]);
    let resources = json!({ "Function": { "Type": "AWS::Lambda::Function", "Properties": {
        "Handler": "bootstrap", "Code": { "S3Bucket": "code", "S3Key": "key.zip" },
    } } });
    let found = inspected(&stub, resources.clone(), &[("Function", "IN_SYNC")]).await;
    let names = ["Code", "KmsKeyArn", "Layers", "TracingConfig", "VpcConfig"];
    assert_eq!(drifted(&found), names.map(|name| format!("stack/Function {name}")), "{:?}", found.unseen);
    let found = inspected(&stub, resources, &[("Function", "IN_SYNC")]).await;
    assert_eq!((drifted(&found), found.seen), (Vec::new(), 1), "{:?}", found.unseen);
}

#[tokio::test]
async fn settings_are_compared_in_the_notation_of_aws() {
    let stub = Stub::new().await;
    let stage = json!({
        "stageName": "prod", "deploymentId": "id-Deployment",
        "accessLogSettings": {
            "destinationArn": "arn:aws:logs:us-west-2:111111111111:log-group:id-Group", "format": "f",
        },
        "methodSettings": {
            "*/*": { "loggingLevel": "ERROR", "dataTraceEnabled": false, "metricsEnabled": false,
                     "throttlingRateLimit": 500.0, "throttlingBurstLimit": 1000, "cacheTtlInSeconds": 300 },
            "~1users~1{name}/GET": { "loggingLevel": "INFO", "dataTraceEnabled": true, "metricsEnabled": false,
                                     "throttlingRateLimit": 5.0, "throttlingBurstLimit": 5 },
        },
    });
    let alarm = |name: &str, threshold: f64| {
        json!({ "AlarmName": name, "ExtendedStatistic": "p99", "Threshold": threshold, "ActionsEnabled": true,
                "TreatMissingData": "missing", "AlarmArn": "arn",
                "Dimensions": [{ "Name": "b", "Value": "2" }, { "Name": "a", "Value": "1" }] })
    };
    let page = |alarm: Value, token: Option<&str>| {
        Reply::cbor(200, &json!({ "MetricAlarms": [alarm], "CompositeAlarms": [], "NextToken": token }))
    };
    stub.on("apigateway:GET /restapis/id-Api/stages", [Reply::ok(json!({ "item": [stage] }).to_string())]).on(
        "monitoring:DescribeAlarms",
        [
            // Throttled once, as AWS does: the call is retried.
            Reply::cbor(400, &json!({ "__type": "Throttling", "message": "Rate exceeded" })),
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
    let found = inspected(&stub, resources, &[("Group", "IN_SYNC")]).await;
    assert_eq!(drifted(&found), ["stack/Other Threshold"], "{:?}", found.unseen);
    assert_eq!(found.seen, 4);
    let requests = stub.asked("monitoring:DescribeAlarms");
    assert_eq!(requests[0].body, requests[1].body);
    assert_eq!(requests[1].region, "us-west-2");
    assert_eq!(requests[1].body, r#"{"AlarmNames":["id-Alarm","id-Other"]}"#);
    assert_eq!(requests[2].body, r#"{"AlarmNames":["id-Alarm","id-Other"],"NextToken":"more"}"#);
}
