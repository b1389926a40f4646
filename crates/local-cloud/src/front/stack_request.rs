//! A CreateStack or UpdateStack, read as CloudFormation reads it: its template, and what the parameters make of it.

use std::collections::BTreeMap;

use hyper::body::Bytes;
use serde_json::{Value, json};

use super::Front;
use super::call::Call;
use super::operation::Form;
use super::pending::between;
use super::upstream::percent;
use crate::place::Place;

pub(super) struct StackRequest {
    place: Place,
    name: String,
    pub(super) template: Value,
    parameters: BTreeMap<String, String>,
}

impl StackRequest {
    /// Reads a request. `None` if its template is not JSON in the request or, with `UsePreviousTemplate`, in the stack.
    pub(super) async fn of(front: &Front, call: &Call, body: &[u8]) -> Option<Self> {
        let form = Form::parse(body);
        let place = Place { account: call.account.clone(), region: call.region.clone() };
        let name = form.get("StackName")?.to_owned();
        let template = match form.get("TemplateBody") {
            Some(body) => body.to_owned(),
            None => {
                let answer = front.upstream.cloudformation(&place, "GetTemplate", Some(&name)).await?;
                unescape(between(&answer, "<TemplateBody>", "</TemplateBody>")?)
            }
        };
        let template: Value = serde_json::from_str(&template).ok()?;
        let mut parameters = defaults(&template);
        if form.has_field_ending("UsePreviousValue") {
            let answer = front.upstream.cloudformation(&place, "DescribeStacks", Some(&name)).await.unwrap_or_default();
            parameters.extend(shown(&answer));
        }
        parameters.extend(given(&form));
        Some(Self { place, name, template, parameters })
    }

    /// Logical ID and definition of the resources of a type that the stack is to have.
    pub(super) fn resources(&self, kind: &str) -> Vec<(&String, &Value)> {
        let all = self.template["Resources"].as_object().into_iter().flatten();
        all.filter(|(_, resource)| resource["Type"] == kind)
            .filter(|(_, resource)| {
                resource["Condition"].as_str().is_none_or(|name| self.is_true(&json!({ "Condition": name })))
            })
            .collect()
    }

    /// A property as text. `None` where it is left out, or needs more than parameters and conditions.
    pub(super) fn text(&self, value: &Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
            Value::Object(one) if one.len() == 1 => {
                let (function, argument) = one.iter().next()?;
                match function.as_str() {
                    "Ref" => self.reference(argument.as_str()?),
                    "Fn::Sub" => self.substituted(argument.as_str()?),
                    "Fn::If" => {
                        let holds = self.is_true(&json!({ "Condition": argument[0] }));
                        self.text(&argument[if holds { 1 } else { 2 }])
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn reference(&self, name: &str) -> Option<String> {
        match name {
            "AWS::Region" => Some(self.place.region.clone()),
            "AWS::AccountId" => Some(self.place.account.clone()),
            "AWS::StackName" => Some(self.name.clone()),
            name => self.parameters.get(name).cloned(),
        }
    }

    fn substituted(&self, text: &str) -> Option<String> {
        let mut parts = text.split("${");
        let mut out = parts.next()?.to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}')?;
            out = out + &self.reference(name)? + rest;
        }
        Some(out)
    }

    fn is_true(&self, condition: &Value) -> bool {
        let Some((function, argument)) = condition.as_object().and_then(|one| one.iter().next()) else { return false };
        let mut all = argument.as_array().into_iter().flatten();
        match function.as_str() {
            "Condition" => argument.as_str().is_some_and(|name| self.is_true(&self.template["Conditions"][name])),
            "Fn::Equals" => self.text(&argument[0]) == self.text(&argument[1]),
            "Fn::Not" => !self.is_true(&argument[0]),
            "Fn::And" => all.all(|one| self.is_true(one)),
            "Fn::Or" => all.any(|one| self.is_true(one)),
            _ => false,
        }
    }
}

/// The form with this template in place of its own.
pub(super) fn with_template(body: &[u8], template: &Value) -> Bytes {
    let mut fields: Vec<u8> = Vec::with_capacity(body.len() + 512);
    for field in body.split(|byte| *byte == b'&') {
        let name = field.split(|byte| *byte == b'=').next().unwrap_or_default();
        if name != b"TemplateBody" && name != b"UsePreviousTemplate" {
            fields.extend_from_slice(field);
            fields.push(b'&');
        }
    }
    fields.extend_from_slice(b"TemplateBody=");
    fields.extend(template.to_string().bytes().flat_map(|byte| percent(byte).into_bytes()));
    Bytes::from(fields)
}

fn defaults(template: &Value) -> BTreeMap<String, String> {
    let all = template["Parameters"].as_object().into_iter().flatten();
    all.filter_map(|(name, parameter)| {
        let default = &parameter["Default"];
        Some((name.clone(), default.as_str().map_or_else(|| default.to_string(), str::to_owned)))
            .filter(|_| !default.is_null())
    })
    .collect()
}

/// The parameters of an answer of DescribeStacks.
fn shown(answer: &str) -> BTreeMap<String, String> {
    let all = answer.split("<ParameterKey>").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once("</ParameterKey>")?;
        Some((name.to_owned(), unescape(between(rest, "<ParameterValue>", "</ParameterValue>")?)))
    });
    all.collect()
}

