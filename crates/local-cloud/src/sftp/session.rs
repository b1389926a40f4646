//! The SFTP protocol (version 3, draft-ietf-secsh-filexfer-02) on S3, with the limits of the user guide's "Transferring
//! files over a server endpoint using a client": no links, no append, no renaming of folders, no attributes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use russh_sftp::protocol::{File, FileAttributes, Handle, OpenFlags, Status, StatusCode};
use russh_sftp::server::StatusReply;

use super::budget::{Budget, Share};
use super::emptied::Emptied;
use super::intake::Intake;
use super::listing::{Listing, file_attributes, folder_attributes};
use super::paths::{self, Place};
use super::reader::Reader;
use super::rights::{Refused, Rights};
use super::storage::{Storage, StorageError};
use super::told::{Ended, Object, Teller, Upload};
use super::writer::{WriteError, Writer};
use crate::login::View;
use sftpctl_aws::ObjectFacts;

/// Maximum length of a key in bytes of UTF-8 (S3 user guide, "Naming Amazon S3 objects").
const MAX_KEY: usize = 1024;

pub(super) struct Session {
    pub(super) storage: Arc<dyn Storage>,
    rights: Option<Rights>,
    /// `None` tells nobody.
    pub(super) teller: Option<Teller>,
    pub(super) view: View,
    /// `SetStatOption: ENABLE_NO_OP`.
    quiet_setstat: bool,
    pub(super) emptied: Arc<Emptied>,
    pub(super) budget: Budget,
    pub(super) intake: Intake,
    pub(super) handles: HashMap<String, Held>,
    count: u64,
}

/// An open handle, which counts among those of its connection.
pub(super) struct Held {
    pub(super) open: Open,
    _share: Share,
}

pub(super) enum Open {
    Read(Reader),
    Write(WriteHandle),
    Folder(Folder),
}

/// A file opened for writing.
pub(super) struct WriteHandle {
    pub(super) writer: Box<Writer>,
    pub(super) path: String,
    object: Object,
    opened: Timestamp,
    /// The existing object, if the file was opened without TRUNC. It stays until bytes are written.
    over: Option<ObjectFacts>,
    /// The length that the client set with FSETSTAT.
    length: Option<u64>,
}

/// What closing a file does with its object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// Nothing was written; the object stays.
    Keep,
    /// The object becomes what was written.
    Replace,
    /// On a file system, other bytes would follow the written ones.
    Refuse,
}

impl WriteHandle {
    /// Sets the length; bytes that are written already cannot be cut off.
    pub(super) fn set_length(&mut self, length: u64) -> Result<(), StatusReply> {
        if length < self.writer.end() {
            return Err(no_length());
        }
        self.length = Some(length);
        Ok(())
    }

    /// Size and time as a file system would show them.
    pub(super) fn attributes(&self) -> FileAttributes {
        let old = self.over.as_ref().filter(|_| self.length != Some(0));
        let size = self.length.or(old.map(|old| old.size)).unwrap_or_default().max(self.writer.written());
        let modified = match old {
            Some(old) if self.writer.untouched() => old.modified,
            _ => Timestamp::now().as_second(),
        };
        file_attributes(size, modified)
    }

    pub(super) fn closing(&self) -> Closing {
        closing(self.over.as_ref().map(|old| old.size), self.length, self.writer.written(), self.writer.untouched())
    }
}

/// `old` is the size of the existing object without TRUNC, `length` the one that the client has set.
fn closing(old: Option<u64>, length: Option<u64>, written: u64, untouched: bool) -> Closing {
    if untouched && old.is_some() && (length.is_none() || length == old) {
        return Closing::Keep;
    }
    if length.or(old).is_none_or(|length| length <= written) { Closing::Replace } else { Closing::Refuse }
}

/// A listing in progress.
pub(super) struct Folder {
    pub(super) bucket: String,
    pub(super) listing: Listing,
    pub(super) ready: VecDeque<File>,
    /// The next page: `None` before the first, `Some(None)` after the last.
    pub(super) next: Option<Option<String>>,
    /// For the names of a page.
    pub(super) share: Option<Share>,
}

