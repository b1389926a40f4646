//! Evaluates a template's values: its parameters, conditions and intrinsic functions. Pure.
//!
//! Some values are known only to CloudFormation. They become [`UNKNOWN`], which equals anything, so that only known
//! values are compared.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::compare::same;
use super::unknown::{UNKNOWN, is_unknown};

/// Stands for the ID of an API's root resource, which neither the template nor the list of the stack's resources has.
pub const ROOT: &str = "(the API's root)";

fn unknown() -> Value {
    UNKNOWN.into()
}

/// A stack's template, and the values that its expressions refer to.
#[derive(Debug)]
pub struct Scope<'a> {
    /// The stack's ARN: the source of account, region and partition.
    pub arn: &'a str,
    pub template: &'a Value,
    /// The stack's parameters. Defaults may be left out.
    pub parameters: &'a BTreeMap<String, String>,
    /// Logical ID → physical ID.
    pub physical: &'a BTreeMap<String, String>,
}

impl Scope<'_> {
    /// Evaluates a value. `AWS::NoValue` becomes null, and is left out of lists and objects.
    pub fn value(&self, value: &Value) -> Value {
        match value {
            Value::Array(all) => all.iter().map(|one| self.value(one)).filter(|one| !one.is_null()).collect(),
            Value::Object(members) => match members.iter().next() {
                Some((name, argument)) if members.len() == 1 && (name == "Ref" || name.starts_with("Fn::")) => {
                    self.function(name, argument)
                }
                _ => {
                    let members = members.iter().map(|(name, value)| (name.clone(), self.value(value)));
                    Value::Object(members.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
                }
            },
            plain => plain.clone(),
        }
    }

    /// Whether a condition of the template holds; `None` if that is not known.
    pub fn holds(&self, condition: &str) -> Option<bool> {
        self.test(&self.template["Conditions"][condition])
    }

    fn test(&self, condition: &Value) -> Option<bool> {
        let (name, argument) = condition.as_object()?.iter().next()?;
        let parts = || argument.as_array().into_iter().flatten().map(|part| self.test(part));
        match name.as_str() {
            "Condition" => self.holds(argument.as_str()?),
            "Fn::Not" => parts().next()?.map(|holds| !holds),
            "Fn::And" if parts().any(|part| part == Some(false)) => Some(false),
            "Fn::And" => parts().collect::<Option<Vec<_>>>().map(|_| true),
            "Fn::Or" if parts().any(|part| part == Some(true)) => Some(true),
            "Fn::Or" => parts().collect::<Option<Vec<_>>>().map(|_| false),
            "Fn::Equals" => {
                let (one, other) = (self.value(argument.get(0)?), self.value(argument.get(1)?));
                (!is_unknown(&one) && !is_unknown(&other)).then(|| same(&one, &other))
            }
            _ => None,
        }
    }

    fn function(&self, name: &str, argument: &Value) -> Value {
        match name {
            "Ref" => argument.as_str().map_or_else(unknown, |name| self.reference(name)),
            "Fn::GetAtt" => {
                let dotted = argument.as_str().and_then(|text| text.split_once('.'));
                let listed = || Some((argument.get(0)?.as_str()?, argument.get(1)?.as_str()?));
                dotted.or_else(listed).map_or_else(unknown, |(logical, name)| self.attribute(logical, name))
            }
            "Fn::If" => {
                let branch = match argument[0].as_str().and_then(|condition| self.holds(condition)) {
                    Some(true) => argument.get(1),
                    Some(false) => argument.get(2),
                    None => None,
                };
                branch.map_or_else(unknown, |value| self.value(value))
            }
            "Fn::Sub" => {
                let text = argument.as_str().or_else(|| argument[0].as_str());
                text.and_then(|text| self.substituted(text, &argument[1])).map_or_else(unknown, Value::String)
            }
            "Fn::Join" => {
                let parts = self.value(&argument[1]);
                let parts: Option<Vec<String>> = parts.as_array().and_then(|all| all.iter().map(text).collect());
                match (argument[0].as_str(), parts) {
                    (Some(between), Some(parts)) => parts.join(between).into(),
                    _ => unknown(),
                }
            }
            _ => unknown(),
        }
    }

    fn substituted(&self, mut rest: &str, own: &Value) -> Option<String> {
        let mut done = String::new();
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}')?;
            done.push_str(before);
            rest = after;
            if let Some(literal) = name.strip_prefix('!') {
                done.push_str(&format!("${{{literal}}}"));
                continue;
            }
            let value = match (own.get(name), name.split_once('.')) {
                (Some(value), _) => self.value(value),
                (None, Some((logical, attribute))) => self.attribute(logical, attribute),
                (None, None) => self.reference(name),
            };
            done.push_str(&text(&value)?);
        }
        Some(done + rest)
    }

    /// Evaluates `Ref`.
    fn reference(&self, name: &str) -> Value {
        // arn:aws:cloudformation:us-west-2:111111111111:stack/name/id
        let arn = |at: usize| self.arn.split(':').nth(at).map_or_else(unknown, Value::from);
        match name {
            "AWS::NoValue" => return Value::Null,
            "AWS::Partition" => return arn(1),
            "AWS::Region" => return arn(3),
            "AWS::AccountId" => return arn(4),
            "AWS::StackId" => return self.arn.into(),
            "AWS::StackName" => return self.arn.split('/').nth(1).map_or_else(unknown, Value::from),
            _ => {}
        }
        let declared = &self.template["Parameters"][name];
        if declared.is_null() {
            return self.physical.get(name).map_or_else(unknown, |id| id.as_str().into());
        }
        let given = self.parameters.get(name).cloned().or_else(|| text(&declared["Default"]));
        match (given, declared["Type"].as_str().unwrap_or_default()) {
            // CloudFormation shows a NoEcho parameter as `****`.
            (None, _) => unknown(),
            (Some(given), _) if given == "****" => unknown(),
            (Some(given), "Number") => serde_json::from_str(&given).unwrap_or(Value::String(given)),
            (Some(given), kind) if kind.starts_with("List<") || kind == "CommaDelimitedList" => {
                given.split(',').map(str::trim).collect()
            }
            (Some(given), _) => given.into(),
        }
    }

    /// Evaluates `Fn::GetAtt` for the attributes that follow from a name.
    fn attribute(&self, logical: &str, attribute: &str) -> Value {
        let resource = &self.template["Resources"][logical];
        let plain = |name: &str| text(&self.reference(name)).filter(|text| text != UNKNOWN);
        let derived = || {
            let (partition, region) = (plain("AWS::Partition")?, plain("AWS::Region")?);
            let (account, id) = (plain("AWS::AccountId")?, self.physical.get(logical)?);
            Some(match (resource["Type"].as_str()?, attribute) {
                ("AWS::Logs::LogGroup", "Arn") => format!("arn:{partition}:logs:{region}:{account}:log-group:{id}:*"),
                ("AWS::Lambda::Function", "Arn") => format!("arn:{partition}:lambda:{region}:{account}:function:{id}"),
                ("AWS::IAM::Role", "Arn") if resource["Properties"]["Path"].is_null() => {
                    format!("arn:{partition}:iam::{account}:role/{id}")
                }
                ("AWS::S3::Bucket", "Arn") => format!("arn:{partition}:s3:::{id}"),
                // Its physical ID is its URL.
                ("AWS::SQS::Queue", "Arn") => {
                    format!("arn:{partition}:sqs:{region}:{account}:{}", id.rsplit('/').next().unwrap_or_default())
                }
                // Its physical ID is its ARN.
                ("AWS::S3Files::FileSystem", "FileSystemId") => id.rsplit('/').next().unwrap_or_default().to_owned(),
                // Of rules on the default bus: the name; in newer stacks perhaps the ARN, the schema's primary identifier.
                ("AWS::Events::Rule", "Arn") if id.starts_with("arn:") => id.clone(),
                ("AWS::Events::Rule", "Arn") => format!("arn:{partition}:events:{region}:{account}:rule/{id}"),
                // The physical ID is `NAME|ID|SCOPE`.
                (kind @ ("AWS::WAFv2::IPSet" | "AWS::WAFv2::WebACL"), "Arn") => {
                    let kind = kind.rsplit("::").next().unwrap_or_default().to_ascii_lowercase();
                    let named = id.split('|').take(2).collect::<Vec<_>>().join("/");
                    format!("arn:{partition}:wafv2:{region}:{account}:regional/{kind}/{named}")
                }
                ("AWS::ApiGateway::RestApi", "RootResourceId") => ROOT.to_owned(),
                _ => return None,
            })
        };
        derived().map_or_else(unknown, Value::String)
    }
}

