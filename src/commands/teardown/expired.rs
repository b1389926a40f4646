//! `sftpctl teardown --expired`: deletes the environments whose time is over, for a job that runs by the clock.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::{Args, Scope, teardown};
use crate::commands::args::EnvArgs;
use crate::commands::notify::Told;
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::span::span;
use crate::report::{Printer, hints};
use sftpctl_core::model::RemovalOptions;
use sftpctl_core::shown::Text;
use sftpctl_engine::clock;
use sftpctl_engine::execute::stop::Stop;
use sftpctl_engine::run::Run;
use sftpctl_engine::state::expiry::Expiry;

/// What became of the environments, as `expired/1`.
#[derive(Serialize)]
struct ExpiredView {
    environments: Vec<EnvironmentView>,
}

/// What became of one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EnvironmentView {
    /// The environment's name, or the path of a file that cannot be read.
    environment: String,
    outcome: Outcome,
    /// Why it was kept, or the error.
    why: String,
    /// The end of its life, RFC 3339; `None` without one.
    expires: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    TornDown,
    Kept,
    /// It could not be decided, or the teardown did not begin or not end.
    Failed,
}

/// Deletes the environment, or those of a folder, if their time is over. Ends with the highest exit code of all.
pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let each: Vec<(String, EnvArgs)> = match &args.folder {
        Some(folder) => {
            files(folder)?.iter().map(|path| (path.display().to_string(), args.env.of_file(path))).collect()
        }
        None => vec![(args.env.aws.words(), args.env.clone())],
    };
    let names = names(&each)?;
    // Also between two environments, where no run listens.
    let stop = Stop::on_signals(|| {}, || {});
    let (mut environments, mut worst) = (Vec::new(), Exit::Ok);
    for (shown, env) in each {
        if stop.requested() {
            worst = worst.max(Exit::Interrupted);
            break;
        }
        hints::forget();
        let (view, exit) = match one(args, &env, printer).await {
            Ok(done) => done,
            Err(error) => {
                printer.error(&error);
                // Faults of a file have lines with its source.
                let why = error.message.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
                (EnvironmentView::new(names.get(&shown).unwrap_or(&shown), Outcome::Failed, why, None), error.exit)
            }
        };
        environments.push(view);
        worst = worst.max(exit);
        if exit == Exit::Interrupted {
            break;
        }
    }
    let view = ExpiredView { environments };
    printer.emit("expired/1", &view, || view.environments.iter().map(EnvironmentView::text).collect::<Text>());
    Ok(worst)
}

/// The names of the environments whose files can be read, by how each is shown. Two files of one environment are refused: the
/// state is kept by its name, so one with a `ttl` would delete what the other one keeps.
fn names(each: &[(String, EnvArgs)]) -> Result<BTreeMap<String, String>, CliError> {
    let (mut names, mut files) = (BTreeMap::new(), BTreeMap::new());
    for (shown, env) in each {
        // What cannot be read is reported in its turn.
        let Some(environment) = env.aws.quietly_loaded() else { continue };
        if let Some(first) = files.insert((environment.account, environment.name.clone()), shown) {
            let message = format!("{first} and {shown} are both environment {}", environment.name);
            return Err(CliError::new(Exit::Usage, message).hint("nothing was deleted; give one of them another name"));
        }
        names.insert(shown.clone(), environment.name);
    }
    Ok(names)
}

/// The environment files of a folder, in the order of their names.
fn files(folder: &Path) -> Result<Vec<std::path::PathBuf>, CliError> {
    let wrong = |error: std::io::Error| {
        CliError::new(Exit::Usage, format!("cannot read the folder {}: {error}", folder.display()))
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(CliError::new(
            Exit::Usage,
            format!("there is no environment file (*.yaml) in {}", folder.display()),
        ));
    }
    Ok(files)
}

