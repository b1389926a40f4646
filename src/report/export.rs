//! Accounts as `users import` reads them again, and as passwd and shadow. Pure, but for the files.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sftp_authorizer::Account;
use sftp_authorizer::expiry::Expiry;
use sftp_authorizer::password::{Form, Scheme};
use sftpctl_core::shown::{Text, exact_cell, exact_lines};
use sftpctl_sources::source;
use tempfile::NamedTempFile;

use super::{json, streams};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// An account, as `export/1`. The names are those that an import takes without a mapping; every line has all of them,
/// since the first lines of a source are taken for its columns.
#[derive(Serialize)]
struct Exported<'a> {
    orgid: i64,
    username: &'a str,
    /// Absent without hashes.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<Option<&'a str>>,
    home: String,
    status: &'static str,
    allowed: Vec<String>,
    keys: &'a [String],
    expires: Option<&'a str>,
    note: Option<&'a str>,
    regions: &'a [String],
    created: Option<&'a str>,
    updated: Option<&'a str>,
}

fn exported(account: &Account, with_hashes: bool) -> Exported<'_> {
    Exported {
        orgid: account.org_id,
        username: &account.username,
        password: with_hashes.then_some(account.password.as_deref()),
        home: account.home.path(),
        status: if account.disabled { "disabled" } else { "active" },
        allowed: account.allowed.iter().map(ToString::to_string).collect(),
        keys: &account.public_keys,
        expires: account.expires.as_ref().map(Expiry::as_str),
        note: account.note.as_deref(),
        regions: &account.regions,
        created: account.created.as_deref(),
        updated: account.updated.as_deref(),
    }
}

/// The account as a line of JSON.
pub fn json_line(account: &Account, with_hashes: bool) -> Text {
    json::line("export/1", &exported(account, with_hashes))
}

/// The header for [`csv`].
pub fn csv_header(with_hashes: bool) -> Text {
    let password = if with_hashes { "password," } else { "" };
    Text::from(format!(
        "orgid,username,{password}home,status,allowed,keys,expires,note,regions,created,updated,{}",
        source::SCHEMA
    ))
}

/// The account as a record of comma-separated values, with one key on a line. The last column marks it as ours, so that
/// an import reads every value back as it was.
pub fn csv(account: &Account, with_hashes: bool) -> Text {
    let account = exported(account, with_hashes);
    let cell = |text: Option<&str>| exact_cell(text.unwrap_or_default());
    let mut cells = vec![account.orgid.to_string(), exact_cell(account.username)];
    cells.extend(account.password.map(cell));
    cells.extend([
        exact_cell(&account.home),
        account.status.to_owned(),
        exact_cell(&account.allowed.join(",")),
        exact_lines(account.keys.iter().map(String::as_str)),
        cell(account.expires),
        cell(account.note),
        exact_cell(&account.regions.join(",")),
        cell(account.created),
        cell(account.updated),
        source::EXPORT.to_owned(),
    ]);
    cells.join(",").split('\n').collect()
}

/// An account as lines of passwd(5) and shadow(5).
#[derive(Debug, PartialEq, Eq)]
pub struct Unix {
    pub passwd: String,
    pub shadow: String,
    /// The form of a password that crypt(3) does not know, so that the account is locked.
    pub locked: Option<&'static str>,
}

