//! The SFTP protocol (version 3, draft-ietf-secsh-filexfer-02) on S3, with the limits of the user guide's "Transferring
//! files over a server endpoint using a client": no links, no append, no renaming of folders, no attributes.

use std::collections::HashMap;
use std::sync::Arc;

use russh_sftp::protocol::{
    Attrs, Data, File, FileAttributes, FileMode, Handle, Name, OpenFlags, Packet, Status, StatusCode, Version,
};
use russh_sftp::server::{Handler, StatusReply};

use super::paths::{self, Place};
use super::reader::Reader;
use super::rights::{Refused, Rights};
use super::storage::{Storage, StorageError};
use super::writer::{WriteError, Writer};
use crate::login::View;
use sftpctl_aws::ObjectFacts;

/// Names per answer to READDIR, as in OpenSSH's server.
const NAMES: usize = 100;
/// Objects in one page of a listing.
const PAGE: i32 = 1000;
/// Maximum number of open handles per session.
const MAX_HANDLES: usize = 256;
/// Maximum length of a read or write, as in OpenSSH.
const MAX_DATA: u64 = 261_120;

pub(super) struct Session {
    storage: Arc<dyn Storage>,
    rights: Option<Rights>,
    view: View,
    /// `SetStatOption: ENABLE_NO_OP`.
    quiet_setstat: bool,
    handles: HashMap<String, Open>,
    count: u64,
}

enum Open {
    Read(Reader),
    Write { writer: Box<Writer>, path: String, over: Option<Over> },
    Folder(Folder),
}

/// The existing object of a file opened for writing without TRUNC. It stays until bytes are written.
#[derive(Clone, Copy)]
struct Over {
    size: u64,
    /// The length that the client set with FSETSTAT.
    cut: Option<u64>,
}

impl Over {
    /// Whether the written bytes replace the whole file: on a file system, nothing of the old content would follow
    /// them.
    fn is_replaced(self, written: u64) -> bool {
        self.cut.map_or(written >= self.size, |cut| cut <= written)
    }
}

/// A listing in progress.
struct Folder {
    bucket: String,
    prefix: String,
    ready: Vec<File>,
    /// The next page: `None` before the first, `Some(None)` after the last.
    next: Option<Option<String>>,
}

enum Found {
    File(ObjectFacts),
    Folder,
    Nothing,
}

impl Session {
    /// A session with the folders of `view`. `None` as rights allows everything, which is for measurements only.
    pub(super) fn new(storage: Arc<dyn Storage>, rights: Option<Rights>, view: View, quiet_setstat: bool) -> Self {
        Self { storage, rights, view, quiet_setstat, handles: HashMap::new(), count: 0 }
    }

    fn path(&self, path: &str) -> Result<String, StatusReply> {
        // The SFTP library replaces invalid UTF-8 with this character; S3 keys must be UTF-8.
        if path.contains(char::REPLACEMENT_CHARACTER) || path.contains('\0') {
            return Err(StatusCode::BadMessage.with_message("names must be UTF-8"));
        }
        Ok(paths::absolute(&paths::home(&self.view), path))
    }

    /// The bucket and key of a path; places without a key contain no files.
    fn key(&self, path: &str) -> Result<(String, String), StatusReply> {
        match paths::place(&self.view, &self.path(path)?) {
            Place::Key { bucket, key } if !key.is_empty() => Ok((bucket, key)),
            Place::Nowhere => Err(StatusCode::NoSuchFile.into()),
            _ => Err(StatusCode::PermissionDenied.into()),
        }
    }

    async fn may(&mut self, action: &str, bucket: &str, key: &str) -> Result<(), StatusReply> {
        match &mut self.rights {
            None => Ok(()),
            Some(rights) => rights.object(action, bucket, key).await.map_err(refused),
        }
    }

    async fn may_list(&mut self, bucket: &str, prefix: &str) -> Result<(), StatusReply> {
        match &mut self.rights {
            None => Ok(()),
            Some(rights) => rights.list(bucket, prefix).await.map_err(refused),
        }
    }

