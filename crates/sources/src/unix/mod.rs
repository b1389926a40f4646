//! The accounts of a Unix server: passwd, shadow, group, login.defs, sshd_config and authorized_keys, below a folder.

mod account;
mod as_user;
mod authorized_keys;
mod groups;
mod pattern;
mod ranges;
mod root;
mod shadow;
mod sshd;
mod sshd_config;

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader};
use std::ops::RangeInclusive;
use std::path::Path;

use async_trait::async_trait;
use sftpctl_accounts::import::row::{Remark, RowsError};
use sftpctl_core::freeze;
use sftpctl_core::text::{counted, either};

use self::account::{Account, COLUMNS};
use self::as_user::Reader;
pub(crate) use self::authorized_keys::without_options;
use self::authorized_keys::{Context, Key};
use self::groups::Groups;
use self::root::Root;
use self::shadow::Shadow;
use self::sshd::Login;
use self::sshd_config::SshdConfig;
use crate::days;
use crate::lines::{Faults, Lines, readable_by_all, text};
use crate::mapping::Mapping;
use crate::notes::{Tally, mapping, refused, remark, usage};
use crate::passwd::{self, Entry, Line};
use crate::source::{Record, Source};

const PASSWD: &str = "/etc/passwd";
const SHADOW: &str = "/etc/shadow";
const SSHD_CONFIG: &str = "/etc/ssh/sshd_config";

/// Records of a batch.
const BATCH: usize = 2_000;
/// Largest size of a configuration file, or of a file of keys, in bytes.
const SMALL: u64 = 1 << 20;
/// Largest size of the file of groups in bytes.
const LARGE: u64 = 256 << 20;

/// Which accounts are taken.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Also those that sshd_config does not limit to SFTP or to a folder, although it limits others.
    pub everyone: bool,
    /// The numbers of people's accounts, instead of those of login.defs.
    pub uids: Option<RangeInclusive<u32>>,
}

/// The accounts of a Unix server.
pub struct Unix {
    columns: Vec<String>,
    root: Root,
    options: Options,
    uids: RangeInclusive<u32>,
    groups: Groups,
    sshd: SshdConfig,
    /// Whether sshd_config tells the customers from other people.
    tells_customers: bool,
    passwd: Lines<BufReader<File>>,
    shadow: Shadow,
    today: i64,
    expected: u64,
    seen: HashSet<Box<str>>,
    left_out: LeftOut,
    /// How often something of the records' accounts is lost or becomes wider.
    lost: BTreeMap<&'static str, u64>,
    remarks: Vec<String>,
}

/// What a remark says that an account does not have, or has more than before, as it is counted for the whole server.
fn kind(remark: &Remark) -> Option<&'static str> {
    let Remark { column, before, after, why } = remark;
    Some(match column.as_str() {
        _ if after == "disabled" => "accounts disabled",
        "status" if before == "read-only" => "read-only customers who may write",
        "keys" if why.starts_with(authorized_keys::READ_ONLY) => "read-only keys that may write",
        "keys" if why.starts_with(authorized_keys::LEFT_OUT) => "keys left out",
        "keys" if why.starts_with("it could not be read") => "files of keys not read",
        "keys" | "password" if why.starts_with("left out") => "passwords or keys that sshd_config does not admit",
        "expires" => "ends of keys lost",
        "last_changed" => "passwords that had to be changed",
        _ => return None,
    })
}

/// Why a row is refused whose keys nobody can know.
const LOST: &str = "a link on the way to the keys leads nowhere: mount what it leads to, or correct the link";

/// Accounts that are not records.
#[derive(Default)]
struct LeftOut {
    system: Tally,
    /// Those of `system` that sshd_config limits as it does customers.
    limited: Tally,
    staff: Tally,
    doubles: Tally,
}

impl Unix {
    /// Opens the files of the server whose root is `dir`, or that are copied into it, and checks every line.
    ///
    /// # Errors
    /// A file is missing, cannot be read, or has lines that are malformed: each is named.
    pub fn open(dir: &Path, options: Options) -> Result<Self, RowsError> {
        Self::open_on(dir, options, days::today())
    }

    fn open_on(dir: &Path, options: Options, today: i64) -> Result<Self, RowsError> {
        let root = Root::open(dir)?;
        let mut remarks = Vec::new();
        let mut faults = Faults::default();
        let expected = check_passwd(&root, &mut faults, &mut remarks)?;
        check_shadow(&root, &mut faults, &mut remarks)?;
        let small = |path| -> Result<Option<String>, RowsError> {
            let content = root.read(path, SMALL).map_err(|error| unreadable(&root, path, &error))?;
            Ok(content.map(|content| text(&content).0.into_owned()))
        };
        let group = root.read("/etc/group", LARGE).map_err(|error| unreadable(&root, "/etc/group", &error))?;
        if group.is_none() {
            remarks.push(format!("{} is missing: nobody is in a group", root.shown("/etc/group")));
        }
        let groups = Groups::parse(&root.shown("/etc/group"), &group.unwrap_or_default(), &mut faults);
        faults.check()?;
        let uids = options.uids.clone();
        let uids = uids.map_or_else(|| Ok(groups::uids(&small("/etc/login.defs")?.unwrap_or_default())), Ok)?;
        let sshd = sshd(&root, small(SSHD_CONFIG)?, &mut remarks)?;
        Ok(Self {
            columns: COLUMNS.map(str::to_owned).into(),
            tells_customers: sshd::tells_customers(&sshd),
            passwd: Lines::new(BufReader::new(required(&root, PASSWD)?)),
            shadow: Shadow::new(required(&root, SHADOW)?),
            root,
            options,
            uids,
            groups,
            sshd,
            today,
            expected,
            seen: HashSet::new(),
            left_out: LeftOut::default(),
            lost: BTreeMap::new(),
            remarks,
        })
    }