/// Deletes one environment if its time is over: by its records first, without the lock, so that a job that has nothing
/// to do stands in no deployment's way; and again under the lock.
async fn one(args: &Args, env: &EnvArgs, printer: Printer) -> Result<(EnvironmentView, Exit), CliError> {
    let environment = env.load(printer)?;
    let name = environment.name.clone();
    let Some(ttl) = environment.ttl.clone() else {
        return Ok((EnvironmentView::new(&name, Outcome::Kept, "its file has no `ttl`".to_owned(), None), Exit::Ok));
    };
    let (_, store) = env.open_records(Permissions::TearsDown, printer).await?;
    let expiry = Expiry::of(&ttl, &store.load().await?.state, now());
    if let Some(why) = kept(expiry, now()) {
        return Ok((EnvironmentView::new(&name, Outcome::Kept, why, expiry.end()), Exit::Ok));
    }
    let told = Told::new("teardown");
    let options = RemovalOptions { delete_data: ttl.delete_data, release_addresses: args.release_addresses };
    let work = async |run: &mut Run| {
        let expiry = Expiry::of(&ttl, &run.state, now());
        if let Some(why) = kept(expiry, now()) {
            return Ok((EnvironmentView::new(&name, Outcome::Kept, why, expiry.end()), Exit::Ok));
        }
        let exit = teardown((args, &told), Scope::Everything, options, run, printer).await?;
        let (outcome, why) = match exit {
            Exit::Ok => (Outcome::TornDown, "its time was over".to_owned()),
            unfinished => {
                let why = format!("its time was over, and something is left (exit code {})", unfinished.code());
                (Outcome::Failed, why)
            }
        };
        Ok::<_, CliError>((EnvironmentView::new(&name, outcome, why, expiry.end()), exit))
    };
    let result = match env.open(Permissions::TearsDown, printer).await {
        Ok(run) => run.locked("teardown", args.lock_timeout.seconds, work).await,
        Err(error) => Err(error),
    };
    match &result {
        // Another run has changed its end meanwhile.
        Ok((view, _)) if view.outcome == Outcome::Kept => {}
        Ok((_, exit)) => told.tell(&env.aws, *exit, None, printer).await,
        Err(error) => told.tell(&env.aws, error.exit, Some(&error.message), printer).await,
    }
    result
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Why an environment is kept; `None` if its time is over.
fn kept(expiry: Expiry, now: i64) -> Option<String> {
    match expiry {
        Expiry::NotDeployed => Some("the state knows no deployment of it".to_owned()),
        Expiry::TornDown => Some("it is torn down already".to_owned()),
        Expiry::Until(end) => Some(format!("it has {} left", span(end.saturating_sub(now).max(0).unsigned_abs()))),
        Expiry::Since(_) => None,
    }
}

impl EnvironmentView {
    fn new(environment: &str, outcome: Outcome, why: String, end: Option<i64>) -> Self {
        let end = end.and_then(|end| jiff::Timestamp::from_second(end).ok());
        Self { environment: environment.to_owned(), outcome, why, expires: end.map(clock::rfc3339) }
    }

    fn text(&self) -> String {
        let outcome = match self.outcome {
            Outcome::TornDown => "torn down",
            Outcome::Kept => "kept",
            Outcome::Failed => "failed",
        };
        let end = self.expires.as_ref().map(|end| format!(", until {end}")).unwrap_or_default();
        format!("{}: {outcome}: {}{end}", self.environment, self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_expired_is_not_kept() {
        assert_eq!(kept(Expiry::Since(10), 20), None);
        assert_eq!(kept(Expiry::Until(7_300), 100).as_deref(), Some("it has 2 h left"));
        assert!(kept(Expiry::NotDeployed, 0).is_some() && kept(Expiry::TornDown, 0).is_some());
        let view = EnvironmentView::new("99", Outcome::Kept, "it has 2 h left".to_owned(), Some(0));
        assert_eq!(view.text(), "99: kept: it has 2 h left, until 1970-01-01T00:00:00Z");
    }

    #[test]
    fn files_of_a_folder_are_those_in_yaml() {
        let dir = tempfile::tempdir().unwrap();
        assert!(files(dir.path()).unwrap_err().message.contains("no environment file"));
        for name in ["b.yaml", "a.yml", "environment.schema.json", "README.md"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let found: Vec<_> = files(dir.path()).unwrap();
        let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.yml", "b.yaml"]);
        assert!(files(&dir.path().join("none")).unwrap_err().message.contains("cannot read the folder"));
    }
}
