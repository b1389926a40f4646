//! The report of `doctor` as text. Pure.

use std::fmt::Write as _;

use sftpctl_core::check::{Check, Report, Status};

/// The findings with what to do about them, then one line of verdict. `all`: every check.
pub fn render(report: &Report, all: bool) -> String {
    let mut text = String::new();
    for check in report.checks.iter().filter(|check| all || check.counts()) {
        line(&mut text, check);
    }
    let unknown: Vec<&str> =
        report.checks.iter().filter(|check| check.status == Status::Unknown).map(|check| check.id).collect();
    if !all && !unknown.is_empty() {
        let mut codes = unknown;
        codes.dedup();
        let _ = writeln!(text, "unknown  {} (--all says why)", codes.join(", "));
    }
    for rule in &report.unused_ignores {
        let _ = writeln!(text, "note     the `ignore` rule {rule} matches nothing");
    }
    text + &report.verdict
}

fn line(text: &mut String, check: &Check) {
    let word = match (&check.ignored, check.status) {
        (Some(_), _) => "ignored",
        (None, Status::Ok) => "ok",
        (None, Status::Skipped) => "skipped",
        (None, Status::Unknown) => "unknown",
        (None, Status::Warning) => "warning",
        (None, Status::Failed) => "failed",
    };
    let region = check.region.as_ref().map(|region| format!("{region}: ")).unwrap_or_default();
    let _ = writeln!(text, "{word:<8} {} {region}{}: {}", check.id, check.title, check.evidence);
    if let Some(reason) = &check.ignored {
        let _ = writeln!(text, "         ignored: {reason}");
    } else if let Some(hint) = &check.hint {
        let _ = writeln!(text, "         hint: {hint}");
    }
}

#[cfg(test)]
mod tests {
    use sftpctl_core::check::Definition;

    use super::*;

    #[test]
    fn findings_are_shown_with_hints_and_the_rest_only_on_request() {
        let checks = vec![
            Check::ok(&Definition::ACCOUNT, None, "111111111111"),
            Check::failed(&Definition::SERVERS, Some("us-west-2"), "need 1, free 0 of 50").hint("ask for more"),
            Check::unknown(&Definition::DELEGATION, None, "the parent is elsewhere"),
        ];
        let report = Report::new("99", "111111111111", checks, &[]);
        assert_eq!(
            render(&report, false),
            "failed   D010-servers us-west-2: Transfer servers: need 1, free 0 of 50\n         hint: ask for more\n\
             unknown  D041-delegation (--all says why)\n\
             1 finding stops a deployment of environment 99 (3 checks: 1 unknown)."
        );
        let all = render(&report, true);
        assert!(all.starts_with("ok       D002-account AWS account: 111111111111\n"), "{all}");
        assert!(all.contains("unknown  D041-delegation delegation of the hosted zone: the parent"), "{all}");
    }
}
