//! What becomes of a server's host keys: those that the environment names are there, others of their kinds are not, and
//! what this environment once imported goes with its line in the file. Pure.
//!
//! Which keys are ours is written into their descriptions, which AWS lists with them. A key that carries no mark of ours,
//! of a kind that the environment does not name, is somebody else's or AWS's own and stays.

use crate::host_keys::HostKey;
use sftpctl_aws::HostKeyFacts;

/// The most that a description holds ("HostKeyDescription" in the API reference).
const MOST: usize = 200;

/// Whose a server's keys are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whose<'a> {
    /// The environment.
    pub(super) environment: &'a str,
    /// The keys it names.
    pub(super) wanted: &'a [HostKey],
    /// Whether one was given to `CreateServer`, which takes no description.
    pub(super) made_here: bool,
}

/// What is to be done, in this order: a server presents the oldest key of each kind, and always has one.
#[derive(Debug, Default)]
pub(super) struct Changes<'a> {
    /// Keys that are not there.
    pub(super) import: Vec<&'a HostKey>,
    /// Ids of keys that are ours and don't say so, with what they shall say.
    pub(super) mark: Vec<(String, String)>,
    /// Ids of keys that go.
    pub(super) delete: Vec<String>,
    /// The keys that we have a say in, for a person.
    pub(super) shown: Vec<String>,
}

impl<'a> Whose<'a> {
    /// What a key of ours is described as.
    pub(super) fn description(&self, key: &HostKey) -> String {
        let printable = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
        format!("{}{}", self.mark(), key.source).chars().map(printable).take(MOST).collect()
    }

    fn mark(&self) -> String {
        format!("sftpctl {}: ", self.environment)
    }

    /// Compares what is there with what is wanted. An environment that names no keys has no say in any.
    pub(super) fn changes(&self, present: &[HostKeyFacts]) -> Changes<'a> {
        let mut changes = Changes::default();
        if self.wanted.is_empty() {
            return changes;
        }
        let is_there = |wanted: &&HostKey| present.iter().any(|key| key.fingerprint == wanted.fingerprint);
        changes.import = self.wanted.iter().filter(|wanted| !is_there(wanted)).collect();
        for key in present {
            if let Some(wanted) = self.wanted.iter().find(|wanted| wanted.fingerprint == key.fingerprint) {
                let unmarked = self.made_here && key.description.is_empty();
                if unmarked {
                    changes.mark.push((key.id.clone(), self.description(wanted)));
                }
                let note = if unmarked { " (not described yet)" } else { "" };
                changes.shown.push(format!("{}{note}", key.fingerprint));
            } else if self.wanted.iter().any(|wanted| wanted.kind == key.kind)
                || key.description.starts_with(&self.mark())
            {
                changes.delete.push(key.id.clone());
                changes.shown.push(key.fingerprint.clone());
            }
        }
        changes.shown.sort();
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(kind: &str, fingerprint: &str) -> HostKey {
        HostKey {
            source: format!("file:{kind}"),
            kind: kind.to_owned(),
            fingerprint: fingerprint.to_owned(),
            private: String::new().into(),
        }
    }

    fn present(kind: &str, fingerprint: &str, description: &str) -> HostKeyFacts {
        HostKeyFacts {
            id: format!("hostkey-{fingerprint}"),
            fingerprint: fingerprint.to_owned(),
            kind: kind.to_owned(),
            description: description.to_owned(),
        }
    }

    /// Imported, described and deleted keys, and those that are shown.
    fn changes(wanted: &[HostKey], made_here: bool, present: &[HostKeyFacts]) -> [Vec<String>; 4] {
        let whose = Whose { environment: "99", wanted, made_here };
        let found = whose.changes(present);
        let import = found.import.iter().map(|key| key.fingerprint.clone()).collect();
        let mark = found.mark.into_iter().map(|(id, text)| format!("{id} {text}")).collect();
        [import, mark, found.delete, found.shown]
    }

    fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
        texts.map(str::to_owned).to_vec()
    }

    #[test]
    fn only_our_own_key_goes_with_its_line() {
        let file = [wanted("ssh-ed25519", "E")];
        let there = [
            present("ssh-ed25519", "E", "sftpctl 99: file:ssh-ed25519"),
            present("ssh-rsa", "R", "sftpctl 99: file:ssh-rsa"),
            present("ssh-rsa", "S", "sftpctl 990: file:ssh-rsa"),
            present("ecdsa-sha2-nistp256", "C", "by hand"),
            present("ecdsa-sha2-nistp384", "D", ""),
        ];
        let none = Vec::<String>::new();
        assert_eq!(changes(&file, true, &there), [none.clone(), none.clone(), texts(["hostkey-R"]), texts(["E", "R"])]);
        assert_eq!(changes(&[], true, &there), [none.clone(), none.clone(), none.clone(), none]);
    }

    #[test]
    fn others_of_a_kind_make_room() {
        let file = [wanted("ssh-ed25519", "E")];
        let there = [present("ssh-ed25519", "F", "by hand"), present("ssh-rsa", "R", "")];
        assert_eq!(changes(&file, false, &there), [texts(["E"]), vec![], texts(["hostkey-F"]), texts(["F"])]);
    }

    #[test]
    fn the_key_of_a_server_that_we_made_is_marked() {
        let file = [wanted("ssh-ed25519", "E")];
        let there = [present("ssh-ed25519", "E", "")];
        let marked = texts(["hostkey-E sftpctl 99: file:ssh-ed25519"]);
        assert_eq!(changes(&file, true, &there), [vec![], marked, vec![], texts(["E (not described yet)"])]);
        // What was there before us is not ours, although the file names it.
        assert_eq!(changes(&file, false, &there), [vec![], vec![], vec![], texts(["E"])]);
        let there = [present("ssh-ed25519", "E", "theirs")];
        assert_eq!(changes(&file, true, &there), [vec![], vec![], vec![], texts(["E"])]);
    }

    #[test]
    fn a_description_is_one_that_aws_takes() {
        let mut key = wanted("ssh-rsa", "R");
        key.source = format!("file:/etc/schlüssel/{}", "x".repeat(300));
        let text = Whose { environment: "99", wanted: &[], made_here: true }.description(&key);
        assert!(text.starts_with("sftpctl 99: file:/etc/schl?ssel/x") && text.len() == MOST, "{text}");
    }
}