pub(super) enum Found {
    File(ObjectFacts),
    /// With the time of its marker, in seconds since 1970.
    Folder(Option<i64>),
    Nothing,
}

impl Session {
    /// A session with the folders of `view`. `None` as rights allows everything, which is for measurements only.
    pub(super) fn new(
        storage: Arc<dyn Storage>,
        rights: Option<Rights>,
        teller: Option<Teller>,
        view: View,
        quiet_setstat: bool,
        emptied: Arc<Emptied>,
        (budget, intake): (Budget, Intake),
    ) -> Self {
        let handles = HashMap::new();
        Self { storage, rights, teller, view, quiet_setstat, emptied, budget, intake, handles, count: 0 }
    }

    pub(super) fn path(&self, path: &str) -> Result<String, StatusReply> {
        // The SFTP library replaces invalid UTF-8 with this character; S3 keys must be UTF-8.
        if path.contains(char::REPLACEMENT_CHARACTER) || path.contains('\0') {
            return Err(StatusCode::BadMessage.with_message("names must be UTF-8"));
        }
        Ok(paths::absolute(&paths::home(&self.view), path))
    }

    /// The bucket and key of a path; places without a key contain no files.
    pub(super) fn key(&self, path: &str) -> Result<(String, String), StatusReply> {
        match paths::place(&self.view, &self.path(path)?) {
            Place::Key { bucket, key } if !key.is_empty() => Ok((bucket, key)),
            Place::Nowhere => Err(StatusCode::NoSuchFile.into()),
            _ => Err(StatusCode::PermissionDenied.into()),
        }
    }

    /// The bucket and key of a path that is to be written. S3 refuses a key that is too long only when the object is
    /// complete, so that a client would upload everything first.
    pub(super) fn new_key(&self, path: &str) -> Result<(String, String), StatusReply> {
        let (bucket, key) = self.key(path)?;
        fits(&key)?;
        Ok((bucket, key))
    }

    pub(super) async fn may(&mut self, action: &str, bucket: &str, key: &str) -> Result<(), StatusReply> {
        match &mut self.rights {
            None => Ok(()),
            Some(rights) => rights.object(action, bucket, key).await.map_err(refused),
        }
    }

    pub(super) async fn may_list(&mut self, bucket: &str, prefix: &str) -> Result<(), StatusReply> {
        match &mut self.rights {
            None => Ok(()),
            Some(rights) => rights.list(bucket, prefix).await.map_err(refused),
        }
    }

    /// Finds what a path shows as: S3 can have an object and a folder of one name. Then it is a folder, as in a listing,
    /// so that what is in it can be reached; the object can still be read, replaced and removed.
    pub(super) async fn look(&mut self, bucket: &str, key: &str) -> Result<Found, StatusReply> {
        let found = self.find(bucket, key).await?;
        if !matches!(found, Found::File(_)) || self.may_list(bucket, &format!("{key}/")).await.is_err() {
            return Ok(found);
        }
        match self.below(bucket, key).await? {
            Found::Nothing => Ok(found),
            folder => Ok(folder),
        }
    }

    /// The folder of a key, if something is in it or it has a marker.
    async fn below(&mut self, bucket: &str, key: &str) -> Result<Found, StatusReply> {
        let prefix = format!("{key}/");
        if prefix.len() > MAX_KEY {
            return Ok(Found::Nothing);
        }
        let page = self.storage.page(bucket, &prefix, 1, None).await.map_err(broken)?;
        if page.objects.is_empty() && page.folders.is_empty() {
            return Ok(Found::Nothing);
        }
        let marker = page.objects.first().filter(|object| object.key == prefix);
        Ok(Found::Folder(marker.map(|marker| marker.modified)))
    }