    /// Finds the object or folder of a key. A folder exists if it is not empty or if it is the home.
    async fn find(&mut self, bucket: &str, key: &str) -> Result<Found, StatusReply> {
        let prefix = if key.is_empty() { String::new() } else { format!("{key}/") };
        if key.is_empty() {
            self.may_list(bucket, "").await?;
            return Ok(Found::Folder);
        }
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
        let page = self.storage.page(bucket, &prefix, 1, None).await.map_err(broken)?;
        let is_home = match paths::place(&self.view, &paths::home(&self.view)) {
            Place::Key { bucket: home_bucket, key: home } => home_bucket == bucket && home == key,
            _ => false,
        };
        let there = is_home || !page.objects.is_empty() || !page.folders.is_empty();
        Ok(if there { Found::Folder } else { Found::Nothing })
    }

    async fn attributes(&mut self, path: &str) -> Result<FileAttributes, StatusReply> {
        match paths::place(&self.view, &self.path(path)?) {
            Place::Nowhere => Err(StatusCode::NoSuchFile.into()),
            Place::Virtual(_) => Ok(folder_attributes()),
            Place::Buckets => {
                self.may_list_buckets().await?;
                Ok(folder_attributes())
            }
            Place::Key { bucket, key } => match self.find(&bucket, &key).await? {
                Found::File(facts) => Ok(file_attributes(facts.size, facts.modified)),
                Found::Folder => Ok(folder_attributes()),
                Found::Nothing => Err(StatusCode::NoSuchFile.into()),
            },
        }
    }

    async fn may_list_buckets(&mut self) -> Result<(), StatusReply> {
        match &mut self.rights {
            None => Ok(()),
            Some(rights) => rights.buckets().await.map_err(refused),
        }
    }

    fn keep(&mut self, id: u32, open: Open) -> Result<Handle, StatusReply> {
        if self.handles.len() >= MAX_HANDLES {
            return Err(StatusCode::Failure.with_message("too many open handles"));
        }
        self.count += 1;
        let handle = self.count.to_string();
        self.handles.insert(handle.clone(), open);
        Ok(Handle { id, handle })
    }

    async fn open_write(&mut self, id: u32, path: &str, flags: OpenFlags) -> Result<Handle, StatusReply> {
        let (bucket, key) = self.key(path)?;
        if flags.contains(OpenFlags::APPEND) {
            return Err(StatusCode::OpUnsupported.with_message("objects in S3 cannot be appended to"));
        }
        if path.ends_with('/') {
            return Err(StatusCode::Failure.with_message("that is the name of a folder"));
        }
        self.may("s3:PutObject", &bucket, &key).await?;
        let found = self.find(&bucket, &key).await?;
        match found {
            Found::Folder => return Err(StatusCode::Failure.with_message("there is a folder of that name")),
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
            Found::File(facts) if !flags.contains(OpenFlags::TRUNCATE) => Some(Over { size: facts.size, cut: None }),
            _ => None,
        };
        let writer = Box::new(Writer::new(self.storage.create(&bucket, &key)));
        let path = self.path(path)?;
        self.keep(id, Open::Write { writer, path, over })
    }

    async fn move_file(&mut self, old: &str, new: &str, replace: bool) -> Result<(), StatusReply> {
        let (from_bucket, from) = self.key(old)?;
        let (to_bucket, to) = self.key(new)?;
        self.may("s3:GetObject", &from_bucket, &from).await?;
        self.may("s3:DeleteObject", &from_bucket, &from).await?;
        self.may("s3:PutObject", &to_bucket, &to).await?;
        match self.find(&from_bucket, &from).await? {
            Found::Nothing => return Err(StatusCode::NoSuchFile.into()),
            Found::Folder => {
                return Err(StatusCode::OpUnsupported.with_message("folders in S3 cannot be renamed"));
            }
            Found::File(_) => {}
        }
        match self.find(&to_bucket, &to).await? {
            Found::Folder => return Err(StatusCode::Failure.with_message("there is a folder of that name")),
            Found::File(_) if !replace => return Err(StatusCode::Failure.with_message("the file exists")),
            Found::File(_) | Found::Nothing => {}
        }
        if (&from_bucket, &from) == (&to_bucket, &to) {
            return Ok(());
        }
        self.storage.copy((&from_bucket, &from), (&to_bucket, &to)).await.map_err(broken)?;
        self.storage.delete(&from_bucket, &from).await.map_err(broken)
    }

