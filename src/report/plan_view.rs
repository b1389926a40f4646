//! A plan as text. Pure.

use serde_json::Value;

use super::fold::folded;
use sftpctl_core::model::{Action, PropertyChange};
use sftpctl_core::plan::model::Plan;
use sftpctl_core::shown::Text;

pub(super) fn sign(action: Action) -> char {
    match action {
        Action::Create => '+',
        Action::Update => '~',
        Action::Recreate => '±',
        Action::Recover => '↻',
        Action::Import => '←',
        Action::Delete => '-',
        Action::Keep => '=',
    }
}

/// The plan in the order of its steps, in lines of at most `width` characters.
pub fn render(plan: &Plan, width: usize) -> Text {
    folded(&whole(plan), width)
}

fn whole(plan: &Plan) -> Text {
    if plan.is_empty() {
        return format!("Nothing to do: environment {} matches its file.", plan.environment).into();
    }
    let mut text = Text::from(format!("Environment {} in account {}:", plan.environment, plan.account));
    for step in &plan.steps {
        text.line("");
        text.line(format!("{} {}  {}", sign(step.change.action), step.id.place(), step.title));
        if let Some(reason) = &step.change.reason {
            text.line(format!("    {reason}"));
        }
        for property in &step.change.properties {
            lines(&mut text, property, step.change.action);
        }
    }
    let count = |actions: &[Action]| plan.steps.iter().filter(|s| actions.contains(&s.change.action)).count();
    text.line("");
    text.line(format!(
        "Plan: {} to create, {} to change, {} to delete, {} to keep.",
        count(&[Action::Create, Action::Import]),
        count(&[Action::Update, Action::Recreate, Action::Recover]),
        count(&[Action::Delete]),
        count(&[Action::Keep]),
    ));
    text
}

fn lines(text: &mut Text, property: &PropertyChange, action: Action) {
    let after = match (&property.after, &property.after_node) {
        (Some(value), _) => short(value),
        (None, Some(node)) => format!("(known after {node})"),
        (None, None) => "(none)".to_owned(),
    };
    match (&property.before, &property.after) {
        // Of documents, only the differences are shown.
        (Some(before @ (Value::Object(_) | Value::Array(_))), Some(after)) => {
            inside(text, &property.name, before, after)
        }
        (None, _) if action == Action::Create => {
            text.line(format!("    {}: {after}", property.name));
        }
        (before, _) => {
            let before = before.as_ref().map_or("(none)".to_owned(), short);
            text.line(format!("    {}: {before} → {after}", property.name));
        }
    }
    if let Some(why) = &property.replaces {
        text.line(format!("      replaces it: {why}"));
    }
}

fn inside(text: &mut Text, path: &str, before: &Value, after: &Value) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let mut keys: Vec<_> = old.keys().chain(new.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let path = format!("{path}.{key}");
                inside(text, &path, old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null));
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                inside(text, &format!("{path}[{index}]"), old, new);
            }
        }
        (old, new) if old == new => {}
        (old, new) => {
            text.line(format!("    {path}: {} → {}", short(old), short(new)));
        }
    }
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() > 120 { text.chars().take(117).collect::<String>() + "..." } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use sftpctl_core::kind::{Kind, NodeId};
    use sftpctl_core::model::Change;
    use sftpctl_core::plan::model::{Step, VERSION};

    #[test]
    fn before_and_after_are_shown_inside_documents() {
        let change = Change {
            action: Action::Update,
            reason: None,
            properties: vec![PropertyChange::new(
                "policy",
                Some(json!({ "Statement": [{ "Effect": "Allow", "Action": "s3:*" }] })),
                Some(json!({ "Statement": [{ "Effect": "Allow", "Action": "s3:GetObject" }] })),
            )],
        };
        let id = NodeId::named("us-west-2", Kind::Bucket, "b");
        let step = Step { id, kind: Kind::Bucket, title: "bucket b".into(), change, needs: Vec::new() };
        let plan = Plan { version: VERSION, environment: "99".into(), account: "1".into(), steps: vec![step] };
        assert_eq!(
            render(&plan, 200).to_string(),
            "Environment 99 in account 1:\n\n~ us-west-2  bucket b\n    \
             policy.Statement[0].Action: s3:* → s3:GetObject\n\n\
             Plan: 0 to create, 1 to change, 0 to delete, 0 to keep."
        );
    }

    #[test]
    fn an_empty_plan_says_so() {
        let plan = Plan { version: VERSION, environment: "99".into(), account: "1".into(), steps: Vec::new() };
        assert_eq!(render(&plan, 200).to_string(), "Nothing to do: environment 99 matches its file.");
    }
}
