//! The rules for one row, all of which are checked, so that a report names every fault. Pure, but for the hashing of
//! passwords that the source has in plain text.

use std::num::IntErrorKind;

use ipnet::IpNet;
use sftp_authorizer::Account;
use sftp_authorizer::expiry::Expiry;
use sftp_authorizer::home::Home;
use sftp_authorizer::password::{self as stored, Scheme};
use sftp_authorizer::public_key::begins_with_type;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

use super::rejected::{self, Reason, Rejected, Whose};
use super::row::{Password, Remark, Row};
use crate::rules::{self, RuleError};
use crate::store::usernames;

/// What a home folder begins with that is in a bucket for certain.
const S3: &str = "s3://";

/// What rows are checked against.
#[derive(Clone, Debug)]
pub struct Rules<'a> {
    pub environment: &'a Environment,
    /// The cluster of rows that name none.
    pub default_cluster: Option<String>,
}

/// A row after its checks.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    /// The organisation's ID and the user name, as far as they can be read: even a rejected row claims them.
    pub(crate) org_id: Option<i64>,
    pub(crate) username: Option<String>,
    /// The account, and the password that is still to be hashed.
    pub(crate) account: Result<(Account, Option<String>), Vec<Rejected>>,
    pub(super) remarks: Vec<Remark>,
    /// The row's folder on the old server, without `/` at its end.
    pub(super) old_folder: Option<String>,
}

/// A row under scrutiny: its faults so far.
struct Scrutiny<'a> {
    number: u64,
    row: &'a Row,
    faults: Vec<Rejected>,
}

impl Scrutiny<'_> {
    fn fault(&mut self, kind: Reason, column: &str, value: &str, reason: impl Into<String>) {
        self.faults.push(Rejected {
            row: self.number,
            place: self.row.place.clone(),
            whose: Whose::of_row(self.row),
            column: column.to_owned(),
            value: rejected::shown(value),
            reason: rejected::told(reason.into(), value),
            kind,
        });
    }

    /// Adds the fault that a value is missing, unless the source says what is wrong with the row: it may have been there.
    fn missing(&mut self, kind: Reason, column: &str, reason: &str) {
        if self.row.refusal.is_none() {
            self.fault(kind, column, "", reason);
        }
    }

    /// The value, or a fault.
    fn or_fault<T>(&mut self, result: Result<T, RuleError>, kind: Reason, column: &str, value: &str) -> Option<T> {
        result.map_err(|error| self.fault(kind, column, value, error.to_string())).ok()
    }
}

