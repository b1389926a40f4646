//! What is told of the end of a run: one document for programs and chats, and a text for people. Pure.

use serde::Serialize;

use crate::shown::visible;
use crate::spec::model::Environment;
use crate::spec::notify::End;
use crate::text::counted;

/// The name of the document's form. Fields are only ever added.
pub const SCHEMA: &str = "sftpctl/notification/1";
/// Characters of the text that chats show.
const TEXT: usize = 1_000;

/// The end of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ended<'a> {
    /// `deploy`, `teardown`, `drift` or `verify`.
    pub command: &'a str,
    pub exit_code: u8,
    /// The error that ended it.
    pub error: Option<&'a str>,
    pub facts: Facts,
    /// RFC 3339.
    pub finished: String,
    pub seconds: u64,
    /// The page of the pipeline's job.
    pub job_url: Option<String>,
}

/// What is known of a run besides its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Steps>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logins: Option<Logins>,
}

/// The steps of a deployment or a teardown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Steps {
    pub changed: usize,
    pub failed: usize,
    pub not_begun: usize,
    /// That can only be done later.
    pub later: usize,
    /// By `--only` and `--skip`.
    pub left_out: usize,
}

/// What `drift` found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// Resources that differ.
    pub resources: usize,
    /// Resources that could not be read.
    pub unread: usize,
}

/// The log-ins of a canary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Logins {
    /// Regions whose servers admitted it.
    pub admitted: Vec<String>,
    pub refused: Vec<String>,
}

/// The document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema: &'static str,
    text: String,
    end: &'static str,
    command: &'a str,
    environment: &'a str,
    account: &'a str,
    production: bool,
    exit_code: u8,
    finished: &'a str,
    seconds: u64,
    version: &'static str,
    #[serde(flatten)]
    facts: &'a Facts,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_url: Option<&'a str>,
}

impl Ended<'_> {
    /// How the run ended; `None` for what is not told: a person or a protection refused it before anything was done.
    pub fn end(&self) -> Option<End> {
        match (self.exit_code, self.command) {
            (0, _) => Some(End::Success),
            (4, "drift") => Some(End::Drift),
            (3, _) => None,
            _ => Some(End::Failure),
        }
    }

    /// Whether nothing failed of what was to be done, and something is left for another run.
    fn is_part(&self) -> bool {
        let is_whole = |steps: &Steps| steps.failed + steps.not_begun == 0;
        self.exit_code == 6 && self.error.is_none() && self.facts.steps.as_ref().is_some_and(is_whole)
    }

    /// What happened, in one line.
    pub fn sentence(&self, environment: &Environment) -> String {
        let name = &environment.name;
        let production = if environment.production { "production environment" } else { "environment" };
        let run = format!("sftpctl {} of {production} {name}", self.command);
        let mut text = match self.end() {
            Some(End::Success) => format!("{run} is done"),
            Some(End::Drift) => format!("{production} {name} was changed outside sftpctl"),
            _ if self.is_part() => format!("{run} is done in part (exit code 6)"),
            _ => format!("{run} failed with exit code {}", self.exit_code),
        };
        let details = self.facts.sentence();
        if !details.is_empty() {
            text += &format!(": {details}");
        }
        if let Some(error) = self.error {
            text += &format!(". Error: {}", error.lines().next().unwrap_or_default());
        }
        if let Some(url) = &self.job_url {
            text += &format!(". {url}");
        }
        visible(&text).chars().take(TEXT).collect()
    }

    /// The subject of a mail. SNS takes less than 100 characters (API reference, `Publish`); names of environments have at
    /// most twenty.
    pub fn subject(&self, environment: &Environment) -> String {
        let end = self.end().map_or("", End::name);
        format!("sftpctl {}, environment {}: {end}", self.command, environment.name)
    }

    /// The document as JSON.
    pub fn document(&self, environment: &Environment) -> String {
        let document = Document {
            schema: SCHEMA,
            text: for_chats(&self.sentence(environment)),
            end: self.end().map_or("", End::name),
            command: self.command,
            environment: &environment.name,
            account: &environment.account,
            production: environment.production,
            exit_code: self.exit_code,
            finished: &self.finished,
            seconds: self.seconds,
            version: env!("CARGO_PKG_VERSION"),
            facts: &self.facts,
            error: self.error,
            job_url: self.job_url.as_deref(),
        };
        serde_json::to_string(&document).unwrap_or_default()
    }
}