    /// Finds the object or folder of a key, in this order. A folder exists if it is not empty or if it is the home.
    pub(super) async fn find(&mut self, bucket: &str, key: &str) -> Result<Found, StatusReply> {
        if key.is_empty() {
            self.may_list(bucket, "").await?;
            return Ok(Found::Folder(None));
        }
        if key.len() > MAX_KEY {
            return Ok(Found::Nothing);
        }
        let prefix = format!("{key}/");
        // A customer who may not read an object may still list the folder of that name, as with the home itself.
        let file = match self.may("s3:GetObject", bucket, key).await {
            Ok(()) => self.storage.head(bucket, key).await.map_err(broken)?,
            Err(refusal) => {
                self.may_list(bucket, &prefix).await.map_err(|_| refusal)?;
                None
            }
        };
        if let Some(facts) = file {
            return Ok(Found::File(facts));
        }
        self.may_list(bucket, &prefix).await?;
        let folder = self.below(bucket, key).await?;
        let is_home = match paths::place(&self.view, &paths::home(&self.view)) {
            Place::Key { bucket: home_bucket, key: home } => home_bucket == bucket && home == key,
            _ => false,
        };
        Ok(if is_home && matches!(folder, Found::Nothing) { Found::Folder(None) } else { folder })
    }

    pub(super) async fn attributes(&mut self, path: &str) -> Result<FileAttributes, StatusReply> {
        match paths::place(&self.view, &self.path(path)?) {
            Place::Nowhere => Err(StatusCode::NoSuchFile.into()),
            Place::Virtual(_) => Ok(folder_attributes(None)),
            Place::Buckets => {
                self.may_list_buckets().await?;
                Ok(folder_attributes(None))
            }
            Place::Key { bucket, key } => match self.look(&bucket, &key).await? {
                Found::File(facts) => Ok(file_attributes(facts.size, facts.modified)),
                Found::Folder(modified) => Ok(folder_attributes(modified)),
                Found::Nothing => Err(StatusCode::NoSuchFile.into()),
            },
        }
    }

    pub(super) async fn may_list_buckets(&mut self) -> Result<(), StatusReply> {
        match &mut self.rights {
            None => Ok(()),
            Some(rights) => rights.buckets().await.map_err(refused),
        }
    }

    pub(super) fn handle(&mut self, handle: &str) -> Option<&mut Open> {
        self.handles.get_mut(handle).map(|held| &mut held.open)
    }

    pub(super) fn keep(&mut self, id: u32, open: Open) -> Result<Handle, StatusReply> {
        let share = self.budget.handle();
        let share =
            share.ok_or_else(|| StatusCode::Failure.with_message("too many open handles on this connection"))?;
        self.count += 1;
        let handle = self.count.to_string();
        self.handles.insert(handle.clone(), Held { open, _share: share });
        Ok(Handle { id, handle })
    }

    pub(super) async fn open_write(&mut self, id: u32, path: &str, flags: OpenFlags) -> Result<Handle, StatusReply> {
        let (bucket, key) = self.new_key(path)?;
        if path.ends_with('/') {
            return Err(StatusCode::Failure.with_message("that is the name of a folder"));
        }
        self.may("s3:PutObject", &bucket, &key).await?;
        let found = self.find(&bucket, &key).await?;
        match found {
            Found::Folder(_) => return Err(StatusCode::Failure.with_message("there is a folder of that name")),
            Found::File(_) if flags.contains(OpenFlags::EXCLUDE) => {
                return Err(StatusCode::Failure.with_message("the file exists"));
            }
            Found::Nothing if !flags.contains(OpenFlags::CREATE) => return Err(StatusCode::NoSuchFile.into()),
            Found::File(_) | Found::Nothing => {}
        }
        // Without TRUNC, a client may intend to change a part of the file, which S3 cannot do. But OpenSSH's `scp` also
        // opens files like this, writes the whole file, and then truncates it. The two are distinguished when the file
        // is closed.
        let over = match found {
            Found::File(facts) if !flags.contains(OpenFlags::TRUNCATE) => Some(facts),
            _ => None,
        };
        let object = Object { bucket, key };
        if let Some(teller) = &self.teller {
            teller.opened(&object, &mode(flags));
        }
        let sink = self.storage.create(&object.bucket, &object.key, flags.contains(OpenFlags::EXCLUDE));
        let writer = Writer::new(sink, &self.budget).map(Box::new);
        let many = || StatusCode::Failure.with_message("too many files are being written on this connection");
        let writer = writer.ok_or_else(many)?;
        let (path, opened) = (self.path(path)?, Timestamp::now());
        self.keep(id, Open::Write(WriteHandle { writer, path, object, opened, over, length: None }))
    }

