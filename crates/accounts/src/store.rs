//! Reads and writes the account table.
//!
//! All writes go to the home region, because DynamoDB's transactions are atomic only within one region: of two
//! concurrent writers of one user name, one wins. With writes in two regions both would succeed, and replication would
//! keep only the last.

use std::sync::Arc;

use super::change::timestamp;
use super::import::compare::IMPORTED;
use super::key::{REMOVED, RESERVED_BY, RESERVES, TableKey, is_reservation};
use sftp_authorizer::account::{MalformedItem, ORG_ID as KEY, USERNAME};
use sftp_authorizer::{Account, Attribute, Item, Usernames};
use sftpctl_aws::{Aws, AwsError, DynamoDb, Write, Written};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

/// An account could not be read or written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AccountError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("the user name {0} is taken")]
    NameTaken(String),
    #[error("the organisation {0} already has an account")]
    OrgTaken(i64),
    #[error("account {0} does not exist")]
    Missing(String),
    /// Several accounts have one user name, which the index does not prevent.
    #[error(
        "user name `{name}` is used by {count} organisations ({}): the authorizer admits none of them",
        .orgs.join(", ")
    )]
    Duplicate {
        name: String,
        count: usize,
        /// Organisation IDs.
        orgs: Vec<String>,
    },
    /// An organisation has several accounts, so that its ID does not select one.
    #[error("organisation {org_id} has {} accounts: {}", .names.len(), .names.join(", "))]
    Several {
        org_id: i64,
        /// User names.
        names: Vec<String>,
    },
    #[error("the item of {name} is malformed: {source}; the authorizer refuses it")]
    Malformed {
        /// User name, or organisation ID.
        name: String,
        source: MalformedItem,
    },
    /// It was changed by another writer after it was read.
    #[error("the account {0} was changed concurrently; nothing was written")]
    Changed(String),
}

/// The writes that take over the reservation of a name whose account is gone.
pub(crate) struct TakingOver {
    /// The organisation that has reserved it.
    pub(crate) owner: Attribute,
    /// The reservation for another, if it is still the owner's.
    pub(crate) reservation: Write,
    /// That the owner does not have an account with the name.
    pub(crate) check: Write,
}

/// The accounts of an environment.
pub struct Accounts {
    home: DynamoDb,
    table: String,
    aws: Arc<Aws>,
    key: TableKey,
    usernames: Usernames,
}

impl Accounts {
    /// The accounts in an environment's table.
    pub fn new(aws: Arc<Aws>, environment: &Environment) -> Self {
        Self {
            home: aws.dynamodb(&environment.home_region),
            table: environment.table.name.clone(),
            aws,
            key: TableKey::of(environment),
            usernames: usernames(environment),
        }
    }

    /// The table's home region, where all writes go.
    pub(crate) fn home(&self) -> &DynamoDb {
        &self.home
    }

    /// The form of the table's key.
    pub(crate) fn key(&self) -> TableKey {
        self.key
    }

    /// The table's name.
    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    /// Every item with a user name, from the replica in a region.
    ///
    /// # Errors
    /// AWS's.
    pub async fn items(&self, region: &str, username: &str) -> Result<Vec<Item>, AwsError> {
        self.named(&self.aws.dynamodb(region), username).await
    }

    /// Every account's item with a user name, which may be typed in another case if the setting says so.
    async fn named(&self, dynamodb: &DynamoDb, username: &str) -> Result<Vec<Item>, AwsError> {
        let key = (USERNAME, &*self.usernames.stored(username));
        let mut items = dynamodb.query_index(&self.table, names::TABLE_INDEX, key).await?;
        items.retain(|item| !is_reservation(item));
        Ok(items)
    }

    /// Every item of an organisation.
    async fn of_org(&self, org_id: i64) -> Result<Vec<Item>, AwsError> {
        let org_id = Attribute::Number(org_id.to_string());
        if self.key.has_name() {
            return self.home.partition(&self.table, (KEY, &org_id)).await;
        }
        Ok(self.home.item(&self.table, &self.key.key(org_id, "")).await?.into_iter().collect())
    }

