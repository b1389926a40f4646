//! Changes to a server's host keys: keys in the environment file are imported; other keys of the same kinds are
//! deleted, as are keys that this environment imported and that are no longer in the file. Pure.
//!
//! The descriptions, which AWS lists with the keys, mark the keys that are ours. A key without our mark, of a kind that
//! is not in the environment file, is foreign or AWS's own and is kept.

use sftpctl_aws::HostKeyFacts;

use crate::host_keys::HostKey;

/// The longest description that AWS takes ("HostKeyDescription" in the API reference).
const MAX_DESCRIPTION: usize = 200;

/// Decides which keys of a server are ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnKeys<'a> {
    pub(super) environment: &'a str,
    /// The keys in the environment file.
    pub(super) wanted: &'a [HostKey],
    /// Whether sftpctl created the server: `CreateServer` takes a key, but not its description.
    pub(super) created_here: bool,
}

/// The changes, to be applied in this order: a server presents the oldest key of each kind, and always has one.
#[derive(Debug, Default)]
pub(super) struct Changes<'a> {
    /// Keys that the server does not have.
    pub(super) import: Vec<&'a HostKey>,
    /// IDs of keys that are ours without our mark, with their new descriptions.
    pub(super) mark: Vec<(String, String)>,
    /// IDs of keys to delete.
    pub(super) delete: Vec<String>,
    /// The managed keys, for the plan.
    pub(super) shown: Vec<String>,
}

impl<'a> OwnKeys<'a> {
    pub(super) fn description(&self, key: &HostKey) -> String {
        let printable = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
        format!("{}{}", self.mark(), key.source).chars().map(printable).take(MAX_DESCRIPTION).collect()
    }

    fn mark(&self) -> String {
        format!("sftpctl {}: ", self.environment)
    }

    /// Compares the server's keys with the wanted ones. Without keys in the environment file no key is managed.
    pub(super) fn changes(&self, present: &[HostKeyFacts]) -> Changes<'a> {
        let mut changes = Changes::default();
        if self.wanted.is_empty() {
            return changes;
        }
        let is_present = |wanted: &&HostKey| present.iter().any(|key| key.fingerprint == wanted.fingerprint);
        changes.import = self.wanted.iter().filter(|wanted| !is_present(wanted)).collect();
        for key in present {
            if let Some(wanted) = self.wanted.iter().find(|wanted| wanted.fingerprint == key.fingerprint) {
                let unmarked = self.created_here && key.description.is_empty();
                if unmarked {
                    changes.mark.push((key.id.clone(), self.description(wanted)));
                }
                let note = if unmarked { " (not described yet)" } else { "" };
                changes.shown.push(format!("{}{note}", key.fingerprint));
            } else if let Some(wanted) = self.wanted.iter().find(|wanted| wanted.kind == key.kind) {
                // Customers trust it until its successor was seen on the server.
                if is_present(&wanted) {
                    changes.delete.push(key.id.clone());
                }
                changes.shown.push(key.fingerprint.clone());
            } else if key.description.starts_with(&self.mark()) {
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

    /// Keys that are imported, marked, deleted and shown.
    fn changes(wanted: &[HostKey], created_here: bool, present: &[HostKeyFacts]) -> [Vec<String>; 4] {
        let own = OwnKeys { environment: "99", wanted, created_here };
        let found = own.changes(present);
        let import = found.import.iter().map(|key| key.fingerprint.clone()).collect();
        let mark = found.mark.into_iter().map(|(id, text)| format!("{id} {text}")).collect();
        [import, mark, found.delete, found.shown]
    }

    fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
        texts.map(str::to_owned).to_vec()
    }

    #[test]
    fn only_our_own_key_is_deleted_with_its_line() {
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
    fn wanted_key_replaces_others_of_its_kind() {
        let file = [wanted("ssh-ed25519", "E")];
        let mut there = vec![present("ssh-ed25519", "F", "by hand"), present("ssh-rsa", "R", "")];
        // Not before its successor was seen.
        assert_eq!(changes(&file, false, &there), [texts(["E"]), vec![], vec![], texts(["F"])]);
        there.push(present("ssh-ed25519", "E", "sftpctl 99: file:ssh-ed25519"));
        assert_eq!(changes(&file, false, &there), [vec![], vec![], texts(["hostkey-F"]), texts(["E", "F"])]);
    }

    #[test]
    fn key_of_a_server_that_we_created_is_marked() {
        let file = [wanted("ssh-ed25519", "E")];
        let there = [present("ssh-ed25519", "E", "")];
        let marked = texts(["hostkey-E sftpctl 99: file:ssh-ed25519"]);
        assert_eq!(changes(&file, true, &there), [vec![], marked, vec![], texts(["E (not described yet)"])]);
        // A key that was there before is not ours, although it is in the file.
        assert_eq!(changes(&file, false, &there), [vec![], vec![], vec![], texts(["E"])]);
        let there = [present("ssh-ed25519", "E", "theirs")];
        assert_eq!(changes(&file, true, &there), [vec![], vec![], vec![], texts(["E"])]);
    }

    #[test]
    fn descriptions_are_printable_and_short() {
        let mut key = wanted("ssh-rsa", "R");
        key.source = format!("file:/etc/schlüssel/{}", "x".repeat(300));
        let text = OwnKeys { environment: "99", wanted: &[], created_here: true }.description(&key);
        assert!(text.starts_with("sftpctl 99: file:/etc/schl?ssel/x") && text.len() == MAX_DESCRIPTION, "{text}");
    }
}
