//! What a restoration does to each file. Pure.

use serde::{Deserialize, Serialize};
use sftpctl_aws::VersionFacts;

use crate::history::show::Which;

/// What happens to a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Action {
    /// A version becomes the current one.
    Copy { version: String, size: u64 },
    /// The file did not exist then: it is marked as deleted.
    Remove,
}

/// A file that a restoration changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Step {
    pub key: String,
    pub action: Action,
    /// ETag of the current version; `None` if there is no file. Otherwise somebody has changed it since.
    pub current: Option<String>,
}

/// What a plan says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Change(Step),
    /// The current content is that of then.
    Same,
    /// The content may be that of then: the ETags of objects that were sent in parts say nothing. The ID of the version.
    Perhaps(Step),
    /// It did not exist then, and is kept.
    Kept,
    /// It neither exists nor did it then.
    Nothing,
}

/// The verdict on a file, by its versions, the newest first. With `exact`, what did not exist then is removed.
pub fn verdict(versions: &[VersionFacts], which: &Which, exact: bool) -> Verdict {
    let Some(newest) = versions.first() else { return Verdict::Nothing };
    let current = Some(newest).filter(|newest| !newest.deleted);
    let then = which.of(versions).filter(|then| !then.deleted);
    let step = |action| Step { key: newest.key.clone(), action, current: current.map(|current| current.etag.clone()) };
    let (current, then) = match (current, then) {
        (None, None) => return Verdict::Nothing,
        (Some(_), None) if exact => return Verdict::Change(step(Action::Remove)),
        (Some(_), None) => return Verdict::Kept,
        (current, Some(then)) => (current, then),
    };
    let copy = step(Action::Copy { version: then.id.clone(), size: then.size });
    match current {
        Some(current) if current.id == then.id => Verdict::Same,
        Some(current) if current.size != then.size => Verdict::Change(copy),
        Some(current) if current.etag == then.etag && !then.etag.is_empty() => Verdict::Same,
        Some(_) => Verdict::Perhaps(copy),
        None => Verdict::Change(copy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::export::tests::version;

    #[test]
    fn file_becomes_what_it_was() {
        let versions = [
            version("a", "4", 40, Some("two!")),
            version("a", "3", 30, None),
            version("a", "2", 20, Some("two")),
            version("a", "1", 10, Some("one")),
        ];
        let copy = |version: &str, current: Option<&str>| {
            let action = Action::Copy { version: version.into(), size: 3 };
            Step { key: "a".into(), action, current: current.map(str::to_owned) }
        };
        let remove = Step { key: "a".into(), action: Action::Remove, current: Some("two!".into()) };
        for (from, at, exact, expected) in [
            (0, 45, true, Verdict::Same),
            (0, 35, false, Verdict::Kept),
            (0, 35, true, Verdict::Change(remove.clone())),
            (0, 25, true, Verdict::Change(copy("2", Some("two!")))),
            (0, 10, true, Verdict::Change(copy("1", Some("two!")))),
            (0, 9, false, Verdict::Kept),
            (1, 25, true, Verdict::Change(copy("2", None))),
            (1, 35, true, Verdict::Nothing),
            (2, 15, true, Verdict::Perhaps(copy("1", Some("two")))),
        ] {
            assert_eq!(verdict(&versions[from..], &Which::At(at), exact), expected, "{from} at {at}");
        }
        let by_id = verdict(&versions, &Which::Version("1".into()), false);
        assert_eq!(by_id, Verdict::Change(copy("1", Some("two!"))));
        // Restored already: another version of the same content.
        let restored = [version("a", "5", 50, Some("one")), versions[3].clone()];
        assert_eq!(verdict(&restored, &Which::At(10), true), Verdict::Same);
    }
}