    /// The account with a user name.
    ///
    /// # Errors
    /// There is none, there are several, or it is malformed.
    pub async fn by_name(&self, username: &str) -> Result<Account, AccountError> {
        let found = self.named(&self.home, username).await?;
        match found.as_slice() {
            [] => Err(AccountError::Missing(username.to_owned())),
            [item] => read(username, item),
            several => Err(AccountError::Duplicate {
                name: username.to_owned(),
                count: several.len(),
                orgs: several
                    .iter()
                    .filter_map(|item| match item.get(KEY) {
                        Some(Attribute::Number(digits)) => Some(digits.clone()),
                        _ => None,
                    })
                    .collect(),
            }),
        }
    }

    /// The account of an organisation.
    ///
    /// # Errors
    /// There is none, there are several, or it is malformed.
    pub async fn by_org(&self, org_id: i64) -> Result<Account, AccountError> {
        match self.of_org(org_id).await?.as_slice() {
            [] => Err(AccountError::Missing(org_id.to_string())),
            [item] => read(&org_id.to_string(), item),
            several => Err(AccountError::Several { org_id, names: several.iter().map(name).collect() }),
        }
    }

    /// Adds an account and reserves its name, in one transaction.
    ///
    /// # Errors
    /// The name is taken; or the number, where an organisation has one account.
    pub async fn add(&self, account: &Account) -> Result<(), AccountError> {
        // Accounts that are older than the reservations are found only by name.
        match self.by_name(&account.username).await {
            Err(AccountError::Missing(_)) => {}
            Ok(_) | Err(AccountError::Duplicate { .. } | AccountError::Malformed { .. }) => {
                return Err(AccountError::NameTaken(account.username.clone()));
            }
            Err(error) => return Err(error),
        }
        let free = || Some(format!("attribute_not_exists({KEY})"));
        let writes = [
            Write::Put { item: account.to_item(), condition: free(), values: Vec::new() },
            Write::Put { item: self.key.reservation_of(account), condition: free(), values: Vec::new() },
        ];
        match self.home.write_items(&self.table, &writes).await? {
            Written::Done => Ok(()),
            Written::Refused(failed) if failed.contains(&0) => Err(self.key_taken(account)),
            Written::Refused(_) => self.add_over_reservation(account, &account.to_item()).await,
        }
    }

    /// There is an item with the account's key.
    fn key_taken(&self, account: &Account) -> AccountError {
        match self.key {
            TableKey::Organisation => AccountError::OrgTaken(account.org_id),
            TableKey::OrganisationAndName => AccountError::NameTaken(account.username.clone()),
        }
    }

    /// Adds an account whose name is reserved, if the account that reserved it no longer exists or has another name. An
    /// account that is removed without `users remove` leaves its reservation behind. Both are conditions of the write.
    ///
    /// # Errors
    /// The name or the number is taken.
    pub(crate) async fn add_over_reservation(&self, account: &Account, item: &Item) -> Result<(), AccountError> {
        let taken = || AccountError::NameTaken(account.username.clone());
        let own = Attribute::Number(account.org_id.to_string());
        let Some(stale) = self.taking_over(&account.username, own.clone()).await? else { return Err(taken()) };
        let condition = Some(format!("attribute_not_exists({KEY})"));
        let mut writes = vec![Write::Put { item: item.clone(), condition, values: Vec::new() }, stale.reservation];
        // A transaction cannot contain an item twice, and the first condition checks this one already.
        if stale.owner != own {
            writes.push(stale.check);
        }
        match self.home.write_items(&self.table, &writes).await? {
            Written::Done => Ok(()),
            Written::Refused(failed) if failed.contains(&0) => Err(self.key_taken(account)),
            Written::Refused(_) => Err(taken()),
        }
    }

    /// What gives a name to an organisation (a number) although another has reserved it, if that one's account no
    /// longer exists or has another name, which is for the transaction to find out. Nothing if there is no reservation.
    pub(crate) async fn taking_over(&self, username: &str, org_id: Attribute) -> Result<Option<TakingOver>, AwsError> {
        let name = Attribute::Text(username.to_owned());
        let found = self.home.item(&self.table, &self.key.reservation_key(username)).await?;
        let Some(found) = found.filter(|found| found.get(RESERVES) == Some(&name)) else { return Ok(None) };
        let Some(owner @ Attribute::Number(_)) = found.get(RESERVED_BY) else { return Ok(None) };
        let reservation = Write::Put {
            item: self.key.reservation(username, org_id),
            condition: Some(format!("{RESERVED_BY} = :owner")),
            values: vec![(":owner".to_owned(), owner.clone())],
        };
        let check = self.is_gone(owner, username);
        Ok(Some(TakingOver { owner: owner.clone(), reservation, check }))
    }

