use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use super::*;

fn walked(path: &Path, charset: Charset) -> BTreeMap<String, Entry> {
    let home = Home::open(path, charset).unwrap();
    let mut all = BTreeMap::new();
    home.walk(&OpenFiles::default(), &mut |entry| {
        assert!(all.insert(entry.path.to_string(), entry).is_none());
        Ok(())
    })
    .unwrap();
    all
}

#[test]
fn every_kind_of_entry_is_seen_and_no_link_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "x").unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir_all(at("sub/empty")).unwrap();
    std::fs::write(at("plain"), "abc").unwrap();
    std::fs::hard_link(at("plain"), at("sub/other")).unwrap();
    std::fs::write(dir.path().join(OsStr::from_bytes(b"latin-\xe4")), "x").unwrap();
    for (link, target) in [
        ("sub/in", "../plain"),
        ("to-sub", "sub"),
        ("sub/up", ".."),
        ("self", "self"),
        ("nothing", "missing"),
        ("out", "/etc/hostname"),
        ("sub/out", "../../x"),
    ] {
        symlink(target, at(link)).unwrap();
    }
    symlink(outside.path(), at("out-folder")).unwrap();
    symlink(dir.path().canonicalize().unwrap().join("plain"), at("absolute")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, Mode::from(0o600), 0).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    let file = File::create(at("sparse")).unwrap();
    file.set_len(1 << 20).unwrap();
    let all = walked(dir.path(), Charset::Utf8);
    let leads = |path: &str| all[path].link.as_ref().unwrap().leads;
    assert_eq!(
        ["sub/in", "to-sub", "sub/up", "self", "nothing", "out", "sub/out", "out-folder", "absolute"].map(leads),
        [
            Leads::File,
            Leads::Folder,
            Leads::Loop,
            Leads::Loop,
            Leads::Nowhere,
            Leads::Outside,
            Leads::Outside,
            Leads::Outside,
            Leads::File
        ]
    );
    assert_eq!((all["fifo"].kind(), all["socket"].kind()), (Kind::Fifo, Kind::Socket));
    assert_eq!((all["plain"].facts.names, all["plain"].facts.size), (2, 3));
    assert_eq!(all["plain"].facts.inode, all["sub/other"].facts.inode);
    assert!(all["sparse"].facts.is_sparse() && !all["plain"].facts.is_sparse());
    assert!(all["sub/empty"].is_empty && !all["sub"].is_empty && !all[""].is_empty);
    assert_eq!(all.len(), 18, "{:?}", all.keys());
    assert!(all.contains_key("latin-\\xe4"));
}

#[test]
fn names_that_are_alike_are_found_in_each_folder() {
    let dir = tempfile::tempdir().unwrap();
    for name in
        ["Case".as_bytes(), b"case", "\u{e4}".as_bytes(), "a\u{308}".as_bytes(), "\u{f6}".as_bytes(), b"\xf6", b"alone"]
    {
        std::fs::write(dir.path().join(OsStr::from_bytes(name)), "x").unwrap();
    }
    std::fs::create_dir(dir.path().join("CASE")).unwrap();
    let alike = |charset| {
        let all = walked(dir.path(), charset);
        ["Case", "CASE", "ä", "a\u{308}", "ö", "\\xf6", "alone"].map(|name| all[name].alike)
    };
    let (case, composed, key) = (Some(Alike::Case), Some(Alike::Composition), Some(Alike::Key));
    assert_eq!(alike(Charset::Cp1252), [case, case, composed, composed, key, key, None]);
    assert_eq!(alike(Charset::Utf8), [case, case, composed, composed, None, None, None]);
}

#[test]
fn files_are_opened_inside_the_home_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| Raw(name.as_bytes().to_vec());
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    std::fs::write(dir.path().join("sub/a"), "abc").unwrap();
    symlink("sub/a", dir.path().join("in")).unwrap();
    symlink("/etc/hostname", dir.path().join("out")).unwrap();
    symlink("sub", dir.path().join("folder")).unwrap();
    let mut home = Home::open(dir.path(), Charset::Utf8).unwrap();
    for has_openat2 in [true, false] {
        home.has_openat2 &= has_openat2;
        assert_eq!(home.file(&path("sub/a")).unwrap().1.size, 3);
        // What was a file when it was listed may be a link by now.
        for refused in ["in", "out", "folder/a", "sub", "sub/../sub/a/x"] {
            assert!(home.file(&path(refused)).is_err(), "{refused} {has_openat2}");
        }
    }
    assert_eq!(home.target(&path("in")).unwrap().1.size, 3);
    assert!(home.target(&path("out")).is_err());
    assert!(Home::open(&dir.path().join("folder"), Charset::Utf8).is_err(), "a link is not a home");
}

/// Deeper than one call of the kernel takes.
#[test]
fn deep_folders_are_walked() {
    let dir = tempfile::tempdir().unwrap();
    let name = "d".repeat(200);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut at = fs::open(dir.path(), flags, Mode::empty()).unwrap();
    for _ in 0..30 {
        fs::mkdirat(&at, &name, Mode::from(0o700)).unwrap();
        at = fs::openat(&at, &name, flags, Mode::empty()).unwrap();
    }
    fs::openat(&at, "file", OFlags::CREATE | OFlags::WRONLY, Mode::from(0o600)).unwrap();
    let all = walked(dir.path(), Charset::Utf8);
    assert_eq!(all.len(), 32);
    assert_eq!(all.values().map(|entry| entry.path.0.len()).max(), Some(30 * 201 + 4));
    let longest = all.values().max_by_key(|entry| entry.path.0.len()).unwrap();
    let mut home = Home::open(dir.path(), Charset::Utf8).unwrap();
    assert!(home.file(&longest.path).is_ok());
    home.has_openat2 = false;
    assert!(home.file(&longest.path).is_ok());
}

#[test]
fn mount_points_below_a_folder() {
    let info = b"36 35 98:0 / /home/7 rw - ext4 /dev/a rw\n37 36 98:0 / /home/7/a\\040b rw - ext4 /dev/a rw\n\
                 38 36 98:0 / /home/78 rw - ext4 /dev/a rw\n";
    let mut found: Vec<Vec<u8>> = mounts_below(info, Path::new("/home/7")).into_iter().collect();
    found.sort();
    assert_eq!(found, [b"".to_vec(), b"a b".to_vec()]);
}

#[test]
fn lists_of_access_and_extended_attributes_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for name in ["plain", "listed", "noted"] {
        std::fs::write(at(name), "x").unwrap();
    }
    std::fs::create_dir(at("folder")).unwrap();
    // The owner, user 1, the group, the mask, others: tag, rights and ID of each (linux/posix_acl_xattr.h).
    let mut list = vec![2, 0, 0, 0];
    for (tag, rights, id) in
        [(1_u16, 6_u16, u32::MAX), (2, 4, 1), (4, 4, u32::MAX), (0x10, 4, u32::MAX), (0x20, 0, u32::MAX)]
    {
        list.extend(tag.to_le_bytes());
        list.extend(rights.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    let set = |name: &str, attribute: &str, value: &[u8]| {
        fs::setxattr(at(name), attribute, value, fs::XattrFlags::empty()).unwrap();
    };
    set("listed", "system.posix_acl_access", &list);
    set("folder", "system.posix_acl_default", &list);
    set("noted", "user.note", b"v");
    let all = walked(dir.path(), Charset::Utf8);
    let seen = ["plain", "listed", "folder", "noted"].map(|name| (all[name].has_acl, all[name].has_attributes));
    assert_eq!(seen, [(false, false), (true, false), (true, false), (false, true)]);
}
