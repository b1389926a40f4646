//! API Gateway: the action is the HTTP method, and the resource the path.

use super::need::{Asked, Need, tag_map};
use super::table::Row;

pub(super) const ROWS: &[Row] = &[
    ("GetAccount", "apigateway:GET", "Account"),
    ("UpdateAccount", "apigateway:PATCH", "Account"),
    ("CreateRestApi", "apigateway:POST", "RestApis"),
    ("GetRestApis", "apigateway:GET", "RestApis"),
    ("GetRestApi", "apigateway:GET", "RestApi"),
    ("UpdateRestApi", "apigateway:PATCH", "RestApi"),
    ("DeleteRestApi", "apigateway:DELETE", "RestApi"),
    ("CreateDeployment", "apigateway:POST", "Deployments"),
    ("GetDeployments", "apigateway:GET", "Deployments"),
    ("GetDeployment", "apigateway:GET", "Deployment"),
    ("DeleteDeployment", "apigateway:DELETE", "Deployment"),
    ("CreateStage", "apigateway:POST", "Stages"),
    ("GetStages", "apigateway:GET", "Stages"),
    ("GetStage", "apigateway:GET", "Stage"),
    ("UpdateStage", "apigateway:PATCH", "Stage"),
    ("DeleteStage", "apigateway:DELETE", "Stage"),
    ("CreateModel", "apigateway:POST", "Models"),
    ("GetModels", "apigateway:GET", "Models"),
    ("GetModel", "apigateway:GET", "Model"),
    ("DeleteModel", "apigateway:DELETE", "Model"),
    ("CreateResource", "apigateway:POST", "Resources"),
    ("GetResources", "apigateway:GET", "Resources"),
    ("GetResource", "apigateway:GET", "Resource"),
    ("DeleteResource", "apigateway:DELETE", "Resource"),
    ("GetMethod", "apigateway:GET", "Method"),
    ("UpdateMethod", "apigateway:PATCH", "Method"),
    ("DeleteMethod", "apigateway:DELETE", "Method"),
    ("GetIntegration", "apigateway:GET", "Integration"),
    // Of WebSocket and HTTP APIs.
    ("GetApis", "apigateway:GET", "Apis"),
    ("GetTags", "apigateway:GET", "Tags"),
    ("TagResource", "apigateway:PUT", "Tags"),
    ("UntagResource", "apigateway:DELETE", "Tags"),
];

pub(super) fn needs(action: &str, kind: &'static str, asked: &Asked<'_>) -> Vec<Need> {
    let path = asked.parts.uri.path().trim_end_matches('/');
    // The version of the API is not a part of its resources.
    let path = path.strip_prefix("/v2").unwrap_or(path);
    let own = Need::new(action, kind, format!("arn:aws:apigateway:{}::{path}", asked.region));
    let own = own.with_tags(&tag_map(&asked.json["tags"]));
    let operations = asked.json["patchOperations"].as_array().into_iter().flatten();
    let role = operations.filter(|operation| operation["path"] == "/cloudwatchRoleArn");
    let role = role.filter_map(|operation| operation["value"].as_str()).filter(|role| !role.is_empty());
    let passed = role.map(|role| Need::pass_role(role, "apigateway.amazonaws.com"));
    std::iter::once(own).chain(passed).collect()
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::{asked, shown};

    #[test]
    fn resource_is_the_path() {
        let get = hyper::Request::get("/restapis/a1/stages/prod").body(String::new()).unwrap();
        let arn = "arn:aws:apigateway:us-west-2::/restapis/a1/stages/prod";
        assert_eq!(shown(&asked("apigateway", "GetStage", get)), [("apigateway:GET", arn)]);
    }

    #[test]
    fn role_of_the_account_is_passed() {
        let role = "arn:aws:iam::111111111111:role/logs";
        let body = serde_json::json!({ "patchOperations": [
            { "op": "replace", "path": "/cloudwatchRoleArn", "value": role },
        ]});
        let patch = hyper::Request::patch("/account").body(body.to_string()).unwrap();
        let needs = asked("apigateway", "UpdateAccount", patch);
        let account = "arn:aws:apigateway:us-west-2::/account";
        assert_eq!(shown(&needs), [("apigateway:PATCH", account), ("iam:PassRole", role)]);
        assert_eq!(needs[1].context["iam:PassedToService"], ["apigateway.amazonaws.com"]);
    }
}