    /// Frees a name that is reserved for an account (an item with its organisation and its name) that is gone; false if
    /// the name is another's by now, or the account is there.
    ///
    /// # Errors
    /// AWS's.
    pub(crate) async fn free(&self, account: &Item) -> Result<bool, AwsError> {
        let (Some(owner), Some(Attribute::Text(name))) = (account.get(KEY), account.get(USERNAME)) else {
            return Ok(false);
        };
        let of = |name: &str, value: &Attribute| vec![(name.to_owned(), value.clone())];
        let reservation = Write::Delete {
            key: self.key.reservation_key(name),
            condition: Some(format!("{RESERVED_BY} = :org AND attribute_not_exists({REMOVED})")),
            values: of(":org", owner),
        };
        let check = self.is_gone(owner, name);
        Ok(self.home.write_items(&self.table, &[reservation, check]).await? == Written::Done)
    }

    /// The condition that an organisation's account with this name is not there, or has another name by now.
    fn is_gone(&self, owner: &Attribute, name: &str) -> Write {
        Write::Check {
            key: self.key.key(owner.clone(), name),
            condition: format!("attribute_not_exists({KEY}) OR {USERNAME} <> :name"),
            values: vec![(":name".to_owned(), Attribute::Text(name.to_owned()))],
        }
    }

    /// Changes an account to what its source says now, if it is still as it was read; a new name is reserved, and the old
    /// one is free again.
    ///
    /// # Errors
    /// It has changed since it was read, or its new name is taken.
    pub(crate) async fn change_imported(
        &self,
        before: &Item,
        changes: &[(String, Option<Attribute>)],
    ) -> Result<(), AccountError> {
        let name_of = |value: Option<&Attribute>| match value {
            Some(Attribute::Text(name)) => name.clone(),
            _ => String::new(),
        };
        let old = name_of(before.get("username"));
        let renamed = changes.iter().find(|(name, _)| name == "username").map(|(_, value)| name_of(value.as_ref()));
        let id = before.get(KEY).cloned().unwrap_or(Attribute::Other);
        let (condition, values) = unchanged_item(before);
        let mut writes = vec![Write::Update {
            key: self.key.key_of_item(before),
            changes: changes.to_vec(),
            condition: Some(condition),
            values,
        }];
        if let Some(name) = renamed.as_ref().filter(|name| **name != old) {
            writes.push(Write::Put {
                item: self.key.reservation(name, id.clone()),
                // Free, its own, or the mark of an account that was removed.
                condition: Some(format!(
                    "attribute_not_exists({KEY}) OR {RESERVED_BY} = :org OR attribute_exists({REMOVED})"
                )),
                values: vec![(":org".to_owned(), id.clone())],
            });
            if !old.is_empty() {
                writes.push(Write::Delete {
                    key: self.key.reservation_key(&old),
                    condition: Some(format!("attribute_not_exists({KEY}) OR {RESERVED_BY} = :org")),
                    values: vec![(":org".to_owned(), id.clone())],
                });
            }
        }
        let mut written = self.home.write_items(&self.table, &writes).await?;
        if let (Written::Refused(failed), Some(name)) = (&written, &renamed)
            && !failed.contains(&0)
        {
            let is_reserved = failed.contains(&1);
            if failed.contains(&2) {
                // The old name is another's by now, whose reservation stays.
                writes.truncate(2);
            }
            let taking_over = if is_reserved { self.taking_over(name, id.clone()).await? } else { None };
            let stale = taking_over.filter(|stale| stale.owner != id);
            let is_free = !is_reserved || stale.is_some();
            if let (Some(stale), Some(reservation)) = (stale, writes.get_mut(1)) {
                *reservation = stale.reservation;
                writes.push(stale.check);
            }
            if is_free {
                written = self.home.write_items(&self.table, &writes).await?;
            }
        }
        match written {
            Written::Done => Ok(()),
            Written::Refused(failed) if failed.contains(&0) => Err(AccountError::Changed(old)),
            Written::Refused(_) => Err(AccountError::NameTaken(renamed.unwrap_or_default())),
        }
    }

