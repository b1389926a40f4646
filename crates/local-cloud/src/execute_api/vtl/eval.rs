//! Evaluates a parsed template.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::functions;
use super::parse::{Expression, Node, Reference, Step};
use super::{Inputs, Rendered, VtlError};

/// The value of a reference, or of its first steps.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    /// `$input`.
    Input,
    /// `$util`.
    Util,
    Undefined,
    Value(Value),
}

/// Maximum length of the text that a template yields: API Gateway's payload limit.
const MAX_LENGTH: usize = 10 << 20;

pub(super) fn render(nodes: &[Node], inputs: &Inputs) -> Result<Rendered, VtlError> {
    let mut eval = Eval { inputs, variables: BTreeMap::new(), status: None };
    let mut text = String::new();
    eval.nodes(nodes, &mut text)?;
    Ok(Rendered { text, status: eval.status })
}

struct Eval<'a> {
    inputs: &'a Inputs,
    variables: BTreeMap<String, Value>,
    status: Option<u16>,
}

impl Eval<'_> {
    fn nodes(&mut self, nodes: &[Node], out: &mut String) -> Result<(), VtlError> {
        for node in nodes {
            match node {
                Node::Text(text) => out.push_str(text),
                Node::Reference(reference) => match self.reference(reference)? {
                    Operand::Value(value) => out.push_str(&printed(&value)),
                    Operand::Undefined if reference.quiet => {}
                    Operand::Undefined => out.push_str(&reference.source),
                    Operand::Input | Operand::Util => {
                        return Err(error(reference, "cannot be printed"));
                    }
                },
                Node::Set(target, value, line) => self.set(target, value, *line)?,
                Node::If(branches, otherwise) => {
                    let mut chosen = otherwise;
                    for (condition, body) in branches {
                        if self.truth(condition)? {
                            chosen = body;
                            break;
                        }
                    }
                    self.nodes(chosen, out)?;
                }
                Node::For { variable, list, body } => self.each(variable, list, body, out)?,
            }
            if out.len() > MAX_LENGTH {
                return Err(VtlError { line: 0, what: "the text exceeds 10 MiB".to_owned() });
            }
        }
        Ok(())
    }

    fn set(&mut self, target: &Reference, value: &Expression, line: usize) -> Result<(), VtlError> {
        let value = match self.value(value)? {
            Operand::Value(value) => value,
            // Velocity leaves the variable as it was.
            Operand::Undefined => return Ok(()),
            Operand::Input | Operand::Util => return Err(error(target, "cannot be set to $input or $util")),
        };
        if target.steps.is_empty() {
            if RESERVED.contains(&target.name.as_str()) {
                return Err(error(target, "cannot be set"));
            }
            self.variables.insert(target.name.clone(), value);
            return Ok(());
        }
        let path: Vec<&str> = target
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Property(name) => Some(name.as_str()),
                Step::Index(_) | Step::Call(..) => None,
            })
            .collect();
        if target.name == "context" && path == ["responseOverride", "status"] && target.steps.len() == 2 {
            if self.status.is_some() {
                return Err(error(target, "may be overridden only once"));
            }
            let status = printed(&value).parse().ok().filter(|status| (100..600).contains(status));
            self.status =
                Some(status.ok_or_else(|| VtlError { line, what: format!("{value} is not an HTTP status") })?);
            return Ok(());
        }
        Err(error(target, "cannot be set here; only variables and $context.responseOverride.status are modelled"))
    }

    fn each(&mut self, variable: &str, list: &Expression, body: &[Node], out: &mut String) -> Result<(), VtlError> {
        let items = match self.value(list)? {
            Operand::Value(Value::Array(items)) => items,
            Operand::Value(Value::Object(map)) => map.into_iter().map(|(_, value)| value).collect(),
            _ => Vec::new(),
        };
        let outer = [variable, "foreach", "velocityCount"].map(|name| (name, self.variables.get(name).cloned()));
        let count = items.len();
        for (index, item) in items.into_iter().enumerate() {
            self.variables.insert(variable.to_owned(), item);
            let state = json!({
                "index": index,
                "count": index + 1,
                "hasNext": index + 1 < count,
                "first": index == 0,
                "last": index + 1 == count,
            });
            self.variables.insert("foreach".to_owned(), state);
            self.variables.insert("velocityCount".to_owned(), json!(index + 1));
            self.nodes(body, out)?;
        }
        for (name, value) in outer {
            match value {
                Some(value) => self.variables.insert(name.to_owned(), value),
                None => self.variables.remove(name),
            };
        }
        Ok(())
    }

    fn reference(&mut self, reference: &Reference) -> Result<Operand, VtlError> {
        let inputs = self.inputs;
        let mut operand = match reference.name.as_str() {
            "input" => Operand::Input,
            "util" => Operand::Util,
            "context" => Operand::Value(inputs.context.clone()),
            "stageVariables" => Operand::Value(json!(inputs.stage_variables)),
            name => self.variables.get(name).cloned().map_or(Operand::Undefined, Operand::Value),
        };
        for step in &reference.steps {
            operand = match (operand, step) {
                (Operand::Undefined, _) => {
                    operand = Operand::Undefined;
                    break;
                }
                (operand, Step::Call(name, arguments)) => {
                    let mut values = Vec::new();
                    for argument in arguments {
                        values.push(match self.value(argument)? {
                            Operand::Value(value) => value,
                            Operand::Undefined => Value::Null,
                            Operand::Input | Operand::Util => return Err(error(reference, "cannot be an argument")),
                        });
                    }
                    functions::call(&operand, name, &values, inputs).map_err(|what| error(reference, &what))?
                }
                (Operand::Input, Step::Property(name)) if name == "body" => Operand::Value(json!(inputs.body)),
                (Operand::Value(value), Step::Property(name)) => match value.get(name) {
                    Some(inner) => Operand::Value(inner.clone()),
                    None if value.is_object() => Operand::Undefined,
                    None => return Err(error(reference, &format!("has no property {name}"))),
                },
                (Operand::Value(value), Step::Index(index)) => {
                    let inner = match self.value(index)? {
                        Operand::Value(Value::Number(at)) => {
                            at.as_u64().and_then(|at| value.get(usize::try_from(at).ok()?)).cloned()
                        }
                        Operand::Value(Value::String(key)) => value.get(&key).cloned(),
                        _ => return Err(error(reference, "has an index that is neither a number nor a string")),
                    };
                    inner.map_or(Operand::Undefined, Operand::Value)
                }
                (Operand::Input | Operand::Util, _) => return Err(error(reference, "is not modelled")),
            };
        }
        // On AWS these may have a value or be empty, and the local cloud does not model all of them.
        if operand == Operand::Undefined && matches!(reference.name.as_str(), "context" | "stageVariables") {
            return Err(error(reference, "is not modelled"));
        }
        Ok(operand)
    }

    fn value(&mut self, expression: &Expression) -> Result<Operand, VtlError> {
        let value = match expression {
            Expression::Reference(reference) => return self.reference(reference),
            Expression::Text(text) => json!(text),
            Expression::Template(nodes) => {
                let mut text = String::new();
                self.nodes(nodes, &mut text)?;
                json!(text)
            }
            Expression::Number(number) => json!(number),
            Expression::Bool(value) => json!(value),
            Expression::Null => Value::Null,
            Expression::List(items) => {
                let mut values = Vec::new();
                for item in items {
                    values.push(self.plain(item)?);
                }
                Value::Array(values)
            }
            Expression::Map(pairs) => {
                let mut map = Map::new();
                for (key, value) in pairs {
                    let key = printed(&self.plain(key)?);
                    map.insert(key, self.plain(value)?);
                }
                Value::Object(map)
            }
            Expression::Not(inner) => json!(!self.truth(inner)?),
            Expression::Binary(operator, left, right) => return self.binary(operator, left, right),
        };
        Ok(Operand::Value(value))
    }

    fn plain(&mut self, expression: &Expression) -> Result<Value, VtlError> {
        match self.value(expression)? {
            Operand::Value(value) => Ok(value),
            _ => Ok(Value::Null),
        }
    }

    fn binary(&mut self, operator: &str, left: &Expression, right: &Expression) -> Result<Operand, VtlError> {
        let value = match operator {
            "||" | "or" => json!(self.truth(left)? || self.truth(right)?),
            "&&" | "and" => json!(self.truth(left)? && self.truth(right)?),
            "==" | "eq" => json!(self.plain(left)? == self.plain(right)?),
            "!=" | "ne" => json!(self.plain(left)? != self.plain(right)?),
            operator => {
                let (left, right) = (self.plain(left)?, self.plain(right)?);
                if operator == "+" && (left.is_string() || right.is_string()) {
                    return Ok(Operand::Value(json!(format!("{}{}", printed(&left), printed(&right)))));
                }
                let (Some(a), Some(b)) = (left.as_i64(), right.as_i64()) else {
                    let what = format!("`{operator}` needs integers");
                    return Err(VtlError { line: 0, what });
                };
                match operator {
                    "<" => json!(a < b),
                    ">" => json!(a > b),
                    "<=" => json!(a <= b),
                    ">=" => json!(a >= b),
                    "+" => json!(a.wrapping_add(b)),
                    "-" => json!(a.wrapping_sub(b)),
                    "*" => json!(a.wrapping_mul(b)),
                    "/" => a.checked_div(b).map_or(Value::Null, Value::from),
                    _ => a.checked_rem(b).map_or(Value::Null, Value::from),
                }
            }
        };
        Ok(Operand::Value(value))
    }

    /// In Velocity 1.7 every value is true except `false` and null.
    fn truth(&mut self, expression: &Expression) -> Result<bool, VtlError> {
        Ok(match self.value(expression)? {
            Operand::Undefined | Operand::Value(Value::Null | Value::Bool(false)) => false,
            Operand::Value(_) | Operand::Input | Operand::Util => true,
        })
    }
}

const RESERVED: [&str; 4] = ["input", "util", "context", "stageVariables"];

fn error(reference: &Reference, what: &str) -> VtlError {
    VtlError { line: reference.line, what: format!("`{}` {what}", reference.source) }
}

/// A value as text: strings as they are, everything else as JSON.
pub(super) fn printed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "null".to_owned(),
        other => other.to_string(),
    }
}
