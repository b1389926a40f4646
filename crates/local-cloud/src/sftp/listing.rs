//! What clients read from a listing: names, attributes and the long name of READDIR.

use jiff::Timestamp;
use russh_sftp::protocol::{File, FileAttributes, FileMode};

use sftpctl_aws::{ObjectFacts, ObjectPage};

/// Within this many seconds of now a long name has the time, otherwise the year: half a year, as in OpenSSH.
const RECENT: i64 = 365 * 24 * 60 * 60 / 2;

/// Whether a part of a key can be the name of an entry. S3 allows others, and a client that follows them loops, or
/// writes outside its own folder.
pub(super) fn is_entry_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

/// A folder; `modified` is the time of its marker, in seconds since 1970. A folder without a marker has no time.
pub(super) fn folder_attributes(modified: Option<i64>) -> FileAttributes {
    let time = modified.and_then(|modified| u32::try_from(modified).ok());
    let permissions = Some(FileMode::DIR.bits() | 0o755);
    FileAttributes { size: Some(0), permissions, atime: time, mtime: time, ..FileAttributes::empty() }
}

pub(super) fn file_attributes(size: u64, modified: i64) -> FileAttributes {
    let time = u32::try_from(modified).ok();
    let permissions = Some(FileMode::REG.bits() | 0o644);
    FileAttributes { size: Some(size), permissions, atime: time, mtime: time, ..FileAttributes::empty() }
}

/// An entry of a listing at the time `now`, in seconds since 1970.
pub(super) fn entry(name: String, attrs: FileAttributes, now: i64) -> File {
    let longname = long_name(&name, &attrs, now);
    File { filename: name, longname, attrs }
}

/// A line as `ls -l` prints it in OpenSSH's server: nine columns, which programs cut and parse.
fn long_name(name: &str, attributes: &FileAttributes, now: i64) -> String {
    let mode = if attributes.is_dir() { "drwxr-xr-x" } else { "-rw-r--r--" };
    let size = attributes.size.unwrap_or_default();
    let modified = attributes.mtime.map_or(0, i64::from);
    let form = if modified <= now && now - modified < RECENT { "%b %e %H:%M" } else { "%b %e  %Y" };
    let date = Timestamp::from_second(modified).unwrap_or_default().strftime(form);
    format!("{mode}   1 {:<8} {:<8} {size:>8} {date} {name}", 0, 0)
}

/// A folder's listing, page by page.
pub(super) struct Listing {
    prefix: String,
    /// Objects of earlier pages after which a folder of their name may follow.
    held: Vec<ObjectFacts>,
    /// Number of keys whose names are not file names.
    hidden: usize,
}