impl Rules<'_> {
    /// Checks a row; `number` is its number in the source, from 1.
    pub(crate) fn check(&self, number: u64, row: &Row) -> Checked {
        let mut scrutiny = Scrutiny { number, row, faults: Vec::new() };
        let mut remarks = row.remarks.clone();
        if let Some(refused) = &row.refusal {
            scrutiny.fault(Reason::Source, &refused.column, &refused.value, refused.why.clone());
        }
        let org_id = org_id(&mut scrutiny);
        let username = self.username(&mut scrutiny);
        let (stored, plain) = password(&mut scrutiny);
        let home = self.home(&mut scrutiny, org_id, &mut remarks);
        let disabled = disabled(&mut scrutiny);
        let allowed = allowed(&mut scrutiny);
        let public_keys = public_keys(&mut scrutiny);
        let expires = expires(&mut scrutiny);
        let note = note(&mut scrutiny);
        let regions = self.regions(&mut scrutiny);
        if stored.is_none() && plain.is_none() && row.keys.is_empty() && matches!(row.password, Password::None) {
            scrutiny.missing(Reason::Password, "password", "the row has neither a password nor a public key");
        }
        self.method(&mut scrutiny);
        let stored_name = |name: String| usernames(self.environment).stored(&name).into_owned();
        let username = username.map(stored_name);
        let claimed = username.clone().or_else(|| row.username.clone().map(stored_name));
        let account = match (org_id, username, home) {
            (Some(org_id), Some(username), Some(home)) if scrutiny.faults.is_empty() => Ok((
                Account {
                    org_id,
                    username,
                    password: stored,
                    home,
                    disabled,
                    expires,
                    allowed,
                    regions,
                    public_keys,
                    note,
                    created: None,
                    updated: None,
                },
                plain,
            )),
            _ => Err(scrutiny.faults),
        };
        let old = row.home.as_deref().filter(|path| !self.is_in_a_bucket(path));
        let old_folder = old.map(|path| path.trim_end_matches('/').to_owned()).filter(|path| !path.is_empty());
        Checked { org_id, username: claimed, account, remarks, old_folder }
    }

    /// What is wrong with a value that a mapping gives to an attribute of every row, or of some, and what to do. A row
    /// that has it would be rejected; what depends on the rest of the row is not checked here.
    pub fn constant(&self, attribute: &str, value: &str) -> Option<(String, Option<String>)> {
        let clusters = &self.environment.clusters;
        let error = match attribute {
            "cluster" if !clusters.contains_key(value) => {
                let known: Vec<&str> = clusters.keys().map(String::as_str).collect();
                let message = format!("environment {} has no cluster `{value}`", self.environment.name);
                return Some((message, Some(format!("its clusters are {}", known.join(", ")))));
            }
            "regions" => rules::regions(self.environment, &[value.to_owned()]).err(),
            "expires" => rules::expiry(value).err(),
            "allowed" => rules::range(value).err(),
            "note" => rules::note(value).err(),
            _ => None,
        }?;
        Some((error.to_string(), error.hint()))
    }

    /// Whether the row has what the servers ask for; a row with neither password nor key has its own fault.
    fn method(&self, scrutiny: &mut Scrutiny<'_>) {
        let (has_password, has_keys) = (scrutiny.row.password != Password::None, !scrutiny.row.keys.is_empty());
        let missing = self.environment.server.missing_method(has_password, has_keys);
        if let Some(missing) = missing.filter(|_| has_password || has_keys) {
            let reason = format!("{missing}: set `server.authentication` in the environment file to another method");
            scrutiny.missing(Reason::Method, if has_keys { "password" } else { "keys" }, &reason);
        }
    }

    fn regions(&self, scrutiny: &mut Scrutiny<'_>) -> Vec<String> {
        let regions = &scrutiny.row.regions;
        if let Err(error) = rules::regions(self.environment, regions) {
            let value = regions.join(",");
            let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
            scrutiny.fault(Reason::Region, "regions", &value, format!("{error}{hint}"));
        }
        regions.clone()
    }

    fn username(&self, scrutiny: &mut Scrutiny<'_>) -> Option<String> {
        let Some(name) = scrutiny.row.username.clone() else {
            scrutiny.missing(Reason::UserName, "username", "the row has no user name");
            return None;
        };
        let checked = rules::username(&name, &self.environment.authorizer.block_list);
        let kind = if matches!(checked, Err(RuleError::Blocked(_))) { Reason::BlockedName } else { Reason::UserName };
        let trimmed = name.trim();
        if trimmed != name && rules::username(trimmed, &[]).is_ok() {
            let reason = format!(
                "the user name has white space around it; it is not removed, since `{trimmed}` may be another customer"
            );
            scrutiny.fault(Reason::UserName, "username", &name, reason);
            return None;
        }
        scrutiny.or_fault(checked, kind, "username", &name).map(|()| name)
    }

    /// The home folder: `/<bucket>/<folder>` as it is; otherwise the organisation's folder in the cluster's bucket.
    fn home(&self, scrutiny: &mut Scrutiny<'_>, org_id: Option<i64>, remarks: &mut Vec<Remark>) -> Option<Home> {
        let row = scrutiny.row;
        if let Some(path) = row.home.as_deref().filter(|path| self.is_in_a_bucket(path)) {
            let parsed =
                path.strip_prefix(S3).map_or_else(|| Home::parse(path), |rest| Home::parse(&format!("/{rest}")));
            let Some(home) = parsed else {
                scrutiny.fault(Reason::Home, "home", path, "a home folder has the form /<bucket>/<folder>");
                return None;
            };
            if self.buckets().any(|bucket| bucket == home.bucket) {
                return self.agrees(scrutiny, path, &home).then_some(home);
            }
            let reason = format!(
                "the bucket {} does not belong to a cluster of environment {}",
                home.bucket, self.environment.name
            );
            scrutiny.fault(Reason::Home, "home", path, reason);
            return None;
        }
        let clusters = &self.environment.clusters;
        let only = || clusters.keys().next().filter(|_| clusters.len() == 1).cloned();
        let Some(cluster) = row.cluster.clone().or_else(|| self.default_cluster.clone()).or_else(only) else {
            let value = row.home.clone().unwrap_or_default();
            let mut reason = "no cluster: pass --cluster NAME, or map a column to `cluster`".to_owned();
            let first = value.strip_prefix('/').and_then(|path| path.split_once('/')).map(|(first, _)| first);
            if let Some(first) = first.filter(|first| may_be_bucket(first)) {
                reason.push_str(&format!(
                    "; `{first}` is the bucket of no cluster of environment {}, so that the home is taken for a folder of \
                     the old server",
                    self.environment.name
                ));
            }
            scrutiny.fault(Reason::Cluster, "cluster", &value, reason);
            return None;
        };
        if !clusters.contains_key(&cluster) {
            self.unknown_cluster(scrutiny, &cluster);
            return None;
        }
        let folder = org_id?.to_string();
        if let Some(old) = &row.home
            && old.trim_end_matches('/').rsplit('/').next() != Some(&folder)
        {
            remarks.push(Remark {
                column: "home".to_owned(),
                before: rejected::shown(old),
                after: folder.clone(),
                why: "the folder is named after the organisation".to_owned(),
            });
        }
        Some(Home { bucket: names::upload_bucket(self.environment, &cluster), folder })
    }

    /// Whether the row's cluster, if it has one, is that of its home folder.
    fn agrees(&self, scrutiny: &mut Scrutiny<'_>, path: &str, home: &Home) -> bool {
        let Some(cluster) = &scrutiny.row.cluster else { return true };
        if !self.environment.clusters.contains_key(cluster) {
            self.unknown_cluster(scrutiny, cluster);
            return false;
        }
        let bucket = names::upload_bucket(self.environment, cluster);
        if bucket == home.bucket {
            return true;
        }
        let reason = format!(
            "the row has the cluster {cluster}, whose bucket is {bucket}, and a home folder in the bucket {}: correct or \
             remove one of them",
            home.bucket
        );
        scrutiny.fault(Reason::Home, "home", path, reason);
        false
    }

    fn unknown_cluster(&self, scrutiny: &mut Scrutiny<'_>, cluster: &str) {
        let known: Vec<&str> = self.environment.clusters.keys().map(String::as_str).collect();
        let reason = format!("environment {} has only the clusters {}", self.environment.name, known.join(", "));
        scrutiny.fault(Reason::Cluster, "cluster", cluster, reason);
    }

    fn buckets(&self) -> impl Iterator<Item = String> {
        self.environment.clusters.keys().map(|cluster| names::upload_bucket(self.environment, cluster))
    }

    /// Whether a path begins with a bucket, rather than a folder of the old server.
    fn is_in_a_bucket(&self, path: &str) -> bool {
        if path.starts_with(S3) {
            return true;
        }
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        first.starts_with(&self.environment.names.bucket_prefix) || self.buckets().any(|bucket| bucket == first)
    }
}

