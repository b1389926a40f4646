//! A row against the item that the table has for it. Pure.
//!
//! An import leaves two attributes in an item: the digest of the row, and the time of that write, which equals the
//! time of the last change until somebody else changes the item. So there are three versions to compare, as in a merge:
//! the row as it was imported, the row now, and the item now.

use sftp_authorizer::password::Scheme;
use sftp_authorizer::{Attribute, Item};

use super::digest::DigestKey;
use super::malformed;

/// The digest of the row that the item was made from.
pub(crate) const DIGEST: &str = "importDigest";
/// The time of the import's write; as long as it equals the item's last change, nobody else has changed it.
pub(crate) const IMPORTED: &str = "importedAt";
/// The name of the source that brought the account; absent in accounts of older imports, which are any source's.
pub(crate) const SOURCE: &str = "importSource";
/// The time of the item's last change.
pub(crate) const UPDATED: &str = "updatedAt";
/// The time at which the item was created.
pub(crate) const CREATED: &str = "createdAt";
/// The home folder.
pub(crate) const HOME: &str = "HomeDirectory";
/// The stored password.
pub(crate) const PASSWORD: &str = "password";

/// What an import does with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The table has no such account.
    New,
    /// The table has what the source says.
    Same,
    /// The same, but the item's digest is of another key, or its password had to be computed, or it lacks the name of its
    /// source: both are written anew, so that the next run need not compute, and knows whose the account is.
    Renewed,
    /// Whether the item's hardened password is over the row's hash decides, and has to be computed.
    Unproven,
    /// The source has changed since the last import, and the item has not: these attributes are written.
    Changed(Vec<String>),
    /// The item was changed after the import, and the source was not: the item is newer, and stays.
    Newer,
    /// Both have changed, or the item was not imported: nothing says which is right. The attributes that differ.
    Conflict(Vec<String>),
    /// Nobody can log in with the item: why, and what to do.
    Malformed(String),
    /// The same, and these attributes of the source repair it.
    Repaired {
        attributes: Vec<String>,
        /// Whether somebody has changed the item otherwise since the import, and the source has not: it stays newer.
        is_newer: bool,
    },
}

/// The rules of a comparison.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) key: DigestKey,
    /// The attributes that the source decides on.
    pub(super) attributes: Vec<&'static str>,
    /// Whether the source wins a conflict.
    pub(super) overwrite: bool,
    /// The name of the source.
    pub(super) source: String,
    /// The one that earlier versions gave to it, and to others.
    pub(super) former: Option<String>,
}

impl Terms {
    /// The other source that brought an item.
    pub(super) fn other_source<'a>(&self, item: &'a Item) -> Option<&'a str> {
        text(item, SOURCE).filter(|source| *source != self.source)
    }

    /// Whether an item has the name that earlier versions gave to this source, among others.
    pub(super) fn has_former_name(&self, item: &Item) -> bool {
        self.other_source(item).is_some_and(|other| self.former.as_deref() == Some(other))
    }
}

/// Whether an item's password is hardened and over a row's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// Not computed yet.
    None,
    Over,
    NotOver,
}

/// Compares a row, as an item with its digest, with the item in the table.
pub(super) fn compare(row: &Item, item: Option<&Item>, terms: &Terms, proof: Proof) -> Verdict {
    let Some(item) = item else { return Verdict::New };
    // To this source, an account of another one was never imported.
    let is_own = terms.other_source(item).is_none();
    let base = text(item, DIGEST).filter(|digest| is_own && terms.key.made(digest));
    let mut differing: Vec<&'static str> = terms.attributes.clone();
    differing.retain(|name| !is_same(name, row.get(*name), item.get(*name)));
    let source_is_same = base.is_some() && base == text(row, DIGEST);
    let item_is_same = is_own && text(item, IMPORTED).is_some() && text(item, IMPORTED) == text(item, UPDATED);
    // Of a row that has changed, or whose digest is of another key, only the hash itself tells whether the password was
    // hardened or has changed; to write the source's hash over the one that was made from it would undo the hardening.
    let is_hardened = || text(item, PASSWORD).and_then(Scheme::of).is_some_and(|scheme| scheme.hardened);
    if !source_is_same && differing.contains(&PASSWORD) && row.contains_key(PASSWORD) && is_hardened() {
        match proof {
            Proof::None => return Verdict::Unproven,
            Proof::Over => differing.retain(|name| *name != PASSWORD),
            Proof::NotOver => {}
        }
    }
    let faults = malformed::faults(row, item);
    if !faults.is_empty() {
        return malformed::verdict(&faults, terms, &differing, [source_is_same, item_is_same]);
    }
    let some = || differing.iter().map(|name| (*name).to_owned()).collect();
    match (source_is_same, item_is_same) {
        // Of an import before sources had names; the digest proves that it is of this row.
        (true, true) if text(item, SOURCE).is_none() => Verdict::Renewed,
        (true, true) => Verdict::Same,
        (_, true) if differing.is_empty() && (base.is_none() || proof == Proof::Over) => Verdict::Renewed,
        (_, _) if differing.is_empty() => Verdict::Same,
        (true, false) => Verdict::Newer,
        // Without a digest of this key it is not known whether the source has changed; the item is as imported.
        (false, is_same) if is_same || terms.overwrite => Verdict::Changed(some()),
        (false, _) => Verdict::Conflict(some()),
    }
}