impl Facts {
    fn sentence(&self) -> String {
        let mut parts = Vec::new();
        if let Some(Steps { changed, failed, not_begun, later, left_out }) = &self.steps {
            parts.push(format!("{changed} changed"));
            let others = [(failed, "failed"), (not_begun, "not begun"), (later, "to do later"), (left_out, "left out")];
            parts.extend(others.iter().filter(|(count, _)| **count > 0).map(|(count, what)| format!("{count} {what}")));
        }
        if let Some(Drift { resources, unread }) = &self.drift {
            parts.push(format!("differences in {}", counted(*resources as u64, "resource")));
            parts.extend((*unread > 0).then(|| format!("{unread} could not be read")));
        }
        if let Some(Logins { admitted, refused }) = &self.logins {
            let named = [("admitted by", admitted), ("refused by", refused)];
            let named = named.iter().filter(|(_, regions)| !regions.is_empty());
            parts.extend(named.map(|(how, regions)| format!("a canary was {how} {}", regions.join(", "))));
        }
        parts.join(", ")
    }
}

/// The text without what chats take for a mention or a link (Slack API, "Formatting text": these three characters are
/// escaped).
fn for_chats(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::spec;

    fn environment() -> Environment {
        spec::load(include_str!("../../../environments/99.yaml"), "99.yaml").unwrap()
    }

    fn ended<'a>(command: &'a str, exit_code: u8) -> Ended<'a> {
        Ended { command, exit_code, finished: "2026-11-30T18:00:00Z".to_owned(), seconds: 42, ..Ended::default() }
    }

    #[test]
    fn ends_are_told_by_command_and_exit_code() {
        let end = |command, code| ended(command, code).end();
        assert_eq!(end("deploy", 0), Some(End::Success));
        for code in [1, 2, 5, 6, 130] {
            assert_eq!(end("deploy", code), Some(End::Failure), "{code}");
        }
        assert_eq!(end("deploy", 3), None, "nobody needs to be told what they have refused");
        assert_eq!((end("drift", 4), end("drift", 0)), (Some(End::Drift), Some(End::Success)));
    }

    #[test]
    fn the_document_is_whole_and_its_text_harmless() {
        let environment = environment();
        let steps = Steps { changed: 3, failed: 1, not_begun: 2, ..Steps::default() };
        let run = Ended {
            error: Some("<!channel> & \u{1b}[31m\nmore"),
            facts: Facts { steps: Some(steps), ..Facts::default() },
            job_url: Some("https://ci.example.com/1".to_owned()),
            ..ended("deploy", 6)
        };
        let document: Value = serde_json::from_str(&run.document(&environment)).unwrap();
        let text = "sftpctl deploy of environment 99 failed with exit code 6: 3 changed, 1 failed, 2 not begun. Error: \
                    &lt;!channel&gt; &amp; \\u{1b}[31m. https://ci.example.com/1";
        assert_eq!(document["text"], text);
        assert_eq!((&document["schema"], &document["end"]), (&json!(SCHEMA), &json!("failure")));
        assert_eq!((&document["exitCode"], &document["seconds"]), (&json!(6), &json!(42)));
        assert_eq!(document["steps"]["notBegun"], 2);
        assert_eq!(document["jobUrl"], "https://ci.example.com/1");
        assert!(document.get("drift").is_none() && document.get("logins").is_none(), "{document}");
        assert_eq!(run.subject(&environment), "sftpctl deploy, environment 99: failure");

        let steps = Steps { changed: 3, later: 1, ..Steps::default() };
        let run = Ended { facts: Facts { steps: Some(steps), ..Facts::default() }, ..ended("deploy", 6) };
        let part = "sftpctl deploy of environment 99 is done in part (exit code 6): 3 changed, 1 to do later";
        assert_eq!(run.sentence(&environment), part);

        let long = "x".repeat(10_000);
        let run = Ended { error: Some(&long), ..ended("verify", 1) };
        assert_eq!(run.sentence(&environment).chars().count(), TEXT);
        let drift = Drift { resources: 1, unread: 2 };
        let run = Ended { facts: Facts { drift: Some(drift), ..Facts::default() }, ..ended("drift", 4) };
        let expected = "environment 99 was changed outside sftpctl: differences in 1 resource, 2 could not be read";
        assert_eq!(run.sentence(&environment), expected);
        let logins = Logins { admitted: vec!["us-west-2".into()], refused: vec!["us-east-2".into()] };
        let run = Ended { facts: Facts { logins: Some(logins), ..Facts::default() }, ..ended("verify", 1) };
        let said = run.sentence(&environment);
        assert!(said.ends_with("a canary was admitted by us-west-2, a canary was refused by us-east-2"), "{said}");
    }
}
