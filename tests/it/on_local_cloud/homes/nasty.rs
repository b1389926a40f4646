//! A home directory with an entry of every kind that a tool for S3 has been seen to lose, and what a tree is like.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Objects that the home becomes with `--name-charset cp1252 --links marker` and [`SKIP`].
pub(super) const OBJECTS: u64 = 31;
/// What has to stay behind.
pub(super) const SKIP: &str = "fifo,socket,control,too-long,same-key";

/// Names with characters that are not seen, or turn the writing direction.
pub(super) const UNSEEN: [&str; 5] = [
    "unseen.txt\u{200b}",
    "\u{feff}unseen.txt",
    "unseen\u{202e}txt.exe",
    "unseen-\u{2764}\u{fe0f}",
    "unseen-\u{2764}\u{fe0e}",
];

/// Creates the home. The longest name is in folders, so that its key has more than 1,024 bytes.
pub(super) fn create(home: &Path) {
    let at = |name: &[u8]| home.join(OsStr::from_bytes(name));
    let write = |name: &[u8], content: &[u8]| fs::write(at(name), content).unwrap();
    fs::create_dir_all(at(b"sub/empty")).unwrap();
    write(b"plain.txt", b"plain\n");
    write(b"empty", b"");
    write(b"space at end ", b"x");
    write(b"-rf", b"x");
    write("NFC-\u{e4}".as_bytes(), b"composed");
    write("NFC-a\u{308}".as_bytes(), b"decomposed");
    write(b"Case.txt", b"1");
    write(b"case.txt", b"2");
    write(b"latin-\xe4\xf6.txt", b"latin-1");
    // The same characters in two encodings.
    write("twice-\u{e4}".as_bytes(), b"utf-8");
    write(b"twice-\xe4", b"latin-1");
    for name in UNSEEN {
        write(name.as_bytes(), b"not seen");
    }
    write(b"new\nline", b"x");
    write(b"bell-\x07", b"x");
    write(b"quote\"'`$(x) & %2B+=?#;\\", b"shell");
    write(b"sub/file", b"in a folder");
    fs::hard_link(at(b"plain.txt"), at(b"sub/hard")).unwrap();
    for (link, target) in [
        ("link-in", "plain.txt"),
        ("link-folder", "sub"),
        ("link-out", "/etc/hostname"),
        ("link-nothing", "missing"),
        ("link-self", "link-self"),
        ("sub/loop", ".."),
    ] {
        symlink(target, home.join(link)).unwrap();
    }
    let long = "l".repeat(255);
    let deep = home.join(&long).join(&long).join(&long);
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join(&long), "deep").unwrap();
    assert!(Command::new("mkfifo").arg(home.join("fifo")).status().unwrap().success());
    drop(UnixListener::bind(home.join("socket")).unwrap());
    let sparse = File::create(home.join("sparse")).unwrap();
    sparse.set_len(300_000).unwrap();
    write(b"setuid", b"#!/bin/sh\n");
    fs::set_permissions(home.join("setuid"), fs::Permissions::from_mode(0o4750)).unwrap();
    let time = |name: &str, time: SystemTime| {
        File::options().write(true).open(home.join(name)).unwrap().set_modified(time).unwrap()
    };
    time("empty", SystemTime::UNIX_EPOCH - Duration::from_millis(1500));
    time("Case.txt", SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800));
    // Only root can give files away, and only then there is an owner to be kept.
    let _ = std::os::unix::fs::lchown(home.join("plain.txt"), Some(12_001), Some(12_002));
}

/// Everything that an entry of a tree is: kind, mode, owner, time of modification, and content or target.
pub(super) fn tree(root: &Path) -> BTreeMap<Vec<u8>, String> {
    fn add(root: &Path, path: &Path, all: &mut BTreeMap<Vec<u8>, String>) {
        let facts = fs::symlink_metadata(path).unwrap();
        let kind = facts.file_type();
        let content = if kind.is_file() {
            let content = fs::read(path).unwrap();
            format!("{} bytes {:x?}", content.len(), &content[..content.len().min(40)])
        } else if kind.is_symlink() {
            format!("{:?}", fs::read_link(path).unwrap())
        } else {
            format!("fifo {} socket {}", kind.is_fifo(), kind.is_socket())
        };
        let (mode, owner, group) = (facts.mode(), facts.uid(), facts.gid());
        let time = (facts.mtime(), facts.mtime_nsec());
        let inside = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
        all.insert(inside, format!("{mode:o} {owner}:{group} {time:?} {content}"));
        if kind.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                add(root, &entry.unwrap().path(), all);
            }
        }
    }
    let mut all = BTreeMap::new();
    add(root, root, &mut all);
    all
}
