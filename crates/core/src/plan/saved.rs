//! Saved plans: their text, and whether a deployment may still follow them. Pure.

use sha2::{Digest as _, Sha256};

use super::model::{Plan, Step, VERSION};
use crate::hex;
use crate::model::Action;
use crate::secret::HIDDEN;
use crate::shown::Text;

/// How far the previous run followed a saved plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// It followed another plan or none.
    Nothing,
    /// It began this plan and did not finish.
    Part,
    /// It finished this plan.
    Whole,
}

/// A text is not a saved plan that this version can follow.
#[derive(Debug, thiserror::Error)]
pub enum SavedPlanError {
    /// The text is not a plan. It may be any file, of which no value is shown.
    #[error("{}", without_values(.0))]
    Invalid(#[from] serde_json::Error),
    /// A newer sftpctl wrote it.
    #[error(
        "it was written by a newer sftpctl (format {version}{}); this one reads up to format {VERSION}",
        if *.additions { " with additions" } else { "" }
    )]
    Newer {
        /// Version of its format.
        version: u64,
        /// Whether the version is known but has unknown fields.
        additions: bool,
    },
    /// It has no version, or one that never existed.
    #[error("unknown format version")]
    UnknownVersion,
}

fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match (text.find('"'), text.rfind('"')) {
        (Some(start), Some(end)) if start < end => format!("{}{HIDDEN}{}", &text[..start], &text[end + 1..]),
        _ => text,
    }
}

/// A saved plan must not be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the saved plan is stale: AWS has changed since it was saved; nothing was changed")]
pub struct StalePlan {
    /// The differences, one line each.
    pub differences: Vec<String>,
}

/// The text of a saved plan, which does no harm where it is shown as it is.
pub fn to_text(plan: &Plan) -> String {
    Text::pretty_json(plan).to_string() + "\n"
}

/// Reads the text of a saved plan.
///
/// # Errors
/// It is not a plan, or its version is unknown.
pub fn parse(text: &str) -> Result<Plan, SavedPlanError> {
    // The version is read first, because a newer plan may have another form.
    let value: serde_json::Value = serde_json::from_str(text)?;
    match value["version"].as_u64() {
        Some(version) if version > u64::from(VERSION) => Err(SavedPlanError::Newer { version, additions: false }),
        Some(version) if version == u64::from(VERSION) => serde_json::from_value(value).map_err(|error| {
            // Unknown fields mean a newer sftpctl, because plans are not edited by hand. A plan has no digest to check
            // that.
            match error.to_string().starts_with("unknown ") {
                true => SavedPlanError::Newer { version, additions: true },
                false => SavedPlanError::Invalid(error),
            }
        }),
        _ => Err(SavedPlanError::UnknownVersion),
    }
}

/// Identifies a plan: the SHA-256 of its JSON, in hexadecimal.
pub fn digest(plan: &Plan) -> String {
    let text = serde_json::to_vec(plan).unwrap_or_default();
    hex::encode(&Sha256::digest(text))
}

/// Checks that the current plan is the saved one, or what the previous run left of it. If that run finished it, as when
/// a pipeline reruns a job, nothing may be left.
///
/// # Errors
/// The current plan has other steps or changes.
pub fn check(saved: &Plan, now: &Plan, earlier: Earlier) -> Result<(), StalePlan> {
    if saved == now || (earlier == Earlier::Whole && now.is_empty()) {
        return Ok(());
    }
    let resumed = earlier == Earlier::Part;
    let mut differences: Vec<String> = Vec::new();
    if (&saved.environment, &saved.account) != (&now.environment, &now.account) {
        differences.push(format!("it is for environment {} in account {}", saved.environment, saved.account));
    }
    for step in &saved.steps {
        match now.step(&step.id) {
            None if !resumed => differences.push(format!("{}: there is nothing left to do", step.id)),
            Some(other) if other != step && !(resumed && is_part_of(other, step)) => {
                differences.push(format!("{}: the change is a different one now", step.id));
            }
            _ => {}
        }
    }
    let new = now.steps.iter().filter(|step| saved.step(&step.id).is_none());
    differences.extend(new.map(|step| format!("{}: was not in the plan", step.id)));
    if differences.is_empty() { Ok(()) } else { Err(StalePlan { differences }) }
}