/// The lines of an account. Its user ID is its organisation's, by which a Unix server finds its folder.
///
/// # Errors
/// Why it cannot be an account of Unix.
pub fn unix(account: &Account) -> Result<Unix, &'static str> {
    let Account { org_id, username, .. } = account;
    // Below 1000 are the system's own; 65534 is nobody, 65535 and 4294967295 mean none.
    if !(1000..4_294_967_295).contains(org_id) || [65_534, 65_535].contains(org_id) {
        return Err("its organisation ID cannot be a user ID");
    }
    // A name that is written in another form, as with controls, is another name.
    let is_other = Text::from(username.as_str()).to_string() != *username;
    if is_other || username.is_empty() || username.contains(':') || username.starts_with(['+', '-', '#']) {
        return Err("its user name has characters that passwd cannot hold");
    }
    let (hash, locked) = match account.password.as_deref() {
        None => ("*", None),
        Some(stored) => match crypt(stored) {
            Some(hash) => (hash, None),
            None => ("!", Some(Scheme::of(stored).map_or("unknown", Scheme::as_str))),
        },
    };
    let lock = if account.disabled && hash != "!" { "!" } else { "" };
    // An account that expires during a day is admitted to its end.
    let expires = account.expires.as_ref().map(|expires| (expires.seconds() + DAY - 1).div_euclid(DAY).to_string());
    Ok(Unix {
        passwd: format!("{username}:x:{org_id}:{org_id}::/home/{org_id}:/usr/sbin/nologin"),
        shadow: format!("{username}:{lock}{hash}::::::{}:", expires.unwrap_or_default()),
        locked,
    })
}

/// The hash as crypt(3) takes it: libxcrypt knows these forms of ours.
fn crypt(stored: &str) -> Option<&str> {
    let Scheme { form, hardened: false } = Scheme::of(stored)? else { return None };
    let hash = stored.get(stored.find('$')?..)?;
    let is_known =
        matches!(form, Form::Sha512Crypt | Form::Sha256Crypt | Form::Yescrypt | Form::Bcrypt | Form::Md5Crypt);
    (is_known && !hash.contains(|c: char| c == ':' || c.is_control())).then_some(hash)
}

/// The forms of locked passwords, with their counts.
pub fn locked(counts: &BTreeMap<&'static str, u64>) -> String {
    let counts: Vec<String> = counts.iter().map(|(form, count)| format!("{form}: {count}")).collect();
    counts.join(", ")
}

/// Where an export goes.
pub enum Sink {
    Stdout,
    File(PrivateFile),
}

impl Sink {
    /// Writes a record.
    ///
    /// # Errors
    /// The file cannot be written. A closed pipe is not an error.
    pub fn write(&mut self, record: Text) -> io::Result<()> {
        match self {
            Self::Stdout => streams::data(record),
            Self::File(file) => writeln!(file.out, "{record}")?,
        }
        Ok(())
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Stdout => Ok(()),
            Self::File(file) => file.finish(),
        }
    }
}

/// A file that is the user's alone (mode 0600), and appears when it is complete.
pub struct PrivateFile {
    out: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl PrivateFile {
    /// Begins a file beside its place.
    ///
    /// # Errors
    /// Its place is a device, a pipe or a folder, or the folder cannot be written.
    pub fn new(path: &Path) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // A terminal has a name, too: /dev/stdout, /dev/tty, /proc/self/fd/1.
        let is_other = path.metadata().is_ok_and(|metadata| !metadata.is_file());
        let folder_itself = folder.canonicalize()?;
        let is_of_system = folder_itself == Path::new("/dev") || folder_itself.starts_with("/proc");
        if is_other || is_of_system {
            return Err(io::Error::other("it is not a place for a file"));
        }
        Ok(Self { out: BufWriter::new(NamedTempFile::new_in(folder)?), path: path.to_owned() })
    }

