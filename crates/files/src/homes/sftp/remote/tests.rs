//! With OpenSSH's own server, without a connection in between.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::homes::name::Alike;

fn open(path: &Path) -> io::Result<Remote> {
    let address = "sftp://old".parse().unwrap();
    let connection = Connection::by(Command::new("/usr/lib/openssh/sftp-server"), &address)
        .expect("/usr/lib/openssh/sftp-server: apt-get install openssh-sftp-server");
    Remote::open(Arc::new(connection), path.as_os_str().as_bytes(), Charset::Utf8)
}

fn raw(text: &str) -> Raw {
    Raw(text.as_bytes().to_vec())
}

#[test]
fn every_entry_is_seen_and_no_link_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir_all(at("sub/empty")).unwrap();
    std::fs::write(at("plain"), "abc").unwrap();
    std::fs::write(at("PLAIN"), "abc").unwrap();
    std::fs::write(dir.path().join(OsStr::from_bytes(b"latin-\xe4")), "x").unwrap();
    let absolute = dir.path().canonicalize().unwrap().join("plain");
    for (link, target) in [
        ("sub/in", "../plain"),
        ("to-sub", "sub"),
        ("sub/up", ".."),
        ("self", "self"),
        ("nothing", "missing"),
        ("not-a-folder", "plain/.."),
        ("out", "/etc/hostname"),
        ("sub/out", "../../x"),
        ("through", "to-sub/in"),
        ("absolute", absolute.to_str().unwrap()),
        ("beside", &format!("{}-beside/x", dir.path().display())),
    ] {
        symlink(target, at(link)).unwrap();
    }
    let home = open(dir.path()).unwrap();
    let mut all = BTreeMap::new();
    home.walk(&mut |entry| {
        assert!(all.insert(entry.path.to_string(), entry).is_none());
        Ok(())
    })
    .unwrap();
    let leads = |path: &str| all[path].link.as_ref().unwrap().leads;
    for (link, expected) in [
        ("sub/in", Leads::File),
        ("to-sub", Leads::Folder),
        ("sub/up", Leads::Loop),
        ("self", Leads::Loop),
        ("nothing", Leads::Nowhere),
        ("not-a-folder", Leads::Nowhere),
        ("out", Leads::Outside),
        ("sub/out", Leads::Outside),
        ("through", Leads::File),
        ("absolute", Leads::File),
        ("beside", Leads::Outside),
    ] {
        assert_eq!(leads(link), expected, "{link}");
    }
    assert_eq!((all["latin-\\xe4"].facts.size, all["plain"].alike), (1, Some(Alike::Case)));
    assert!(all["sub/empty"].is_empty && !all["sub"].is_empty && all.contains_key(""));
    assert_eq!(all.len(), 17);
    let read = |(file, facts): (RemoteFile, Facts)| {
        let mut content = vec![0; 10];
        let count = file.read_at(&mut content, 0).unwrap();
        content.truncate(count);
        (content, facts.size)
    };
    assert_eq!(read(home.target(&raw("through")).unwrap()), (b"abc".to_vec(), 3));
    assert!(home.target(&raw("out")).unwrap_err().to_string().contains("out of the home"));
}

/// A customer who puts a link in the place of a folder or a file does not get foreign files uploaded.
#[test]
fn a_path_that_has_become_a_link_is_refused() {
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at = |name: &str| dir.path().join(name);
    std::fs::write(outside.path().join("secret"), "x").unwrap();
    std::fs::create_dir_all(at("sub")).unwrap();
    std::fs::write(at("sub/secret"), "own").unwrap();
    std::fs::write(at("file"), "own").unwrap();
    let home = open(dir.path()).unwrap();
    home.file(&raw("sub/secret")).unwrap();
    std::fs::rename(at("sub"), at("moved")).unwrap();
    symlink(outside.path(), at("sub")).unwrap();
    std::fs::remove_file(at("file")).unwrap();
    symlink(outside.path().join("secret"), at("file")).unwrap();
    for path in ["sub/secret", "file"] {
        let error = home.file(&raw(path)).unwrap_err();
        assert!(error.to_string().contains("a link in its path"), "{path}: {error}");
    }
    assert!(home.names(&raw("sub")).unwrap_err().to_string().contains("a link in its path"));
    assert_eq!(home.file(&raw("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(home.file(&raw("moved")).is_err(), "a folder is not a file");
    assert_eq!(open(&at("sub")).unwrap_err().kind(), io::ErrorKind::NotADirectory);
}

#[test]
fn content_is_read_in_pieces_that_wait_together() {
    let dir = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..5_000_003_u32).map(|at| (at % 251) as u8).collect();
    std::fs::write(dir.path().join("large"), &content).unwrap();
    let home = open(dir.path()).unwrap();
    let (file, facts) = home.file(&raw("large")).unwrap();
    assert_eq!((facts.size, facts.occupied), (5_000_003, 5_000_003));
    let mut all = vec![0; 6_000_000];
    assert_eq!(file.read_at(&mut all, 0).unwrap(), content.len());
    assert!(all.starts_with(&content));
    let mut some = vec![0; 100_000];
    assert_eq!(file.read_at(&mut some, 4_000_000).unwrap(), 100_000);
    assert_eq!(some, &content[4_000_000..4_100_000]);
    assert_eq!(file.read_at(&mut some, 9_000_000).unwrap(), 0);
    // Its size and time are those of now.
    std::fs::write(dir.path().join("large"), "x").unwrap();
    assert_ne!(file.facts().unwrap().stamp(), facts.stamp());
}

#[test]
fn a_program_that_is_not_ssh_says_why() {
    let address = "sftp://old".parse().unwrap();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "echo first >&2; echo 'Permission denied (publickey).' >&2; exit 255"]);
    let error = Connection::by(command, &address).unwrap_err();
    assert_eq!(error.to_string(), "first; Permission denied (publickey).");
}
