//! The stack's template for the shipped environments: what it must and must not contain.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sftpctl_core::spec::s3_files::FileSystem;
use sftpctl_core::spec::{self, model::Environment};
use sftpctl_core::template::{Code, Rendered, body, bucket_policy, render, source};

fn environment(name: &str) -> Environment {
    let source = match name {
        "99" => include_str!("../../../../environments/99.yaml"),
        "prod" => include_str!("../../../../environments/prod.yaml"),
        _ => panic!("{name}"),
    };
    spec::load(source, name).unwrap()
}

fn rendered_in(environment: &Environment, region: &str, key: &str) -> Rendered {
    render(environment, region, &Code { bucket: "code".into(), key: key.into() }).unwrap()
}

fn rendered(environment: &Environment, key: &str) -> Rendered {
    rendered_in(environment, "us-west-2", key)
}

fn resources(rendered: &Rendered) -> &Map<String, Value> {
    rendered.template["Resources"].as_object().unwrap()
}

fn of_type<'a>(rendered: &'a Rendered, kind: &str) -> Vec<&'a Value> {
    resources(rendered).values().filter(|r| r["Type"] == kind).collect()
}

fn deployment(rendered: &Rendered) -> String {
    resources(rendered).iter().find(|(_, r)| r["Type"] == "AWS::ApiGateway::Deployment").unwrap().0.clone()
}

/// The digest decides whether a stack is updated: if one changes here, the next deployment updates the stacks of all
/// environments.
#[test]
fn shipped_environments_render_the_known_templates() {
    let known = [
        ("99", "us-east-1", "89993c628b0b1de8d6a7e825c9086f9928c976c796938d84c047f35fb2b21e7b"),
        ("99", "us-east-2", "89993c628b0b1de8d6a7e825c9086f9928c976c796938d84c047f35fb2b21e7b"),
        ("99", "us-west-2", "9f8f618b2fdacb16767f83b8dcd05a33f7276b0362d198116b575fecb1d8328d"),
        ("prod", "us-east-1", "5e62ac6c60bf828a61c24d3fa1f105f235d6247ce8c19163cb697bcc2dd604d2"),
        ("prod", "us-east-2", "277b1c9eaaf3d6ebc9fc781b85b821d260bfb54f74f31c32510bb8c5e33ec1fc"),
        ("prod", "us-west-2", "e318888d7615ecfd30f20e41a431269a79b7673335a3b21f759ae81613f4d446"),
    ];
    let rendered = known.map(|(name, region, _)| (name, region, rendered_in(&environment(name), region, "k").digest));
    assert_eq!(rendered, known.map(|(name, region, digest)| (name, region, digest.to_owned())));
}

/// CloudFormation gives a template back with `?` for each non-ASCII character, so none may be in what it is sent.
#[test]
fn source_and_shipped_templates_are_ascii() {
    assert!(source().unwrap().to_string().is_ascii());
    for name in ["99", "prod"] {
        assert!(rendered(&environment(name), "k").template.to_string().is_ascii(), "{name}");
    }
}

proptest! {
    /// Of all texts in an environment file, only tags may have letters of every script.
    #[test]
    fn text_of_a_template_is_ascii_for_any_tags(
        tags in prop::collection::btree_map("[\\p{L}\\p{N} _.:/=+@-]{1,20}", "[\\p{L}\\p{N} _.:/=+@-]{0,20}", 0..4),
    ) {
        let lines: String = tags.iter().map(|(key, value)| format!("  {}: {}\n", json!(key), json!(value))).collect();
        let shipped = include_str!("../../../../environments/99.yaml");
        let file = shipped.replace("tags:\n", &format!("tags:\n{lines}"));
        // Some keys are reserved, or are in the file already.
        if let Ok(environment) = spec::load(&file, "99.yaml") {
            let rendered = rendered(&environment, "k");
            let text = body(&rendered.template);
            prop_assert!(text.is_ascii());
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), rendered.template);
            prop_assert!(rendered.parameters.values().all(|value| value.is_ascii()));
        }
    }
}

