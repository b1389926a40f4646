//! DynamoDB: the actions and resources that a call must be allowed ("Actions, resources, and condition keys for Amazon
//! DynamoDB" in the service authorization reference). Lambda functions are held to the same table.

use serde_json::Value;

use super::need::{Need, tag_list, texts};
use super::table::Row;

pub(super) const ROWS: &[Row] = &[
    // Each statement has an action of its own.
    ("BatchExecuteStatement", "dynamodb:PartiQLInsert", "table"),
    ("BatchGetItem", "dynamodb:BatchGetItem", "table"),
    ("BatchWriteItem", "dynamodb:BatchWriteItem", "table"),
    ("CreateTable", "dynamodb:CreateTable", "table"),
    ("DeleteItem", "dynamodb:DeleteItem", "table"),
    ("DeleteTable", "dynamodb:DeleteTable", "table"),
    ("DescribeContinuousBackups", "dynamodb:DescribeContinuousBackups", "table"),
    ("DescribeGlobalTable", "dynamodb:DescribeGlobalTable", "global-table"),
    ("DescribeImport", "dynamodb:DescribeImport", "import"),
    ("DescribeLimits", "dynamodb:DescribeLimits", ""),
    ("DescribeTable", "dynamodb:DescribeTable", "table"),
    ("DescribeTimeToLive", "dynamodb:DescribeTimeToLive", "table"),
    ("GetItem", "dynamodb:GetItem", "table"),
    ("ImportTable", "dynamodb:ImportTable", "table"),
    ("ListImports", "dynamodb:ListImports", "table"),
    ("ListTables", "dynamodb:ListTables", ""),
    ("ListTagsOfResource", "dynamodb:ListTagsOfResource", "table"),
    ("PutItem", "dynamodb:PutItem", "table"),
    ("Query", "dynamodb:Query", "table"),
    ("Scan", "dynamodb:Scan", "table"),
    ("TagResource", "dynamodb:TagResource", "table"),
    // Each part has an action of its own.
    ("TransactGetItems", "dynamodb:GetItem", "table"),
    ("TransactWriteItems", "dynamodb:PutItem", "table"),
    ("UntagResource", "dynamodb:UntagResource", "table"),
    ("UpdateContinuousBackups", "dynamodb:UpdateContinuousBackups", "table"),
    ("UpdateItem", "dynamodb:UpdateItem", "table"),
    ("UpdateTable", "dynamodb:UpdateTable", "table"),
    ("UpdateTimeToLive", "dynamodb:UpdateTimeToLive", "table"),
];

/// What an import needs to write its log.
const LOG_OF_IMPORT: [&str; 6] = [
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
    "logs:PutRetentionPolicy",
];

/// What a new replica needs in its region (DynamoDB developer guide, "Using IAM with DynamoDB global tables").
const NEW_REPLICA: [&str; 9] = [
    "BatchWriteItem",
    "CreateTable",
    "CreateTableReplica",
    "DeleteItem",
    "GetItem",
    "PutItem",
    "Query",
    "Scan",
    "UpdateItem",
];
/// What the deletion of a replica needs in its region.
const OLD_REPLICA: [&str; 2] = ["DeleteTable", "DeleteTableReplica"];
/// The service that replicates with a role of its own, which exists from the first replica on.
const REPLICATION: &str = "replication.dynamodb.amazonaws.com";

