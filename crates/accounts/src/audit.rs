//! What is wrong, or soon will be, with the accounts of a table. Reads every item once, with flat memory.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;

use serde::{Deserialize, Serialize};
use sftp_authorizer::account::{USERNAME, is_canary};
use sftp_authorizer::password::{self, Cost, Scheme};
use sftp_authorizer::{Account, Attribute, Item};
use sftpctl_aws::AwsError;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;
use sftpctl_core::text::{counted, either};

use super::folders::{Folder, Manner, Shared};
use super::import::row::RowsError;
use super::key::{REMOVED, RESERVED_BY, RESERVES, is_reservation};
use super::logins::Logins;
use super::rules;
use super::source_only::{InTable, SourceRows};
use super::spill::{PARTS, Spill};
use super::store::{Accounts, usernames};

/// Something to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub kind: Kind,
    /// `?` if the item has none.
    pub username: String,
    /// Its digits; `?` if the item has none.
    pub org_id: String,
    /// What is wrong, and what to do.
    pub what: String,
}

/// The kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The item is not a valid account: the authorizer refuses it.
    Malformed,
    /// Several accounts have the user name: the authorizer admits none of them.
    Duplicate,
    /// Transfer Family takes no such user name, and never asks about it.
    UnusableName,
    /// The user name is on the block list: the authorizer refuses it before any look-up.
    BlockedName,
    /// Names are compared without case, and this one is not in lower case, so that it is never found.
    NotLowerCase,
    /// No password can log in with the stored hash.
    Unverifiable,
    /// The servers ask for a password or a key that the account does not have.
    NoMethod,
    /// A public key that Transfer Family does not take.
    UnusableKey,
    /// The home is in a bucket that the environment does not have.
    UnknownBucket,
    /// Another organisation has the folder, or one inside it or around it: each sees the files of the other.
    SharedFolder,
    /// The account is limited to a region that has no server.
    NoServer,
    /// The account has expired.
    Expired,
    /// The servers' logs have no log-in.
    NoLogin,
    /// The source has an account that the table does not have.
    SourceOnly,
    /// No reservation prevents a second account with the name.
    NotReserved,
    /// The hash of the password is fast to attack.
    LegacyHash,
    /// A name is reserved for an account that does not exist; the next account with the name takes it over.
    StaleReservation,
}

impl Kind {
    /// The kinds, the gravest first.
    pub const ALL: [Self; 17] = [
        Self::Malformed,
        Self::Duplicate,
        Self::UnusableName,
        Self::BlockedName,
        Self::NotLowerCase,
        Self::Unverifiable,
        Self::NoMethod,
        Self::UnusableKey,
        Self::UnknownBucket,
        Self::SharedFolder,
        Self::NoServer,
        Self::Expired,
        Self::NoLogin,
        Self::SourceOnly,
        Self::NotReserved,
        Self::LegacyHash,
        Self::StaleReservation,
    ];

    /// Its name, as in JSON.
    pub fn name(self) -> String {
        let name = serde_json::to_value(self).ok();
        name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// The words for a count: `1 malformed item`, `3 malformed items`.
    pub fn words(self, count: u64) -> &'static str {
        let [one, many] = match self {
            Self::Malformed => ["malformed item", "malformed items"],
            Self::Duplicate => {
                ["account whose user name others have, too", "accounts whose user name others have, too"]
            }
            Self::UnusableName => ["name that Transfer Family never takes", "names that Transfer Family never takes"],
            Self::BlockedName => ["name on the block list", "names on the block list"],
            Self::NotLowerCase => [
                "name that is not in lower case, and is never found",
                "names that are not in lower case, and are never found",
            ],
            Self::Unverifiable => {
                ["stored password that cannot be verified", "stored passwords that cannot be verified"]
            }
            Self::NoMethod => ["account without what the servers ask for", "accounts without what the servers ask for"],
            Self::UnusableKey => ["account with unusable public keys", "accounts with unusable public keys"],
            Self::UnknownBucket => ["home in an unknown bucket", "homes in unknown buckets"],
            Self::SharedFolder => {
                ["folder that meets another organisation's", "folders that meet another organisation's"]
            }
            Self::NoServer => {
                ["account limited to regions without a server", "accounts limited to regions without a server"]
            }
            Self::Expired => ["expired account", "expired accounts"],
            Self::NoLogin => ["account without a log-in", "accounts without a log-in"],
            Self::SourceOnly => ["account in the source only", "accounts in the source only"],
            Self::NotReserved => ["name that is not reserved", "names that are not reserved"],
            Self::LegacyHash => ["hash that is not hardened", "hashes that are not hardened"],
            Self::StaleReservation => ["reservation without an account", "reservations without an account"],
        };
        either(count, one, many)
    }
}

