//! `sftpctl plan`.

use std::path::PathBuf;

use super::common::{Look, Target};
use crate::exit::{CliError, Exit};
use crate::report::output::{self, Output};
use crate::report::{markdown, plan_view};

/// What to plan, and where to put it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sftpctl plan --env 99\n  sftpctl plan --env 99 --exit-code --output json\n  \
    sftpctl plan --env 99 --out plan.json\n  sftpctl plan --env 99 --output markdown >> \"$GITHUB_STEP_SUMMARY\"")]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// End with 4 where there are changes
    #[arg(long)]
    exit_code: bool,
    /// Save the plan for `deploy --plan`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Shows the plan.
pub(super) async fn run(args: Args, look: Look) -> Result<Exit, CliError> {
    let mut run = args.target.open(look).await?;
    let observed = run.observe().await;
    let (plan, _) = run.plan(&observed)?;
    match look.output {
        Output::Json => output::json("plan/1", &plan),
        Output::Markdown => output::data(&markdown::render(&plan)),
        _ => output::data(&plan_view::render(&plan, output::width())),
    }
    if let Some(path) = &args.out {
        saved::write(path, &plan)?;
    }
    Ok(if args.exit_code && !plan.is_empty() { Exit::Changes } else { Exit::Ok })
}

/// Plans in files.
pub(super) mod saved {
    use std::path::Path;

    use sha2::{Digest as _, Sha256};

    use crate::exit::{CliError, Exit};
    use sftpctl_core::hex;
    use sftpctl_core::model::Action;
    use sftpctl_core::plan::model::{Plan, Step, VERSION};
    use sftpctl_engine::run::Earlier;

    /// Writes a plan.
    pub(in crate::commands) fn write(path: &Path, plan: &Plan) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(plan).unwrap_or_default() + "\n";
        std::fs::write(path, text)
            .map_err(|error| CliError::new(Exit::Usage, format!("cannot write {}: {error}", path.display())))
    }

    /// Reads a plan.
    pub(in crate::commands) fn read(path: &Path) -> Result<Plan, CliError> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => parse(&name, &text),
            Err(error) => Err(CliError::new(Exit::Usage, format!("{name} is not a saved plan: {error}"))),
        }
    }

    /// The version first: a newer plan need not have the form of this one's.
    fn parse(name: &str, text: &str) -> Result<Plan, CliError> {
        let usage = |why: String| CliError::new(Exit::Usage, format!("{name} is not a saved plan: {why}"));
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| usage(error.to_string()))?;
        let newer = |version: u64| {
            let what = if version > u64::from(VERSION) { "" } else { " with additions" };
            let error = format!(
                "{name} was written by a newer sftpctl (format {version}{what}); this one reads up to format {VERSION}"
            );
            CliError::new(Exit::Usage, error).hint("upgrade sftpctl, or make the plan again with this one")
        };
        match value["version"].as_u64() {
            Some(version) if version > u64::from(VERSION) => Err(newer(version)),
            Some(version) if version == u64::from(VERSION) => serde_json::from_value(value).map_err(|error| {
                // A plan has no digest that would tell a newer sftpctl from a hand; plans are not edited.
                let error = error.to_string();
                if error.starts_with("unknown ") { newer(version) } else { usage(error) }
            }),
            _ => Err(usage("unknown format version".to_owned())),
        }
    }

    /// Tells plans apart.
    pub(in crate::commands) fn digest(plan: &Plan) -> String {
        let text = serde_json::to_vec(plan).unwrap_or_default();
        hex::encode(&Sha256::digest(text))
    }

    /// Whether the plan of now is the one that was saved, or what the run before left of it: nothing where it did it all,
    /// as in a job of a pipeline that is run again.
    pub(in crate::commands) fn check(saved: &Plan, now: &Plan, earlier: Earlier) -> Result<(), CliError> {
        if saved == now || (earlier == Earlier::Whole && now.is_empty()) {
            return Ok(());
        }
        let resumed = earlier == Earlier::Part;
        let mut causes: Vec<String> = Vec::new();
        if (&saved.environment, &saved.account) != (&now.environment, &now.account) {
            causes.push(format!("it is for environment {} in account {}", saved.environment, saved.account));
        }
        for step in &saved.steps {
            match now.step(&step.id) {
                None if !resumed => causes.push(format!("{}: nothing to do any more", step.id)),
                Some(other) if other != step && !(resumed && part_of(other, step)) => {
                    causes.push(format!("{}: the change is another now", step.id));
                }
                _ => {}
            }
        }
        let new = now.steps.iter().filter(|step| saved.step(&step.id).is_none());
        causes.extend(new.map(|step| format!("{}: was not in the plan", step.id)));
        if causes.is_empty() {
            return Ok(());
        }
        let mut error = CliError::new(
            Exit::Refused,
            "the saved plan is stale: AWS has changed since it was made; nothing was changed",
        );
        error.causes = causes;
        Err(error.hint("make a new plan with `sftpctl plan --out`"))
    }

    /// Whether a change is the rest of a planned one: what was to be made is half made, or fewer properties differ, and
    /// what was known later is known by now. What differs and was planned must still be planned so: a file that was
    /// edited meanwhile is another plan.
    fn part_of(now: &Step, planned: &Step) -> bool {
        let whole = matches!(planned.change.action, Action::Create | Action::Import | Action::Recreate);
        let goes = matches!(now.change.action, Action::Delete | Action::Keep);
        ((whole && !goes) || now.change.action == planned.change.action)
            && now.change.properties.iter().all(|property| {
                let same = planned.change.properties.iter().find(|planned| planned.name == property.name);
                same.map_or(whole, |same| same.after_node.is_some() || same.after == property.after)
            })
    }

    #[cfg(test)]
    mod tests {
        use sftpctl_core::kind::{Kind, NodeId};
        use sftpctl_core::model::{Change, PropertyChange};

        use super::*;

        /// A step's region, what is done, and properties with what they become.
        type Short<'a> = (&'a str, Action, &'a [(&'a str, &'a str)]);

        fn plan(steps: &[Short<'_>]) -> Plan {
            let steps = steps.iter().map(|(id, action, properties)| {
                let properties = properties.iter().map(|(name, after)| PropertyChange {
                    name: (*name).to_owned(),
                    before: None,
                    after: Some((*after).into()),
                    after_node: None,
                    replaces: None,
                });
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

        #[test]
        fn newer_plan_is_called_newer() {
            let whole = serde_json::to_string(&plan(&[("a", Action::Create, &[("x", "1")])])).unwrap();
            assert!(parse("p", &whole).is_ok());
            for (from, to, says) in [
                ("\"version\":1", "\"version\":2,\"by\":\"sftpctl 2\"", "newer sftpctl (format 2)"),
                ("\"version\":1", "\"version\":1,\"by\":\"sftpctl 2\"", "newer sftpctl (format 1 with additions)"),
                ("\"create\"", "\"rotate\"", "newer sftpctl (format 1 with additions)"),
                ("\"version\":1", "\"version\":0", "is not a saved plan: unknown format version"),
                ("\"version\":1,", "", "is not a saved plan: unknown format version"),
                ("{", "", "is not a saved plan"),
            ] {
                let error = parse("p", &whole.replacen(from, to, 1)).unwrap_err().message;
                assert!(error.contains(says), "{from} {to}: {error}");
            }
        }

        #[test]
        fn a_saved_plan_is_done_as_it_was_or_gone_on_with_and_no_other() {
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
    }
}
