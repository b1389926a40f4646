//! The actions and resources that a call of DynamoDB must be allowed ("Actions, resources, and condition keys for
//! Amazon DynamoDB" in the service authorization reference).

use serde_json::Value;

/// An action, and the ARN of its resource.
pub(super) type Need = (String, String);

/// The needs of a call, or the reason why they are not modelled.
pub(super) fn needs(operation: &str, body: &Value, region: &str, account: &str) -> Result<Vec<Need>, String> {
    let table = |name: &str| {
        // DynamoDB accepts a table's ARN as its name.
        if name.starts_with("arn:") {
            name.to_owned()
        } else {
            format!("arn:aws:dynamodb:{region}:{account}:table/{name}")
        }
    };
    let action = |name: &str| format!("dynamodb:{name}");
    let named =
        |from: &Value| from["TableName"].as_str().map(table).ok_or_else(|| "the request names no table".to_owned());
    let needs: Vec<Need> = match operation {
        "Query" | "Scan" => {
            let mut resource = named(body)?;
            if let Some(index) = body["IndexName"].as_str() {
                resource += &format!("/index/{index}");
            }
            vec![(action(operation), resource)]
        }
        "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" | "DescribeTable" => {
            vec![(action(operation), named(body)?)]
        }
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = body["RequestItems"].as_object().into_iter().flatten();
            tables.map(|(name, _)| (action(operation), table(name))).collect()
        }
        "TransactGetItems" | "TransactWriteItems" => {
            let parts = body["TransactItems"].as_array().into_iter().flatten().filter_map(Value::as_object).flatten();
            let part = |(kind, what): (&String, &Value)| {
                let name =
                    if kind == "ConditionCheck" { "ConditionCheckItem".to_owned() } else { format!("{kind}Item") };
                Ok::<Need, String>((action(&name), named(what)?))
            };
            parts.map(part).collect::<Result<_, _>>()?
        }
        other => return Err(format!("dynamodb:{other} is not modelled by the local cloud")),
    };
    if needs.is_empty() { Err("the request names no table".to_owned()) } else { Ok(needs) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_call_needs_its_action_on_table_or_index() {
        let arn = |rest: &str| format!("arn:aws:dynamodb:us-west-2:111111111111:table/{rest}");
        let other = "arn:aws:dynamodb:us-east-2:222222222222:table/o";
        for (operation, body, expected) in [
            ("Query", json!({"TableName": "t"}), vec![("Query", arn("t"))]),
            ("Query", json!({"TableName": "t", "IndexName": "i"}), vec![("Query", arn("t/index/i"))]),
            ("Scan", json!({"TableName": other, "IndexName": "i"}), vec![("Scan", format!("{other}/index/i"))]),
            ("PutItem", json!({"TableName": "t"}), vec![("PutItem", arn("t"))]),
            (
                "BatchGetItem",
                json!({"RequestItems": {"t": {}, "u": {}}}),
                vec![("BatchGetItem", arn("t")), ("BatchGetItem", arn("u"))],
            ),
            (
                "TransactWriteItems",
                json!({"TransactItems": [{"Put": {"TableName": "t"}}, {"ConditionCheck": {"TableName": "u"}}]}),
                vec![("PutItem", arn("t")), ("ConditionCheckItem", arn("u"))],
            ),
        ] {
            let expected: Vec<Need> =
                expected.into_iter().map(|(action, arn)| (format!("dynamodb:{action}"), arn)).collect();
            assert_eq!(needs(operation, &body, "us-west-2", "111111111111"), Ok(expected), "{operation} {body}");
        }
    }

    #[test]
    fn unmodelled_calls_are_refused() {
        for (operation, body) in [
            ("Query", json!({})),
            ("BatchGetItem", json!({"RequestItems": {}})),
            ("TransactWriteItems", json!({"TransactItems": [{"Put": {}}]})),
            ("ExecuteStatement", json!({"Statement": "SELECT * FROM t"})),
            ("DeleteTable", json!({"TableName": "t"})),
        ] {
            assert!(needs(operation, &body, "us-west-2", "111111111111").is_err(), "{operation} {body}");
        }
    }
}
