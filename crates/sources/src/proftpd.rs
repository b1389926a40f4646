//! The accounts of ProFTPD's `AuthUserFile`: lines as in passwd, with the hash in its field (ProFTPD, mod_auth_file).
//! The groups of an `AuthGroupFile` give no rights that an account here could have.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use async_trait::async_trait;
use sftpctl_accounts::import::row::RowsError;
use sftpctl_core::shown::visible;

use crate::crypt::{Stored, stored};
use crate::lines::{Faults, Lines, open_twice, readable_by_all};
use crate::mapping::Mapping;
use crate::notes::{Tally, mapping, org_id, refused, remark, usage};
use crate::passwd::{Entry, Line, parse};
use crate::source::{Record, Source, Value};

const COLUMNS: [&str; 11] =
    ["username", "uid", "gid", "gecos", "home", "shell", "password", "status", "expires", "keys", "orgid"];

/// Records of a batch.
const BATCH: usize = 5_000;

/// The accounts of an `AuthUserFile`.
pub struct ProFtpd {
    columns: Vec<String>,
    path: String,
    lines: Lines<BufReader<File>>,
    expected: u64,
    seen: HashSet<Box<str>>,
    doubles: Tally,
    remarks: Vec<String>,
}

impl ProFtpd {
    /// Opens a file, and checks every line.
    ///
    /// # Errors
    /// It cannot be read, or has lines that are malformed: each is named.
    pub fn open(file: &Path) -> Result<Self, RowsError> {
        let path = visible(&file.display().to_string()).into_owned();
        let unreadable = |error| unreadable(&path, &error);
        let open = || open_twice(file).map_err(unreadable);
        let opened = open()?;
        let remarks = readable_by_all(&opened, file).map_err(unreadable)?.into_iter().collect();
        let (mut faults, mut expected) = (Faults::default(), 0);
        let mut lines = Lines::new(BufReader::new(opened));
        while let Some((number, line)) = lines.next().map_err(unreadable)? {
            match parse(line) {
                Ok(Line::Entry(_)) => expected += 1,
                Ok(Line::Nothing) => {}
                Ok(Line::Nis) => faults.add(&path, number, "it begins with `+` or `-`, as lines for NIS do"),
                Err(why) => faults.add(&path, number, &why),
            }
        }
        faults.check()?;
        let lines = Lines::new(BufReader::new(open()?));
        Ok(Self {
            columns: COLUMNS.map(str::to_owned).into(),
            path,
            lines,
            expected,
            seen: HashSet::new(),
            doubles: Tally::default(),
            remarks,
        })
    }
}

fn unreadable(path: &str, error: &io::Error) -> RowsError {
    usage(format!("{path} could not be read: {error}"), "name a file that this user may read, such as a copy")
}

fn record(place: String, entry: Entry) -> Record {
    let mut remarks = entry.remarks();
    let mut refusal = None;
    for (column, value) in [("username", &entry.name), ("home", &entry.home)] {
        if entry.is_latin_1(column) && refusal.is_none() {
            refusal = Some(refused(column, value, "it is not UTF-8, and would be another name in S3: rename it"));
        }
    }
    let mut status = "active";
    let password = match stored(&entry.password) {
        Stored::Hash(hash) => Some(hash),
        Stored::Locked(hash) => {
            status = "disabled";
            let why = "the password is locked (`ftpasswd --lock`); its hash is kept for when the account is enabled";
            remarks.push(remark("password", "", status, why));
            Some(hash)
        }
        Stored::Empty => {
            refusal = refusal.or(Some(refused("password", "", "the field is empty: no password is needed. Set one")));
            None
        }
        Stored::Impossible { .. } => {
            refusal = refusal.or(Some(refused("password", "", "nobody can log in: the field is not a hash")));
            None
        }
    };
    let org_id = org_id(&entry.home, &entry.name);
    Record {
        place,
        remarks,
        refusal,
        is_exact: false,
        values: vec![
            Value::Text(entry.name),
            Value::Text(entry.uid.to_string()),
            Value::Text(entry.gid.to_string()),
            Value::Text(entry.gecos),
            Value::Text(entry.home),
            Value::Text(entry.shell),
            password.map_or(Value::Null, Value::Text),
            Value::Text(status.to_owned()),
            Value::Null,
            Value::Null,
            org_id,
        ],
    }
}

