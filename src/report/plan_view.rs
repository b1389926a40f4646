//! A plan as text. Pure.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::fold::folded;
use sftpctl_core::model::{Action, PropertyChange};
use sftpctl_core::plan::model::{Plan, Step};
use sftpctl_core::shown::Text;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

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

/// A plan as JSON, in `plan/1`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanView<'a> {
    #[serde(flatten)]
    pub plan: &'a Plan,
    /// The names of the steps that `--only` or `--skip` leaves out.
    #[serde(serialize_with = "step_names")]
    pub left_out: &'a [Step],
    /// Clusters that were renamed.
    pub moved: Vec<Moved<'a>>,
}

/// A cluster that has another name now, and the bucket that it keeps.
#[derive(Serialize)]
pub struct Moved<'a> {
    /// The first name that it had.
    pub from: &'a str,
    pub to: &'a str,
    pub bucket: String,
}

/// The clusters of an environment that were renamed.
pub fn moved(environment: &Environment) -> Vec<Moved<'_>> {
    let renamed = environment.clusters.keys().filter(|cluster| environment.origin(cluster) != cluster.as_str());
    let moved = |cluster: &'_ String| names::upload_bucket(environment, cluster);
    renamed.map(|to| Moved { from: environment.origin(to), to, bucket: moved(to) }).collect()
}

/// Each cluster that was renamed, in a line.
pub fn moved_lines(moved: &[Moved<'_>]) -> Text {
    let line =
        |one: &Moved<'_>| format!("Moved: cluster {} was {}; it keeps the bucket {}", one.to, one.from, one.bucket);
    moved.iter().map(line).collect()
}

fn step_names<S: Serializer>(steps: &[Step], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(steps.iter().map(|step| &step.id))
}

/// The plan in the order of its steps, and what is left out of it, in lines of at most `width` characters.
pub fn render(plan: &Plan, left_out: &[Step], width: usize) -> Text {
    folded(&whole(plan, left_out), width)
}

/// That a part of the plan is left out, and what.
pub(super) fn left_out_line(steps: &[Step]) -> Option<String> {
    let names: Vec<&str> = steps.iter().map(|step| step.id.as_str()).collect();
    (!names.is_empty()).then(|| format!("Left out: {}", names.join(", ")))
}

/// That there is nothing to do.
pub(super) fn nothing(plan: &Plan, left_out: &[Step]) -> String {
    match left_out.is_empty() {
        true => format!("Nothing to do: environment {} matches its file.", plan.environment),
        false => format!("Nothing to do in what is selected of environment {}.", plan.environment),
    }
}

fn whole(plan: &Plan, left_out: &[Step]) -> Text {
    let mut text = steps(plan, left_out);
    if let Some(line) = left_out_line(left_out) {
        text.line(line);
    }
    text
}

fn steps(plan: &Plan, left_out: &[Step]) -> Text {
    if plan.is_empty() {
        return nothing(plan, left_out).into();
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
            render(&plan, &[], 200).to_string(),
            "Environment 99 in account 1:\n\n~ us-west-2  bucket b\n    \
             policy.Statement[0].Action: s3:* → s3:GetObject\n\n\
             Plan: 0 to create, 1 to change, 0 to delete, 0 to keep."
        );
    }

    #[test]
    fn an_empty_plan_says_so() {
        let plan = Plan { version: VERSION, environment: "99".into(), account: "1".into(), steps: Vec::new() };
        assert_eq!(render(&plan, &[], 200).to_string(), "Nothing to do: environment 99 matches its file.");
    }

    #[test]
    fn what_is_left_out_is_named_below_the_plan() {
        let step = |place: &str| Step {
            id: NodeId::new(place, Kind::Server),
            kind: Kind::Server,
            title: "Transfer server".into(),
            change: Change::new(Action::Create, "new"),
            needs: Vec::new(),
        };
        let plan = |steps| Plan { version: VERSION, environment: "99".into(), account: "1".into(), steps };
        let left = [step("us-east-1"), step("us-east-2")];
        let line = "Left out: us-east-1/server, us-east-2/server";
        let some = render(&plan(vec![step("us-west-2")]), &left, 200).to_string();
        assert!(some.ends_with(&format!("Plan: 1 to create, 0 to change, 0 to delete, 0 to keep.\n{line}")), "{some}");
        let none = render(&plan(Vec::new()), &left, 200).to_string();
        assert_eq!(none, format!("Nothing to do in what is selected of environment 99.\n{line}"));
        let view = PlanView { plan: &plan(Vec::new()), left_out: &left, moved: Vec::new() };
        let view = serde_json::to_value(&view).unwrap();
        assert_eq!(view["leftOut"], json!(["us-east-1/server", "us-east-2/server"]));
        assert_eq!(view["environment"], "99");
    }
}