    /// The next account, with its place; none at the end.
    fn entry(&mut self) -> Result<Option<(String, Entry)>, RowsError> {
        loop {
            let line = self.passwd.next().map_err(|error| unreadable(&self.root, PASSWD, &error))?;
            let Some((number, line)) = line else { return Ok(None) };
            let changed =
                |why| usage(format!("passwd, line {number}: {why}"), "it has changed while it was read: retry");
            if let Line::Entry(entry) = passwd::parse(line).map_err(changed)? {
                return Ok(Some((format!("passwd, line {number}"), entry)));
            }
        }
    }

    /// The record of an account, unless it is left out.
    fn record(&mut self, place: String, entry: Entry) -> Result<Option<Record>, RowsError> {
        // getpwnam(3) finds the first one.
        if !self.seen.insert(entry.name.as_str().into()) {
            self.left_out.doubles.add(format!("{} ({place})", entry.name));
            return Ok(None);
        }
        let secret = self.shadow.take(&entry.name).map_err(|error| unreadable(&self.root, SHADOW, &error))?;
        let groups = self.groups.of(&entry);
        let login = Login::of(&self.sshd, &entry, &groups);
        let is_limited = self.tells_customers && login.is_customer();
        if !self.uids.contains(&entry.uid) {
            self.left_out.system.count += 1;
            if is_limited {
                self.left_out.limited.add(entry.name);
            }
            return Ok(None);
        }
        if self.tells_customers && !is_limited && !self.options.everyone {
            self.left_out.staff.add(entry.name);
            return Ok(None);
        }
        let (keys, remarks, lost) = self.keys(&entry, &login);
        let account = Account { entry, groups: &groups, secret, login, keys, today: self.today };
        let mut record = account.record(place, remarks);
        // Without its keys it would lose those that it has in the table, or seem to have nothing to log in with.
        record.refusal = lost.map(|path| refused("keys", &path, LOST)).or(record.refusal);
        for kind in record.remarks.iter().filter_map(kind) {
            *self.lost.entry(kind).or_default() += 1;
        }
        Ok(Some(record))
    }

    /// The keys of an account, what is said of those that it cannot have, and a file of keys that nobody can know: a mount
    /// is not there.
    fn keys(&self, entry: &Entry, login: &Login) -> (Vec<Key>, Vec<Remark>, Option<String>) {
        let context = Context { has_command: login.force_command.is_some(), today: self.today };
        let user = Reader { uid: entry.uid, gids: self.groups.ids_of(entry) };
        let (mut keys, mut remarks, mut lost): (Vec<Key>, Vec<Remark>, Option<String>) = Default::default();
        for path in login.key_paths(entry) {
            match self.root.read_as(&path, SMALL, &user) {
                Ok(None) => {}
                Ok(Some(content)) => {
                    let (found, said) = authorized_keys::keys(&path, &text(&content).0, context);
                    // sshd takes the first line with a key.
                    for key in found {
                        if !keys.iter().any(|other| other.text == key.text) {
                            keys.push(key);
                        }
                    }
                    remarks.extend(said);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => lost = Some(path),
                Err(error) => remarks.push(remark("keys", &path, "", format!("it could not be read: {error}"))),
            }
        }
        (keys, remarks, lost)
    }
}

fn unreadable(root: &Root, path: &str, error: &io::Error) -> RowsError {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => "run this as root, or import from a copy of the file",
        _ => "check the file, or import from a copy of it",
    };
    usage(format!("{} could not be read: {error}", root.shown(path)), hint)
}

/// A file that must be there.
fn required(root: &Root, path: &str) -> Result<File, RowsError> {
    let file = root.file(path).map_err(|error| unreadable(root, path, &error))?;
    file.ok_or_else(|| {
        usage(format!("{} is missing", root.shown(path)), "copy the server's file there, or name another folder")
    })
}

/// Checks the lines of passwd; returns how many accounts there are.
fn check_passwd(root: &Root, faults: &mut Faults, remarks: &mut Vec<String>) -> Result<u64, RowsError> {
    let mut lines = Lines::new(BufReader::new(required(root, PASSWD)?));
    let (mut accounts, mut nis) = (0, 0_u64);
    while let Some((number, line)) = lines.next().map_err(|error| unreadable(root, PASSWD, &error))? {
        match passwd::parse(line) {
            Ok(Line::Entry(_)) => accounts += 1,
            Ok(Line::Nis) => nis += 1,
            Ok(Line::Nothing) => {}
            Err(why) => faults.add(&root.shown(PASSWD), number, &why),
        }
    }
    if nis > 0 {
        remarks.push(format!("lines for NIS in passwd (`+` or `-`): {nis}; the accounts of NIS are not read"));
    }
    Ok(accounts)
}