    /// Writes the changed attributes of an account, if it is still as it was read. Unknown attributes are kept.
    ///
    /// # Errors
    /// It has changed since it was read.
    pub async fn replace(&self, before: &Account, account: &Account) -> Result<(), AccountError> {
        let (condition, values) = unchanged(before);
        let (old, new) = (before.to_item(), account.to_item());
        let set = new.iter().filter(|(name, value)| old.get(*name) != Some(value));
        let removed = old.keys().filter(|name| !new.contains_key(*name));
        let changes = set.map(|(name, value)| (name.clone(), Some(value.clone())));
        let changes: Vec<_> = changes.chain(removed.map(|name| (name.clone(), None))).collect();
        let key = self.key.key_of(before);
        let writes = [Write::Update { key, changes, condition: Some(condition), values }];
        match self.home.write_items(&self.table, &writes).await? {
            Written::Done => Ok(()),
            Written::Refused(_) => Err(AccountError::Changed(account.username.clone())),
        }
    }

    /// The items of an organisation or with a user name, malformed ones included.
    ///
    /// # Errors
    /// AWS's.
    pub async fn raw(&self, org_id: Option<i64>, username: Option<&str>) -> Result<Vec<Item>, AwsError> {
        match (username, org_id) {
            (Some(name), _) => self.named(&self.home, name).await,
            (None, org_id) => self.of_org(org_id.unwrap_or_default()).await,
        }
    }

    /// Disables or removes a malformed item. The authorizer refuses it already, but it would admit the customer again
    /// once its fault is repaired.
    ///
    /// # Errors
    /// Its user name has changed since it was read.
    pub async fn end_malformed(&self, item: &Item, remove: bool) -> Result<(), AccountError> {
        let id = item.get(KEY).cloned().unwrap_or(Attribute::Other);
        let key = self.key.key_of_item(item);
        let (name, condition, values) = match item.get(USERNAME) {
            Some(value @ Attribute::Text(name)) => {
                (Some(name), "username = :name", vec![(":name".to_owned(), value.clone())])
            }
            _ => (None, "attribute_exists(orgid)", Vec::new()),
        };
        let condition = Some(condition.to_owned());
        let write = if remove {
            Write::Delete { key, condition, values }
        } else {
            let changes = vec![("status".to_owned(), Some(Attribute::Text("disabled".to_owned())))];
            Write::Update { key, changes, condition, values }
        };
        match self.home.write_items(&self.table, &[write]).await? {
            Written::Refused(_) => {
                let name = name.cloned().unwrap_or_else(|| format!("{id:?}"));
                return Err(AccountError::Changed(name));
            }
            Written::Done => {}
        }
        if let (true, Some(name)) = (remove, name) {
            // This may fail: the next account with the name takes over a stale reservation.
            self.home.write_items(&self.table, &[self.freed(name, id, Some(item))]).await?;
        }
        Ok(())
    }

    /// Frees the name of an account that is removed. The reservation of an imported one stays with the time as a mark,
    /// which keeps the next import from bringing the account back; whoever adds an account with the name takes it over.
    fn freed(&self, name: &str, org_id: Attribute, item: Option<&Item>) -> Write {
        let condition = Some(format!("attribute_not_exists({KEY}) OR {RESERVED_BY} = :org"));
        let values = vec![(":org".to_owned(), org_id.clone())];
        if !item.is_some_and(|item| item.contains_key(IMPORTED)) {
            return Write::Delete { key: self.key.reservation_key(name), condition, values };
        }
        let mut mark = self.key.reservation(name, org_id);
        mark.insert(REMOVED.to_owned(), Attribute::Text(timestamp()));
        Write::Put { item: mark, condition, values }
    }

    /// Removes an account and frees its name.
    ///
    /// # Errors
    /// It has changed since it was read.
    pub async fn remove(&self, account: &Account) -> Result<(), AccountError> {
        let (condition, values) = unchanged(account);
        let item = Write::Delete { key: self.key.key_of(account), condition: Some(condition), values };
        let found = self.home.item(&self.table, &self.key.key_of(account)).await?;
        let org_id = Attribute::Number(account.org_id.to_string());
        let reserved = self.freed(&account.username, org_id, found.as_ref());
        let written = self.home.write_items(&self.table, &[item.clone(), reserved]).await?;
        let written = match written {
            // Another account with the same name holds the reservation, which stays.
            Written::Refused(failed) if !failed.contains(&0) => self.home.write_items(&self.table, &[item]).await?,
            other => other,
        };
        match written {
            Written::Done => Ok(()),
            Written::Refused(_) => Err(AccountError::Changed(account.username.clone())),
        }
    }