/// The sums of an audit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sums {
    pub accounts: u64,
    pub disabled: u64,
    pub by_kind: BTreeMap<Kind, u64>,
    /// Accounts by the form of their stored password.
    pub by_hash: BTreeMap<String, Hashes>,
}

/// The accounts of one form of a stored password.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hashes {
    pub count: u64,
    /// The oldest and the newest last change of such an account, RFC 3339; absent if no account says.
    pub oldest: Option<String>,
    pub newest: Option<String>,
}

/// An audit that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("a temporary file could not be used: {0}")]
    Spill(#[from] io::Error),
    #[error(transparent)]
    Source(#[from] RowsError),
}

/// A user name, and who has it.
#[derive(Serialize, Deserialize)]
struct Named {
    name: String,
    org_id: String,
    /// Whether it is a reservation, not an account.
    reserves: bool,
    /// Whether it is neither disabled nor expired nor malformed.
    #[serde(default)]
    is_open: bool,
}

/// Reads the whole table, and calls `found` with each finding. `now` is in seconds since 1970. With `logins`, accounts
/// that could log in and did not are found; with a source, those that only it has.
///
/// # Errors
/// The table, or a temporary file, cannot be read.
pub async fn audit(
    accounts: &Accounts,
    environment: &Environment,
    now: i64,
    (mut logins, source): (Option<Logins>, Option<SourceRows>),
    found: &mut (dyn FnMut(Finding) + Send),
) -> Result<Sums, AuditError> {
    let buckets = environment.clusters.keys().map(|cluster| names::upload_bucket(environment, cluster)).collect();
    let mut audit = Audit { environment, buckets, now, sums: Sums::default(), found };
    let mut named = Spill::new()?;
    let mut homes: Spill<Folder<String>> = Spill::new()?;
    let mut in_table = source.as_ref().map(|_| InTable::new(accounts.key())).transpose()?;
    let mut from = None;
    loop {
        let (items, next) = accounts.home().page_of_segment(accounts.table(), (0, 1), from).await?;
        for item in &items {
            if let Some(in_table) = &mut in_table {
                in_table.add(item)?;
            }
            if let Some(name) = audit.item(item) {
                named.push(name.name.as_bytes(), &name)?;
            }
            if let Some(folder) = folder(item) {
                homes.push(folder.group().as_bytes(), &folder)?;
            }
        }
        from = next;
        if from.is_none() {
            break;
        }
    }
    for part in 0..PARTS {
        let mut names: BTreeMap<String, (Vec<String>, Vec<String>)> = BTreeMap::new();
        let seen = match &mut logins {
            Some(logins) => Some((logins.days, logins.names.read(part)?.collect::<io::Result<HashSet<String>>>()?)),
            None => None,
        };
        for record in named.read(part)? {
            let Named { name, org_id, reserves, is_open } = record?;
            if let Some((days, _)) = seen.as_ref().filter(|(_, seen)| is_open && !seen.contains(&name)) {
                let days = counted(u64::from(*days), "day");
                let what = format!("the servers' logs of the last {days} have no log-in");
                audit.find(Kind::NoLogin, &name, &org_id, what);
            }
            let (owners, reserved) = names.entry(name).or_default();
            if reserves { reserved.push(org_id) } else { owners.push(org_id) }
        }
        for (name, (owners, reserved)) in names {
            audit.name(&name, &owners, &reserved);
        }
        let mut shared = Shared::new();
        for folder in homes.read(part)? {
            shared.add(folder?)?;
        }
        let manner = |_: &String| Manner { is_asked: true, ignores_left: false, is_left: false };
        shared.find(manner, |folder, rival| {
            audit.find(Kind::SharedFolder, &folder.of, &folder.org_id.to_string(), rival.words(folder));
            Ok(())
        })?;
    }
    if let (Some(source), Some(in_table)) = (source, in_table) {
        source.missing(in_table, |row| {
            audit.find(Kind::SourceOnly, row.username(), row.org_id(), row.words());
        })?;
    }
    Ok(audit.sums)
}

/// The folder of a customer's account.
fn folder(item: &Item) -> Option<Folder<String>> {
    let account = Account::from_item(item).ok().filter(|account| account.org_id > 0)?;
    Some(Folder::new(&account.home, account.org_id, account.username))
}

struct Audit<'a> {
    environment: &'a Environment,
    /// The environment's upload buckets.
    buckets: BTreeSet<String>,
    now: i64,
    sums: Sums,
    found: &'a mut (dyn FnMut(Finding) + Send),
}