/// The needs of a call, or the reason why they are not modelled.
pub(crate) fn needs(operation: &str, body: &Value, region: &str, account: &str) -> Result<Vec<Need>, String> {
    // DynamoDB accepts a table's ARN as its name.
    let table_in = |region: &str, name: &str| match name.starts_with("arn:") {
        true => name.to_owned(),
        false => format!("arn:aws:dynamodb:{region}:{account}:table/{name}"),
    };
    let table = |name: &str| table_in(region, name);
    let need = |name: &str, resource: String| Need::new(format!("dynamodb:{name}"), "table", resource);
    let named =
        |from: &Value| from["TableName"].as_str().map(table).ok_or_else(|| "the request names no table".to_owned());
    let row = ROWS.iter().find(|row| row.0 == operation);
    let &(_, action, kind) = row.ok_or_else(|| format!("dynamodb:{operation} is not modelled by the local cloud"))?;
    let needs: Vec<Need> = match operation {
        "Query" | "Scan" => {
            let resource = named(body)?;
            vec![match body["IndexName"].as_str() {
                Some(index) => Need::new(action, "index", format!("{resource}/index/{index}")),
                None => need(operation, resource),
            }]
        }
        "BatchExecuteStatement" => {
            let statements = body["Statements"].as_array().into_iter().flatten();
            let texts = statements.map(|statement| statement["Statement"].as_str().unwrap_or_default());
            texts
                .map(|text| statement(text).map(|(name, target)| need(name, table(&target))))
                .collect::<Result<_, _>>()?
        }
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = body["RequestItems"].as_object().into_iter().flatten();
            tables.map(|(name, _)| need(operation, table(name))).collect()
        }
        "TransactGetItems" | "TransactWriteItems" => {
            let parts = body["TransactItems"].as_array().into_iter().flatten().filter_map(Value::as_object).flatten();
            let part = |(kind, what): (&String, &Value)| {
                let name =
                    if kind == "ConditionCheck" { "ConditionCheckItem".to_owned() } else { format!("{kind}Item") };
                Ok::<Need, String>(need(&name, named(what)?))
            };
            parts.map(part).collect::<Result<_, _>>()?
        }
        "CreateTable" => {
            let tags = tag_list(&body["Tags"]);
            let tagging = (!tags.is_empty()).then(|| Ok(need("TagResource", named(body)?).with_tags(&tags)));
            let own = need(operation, named(body)?).with_tags(&tags);
            std::iter::once(Ok(own)).chain(tagging).collect::<Result<_, String>>()?
        }
        "UpdateTable" => {
            let name = body["TableName"].as_str().unwrap_or_default();
            let mut all = vec![need(operation, named(body)?)];
            for update in body["ReplicaUpdates"].as_array().into_iter().flatten() {
                all.extend(replica(update, |region| table_in(region, name), account));
            }
            all
        }
        "DescribeImport" => {
            vec![Need::new(action, kind, body["ImportArn"].as_str().ok_or("the request has no ImportArn")?)]
        }
        // A list of all imports of the account is not asked for.
        "ListImports" => {
            vec![need(operation, body["TableArn"].as_str().ok_or("the request names no table")?.to_owned())]
        }
        "ImportTable" => import(need(operation, named(&body["TableCreationParameters"])?), body, region, account)?,
        "ListTagsOfResource" | "TagResource" | "UntagResource" => {
            let arn = body["ResourceArn"].as_str().ok_or("the request has no ResourceArn")?;
            let own = need(operation, arn.to_owned()).with_tags(&tag_list(&body["Tags"]));
            let keys = texts(&body["TagKeys"]);
            vec![if keys.is_empty() { own } else { own.with_keys(keys) }]
        }
        "DescribeGlobalTable" => {
            let name = body["GlobalTableName"].as_str().ok_or("the request names no table")?;
            vec![Need::new(action, kind, format!("arn:aws:dynamodb::{account}:global-table/{name}"))]
        }
        _ if kind.is_empty() => vec![Need::new(action, kind, "*")],
        _ => vec![need(operation, named(body)?)],
    };
    if needs.is_empty() { Err("the request names no table".to_owned()) } else { Ok(needs) }
}

/// What the import of a table needs of whoever asks for it, and not of a role (DynamoDB developer guide, "Requesting a
/// table import in DynamoDB").
fn import(table: Need, body: &Value, region: &str, account: &str) -> Result<Vec<Need>, String> {
    let source = &body["S3BucketSource"];
    let bucket = source["S3Bucket"].as_str().ok_or("the request names no bucket")?;
    let bucket = format!("arn:aws:s3:::{bucket}");
    let objects = format!("{bucket}/{}*", source["S3KeyPrefix"].as_str().unwrap_or_default());
    let group = format!("arn:aws:logs:{region}:{account}:log-group:/aws-dynamodb/imports");
    let logs = LOG_OF_IMPORT.iter().map(|action| match *action {
        "logs:PutLogEvents" => Need::new(*action, "log-stream", format!("{group}:log-stream:error")),
        "logs:DescribeLogGroups" => Need::new(*action, "", "*"),
        action => Need::new(action, "log-group", group.clone()),
    });
    let mut all =
        vec![table, Need::new("s3:GetObject", "object", objects), Need::new("s3:ListBucket", "bucket", bucket)];
    all.extend(logs);
    Ok(all)
}

/// The action of a PartiQL statement, and the table that it names ("IAM security policies with PartiQL for DynamoDB").
fn statement(text: &str) -> Result<(&'static str, String), String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (action, at) = match words.first().map(|word| word.to_ascii_uppercase()).as_deref() {
        Some("INSERT") => ("PartiQLInsert", 2),
        Some("UPDATE") => ("PartiQLUpdate", 1),
        Some("DELETE") => ("PartiQLDelete", 2),
        Some("SELECT") => {
            let from = words.iter().position(|word| word.eq_ignore_ascii_case("from"));
            ("PartiQLSelect", from.map_or(usize::MAX, |at| at + 1))
        }
        _ => return Err(format!("the statement `{text}` is not modelled by the local cloud")),
    };
    match words.get(at).map(|name| name.trim_matches('"')) {
        Some(name) if !name.is_empty() => Ok((action, name.to_owned())),
        _ => Err(format!("the statement `{text}` names no table")),
    }
}

