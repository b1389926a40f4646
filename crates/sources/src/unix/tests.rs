//! The reader on a whole server, and against OpenSSH's own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use sftpctl_accounts::import::row::Rows as _;

use super::sshd_config::User;
use super::*;
use crate::mapped::Mapped;
use crate::source::Value;

/// The user without rights.
const NOBODY: u32 = 65_534;
/// 2026-01-01.
const TODAY: i64 = 20_454;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/unix")
}

fn read(source: &mut Unix) -> Vec<Record> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut records = Vec::new();
    loop {
        let batch = runtime.block_on(source.next()).unwrap();
        if batch.is_empty() {
            return records;
        }
        records.extend(batch);
    }
}

fn open(dir: &Path, options: Options) -> Unix {
    Unix::open_on(dir, options, TODAY).unwrap()
}

fn column(record: &Record, name: &str) -> String {
    match &record.values[COLUMNS.iter().position(|column| *column == name).unwrap()] {
        Value::Null => String::new(),
        Value::Text(text) | Value::Missing(text) => text.clone(),
        Value::Texts(texts) => texts.join(" "),
    }
}

/// A folder with copies of the fixture's files.
fn copy() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let status = Command::new("cp").arg("-R").arg(fixture().join(".")).arg(dir.path()).status().unwrap();
    assert!(status.success());
    dir
}

#[test]
fn no_account_is_disabled_without_a_remark() {
    let dir = copy();
    for (file, line) in
        [("passwd", "tooold:x:1099:100::/home/17599:/bin/sh"), ("shadow", "tooold:$6$saltsalt$hash:19000:0:90:7:14::")]
    {
        let path = [dir.path().join("etc").join(file), dir.path().join(file)].into_iter().find(|path| path.exists());
        let path = path.unwrap();
        let mut bytes = fs::read(&path).unwrap();
        if !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        fs::write(&path, bytes).unwrap();
    }
    let source = open(dir.path(), Options { everyone: true, ..Options::default() });
    let mapping = source.default_mapping().unwrap();
    let mut rows = Mapped::new(Box::new(source), &mapping).unwrap();
    let rows = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(rows.next()).unwrap();
    let disabled: Vec<_> = rows.iter().filter(|row| row.status.as_deref() == Some("disabled")).collect();
    assert!(disabled.iter().any(|row| row.username.as_deref() == Some("tooold")), "{disabled:?}");
    for row in disabled {
        assert!(!row.remarks.is_empty(), "{row:?}");
    }
}

#[test]
fn a_home_that_was_cut_over_disables_no_account() {
    let statuses = |name: &str| {
        let dir = copy();
        fs::write(dir.path().join("etc/ssh/sshd_config.d").join(name), "DenyUsers sha512\n").unwrap();
        let records = read(&mut open(dir.path(), Options::default()));
        let of = |user: &str| {
            let record = records.iter().find(|record| column(record, "username") == user).unwrap();
            column(record, "status")
        };
        (of("sha512"), of("denied"))
    };
    let disabled = "disabled".to_owned();
    assert_eq!(statuses(&freeze::file_name(17518)), ("active".to_owned(), disabled.clone()));
    assert_eq!(statuses("10-staff.conf"), (disabled.clone(), disabled));
}

/// Its keys are where the mount was, and without them the account would lose those that it has.
#[test]
fn a_home_behind_a_link_that_leads_nowhere_is_refused() {
    let dir = copy();
    let refusal = || {
        let records = read(&mut open(dir.path(), Options::default()));
        let record = records.into_iter().find(|record| column(record, "home") == "/home/17509").unwrap();
        (column(&record, "keys").matches("ssh-").count(), record.refusal.map(|refused| refused.why))
    };
    let (keys, none) = refusal();
    assert_eq!((keys > 0, none), (true, None));
    let home = dir.path().join("home/17509");
    let kept = dir.path().join("home/.17509.before-cutover");
    fs::rename(&home, &kept).unwrap();
    symlink("/mount/17509", &home).unwrap();
    assert_eq!(refusal(), (keys, None), "as after `homes cutover`");
    fs::remove_dir_all(kept).unwrap();
    assert_eq!(refusal(), (0, Some(LOST.to_owned())));
}