    pub(super) async fn move_file(&mut self, old: &str, new: &str, replace: bool) -> Result<(), StatusReply> {
        let (from_bucket, from) = self.key(old)?;
        let (to_bucket, to) = self.new_key(new)?;
        self.may("s3:GetObject", &from_bucket, &from).await?;
        self.may("s3:DeleteObject", &from_bucket, &from).await?;
        self.may("s3:PutObject", &to_bucket, &to).await?;
        match self.find(&from_bucket, &from).await? {
            Found::Nothing => return Err(StatusCode::NoSuchFile.into()),
            Found::Folder(_) => {
                return Err(StatusCode::OpUnsupported.with_message("folders in S3 cannot be renamed"));
            }
            Found::File(_) => {}
        }
        match self.find(&to_bucket, &to).await? {
            Found::Folder(_) => return Err(StatusCode::Failure.with_message("there is a folder of that name")),
            Found::File(_) if !replace => return Err(StatusCode::Failure.with_message("the file exists")),
            Found::File(_) | Found::Nothing => {}
        }
        if (&from_bucket, &from) == (&to_bucket, &to) {
            return Ok(());
        }
        self.storage.copy((&from_bucket, &from), (&to_bucket, &to)).await.map_err(broken)?;
        self.delete(&from_bucket, &from).await?;
        if let Some(teller) = &self.teller {
            teller.renamed(&Object { bucket: from_bucket, key: from }, &Object { bucket: to_bucket, key: to });
        }
        Ok(())
    }

    /// Deletes an object, or the marker of a folder.
    pub(super) async fn delete(&mut self, bucket: &str, key: &str) -> Result<(), StatusReply> {
        self.storage.delete(bucket, key).await.map_err(broken)?;
        self.emptied.deleted(bucket, key.trim_end_matches('/'));
        Ok(())
    }

    /// The length of an object cannot be set; a silent success would leave another file than the client has.
    pub(super) async fn may_have_length(&mut self, path: &str, length: u64) -> Result<(), StatusReply> {
        let (bucket, key) = self.key(path)?;
        match self.find(&bucket, &key).await? {
            Found::File(facts) if facts.size == length => Ok(()),
            Found::Nothing => Err(StatusCode::NoSuchFile.into()),
            Found::File(_) | Found::Folder(_) => Err(no_length()),
        }
    }

    pub(super) fn set_attributes(&self, id: u32) -> Result<Status, StatusReply> {
        if self.quiet_setstat {
            return Ok(ok(id));
        }
        Err(StatusCode::OpUnsupported.with_message("S3 keeps no attributes; see the server's SetStatOption"))
    }
}

impl WriteHandle {
    /// Makes the object of a file that was closed.
    pub(super) async fn finish(self, teller: Option<&Teller>) -> Result<(), WriteError> {
        let bytes = self.writer.written();
        let finished = self.writer.finish().await;
        let told = finished.as_ref().map(String::as_str).map_err(ToString::to_string);
        tell(teller, (&self.object, self.opened), bytes, Ended::Whole, told);
        finished.map(drop)
    }

    /// Keeps what has arrived of a file that the client did not close.
    async fn finish_early(self, teller: Option<Teller>) {
        let (path, bytes) = (&self.path, self.writer.written());
        let finished = self.writer.finish_early().await;
        match &finished {
            Ok(_) => tracing::info!(path, bytes, "uploaded in part: the session ended before the file was closed"),
            Err(error) => tracing::info!(path, %error, "not uploaded: the session ended before the file was closed"),
        }
        let told = finished.as_ref().map(String::as_str).map_err(ToString::to_string);
        tell(teller.as_ref(), (&self.object, self.opened), bytes, Ended::Partial, told);
    }
}

/// Tells how an upload ended: with an object's ETag, or an error.
fn tell(
    teller: Option<&Teller>,
    (object, since): (&Object, Timestamp),
    bytes: u64,
    ended: Ended<'_>,
    finished: Result<&str, String>,
) {
    let Some(teller) = teller else { return };
    let etag = finished.as_ref().ok().copied();
    let ended = match &finished {
        Ok(_) => ended,
        Err(why) => Ended::Failed(why),
    };
    teller.upload(&Upload { object, bytes, etag, since }, ended);
}

