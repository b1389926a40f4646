//! The REST API and its parts, one call for each kind of part.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use serde_json::{Value, json};

use super::super::resolve::ROOT;
use super::super::unknown::UNKNOWN;
use super::{Answer, Wanted, distinct, to_template_names};
use sftpctl_aws::{ApiMethod, Aws, GUARDS};

/// The property of a part that names its API.
const API: &str = "RestApiId";

pub(super) async fn apis(aws: &Aws, region: &str, wanted: &[Wanted<'_>]) -> Answer {
    let live = try_join_all(wanted.iter().map(|api| async { aws.apigateway(region).api(api.id).await })).await?;
    let facts = live.into_iter().map(|found| {
        found.map(|api| {
            let mut facts = to_template_names(&api);
            facts["Policy"] = api.policy.as_deref().map(document).unwrap_or_default();
            // Every API has an endpoint type; an empty list means that it was not returned.
            if !api.endpoints.is_empty() {
                facts["EndpointConfiguration"] = json!({ "Types": api.endpoints });
            }
            facts
        })
    });
    Ok(facts.collect())
}

/// API Gateway returns a resource policy with its quotation marks escaped, as a string inside a string.
fn document(policy: &str) -> Value {
    let unescaped = || serde_json::from_str::<String>(&format!("\"{policy}\"")).ok();
    serde_json::from_str(policy)
        .ok()
        .or_else(|| serde_json::from_str(&unescaped()?).ok())
        .unwrap_or_else(|| policy.into())
}

pub(super) async fn resources(aws: &Aws, region: &str, wanted: &[Wanted<'_>]) -> Answer {
    let mut live = BTreeMap::new();
    for api in distinct(wanted, API) {
        let all = aws.apigateway(region).resources(api).await?;
        let root = all.iter().find(|resource| resource.path == "/").map(|resource| resource.id.clone());
        live.extend(all.into_iter().map(|resource| {
            let parent = if resource.parent == root { Some(ROOT.to_owned()) } else { resource.parent };
            (resource.id, json!({ "PathPart": resource.part, "ParentId": parent }))
        }));
    }
    Ok(wanted.iter().map(|resource| live.get(resource.id).cloned()).collect())
}

pub(super) async fn models(aws: &Aws, region: &str, wanted: &[Wanted<'_>]) -> Answer {
    let mut live = BTreeMap::new();
    for api in distinct(wanted, API) {
        live.extend(aws.apigateway(region).models(api).await?.into_iter().map(|model| {
            let mut facts = to_template_names(&model);
            facts["Schema"] = document(&model.schema);
            (model.name, facts)
        }));
    }
    Ok(wanted.iter().map(|model| live.get(model.text("Name").unwrap_or(model.id)).cloned()).collect())
}

pub(super) async fn deployments(aws: &Aws, region: &str, wanted: &[Wanted<'_>]) -> Answer {
    let mut live = BTreeMap::new();
    for api in distinct(wanted, API) {
        live.extend(aws.apigateway(region).deployments(api).await?);
    }
    let facts = |deployment: &Wanted<'_>| live.get(deployment.id).map(|text| json!({ "Description": text }));
    Ok(wanted.iter().map(facts).collect())
}

pub(super) async fn stages(aws: &Aws, region: &str, wanted: &[Wanted<'_>]) -> Answer {
    let mut live = Vec::new();
    for api in distinct(wanted, API) {
        live.extend(aws.apigateway(region).stage_facts(api).await?);
    }
    let facts = |wanted: &Wanted<'_>| {
        let name = wanted.text("StageName").unwrap_or(wanted.id);
        let mut stage = live.iter().find(|stage| stage.stage_name == name)?.clone();
        // API Gateway returns a log group's ARN without the `:*` at the end of the group's own ARN.
        if let Some(log) = &mut stage.access_log_setting
            && log.destination_arn.contains(":log-group:")
            && !log.destination_arn.ends_with(":*")
        {
            log.destination_arn.push_str(":*");
        }
        Some(to_template_names(&stage))
    };
    Ok(wanted.iter().map(facts).collect())
}

pub(super) async fn methods(aws: &Aws, region: &str, wanted: &[Wanted<'_>]) -> Answer {
    let live = wanted.iter().map(|method| async {
        let (api, resource) = (method.text(API), method.text("ResourceId"));
        match (api, resource, method.text("HttpMethod")) {
            (Some(api), Some(resource), Some(verb)) => aws.apigateway(region).method(api, resource, "", verb).await,
            _ => Ok(None),
        }
    });
    Ok(try_join_all(live).await?.into_iter().map(|method| method.as_ref().map(method_facts)).collect())
}

/// A method's authorization, request parameters and integration.
fn method_facts(method: &ApiMethod) -> Value {
    let integration = method.integration.as_ref().map(|integration| {
        let responses = integration.responses.iter().map(|response| {
            json!({
                "StatusCode": response.status,
                "SelectionPattern": response.pattern,
                "ResponseTemplates": response.templates,
            })
        });
        json!({
            "Type": integration.kind,
            "Uri": integration.uri,
            // A Lambda function is always invoked with POST.
            "IntegrationHttpMethod": UNKNOWN,
            "PassthroughBehavior": integration.passthrough,
            "RequestTemplates": integration.templates,
            "IntegrationResponses": responses.collect::<Vec<_>>(),
        })
    });
    let mut facts = json!({
        "AuthorizationType": method.authorization,
        "RequestParameters": method.parameters,
        "Integration": integration,
    });
    // Each of these settings makes the method refuse every log-in, though the rest of it matches the template.
    for guard in &method.guards {
        let name = GUARDS.iter().find(|(words, _)| words == guard).map_or(guard.as_str(), |(_, name)| *name);
        match name.split_once('.') {
            Some((outer, inner)) => facts[outer][inner] = guard.as_str().into(),
            None => facts[name] = guard.as_str().into(),
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_policy_is_read_escaped_and_plain() {
        let policy = json!({ "Statement": [{ "Effect": "Deny", "Resource": "a\"b" }] });
        let plain = policy.to_string();
        let escaped = serde_json::to_string(&plain).unwrap();
        for text in [plain.as_str(), &escaped[1..escaped.len() - 1]] {
            assert_eq!(document(text), policy, "{text}");
        }
        assert_eq!(document("nonsense"), json!("nonsense"));
    }

    #[test]
    fn guards_of_a_method_have_their_names_in_a_template() {
        let plain = ApiMethod {
            path: "/".into(),
            http_method: "GET".into(),
            authorization: "AWS_IAM".into(),
            parameters: BTreeMap::new(),
            integration: None,
            guards: Vec::new(),
        };
        let guarded = ApiMethod { guards: GUARDS.map(|(words, _)| words.to_owned()).into(), ..plain.clone() };
        let wanted = method_facts(&plain);
        let found = super::super::super::compare::differences(&wanted, &method_facts(&guarded));
        let names: Vec<_> = found.iter().map(|property| property.name.as_str()).collect();
        assert_eq!(names, ["ApiKeyRequired", "Integration", "RequestValidatorId"], "{found:?}");
        let inner = found[1].after().as_object().unwrap();
        assert_eq!(inner.keys().collect::<Vec<_>>(), ["ContentHandling", "Credentials", "RequestParameters"]);
    }
}
