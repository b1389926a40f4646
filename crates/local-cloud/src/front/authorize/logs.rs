//! CloudWatch Logs.

use super::need::{Asked, Need, tag_map, texts};
use super::table::Row;

pub(super) const ROWS: &[Row] = &[
    ("CreateLogGroup", "logs:CreateLogGroup", "log-group"),
    ("DeleteLogGroup", "logs:DeleteLogGroup", "log-group"),
    ("DeleteMetricFilter", "logs:DeleteMetricFilter", "log-group"),
    ("DeleteQueryDefinition", "logs:DeleteQueryDefinition", ""),
    ("DeleteRetentionPolicy", "logs:DeleteRetentionPolicy", "log-group"),
    ("DescribeLogGroups", "logs:DescribeLogGroups", ""),
    ("DescribeLogStreams", "logs:DescribeLogStreams", "log-group"),
    ("DescribeMetricFilters", "logs:DescribeMetricFilters", "log-group"),
    ("DescribeQueryDefinitions", "logs:DescribeQueryDefinitions", ""),
    ("DescribeResourcePolicies", "logs:DescribeResourcePolicies", ""),
    ("FilterLogEvents", "logs:FilterLogEvents", "log-group"),
    ("ListTagsForResource", "logs:ListTagsForResource", "log-group"),
    ("PutMetricFilter", "logs:PutMetricFilter", "log-group"),
    ("PutQueryDefinition", "logs:PutQueryDefinition", ""),
    ("PutRetentionPolicy", "logs:PutRetentionPolicy", "log-group"),
    ("TagResource", "logs:TagResource", "log-group"),
    ("UntagResource", "logs:UntagResource", "log-group"),
];

pub(super) fn needs(action: &str, kind: &'static str, asked: &Asked<'_>) -> Result<Vec<Need>, String> {
    let resource = if kind.is_empty() { "*".to_owned() } else { group(asked)? };
    let tags = tag_map(&asked.json["tags"]);
    let own = Need::new(action, kind, &resource);
    let own = if tags.is_empty() { own.with_keys(texts(&asked.json["tagKeys"])) } else { own.with_tags(&tags) };
    let tagging = (asked.operation == "CreateLogGroup" && !tags.is_empty())
        .then(|| Need::new("logs:TagResource", kind, tagged(&resource)).with_tags(&tags));
    Ok(std::iter::once(own).chain(tagging).collect())
}

/// The group's ARN: tags need it as it is, everything else with what follows the name, which policies match by `:*`
/// (CloudWatch Logs user guide, "Overview of managing access permissions").
fn group(asked: &Asked<'_>) -> Result<String, String> {
    if let Some(arn) = asked.json["resourceArn"].as_str() {
        return Ok(arn.to_owned());
    }
    let name = asked.json["logGroupName"].as_str().or_else(|| asked.json["logGroupIdentifier"].as_str());
    match name {
        Some(arn) if arn.starts_with("arn:") => Ok(format!("{arn}:log-stream:")),
        Some(name) => Ok(asked.arn("logs", &format!("log-group:{name}:log-stream:"))),
        // A list over all groups.
        None if asked.operation == "DescribeMetricFilters" => Ok(asked.arn("logs", "log-group:*:log-stream:")),
        None => Err("the request names no log group".to_owned()),
    }
}

fn tagged(resource: &str) -> &str {
    resource.trim_end_matches(":log-stream:")
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::{asked, shown};

    fn call(operation: &str, body: serde_json::Value) -> Vec<super::Need> {
        asked("logs", operation, hyper::Request::post("/").body(body.to_string()).unwrap())
    }

    #[test]
    fn only_tags_need_the_bare_arn() {
        let bare = "arn:aws:logs:us-west-2:111111111111:log-group:/aws/lambda/f";
        let full = format!("{bare}:log-stream:");
        let body = serde_json::json!({ "logGroupName": "/aws/lambda/f", "tags": { "k": "v" } });
        let needs = call("CreateLogGroup", body);
        assert_eq!(shown(&needs), [("logs:CreateLogGroup", full.as_str()), ("logs:TagResource", bare)]);
        let needs = call("ListTagsForResource", serde_json::json!({ "resourceArn": bare }));
        assert_eq!(shown(&needs), [("logs:ListTagsForResource", bare)]);
        assert_eq!(shown(&call("DescribeLogGroups", serde_json::json!({}))), [("logs:DescribeLogGroups", "*")]);
    }
}
