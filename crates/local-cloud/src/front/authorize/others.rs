//! Services with few operations each.

use super::need::Asked;
use super::table::Row;

/// The rows of a service, by its signing name.
pub(super) fn rows(service: &str) -> &'static [Row] {
    match service {
        "secretsmanager" => &[
            ("DescribeSecret", "secretsmanager:DescribeSecret", "Secret"),
            ("GetSecretValue", "secretsmanager:GetSecretValue", "Secret"),
        ],
        "servicequotas" => &[
            ("GetAWSDefaultServiceQuota", "servicequotas:GetAWSDefaultServiceQuota", ""),
            ("GetServiceQuota", "servicequotas:GetServiceQuota", "quota"),
            ("ListAWSDefaultServiceQuotas", "servicequotas:ListAWSDefaultServiceQuotas", ""),
            ("ListServiceQuotas", "servicequotas:ListServiceQuotas", ""),
        ],
        "sns" => &[
            ("GetTopicAttributes", "sns:GetTopicAttributes", "topic"),
            ("ListSubscriptionsByTopic", "sns:ListSubscriptionsByTopic", "topic"),
            ("Publish", "sns:Publish", "topic"),
        ],
        // Of a batch, each part is authorized as the call for one message (SQS developer guide, "Actions, resources, and
        // condition keys").
        "sqs" => &[
            ("ChangeMessageVisibility", "sqs:ChangeMessageVisibility", "queue"),
            ("ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility", "queue"),
            ("DeleteMessage", "sqs:DeleteMessage", "queue"),
            ("DeleteMessageBatch", "sqs:DeleteMessage", "queue"),
            ("GetQueueUrl", "sqs:GetQueueUrl", "queue"),
            ("ReceiveMessage", "sqs:ReceiveMessage", "queue"),
        ],
        "ssm" => &[("GetParameter", "ssm:GetParameter", "parameter")],
        // Needs no permission: `mod.rs` does not ask for it. AssumeRole is in `assume.rs`.
        "sts" => &[("GetCallerIdentity", "sts:GetCallerIdentity", "")],
        _ => &[],
    }
}

/// The resource of a type.
pub(super) fn resource(kind: &str, asked: &Asked<'_>) -> Result<String, String> {
    Ok(match kind {
        "parameter" => asked.arn("ssm", &format!("parameter/{}", asked.member("Name")?.trim_start_matches('/'))),
        "Secret" => match (&asked.known.arn, asked.member("SecretId")?) {
            (Some(arn), _) => arn.clone(),
            (None, arn) if arn.starts_with("arn:") => arn.to_owned(),
            (None, name) => asked.arn("secretsmanager", &format!("secret:{name}")),
        },
        "queue" => {
            let url = asked.json["QueueUrl"].as_str().and_then(|url| url.rsplit('/').next());
            asked.arn("sqs", url.map_or_else(|| asked.member("QueueName"), Ok)?)
        }
        "topic" => asked.field("TopicArn")?.to_owned(),
        "quota" => {
            let quota = format!("{}/{}", asked.member("ServiceCode")?, asked.member("QuotaCode")?);
            asked.arn("servicequotas", &quota)
        }
        _ => "*".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::need::Known;
    use super::super::table::tests::{asked, asked_with, shown};

    #[test]
    fn names_become_arns() {
        let post = |body: &str| hyper::Request::post("/").body(body.to_owned()).unwrap();
        let parameter = "arn:aws:ssm:us-west-2:111111111111:parameter/sftp-99/key";
        let needs = asked("ssm", "GetParameter", post(r#"{"Name":"/sftp-99/key"}"#));
        assert_eq!(shown(&needs), [("ssm:GetParameter", parameter)]);
        let secret = "arn:aws:secretsmanager:us-west-2:111111111111:secret:sftp-k-AbCdEf";
        let known = Known { arn: Some(secret.to_owned()), boundary: None };
        let needs = asked_with("secretsmanager", "GetSecretValue", post(r#"{"SecretId":"sftp-k"}"#), &known);
        assert_eq!(shown(&needs), [("secretsmanager:GetSecretValue", secret)]);
    }
}
