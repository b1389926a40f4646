//! Items with attributes for which the authorizer refuses every log-in, and what of a row repairs them. Pure.

use sftp_authorizer::{Account, Item};

use super::compare::{CREATED, PASSWORD, Terms, UPDATED, Verdict};
use super::row::Field;

/// The attribute with the public keys.
const KEYS: &str = "publicKeys";

/// An attribute that is to be replaced, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) attribute: &'static str,
    /// A sentence.
    words: String,
}

/// Why nobody can log in with an item, attribute by attribute. The attributes of the row, a valid account, replace those
/// that are wrong until the item is one, too.
pub(super) fn faults(row: &Item, item: &Item) -> Vec<Fault> {
    let (mut repaired, mut faults) = (item.clone(), Vec::<Fault>::new());
    let mut repair = |repaired: &mut Item, attribute: &'static str, words: String| {
        let is_first = faults.iter().all(|fault: &Fault| fault.attribute != attribute);
        if is_first {
            match row.get(attribute) {
                Some(value) => repaired.insert(attribute.to_owned(), value.clone()),
                None => repaired.remove(attribute),
            };
            faults.push(Fault { attribute, words });
        }
        is_first
    };
    let account = loop {
        let error = match Account::from_item(&repaired) {
            Ok(account) => break account,
            Err(error) => error,
        };
        // Of a row with keys alone, the keys are what is missing.
        let is_key = error.attribute == PASSWORD && [&repaired, row].iter().all(|of| !of.contains_key(PASSWORD));
        let attribute = if is_key { KEYS } else { error.attribute };
        if !repair(&mut repaired, attribute, error.to_string()) {
            return faults;
        }
    };
    let unusable = account.faults();
    let has_password = account.password.is_some() && unusable.iter().all(|fault| fault.attribute != PASSWORD);
    if !has_password && account.admissible_keys().is_empty() {
        for fault in unusable {
            repair(&mut repaired, fault.attribute, fault.to_string());
        }
    }
    faults
}

/// What an import does with a row whose item has these faults. `differing` are the attributes in which they differ;
/// `source_is_same` says whether the row is still as it was imported, `item_is_same` whether the item is.
pub(super) fn verdict(
    faults: &[Fault],
    terms: &Terms,
    differing: &[&'static str],
    [source_is_same, item_is_same]: [bool; 2],
) -> Verdict {
    let words: Vec<&str> = faults.iter().map(|fault| fault.words.as_str()).collect();
    let what = format!("nobody can log in with the item in the table: {}", words.join(", "));
    let is_decided = |name: &str| terms.attributes.contains(&name) || [CREATED, UPDATED].contains(&name);
    if let Some(fault) = faults.iter().find(|fault| !is_decided(fault.attribute)) {
        let column = Field::ALL.iter().find(|field| field.attribute() == fault.attribute).map(|field| field.as_str());
        let column = column.unwrap_or(fault.attribute);
        return Verdict::Malformed(format!(
            "{what}. The source does not say what it should be: give it a column `{column}`, or a value in a mapping \
             file, and pass --overwrite"
        ));
    }
    if !terms.overwrite {
        return Verdict::Malformed(format!("{what}; pass --overwrite to replace it by what the source has"));
    }
    let mut attributes: Vec<String> = faults.iter().map(|fault| fault.attribute.to_owned()).collect();
    if !source_is_same {
        attributes.extend(differing.iter().filter(|name| !is_in(faults, name)).map(|name| (*name).to_owned()));
    }
    // What else somebody has changed in the item stays, and is still newer than the import.
    Verdict::Repaired { attributes, is_newer: source_is_same && !item_is_same }
}

fn is_in(faults: &[Fault], name: &str) -> bool {
    faults.iter().any(|fault| fault.attribute == name)
}

#[cfg(test)]
mod tests {
    use sftp_authorizer::Attribute;

    use super::*;

    const HASH: &str = "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==";
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn text(text: &str) -> Attribute {
        Attribute::Text(text.to_owned())
    }

    fn item(added: &[(&str, Attribute)]) -> Item {
        let all = [
            ("orgid", Attribute::Number("1".into())),
            ("username", text("jan")),
            ("HomeDirectory", text("/bkt/1")),
            ("status", text("active")),
        ];
        all.iter().chain(added).map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn every_fault_is_found_and_the_row_repairs_them() {
        let texts = |some: &[&str]| Attribute::Texts(some.iter().map(|text| (*text).to_owned()).collect());
        let with_password = item(&[("password", text(HASH))]);
        let with_key = item(&[(KEYS, texts(&[KEY]))]);
        let none: &[&str] = &[];
        for (row, wrong, expected) in [
            (&with_password, vec![("password", text(HASH))], none),
            (&with_password, vec![("password", text(HASH)), ("status", text("on"))], &["status"]),
            (
                &with_password,
                vec![("password", text(HASH)), ("allowedSources", texts(&["x"])), ("regions", texts(&[]))],
                &["allowedSources", "regions"],
            ),
            (&with_password, vec![], &["password"]),
            (&with_key, vec![], &[KEYS]),
            (&with_key, vec![("password", Attribute::Other)], &["password", KEYS]),
            (&with_password, vec![("password", text("no hash"))], &["password"]),
            (&with_password, vec![("password", text("no hash")), (KEYS, texts(&[KEY]))], none),
            (&with_password, vec![("password", text(HASH)), (KEYS, texts(&["no key"]))], none),
            (
                &with_password,
                vec![("password", text(HASH)), ("createdAt", Attribute::Other), ("updatedAt", Attribute::Other)],
                &["createdAt", "updatedAt"],
            ),
        ] {
            let wrong = item(&wrong);
            let found = faults(row, &wrong);
            assert_eq!(found.iter().map(|fault| fault.attribute).collect::<Vec<_>>(), expected, "{wrong:?}");
            let mut repaired = wrong.clone();
            for name in expected {
                match row.get(*name) {
                    Some(value) => repaired.insert((*name).to_owned(), value.clone()),
                    None => repaired.remove(*name),
                };
            }
            assert!(faults(row, &repaired).is_empty(), "{repaired:?}");
        }
        let mut nameless = with_password.clone();
        nameless.remove("username");
        assert_eq!(faults(&with_password, &nameless).first().map(|fault| fault.attribute), Some("username"));
    }
}