/// Checks the lines and the mode of shadow.
fn check_shadow(root: &Root, faults: &mut Faults, remarks: &mut Vec<String>) -> Result<(), RowsError> {
    let file = required(root, SHADOW)?;
    let remark = readable_by_all(&file, &root.path_of(SHADOW)).map_err(|error| unreadable(root, SHADOW, &error))?;
    remarks.extend(remark);
    let mut lines = Lines::new(BufReader::new(file));
    while let Some((number, line)) = lines.next().map_err(|error| unreadable(root, SHADOW, &error))? {
        if let Err(why) = shadow::parse(line) {
            faults.add(&root.shown(SHADOW), number, &why);
        }
    }
    Ok(())
}

/// Reads sshd's configuration with the files that it includes.
fn sshd(root: &Root, main: Option<String>, remarks: &mut Vec<String>) -> Result<SshdConfig, RowsError> {
    let main = main.unwrap_or_else(|| {
        let shown = root.shown(SSHD_CONFIG);
        remarks.push(format!(
            "{shown} is missing: every person's account is taken as a customer's, and home as its folder"
        ));
        // As Debian and Red Hat ship it.
        "UsePAM yes\n".to_owned()
    });
    let mut frozen = 0;
    let mut include = |pattern: &str| {
        let said = |path: &str, error: io::Error| format!("{path} could not be read: {error}");
        let mut found = Vec::new();
        for path in root.glob(pattern).map_err(|error| said(pattern, error))? {
            let name = path.rsplit('/').next().unwrap_or_default();
            if freeze::organisation(name).is_some() {
                frozen += 1;
                continue;
            }
            if let Some(content) = root.read(&path, SMALL).map_err(|error| said(&path, error))? {
                found.push((root.shown(&path), text(&content).0.into_owned()));
            }
        }
        Ok(found)
    };
    let config = SshdConfig::parse((root.shown(SSHD_CONFIG), main), &mut include)
        .map_err(|faults| usage(faults.join("\n"), "check it with `sshd -t -f FILE`, and correct it in a copy"))?;
    if frozen > 0 {
        let customers = counted(frozen, "customer");
        let are = either(frozen, "is", "are");
        remarks.push(format!(
            "{customers} {are} denied by `sftpctl homes cutover` on this server, which disables no account"
        ));
    }
    for place in config.by_connection() {
        remarks.push(format!("{place} holds for some connections only, and is taken to hold for nobody"));
    }
    for (keyword, what) in [
        ("AuthorizedKeysCommand", "keys come from a program, which is not asked"),
        ("TrustedUserCAKeys", "certificates admit customers, and Transfer Family takes none"),
    ] {
        let has_value =
            |line: &sshd_config::Line| line.arguments.first().is_some_and(|value| !value.eq_ignore_ascii_case("none"));
        if config.all(&keyword.to_ascii_lowercase()).any(has_value) {
            remarks.push(format!("sshd_config has {keyword}: {what}"));
        }
    }
    Ok(config)
}

#[async_trait]
impl Source for Unix {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn remarks_on_accounts(&self) -> bool {
        true
    }

    fn default_mapping(&self) -> Option<Mapping> {
        Some(mapping())
    }

    async fn next(&mut self) -> Result<Vec<Record>, RowsError> {
        let mut records = Vec::new();
        while records.len() < BATCH {
            let Some((place, entry)) = self.entry()? else { break };
            records.extend(self.record(place, entry)?);
        }
        Ok(records)
    }

    fn expected(&self) -> Option<u64> {
        Some(self.expected)
    }

    fn remarks(&self) -> Vec<String> {
        let LeftOut { system, limited, staff, doubles } = &self.left_out;
        let mut remarks = self.remarks.clone();
        if system.count > 0 {
            let (from, to) = (self.uids.start(), self.uids.end());
            remarks.push(format!("left out as accounts of the system (uid outside {from} to {to}): {}", system.count));
        }
        if limited.count > 0 {
            remarks.push(format!(
                "of these, sshd_config limits some as it does customers: {}. If they are, give the range of uids",
                limited.shown()
            ));
        }
        if staff.count > 0 {
            remarks.push(format!(
                "left out as staff, since sshd_config limits others to SFTP or to a folder: {} ({}). --everyone \
                 includes them",
                staff.count,
                staff.shown()
            ));
        }
        if !self.lost.is_empty() {
            let kinds: Vec<_> = self.lost.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            remarks.push(format!(
                "what the server has and an account does not: {}; a report names each",
                kinds.join(", ")
            ));
        }
        if doubles.count > 0 {
            let (count, lines) = (doubles.count, doubles.shown());
            remarks
                .push(format!("lines of passwd that repeat a user name, of which the first counts: {count} ({lines})"));
        }
        remarks
    }
}

#[cfg(test)]
mod tests;
