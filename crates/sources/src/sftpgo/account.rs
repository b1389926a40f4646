//! What a user of SFTPGo is as a customer's account. Pure.

use std::collections::BTreeMap;

use sftp_authorizer::account::parse_address;
use sftp_authorizer::public_key;
use sftpctl_accounts::import::row::{Refused, Remark};

use super::form::User;
use crate::days;
use crate::notes::{org_id, refused, remark};
use crate::source::{Record, Value};
use crate::unix::without_options;

/// The names of the columns, in the order of [`record`].
pub(crate) const COLUMNS: [&str; 14] = [
    "username",
    "password",
    "status",
    "keys",
    "home",
    "allowed",
    "expires",
    "groups",
    "role",
    "email",
    "description",
    "additional_info",
    "last_login",
    "orgid",
];

/// How many users have something that an account does not.
pub(crate) type Kinds = BTreeMap<&'static str, u64>;

struct Findings<'k> {
    remarks: Vec<Remark>,
    refusal: Option<Refused>,
    kinds: &'k mut Kinds,
    drops_restrictions: bool,
}

impl Findings<'_> {
    fn count(&mut self, kind: &'static str) {
        *self.kinds.entry(kind).or_default() += 1;
    }

    /// Something that is lost, and harms nobody but the operator.
    fn lost(&mut self, column: &str, kind: &'static str, before: &str, why: &str) {
        self.count(kind);
        self.remarks.push(remark(column, before, "", why));
    }

    /// Something whose loss would admit somebody who was not admitted before.
    fn restriction(&mut self, column: &str, kind: &'static str, value: &str, why: &str) {
        if self.drops_restrictions {
            return self.lost(column, kind, value, &format!("{why}; dropped, as asked for"));
        }
        self.count(kind);
        self.refuse(column, value, &format!("{why}; --drop-restrictions imports the user without it"));
    }

    fn refuse(&mut self, column: &str, value: &str, why: &str) {
        if self.refusal.is_none() {
            self.refusal = Some(refused(column, value, why));
        }
    }
}

/// The record of a user, with the settings of the groups. `now` is in milliseconds since 1970.
pub(crate) fn record(
    place: String,
    mut user: User,
    groups: &BTreeMap<String, User>,
    kinds: &mut Kinds,
    drops_restrictions: bool,
    now: i64,
) -> Record {
    let mut found = Findings { remarks: Vec::new(), refusal: None, kinds, drops_restrictions };
    if let Err(group) = user.merge(groups) {
        let why = "the dump does not have this group, whose settings hold for the user: dump groups, too";
        found.refuse("groups", &group, why);
    }
    let (password, keys) = credentials(&user, now, &mut found);
    let allowed = allowed(&user, &mut found);
    losses(&user, &mut found);
    let home = home(&user, &mut found);
    let is_over = user.expiration_date > 0 && user.expiration_date <= now;
    let expires = Some(user.expiration_date).filter(|end| *end > 0).map(|end| end.div_euclid(1_000));
    let expires = expires.and_then(days::instant);
    let is_active = user.status >= 1 && !is_over;
    if is_over {
        let before = expires.clone().unwrap_or_default();
        found.remarks.push(remark("expires", &before, "disabled", "the account has expired"));
    }
    let value = |text: Option<String>| text.filter(|text| !text.is_empty()).map_or(Value::Null, Value::Text);
    let login = Some(user.last_login).filter(|at| *at > 0).and_then(|at| days::instant(at.div_euclid(1_000)));
    Record {
        place,
        remarks: found.remarks,
        refusal: found.refusal,
        is_exact: false,
        values: vec![
            value(Some(user.username.clone())),
            value(password),
            Value::Text(if is_active { "active" } else { "disabled" }.to_owned()),
            Value::Texts(keys),
            value(Some(home.clone())),
            Value::Texts(allowed),
            value(expires),
            Value::Texts(user.groups.into_iter().map(|group| group.name).collect()),
            value(Some(user.role)),
            value(Some(user.email)),
            value(Some(user.description)),
            value(Some(user.additional_info)),
            value(login),
            org_id(&home, &user.username),
        ],
    }
}