/// Whether a change is the rest of a planned one: the resource is partly created or fewer properties differ, and values
/// that were unknown are known. A property that still differs must have the planned value; after an edit of the file
/// the plan is another one.
fn is_part_of(now: &Step, planned: &Step) -> bool {
    let creates = matches!(planned.change.action, Action::Create | Action::Import | Action::Recreate);
    let removes = matches!(now.change.action, Action::Delete | Action::Keep);
    ((creates && !removes) || now.change.action == planned.change.action)
        && now.change.properties.iter().all(|property| {
            let same = planned.change.properties.iter().find(|planned| planned.name == property.name);
            same.map_or(creates, |same| same.after_node.is_some() || same.after == property.after)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::{Kind, NodeId};
    use crate::model::{Change, PropertyChange};

    /// A step's region, its action, and properties with their new values.
    type Short<'a> = (&'a str, Action, &'a [(&'a str, &'a str)]);

    fn plan(steps: &[Short<'_>]) -> Plan {
        let steps = steps.iter().map(|(id, action, properties)| {
            let properties =
                properties.iter().map(|(name, after)| PropertyChange::new(*name, None, Some((*after).into())));
            let change = Change { action: *action, reason: None, properties: properties.collect() };
            Step {
                id: NodeId::new(id, Kind::Server),
                kind: Kind::Server,
                title: (*id).to_owned(),
                change,
                needs: Vec::new(),
            }
        });
        let (environment, account) = ("99".to_owned(), "111111111111".to_owned());
        Plan { version: VERSION, environment, account, steps: steps.collect() }
    }

    /// Pipelines print the file, and people look at it.
    #[test]
    fn text_of_a_plan_is_harmless() {
        let hostile = "\u{202e}\u{1b}]0;x\u{7}\u{2028}##[error]x v\u{fe0f}";
        let plan = plan(&[("a", Action::Create, &[("x", hostile)])]);
        let text = to_text(&plan);
        assert!(text.is_ascii() && !text.contains('\u{1b}') && !text.contains("##[error]"), "{text}");
        assert_eq!(parse(&text).unwrap(), plan);
    }

    #[test]
    fn newer_plan_is_called_newer() {
        let whole = serde_json::to_string(&plan(&[("a", Action::Create, &[("x", "1")])])).unwrap();
        assert!(parse(&whole).is_ok());
        for (from, to, says) in [
            ("\"version\":1", "\"version\":2,\"by\":\"sftpctl 2\"", "newer sftpctl (format 2)"),
            ("\"version\":1", "\"version\":1,\"by\":\"sftpctl 2\"", "newer sftpctl (format 1 with additions)"),
            ("\"create\"", "\"rotate\"", "newer sftpctl (format 1 with additions)"),
            ("\"version\":1", "\"version\":0", "unknown format version"),
            ("\"version\":1,", "", "unknown format version"),
        ] {
            let error = parse(&whole.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(says), "{from} {to}: {error}");
        }
        assert!(matches!(parse(&whole[1..]), Err(SavedPlanError::Invalid(_))));
    }

    #[test]
    fn a_saved_plan_is_followed_or_resumed_and_no_other() {
        use Action::{Create, Delete, Keep, Update};
        use Earlier::{Nothing, Part, Whole};
        let saved = plan(&[("a", Create, &[("x", "1"), ("y", "2")]), ("b", Update, &[("x", "1")])]);
        for (now, accepted) in [
            (saved.clone(), &[Nothing, Part, Whole][..]),
            (plan(&[]), &[Part, Whole]),
            (plan(&[("b", Update, &[("x", "1")])]), &[Part]),
            (plan(&[("a", Update, &[("y", "2")])]), &[Part]),
            (plan(&[("a", Update, &[("y", "3")])]), &[]),
            (plan(&[("b", Update, &[("x", "2")])]), &[]),
            (plan(&[("a", Delete, &[])]), &[]),
            (plan(&[("a", Keep, &[])]), &[]),
            (plan(&[("b", Delete, &[])]), &[]),
            (plan(&[("c", Create, &[])]), &[]),
        ] {
            for earlier in [Nothing, Part, Whole] {
                let checked = check(&saved, &now, earlier);
                assert_eq!(checked.is_ok(), accepted.contains(&earlier), "{earlier:?}: {now:?}: {checked:?}");
            }
        }
    }

    #[test]
    fn differences_name_the_steps() {
        let saved = plan(&[("a", Action::Create, &[]), ("b", Action::Update, &[])]);
        let now = plan(&[("b", Action::Delete, &[]), ("c", Action::Create, &[])]);
        let stale = check(&saved, &now, Earlier::Nothing).unwrap_err();
        assert_eq!(
            stale.differences,
            [
                "a/server: there is nothing left to do",
                "b/server: the change is a different one now",
                "c/server: was not in the plan",
            ]
        );
    }

    #[test]
    fn the_text_of_a_plan_is_read_back_and_other_text_is_not() {
        let saved = plan(&[("a", Action::Create, &[("x", "1")])]);
        let text = to_text(&saved);
        let read = parse(&text).unwrap();
        assert_eq!((digest(&read), &read), (digest(&saved), &saved));
        assert!(matches!(parse("{}"), Err(SavedPlanError::UnknownVersion)));
        for other in [r#"{"version":1,"steps":"a \"SECRET"}"#, r#"{"version":1,"environment":["SECRET"]}"#, "SECRET"] {
            let error = parse(other).unwrap_err().to_string();
            assert!(!error.contains("SECRET") && !error.is_empty(), "{error}");
        }
        let newer = to_text(&Plan { version: VERSION + 1, ..saved });
        assert!(matches!(parse(&newer), Err(SavedPlanError::Newer { .. })));
    }
}