#[test]
fn a_server_is_read() {
    let mut source = open(&fixture(), Options::default());
    assert_eq!(source.expected(), Some(24));
    let records = read(&mut source);
    let by_name: BTreeMap<String, &Record> =
        records.iter().map(|record| (column(record, "username"), record)).collect();
    let names: Vec<&str> = by_name.keys().map(String::as_str).collect();
    let expected = [
        "bcrypt",
        "conflict",
        "denied",
        "des",
        "empty",
        "ends",
        "expired",
        "keyonly",
        "locked",
        "md5",
        "mustchange",
        "noorg",
        "nothing",
        "org17515",
        "rounds",
        "sha256",
        "sha512",
        "yescrypt",
    ];
    assert_eq!(names, expected);

    // Every hash is the one that libxcrypt made, though shadow has another order.
    for (name, start) in [
        ("sha512", "$6$saltstring$uASoEHoF"),
        ("rounds", "$6$rounds=10000$saltstring$ZhGB"),
        ("sha256", "$5$saltstring$W1A5"),
        ("yescrypt", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$LPPB"),
        ("bcrypt", "$2b$05$abcdefghijklmnopqrstuuQ2"),
        ("md5", "$1$saltstri$1nJfAxfJ9XLOhwIMz20uj1"),
        ("des", "abo1lBNlefVw6"),
    ] {
        let record = by_name[name];
        assert!(column(record, "password").starts_with(start), "{name}");
        assert_eq!((column(record, "status").as_str(), &record.refusal), ("active", &None), "{name}");
    }
    let record = by_name["sha512"];
    assert_eq!(record.place, "passwd, line 5");
    assert_eq!((column(record, "gecos").as_str(), column(record, "orgid").as_str()), ("Jürgen,,,", "17501"));
    assert!(column(record, "keys").starts_with("ecdsa-sha2-nistp256 "));
    assert_eq!(column(record, "last_changed"), "2024-10-04");
    assert_eq!(record.remarks.len(), 1, "{:?}", record.remarks);

    let record = by_name["keyonly"];
    assert_eq!((column(record, "password"), &record.refusal), (String::new(), &None));
    assert_eq!(column(record, "allowed"), "192.0.2.0/24 198.51.100.7/32");
    assert_eq!(column(record, "keys").matches("ssh-").count(), 2);
    let said: Vec<&str> = record.remarks.iter().map(|remark| remark.why.as_str()).collect();
    assert!(said[0].contains("2,048 to 8,192 bits") && said[1].contains("certificate authority"), "{said:?}");

    let record = by_name["org17515"];
    assert_eq!((column(record, "home").as_str(), column(record, "orgid").as_str()), ("/sftp/org17515", "17515"));
    assert_eq!(column(record, "groups"), "users own");

    for (name, status) in [
        ("locked", "disabled"),
        ("expired", "disabled"),
        ("denied", "disabled"),
        ("ends", "active"),
        ("mustchange", "active"),
    ] {
        let record = by_name[name];
        assert_eq!((column(record, "status").as_str(), &record.refusal), (status, &None), "{name}");
        assert_eq!(record.remarks.len(), usize::from(name != "ends"), "{name}");
    }
    assert_eq!(column(by_name["ends"], "expires"), "2038-06-13T00:00:00Z");
    for (name, why) in
        [("nothing", "nobody can log in"), ("empty", "no password is needed"), ("conflict", "not an address")]
    {
        assert!(by_name[name].refusal.as_ref().unwrap().why.contains(why), "{name}");
    }
    assert!(column(by_name["noorg"], "orgid").starts_with("the source has no organisation ID: "));

    let remarks = source.remarks();
    for expected in [
        "lines for NIS in passwd (`+` or `-`): 1",
        "(uid outside 1000 to 60000): 4",
        "as it does customers: backup.",
        "to a folder: 1 (admin)",
        "the first counts: 1 (sha256 (passwd, line 24))",
        "(Match Address 10.0.0.0/8) holds for some connections only",
    ] {
        assert!(remarks.iter().any(|remark| remark.contains(expected)), "{expected}: {remarks:#?}");
    }
    assert!(!format!("{records:?}{remarks:?}").contains("hidden"));
}

#[test]
fn no_hash_is_in_what_is_said() {
    let mut source = open(&fixture(), Options { everyone: true, ..Options::default() });
    let records = read(&mut source);
    let said: Vec<String> = records.iter().map(|record| format!("{:?} {:?}", record.remarks, record.refusal)).collect();
    let said = said.join("\n") + &source.remarks().join("\n");
    for secret in ["uASoEHoF", "ZhGB6KYG", "W1A5v9C0", "LPPBND8i", "Q2lPy3Hg", "1nJfAxfJ", "abo1lBNl", "$6$", "$y$"] {
        assert!(!said.contains(secret), "{secret}");
    }
}

#[test]
fn the_mapping_makes_rows() {
    use sftpctl_accounts::import::row::{Password, Rows as _};
    let source = open(&fixture(), Options::default());
    let mapping = source.default_mapping().unwrap();
    let mut rows = crate::mapped::Mapped::new(Box::new(source), &mapping).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let rows = runtime.block_on(rows.next()).unwrap();
    let of = |name: &str| rows.iter().find(|row| row.username.as_deref() == Some(name)).unwrap();
    let row = of("rounds");
    assert_eq!((row.org_id.as_deref(), row.home.as_deref()), (Some("17502"), Some("/home/17502")));
    assert!(matches!(&row.password, Password::Hash(hash) if hash.starts_with("$6$rounds=10000$")));
    assert_eq!((row.status.as_deref(), row.expires.as_deref()), (Some("active"), None));
    assert_eq!(of("keyonly").allowed, ["192.0.2.0/24", "198.51.100.7/32"]);
    let refused = of("noorg").refusal.as_ref().unwrap();
    assert!(refused.value.is_empty(), "{refused:?}");
    assert!(refused.why.contains("the home /home/somebody does not end in a number"), "{refused:?}");
}

#[test]
fn options_include_more() {
    let names = |options| -> Vec<String> {
        read(&mut open(&fixture(), options)).iter().map(|record| column(record, "username")).collect()
    };
    let usual = names(Options::default());
    let everyone = names(Options { everyone: true, uids: None });
    assert_eq!(everyone.len(), usual.len() + 1);
    assert!(everyone.contains(&"admin".to_owned()));
    let more = names(Options { everyone: false, uids: Some(500..=60_000) });
    assert_eq!(more.len(), usual.len() + 1);
    assert!(more.contains(&"backup".to_owned()));
}

#[test]
fn a_folder_of_single_files_is_read() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["passwd", "shadow", "group", "login.defs"] {
        fs::copy(fixture().join("etc").join(name), dir.path().join(name)).unwrap();
    }
    fs::set_permissions(dir.path().join("shadow"), fs::Permissions::from_mode(0o600)).unwrap();
    let mut source = open(dir.path(), Options::default());
    // Without sshd_config everybody is a customer.
    assert_eq!(read(&mut source).len(), 19);
    let remarks = source.remarks().join("\n");
    assert!(remarks.contains("sshd_config is missing"), "{remarks}");
    assert!(!remarks.contains("everybody on this machine"), "{remarks}");
    fs::set_permissions(dir.path().join("shadow"), fs::Permissions::from_mode(0o644)).unwrap();
    let remarks = open(dir.path(), Options::default()).remarks().join("\n");
    let shadow = dir.path().join("shadow");
    let warning =
        format!("everybody on this machine can read the hashes in {0} (mode 0644): chmod 600 {0}", shadow.display());
    assert!(remarks.contains(&warning), "{remarks}");
}