impl Drop for Session {
    /// "A partial upload occurs when a file is open when the session disconnects" (API reference, `WorkflowDetails`): as
    /// on AWS, the bucket then has an object with what had arrived. A file that nothing was written to leaves none.
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        for (_, held) in self.handles.drain() {
            match held.open {
                Open::Write(file) if !file.writer.untouched() => {
                    runtime.spawn(file.finish_early(self.teller.clone()));
                }
                Open::Read(reader) => reader.tell(self.teller.as_ref(), false),
                Open::Write(_) | Open::Folder(_) => {}
            }
        }
    }
}

/// How a file is opened, as the log of a session names it.
fn mode(flags: OpenFlags) -> String {
    let names = [
        (OpenFlags::CREATE, "CREATE"),
        (OpenFlags::EXCLUDE, "EXCLUDE"),
        (OpenFlags::TRUNCATE, "TRUNCATE"),
        (OpenFlags::READ, "READ"),
        (OpenFlags::WRITE, "WRITE"),
    ];
    let of = names.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, name)| *name);
    of.collect::<Vec<_>>().join("|")
}

pub(super) fn ok(id: u32) -> Status {
    Status { id, status_code: StatusCode::Ok, error_message: "Ok".to_owned(), language_tag: "en-US".to_owned() }
}

fn refused(refused: Refused) -> StatusReply {
    match refused {
        Refused::Denied(by) => {
            tracing::info!(by, "refused");
            StatusCode::PermissionDenied.into()
        }
        Refused::NoBucket => StatusCode::NoSuchFile.into(),
        Refused::Broken(why) => {
            tracing::error!(why, "cannot evaluate the policies");
            StatusCode::Failure.with_message("the policies cannot be evaluated")
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn broken(error: StorageError) -> StatusReply {
    tracing::warn!(%error, "storage");
    match error {
        StorageError::Replaced | StorageError::Exists => StatusCode::Failure.with_message(error.to_string()),
        StorageError::Other(_) => StatusCode::Failure.with_message("storage failed"),
    }
}

pub(super) fn not_written(error: WriteError) -> StatusReply {
    match error {
        WriteError::NotInOrder => StatusCode::OpUnsupported.with_message(error.to_string()),
        WriteError::Storage(error) => broken(error),
        WriteError::Failed => StatusCode::Failure.with_message(error.to_string()),
    }
}

fn no_length() -> StatusReply {
    StatusCode::OpUnsupported.with_message("the length of an object in S3 cannot be changed; write the file anew")
}

/// Whether a key is one of S3's.
pub(super) fn fits(key: &str) -> Result<(), StatusReply> {
    match key.len() {
        0..=MAX_KEY => Ok(()),
        length => Err(StatusCode::Failure
            .with_message(format!("the path is too long: its key in S3 has {length} bytes of at most {MAX_KEY}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_files_are_replaced() {
        for (old, length, written, expected) in [
            // With TRUNC, or a new file.
            (None, None, 0, Closing::Replace),
            (None, None, 5, Closing::Replace),
            (None, Some(5), 5, Closing::Replace),
            (None, Some(6), 5, Closing::Refuse),
            // Without TRUNC, over a file of five bytes.
            (Some(5), None, 0, Closing::Keep),
            (Some(5), Some(5), 0, Closing::Keep),
            (Some(5), Some(0), 0, Closing::Replace),
            (Some(5), Some(3), 0, Closing::Refuse),
            (Some(5), None, 3, Closing::Refuse),
            (Some(5), Some(3), 3, Closing::Replace),
            (Some(5), Some(0), 3, Closing::Replace),
            (Some(5), None, 5, Closing::Replace),
            (Some(5), None, 6, Closing::Replace),
        ] {
            assert_eq!(closing(old, length, written, written == 0), expected, "{old:?} {length:?} {written}");
        }
    }

    #[test]
    fn keys_have_at_most_1024_bytes() {
        for (key, fit) in
            [("d".repeat(1024), true), ("d".repeat(1025), false), ("ä".repeat(512), true), ("ä".repeat(513), false)]
        {
            assert_eq!(fits(&key).is_ok(), fit, "{} bytes", key.len());
        }
    }
}
