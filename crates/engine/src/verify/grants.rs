//! Reads IAM policies as far as a diagnosis needs it: to name a likely cause, not to repeat AWS's decision.

use serde_json::Value;

use sftpctl_aws::Policy;

/// Whether a text matches a pattern with `*`.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let parts: Vec<String> = pattern.split('*').map(regex_lite::escape).collect();
    regex_lite::Regex::new(&format!("^{}$", parts.join(".*"))).is_ok_and(|pattern| pattern.is_match(text))
}

/// Whether a bucket's policy allows the role something. Within one account, the role then needs no policy of its own
/// ("Policy evaluation logic" in the IAM user guide).
pub(super) fn names(bucket: &Policy, role: &str) -> bool {
    let Policy::Document(document) = bucket else { return false };
    let mut allows = statements(document).into_iter().filter(|statement| statement["Effect"] == "Allow");
    allows.any(|statement| statement["Principal"].to_string().contains(&format!("\"{role}\"")))
}

/// Whether a role's policies allow an action on a resource. Conditions are not evaluated: an `Allow` counts with any, a
/// `Deny` only without.
pub(super) fn allow(documents: &[String], action: &str, resource: &str) -> bool {
    let about = |statement: &Value| {
        let has = |name: &str, text: &str| {
            let patterns = match &statement[name] {
                Value::Array(patterns) => patterns.clone(),
                one => vec![one.clone()],
            };
            patterns.iter().filter_map(Value::as_str).any(|pattern| fits(&pattern.to_ascii_lowercase(), text))
        };
        has("Action", &action.to_ascii_lowercase()) && has("Resource", &resource.to_ascii_lowercase())
    };
    let all: Vec<Value> = documents.iter().flat_map(|document| statements(document)).filter(about).collect();
    let some =
        |effect: &str| all.iter().any(|statement| statement["Effect"] == effect && statement["Condition"].is_null());
    all.iter().any(|statement| statement["Effect"] == "Allow") && !some("Deny")
}

fn statements(document: &str) -> Vec<Value> {
    let policy: Value = serde_json::from_str(document).unwrap_or_default();
    match &policy["Statement"] {
        Value::Array(statements) => statements.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_allows_what_a_statement_says_and_none_denies() {
        let index = "arn:aws:dynamodb:us-west-2:111111111111:table/t/index/i";
        let statement = |effect: &str, action: &str, resource: &str| {
            format!(r#"{{"Effect":"{effect}","Action":{action},"Resource":{resource}}}"#)
        };
        let document = |statements: &[String]| format!(r#"{{"Statement":[{}]}}"#, statements.join(","));
        let (exact, all) = (format!(r#""{index}""#), r#""*""#.to_owned());
        let query = r#""dynamodb:Query""#;
        for (statements, expected) in [
            (vec![statement("Allow", query, &exact)], true),
            (vec![statement("Allow", r#"["dynamodb:GetItem","dynamodb:query"]"#, &exact)], true),
            (vec![statement("Allow", r#""dynamodb:*""#, r#"["x","arn:aws:dynamodb:*:*:table/t/*"]"#)], true),
            (vec![statement("Allow", query, &all), statement("Deny", query, &exact)], false),
            (vec![statement("Allow", query, &all), statement("Deny", r#""dynamodb:PutItem""#, &all)], true),
            (vec![statement("Allow", r#""dynamodb:GetItem""#, &all)], false),
            (vec![statement("Allow", query, r#""arn:aws:dynamodb:us-west-2:111111111111:table/t""#)], false),
            (vec![], false),
        ] {
            assert_eq!(allow(&[document(&statements)], "dynamodb:Query", index), expected, "{statements:?}");
        }
        let single = format!(r#"{{"Statement":{}}}"#, statement("Allow", query, &exact));
        assert!(allow(&["no policy".to_owned(), single], "dynamodb:Query", index));
        assert!(!allow(&[], "dynamodb:Query", index));
    }
}
