//! What an item of the table is to hardening. Pure.

use sftp_authorizer::account::{ORG_ID, USERNAME};
use sftp_authorizer::password::{Form, HashProblem, Kept, Scheme, kept};
use sftp_authorizer::{Attribute, Item};

use super::Options;
use crate::import::compare::text;
use crate::key::is_reservation;

/// What an item is.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// Not a customer's account, or in another share.
    Other,
    /// It has no password.
    KeysOnly,
    /// Nobody can log in with its password.
    Unusable(HashProblem),
    /// Its password stays as it is.
    Kept(Scheme, Kept),
    /// Its password is to be hardened.
    Weak(Scheme),
}

/// What an item is; not a reservation of a name, nor a canary of `verify`.
pub(super) fn found(item: &Item, options: &Options) -> Found {
    let org_id = match item.get(ORG_ID) {
        Some(Attribute::Number(digits)) => digits.parse().unwrap_or(0),
        _ => 0,
    };
    if org_id <= 0 || is_reservation(item) || text(item, USERNAME).is_none() || !options.part.has(org_id) {
        return Found::Other;
    }
    let Some(stored) = text(item, "password").filter(|stored| !stored.is_empty()) else { return Found::KeysOnly };
    let scheme = || Scheme::of(stored).unwrap_or(Scheme { form: Form::Argon2id, hardened: false });
    match kept(stored, options.cost) {
        Err(problem) => Found::Unusable(problem),
        Ok(Some(kept)) => Found::Kept(scheme(), kept),
        Ok(None) => Found::Weak(scheme()),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use sftp_authorizer::password::{Cost, legacy};

    use super::super::part::Part;
    use super::*;

    #[test]
    fn only_customers_passwords_are_hardened() {
        let options =
            Options { cost: Cost::DEFAULT, cores: NonZeroUsize::MIN, part: Part::ALL, writes_per_second: None };
        let item = |org_id: &str, password: Option<&str>| {
            let mut item = Item::from([
                (ORG_ID.to_owned(), Attribute::Number(org_id.to_owned())),
                (USERNAME.to_owned(), Attribute::Text("jan".to_owned())),
            ]);
            item.extend(password.map(|stored| ("password".to_owned(), Attribute::Text(stored.to_owned()))));
            item
        };
        let old = legacy("secret");
        let sha224 = Scheme { form: Form::Sha224, hardened: false };
        assert_eq!(found(&item("7", Some(&old)), &options), Found::Weak(sha224));
        assert_eq!(found(&item("-7", Some(&old)), &options), Found::Other, "a canary");
        let mut reservation = item("7", Some(&old));
        reservation.insert("reserves".to_owned(), Attribute::Text("jan".to_owned()));
        assert_eq!(found(&reservation, &options), Found::Other);
        assert_eq!(found(&item("7", None), &options), Found::KeysOnly);
        assert_eq!(found(&item("7", Some("plain")), &options), Found::Unusable(HashProblem::Unknown));
        let ours = crate::password::hash("secret").unwrap();
        let argon2id = Scheme { form: Form::Argon2id, hardened: false };
        assert_eq!(found(&item("7", Some(&ours)), &options), Found::Kept(argon2id, Kept::Strong));
        let elsewhere = ["1/2", "2/2"].map(|part| {
            let options = Options { part: part.parse().unwrap(), ..options };
            found(&item("7", Some(&old)), &options)
        });
        assert!(elsewhere.contains(&Found::Other) && elsewhere.contains(&Found::Weak(sha224)), "{elsewhere:?}");
    }
}