/// Whether an item was imported with another key.
pub(super) fn has_other_key(item: &Item, key: &DigestKey) -> bool {
    text(item, DIGEST).is_some_and(|digest| !key.made(digest))
}

/// Whether an attribute of the source and of the item mean the same. A password counts as the same if the item has the
/// hash itself; whether a hardened one is over it is not computed here.
fn is_same(name: &str, row: Option<&Attribute>, item: Option<&Attribute>) -> bool {
    match (name, row, item) {
        ("status", None, Some(Attribute::Text(status))) => status == "active",
        ("status", Some(Attribute::Text(status)), None) => status == "active",
        (_, Some(Attribute::Texts(row)), Some(Attribute::Texts(item))) => {
            let sorted = |texts: &[String]| {
                let mut texts = texts.to_vec();
                texts.sort();
                texts
            };
            sorted(row) == sorted(item)
        }
        (_, row, item) => row == item,
    }
}

/// A text attribute.
pub(crate) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    match item.get(name) {
        Some(Attribute::Text(text)) => Some(text),
        _ => None,
    }
}

/// The digest of a row's attributes.
pub(super) fn digest(row: &Item, terms: &Terms) -> String {
    let texts: Vec<(&str, String)> = terms
        .attributes
        .iter()
        .filter_map(|name| {
            let value = match row.get(*name)? {
                Attribute::Text(text) | Attribute::Number(text) => text.clone(),
                Attribute::Texts(texts) => texts.join("\n"),
                Attribute::Other => return None,
            };
            Some((*name, value))
        })
        .collect();
    terms.key.digest(texts.iter().map(|(name, value)| (*name, value.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hash as the old server has it.
    fn hash(of: &str) -> String {
        sftp_authorizer::password::legacy(of)
    }

    fn item(pairs: &[(&str, &str)]) -> Item {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Attribute::Text((*value).to_owned()))).collect()
    }

    fn terms() -> Terms {
        let attributes = vec!["username", "password", "HomeDirectory", "status", "publicKeys"];
        Terms { key: DigestKey::random(), attributes, overwrite: false, source: "a".into(), former: None }
    }

    /// A row, and the item that an import at `t1` made of it.
    fn imported(terms: &Terms, password: &str) -> (Item, Item) {
        let mut row =
            item(&[("username", "jan"), ("password", password), ("HomeDirectory", "/bkt/1"), ("status", "active")]);
        row.insert("orgid".into(), Attribute::Number("1".into()));
        let digest = digest(&row, terms);
        row.insert(DIGEST.into(), Attribute::Text(digest));
        let mut made = row.clone();
        made.extend(item(&[(IMPORTED, "t1"), (UPDATED, "t1"), (SOURCE, "a")]));
        (row, made)
    }

    #[test]
    fn three_versions_decide() {
        let terms = terms();
        let (row, made) = imported(&terms, &hash("one"));
        let (newer_row, _) = imported(&terms, &hash("newer"));
        let overwriting = Terms { overwrite: true, ..terms.clone() };
        let edit = |pairs: &[(&str, &str)]| {
            let mut edited = made.clone();
            edited.extend(item(pairs));
            edited
        };
        let password = vec!["password".to_owned()];
        let verdict = |row: &Item, item: &Item| compare(row, Some(item), &terms, Proof::None);
        assert_eq!(compare(&row, None, &terms, Proof::None), Verdict::New);
        assert_eq!(verdict(&row, &made), Verdict::Same);
        let mut nameless = made.clone();
        nameless.remove(SOURCE);
        assert_eq!(verdict(&row, &nameless), Verdict::Renewed, "it gets the source's name, once");
        assert_eq!(verdict(&newer_row, &made), Verdict::Changed(password.clone()));
        let changed = edit(&[("password", &hash("of users passwd")), (UPDATED, "t2")]);
        assert_eq!(verdict(&row, &changed), Verdict::Newer);
        assert_eq!(verdict(&newer_row, &changed), Verdict::Conflict(password.clone()));
        assert_eq!(compare(&newer_row, Some(&changed), &overwriting, Proof::None), Verdict::Changed(password.clone()));
        // Both were changed to the same.
        assert_eq!(verdict(&newer_row, &edit(&[("password", &hash("newer")), (UPDATED, "t2")])), Verdict::Same);
        // Hardened: another password, the same row.
        let wrapped = format!("{{sha224}}{}", sftp_authorizer::password::hash_random(hash("one"), &[7; 16]).unwrap());
        let hardened = edit(&[("password", &wrapped), (UPDATED, "t3"), (IMPORTED, "t3")]);
        assert_eq!(verdict(&row, &hardened), Verdict::Same);
        assert_eq!(verdict(&newer_row, &hardened), Verdict::Unproven);
        let proven = |row: &Item, proof| compare(row, Some(&hardened), &terms, proof);
        assert_eq!(proven(&newer_row, Proof::NotOver), Verdict::Changed(password.clone()));
        // Only the rest of the row has changed: the password stays hardened.
        let mut disabled = newer_row.clone();
        disabled.extend(item(&[("password", &hash("one")), ("status", "disabled")]));
        assert_eq!(proven(&disabled, Proof::Over), Verdict::Changed(vec!["status".to_owned()]));
        // Not imported: only what is equal is the same.
        let mut own = made.clone();
        own.remove(DIGEST);
        own.remove(IMPORTED);
        assert_eq!(verdict(&row, &own), Verdict::Same);
        own.extend(item(&[("password", &hash("other"))]));
        assert_eq!(verdict(&row, &own), Verdict::Conflict(password));
    }

    /// Another key, as after the loss of the first: the hardened password decides.
    #[test]
    fn a_lost_key_undoes_no_hardening() {
        let (first, second) = (terms(), terms());
        let hash = sftp_authorizer::password::legacy("secret");
        let hardened = format!("{{sha224}}{}", sftp_authorizer::password::hash_random(&hash, &[7; 16]).unwrap());
        let (_, mut made) = imported(&first, &hash);
        made.extend(item(&[("password", &hardened), (UPDATED, "t2"), (IMPORTED, "t2")]));
        assert!(has_other_key(&made, &second.key) && !has_other_key(&made, &first.key));
        let (row, _) = imported(&second, &hash);
        let verdict = |row: &Item, made: &Item, proof| compare(row, Some(made), &second, proof);
        assert_eq!(verdict(&row, &made, Proof::None), Verdict::Unproven);
        assert_eq!(verdict(&row, &made, Proof::Over), Verdict::Renewed);
        let password = vec!["password".to_owned()];
        assert_eq!(verdict(&row, &made, Proof::NotOver), Verdict::Changed(password.clone()), "the source has changed");
        // The rest of the row has changed: the password stays hardened.
        let mut other_row = row.clone();
        other_row.extend(item(&[("status", "disabled")]));
        assert_eq!(verdict(&other_row, &made, Proof::Over), Verdict::Changed(vec!["status".to_owned()]));
        // Somebody has changed the account: it stays, also if its password was replaced.
        let edited = made.iter().map(|(name, value)| (name.clone(), value.clone()));
        let mut edited: Item = edited.collect();
        edited.extend(item(&[(UPDATED, "t3")]));
        assert_eq!(verdict(&row, &edited, Proof::Over), Verdict::Same);
        assert_eq!(verdict(&row, &edited, Proof::NotOver), Verdict::Conflict(password.clone()));
        let overwriting = Terms { overwrite: true, ..second.clone() };
        assert_eq!(compare(&row, Some(&edited), &overwriting, Proof::None), Verdict::Unproven, "nor by --overwrite");
        let other = sftp_authorizer::password::hash_random("other", &[7; 16]).unwrap();
        edited.extend(item(&[("password", &other)]));
        assert_eq!(verdict(&row, &edited, Proof::None), Verdict::Conflict(password));
    }

    #[test]
    fn what_means_the_same_is_no_difference() {
        let terms = Terms { overwrite: true, ..terms() };
        let (mut row, mut made) = imported(&terms, &hash("one"));
        made.remove("status");
        made.remove(DIGEST);
        made.remove(IMPORTED);
        let texts = |texts: &[&str]| Attribute::Texts(texts.iter().map(|text| (*text).to_owned()).collect());
        row.insert("publicKeys".into(), texts(&["a", "b"]));
        made.insert("publicKeys".into(), texts(&["b", "a"]));
        assert_eq!(compare(&row, Some(&made), &terms, Proof::None), Verdict::Same);
        made.insert("publicKeys".into(), texts(&["b"]));
        assert_eq!(compare(&row, Some(&made), &terms, Proof::None), Verdict::Changed(vec!["publicKeys".to_owned()]));
    }
}
