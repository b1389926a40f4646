//! Faults as annotations of GitHub Actions: workflow commands that mark the line in a pull request. Pure.
//!
//! Syntax and escapes are those of GitHub's toolkit, `packages/core/src/command.ts`: in a message `%` is percent-encoded
//! (line ends are not left in it), in a property `:` and `,` too.

use std::path::Path;

use sftpctl_core::shown::Text;
use sftpctl_core::spec::Fault;

/// One `::error` line per fault. `path` is relative to the repository.
pub fn github(path: &str, faults: &[Fault]) -> Text {
    let lines: Vec<String> = faults
        .iter()
        .map(|fault| {
            let hint = fault.hint.as_ref().map(|hint| format!("%0A{}", message(hint))).unwrap_or_default();
            format!(
                "::error file={},line={},col={},title={}::{}{hint}",
                property(path),
                fault.line,
                fault.column,
                property("environment file"),
                message(&fault.message)
            )
        })
        .collect();
    Text::verbatim(lines.join("\n"))
}

/// The path relative to the repository's root, even if the job runs in a subfolder `here`.
pub fn within(workspace: Option<&Path>, here: &Path, path: &Path) -> String {
    let whole = here.join(path);
    let inside = workspace.and_then(|workspace| whole.strip_prefix(workspace).ok());
    inside.unwrap_or(path).display().to_string()
}

fn message(text: &str) -> String {
    Text::from(text).to_string().replace('%', "%25")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_relative_to_the_repository() {
        let path = Path::new("environments/99.yaml");
        assert_eq!(within(Some(Path::new("/w")), Path::new("/w/infra"), path), "infra/environments/99.yaml");
        assert_eq!(within(Some(Path::new("/other")), Path::new("/w"), path), "environments/99.yaml");
        assert_eq!(within(None, Path::new("/w"), path), "environments/99.yaml");
        assert_eq!(within(Some(Path::new("/w")), Path::new("/w"), Path::new("/w/x.yaml")), "x.yaml");
    }

    #[test]
    fn properties_and_messages_are_escaped() {
        let fault = Fault {
            message: "100% wrong: a,b".into(),
            hint: Some("try\rthis".into()),
            line: 3,
            column: 7,
            start: 0,
            end: 0,
            is_secret: false,
            is_unknown: false,
        };
        assert_eq!(
            github("a,b:c.yaml", &[fault]).to_string(),
            "::error file=a%2Cb%3Ac.yaml,line=3,col=7,title=environment file::100%25 wrong: a,b%0Atry\\u{d}this"
        );
    }
}