/// Whether a folder may be meant as a bucket; `/home` and other names without a hyphen or a dot are folders.
fn may_be_bucket(name: &str) -> bool {
    names::is_bucket_name(name) && name.contains(['-', '.'])
}

fn org_id(scrutiny: &mut Scrutiny<'_>) -> Option<i64> {
    let Some(digits) = scrutiny.row.org_id.clone() else {
        scrutiny.missing(Reason::OrgId, "orgid", "the row has no organisation ID");
        return None;
    };
    match digits.parse::<i64>() {
        Ok(id) => scrutiny.or_fault(rules::org_id(id), Reason::OrgId, "orgid", &digits).map(|()| id),
        Err(error) => {
            let largest = i64::MAX;
            let reason = match error.kind() {
                IntErrorKind::PosOverflow => {
                    format!("the number is larger than {largest}, the largest organisation ID")
                }
                _ => format!("an organisation ID is a whole number from 1 to {largest}"),
            };
            scrutiny.fault(Reason::OrgId, "orgid", &digits, reason);
            None
        }
    }
}

/// The stored form of the password, or the password that is to be hashed.
fn password(scrutiny: &mut Scrutiny<'_>) -> (Option<String>, Option<String>) {
    match &scrutiny.row.password {
        Password::None => (None, None),
        // In hexadecimal digits it may be a password: many are made so.
        Password::Plain(plain) if Scheme::of(plain).is_some() || has_dollars(plain) => {
            let reason = "it has the form of a stored password, and would be hashed once more: nobody could log in. Map it \
                          with `form: hash`";
            scrutiny.fault(Reason::Password, "password", "", reason);
            (None, None)
        }
        Password::Plain(plain) => {
            let checked = rules::password(plain);
            (None, scrutiny.or_fault(checked, Reason::Password, "password", "").map(|()| plain.clone()))
        }
        Password::Hash(hash) => {
            let Some(problem) = stored::problem(hash) else { return (Some(hash.clone()), None) };
            scrutiny.fault(Reason::UnverifiedHash, "password", "", format!("the stored password {problem}"));
            (None, None)
        }
    }
}