#[test]
fn faults_are_named_together() {
    let dir = copy();
    let etc = dir.path().join("etc");
    let refusal = || {
        let Err(error) = Unix::open(dir.path(), Options::default()) else { panic!() };
        assert!(error.is_usage && error.hint.is_some());
        error.message
    };
    fs::write(etc.join("passwd"), "jan:x:1:1::/home/1:/bin/sh\npiet:x:1:1::/home/1\n").unwrap();
    fs::write(etc.join("shadow"), "jan:$6$secret\n").unwrap();
    fs::write(etc.join("group"), "users\n").unwrap();
    let message = refusal();
    for expected in ["etc/passwd, line 2: it has 6", "etc/shadow, line 1: it has 2", "etc/group, line 1: it has 1"] {
        assert!(message.contains(expected), "{message}");
    }
    assert!(!message.contains("secret"), "{message}");
    fs::remove_file(etc.join("shadow")).unwrap();
    assert!(refusal().contains("etc/shadow is missing"));
    let dir = copy();
    fs::write(dir.path().join("etc/ssh/sshd_config.d/50-own.conf"), "UsePAM yes\nMatch User\n").unwrap();
    let Err(error) = Unix::open(dir.path(), Options::default()) else { panic!() };
    assert!(error.message.contains("50-own.conf, line 2: the criterion User of a Match has no value"), "{error}");
}