#[test]
fn every_role_carries_the_boundary_where_the_file_names_one() {
    let boundary = "arn:aws:iam::111111111111:policy/sftp-boundary";
    let mut environment = environment("99");
    let boundaries = |environment: &Environment| -> Vec<Value> {
        let rendered = rendered(environment, "k");
        of_type(&rendered, "AWS::IAM::Role")
            .iter()
            .map(|role| role["Properties"]["PermissionsBoundary"].clone())
            .collect()
    };
    assert_eq!(boundaries(&environment), [Value::Null, Value::Null]);
    environment.permissions_boundary = Some(boundary.into());
    assert_eq!(boundaries(&environment), [boundary, boundary]);
}

#[test]
fn buckets_are_private_encrypted_versioned_and_outlive_the_stack() {
    let rendered = rendered(&environment("99"), "k");
    let buckets = of_type(&rendered, "AWS::S3::Bucket");
    assert_eq!(buckets.len(), 6);
    for bucket in buckets {
        assert_eq!((&bucket["DeletionPolicy"], &bucket["UpdateReplacePolicy"]), (&"Retain".into(), &"Retain".into()));
        let properties = &bucket["Properties"];
        assert!(properties["BucketName"].is_string(), "an import needs a literal name");
        assert_eq!(properties["VersioningConfiguration"]["Status"], "Enabled");
        let block = properties["PublicAccessBlockConfiguration"].as_object().unwrap();
        assert!(block.len() == 4 && block.values().all(|on| *on == Value::Bool(true)));
        let rules = &properties["BucketEncryption"]["ServerSideEncryptionConfiguration"];
        assert_eq!(rules[0]["ServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256");
    }
    let policy = bucket_policy("b", "arn:aws:iam::111111111111:role/sftp-transfer");
    assert_eq!(policy["Statement"][0]["Effect"], "Deny");
    assert_eq!(policy["Statement"][0]["Condition"]["Bool"]["aws:SecureTransport"], "false");
}

#[test]
fn old_versions_are_kept_for_ever_or_as_long_as_the_file_says() {
    let mut environment = environment("99");
    let rules = |environment: &Environment| {
        let rendered = rendered(environment, "k");
        let buckets = of_type(&rendered, "AWS::S3::Bucket");
        buckets.iter().map(|bucket| bucket["Properties"]["LifecycleConfiguration"]["Rules"].clone()).collect::<Vec<_>>()
    };
    for rules in rules(&environment) {
        assert!(!rules.to_string().contains("NoncurrentVersionExpiration"), "{rules}");
    }
    environment.files.keep_old_versions_days = Some(365);
    for rules in rules(&environment) {
        assert_eq!(rules.as_array().unwrap().len(), 2, "{rules}");
        assert_eq!(rules[1]["NoncurrentVersionExpiration"]["NoncurrentDays"], 365);
    }
}

#[test]
fn each_cluster_has_a_queue_that_only_its_rules_send_to() {
    let mut environment = environment("99");
    let counts = |environment: &Environment, region: &str| {
        let rendered = rendered_in(environment, region, "k");
        let text = rendered.template.to_string();
        assert!(!text.contains("UploadBucketName") && !text.contains("EventsRegion"), "{region}");
        ["AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "AWS::Events::Rule", "AWS::IAM::Role"]
            .map(|kind| of_type(&rendered, kind).len())
    };
    assert_eq!(counts(&environment, "us-west-2"), [0, 0, 0, 2]);
    environment.files.events = true;
    assert_eq!(counts(&environment, "us-west-2"), [12, 6, 18, 2]);
    assert_eq!(counts(&environment, "us-east-2"), [0, 0, 12, 3], "its server tells the region of the buckets");
    assert_eq!(counts(&environment, "us-east-1"), [0, 0, 0, 2], "it has no server");

    environment.files.history_events = true;
    assert_eq!(counts(&environment, "us-west-2"), [18, 12, 18, 2], "one more queue for each of the six clusters");
    assert_eq!(counts(&environment, "us-east-2"), [0, 0, 12, 3]);
    let both = rendered(&environment, "k");
    let all = resources(&both);
    let get = |id: &str| json!({ "Fn::GetAtt": [id, "Arn"] });
    let targets = [("queue", "EventsQueue99x2d5"), ("history", "HistoryQueue99x2d5")];
    for rule in ["UploadEvents99x2d5", "RenameEvents99x2d5", "ObjectEvents99x2d5"] {
        let expected = targets.map(|(id, queue)| json!({ "Id": id, "Arn": get(queue) }));
        assert_eq!(all[rule]["Properties"]["Targets"], json!(expected), "{rule}");
    }
    assert_eq!(all["HistoryQueue99x2d5"]["Properties"]["QueueName"], "99-upload-99-5-events-history");
    let policy = &all["HistoryQueuePolicy99x2d5"]["Properties"];
    assert_eq!(policy["Queues"], json!([{ "Ref": "HistoryQueue99x2d5" }]));
    assert!(policy["PolicyDocument"].to_string().matches("HistoryQueue99x2d5").count() == 2, "{policy}");
    environment.files.history_events = false;

    let rendered = rendered(&environment, "k");
    let all = resources(&rendered);
    let queue = &all["EventsQueue99x2d5"]["Properties"];
    assert_eq!((&queue["QueueName"], &queue["SqsManagedSseEnabled"]), (&json!("99-upload-99-5-events"), &json!(true)));
    let dead = json!({ "Fn::GetAtt": ["EventsDeadQueue99x2d5", "Arn"] });
    assert_eq!(queue["RedrivePolicy"]["deadLetterTargetArn"], dead);
    let statements = &all["EventsQueuePolicy99x2d5"]["Properties"]["PolicyDocument"]["Statement"];
    let arn = |id: &str| json!({ "Fn::GetAtt": [id, "Arn"] });
    let rules = ["UploadEvents99x2d5", "RenameEvents99x2d5", "ObjectEvents99x2d5"];
    assert_eq!(statements[0]["Effect"], "Deny");
    assert_eq!(statements[1]["Condition"]["ArnEquals"]["aws:SourceArn"], json!(rules.map(arn)));
    for id in rules {
        let rule = &all[id]["Properties"];
        assert_eq!(rule["Targets"], json!([{ "Id": "queue", "Arn": arn("EventsQueue99x2d5") }]), "{id}");
        assert!(rule["EventPattern"]["detail"].to_string().contains("pl-pt99-5-uploads"), "{id}");
    }
    for bucket in of_type(&rendered, "AWS::S3::Bucket") {
        let notifications = &bucket["Properties"]["NotificationConfiguration"];
        assert_eq!(notifications["EventBridgeConfiguration"]["EventBridgeEnabled"], true);
    }
    let elsewhere = rendered_in(&environment, "us-east-2", "k");
    let target = &resources(&elsewhere)["ForwardUploadEvents99x2d5"]["Properties"]["Targets"][0];
    assert_eq!(target["Arn"], json!({ "Fn::Sub": "arn:aws:events:us-west-2:${AWS::AccountId}:event-bus/default" }));
    assert_eq!(target["RoleArn"], arn("ForwardEventsRole"));
}

#[test]
fn the_guard_has_a_table_and_the_function_may_use_it() {
    let mut environment = environment("99");
    let parts = |environment: &Environment| {
        let rendered = rendered(environment, "k");
        let policies = resources(&rendered)["AuthorizerRole"]["Properties"]["Policies"].as_array().unwrap().len();
        (of_type(&rendered, "AWS::DynamoDB::Table").len(), policies)
    };
    assert_eq!(parts(&environment), (0, 2));
    let off = rendered(&environment, "k").variables();
    assert_eq!((off["GUARD_TABLE"].as_str(), off["GUARD_RULES"].as_str()), ("", ""));

    let source = include_str!("../../../../environments/99.yaml").to_owned() + "guard: { allow: [203.0.113.0/24] }\n";
    environment.guard = sftpctl_core::spec::load(&source, "99.yaml").unwrap().guard;
    assert_eq!(parts(&environment), (1, 3));
    let rendered = rendered(&environment, "k");
    let on = rendered.variables();
    assert_eq!(on["GUARD_TABLE"], "dydb-99-guard");
    let rules: Value = serde_json::from_str(&on["GUARD_RULES"]).unwrap();
    assert_eq!((&rules["window"], &rules["allow"]), (&json!(1800), &json!(["203.0.113.0/24"])));
    let table = &resources(&rendered)["GuardTable"];
    assert_eq!(table["DeletionPolicy"], "Delete", "nothing of it is kept");
    assert_eq!(table["Properties"]["TableName"], json!({ "Ref": "GuardTableName" }));
    let policies = resources(&rendered)["AuthorizerRole"]["Properties"]["Policies"].as_array().unwrap();
    let use_guard = policies.iter().find(|policy| policy["PolicyName"] == "use-guard").unwrap();
    let statement = &use_guard["PolicyDocument"]["Statement"][0];
    assert_eq!(statement["Action"], json!(["dynamodb:BatchGetItem", "dynamodb:UpdateItem"]));
    assert!(statement["Resource"].to_string().ends_with(":table/${GuardTableName}\"}"), "{statement}");
}

#[test]
fn each_file_system_has_a_role_mount_targets_and_access_points() {
    let mut environment = environment("99");
    let kinds =
        ["AWS::S3Files::FileSystem", "AWS::S3Files::MountTarget", "AWS::S3Files::AccessPoint", "AWS::IAM::Role"];
    let counts = |environment: &Environment, region: &str| {
        let rendered = rendered_in(environment, region, "k");
        let text = rendered.template.to_string();
        assert!(["UploadBucketName", "FilesSubnet", "FilesUser"].iter().all(|name| !text.contains(name)), "{region}");
        kinds.map(|kind| of_type(&rendered, kind).len())
    };
    assert_eq!(counts(&environment, "us-west-2"), [0, 0, 0, 2]);
    let before = rendered(&environment, "k");
    let system = FileSystem {
        subnets: ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"].map(str::to_owned).into(),
        security_groups: vec!["sg-0123456789abcdef0".into()],
    };
    environment.s3_files.insert("99-5".into(), system.clone());
    environment.s3_files.insert("99-4".into(), system);
    assert_eq!(counts(&environment, "us-west-2"), [2, 4, 0, 4], "without mounts, there is no access point");
    assert_eq!(counts(&environment, "us-east-2"), [0, 0, 0, 2], "the buckets are in another region");
    let source = include_str!("../../../../environments/99.yaml").to_owned()
        + "s3_files: { 99-5: { subnets: [subnet-01234567], security_groups: [sg-01234567] } }\n\
           mounts: { main: [ { kind: s3files, cluster: 99-5, at: /sftp, uid: 48, gid: 49 } ] }\n";
    environment.mounts = sftpctl_core::spec::load(&source, "99.yaml").unwrap().mounts;

    let rendered = rendered(&environment, "k");
    let all = resources(&rendered);
    let attribute = |id: &str, name: &str| json!({ "Fn::GetAtt": [id, name] });
    let system = &all["FilesSystem99x2d5"];
    assert_eq!(system["Properties"]["Bucket"], attribute("UploadBucket99x2d5", "Arn"));
    assert_eq!(system["Properties"]["RoleArn"], attribute("FilesRole99x2d5", "Arn"));
    assert_eq!(system["DependsOn"], "UploadBucketPolicy99x2d5");
    assert_eq!(system["Properties"]["AcceptBucketWarning"], true, "also over a bucket with millions of files");
    let point = &all["FilesAccessPoint99x2d5u48g49"]["Properties"];
    assert_eq!(point["PosixUser"], json!({ "Uid": "48", "Gid": "49" }));
    let id = attribute("FilesSystem99x2d5", "FileSystemId");
    assert_eq!(point["FileSystemId"], id);
    let target = &all["FilesMountTarget99x2d5subnetx2d0123456789abcdef1"]["Properties"];
    let groups = json!(["sg-0123456789abcdef0"]);
    assert_eq!((&target["FileSystemId"], &target["SecurityGroups"]), (&id, &groups));
    let outputs = &rendered.template["Outputs"];
    assert_eq!(outputs["FilesSystem99x2d5"]["Value"], id);
    let point = attribute("FilesAccessPoint99x2d5u48g49", "AccessPointId");
    assert_eq!(outputs["FilesAccessPoint99x2d5u48g49"]["Value"], point);
    // S3 Files is told of changes by the bucket's events; of the other buckets, nothing changes.
    let bucket = &all["UploadBucket99x2d5"]["Properties"]["NotificationConfiguration"];
    assert_eq!(bucket["EventBridgeConfiguration"]["EventBridgeEnabled"], true);
    assert_eq!(all["UploadBucket99x2d0"], resources(&before)["UploadBucket99x2d0"]);
    for statement in statements(&rendered, "FilesRole99x2d5") {
        let resource = statement["Resource"].to_string();
        assert!(resource.contains("pl-pt99-5-uploads") || resource.contains(":rule/"), "{statement}");
    }
}

#[test]
fn no_role_has_wildcard_permissions() {
    let rendered = rendered(&environment("99"), "k");
    for role in of_type(&rendered, "AWS::IAM::Role") {
        for policy in role["Properties"]["Policies"].as_array().unwrap() {
            for statement in policy["PolicyDocument"]["Statement"].as_array().unwrap() {
                let text = statement.to_string();
                assert!(!text.contains("\"Resource\":\"*\"") && !text.contains(":*\"],\"Effect"), "{text}");
                assert!(!statement["Action"].to_string().contains('*'), "{text}");
            }
        }
    }
    let trust = &resources(&rendered)["InvocationRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0];
    assert!(trust["Condition"]["StringEquals"]["aws:SourceAccount"].is_object());
    assert!(trust["Condition"]["ArnLike"]["aws:SourceArn"].is_object());
}

/// The statements of a role's policies, in order.
fn statements(rendered: &Rendered, role: &str) -> Vec<Value> {
    let policies = resources(rendered)[role]["Properties"]["Policies"].as_array().unwrap();
    policies.iter().flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap().clone()).collect()
}

#[test]
fn roles_have_only_the_necessary_permissions() {
    let rendered = rendered(&environment("99"), "k");
    let allow =
        |actions: Value, arn: &str| json!({ "Effect": "Allow", "Action": actions, "Resource": { "Fn::Sub": arn } });
    let invoke = "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/prod/GET/servers/*/users/*/config";
    assert_eq!(
        statements(&rendered, "InvocationRole"),
        [
            allow("execute-api:Invoke".into(), invoke),
            json!({
                "Effect": "Allow",
                "Action": "apigateway:GET",
                "Resource": [
                    { "Fn::Sub": "arn:aws:apigateway:${AWS::Region}::/restapis/${Api}" },
                    { "Fn::Sub": "arn:aws:apigateway:${AWS::Region}::/restapis/${Api}/*" },
                ],
            }),
        ]
    );
    let table = "arn:aws:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${TableName}";
    let log = "arn:aws:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/lambda-${ResourceStem}:*";
    assert_eq!(
        statements(&rendered, "AuthorizerRole"),
        [
            allow(json!(["dynamodb:GetItem", "dynamodb:Query"]), table),
            allow("dynamodb:Query".into(), &format!("{table}/index/username-index")),
            allow(json!(["logs:CreateLogStream", "logs:PutLogEvents"]), log),
        ]
    );
}

/// A value with `Ref` and `Fn::Sub` resolved.
fn resolved(value: &Value, names: &[(&str, &str)]) -> Value {
    if let Some(name) = value["Ref"].as_str() {
        return names.iter().find(|(known, _)| *known == name).unwrap().1.into();
    }
    if let Some(text) = value["Fn::Sub"].as_str() {
        let substitute = |text: String, (name, by): &(&str, &str)| text.replace(&format!("${{{name}}}"), by);
        return names.iter().fold(text.to_owned(), substitute).into();
    }
    match value {
        Value::Array(all) => all.iter().map(|one| resolved(one, names)).collect(),
        Value::Object(all) => all.iter().map(|(key, one)| (key.clone(), resolved(one, names))).collect(),
        other => other.clone(),
    }
}

#[test]
fn a_template_deployed_on_its_own_has_the_same_bucket_policy() {
    let role = "arn:aws:iam::111111111111:role/sftp-transfer";
    let written = &source().unwrap()["Resources"]["UploadBucketPolicy"]["Properties"]["PolicyDocument"];
    assert_eq!(
        resolved(written, &[("UploadBucketName", "pl-pt99-0-uploads"), ("UserRoleArn", role)]),
        bucket_policy("pl-pt99-0-uploads", role)
    );
}

#[test]
fn alarms_have_the_thresholds_and_the_topic_of_the_file() {
    let mut environment = environment("99");
    let topic = "arn:aws:sns:us-west-2:111111111111:ops";
    environment.alarms.authorizer_errors = 11;
    environment.alarms.authorizer_throttles = 12;
    environment.alarms.authorizer_duration_ms = 1300;
    environment.alarms.api_5xx = 14;
    environment.alarms.topics =
        [("us-west-2", topic), ("us-east-2", "another")].map(|(region, arn)| (region.into(), arn.into())).into();
    let rendered = rendered(&environment, "k");
    let actions = json!({ "Fn::If": ["HasAlarmTopic", [{ "Ref": "AlarmTopicArn" }], { "Ref": "AWS::NoValue" }] });
    for (alarm, threshold) in [
        ("AuthorizerErrorsAlarm", "11"),
        ("AuthorizerThrottlesAlarm", "12"),
        ("AuthorizerDurationAlarm", "1300"),
        ("FaultsAlarm", "11"),
        ("ApiErrorsAlarm", "14"),
    ] {
        let properties = &resources(&rendered)[alarm]["Properties"];
        let parameter = properties["Threshold"]["Ref"].as_str().unwrap();
        assert_eq!(rendered.parameters[parameter], threshold, "{alarm}");
        assert_eq!(properties["AlarmActions"], actions, "{alarm}");
    }
    assert_eq!(of_type(&rendered, "AWS::CloudWatch::Alarm").len(), 5);
    assert_eq!(rendered.parameters["AlarmTopicArn"], topic);
    environment.alarms.topics.clear();
    assert_eq!(self::rendered(&environment, "k").parameters["AlarmTopicArn"], "");
}

#[test]
fn logs_have_a_retention_and_never_a_password() {
    let rendered = rendered(&environment("99"), "k");
    let groups = of_type(&rendered, "AWS::Logs::LogGroup");
    assert_eq!(groups.len(), 4);
    assert!(groups.iter().all(|group| group["Properties"]["RetentionInDays"]["Ref"] == "RetentionDays"));
    let stage = &resources(&rendered)["ApiStage"]["Properties"];
    assert_eq!(stage["MethodSettings"][0]["DataTraceEnabled"], false);
    let format = stage["AccessLogSetting"]["Format"].as_str().unwrap();
    assert!(!format.to_lowercase().contains("password") && !format.contains("$context.path\""), "{format}");
    // The message has quotes of its own, and what is in them is escaped.
    let line = format.replace("$context.error.messageString", r#""a \"quoted\" word""#);
    serde_json::from_str::<Value>(&line).unwrap();
}

#[test]
fn only_api_changes_create_a_deployment() {
    let mut environment = environment("99");
    let first = rendered(&environment, "k");
    environment.logs.retention_days = 7;
    environment.clusters.pop_first();
    let other = rendered(&environment, "other-key");
    assert_eq!(deployment(&first), deployment(&other));
    assert_eq!(resources(&first)["ApiStage"]["Properties"]["DeploymentId"]["Ref"], deployment(&first));
}

#[test]
fn mapping_template_unescapes_sequences_unknown_to_json() {
    let rendered = rendered(&environment("99"), "k");
    assert_eq!(resources(&rendered)["Api"]["Properties"]["EndpointConfiguration"], json!({ "Types": ["REGIONAL"] }));
    let method = &resources(&rendered)["ApiMethod"]["Properties"];
    assert_eq!(method["AuthorizationType"], "AWS_IAM");
    assert_eq!(method["Integration"]["Type"], "AWS");
    let template = method["Integration"]["RequestTemplates"]["application/json"].as_str().unwrap();
    let password = concat!(
        r#""password": "$util.escapeJavaScript($util.base64Decode($input.params('PasswordBase64')))"#,
        r#".replaceAll("\\'","'")""#,
    );
    assert!(template.contains(password), "{template}");
    let parameters = method["RequestParameters"].as_object().unwrap();
    let names: Vec<&str> = parameters.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "method.request.header.PasswordBase64",
            "method.request.querystring.protocol",
            "method.request.querystring.sourceIp",
        ]
    );
    assert!(
        parameters.values().all(|required| *required == Value::Bool(false)),
        "Transfer leaves some out: {parameters:?}"
    );
    for response in method["MethodResponses"].as_array().unwrap() {
        let model = response["ResponseModels"]["application/json"]["Ref"].as_str().unwrap();
        let expected = if response["StatusCode"] == "200" { "ApiSuccessModel" } else { "ApiRefusalModel" };
        assert_eq!(model, expected, "{response}");
        assert_eq!(resources(&rendered)[model]["Type"], "AWS::ApiGateway::Model");
    }
    let success = &resources(&rendered)["ApiSuccessModel"]["Properties"]["Schema"]["properties"];
    for member in ["Role", "Policy", "HomeDirectory", "HomeDirectoryType", "HomeDirectoryDetails", "PublicKeys"] {
        assert!(success[member].is_object(), "{member}: {success}");
    }
    let refusal = &resources(&rendered)["ApiRefusalModel"]["Properties"]["Schema"]["properties"];
    assert!(refusal.get("Role").is_none(), "a refusal carries no Role");
    let codes: Vec<_> = method["MethodResponses"].as_array().unwrap().iter().map(|r| r["StatusCode"].clone()).collect();
    assert_eq!(codes, ["200", "500"], "to Transfer, any status but 200 is an error of its identity provider");
    let responses = method["Integration"]["IntegrationResponses"].as_array().unwrap();
    let codes: Vec<_> = responses.iter().map(|response| response["StatusCode"].clone()).collect();
    assert_eq!(codes, ["200", "500"]);
    assert!(!method.to_string().contains("responseOverride"), "{method}");
}

#[test]
fn fifty_clusters_fit_into_one_stack() {
    let mut environment = environment("99");
    let cluster = environment.clusters["99-0"].clone();
    environment.clusters.extend((10..60).map(|n| (format!("99-{n}"), cluster.clone())));
    let rendered = rendered(&environment, "k");
    assert!(resources(&rendered).len() <= 500);
    assert!(rendered.template.to_string().len() < 1_000_000);
}
