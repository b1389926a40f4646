//! The stored entries of a home, by path. A home may have millions, and each run holds all of its manifest: a million
//! entries with versions took 218 MB in `homes status`, in place of 844 MB as they are (debug builds, on Linux).

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::entry::Stamp;
use super::name::Raw;
use super::record::Object;

/// Stored entries, of which each path has one.
#[derive(Clone, Debug, Default)]
pub struct Objects(HashSet<Packed>);

impl Objects {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, path: &Raw) -> Option<Object> {
        self.0.get(path.0.as_slice())?.object()
    }

    /// Takes the place of what the path had.
    pub fn insert(&mut self, object: &Object) {
        self.0.replace(Packed::new(object));
    }

    pub fn remove(&mut self, path: &Raw) {
        self.0.remove(path.0.as_slice());
    }

    /// In no order.
    pub fn all(&self) -> impl Iterator<Item = &Packed> {
        self.0.iter()
    }

    /// In the order of their keys.
    pub fn by_key(&self) -> Vec<Packed> {
        let mut all: Vec<Packed> = self.0.iter().cloned().collect();
        all.sort_unstable_by(|a, b| a.key().cmp(b.key()));
        all
    }
}

/// A stored entry, which is not unpacked before it is needed: its path, how its key follows from it, and the rest.
#[derive(Clone, Debug)]
pub struct Packed(Arc<[u8]>);

/// What comes first: how the key follows from the path, and how long both are.
const HEAD: usize = 9;
/// The key is its beginning and the path.
const FILE: u8 = 0;
/// The key is its beginning, the path, and a `/`.
const FOLDER: u8 = 1;
/// The key does not follow from the path, and is there as a whole.
const OTHER: u8 = 2;

#[derive(Serialize, Deserialize)]
struct Rest<'a> {
    stamp: Stamp,
    mode: u32,
    uid: u32,
    gid: u32,
    bytes: u64,
    #[serde(borrow)]
    crc64nvme: Sum<'a>,
    #[serde(borrow)]
    etag: ETag<'a>,
    version: Option<&'a str>,
    is_read: bool,
}

#[derive(Serialize, Deserialize)]
enum Sum<'a> {
    Binary([u8; 8]),
    Text(&'a str),
}

#[derive(Serialize, Deserialize)]
enum ETag<'a> {
    /// 32 lower-case hexadecimal digits in quotes.
    Md5([u8; 16]),
    Text(&'a str),
}

impl<'a> Sum<'a> {
    fn of(text: &'a str) -> Self {
        let binary = BASE64.decode(text).ok().and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
        binary.filter(|binary| BASE64.encode(binary) == text).map_or(Self::Text(text), Self::Binary)
    }

    fn text(&self) -> String {
        match self {
            Self::Binary(binary) => BASE64.encode(binary),
            Self::Text(text) => (*text).to_owned(),
        }
    }
}

impl<'a> ETag<'a> {
    fn of(text: &'a str) -> Self {
        let digits = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let md5 = digits.filter(|digits| digits.len() == 32).and_then(|digits| u128::from_str_radix(digits, 16).ok());
        let md5 = Self::Md5(md5.unwrap_or_default().to_be_bytes());
        if md5.text() == text { md5 } else { Self::Text(text) }
    }

    fn text(&self) -> String {
        match self {
            Self::Md5(bytes) => format!("\"{}\"", sftpctl_core::hex::encode(bytes)),
            Self::Text(text) => (*text).to_owned(),
        }
    }
}

impl Packed {
    fn new(object: &Object) -> Self {
        let Object { path, key, stamp, mode, uid, gid, bytes, crc64nvme, etag, version, is_read } = object;
        let path = path.0.as_slice();
        let key = key.as_bytes();
        let (kind, beginning) =
            match (key.strip_suffix(path), key.strip_suffix(b"/").and_then(|key| key.strip_suffix(path))) {
                (Some(beginning), _) => (FILE, beginning),
                (None, Some(beginning)) => (FOLDER, beginning),
                (None, None) => (OTHER, key),
            };
        let rest = Rest {
            stamp: *stamp,
            mode: *mode,
            uid: *uid,
            gid: *gid,
            bytes: *bytes,
            crc64nvme: Sum::of(crc64nvme),
            etag: ETag::of(etag),
            version: version.as_deref(),
            is_read: *is_read,
        };
        let length = |of: &[u8]| u32::try_from(of.len()).unwrap_or(u32::MAX).to_le_bytes();
        let head = [&[kind][..], &length(path), &length(beginning), path, beginning].concat();
        // Into a vector every value can be written.
        Self(postcard::to_extend(&rest, head).unwrap_or_default().into())
    }