    /// A page of accounts, in the table's order. A malformed item is an error in its place.
    ///
    /// # Errors
    /// AWS's.
    pub async fn page(
        &self,
        from: Option<Item>,
    ) -> Result<(Vec<Result<Account, AccountError>>, Option<Item>), AwsError> {
        let (items, next) = self.home.page_of_items(&self.table, from).await?;
        let accounts = items.iter().filter(|item| !is_reservation(item));
        let accounts = accounts.map(|item| read(&name(item), item));
        // The canaries of `verify` are not customers.
        let customers = accounts.filter(|account| !account.as_ref().is_ok_and(|account| account.org_id <= 0));
        Ok((customers.collect(), next))
    }

    /// Writes a canary, and replaces those with its number that were left behind before `stale` (RFC 3339). Returns
    /// `false` if another run is using one of them.
    ///
    /// Where the key has the name, of which each canary has another, two runs that begin at the same moment may both
    /// have one: each removes its own.
    ///
    /// # Errors
    /// AWS's.
    pub async fn put_canary(&self, account: &Account, stale: &str) -> Result<bool, AwsError> {
        let condition = Some(format!("attribute_not_exists({KEY}) OR createdAt < :stale"));
        let values = vec![(":stale".to_owned(), Attribute::Text(stale.to_owned()))];
        let left = if self.key.has_name() { self.of_org(account.org_id).await? } else { Vec::new() };
        let removed = left.iter().map(|item| self.key.key_of_item(item)).map(|key| Write::Delete {
            key,
            condition: condition.clone(),
            values: values.clone(),
        });
        let mut writes: Vec<_> = removed.collect();
        writes.push(Write::Put { item: account.to_item(), condition: condition.clone(), values: values.clone() });
        Ok(self.home.write_items(&self.table, &writes).await? == Written::Done)
    }

    /// Removes a canary, if it is still this one.
    ///
    /// # Errors
    /// AWS's.
    pub async fn remove_canary(&self, account: &Account) -> Result<(), AwsError> {
        let key = self.key.key_of(account);
        let condition = Some(format!("attribute_not_exists({KEY}) OR username = :name"));
        let values = vec![(":name".to_owned(), Attribute::Text(account.username.clone()))];
        self.home.write_items(&self.table, &[Write::Delete { key, condition, values }]).await.map(drop)
    }
}

fn read(name: &str, item: &Item) -> Result<Account, AccountError> {
    Account::from_item(item).map_err(|source| AccountError::Malformed { name: name.to_owned(), source })
}

/// An item's user name, or the organisation that it is of.
fn name(item: &Item) -> String {
    match (item.get(USERNAME), item.get(KEY)) {
        (Some(Attribute::Text(name)), _) => name.clone(),
        (_, Some(Attribute::Number(id))) => format!("organisation {id}"),
        _ => "?".to_owned(),
    }
}

/// How the environment compares user names.
pub fn usernames(environment: &Environment) -> Usernames {
    Usernames::parse(&environment.accounts.usernames).unwrap_or_default()
}

/// The condition that an item is still as it was read.
pub(crate) fn unchanged_item(before: &Item) -> (String, Vec<(String, Attribute)>) {
    let (time, mut values) = match before.get("updatedAt") {
        // A value that nobody of ours writes, and that has no form here to compare it with.
        Some(Attribute::Other) => {
            ("NOT attribute_type(updatedAt, :type)", vec![(":type".to_owned(), Attribute::Text("S".to_owned()))])
        }
        Some(time) => ("updatedAt = :time", vec![(":time".to_owned(), time.clone())]),
        None => ("attribute_not_exists(updatedAt)", Vec::new()),
    };
    // Malformed items may lack the name.
    let Some(Attribute::Text(name)) = before.get(USERNAME) else {
        return (format!("attribute_exists({KEY}) AND attribute_not_exists({USERNAME}) AND {time}"), values);
    };
    values.push((":name".to_owned(), Attribute::Text(name.clone())));
    (format!("username = :name AND {time}"), values)
}

/// The condition that an account is still as it was read.
fn unchanged(account: &Account) -> (String, Vec<(String, Attribute)>) {
    let name = (":name".to_owned(), Attribute::Text(account.username.clone()));
    match &account.updated {
        Some(time) => (
            "username = :name AND updatedAt = :time".to_owned(),
            vec![name, (":time".to_owned(), Attribute::Text(time.clone()))],
        ),
        None => ("username = :name AND attribute_not_exists(updatedAt)".to_owned(), vec![name]),
    }
}
