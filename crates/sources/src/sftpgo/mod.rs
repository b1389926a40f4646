//! The users in a dump of SFTPGo (`dumpdata` of its REST API, or a backup): one JSON object with arrays, of which
//! users and groups are read, one element at a time.

mod account;
mod dump;
mod form;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::de::IgnoredAny;
use sftpctl_accounts::import::row::RowsError;
use sftpctl_core::shown::visible;

use self::account::{COLUMNS, Kinds, record};
use self::dump::{Dump, Fault};
use self::form::{Group, User};
use crate::days;
use crate::lines::{open_twice, readable_by_all};
use crate::mapping::Mapping;
use crate::notes::{mapping, usage};
use crate::source::{Record, Source};

/// The version of dumps whose form is known (SFTPGo, `DumpVersion`).
const VERSION: i64 = 17;
/// Records of a batch.
const BATCH: usize = 1_000;

/// How users are taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Take users also if an account cannot have a restriction of theirs: denied addresses, a second factor, a password
    /// that must be changed, times of access, several steps. Without it they are refused.
    pub drops_restrictions: bool,
}

/// The users in a dump.
pub struct SftpGo {
    columns: Vec<String>,
    path: PathBuf,
    options: Options,
    dump: Dump<BufReader<File>>,
    /// Whether the users of the dump are being read, or have been.
    is_inside: bool,
    index: u64,
    groups: BTreeMap<String, User>,
    expected: u64,
    kinds: Kinds,
    /// Milliseconds since 1970.
    now: i64,
    remarks: Vec<String>,
}

impl SftpGo {
    /// Opens a dump, and reads its groups, which lie behind its users.
    ///
    /// # Errors
    /// It cannot be read, or is not a dump with users.
    pub fn open(file: &Path, options: Options) -> Result<Self, RowsError> {
        Self::open_at(file, options, days::today().saturating_mul(86_400_000))
    }

    fn open_at(file: &Path, options: Options, now: i64) -> Result<Self, RowsError> {
        let open = || open_twice(file).map_err(|error| unreadable(file, &error));
        let read = |opened| Dump::open(BufReader::new(opened)).map_err(|fault| faulty(file, &fault));
        let opened = open()?;
        let remark = readable_by_all(&opened, file).map_err(|error| unreadable(file, &error))?;
        let mut remarks: Vec<String> = remark.into_iter().collect();
        let mut dump = read(opened)?;
        let first = First::read(&mut dump).map_err(|fault| faulty(file, &fault))?;
        let Some(expected) = first.users else {
            let hint = "make it with `GET /api/v2/dumpdata?output-data=1`, all scopes or `users,groups`";
            return Err(usage(format!("{} has no users", shown(file)), hint));
        };
        if first.version.is_none_or(|version| version > VERSION) {
            remarks
                .push(format!("the dump's version is not one of those known here, up to {VERSION}: check some users"));
        }
        let dump = read(open()?)?;
        Ok(Self {
            columns: COLUMNS.map(str::to_owned).into(),
            path: file.to_owned(),
            options,
            dump,
            is_inside: false,
            index: 0,
            groups: first.groups,
            expected,
            kinds: Kinds::new(),
            now,
            remarks,
        })
    }

    /// The next user, with its line; none after the last.
    fn user(&mut self) -> Result<Option<(u64, User)>, Fault> {
        loop {
            if self.is_inside {
                if let Some(found) = self.dump.element()? {
                    return Ok(Some(found));
                }
                self.is_inside = false;
            }
            match self.dump.member()? {
                None => return Ok(None),
                Some(name) if name == "users" => self.is_inside = self.dump.array()?,
                Some(_) => self.dump.skip()?,
            }
        }
    }
}

/// What is read before the users.
#[derive(Default)]
struct First {
    groups: BTreeMap<String, User>,
    users: Option<u64>,
    version: Option<i64>,
}

impl First {
    fn read(dump: &mut Dump<BufReader<File>>) -> Result<Self, Fault> {
        let mut first = Self::default();
        while let Some(name) = dump.member()? {
            match name.as_str() {
                "users" => {
                    let mut users = 0;
                    if dump.array()? {
                        while dump.element::<IgnoredAny>()?.is_some() {
                            users += 1;
                        }
                    }
                    first.users = Some(first.users.unwrap_or_default() + users);
                }
                "groups" => {
                    if dump.array()? {
                        while let Some((_, group)) = dump.element::<Group>()? {
                            first.groups.insert(group.name.clone(), group.settings());
                        }
                    }
                }
                "version" => first.version = dump.number()?,
                _ => dump.skip()?,
            }
        }
        Ok(first)
    }
}

fn shown(path: &Path) -> String {
    visible(&path.display().to_string()).into_owned()
}

fn unreadable(path: &Path, error: &io::Error) -> RowsError {
    usage(format!("{} could not be read: {error}", shown(path)), "name a file that this user may read")
}

fn faulty(path: &Path, fault: &Fault) -> RowsError {
    usage(format!("{}, line {}: {}", shown(path), fault.line, fault.why), "make the dump again, and import that one")
}

#[async_trait]
impl Source for SftpGo {
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
            let Some((line, user)) = self.user().map_err(|fault| faulty(&self.path, &fault))? else { break };
            let place = format!("users[{}], line {line}", self.index);
            self.index += 1;
            let drops = self.options.drops_restrictions;
            records.push(record(place, user, &self.groups, &mut self.kinds, drops, self.now));
        }
        Ok(records)
    }

    fn expected(&self) -> Option<u64> {
        Some(self.expected)
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks = self.remarks.clone();
        if !self.kinds.is_empty() {
            let kinds: Vec<_> = self.kinds.iter().map(|(kind, users)| format!("{kind} {users}")).collect();
            remarks.push(format!(
                "settings of SFTPGo that an account does not have, with their users: {}",
                kinds.join(", ")
            ));
        }
        remarks
    }
}

#[cfg(test)]
mod tests;