#[async_trait]
impl Source for ProFtpd {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn remarks_on_accounts(&self) -> bool {
        true
    }

    fn default_mapping(&self) -> Option<Mapping> {
        Some(Mapping { allowed: None, keys: None, expires: None, ..mapping() })
    }

    async fn next(&mut self) -> Result<Vec<Record>, RowsError> {
        let mut records = Vec::new();
        while records.len() < BATCH {
            let Some((number, line)) = self.lines.next().map_err(|error| unreadable(&self.path, &error))? else {
                break;
            };
            let changed = |why| usage(format!("line {number}: {why}"), "it has changed while it was read: retry");
            let Line::Entry(entry) = parse(line).map_err(changed)? else { continue };
            // ProFTPD finds the first one.
            if self.seen.insert(entry.name.as_str().into()) {
                records.push(record(format!("line {number}"), entry));
            } else {
                self.doubles.add(format!("{} (line {number})", entry.name));
            }
        }
        Ok(records)
    }

    fn expected(&self) -> Option<u64> {
        Some(self.expected)
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks = self.remarks.clone();
        if self.doubles.count > 0 {
            let (count, lines) = (self.doubles.count, self.doubles.shown());
            remarks.push(format!("lines that repeat a user name, of which the first counts: {count} ({lines})"));
        }
        remarks
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn all(file: &[u8]) -> (Vec<Record>, ProFtpd) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ftpd.passwd");
        fs::write(&path, file).unwrap();
        let mut source = ProFtpd::open(&path).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut records = Vec::new();
        loop {
            let batch = runtime.block_on(source.next()).unwrap();
            if batch.is_empty() {
                return (records, source);
            }
            records.extend(batch);
        }
    }

    #[test]
    fn lines_are_accounts() {
        let file = b"# made by ftpasswd\n\
            jan:$1$saltstri$1nJfAxfJ9XLOhwIMz20uj1:1001:100:J\xfcrgen:/home/17501:/bin/false\n\
            org17502:!$5$saltstring$W1A5v9C06wP6K4fEqKRkwdmp6G06HjULXCGwhyq0YS8:1001:100::/srv/ftp:/bin/false\n\
            jan:abo1lBNlefVw6:1002:100::/home/9:/bin/false\n\
            open::1003:100::/home/17503:/bin/false\n\
            none:x:1004:100::/home/17504:/bin/false\n";
        let (records, source) = all(file);
        assert_eq!(source.expected(), Some(5));
        let of = |index: usize, column| {
            let at = COLUMNS.iter().position(|name| *name == column).unwrap();
            match &records[index].values[at] {
                Value::Text(text) => text.clone(),
                _ => String::new(),
            }
        };
        assert_eq!(records.len(), 4);
        assert_eq!(
            (of(0, "username"), of(0, "orgid"), of(0, "gecos")),
            ("jan".into(), "17501".into(), "Jürgen".into())
        );
        assert_eq!(
            (of(0, "password"), of(0, "status")),
            ("$1$saltstri$1nJfAxfJ9XLOhwIMz20uj1".into(), "active".into())
        );
        assert_eq!(records[0].place, "line 2");
        assert_eq!((of(1, "orgid"), of(1, "status")), ("17502".into(), "disabled".into()));
        assert!(of(1, "password").starts_with("$5$"));
        assert!(records[2].refusal.as_ref().unwrap().why.contains("no password is needed"));
        assert!(records[3].refusal.as_ref().unwrap().why.contains("not a hash"));
        let remarks = source.remarks().join("\n");
        assert!(remarks.contains("of which the first counts: 1 (jan (line 4))"), "{remarks}");
    }

    #[test]
    fn every_fault_has_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ftpd.passwd");
        fs::write(&path, "jan:$6$secret:1:1::/home\n\n+::::::\n").unwrap();
        let Err(error) = ProFtpd::open(&path) else { panic!() };
        assert!(error.message.contains("ftpd.passwd, line 1: it has 6 fields"), "{error}");
        assert!(error.message.contains("ftpd.passwd, line 3: it begins with `+`"), "{error}");
        assert!(!error.message.contains("secret"));
        assert!(ProFtpd::open(&dir.path().join("none")).is_err());
        assert!(ProFtpd::open(dir.path()).is_err());
    }
}