/// Whether a text has the form of crypt(3): `$6$salt$hash`, also locked with `!`.
fn has_dollars(text: &str) -> bool {
    let text = text.trim().trim_start_matches('!');
    text.starts_with('$') && text.matches('$').count() >= 3 && text.len() >= 20
}

fn disabled(scrutiny: &mut Scrutiny<'_>) -> bool {
    match scrutiny.row.status.clone().as_deref() {
        None | Some("active") => false,
        Some("disabled") => true,
        Some(other) => {
            let reason = "a status is `active` or `disabled`; a mapping file translates other values";
            scrutiny.fault(Reason::Status, "status", other, reason);
            false
        }
    }
}

fn allowed(scrutiny: &mut Scrutiny<'_>) -> Vec<IpNet> {
    let mut ranges = Vec::new();
    for text in &scrutiny.row.allowed {
        match rules::range(text) {
            Ok(range) => ranges.push(range),
            Err(error) => {
                let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
                scrutiny.fault(Reason::AddressRange, "allowed", text, format!("{error}{hint}"));
            }
        }
    }
    ranges
}

fn expires(scrutiny: &mut Scrutiny<'_>) -> Option<Expiry> {
    let text = scrutiny.row.expires.clone()?;
    let checked = rules::expiry(&text);
    if let Err(error) = &checked {
        let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        scrutiny.fault(Reason::Expiry, "expires", &text, format!("{error}{hint}"));
    }
    checked.ok()
}

fn note(scrutiny: &mut Scrutiny<'_>) -> Option<String> {
    let text = scrutiny.row.note.clone()?;
    scrutiny.or_fault(rules::note(&text), Reason::Note, "note", &text).flatten()
}

