//! One statement of a policy: its elements, their spelling and their types.

use serde_json::{Map, Value};

use super::condition::{self, Condition};
use super::error::PolicyError;
use super::json::{strings, type_name};
use super::keys::Context;
use super::principal::Principals;
use super::template::{Syntax, Template};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Debug, Clone)]
pub(crate) struct Selector {
    pub(crate) templates: Vec<Template>,
    /// Whether everything but these is selected.
    pub(crate) excluded: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(super) index: usize,
    pub(super) sid: Option<String>,
    pub(crate) effect: Effect,
    pub(crate) principals: Option<Principals>,
    pub(crate) actions: Selector,
    pub(crate) resources: Option<Selector>,
    pub(crate) conditions: Vec<Condition>,
}

impl Statement {
    /// Whether the statement names an action, which is in lower case.
    pub(crate) fn selects(&self, action: &str) -> bool {
        // Actions have no variables.
        let context = Context::default();
        let matches = |template: &Template| template.resolve(&context).is_some_and(|pattern| pattern.matches(action));
        self.actions.templates.iter().any(matches) != self.actions.excluded
    }

    /// How messages refer to the statement.
    pub(crate) fn label(&self) -> String {
        match &self.sid {
            Some(sid) if !sid.is_empty() => format!("Statement[{}] {sid:?}", self.index),
            _ => format!("Statement[{}]", self.index),
        }
    }
}

/// Refuses every element that is not in `known`; the comparison is case-sensitive.
pub(super) fn only(elements: &Map<String, Value>, known: &[&str], path: &str) -> Result<(), PolicyError> {
    match elements.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(PolicyError::new(path, format!("has the unknown element {name:?}"))),
        None => Ok(()),
    }
}

pub(super) fn text_element<'a>(
    elements: &'a Map<String, Value>,
    name: &str,
    path: &str,
) -> Result<Option<&'a str>, PolicyError> {
    match elements.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(PolicyError::new(path, format!("is {}, expected a string", type_name(other)))),
    }
}

pub(super) fn parse(value: &Value, index: usize, variables: bool) -> Result<Statement, PolicyError> {
    let path = format!("Statement[{index}]");
    let at = |element: &str| format!("{path}.{element}");
    let Value::Object(elements) = value else {
        return Err(PolicyError::new(&path, format!("is {}, expected an object", type_name(value))));
    };
    let known =
        ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];
    only(elements, &known, &path)?;
    let effect = match text_element(elements, "Effect", &at("Effect"))? {
        Some("Allow") => Effect::Allow,
        Some("Deny") => Effect::Deny,
        Some(other) => {
            return Err(PolicyError::new(&at("Effect"), format!("is {other:?}, expected \"Allow\" or \"Deny\"")));
        }
        None => return Err(PolicyError::new(&at("Effect"), "is missing".to_owned())),
    };
    let principals = match either(elements, "Principal", "NotPrincipal", &path)? {
        None => None,
        Some((_, _, true)) if effect == Effect::Allow => {
            let reason = "is combined with Allow, which would admit the anonymous public".to_owned();
            return Err(PolicyError::new(&at("NotPrincipal"), reason));
        }
        Some((name, value, excluded)) => {
            let parsed = Principals::parse(value, excluded);
            Some(parsed.map_err(|reason| PolicyError::new(&at(name), reason))?)
        }
    };
    let select = |name, other, read: &dyn Fn(&str) -> Result<Template, String>| {
        either(elements, name, other, &path)?
            .map(|(name, value, excluded)| {
                strings(value)
                    .and_then(|texts| texts.into_iter().map(read).collect())
                    .map(|templates| Selector { templates, excluded })
                    .map_err(|reason| PolicyError::new(&at(name), reason))
            })
            .transpose()
    };
    let actions = select("Action", "NotAction", &action)?
        .ok_or_else(|| PolicyError::new(&path, "has neither Action nor NotAction".to_owned()))?;
    let resources = select("Resource", "NotResource", &|text| resource(text, variables))?;
    let conditions = match elements.get("Condition") {
        Some(value) => condition::parse(value, variables, &at("Condition"))?,
        None => Vec::new(),
    };
    let sid = text_element(elements, "Sid", &at("Sid"))?.map(str::to_owned);
    Ok(Statement { index, sid, effect, principals, actions, resources, conditions })
}

/// Finds an element that has a positive and a negative form, of which only one may be present.
fn either<'a, 'n>(
    elements: &'a Map<String, Value>,
    name: &'n str,
    negative: &'n str,
    path: &str,
) -> Result<Option<(&'n str, &'a Value, bool)>, PolicyError> {
    match (elements.get(name), elements.get(negative)) {
        (Some(_), Some(_)) => Err(PolicyError::new(path, format!("has both {name} and {negative}"))),
        (Some(value), None) => Ok(Some((name, value, false))),
        (None, Some(value)) => Ok(Some((negative, value, true))),
        (None, None) => Ok(None),
    }
}

/// Actions are compared without case, so they are folded here and in the request.
fn action(text: &str) -> Result<Template, String> {
    let plain = |part: &str, extra: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
    };
    let well_formed = text == "*"
        || text == "*:*"
        || text.split_once(':').is_some_and(|(service, name)| plain(service, "-") && plain(name, "*?"));
    if !well_formed {
        return Err(format!("has {text:?}, which is not of the form service:Name"));
    }
    Template::parse(&text.to_ascii_lowercase(), Syntax { wildcards: true, variables: false })
}

/// Resources are `*` or whole ARNs, with variables only in the last part, as AWS documents.
fn resource(text: &str, variables: bool) -> Result<Template, String> {
    let template = Template::parse(text, Syntax { wildcards: true, variables })
        .map_err(|reason| format!("has {text:?}, which {reason}"))?;
    if text == "*" {
        return Ok(template);
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let well_formed = match parts.as_slice() {
        ["arn", partition, service, region, account, rest] => {
            let variable = variables && [partition, service, region, account].iter().any(|p| p.contains("${"));
            !partition.is_empty()
                && !service.is_empty()
                && !service.contains(['*', '?'])
                && !rest.is_empty()
                && !variable
        }
        _ => false,
    };
    if well_formed {
        Ok(template)
    } else {
        Err(format!("has {text:?}, which is neither \"*\" nor a whole ARN with variables only at its end"))
    }
}