    fn set_attributes(&self, id: u32) -> Result<Status, StatusReply> {
        if self.quiet_setstat {
            return Ok(ok(id));
        }
        Err(StatusCode::OpUnsupported.with_message("S3 keeps no attributes; see the server's SetStatOption"))
    }
}

fn ok(id: u32) -> Status {
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
fn broken(error: StorageError) -> StatusReply {
    tracing::warn!(%error, "storage");
    StatusCode::Failure.with_message("storage failed")
}

fn not_written(error: WriteError) -> StatusReply {
    match error {
        WriteError::NotInOrder => StatusCode::OpUnsupported.with_message(error.to_string()),
        WriteError::Storage(error) => broken(error),
        WriteError::Failed => StatusCode::Failure.with_message(error.to_string()),
    }
}

fn folder_attributes() -> FileAttributes {
    let permissions = Some(FileMode::DIR.bits() | 0o755);
    FileAttributes { size: Some(0), permissions, atime: Some(0), mtime: Some(0), ..FileAttributes::empty() }
}

fn file_attributes(size: u64, modified: i64) -> FileAttributes {
    let time = u32::try_from(modified).ok();
    let permissions = Some(FileMode::REG.bits() | 0o644);
    FileAttributes { size: Some(size), permissions, atime: time, mtime: time, ..FileAttributes::empty() }
}

impl Handler for Session {
    type Error = StatusReply;

    fn unimplemented(&self) -> Self::Error {
        StatusCode::OpUnsupported.into()
    }

    async fn init(&mut self, _version: u32, _extensions: HashMap<String, String>) -> Result<Version, StatusReply> {
        let mut version = Version::new();
        for (name, number) in [("limits@openssh.com", "1"), ("posix-rename@openssh.com", "1")] {
            version.extensions.insert(name.to_owned(), number.to_owned());
        }
        Ok(version)
    }

    async fn open(
        &mut self,
        id: u32,
        filename: String,
        flags: OpenFlags,
        _attributes: FileAttributes,
    ) -> Result<Handle, StatusReply> {
        if flags.intersects(OpenFlags::WRITE | OpenFlags::APPEND) {
            return self.open_write(id, &filename, flags).await;
        }
        let (bucket, key) = self.key(&filename)?;
        match self.find(&bucket, &key).await? {
            Found::File(facts) => {
                let reader = Reader::new(Arc::clone(&self.storage), &bucket, &key, facts.size);
                self.keep(id, Open::Read(reader))
            }
            Found::Folder => Err(StatusCode::Failure.with_message("that is a folder")),
            Found::Nothing => Err(StatusCode::NoSuchFile.into()),
        }
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, StatusReply> {
        match self.handles.remove(&handle) {
            None => Err(StatusCode::Failure.with_message("no such handle")),
            Some(Open::Write { writer, over: Some(over), .. }) if writer.untouched() && over.cut != Some(0) => {
                Ok(ok(id))
            }
            Some(Open::Write { writer, over: Some(over), .. }) if !over.is_replaced(writer.written()) => {
                // The dropped writer aborts the upload.
                Err(StatusCode::OpUnsupported.with_message("a part of an object in S3 cannot be changed"))
            }
            Some(Open::Write { writer, path, .. }) => {
                let bytes = writer.written();
                writer.finish().await.map_err(not_written)?;
                tracing::info!(path, bytes, "uploaded");
                Ok(ok(id))
            }
            Some(_) => Ok(ok(id)),
        }
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, len: u32) -> Result<Data, StatusReply> {
        let Some(Open::Read(reader)) = self.handles.get_mut(&handle) else {
            return Err(StatusCode::Failure.with_message("no handle to read from"));
        };
        let len = len.min(u32::try_from(MAX_DATA).unwrap_or(u32::MAX));
        let data = reader.read(offset, len).await.map_err(broken)?;
        if data.is_empty() && len > 0 {
            return Err(StatusCode::Eof.into());
        }
        Ok(Data { id, data: data.into() })
    }

    async fn write(&mut self, id: u32, handle: String, offset: u64, data: Vec<u8>) -> Result<Status, StatusReply> {
        let Some(Open::Write { writer, .. }) = self.handles.get_mut(&handle) else {
            return Err(StatusCode::Failure.with_message("no handle to write to"));
        };
        writer.write(offset, data).await.map_err(not_written)?;
        Ok(ok(id))
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs, StatusReply> {
        self.stat(id, path).await
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs, StatusReply> {
        Ok(Attrs { id, attrs: self.attributes(&path).await? })
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, StatusReply> {
        let attrs = match self.handles.get(&handle) {
            Some(Open::Read(reader)) => file_attributes(reader.size(), 0),
            Some(Open::Write { writer, .. }) => file_attributes(writer.written(), 0),
            Some(Open::Folder(_)) => folder_attributes(),
            None => return Err(StatusCode::Failure.with_message("no such handle")),
        };
        Ok(Attrs { id, attrs })
    }

    async fn setstat(&mut self, id: u32, path: String, _attributes: FileAttributes) -> Result<Status, StatusReply> {
        self.path(&path)?;
        self.set_attributes(id)
    }

    async fn fsetstat(&mut self, id: u32, handle: String, attributes: FileAttributes) -> Result<Status, StatusReply> {
        if let (Some(Open::Write { over: Some(over), .. }), Some(size)) =
            (self.handles.get_mut(&handle), attributes.size)
        {
            over.cut = Some(size);
        }
        self.set_attributes(id)
    }

    async fn opendir(&mut self, id: u32, path: String) -> Result<Handle, StatusReply> {
        let names = |names: Vec<String>| names.into_iter().map(|name| File::new(name, folder_attributes())).collect();
        let folder = match paths::place(&self.view, &self.path(&path)?) {
            Place::Nowhere => return Err(StatusCode::NoSuchFile.into()),
            Place::Virtual(entries) => {
                Folder { bucket: String::new(), prefix: String::new(), ready: names(entries), next: Some(None) }
            }
            Place::Buckets => {
                self.may_list_buckets().await?;
                // Not reached by customers: sftpctl's roles do not allow listing buckets.
                return Err(StatusCode::OpUnsupported.with_message("the local cloud does not list buckets over SFTP"));
            }
            Place::Key { bucket, key } => match self.find(&bucket, &key).await? {
                Found::Nothing => return Err(StatusCode::NoSuchFile.into()),
                Found::File(_) => return Err(StatusCode::Failure.with_message("that is a file")),
                Found::Folder => {
                    let prefix = if key.is_empty() { String::new() } else { format!("{key}/") };
                    Folder { bucket, prefix, ready: Vec::new(), next: None }
                }
            },
        };
        self.keep(id, Open::Folder(folder))
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name, StatusReply> {
        let Some(Open::Folder(folder)) = self.handles.get_mut(&handle) else {
            return Err(StatusCode::Failure.with_message("no handle of a folder"));
        };
        while folder.ready.is_empty() && folder.next != Some(None) {
            let from = folder.next.clone().flatten();
            let page =
                self.storage.page(&folder.bucket, &folder.prefix, PAGE, from.as_deref()).await.map_err(broken)?;
            let short =
                |key: &str| key.strip_prefix(folder.prefix.as_str()).unwrap_or(key).trim_end_matches('/').to_owned();
            folder.ready.extend(page.folders.iter().map(|prefix| File::new(short(prefix), folder_attributes())));
            // The folder's own marker is an object with the folder's name.
            let objects = page.objects.iter().filter(|object| object.key != folder.prefix);
            folder.ready.extend(
                objects.map(|object| File::new(short(&object.key), file_attributes(object.size, object.modified))),
            );
            folder.next = Some(page.next);
        }
        if folder.ready.is_empty() {
            return Err(StatusCode::Eof.into());
        }
        let rest = folder.ready.split_off(folder.ready.len().min(NAMES));
        Ok(Name { id, files: std::mem::replace(&mut folder.ready, rest) })
    }

    async fn remove(&mut self, id: u32, filename: String) -> Result<Status, StatusReply> {
        let (bucket, key) = self.key(&filename)?;
        self.may("s3:DeleteObject", &bucket, &key).await?;
        match self.find(&bucket, &key).await? {
            Found::Nothing => return Err(StatusCode::NoSuchFile.into()),
            Found::Folder => return Err(StatusCode::Failure.with_message("that is a folder")),
            Found::File(_) => self.storage.delete(&bucket, &key).await.map_err(broken)?,
        }
        Ok(ok(id))
    }

    async fn mkdir(&mut self, id: u32, path: String, _attributes: FileAttributes) -> Result<Status, StatusReply> {
        let (bucket, key) = self.key(&path)?;
        let marker = format!("{key}/");
        self.may("s3:PutObject", &bucket, &marker).await?;
        match self.find(&bucket, &key).await? {
            Found::Nothing => {}
            Found::File(_) | Found::Folder => return Err(StatusCode::Failure.with_message("the name is taken")),
        }
        self.storage.create(&bucket, &marker).finish(bytes::Bytes::new()).await.map_err(broken)?;
        Ok(ok(id))
    }

    async fn rmdir(&mut self, id: u32, path: String) -> Result<Status, StatusReply> {
        let (bucket, key) = self.key(&path)?;
        let marker = format!("{key}/");
        self.may("s3:DeleteObject", &bucket, &marker).await?;
        self.may_list(&bucket, &marker).await?;
        let page = self.storage.page(&bucket, &marker, 2, None).await.map_err(broken)?;
        let others = page.objects.iter().filter(|object| object.key != marker).count() + page.folders.len();
        if others > 0 {
            return Err(StatusCode::Failure.with_message("the folder is not empty"));
        }
        if page.objects.is_empty() {
            return Err(StatusCode::NoSuchFile.into());
        }
        self.storage.delete(&bucket, &marker).await.map_err(broken)?;
        Ok(ok(id))
    }

    async fn realpath(&mut self, id: u32, path: String) -> Result<Name, StatusReply> {
        let path = self.path(&path)?;
        Ok(Name { id, files: vec![File::new(path, FileAttributes::empty())] })
    }

    async fn rename(&mut self, id: u32, old: String, new: String) -> Result<Status, StatusReply> {
        self.move_file(&old, &new, false).await?;
        Ok(ok(id))
    }

    async fn extended(&mut self, id: u32, request: String, data: Vec<u8>) -> Result<Packet, StatusReply> {
        match request.as_str() {
            "limits@openssh.com" => {
                let limits = [u64::from(super::guard::MAX_PACKET), MAX_DATA, MAX_DATA, MAX_HANDLES as u64];
                let data = limits.iter().flat_map(|limit| limit.to_be_bytes()).collect();
                Ok(Packet::ExtendedReply(russh_sftp::protocol::ExtendedReply { id, data }))
            }
            "posix-rename@openssh.com" => {
                let mut rest = data.as_slice();
                let names = text(&mut rest).zip(text(&mut rest));
                let (old, new) = names.ok_or(StatusReply::new(StatusCode::BadMessage))?;
                self.move_file(&old, &new, true).await?;
                Ok(Packet::Status(ok(id)))
            }
            _ => Err(self.unimplemented()),
        }
    }
}

/// Takes a length-prefixed string (RFC 4251, section 5) from the front of `rest`. Names that are not UTF-8 are refused
/// later.
fn text(rest: &mut &[u8]) -> Option<String> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (text, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *rest = after;
    Some(String::from_utf8_lossy(text).into_owned())
}
