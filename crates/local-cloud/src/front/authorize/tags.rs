//! The tags of an existing resource, for conditions on `aws:ResourceTag/…`.

use std::collections::BTreeMap;

use super::super::Front;
use super::need::Need;
use crate::place::Place;

type Tags = BTreeMap<String, String>;

/// The tags of a need's resource; none if it does not exist. The error says that they are not modelled.
pub(super) async fn of(front: &Front, account: &str, need: &Need) -> Result<Tags, String> {
    let parts: Vec<&str> = need.resource.splitn(6, ':').collect();
    let [_, _, service, region, _, name] = parts.as_slice() else {
        // An action without a resource has no tags.
        return Ok(Tags::new());
    };
    let aws = front.cloud.aws(account).await;
    let found = match (*service, need.kind) {
        ("transfer", "server") => {
            let place = Place { account: account.to_owned(), region: (*region).to_owned() };
            let id = name.trim_start_matches("server/");
            return Ok(front.store.get(&place, id).map(|server| server.tags).unwrap_or_default());
        }
        ("ec2", "elastic-ip") => {
            let place = Place { account: account.to_owned(), region: (*region).to_owned() };
            let address = front.addresses.list(&place).remove(name.trim_start_matches("elastic-ip/"));
            return Ok(address.map(|address| address.tags).unwrap_or_default());
        }
        ("ec2", "security-group") => {
            let ids = [name.trim_start_matches("security-group/").to_owned()];
            let groups = aws.ec2(region).security_groups(&ids).await;
            return Ok(groups.ok().flatten().unwrap_or_default().pop().map(|group| group.tags).unwrap_or_default());
        }
        // The endpoints of servers, and the network that they are in, have no tags here.
        ("ec2", _) => return Ok(Tags::new()),
        // The local cloud's host keys and users have no tags.
        ("transfer", _) => return Ok(Tags::new()),
        ("iam", "role") => {
            let name = name.rsplit('/').next().unwrap_or_default();
            aws.iam().role(name).await.map(|role| role.map(|role| role.tags))
        }
        ("iam", "policy") => aws.iam().policy(&need.resource).await.map(|policy| policy.map(|(_, tags)| tags)),
        ("lambda", "function") => {
            let name = name.trim_start_matches("function:").split(':').next().unwrap_or_default();
            aws.lambda(region).function(name).await.map(|function| function.map(|function| function.tags))
        }
        ("dynamodb", "table") => {
            let table = name.trim_start_matches("table/");
            match aws.dynamodb(region).table(table).await {
                Ok(Some(_)) => aws.dynamodb(region).tags(&need.resource).await,
                Ok(None) => Ok(None),
                Err(error) => Err(error),
            }
        }
        ("logs", "log-group") => aws.logs(region).tags(need.resource.trim_end_matches(":log-stream:")).await.map(Some),
        ("cloudformation", "stack") => {
            let stack = name.trim_start_matches("stack/").split('/').next().unwrap_or_default();
            aws.cloudformation(region).stack(stack).await.map(|stack| stack.map(|stack| stack.tags))
        }
        // The parts of an API have its tags.
        ("apigateway", _) => match name.trim_start_matches('/').strip_prefix("restapis/") {
            Some(rest) => {
                let api = rest.split('/').next().unwrap_or_default();
                aws.apigateway(region).api(api).await.map(|api| api.map(|api| api.tags))
            }
            None => Ok(None),
        },
        _ => return Err(format!("the local cloud does not model the tags of {}", need.resource)),
    };
    // Resources that cannot be read, such as a log group that is being deleted, have no tags.
    Ok(found.ok().flatten().unwrap_or_default())
}
