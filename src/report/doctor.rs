//! The report of `doctor` as text. Pure.

use sftpctl_core::check::{Check, Report, Status};
use sftpctl_core::shown::Text;

/// The findings with what to do about them, then one line of verdict. `all`: every check.
pub fn render(report: &Report, all: bool) -> Text {
    let mut text = Text::default();
    let shown: Vec<&Check> = report.checks.iter().filter(|check| all || check.counts()).collect();
    // Sorted by code, so the same result in several regions stands together.
    for same in shown.chunk_by(|a, b| is_same(a, b)) {
        line(&mut text, same);
    }
    let unknown: Vec<&str> =
        report.checks.iter().filter(|check| check.status == Status::Unknown).map(|check| check.id).collect();
    if !all && !unknown.is_empty() {
        let mut codes = unknown;
        codes.dedup();
        text.line(format!("unknown  {} (--all says why)", codes.join(", ")));
    }
    for rule in &report.unused_ignores {
        text.line(format!("note     the `ignore` rule {rule} matches nothing"));
    }
    text.line(&report.verdict);
    text
}

/// Whether two checks differ only in the region.
fn is_same(a: &Check, b: &Check) -> bool {
    (a.id, a.status, &a.evidence, &a.ignored) == (b.id, b.status, &b.evidence, &b.ignored)
}

/// Checks that differ only in the region. The hint is that of the first.
fn line(text: &mut Text, same: &[&Check]) {
    let [check, others @ ..] = same else { return };
    let word = match (&check.ignored, check.status) {
        (Some(_), _) => "ignored",
        (None, Status::Ok) => "ok",
        (None, Status::Skipped) => "skipped",
        (None, Status::Unknown) => "unknown",
        (None, Status::Warning) => "warning",
        (None, Status::Failed) => "failed",
    };
    let regions: Vec<&str> = same.iter().filter_map(|check| check.region.as_deref()).collect();
    let regions = if regions.is_empty() { String::new() } else { format!("{}: ", regions.join(", ")) };
    text.line(format!("{word:<8} {} {regions}{}: {}", check.id, check.title, check.evidence));
    if let Some(reason) = &check.ignored {
        text.line(format!("         ignored: {reason}"));
    } else if let Some(hint) = &check.hint {
        let each = others.iter().any(|other| other.hint.as_ref() != Some(hint));
        let also = if each { "; likewise in the other regions" } else { "" };
        text.line(format!("         hint: {hint}{also}"));
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
            Check::failed(&Definition::SERVERS, Some("us-east-1"), "need 1, free 0 of 50").hint("ask there"),
            Check::unknown(&Definition::DELEGATION, None, "the parent is elsewhere"),
        ];
        let report = Report::new("99", "111111111111", checks, &[]);
        assert_eq!(
            render(&report, false).to_string(),
            "failed   D010-servers us-east-1, us-west-2: Transfer servers: need 1, free 0 of 50\n         \
             hint: ask there; likewise in the other regions\n\
             unknown  D041-delegation (--all says why)\n\
             2 findings stop a deployment of environment 99 (4 checks: 1 unknown)."
        );
        let all = render(&report, true).to_string();
        assert!(all.starts_with("ok       D002-account AWS account: 111111111111\n"), "{all}");
        assert!(all.contains("unknown  D041-delegation delegation of the hosted zone: the parent"), "{all}");
    }
}