/// A value as part of a string; `None` if it is not a scalar, or not known.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text != UNKNOWN => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn known_values_are_evaluated_and_the_rest_is_unknown() {
        let template = json!({
            "Parameters": {
                "Stem": { "Type": "String" },
                "Threshold": { "Type": "Number", "Default": 3 },
                "Topic": { "Type": "String", "Default": "" },
                "Secret": { "Type": "String" },
            },
            "Conditions": {
                "HasTopic": { "Fn::Not": [{ "Fn::Equals": [{ "Ref": "Topic" }, ""] }] },
                "IsThree": { "Fn::Equals": [{ "Ref": "Threshold" }, "3"] },
                "Both": { "Fn::And": [{ "Condition": "IsThree" }, { "Condition": "HasTopic" }] },
                "Either": { "Fn::Or": [{ "Condition": "IsThree" }, { "Condition": "HasTopic" }] },
                "Secretly": { "Fn::Equals": [{ "Ref": "Secret" }, "x"] },
            },
            "Resources": {
                "Api": { "Type": "AWS::ApiGateway::RestApi" },
                "Group": { "Type": "AWS::Logs::LogGroup" },
                "Role": { "Type": "AWS::IAM::Role", "Properties": { "Path": "/x/" } },
            },
        });
        let parameters = BTreeMap::from([
            ("Stem".to_owned(), "99-upload".to_owned()),
            ("Threshold".to_owned(), "3".to_owned()),
            ("Secret".to_owned(), "****".to_owned()),
        ]);
        let physical = BTreeMap::from([("Api".to_owned(), "a1".to_owned()), ("Group".to_owned(), "/g".to_owned())]);
        let arn = "arn:aws:cloudformation:us-west-2:111111111111:stack/sftp/1234";
        let scope = Scope { arn, template: &template, parameters: &parameters, physical: &physical };
        for (value, expected) in [
            (json!({ "Ref": "Stem" }), json!("99-upload")),
            (json!({ "Ref": "Threshold" }), json!(3)),
            (json!({ "Ref": "Secret" }), json!(UNKNOWN)),
            (json!({ "Ref": "Api" }), json!("a1")),
            (json!({ "Ref": "AWS::StackName" }), json!("sftp")),
            (json!({ "Ref": "Nothing" }), json!(UNKNOWN)),
            (json!({ "Fn::Sub": "${Stem}/${Api}:${AWS::Region}${!Not}" }), json!("99-upload/a1:us-west-2${Not}")),
            (json!({ "Fn::Sub": ["${A}-${Threshold}", { "A": { "Ref": "Stem" } }] }), json!("99-upload-3")),
            (json!({ "Fn::Sub": "${Group.Arn}" }), json!("arn:aws:logs:us-west-2:111111111111:log-group:/g:*")),
            (json!({ "Fn::Sub": "${Api.Other}/x" }), json!(UNKNOWN)),
            (json!({ "Fn::GetAtt": ["Api", "RootResourceId"] }), json!(ROOT)),
            (json!({ "Fn::GetAtt": "Role.Arn" }), json!(UNKNOWN)),
            (json!({ "Fn::If": ["HasTopic", "a", { "Ref": "AWS::NoValue" }] }), Value::Null),
            (json!({ "Fn::If": ["IsThree", { "Ref": "Stem" }, 1] }), json!("99-upload")),
            (json!({ "Fn::If": ["Secretly", 1, 2] }), json!(UNKNOWN)),
            (json!({ "Fn::Join": ["-", [{ "Ref": "Stem" }, 1]] }), json!("99-upload-1")),
            (json!({ "Fn::ImportValue": "x" }), json!(UNKNOWN)),
            (json!({ "A": { "Fn::If": ["HasTopic", 1, { "Ref": "AWS::NoValue" }] }, "B": [1] }), json!({ "B": [1] })),
        ] {
            assert_eq!(scope.value(&value), expected, "{value}");
        }
        assert_eq!(["Both", "Either", "Secretly"].map(|name| scope.holds(name)), [Some(false), Some(true), None]);
    }

    #[test]
    fn every_property_of_our_own_template_is_known() {
        let template = sftpctl_core::template::source().unwrap();
        let resources = template["Resources"].as_object().unwrap();
        let physical: BTreeMap<String, String> = resources.keys().map(|id| (id.clone(), format!("id-{id}"))).collect();
        let names = ["ResourceStem", "UserRoleArn", "TableName", "CodeBucket", "CodeKey"];
        let parameters = names.map(|name| (name.to_owned(), "x".to_owned())).into();
        let arn = "arn:aws:cloudformation:us-west-2:111111111111:stack/sftp/1234";
        let scope = Scope { arn, template, parameters: &parameters, physical: &physical };
        for (logical, resource) in resources {
            let properties = scope.value(&resource["Properties"]).to_string();
            assert!(!properties.contains(UNKNOWN) && !properties.contains("\"Fn::"), "{logical}: {properties}");
        }
    }
}