#[test]
fn keys_are_never_read_outside_the_folder() {
    let dir = copy();
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("authorized_keys");
    fs::write(&secret, authorized_keys::tests::ED25519).unwrap();
    for (user, home) in [("absolute", "17520"), ("relative", "17521"), ("within", "17522")] {
        let passwd = dir.path().join("etc/passwd");
        let shadow = dir.path().join("etc/shadow");
        fs::write(
            &passwd,
            fs::read(&passwd)
                .unwrap()
                .into_iter()
                .chain(format!("{user}:x:2000:200::/home/{home}:/bin/false\n").into_bytes())
                .collect::<Vec<_>>(),
        )
        .unwrap();
        fs::write(&shadow, fs::read_to_string(&shadow).unwrap() + &format!("{user}:!:20000::::::\n")).unwrap();
    }
    symlink(outside.path(), dir.path().join("home/17520")).unwrap();
    fs::create_dir_all(dir.path().join("home/17521/.ssh")).unwrap();
    let up = "../".repeat(12) + secret.strip_prefix("/").unwrap().to_str().unwrap();
    symlink(up, dir.path().join("home/17521/.ssh/authorized_keys")).unwrap();
    symlink("/home/17509", dir.path().join("home/17522")).unwrap();
    let records = read(&mut open(dir.path(), Options::default()));
    let keys = |user: &str| {
        let record = records.iter().find(|record| column(record, "username") == user).unwrap();
        column(record, "keys").matches("ssh-").count()
    };
    assert_eq!((keys("absolute"), keys("relative"), keys("within")), (0, 0, 2));
}

#[test]
fn what_is_lost_is_counted_for_the_whole_server() {
    let dir = copy();
    let key = authorized_keys::tests::ED25519;
    let keys = format!("expiry-time=\"20200101Z\" {key}\ncert-authority {key}\nssh-dss AAAA x\n{key}\n");
    fs::write(dir.path().join("home/17509/.ssh/authorized_keys"), keys).unwrap();
    let config = dir.path().join("etc/ssh/sshd_config");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("internal-sftp -u 0027", "internal-sftp -R")).unwrap();
    let mut source = open(dir.path(), Options::default());
    read(&mut source);
    let remarks = source.remarks().join("\n");
    let said = remarks.lines().find(|line| line.starts_with("what the server has and an account does not: ")).unwrap();
    for kind in ["keys left out 3", "read-only customers who may write ", "accounts disabled "] {
        assert!(said.contains(kind), "{kind}: {remarks}");
    }
}

