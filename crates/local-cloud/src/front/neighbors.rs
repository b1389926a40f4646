//! Gives the Transfer API access to the rest of the local cloud: log-ins and log groups.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Front;
use super::pending::between;
use crate::execute_api;
use crate::login::{self, LoginAttempt};
use crate::place::Place;
use crate::transfer::{Neighbors, NetworkKind, Server, User};

#[async_trait]
impl Neighbors for Front {
    async fn test_identity_provider(&self, (place, id, server): (&Place, &str, &Server), user: &User<'_>) -> Value {
        let User { name: username, password, protocol, source_ip } = *user;
        let attempt = LoginAttempt { username, password, protocol, source_ip };
        let identity = login::ask(&self.cloud, place, id, server, &attempt).await;
        json!({
            "Response": identity.response,
            "StatusCode": identity.status,
            "Message": identity.message,
            "Url": identity.url,
        })
    }

    async fn log_group_exists(&self, place: &Place, name: &str) -> Result<bool, String> {
        self.upstream.log_group_exists(place, name).await
    }

    async fn workflows(&self, place: &Place, operation: &str, input: &Value) -> Result<Value, (String, String)> {
        let target = format!("{}{operation}", crate::transfer::TARGET_PREFIX);
        let kind = "application/x-amz-json-1.1";
        let (account, body) = (&place.account, input.to_string());
        let answer = self.upstream.ask(account, &place.region, "transfer", Some(&target), kind, &body).await;
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        answer.map(|text| read(&text)).map_err(|text| {
            let error = read(&text);
            let member = |name: &str| error[name].as_str().map(str::to_owned);
            (member("__type").unwrap_or_default(), member("message").unwrap_or(text))
        })
    }

    async fn runs_workflows(&self, place: &Place, role: &str, workflow: &str) -> Result<(), String> {
        let aws = self.cloud.aws(&place.account).await;
        let arn = crate::place::workflow_arn(place, workflow);
        execute_api::trusts(&aws, &place.account, &arn, role).await.map_err(|error| error.to_string())
    }

    async fn vpcs(&self, place: &Place, kind: NetworkKind, ids: &[&str]) -> Result<Vec<String>, String> {
        let call = match kind {
            NetworkKind::Subnet => "Action=DescribeSubnets&SubnetId.1=",
            NetworkKind::SecurityGroup => "Action=DescribeSecurityGroups&GroupId.1=",
        };
        let mut vpcs = Vec::new();
        for id in ids {
            let form = format!("{call}{id}&Version=2016-11-15");
            let kind = "application/x-www-form-urlencoded";
            let answer = self.upstream.ask(&place.account, &place.region, "ec2", None, kind, &form).await;
            let answer =
                answer.map_err(|text| between(&text, "<Message>", "</Message>").unwrap_or(&text).to_owned())?;
            vpcs.push(between(&answer, "<vpcId>", "</vpcId>").unwrap_or_default().to_owned());
        }
        Ok(vpcs)
    }

    async fn has_internet_gateway(&self, place: &Place, vpc: &str) -> Result<bool, String> {
        let form = format!(
            "Action=DescribeInternetGateways&Filter.1.Name=attachment.vpc-id&Filter.1.Value.1={vpc}&Version=2016-11-15"
        );
        let kind = "application/x-www-form-urlencoded";
        let answer = self.upstream.ask(&place.account, &place.region, "ec2", None, kind, &form).await?;
        Ok(answer.contains("<internetGatewayId>"))
    }
}