    fn finish(self) -> io::Result<()> {
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist(self.path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sftp_authorizer::home::Home;
    use sftpctl_accounts::import::row::{Password, Row, Rows as _};
    use sftpctl_sources::csv::Csv;
    use sftpctl_sources::json::Json;
    use sftpctl_sources::mapped::Mapped;
    use sftpctl_sources::options::Options;
    use sftpctl_sources::source::Source;

    use super::*;

    const SHA512: &str =
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";

    fn account(password: Option<&str>) -> Account {
        Account {
            org_id: 17_578,
            username: "jan@example.com".into(),
            password: password.map(str::to_owned),
            home: Home { bucket: "bucket".into(), folder: "17578".into() },
            disabled: false,
            expires: Expiry::parse("2026-12-31"),
            allowed: vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
            regions: vec!["us-west-2".into()],
            public_keys: vec!["ssh-ed25519 AAAA".into(), "ssh-rsa BBBB".into()],
            note: Some("=pays, \"late\"".into()),
            created: Some("2026-01-01T00:00:00Z".into()),
            updated: None,
        }
    }

    #[test]
    fn hash_is_exported_on_demand_alone() {
        let account = account(Some("+secret-hash"));
        for text in [json_line(&account, false), csv(&account, false)] {
            assert!(!text.to_string().contains("secret"), "{text}");
        }
        assert!(!csv_header(false).to_string().contains("password"));
        assert!(csv(&account, true).to_string().contains(",'+secret-hash,"), "no formula");
        let line: serde_json::Value = serde_json::from_str(&json_line(&account, true).to_string()).unwrap();
        assert_eq!((&line["password"], &line["schema"]), (&"+secret-hash".into(), &"sftpctl/export/1".into()));
    }

    #[test]
    fn records_have_the_columns_of_an_import() {
        assert_eq!(
            csv(&account(None), true).to_string(),
            "17578,jan@example.com,,/bucket/17578,active,\"192.0.2.0/24,2001:db8::/32\",\"ssh-ed25519 AAAA\nssh-rsa \
             BBBB\",2026-12-31,\"'=pays, \"\"late\"\"\",us-west-2,2026-01-01T00:00:00Z,,sftpctl/export/1"
        );
        let columns = |header: &str| header.split(',').count();
        assert_eq!(columns(&csv_header(true).to_string()), 13);
        let line: serde_json::Value = serde_json::from_str(&json_line(&account(None), true).to_string()).unwrap();
        for field in sftpctl_accounts::import::row::Field::ALL.map(|field| field.as_str()) {
            let is_there = line.get(field).is_some();
            assert!(is_there || field == "cluster", "{field}: the home says it");
            assert_eq!(csv_header(true).to_string().split(',').any(|column| column == field), is_there, "{field}");
        }
    }

    /// What a file imports without a mapping.
    async fn imported(source: Box<dyn Source>) -> Row {
        let mapping = source.default_mapping().unwrap();
        let mut rows = Mapped::new(source, &mapping).unwrap();
        let mut rows = rows.next().await.unwrap();
        assert_eq!(rows.len(), 1);
        Row { place: String::new(), remarks: Vec::new(), ..rows.remove(0) }
    }

    #[tokio::test]
    async fn export_is_a_source_of_an_import() {
        let account = Account { disabled: true, ..account(Some("+v7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==")) };
        let expected = Row {
            org_id: Some("17578".into()),
            username: Some(account.username.clone()),
            password: Password::Hash(account.password.clone().unwrap()),
            home: Some(account.home.path()),
            status: Some("disabled".into()),
            allowed: account.allowed.iter().map(ToString::to_string).collect(),
            keys: account.public_keys.clone(),
            expires: Some("2026-12-31".into()),
            note: account.note.clone(),
            regions: account.regions.clone(),
            ..Row::default()
        };
        assert_eq!(read_back(&account).await, [expected.clone(), expected]);
    }

    /// What an import reads of an account in both forms.
    async fn read_back(account: &Account) -> [Row; 2] {
        let options = Options::default();
        let text = format!("{}\n{}\n", csv_header(true), csv(account, true));
        let csv = Csv::read(std::io::Cursor::new(text), "a.csv", &options).unwrap();
        let text = format!("{}\n", json_line(account, true));
        let json = Json::read(std::io::Cursor::new(text), "a.jsonl", &options).unwrap();
        [imported(Box::new(csv)).await, imported(Box::new(json)).await]
    }

    /// Parts of notes and folders that spreadsheets, terminals and other sources' rules would change.
    const ODD: &[&str] = &[
        "'",
        "=",
        "+1",
        "@",
        " ",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "\"",
        ",",
        ";",
        "\\",
        "\\u{",
        "\\N",
        "NULL",
        "null",
        "\u{1f}",
        "\u{feff}",
        "\u{a0}",
        "\u{1b}[31m",
        "\u{2028}",
        "\0",
        "::error::",
        "##[group]",
        "Ã¼",
        "ü",
        "日本",
        "❤\u{fe0f}",
        "x",
        "}",
    ];

    proptest::proptest! {
        #[test]
        fn every_text_is_read_back_as_it_was(parts in proptest::collection::vec(proptest::sample::select(ODD), 1..8)) {
            let note = parts.concat();
            let folder: String = note.chars().filter(|c| !c.is_control() && *c != '/').collect();
            let home = Home::parse(&format!("/bucket/{folder}"));
            let account = account(Some("hash"));
            let account = Account { note: Some(note.clone()), home: home.unwrap_or(account.home.clone()), ..account };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            for row in runtime.block_on(read_back(&account)) {
                proptest::prop_assert_eq!(row.note.as_deref(), Some(&*note));
                proptest::prop_assert_eq!(row.home, Some(account.home.path()));
                proptest::prop_assert_eq!(row.refusal, None);
            }
        }
    }

    #[test]
    fn crypt_takes_its_own_forms_and_the_rest_is_locked() {
        let lines = |password: Option<&str>| unix(&account(password)).unwrap();
        let Unix { passwd, shadow, locked } = lines(Some(SHA512));
        assert_eq!(passwd, "jan@example.com:x:17578:17578::/home/17578:/usr/sbin/nologin");
        // The first of January 2027 is the first day on which it is refused.
        assert_eq!((shadow, locked), (format!("jan@example.com:{SHA512}::::::20819:"), None));
        assert!(lines(Some(&format!("{{CRYPT}}{SHA512}"))).shadow.contains(&format!(":{SHA512}:")));
        assert_eq!(lines(None).shadow, "jan@example.com:*::::::20819:");
        let hardened = sftpctl_accounts::password::harden(SHA512, sftp_authorizer::password::Cost::DEFAULT).unwrap();
        let sftp_authorizer::password::Hardened::Replaced(hardened) = hardened else { panic!() };
        let legacy = sftp_authorizer::password::legacy("x");
        for (stored, form) in [(hardened.as_str(), "argon2id over sha512-crypt"), (&legacy, "sha224"), ("?", "unknown")]
        {
            let Unix { shadow, locked, .. } = lines(Some(stored));
            assert_eq!((shadow.as_str(), locked), ("jan@example.com:!::::::20819:", Some(form)));
        }
        let disabled = Account { disabled: true, expires: None, ..account(Some(SHA512)) };
        assert_eq!(unix(&disabled).unwrap().shadow, format!("jan@example.com:!{SHA512}:::::::"));
        for org_id in [0, 7, 65_534, 5_000_000_000] {
            assert!(unix(&Account { org_id, ..account(None) }).is_err(), "{org_id}");
        }
        for name in ["a:b", "", "a\nroot:x:0:0", "a\u{1b}[2J", "a\rb", "a\u{200b}b", "-a", "+"] {
            assert!(unix(&Account { username: name.into(), ..account(None) }).is_err(), "{name:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn file_is_private_and_replaces_a_link() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("out.csv"), folder.path().join("other"));
        std::fs::write(&other, "untouched").unwrap();
        symlink(&other, &path).unwrap();
        let mut sink = Sink::File(PrivateFile::new(&path).unwrap());
        sink.write(Text::from("a record")).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "untouched", "not before it is complete");
        sink.finish().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a record\n");
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "untouched");
        let metadata = path.symlink_metadata().unwrap();
        assert!(metadata.is_file() && metadata.permissions().mode() & 0o777 == 0o600);
        for place in ["/dev/stdout", "/dev/null", "/proc/self/fd/1"].map(Path::new).into_iter().chain([folder.path()]) {
            assert!(PrivateFile::new(place).is_err(), "{}", place.display());
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");
    }
}