impl Listing {
    pub(super) fn new(prefix: String) -> Self {
        Self { prefix, held: Vec::new(), hidden: 0 }
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Number of keys left out so far.
    pub(super) fn hidden(&self) -> usize {
        self.hidden
    }

    /// The entries of the next page. Each name occurs once: where S3 has an object and a folder of one name, the
    /// folder.
    pub(super) fn entries(&mut self, page: &ObjectPage, now: i64) -> Vec<File> {
        let mut objects = std::mem::take(&mut self.held);
        // The folder's own marker is an object with the folder's name.
        objects.extend(page.objects.iter().filter(|object| object.key != self.prefix).cloned());
        let is_folder = |object: &ObjectFacts| page.folders.iter().any(|f| f.strip_suffix('/') == Some(&object.key));
        objects.retain(|object| !is_folder(object));
        if page.next.is_some() {
            // Between `a` and `a/` other keys may come, but all of them begin with `a`.
            let last_object = page.objects.last().map(|object| object.key.as_str());
            let last = last_object.max(page.folders.last().map(String::as_str)).unwrap_or_default();
            (self.held, objects) = objects.into_iter().partition(|object| last.starts_with(&object.key));
        }
        let folders = page.folders.iter().map(|folder| (folder.strip_suffix('/').unwrap_or(folder), None));
        let files = objects.iter().map(|object| (object.key.as_str(), Some(object)));
        let mut entries = Vec::new();
        for (key, object) in folders.chain(files) {
            let name = key.strip_prefix(self.prefix.as_str()).unwrap_or(key);
            if !is_entry_name(name) {
                self.hidden += 1;
                continue;
            }
            let attributes = match object {
                Some(object) => file_attributes(object.size, object.modified),
                None => folder_attributes(None),
            };
            entries.push(entry(name.to_owned(), attributes, now));
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn object(key: &str) -> ObjectFacts {
        ObjectFacts { key: key.into(), size: 11, modified: NOW - 60, etag: None }
    }

    fn page(objects: &[&str], folders: &[&str], next: Option<&str>) -> ObjectPage {
        ObjectPage {
            objects: objects.iter().map(|key| object(key)).collect(),
            folders: folders.iter().map(|&folder| folder.into()).collect(),
            next: next.map(str::to_owned),
        }
    }

    fn names(entries: &[File]) -> Vec<String> {
        let slash = |file: &File| if file.attrs.is_dir() { "/" } else { "" };
        entries.iter().map(|file| format!("{}{}", file.filename, slash(file))).collect()
    }

    #[test]
    fn keys_that_are_no_file_names_are_not_listed() {
        let mut listing = Listing::new("7/".into());
        let objects = ["7/", "7/.", "7/..", "7/nul\0", "7/...", "7/ok.txt", "7/new\nline"];
        let page = page(&objects, &["7//", "7/./", "7/../", "7/a/"], None);
        assert_eq!(names(&listing.entries(&page, NOW)), ["a/", "...", "ok.txt", "new\nline"]);
        // "", `.` and `..`, each once, and the NUL.
        assert_eq!(listing.hidden(), 4);
        // Only doubled slashes below.
        let mut listing = Listing::new("7/a/".into());
        assert_eq!(names(&listing.entries(&self::page(&[], &["7/a//"], None), NOW)), [""; 0]);
    }

    #[test]
    fn object_and_folder_of_one_name_are_one_entry() {
        let mut listing = Listing::new("7/".into());
        let page_1 = page(&["7/plain", "7/report"], &["7/report/"], None);
        assert_eq!(names(&listing.entries(&page_1, NOW)), ["report/", "plain"]);

        // Also with a page that ends between the two.
        let mut listing = Listing::new("7/".into());
        let first = listing.entries(&page(&["7/plain", "7/report", "7/report.txt"], &["7/report-x/"], Some("n")), NOW);
        assert_eq!(names(&first), ["report-x/", "plain"]);
        let second = listing.entries(&page(&["7/z"], &["7/report/"], None), NOW);
        assert_eq!(names(&second), ["report/", "report.txt", "z"]);
    }

    #[test]
    fn long_names_have_the_columns_of_ls() {
        let line = |name: &str, attributes| entry(name.into(), attributes, NOW).longname;
        assert_eq!(
            line("a b", file_attributes(11, NOW - 60)),
            "-rw-r--r--   1 0        0              11 Jan 15 07:59 a b"
        );
        assert_eq!(
            line("old", file_attributes(123_456_789_012, NOW - 200 * 86_400)),
            "-rw-r--r--   1 0        0        123456789012 Jun 29  2026 old"
        );
        assert_eq!(line("f", folder_attributes(None)), "drwxr-xr-x   1 0        0               0 Jan  1  1970 f");
        for (attributes, columns) in [(file_attributes(1, NOW), 9), (file_attributes(1, 0), 9)] {
            assert_eq!(line("name", attributes).split_whitespace().count(), columns);
        }
        // In the future: with the year, as `ls` does.
        assert!(line("x", file_attributes(1, NOW + 86_400)).ends_with("Jan 16  2027 x"));
    }
}