impl Audit<'_> {
    fn find(&mut self, kind: Kind, username: &str, org_id: &str, what: impl Into<String>) {
        *self.sums.by_kind.entry(kind).or_default() += 1;
        let (username, org_id) = (username.to_owned(), org_id.to_owned());
        (self.found)(Finding { kind, username, org_id, what: what.into() });
    }

    /// Checks an item by itself; returns its name.
    fn item(&mut self, item: &Item) -> Option<Named> {
        let text = |name: &str| match item.get(name) {
            Some(Attribute::Text(text) | Attribute::Number(text)) => Some(text.clone()),
            _ => None,
        };
        // It remains so that no import brings the account back.
        if item.contains_key(REMOVED) {
            return None;
        }
        if is_reservation(item) {
            return Some(Named {
                name: text(RESERVES)?,
                org_id: text(RESERVED_BY).unwrap_or_default(),
                reserves: true,
                is_open: false,
            });
        }
        let shown = |name: &str| text(name).unwrap_or_else(|| "?".to_owned());
        let (username, org_id) = (shown(USERNAME), shown("orgid"));
        // The canaries of `verify` are not customers.
        if is_canary(item) {
            return None;
        }
        self.sums.accounts += 1;
        let mut is_open = false;
        match Account::from_item(item) {
            Ok(account) => {
                is_open = !account.disabled && !account.expires.as_ref().is_some_and(|expiry| expiry.is_over(self.now));
                self.account(&account);
            }
            Err(error) => self.find(Kind::Malformed, &username, &org_id, error.to_string()),
        }
        Some(Named { name: text(USERNAME)?, org_id, reserves: false, is_open })
    }

    fn account(&mut self, account: &Account) {
        let (name, org_id) = (account.username.as_str(), account.org_id.to_string());
        self.sums.disabled += u64::from(account.disabled);
        let blocked = self.environment.authorizer.block_list.iter().any(|blocked| blocked.eq_ignore_ascii_case(name));
        if let Err(error) = rules::username(name, &[]) {
            self.find(Kind::UnusableName, name, &org_id, error.to_string());
        }
        if blocked {
            self.find(Kind::BlockedName, name, &org_id, "the authorizer refuses the name before any look-up");
        }
        if usernames(self.environment).stored(name) != name {
            let what = "names are compared without their case, and only names in lower case are found: import it again";
            self.find(Kind::NotLowerCase, name, &org_id, what);
        }
        if let Some(stored) = &account.password {
            self.password(account, stored, &org_id);
        }
        let (has_password, has_keys) = (account.password.is_some(), !account.public_keys.is_empty());
        if let Some(missing) = self.environment.server.missing_method(has_password, has_keys) {
            self.find(Kind::NoMethod, name, &org_id, missing);
        }
        let unusable = account.public_keys.len() - account.admissible_keys().len();
        if unusable > 0 {
            let what = format!("{unusable} of {} public keys are not taken", account.public_keys.len());
            self.find(Kind::UnusableKey, name, &org_id, what);
        }
        if !self.buckets.contains(&account.home.bucket) {
            let what = format!("{} is in no bucket of environment {}", account.home.path(), self.environment.name);
            self.find(Kind::UnknownBucket, name, &org_id, what);
        }
        let regions = &self.environment.regions;
        let has_server = |name: &str| regions.get(name).is_some_and(|region| region.server);
        let without: Vec<&str> = account.regions.iter().map(String::as_str).filter(|name| !has_server(name)).collect();
        if !without.is_empty() {
            let what = format!("no server in {}: correct it with `sftpctl users set --region`", without.join(", "));
            self.find(Kind::NoServer, name, &org_id, what);
        }
        if let Some(expiry) = account.expires.as_ref().filter(|expiry| expiry.is_over(self.now)) {
            self.find(Kind::Expired, name, &org_id, format!("since {}", expiry.as_str()));
        }
    }

    fn password(&mut self, account: &Account, stored: &str, org_id: &str) {
        let form = match (Scheme::of(stored), password::problem(stored)) {
            (Some(scheme), _) => scheme.as_str().to_owned(),
            (None, problem) => {
                let what = problem.map_or_else(String::new, |problem| format!("the stored password {problem}"));
                self.find(Kind::Unverifiable, &account.username, org_id, what);
                problem.map_or("unknown", |problem| problem.kind()).to_owned()
            }
        };
        let hashes = self.sums.by_hash.entry(form.clone()).or_default();
        hashes.count += 1;
        if let Some(time) = account.updated.as_ref().or(account.created.as_ref()) {
            if hashes.oldest.as_ref().is_none_or(|oldest| time < oldest) {
                hashes.oldest = Some(time.clone());
            }
            if hashes.newest.as_ref().is_none_or(|newest| time > newest) {
                hashes.newest = Some(time.clone());
            }
        }
        if Scheme::of(stored).is_some() && !password::is_strong(stored, Cost::DEFAULT) {
            self.find(
                Kind::LegacyHash,
                &account.username,
                org_id,
                format!("{form}; `sftpctl users harden` makes it slow to guess"),
            );
        }
    }

    /// Checks a name over all items that have it.
    fn name(&mut self, name: &str, owners: &[String], reserved: &[String]) {
        if owners.len() > 1 {
            for org_id in owners {
                let others: Vec<&str> = owners.iter().filter(|other| *other != org_id).map(String::as_str).collect();
                let what = format!("organisations {} have the name, too: no one is admitted", others.join(", "));
                self.find(Kind::Duplicate, name, org_id, what);
            }
        }
        for org_id in owners {
            if !reserved.contains(org_id) {
                let what = "two writers at the same moment could give the name to a second account";
                self.find(Kind::NotReserved, name, org_id, what);
            }
        }
        for org_id in reserved.iter().filter(|org_id| !owners.contains(org_id)) {
            self.find(
                Kind::StaleReservation,
                name,
                org_id,
                format!(
                    "the account is gone; the next with the name takes it over, and `sftpctl users sync --env {} --from \
                     SOURCE --apply --delete` frees it",
                    self.environment.name
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000;

    fn environment(added: &str) -> Environment {
        let file = format!("{}\n{added}", include_str!("../../../environments/99.yaml"));
        sftpctl_core::spec::load(&file, "99.yaml").unwrap()
    }

    fn item(org_id: &str, name: &str, more: &[(&str, &str)]) -> Item {
        let text = |text: &str| Attribute::Text(text.to_owned());
        let mut item = Item::from([
            ("orgid".to_owned(), Attribute::Number(org_id.to_owned())),
            ("username".to_owned(), text(name)),
            ("password".to_owned(), text("$y$j9T$salt")),
            ("HomeDirectory".to_owned(), text("/pl-pt99-0-uploads/1")),
        ]);
        item.insert("password".to_owned(), text(&sftp_authorizer::password::hash("x", &[7; 16]).unwrap()));
        item.extend(more.iter().map(|(name, value)| ((*name).to_owned(), text(value))));
        item
    }

    /// The kinds of findings about items by themselves.
    fn kinds(environment: &Environment, item: &Item) -> Vec<Kind> {
        let mut kinds = Vec::new();
        let mut found = |finding: Finding| kinds.push(finding.kind);
        let buckets = BTreeSet::from(["pl-pt99-0-uploads".to_owned()]);
        let mut audit = Audit { environment, buckets, now: NOW, sums: Sums::default(), found: &mut found };
        audit.item(item);
        kinds
    }

    #[test]
    fn each_fault_of_an_item_is_found() {
        let (exact, folding) = (environment(""), environment("accounts: { usernames: case-insensitive }\n"));
        let legacy = sftp_authorizer::password::legacy("x");
        for (environment, item, expected) in [
            (&exact, item("1", "jan", &[]), vec![]),
            (&exact, item("1", "Jan", &[]), vec![]),
            (&folding, item("1", "Jan", &[]), vec![Kind::NotLowerCase]),
            (&exact, item("1", "Root", &[]), vec![Kind::BlockedName]),
            (&exact, item("1", "ab", &[]), vec![Kind::UnusableName]),
            (&exact, item("1", " jan", &[]), vec![Kind::UnusableName]),
            (&exact, item("1", "jan", &[("status", "on")]), vec![Kind::Malformed]),
            (&exact, item("1", "jan", &[("password", &legacy)]), vec![Kind::LegacyHash]),
            (&exact, item("1", "jan", &[("password", &legacy[..32])]), vec![Kind::Unverifiable]),
            (&exact, item("1", "jan", &[("HomeDirectory", "/elsewhere/1")]), vec![Kind::UnknownBucket]),
            (&exact, item("1", "jan", &[("expiresAt", "2020-01-01")]), vec![Kind::Expired]),
            (&exact, item("0", "sftpctl-canary-x", &[("HomeDirectory", "/pl-pt99-0-uploads/sftpctl-canary")]), vec![]),
            (&exact, item("0", "sftpctl-canary-x", &[]), vec![Kind::Malformed]),
            (&exact, item("0", "jan", &[]), vec![Kind::Malformed]),
            (&exact, item("-7", "jan", &[]), vec![Kind::Malformed]),
        ] {
            assert_eq!(kinds(environment, &item), expected, "{item:?}");
        }
    }

    #[test]
    fn a_region_without_a_server_is_found() {
        let environment = environment("");
        for (region, expected) in [("us-west-2", vec![]), ("eu-north-9", vec![Kind::NoServer])] {
            let mut item = item("1", "jan", &[]);
            item.insert("regions".into(), Attribute::Texts(vec![region.to_owned()]));
            assert_eq!(kinds(&environment, &item), expected, "{region}");
        }
    }

    #[test]
    fn an_account_without_what_the_servers_ask_for_is_found() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
        let keys = Attribute::Texts(vec![key.to_owned()]);
        let with_password = item("1", "jan", &[]);
        let mut with_both = with_password.clone();
        with_both.insert("publicKeys".into(), keys);
        let mut with_key = with_both.clone();
        with_key.remove("password");
        for (method, found) in [
            ("PASSWORD", [false, true, false]),
            ("PUBLIC_KEY", [true, false, false]),
            ("PUBLIC_KEY_OR_PASSWORD", [false, false, false]),
            ("PUBLIC_KEY_AND_PASSWORD", [true, true, false]),
        ] {
            let mut environment = environment("");
            environment.server.authentication = method.into();
            let finds = [&with_password, &with_key, &with_both].map(|item| kinds(&environment, item));
            assert_eq!(finds.map(|kinds| kinds == [Kind::NoMethod]), found, "{method}");
        }
    }

    #[test]
    fn names_are_compared_over_all_items() {
        let environment = environment("");
        let mut found = Vec::new();
        let mut keep = |finding: Finding| found.push((finding.kind, finding.org_id));
        let mut audit = Audit {
            environment: &environment,
            buckets: BTreeSet::new(),
            now: NOW,
            sums: Sums::default(),
            found: &mut keep,
        };
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        audit.name("good", &ids(&["1"]), &ids(&["1"]));
        audit.name("twice", &ids(&["2", "3"]), &ids(&["2"]));
        audit.name("stale", &ids(&[]), &ids(&["4"]));
        assert_eq!(
            found,
            [
                (Kind::Duplicate, "2".to_owned()),
                (Kind::Duplicate, "3".to_owned()),
                (Kind::NotReserved, "3".to_owned()),
                (Kind::StaleReservation, "4".to_owned()),
            ]
        );
    }
}
