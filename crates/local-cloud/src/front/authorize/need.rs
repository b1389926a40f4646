//! A call as its permissions depend on it, and the permissions that it needs.

use std::collections::BTreeMap;

use hyper::http::request::Parts;
use serde_json::Value;

use super::super::operation::Form;

/// A call, with the parts of it that permissions depend on.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) operation: &'a str,
    pub(crate) region: &'a str,
    /// The account of the resources.
    pub(crate) account: &'a str,
    pub(crate) parts: &'a Parts,
    /// Empty for a call to S3 whose permissions do not depend on it.
    pub(crate) body: &'a [u8],
    /// The body of a call of the query protocol.
    pub(crate) form: &'a Form,
    /// The body of a call of a JSON protocol; otherwise null.
    pub(crate) json: &'a Value,
    pub(crate) known: &'a Known,
}

/// What a call does not say itself.
#[derive(Default)]
pub(crate) struct Known {
    /// The ARN of the role or the secret that the call names, if it exists: names have neither path nor suffix.
    pub(crate) arn: Option<String>,
    /// The permissions boundary of that role.
    pub(crate) boundary: Option<String>,
}

impl Asked<'_> {
    /// `arn:aws:SERVICE:REGION:ACCOUNT:REST`.
    pub(super) fn arn(&self, service: &str, rest: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{rest}", self.region, self.account)
    }

    /// A field of the form.
    pub(super) fn field(&self, name: &str) -> Result<&str, String> {
        self.form.get(name).ok_or_else(|| format!("the request has no {name}"))
    }

    /// A member of the JSON body.
    pub(super) fn member(&self, name: &str) -> Result<&str, String> {
        self.json[name].as_str().ok_or_else(|| format!("the request has no {name}"))
    }

    /// A segment of the path, decoded.
    pub(super) fn segment(&self, index: usize) -> Result<String, String> {
        let path = self.parts.uri.path().trim_start_matches('/');
        let segment = path.split('/').nth(index).filter(|segment| !segment.is_empty());
        segment.map(decoded).ok_or_else(|| format!("the path {path} is too short"))
    }

    /// A parameter of the query, decoded.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let pairs = self.parts.uri.query().unwrap_or_default().split('&');
        let pair = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).find(|(key, _)| *key == name);
        pair.map(|(_, value)| decoded(value))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A permission that a call needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    /// `iam:PassRole`.
    pub(crate) action: String,
    /// The resource's type in the service authorization reference; empty for an action without one.
    pub(crate) kind: &'static str,
    /// Its ARN, or `*`.
    pub(crate) resource: String,
    /// Condition keys with their values.
    pub(crate) context: BTreeMap<String, Vec<String>>,
}

impl Need {
    pub(super) fn new(action: impl Into<String>, kind: &'static str, resource: impl Into<String>) -> Self {
        Self { action: action.into(), kind, resource: resource.into(), context: BTreeMap::new() }
    }

    /// A role that a service will assume.
    pub(super) fn pass_role(role: &str, service: &str) -> Self {
        Self::new("iam:PassRole", "role", role).with("iam:PassedToService", service)
    }

    pub(super) fn with(self, key: &str, value: impl Into<String>) -> Self {
        self.with_all(key, [value.into()])
    }

    pub(super) fn with_all(mut self, key: &str, values: impl IntoIterator<Item = String>) -> Self {
        self.context.insert(key.to_owned(), values.into_iter().collect());
        self
    }

    /// The tags in a request.
    pub(super) fn with_tags(mut self, tags: &BTreeMap<String, String>) -> Self {
        for (key, value) in tags {
            self = self.with(&format!("aws:RequestTag/{key}"), value);
        }
        self.with_keys(tags.keys().cloned())
    }

    /// The keys of tags in a request.
    pub(super) fn with_keys(self, keys: impl IntoIterator<Item = String>) -> Self {
        let keys: Vec<String> = keys.into_iter().collect();
        if keys.is_empty() { self } else { self.with_all("aws:TagKeys", keys) }
    }
}

/// Tags in the form of most JSON services.
pub(super) fn tag_list(list: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list.as_array().into_iter().flatten().map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect()
}

/// Tags as a JSON object.
pub(super) fn tag_map(map: &Value) -> BTreeMap<String, String> {
    let pairs = map.as_object().into_iter().flatten();
    pairs.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

/// Tags in a form.
pub(in crate::front) fn tag_form(form: &Form) -> BTreeMap<String, String> {
    let field = |number: usize, name: &str| form.get(&format!("Tags.member.{number}.{name}")).map(str::to_owned);
    (1..).map_while(|number| Some((field(number, "Key")?, field(number, "Value").unwrap_or_default()))).collect()
}

/// The texts of a JSON list.
pub(super) fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}