/// The parameters with values in a request.
fn given(form: &Form) -> BTreeMap<String, String> {
    let at = |index: usize, member: &str| form.get(&format!("Parameters.member.{index}.{member}")).map(str::to_owned);
    (1..)
        .map_while(|index| Some((index, at(index, "ParameterKey")?)))
        .filter_map(|(index, name)| Some((name, at(index, "ParameterValue")?)))
        .collect()
}

fn unescape(xml: &str) -> String {
    let mut text = xml.to_owned();
    for (entity, character) in
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&apos;", "'"), ("&#39;", "'")]
    {
        text = text.replace(entity, character);
    }
    text.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(parameters: &str) -> StackRequest {
        let template = json!({
            "Parameters": { "Reserved": { "Type": "Number", "Default": -1 }, "Name": { "Type": "String" } },
            "Conditions": {
                "Reserves": { "Fn::Not": [{ "Fn::Equals": [{ "Ref": "Reserved" }, -1] }] },
                "Both": { "Fn::And": [{ "Condition": "Reserves" }, { "Fn::Equals": ["a", "a"] }] },
            },
            "Resources": { "A": { "Type": "X", "Condition": "Both" }, "B": { "Type": "X" }, "C": { "Type": "Y" } },
        });
        let mut all = defaults(&template);
        all.extend(given(&Form::parse(parameters.as_bytes())));
        let place = Place { account: "111111111111".to_owned(), region: "us-west-2".to_owned() };
        StackRequest { place, name: "s".to_owned(), template, parameters: all }
    }

    #[test]
    fn properties_are_read_with_parameters_and_conditions() {
        let reserved = json!({ "Fn::If": ["Reserves", { "Ref": "Reserved" }, { "Ref": "AWS::NoValue" }] });
        let ids =
            |request: &StackRequest| request.resources("X").into_iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
        let without = request("Parameters.member.1.ParameterKey=Name&Parameters.member.1.ParameterValue=b%2Fc");
        assert_eq!((without.text(&reserved), ids(&without)), (None, vec!["B".to_owned()]));
        let name = json!({ "Fn::Sub": "${Name}-${AWS::Region}" });
        assert_eq!(without.text(&name).as_deref(), Some("b/c-us-west-2"));
        let with = request("Parameters.member.1.ParameterKey=Reserved&Parameters.member.1.ParameterValue=5");
        assert_eq!(with.text(&reserved).as_deref(), Some("5"));
        assert_eq!((with.text(&name), ids(&with)), (None, vec!["A".to_owned(), "B".to_owned()]));
    }

    #[test]
    fn previous_values_are_read_from_the_stack() {
        let xml = "<member><ParameterKey>A</ParameterKey><ParameterValue>1&amp;2</ParameterValue></member>\
                   <member><ParameterKey>B</ParameterKey><ParameterValue>3</ParameterValue></member>";
        assert_eq!(shown(xml), BTreeMap::from([("A".into(), "1&2".into()), ("B".into(), "3".into())]));
    }
}