fn public_keys(scrutiny: &mut Scrutiny<'_>) -> Vec<String> {
    let mut keys = Vec::new();
    for (index, line) in scrutiny.row.keys.iter().enumerate() {
        match rules::public_keys("the row", line) {
            Ok(read) => keys.extend(read),
            Err(error) => {
                // The type of a key, and no word of a text that may be anything.
                let value = line.split_whitespace().next().filter(|word| begins_with_type(word)).unwrap_or_default();
                scrutiny.fault(Reason::PublicKey, "keys", value, format!("key {}: {error}", index + 1));
            }
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==";

    fn environment() -> Environment {
        sftpctl_core::spec::load(include_str!("../../../../environments/99.yaml"), "99.yaml").unwrap()
    }

    fn row() -> Row {
        Row {
            place: "line 2".into(),
            org_id: Some("17578".into()),
            username: Some("jan@example.com".into()),
            password: Password::Hash(HASH.into()),
            cluster: Some("99-0".into()),
            ..Row::default()
        }
    }

    fn check(row: &Row) -> Checked {
        Rules { environment: &environment(), default_cluster: None }.check(1, row)
    }

    /// As in a row whose columns are shifted.
    #[test]
    fn hashes_in_other_columns_are_not_shown() {
        for hash in [HASH, "$6$saltsalt$0123456789abcdef", "{SSHA}0123456789abcdef", "5ebe2294ecd0e0f08eab7690d2a6ee69"]
        {
            let some = || Some(format!(" {hash}"));
            let rows = [
                Row { username: some(), ..row() },
                Row { org_id: some(), ..row() },
                Row { cluster: some(), ..row() },
                Row { home: some().map(|home| format!("/pl-pt99-9-uploads/{home}")), ..row() },
                Row { status: some(), ..row() },
                Row { expires: some(), ..row() },
                Row { allowed: some().into_iter().collect(), ..row() },
                Row { keys: some().into_iter().collect(), ..row() },
            ];
            for row in rows {
                let checked = check(&row);
                let faults = checked.account.err().unwrap_or_default();
                let shown = format!("{faults:?}{:?}", checked.remarks);
                // A path may be anything: what stands in it is not compared with forms that have no mark.
                assert!(!shown.contains(hash) || (row.home.is_some() && !hash.contains(['$', '{'])), "{shown}");
            }
        }
    }

    #[test]
    fn a_good_row_is_an_account() {
        let (account, plain) = check(&row()).account.unwrap();
        assert_eq!((account.org_id, account.username.as_str()), (17578, "jan@example.com"));
        assert_eq!((account.password.as_deref(), plain), (Some(HASH), None));
        assert_eq!(account.home.path(), "/pl-pt99-0-uploads/17578");
        let plain = Row { password: Password::Plain("a password".into()), ..row() };
        assert_eq!(check(&plain).account.unwrap().1.as_deref(), Some("a password"));
    }

    #[test]
    fn a_unix_home_is_the_organisations_folder_and_a_bucket_is_checked() {
        let unix = Row { home: Some("/home/17578".into()), ..row() };
        let checked = check(&unix);
        assert_eq!(checked.account.unwrap().0.home.path(), "/pl-pt99-0-uploads/17578");
        assert_eq!(checked.remarks, []);
        let renamed = check(&Row { home: Some("/home/Müller".into()), ..row() });
        assert_eq!(renamed.account.unwrap().0.home.folder, "17578");
        assert_eq!(renamed.remarks[0].before, "/home/Müller");
        let bucket = Row { home: Some("/pl-pt99-5-uploads/x/y".into()), cluster: None, ..row() };
        assert_eq!(check(&bucket).account.unwrap().0.home.path(), "/pl-pt99-5-uploads/x/y");
        let s3 = Row { home: Some("s3://pl-pt99-0-uploads/x".into()), ..row() };
        assert_eq!(check(&s3).account.unwrap().0.home.path(), "/pl-pt99-0-uploads/x");
        let foreign = check(&Row { home: Some("s3://foreign/17578".into()), ..row() });
        assert!(foreign.account.unwrap_err()[0].reason.contains("the bucket foreign does not belong to a cluster"));
        assert_eq!(foreign.old_folder, None);
        for (row, kind) in [
            (Row { home: Some("/pl-pt99-9-uploads/1".into()), ..row() }, Reason::Home),
            (Row { home: Some("/pl-pt99-5-uploads".into()), ..row() }, Reason::Home),
            (Row { home: Some("s3://b/17578".into()), ..row() }, Reason::Home),
            (Row { home: Some("s3://pl-pt99-5-uploads/17578".into()), ..row() }, Reason::Home),
            (Row { home: Some("s3://pl-pt99-0-uploads/".into()), ..row() }, Reason::Home),
            (Row { home: Some("/home/17578".into()), cluster: None, ..row() }, Reason::Cluster),
            (Row { cluster: Some("5".into()), ..row() }, Reason::Cluster),
        ] {
            assert_eq!(check(&row).account.unwrap_err()[0].kind, kind, "{row:?}");
        }
    }

    #[test]
    fn values_of_a_mapping_are_checked_once() {
        let environment = environment();
        let rules = Rules { environment: &environment, default_cluster: None };
        for (attribute, good, bad) in [
            ("cluster", "99-5", "99-77"),
            ("regions", "us-west-2", "mars-1"),
            ("expires", "2030-01-01", "tomorrow"),
            ("allowed", "10.0.0.0/8", "10.0.0.0/33"),
        ] {
            assert_eq!(rules.constant(attribute, good), None, "{attribute}");
            let (message, _) = rules.constant(attribute, bad).unwrap();
            assert!(message.contains(bad), "{message}");
        }
        assert_eq!(rules.constant("username", "anything"), None);
    }

    #[test]
    fn every_fault_of_a_row_is_named_and_no_password() {
        let row = Row {
            org_id: Some("0".into()),
            username: Some("ab".into()),
            password: Password::Hash("secret".into()),
            cluster: Some("no".into()),
            status: Some("on".into()),
            allowed: vec!["10.1.2.3/0".into()],
            keys: vec!["ssh-dss AAAA".into()],
            regions: vec!["us-west-2".into(), "eu-west-1".into()],
            ..row()
        };
        let checked = check(&row);
        let faults = checked.account.unwrap_err();
        let kinds: Vec<Reason> = faults.iter().map(|fault| fault.kind).collect();
        assert_eq!(
            kinds,
            [
                Reason::OrgId,
                Reason::UserName,
                Reason::UnverifiedHash,
                Reason::Cluster,
                Reason::Status,
                Reason::AddressRange,
                Reason::PublicKey,
                Reason::Region,
            ]
        );
        assert!(!format!("{faults:?}").contains("secret"));
        let faults = check(&Row { keys: vec!["summer-24 and more".into()], ..row }).account.unwrap_err();
        assert!(!format!("{faults:?}").contains("summer"), "a word that is not a type of key");
        assert_eq!(checked.username.as_deref(), Some("ab"), "it still claims the name");
    }

    #[test]
    fn a_row_has_what_the_servers_ask_for() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
        let with_both = Row { keys: vec![key.into()], ..row() };
        let with_key = Row { password: Password::None, ..with_both.clone() };
        for (method, refused) in [
            ("PASSWORD", [false, true, false]),
            ("PUBLIC_KEY", [true, false, false]),
            ("PUBLIC_KEY_OR_PASSWORD", [false, false, false]),
            ("PUBLIC_KEY_AND_PASSWORD", [true, true, false]),
        ] {
            let mut environment = environment();
            environment.server.authentication = method.into();
            let rules = Rules { environment: &environment, default_cluster: None };
            let is_refused = |row: &Row| match rules.check(1, row).account {
                Ok(_) => false,
                Err(faults) => faults.iter().all(|fault| fault.kind == Reason::Method),
            };
            assert_eq!([&row(), &with_key, &with_both].map(is_refused), refused, "{method}");
        }
    }

    #[test]
    fn what_is_missing_is_a_fault() {
        let kinds =
            |row: Row| -> Vec<Reason> { check(&row).account.unwrap_err().iter().map(|fault| fault.kind).collect() };
        assert_eq!(kinds(Row { org_id: None, ..row() }), [Reason::OrgId]);
        assert_eq!(kinds(Row { username: None, ..row() }), [Reason::UserName]);
        assert_eq!(kinds(Row { password: Password::None, ..row() }), [Reason::Password]);
        assert_eq!(kinds(Row { password: Password::Plain(String::new()), ..row() }), [Reason::Password]);
        assert_eq!(kinds(Row { username: Some("Root".into()), ..row() }), [Reason::BlockedName]);
        assert_eq!(kinds(Row { org_id: Some("18446744073709551615".into()), ..row() }), [Reason::OrgId]);
        assert_eq!(kinds(Row { username: Some("jan ".into()), ..row() }), [Reason::UserName]);
        let soon = check(&Row { expires: Some("31.12.2026".into()), ..row() }).account.unwrap_err();
        assert!(soon[0].reason.contains("write 2026-12-31"), "{soon:?}");
    }

    #[test]
    fn a_cluster_and_a_home_of_another_contradict_each_other() {
        let home = |cluster: &str| Row {
            cluster: Some(cluster.into()),
            home: Some("/pl-pt99-0-uploads/17578".into()),
            ..row()
        };
        assert!(check(&home("99-0")).account.is_ok());
        let other = environment().clusters.keys().find(|name| *name != "99-0").cloned().unwrap();
        for (cluster, words) in
            [(other.as_str(), "and a home folder in the bucket pl-pt99-0-uploads"), ("no", "has only")]
        {
            let faults = check(&home(cluster)).account.unwrap_err();
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].reason.contains(words), "{faults:?}");
        }
        assert!(check(&home(&other)).account.unwrap_err()[0].reason.contains(&format!("the cluster {other}, whose")));
    }
}
