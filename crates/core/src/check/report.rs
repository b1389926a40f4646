//! The checks of an environment, and what they amount to. Pure.

use serde::Serialize;

use super::{Check, CheckIgnore, Status};

/// The result of `doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub environment: String,
    pub account: String,
    /// Sorted by code, then region.
    pub checks: Vec<Check>,
    /// Rules of the environment file's ignore list whose check found nothing.
    pub unused_ignores: Vec<String>,
    /// The last line.
    pub verdict: String,
}

impl Report {
    /// Sorts the checks, marks those that `rules` ignore, and counts them.
    pub fn new(environment: &str, account: &str, mut checks: Vec<Check>, rules: &[CheckIgnore]) -> Self {
        checks.sort_by(|a, b| (a.id, &a.region).cmp(&(b.id, &b.region)));
        let mut used = vec![false; rules.len()];
        for check in checks.iter_mut().filter(|check| matches!(check.status, Status::Warning | Status::Failed)) {
            for (rule, used) in rules.iter().zip(&mut used) {
                if rule.covers(check) {
                    *used = true;
                    check.ignored.get_or_insert_with(|| rule.reason.clone());
                }
            }
        }
        // Without an answer, a rule may still be needed.
        let is_open = |rule: &CheckIgnore| {
            checks.iter().any(|check| rule.covers(check) && matches!(check.status, Status::Unknown | Status::Skipped))
        };
        let unused = rules.iter().zip(&used).filter(|(rule, used)| !**used && !is_open(rule));
        let unused_ignores = unused.map(|(rule, _)| rule.name()).collect();
        let verdict = verdict(environment, &checks);
        Self { environment: environment.to_owned(), account: account.to_owned(), checks, unused_ignores, verdict }
    }

    /// The findings of this kind in a sentence each; the same finding in several regions is one:
    /// `us-east-2, us-west-2: Transfer servers: need 1, free 0 of 50 (D010-servers)`.
    pub fn sentences(&self, status: Status) -> Vec<String> {
        let mut found: Vec<(&Check, Vec<&str>)> = Vec::new();
        for check in self.checks.iter().filter(|check| check.counts() && check.status == status) {
            let region = check.region.as_deref();
            match found.iter_mut().find(|(other, _)| other.id == check.id && other.evidence == check.evidence) {
                Some((_, regions)) => regions.extend(region),
                None => found.push((check, region.into_iter().collect())),
            }
        }
        let sentence = |(check, regions): (&Check, Vec<&str>)| {
            let regions = if regions.is_empty() { String::new() } else { format!("{}: ", regions.join(", ")) };
            format!("{regions}{}: {} ({})", check.title, check.evidence, check.id)
        };
        found.into_iter().map(sentence).collect()
    }

    /// Whether nothing is known to stop a deployment.
    pub fn is_fit(&self) -> bool {
        !self.checks.iter().any(|check| check.counts() && check.status == Status::Failed)
    }
}

/// One sentence: whether the environment can be deployed, and what could not be found out.
fn verdict(environment: &str, checks: &[Check]) -> String {
    let count = |status: Status| checks.iter().filter(|check| check.counts() && check.status == status).count();
    let (failed, warnings) = (count(Status::Failed), count(Status::Warning));
    let unknown = checks.iter().filter(|check| check.status == Status::Unknown).count();
    let skipped = checks.iter().filter(|check| check.status == Status::Skipped).count();
    let ignored = checks.iter().filter(|check| check.ignored.is_some()).count();
    let numbers = [(warnings, "warned"), (ignored, "ignored"), (unknown, "unknown"), (skipped, "skipped")];
    let rest: Vec<String> =
        numbers.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let rest = if rest.is_empty() { String::new() } else { format!(": {}", rest.join(", ")) };
    let all = checks.len();
    match failed {
        0 => format!("Nothing known stops a deployment of environment {environment} ({all} checks{rest})."),
        1 => format!("1 finding stops a deployment of environment {environment} ({all} checks{rest})."),
        _ => format!("{failed} findings stop a deployment of environment {environment} ({all} checks{rest})."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Definition;

    fn rule(check: &str, region: Option<&str>) -> CheckIgnore {
        CheckIgnore { check: check.into(), region: region.map(str::to_owned), reason: "asked for more".into() }
    }

    fn findings() -> Vec<Check> {
        vec![
            Check::failed(&Definition::CONCURRENCY, Some("us-west-2"), "a"),
            Check::failed(&Definition::CONCURRENCY, Some("us-east-1"), "b"),
            Check::warning(&Definition::CLOCK, None, "c"),
            Check::unknown(&Definition::SERVERS, Some("us-east-1"), "d"),
        ]
    }

    #[test]
    fn ignored_findings_do_not_stop_a_deployment() {
        let report = |rules: &[CheckIgnore]| Report::new("99", "111111111111", findings(), rules);
        let one = report(&[rule("D012-lambda-concurrency", Some("us-east-1"))]);
        assert!(!one.is_fit() && one.verdict.starts_with("1 finding stops"), "{}", one.verdict);
        assert_eq!(one.checks.iter().map(|check| check.id).next(), Some("D003-clock"), "sorted by code");
        let all = report(&[rule("D012", None)]);
        assert!(all.is_fit(), "{}", all.verdict);
        assert!(all.verdict.ends_with("(4 checks: 1 warned, 2 ignored, 1 unknown)."), "{}", all.verdict);
    }

    #[test]
    fn one_finding_in_several_regions_is_one_sentence() {
        let mut checks = findings();
        checks.push(Check::failed(&Definition::CONCURRENCY, Some("eu-west-1"), "a"));
        let report = Report::new("99", "111111111111", checks, &[]);
        assert_eq!(
            report.sentences(Status::Failed),
            [
                "eu-west-1, us-west-2: Lambda's concurrency: a (D012-lambda-concurrency)",
                "us-east-1: Lambda's concurrency: b (D012-lambda-concurrency)",
            ]
        );
    }

    #[test]
    fn rules_without_a_finding_are_reported_unless_the_answer_is_unknown() {
        let rules = [rule("D001", None), rule("D012", Some("eu-west-1")), rule("D010", None), rule("D003", None)];
        let report = Report::new("99", "111111111111", findings(), &rules);
        assert_eq!(report.unused_ignores, ["D001", "D012 in eu-west-1"]);
    }
}