/// The hash and the keys, as far as SFTPGo admits each.
fn credentials(user: &User, now: i64, found: &mut Findings<'_>) -> (Option<String>, Vec<String>) {
    let filters = &user.filters;
    let denies = |method: &str| filters.denied_login_methods.iter().any(|denied| denied == method);
    if filters.denied_protocols.iter().any(|protocol| protocol == "SSH") {
        found.refuse("username", &user.username, "it is not a customer of SFTP: denied_protocols has SSH");
    }
    if filters.is_anonymous {
        found.refuse("password", "", "the user is anonymous: any password admits");
    }
    let is_ssh = |list: &[String]| list.iter().any(|protocol| protocol == "SSH");
    if is_ssh(&filters.two_factor_protocols) || filters.totp_config.enabled && is_ssh(&filters.totp_config.protocols) {
        found.restriction("password", "second factor", "", "the user has a second factor, and an account has none");
    }
    let age = filters.password_expiration.saturating_mul(86_400_000);
    let is_old = age > 0 && user.last_password_change.saturating_add(age) < now;
    if filters.require_password_change || is_old {
        let why = "the password must be changed before the next log-in, which SFTP cannot ask for";
        found.restriction("password", "password to be changed", "", why);
    }
    if !filters.access_time.is_empty() {
        found.restriction("status", "times of access", "", "the user may log in at some times only");
    }
    // A client that is asked for the password interactively is admitted, too.
    let is_password = !denies("password") && !denies("password-over-SSH") || !denies("keyboard-interactive");
    let is_key = !denies("publickey");
    let is_both = !denies("publickey+password") || !denies("publickey+keyboard-interactive");
    if is_both && !is_password && !is_key {
        let why = "the user logs in with a key and then a password, and an account with one of them";
        found.restriction("password", "several steps", "", why);
    }
    if user.password.is_empty() && user.has_password {
        found.refuse(
            "password",
            "",
            "its hash is not in the file: make the file with dumpdata, not from a list of users",
        );
    }
    let is_either = is_both && !is_password && !is_key;
    let mut password = Some(user.password.clone()).filter(|hash| !hash.is_empty());
    if password.is_some() && !is_password && !is_either {
        found.lost("password", "password not admitted", "", "left out: SFTPGo admits no password of this user");
        password = None;
    }
    let mut keys = Vec::new();
    for (number, line) in (1..).zip(user.public_keys.iter().filter(|line| !line.trim().is_empty())) {
        let key = without_options(line);
        let place = format!("key {number}");
        match public_key::problem(&key) {
            _ if !is_key && !is_either => {
                found.lost("keys", "key not admitted", &place, "left out: SFTPGo admits no key of this user");
            }
            Some(problem) => {
                found.lost("keys", "key not usable", &place, &format!("this key is left out: {problem}"));
            }
            None => keys.push(key),
        }
    }
    if password.is_none() && keys.is_empty() {
        let why = "nobody can log in: it has no password and no key that can be used (a program or LDAP may have \
                   judged its log-ins)";
        found.refuse("password", "", why);
    }
    (password, keys)
}

/// The ranges. SFTPGo admits an address that is allowed, whatever is denied; if ranges are allowed, all others are
/// refused (`IsLoginFromAddrAllowed`). So denied ranges count only where none is allowed.
fn allowed(user: &User, found: &mut Findings<'_>) -> Vec<String> {
    let filters = &user.filters;
    if filters.allowed_ip.is_empty() && !filters.denied_ip.is_empty() {
        let value = filters.denied_ip.join(" ");
        found.restriction(
            "denied_ip",
            "denied addresses",
            &value,
            "an account has allowed addresses only, not denied ones",
        );
    }
    let mut ranges = Vec::new();
    for text in &filters.allowed_ip {
        // The import says what is wrong with what is not a range.
        let net = parse_address(text).map(|net| (net, net.trunc()));
        let range = net.map_or_else(|| text.clone(), |(_, range)| range.to_string());
        if net.is_some_and(|(net, range)| net != range) {
            found.remarks.push(remark("allowed", text, &range, "bits after the prefix, which SFTPGo ignores"));
        }
        if !ranges.contains(&range) {
            ranges.push(range);
        }
    }
    ranges
}

/// What else an account does not have.
fn losses(user: &User, found: &mut Findings<'_>) {
    let filters = &user.filters;
    if user.quota_size > 0 || user.quota_files > 0 || filters.max_upload_file_size > 0 {
        let before = format!("{} bytes, {} files", user.quota_size, user.quota_files);
        found.lost("quota", "quota", &before, "an account has no quota");
    }
    let transfers = [user.upload_data_transfer, user.download_data_transfer, user.total_data_transfer];
    let speeds = [user.upload_bandwidth, user.download_bandwidth, user.max_sessions];
    if transfers.iter().chain(&speeds).any(|limit| *limit > 0) || !filters.bandwidth_limits.is_empty() {
        found.lost("bandwidth", "limits of transfer", "", "an account has no limits of speed, volume and sessions");
    }
    if !user.virtual_folders.is_empty() {
        let folders: Vec<_> = user.virtual_folders.iter().map(|folder| folder.virtual_path.as_str()).collect();
        found.lost("virtual_folders", "virtual folders", &folders.join(" "), "an account has its home alone");
    }
    let is_all = |list: &Vec<String>| list.iter().any(|permission| permission == "*");
    if !user.permissions.is_empty() && !user.permissions.values().all(is_all) {
        let lists = user.permissions.iter().map(|(folder, list)| format!("{folder}: {}", list.join(",")));
        let before = lists.collect::<Vec<_>>().join(" ");
        found.lost(
            "permissions",
            "permissions",
            &before,
            "an account may read, write and delete everything in its home",
        );
    }
    if !filters.file_patterns.is_empty() {
        found.lost("file_patterns", "patterns of files", "", "an account may have files of any name");
    }
}

/// The folder with the customer's files.
fn home(user: &User, found: &mut Findings<'_>) -> String {
    let storage = &user.filesystem;
    let (kind, why) = match storage.provider {
        0 => return user.home_dir.clone(),
        1 => ("files in S3", "the files are in this bucket of S3"),
        2 => ("files at Google", "the files are in Google Cloud Storage"),
        3 => ("files at Azure", "the files are in Azure Blob Storage"),
        4 => ("encrypted files", "SFTPGo has encrypted the files: get them through SFTPGo, not from the disk"),
        5 => ("files on another server", "the files are on another SFTP server"),
        6 => ("files on another server", "the files are behind an HTTP service"),
        _ => ("files elsewhere", "the files are in a storage that is not known here"),
    };
    let home = match storage.provider {
        1 => format!("s3://{}/{}", storage.s3config.bucket, storage.s3config.key_prefix.trim_matches('/')),
        _ => user.home_dir.clone(),
    };
    found.lost("home", kind, &home, why);
    home
}