    /// Its kind, its path, the beginning of its key, and the rest.
    fn parts(&self) -> (u8, &[u8], &[u8], &[u8]) {
        let Some((head, after)) = self.0.split_at_checked(HEAD) else { return (OTHER, &[], &[], &[]) };
        let length = |at: usize| {
            let bytes = head.get(at..at + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
            bytes.map_or(0, u32::from_le_bytes) as usize
        };
        let (path, after) = after.split_at_checked(length(1)).unwrap_or_default();
        let (beginning, rest) = after.split_at_checked(length(5)).unwrap_or_default();
        (head.first().copied().unwrap_or(OTHER), path, beginning, rest)
    }

    pub fn path(&self) -> &[u8] {
        self.parts().1
    }

    /// The bytes of the key.
    pub fn key(&self) -> impl Iterator<Item = &u8> {
        let (kind, path, beginning, _) = self.parts();
        let (path, end): (&[u8], &[u8]) = match kind {
            FILE => (path, b""),
            FOLDER => (path, b"/"),
            _ => (b"", b""),
        };
        beginning.iter().chain(path).chain(end)
    }

    /// The entry; `None` if it was not packed here.
    pub fn object(&self) -> Option<Object> {
        let (_, path, _, rest) = self.parts();
        let Rest { stamp, mode, uid, gid, bytes, crc64nvme, etag, version, is_read } =
            postcard::from_bytes(rest).ok()?;
        Some(Object {
            path: Raw(path.to_vec()),
            key: String::from_utf8(self.key().copied().collect()).ok()?,
            stamp,
            mode,
            uid,
            gid,
            bytes,
            crc64nvme: crc64nvme.text(),
            etag: etag.text(),
            version: version.map(str::to_owned),
            is_read,
        })
    }
}

impl PartialEq for Packed {
    fn eq(&self, other: &Self) -> bool {
        self.path() == other.path()
    }
}

impl Eq for Packed {}

/// As its path has it, by which it is found.
impl Hash for Packed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.path().hash(state);
    }
}

impl Borrow<[u8]> for Packed {
    fn borrow(&self) -> &[u8] {
        self.path()
    }
}

/// Stored entries that are found by their keys, each once.
pub(super) struct ByKey {
    all: Vec<Packed>,
    is_taken: Vec<bool>,
}

impl ByKey {
    pub(super) fn new(of: &Objects) -> Self {
        let all = of.by_key();
        Self { is_taken: vec![false; all.len()], all }
    }

    /// The entry with this key, the first time that it is asked for.
    pub(super) fn take(&mut self, key: &str) -> Option<Object> {
        let at = self.all.binary_search_by(|packed| packed.key().cmp(key.as_bytes())).ok()?;
        let is_taken = self.is_taken.get_mut(at)?;
        if std::mem::replace(is_taken, true) { None } else { self.all.get(at)?.object() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The entries that were not taken.
    pub(super) fn into_left(self) -> impl Iterator<Item = Packed> {
        self.all.into_iter().zip(self.is_taken).filter(|(_, is_taken)| !is_taken).map(|(packed, _)| packed)
    }

    /// The number of entries that were not taken.
    pub(super) fn left(&self) -> u64 {
        self.is_taken.iter().filter(|is_taken| !**is_taken).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(path: &[u8], key: &str) -> Object {
        Object {
            path: Raw(path.to_vec()),
            key: key.to_owned(),
            stamp: Stamp { inode: u64::MAX, size: 7, mtime: -5, ctime: 1_796_021_714_965_663_817 },
            mode: 0o100_644,
            uid: u32::MAX,
            gid: 0,
            bytes: 5 << 30,
            crc64nvme: "u8zDZzstTgk=".to_owned(),
            etag: "\"3019bb761955211dd5770eadff9a8dda\"".to_owned(),
            version: Some("null".to_owned()),
            is_read: false,
        }
    }

    /// Whatever a server calls an `ETag` or a checksum, and whatever the key: it comes back as it was.
    #[test]
    fn an_entry_is_the_same_after_it_was_packed() {
        let mut all = vec![
            object(b"", "17578/"),
            object(b"a", "17578/a"),
            object(b"folder/b", "17578/folder/b/"),
            object(b"n\xe4me", "17578/n%E4me"),
            object(b"/", "/"),
            object(b"x", ""),
        ];
        for etag in [
            "",
            "\"",
            "\"\"",
            "\"3019BB761955211DD5770EADFF9A8DDA\"",
            "3019bb761955211dd5770eadff9a8dda",
            "\"+019bb761955211dd5770eadff9a8dda\"",
            "\"3019bb761955211dd5770eadff9a8dda-705\"",
            "\"ä\"",
        ] {
            all.push(Object { etag: etag.to_owned(), ..object(etag.as_bytes(), "k") });
        }
        for sum in ["", "AAAAAAAAAAA=", "AAAAAAAAAAA", "AAAAAAAAAAB=", "text"] {
            all.push(Object { crc64nvme: sum.to_owned(), version: None, is_read: true, ..object(sum.as_bytes(), "k") });
        }
        for object in &all {
            assert_eq!(Packed::new(object).object().as_ref(), Some(object));
        }
    }

    #[test]
    fn a_path_has_one_entry_and_keys_have_their_order() {
        let mut objects = Objects::default();
        for (path, key) in
            [("b", "7/b"), ("a", "7/a"), ("a/b", "7/a/b"), ("a.txt", "7/a.txt"), ("d", "7/d/"), ("z", "6")]
        {
            objects.insert(&object(path.as_bytes(), key));
        }
        objects.insert(&Object { bytes: 1, ..object(b"a", "7/a") });
        assert_eq!((objects.len(), objects.get(&Raw(b"a".to_vec())).unwrap().bytes), (6, 1), "replaced");
        assert_eq!(objects.get(&Raw(b"c".to_vec())), None);
        let mut by_key = ByKey::new(&objects);
        let keys: Vec<String> = by_key.all.iter().map(|packed| packed.object().unwrap().key).collect();
        assert_eq!(keys, ["6", "7/a", "7/a.txt", "7/a/b", "7/b", "7/d/"]);
        assert_eq!(by_key.take("7/d/").unwrap().path.0, b"d");
        assert!(by_key.take("7/d/").is_none() && by_key.take("7/d").is_none());
        assert_eq!(by_key.left(), 5);
        objects.remove(&Raw(b"a".to_vec()));
        assert_eq!((objects.len(), objects.get(&Raw(b"a".to_vec()))), (5, None));
    }
}