/// The needs of one change of a table's replicas.
fn replica(update: &Value, table: impl Fn(&str) -> String, account: &str) -> Vec<Need> {
    let all = |actions: &[&str], region: &str| -> Vec<Need> {
        actions.iter().map(|action| Need::new(format!("dynamodb:{action}"), "table", table(region))).collect()
    };
    if let Some(region) = update["Create"]["RegionName"].as_str() {
        let role =
            format!("arn:aws:iam::{account}:role/aws-service-role/{REPLICATION}/AWSServiceRoleForDynamoDBReplication");
        let linked = Need::new("iam:CreateServiceLinkedRole", "role", role).with("iam:AWSServiceName", REPLICATION);
        let mut needs = all(&NEW_REPLICA, region);
        needs.push(linked);
        return needs;
    }
    update["Delete"]["RegionName"].as_str().map(|region| all(&OLD_REPLICA, region)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::{known_to_aws, shown};
    use super::*;
    use serde_json::json;

    fn asked(operation: &str, body: &Value) -> Result<Vec<Need>, String> {
        let needs = needs(operation, body, "us-west-2", "111111111111")?;
        needs.iter().for_each(known_to_aws);
        Ok(needs)
    }

    #[test]
    fn each_call_needs_its_action_on_table_or_index() {
        let arn = |rest: &str| format!("arn:aws:dynamodb:us-west-2:111111111111:table/{rest}");
        let other = "arn:aws:dynamodb:us-east-2:222222222222:table/o";
        for (operation, body, expected) in [
            ("Query", json!({"TableName": "t"}), vec![("Query", arn("t"))]),
            ("Query", json!({"TableName": "t", "IndexName": "i"}), vec![("Query", arn("t/index/i"))]),
            ("Scan", json!({"TableName": other, "IndexName": "i"}), vec![("Scan", format!("{other}/index/i"))]),
            ("PutItem", json!({"TableName": "t"}), vec![("PutItem", arn("t"))]),
            ("ListImports", json!({"TableArn": arn("t")}), vec![("ListImports", arn("t"))]),
            (
                "BatchGetItem",
                json!({"RequestItems": {"t": {}, "u": {}}}),
                vec![("BatchGetItem", arn("t")), ("BatchGetItem", arn("u"))],
            ),
            (
                "BatchExecuteStatement",
                json!({"Statements": [
                    {"Statement": "INSERT INTO \"t\" VALUE {'orgid': ?}"},
                    {"Statement": "UPDATE \"u\" SET \"a\" = ? WHERE \"orgid\" = ?"},
                    {"Statement": "delete from t where orgid = 1"},
                    {"Statement": "SELECT * FROM t WHERE orgid = 1"},
                ]}),
                vec![
                    ("PartiQLInsert", arn("t")),
                    ("PartiQLUpdate", arn("u")),
                    ("PartiQLDelete", arn("t")),
                    ("PartiQLSelect", arn("t")),
                ],
            ),
            (
                "TransactWriteItems",
                json!({"TransactItems": [{"Put": {"TableName": "t"}}, {"ConditionCheck": {"TableName": "u"}}]}),
                vec![("PutItem", arn("t")), ("ConditionCheckItem", arn("u"))],
            ),
            (
                "CreateTable",
                json!({"TableName": "t", "Tags": [{"Key": "k", "Value": "v"}]}),
                vec![("CreateTable", arn("t")), ("TagResource", arn("t"))],
            ),
            ("DescribeContinuousBackups", json!({"TableName": "t"}), vec![("DescribeContinuousBackups", arn("t"))]),
            ("ListTagsOfResource", json!({"ResourceArn": other}), vec![("ListTagsOfResource", other.to_owned())]),
        ] {
            let expected: Vec<_> =
                expected.into_iter().map(|(action, arn)| (format!("dynamodb:{action}"), arn)).collect();
            let needs = asked(operation, &body).unwrap();
            let expected: Vec<_> = expected.iter().map(|(action, arn)| (action.as_str(), arn.as_str())).collect();
            assert_eq!(shown(&needs), expected, "{operation} {body}");
        }
    }

    #[test]
    fn replicas_need_permissions_in_their_region() {
        let there = "arn:aws:dynamodb:us-east-2:111111111111:table/t";
        let body = json!({"TableName": "t", "ReplicaUpdates": [{"Create": {"RegionName": "us-east-2"}}]});
        let needs = asked("UpdateTable", &body).unwrap();
        let shown_needs = shown(&needs);
        assert_eq!(shown_needs[0].0, "dynamodb:UpdateTable");
        assert!(shown_needs.contains(&("dynamodb:CreateTableReplica", there)), "{shown_needs:?}");
        assert_eq!(shown_needs.last().unwrap().0, "iam:CreateServiceLinkedRole");
        let body = json!({"TableName": "t", "ReplicaUpdates": [{"Delete": {"RegionName": "us-east-2"}}]});
        let needs = asked("UpdateTable", &body).unwrap();
        assert_eq!(shown(&needs)[1..], [("dynamodb:DeleteTable", there), ("dynamodb:DeleteTableReplica", there)]);
    }

    #[test]
    fn unmodelled_calls_are_refused() {
        for (operation, body) in [
            ("Query", json!({})),
            ("BatchGetItem", json!({"RequestItems": {}})),
            ("TransactWriteItems", json!({"TransactItems": [{"Put": {}}]})),
            ("BatchExecuteStatement", json!({"Statements": [{"Statement": "DROP TABLE t"}]})),
            ("ExecuteStatement", json!({"Statement": "SELECT * FROM t"})),
            ("CreateBackup", json!({"TableName": "t"})),
        ] {
            assert!(asked(operation, &body).is_err(), "{operation} {body}");
        }
    }
}
