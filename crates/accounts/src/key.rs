//! The primary key of the account table, in both of its forms. Pure.

use sftp_authorizer::account::{ORG_ID, USERNAME};
use sftp_authorizer::{Account, Attribute, Item};
use sftpctl_core::spec::model::Environment;

use super::rules::reservation;

/// In a reservation: the organisation that has the name.
pub const RESERVED_BY: &str = "reservedBy";
/// In a reservation: the user name.
pub const RESERVES: &str = "reserves";

/// In a reservation: when its account, which was imported, was removed by an operator. No import brings it back.
pub(crate) const REMOVED: &str = "removedAt";

/// What identifies an item of the table. A table's key never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKey {
    /// `orgid`: an organisation has one account.
    Organisation,
    /// `orgid`, sorted by `username`: an organisation may have several.
    OrganisationAndName,
}

impl TableKey {
    /// The key of an environment's table.
    pub fn of(environment: &Environment) -> Self {
        if environment.accounts.many_per_organisation { Self::OrganisationAndName } else { Self::Organisation }
    }

    /// Whether user names are part of it.
    pub fn has_name(self) -> bool {
        self == Self::OrganisationAndName
    }

    /// The key of an account's item.
    pub fn key_of(self, account: &Account) -> Item {
        self.key(Attribute::Number(account.org_id.to_string()), &account.username)
    }

    /// The key of the account that an organisation (a number) has under a user name.
    pub fn key(self, org_id: Attribute, username: &str) -> Item {
        let mut key = Item::from([(ORG_ID.to_owned(), org_id)]);
        if self.has_name() {
            key.insert(USERNAME.to_owned(), Attribute::Text(username.to_owned()));
        }
        key
    }

    /// The key of an item that need not be a valid account.
    pub fn key_of_item(self, item: &Item) -> Item {
        let is_part = |name: &str| name == ORG_ID || (self.has_name() && name == USERNAME);
        item.iter().filter(|(name, _)| is_part(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The key of the item that reserves a user name ([`reservation`]).
    ///
    /// Where the table is sorted by user names the item must have one, and so is in the index on them: it begins with a
    /// character that no user name of Transfer Family contains, so that nobody looks it up.
    pub fn reservation_key(self, username: &str) -> Item {
        self.key(Attribute::Number(reservation(username).to_string()), &format!("#{username}"))
    }

    /// The item that reserves an account's user name.
    pub fn reservation_of(self, account: &Account) -> Item {
        self.reservation(&account.username, Attribute::Number(account.org_id.to_string()))
    }

    /// The item that reserves a user name for an organisation (a number).
    pub fn reservation(self, username: &str, org_id: Attribute) -> Item {
        let mut item = self.reservation_key(username);
        item.insert(RESERVES.to_owned(), Attribute::Text(username.to_owned()));
        item.insert(RESERVED_BY.to_owned(), org_id);
        item
    }
}

/// Whether an item reserves a user name, and is not an account.
pub fn is_reservation(item: &Item) -> bool {
    item.contains_key(RESERVES)
}

#[cfg(test)]
mod tests {
    use sftp_authorizer::home::Home;
    use sftp_authorizer::question::is_user_name;

    use super::*;

    fn account() -> Account {
        Account {
            org_id: 17_578,
            username: "jan".into(),
            password: Some("hash".into()),
            home: Home { bucket: "bucket".into(), folder: "17578".into() },
            disabled: false,
            expires: None,
            allowed: Vec::new(),
            regions: Vec::new(),
            public_keys: Vec::new(),
            note: None,
            created: None,
            updated: None,
        }
    }

    #[test]
    fn key_has_the_name_only_where_an_organisation_has_several_accounts() {
        let (one, many) = (TableKey::Organisation, TableKey::OrganisationAndName);
        let account = account();
        let org = || (ORG_ID.to_owned(), Attribute::Number("17578".into()));
        let name = || (USERNAME.to_owned(), Attribute::Text("jan".into()));
        assert_eq!(one.key_of(&account), Item::from([org()]));
        assert_eq!(many.key_of(&account), Item::from([org(), name()]));
        for key in [one, many] {
            assert_eq!(key.key_of_item(&account.to_item()), key.key_of(&account));
        }
    }

    #[test]
    fn reservation_is_no_account_and_is_never_looked_up() {
        let account = account();
        let one = TableKey::Organisation.reservation_of(&account);
        assert_eq!(one.get(USERNAME), None, "it is not in the index");
        let many = TableKey::OrganisationAndName.reservation_of(&account);
        let Some(Attribute::Text(name)) = many.get(USERNAME) else { panic!("{many:?}") };
        assert!(!is_user_name(name), "{name}");
        for (key, item) in [(TableKey::Organisation, one), (TableKey::OrganisationAndName, many)] {
            assert!(is_reservation(&item) && !is_reservation(&account.to_item()));
            assert!(Account::from_item(&item).is_err());
            assert_eq!(key.key_of_item(&item), key.reservation_key("jan"));
            assert_eq!(item.get(RESERVED_BY), Some(&Attribute::Number("17578".into())));
        }
    }
}