#[test]
fn a_customers_link_shows_nothing_of_roots_files() {
    let dir = copy();
    let at = |path: &str| dir.path().join(path);
    let add = |path: &str, line: &str| {
        let text = fs::read(at(path)).unwrap();
        fs::write(at(path), [&text[..], line.as_bytes(), b"\n"].concat()).unwrap();
    };
    add("etc/passwd", "linked:x:20009:20009::/home/20009:/bin/false");
    add("etc/shadow", "linked:$6$s3cret:20000::::::");
    fs::set_permissions(at("etc/shadow"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir_all(at("home/20009/.ssh")).unwrap();
    symlink("/etc/shadow", at("home/20009/.ssh/authorized_keys")).unwrap();
    let options = Options { everyone: true, ..Options::default() };
    let records = read(&mut open(dir.path(), options));
    let linked = records.iter().find(|record| column(record, "username") == "linked").unwrap();
    let said = format!("{:?}", linked.remarks);
    assert!(!said.contains("s3cret") && !said.contains(":20000:"), "{said}");
    assert!(said.contains("it could not be read: sshd reads it as the user"), "{said}");
}

/// OpenSSH's answer for a user: its keywords, each with its values in their order.
fn sshd_says(config: &Path, host_key: &Path, user: &str) -> BTreeMap<String, Vec<String>> {
    let mut sshd = Command::new("/usr/sbin/sshd");
    sshd.args(["-T", "-C", &format!("user={user},host=h,addr=192.0.2.1,laddr=192.0.2.2,lport=22"), "-f"]);
    sshd.arg(config).arg("-h").arg(host_key);
    if rustix::process::geteuid().is_root() {
        // As root it asks for /run/sshd, which is there only while the service runs.
        sshd.uid(NOBODY).gid(NOBODY);
    }
    let sshd = sshd.output().expect("/usr/sbin/sshd: apt-get install openssh-server");
    let said = String::from_utf8(sshd.stdout).unwrap();
    assert!(sshd.status.success(), "{}", String::from_utf8_lossy(&sshd.stderr));
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in said.lines() {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        found.entry(keyword.to_owned()).or_default().push(value.to_owned());
    }
    found
}

#[test]
fn sshd_reads_its_configuration_as_we_do() {
    let dir = tempfile::tempdir().unwrap();
    let host_key = dir.path().join("host_key");
    let made =
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&host_key).status().unwrap();
    assert!(made.success());
    if rustix::process::geteuid().is_root() {
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        chown(&host_key, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let included = dir.path().join("conf.d");
    fs::create_dir(&included).unwrap();
    fs::write(included.join("2.conf"), "Match User games\nForceCommand internal-sftp -d /two\n").unwrap();
    fs::write(included.join("1.conf"), "PasswordAuthentication no\nMatch Group games\nChrootDirectory /one/%u\n")
        .unwrap();
    fs::write(included.join("x.bak"), "ChrootDirectory /never\n").unwrap();
    let include = format!("Include {}/*.conf", included.display());
    let configs = [
        String::new(),
        "ChrootDirectory /srv\nForceCommand internal-sftp\n".to_owned(),
        "ChrootDirectory /first\nChrootDirectory /second\nMatch User games\nChrootDirectory none\n".to_owned(),
        "Match User ga*,!games,root\n  ChrootDirectory %h\nMatch User games,man\n\tChrootDirectory /m/%u\nMatch All\nForceCommand x y # z\n".to_owned(),
        "match GROUP games,!root User *\nchrootdirectory=\"/with space/%u\"\nForceCommand = internal-sftp -u 0027\n".to_owned(),
        "Match Group g?mes,man\nForceCommand a\nMatch Group *\nForceCommand b\nPasswordAuthentication no\n".to_owned(),
        "Match User \"games\" Group=games\nChrootDirectory /a#b # comment\nAuthorizedKeysFile \"/k/%u\" .ssh/b c\n".to_owned(),
        "AuthorizedKeysFile none\nMatch User man\nAuthorizedKeysFile /etc/keys/%u\nAuthorizedKeysFile /later\n".to_owned(),
        "   # comment\n\nUsePAM yes\nUsePAM no\nKbdInteractiveAuthentication no\n Match User nosuchuser\n PubkeyAuthentication no\n".to_owned(),
        "ChallengeResponseAuthentication no\nAuthenticationMethods publickey,password publickey,keyboard-interactive\nMatch Group games\nAuthenticationMethods publickey\n".to_owned(),
        "AllowUsers root games\nAllowUsers man@192.0.2.0/24\nDenyGroups a b\nMatch User games\nAllowUsers x\nAllowUsers y\nMatch Group games\nAllowUsers z\nDenyUsers \"q r\"\n".to_owned(),
        format!("{include}\nChrootDirectory /main\nPasswordAuthentication yes\n"),
        format!("Match User games\n{include}\nForceCommand after\nMatch User man\nForceCommand man\n"),
        format!("Match User man\n{include}\nMatch User games\nChrootDirectory /own\n"),
        "Match User games Address 198.51.100.0/24\nForceCommand no\nMatch LocalPort 2222\nForceCommand no\n".to_owned(),
        "Match User games # Group other\nForceCommand yes\nMatch user 'games'\nForceCommand quoted\n".to_owned(),
        "Match User games\nForceCommand none\nMatch User g*\nForceCommand other\n".to_owned(),
    ];
    let machine = Root::open(Path::new("/")).unwrap();
    let group = machine.read("/etc/group", SMALL).unwrap().unwrap();
    let groups = Groups::parse("group", &group, &mut Faults::default());
    let passwd = machine.read("/etc/passwd", SMALL).unwrap().unwrap();
    let entries: Vec<Entry> = passwd
        .split(|byte| *byte == b'\n')
        .filter_map(|line| match passwd::parse(line) {
            Ok(Line::Entry(entry)) if ["root", "games", "man", "www-data"].contains(&entry.name.as_str()) => {
                Some(entry)
            }
            _ => None,
        })
        .collect();
    assert!(entries.len() >= 3, "this machine has not the users of Debian");

    let path = dir.path().join("sshd_config");
    let mut compared = 0;
    for text in &configs {
        fs::write(&path, text).unwrap();
        let config = super::sshd(&machine, Some(text.clone()), &mut Vec::new()).unwrap();
        for entry in &entries {
            let theirs = sshd_says(&path, &host_key, &entry.name);
            let of_user = groups.of(entry);
            let login = Login::of(&config, entry, &of_user);
            let user = User { name: &entry.name, groups: &of_user };
            let one = |keyword: &str| theirs.get(keyword).map_or("", |values| values[0].as_str());
            let none = |text: Option<&str>| text.unwrap_or("none").to_owned();
            assert_eq!(none(login.chroot.as_deref()), one("chrootdirectory"), "{text}\n{}", entry.name);
            assert_eq!(none(login.force_command.as_deref()), one("forcecommand"), "{text}\n{}", entry.name);
            let files = if login.key_files.is_empty() { "none".to_owned() } else { login.key_files.join(" ") };
            assert_eq!(files, one("authorizedkeysfile"), "{text}\n{}", entry.name);
            assert_eq!(login.pam, one("usepam") == "yes", "{text}\n{}", entry.name);
            for (keyword, default) in [
                ("passwordauthentication", "yes"),
                ("kbdinteractiveauthentication", "yes"),
                ("pubkeyauthentication", "yes"),
            ] {
                let ours = config.of(user, keyword).first().map_or(default, |line| line.arguments[0].as_str());
                assert_eq!(ours, one(keyword), "{keyword} {text}\n{}", entry.name);
            }
            let methods = config.of(user, "authenticationmethods").first().map(|line| line.arguments.join(" "));
            assert_eq!(methods.unwrap_or("any".to_owned()), one("authenticationmethods"), "{text}\n{}", entry.name);
            for keyword in ["allowusers", "denyusers", "allowgroups", "denygroups"] {
                let ours: Vec<String> =
                    config.of(user, keyword).into_iter().flat_map(|line| line.arguments.clone()).collect();
                let theirs = theirs.get(keyword).cloned().unwrap_or_default();
                assert_eq!(ours, theirs, "{keyword} {text}\n{}", entry.name);
            }
            compared += 1;
        }
    }
    assert!(compared >= 3 * configs.len());
}
