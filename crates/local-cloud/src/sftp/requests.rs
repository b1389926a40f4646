//! The requests of the SFTP protocol, each an operation of a [`Session`].

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use russh_sftp::protocol::{
    Attrs, Data, File, FileAttributes, Handle, Name, OpenFlags, Packet, Status, StatusCode, Version,
};
use russh_sftp::server::{Handler, StatusReply};

use super::budget::MAX_HANDLES;
use super::listing::{Listing, entry, file_attributes, folder_attributes, is_entry_name};
use super::paths::{self, Place};
use super::reader::Reader;
use super::session::{Closing, Folder, Found, Open, Session, broken, fits, not_written, ok};
use super::storage::StorageError;
use super::told::Object;

/// Names per answer to READDIR, as in OpenSSH's server.
const NAMES: usize = 100;
/// Objects in one page of a listing.
const PAGE: i32 = 1000;
/// Bytes of memory that the names of a page take at most: each key twice.
const PAGE_BYTES: usize = 4 << 20;
/// Objects in a page where the connection holds too much already.
const SMALL_PAGE: i32 = 100;
/// Maximum length of a read or write, as in OpenSSH.
const MAX_DATA: u64 = 261_120;

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
        let opened = if direction(flags)? == Direction::Write {
            self.open_write(id, &filename, flags).await
        } else {
            self.open_read(id, &filename).await
        };
        self.told("OPEN", &filename, opened)
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, StatusReply> {
        let file = match self.handles.remove(&handle).map(|held| held.open) {
            None => return Err(StatusCode::Failure.with_message("no such handle")),
            Some(Open::Read(reader)) => {
                reader.tell(self.teller.as_ref(), true);
                return Ok(ok(id));
            }
            Some(Open::Folder(_)) => return Ok(ok(id)),
            Some(Open::Write(file)) => file,
        };
        match file.closing() {
            Closing::Keep => Ok(ok(id)),
            // The dropped writer aborts the upload.
            Closing::Refuse => {
                Err(StatusCode::OpUnsupported.with_message("a part of an object in S3 cannot be changed"))
            }
            Closing::Replace => {
                let (path, bytes) = (file.path.clone(), file.writer.written());
                file.finish(self.teller.as_ref()).await.map_err(not_written)?;
                tracing::info!(path, bytes, "uploaded");
                Ok(ok(id))
            }
        }
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, len: u32) -> Result<Data, StatusReply> {
        let Some(Open::Read(reader)) = self.handle(&handle) else {
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
        let _write = self.intake.write();
        let Some(Open::Write(file)) = self.handle(&handle) else {
            return Err(StatusCode::Failure.with_message("no handle to write to"));
        };
        file.writer.write(offset, data).await.map_err(not_written)?;
        Ok(ok(id))
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs, StatusReply> {
        self.stat(id, path).await
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs, StatusReply> {
        Ok(Attrs { id, attrs: self.attributes(&path).await? })
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, StatusReply> {
        let attrs = match self.handle(&handle) {
            Some(Open::Read(reader)) => file_attributes(reader.facts().size, reader.facts().modified),
            Some(Open::Write(file)) => file.attributes(),
            Some(Open::Folder(_)) => folder_attributes(None),
            None => return Err(StatusCode::Failure.with_message("no such handle")),
        };
        Ok(Attrs { id, attrs })
    }

    async fn setstat(&mut self, id: u32, path: String, attributes: FileAttributes) -> Result<Status, StatusReply> {
        self.path(&path)?;
        if let (Some(teller), Ok((bucket, key))) = (&self.teller, self.key(&path)) {
            teller.attributes_set(&Object { bucket, key }.path());
        }
        if let Some(length) = attributes.size {
            self.may_have_length(&path, length).await?;
        }
        self.set_attributes(id)
    }

    async fn fsetstat(&mut self, id: u32, handle: String, attributes: FileAttributes) -> Result<Status, StatusReply> {
        match (self.handle(&handle), attributes.size) {
            (None, _) => return Err(StatusCode::Failure.with_message("no such handle")),
            (Some(Open::Write(file)), Some(length)) => file.set_length(length)?,
            (Some(_), Some(_)) => return Err(StatusCode::PermissionDenied.with_message("not open for writing")),
            (Some(_), None) => {}
        }
        self.set_attributes(id)
    }

    async fn opendir(&mut self, id: u32, path: String) -> Result<Handle, StatusReply> {
        let now = Timestamp::now().as_second();
        let names = |names: Vec<String>| {
            let names = names.into_iter().filter(|name| is_entry_name(name));
            names.map(|name| entry(name, folder_attributes(None), now)).collect()
        };
        let folder = match paths::place(&self.view, &self.path(&path)?) {
            Place::Nowhere => return Err(StatusCode::NoSuchFile.into()),
            Place::Virtual(entries) => {
                let listing = Listing::new(String::new());
                Folder { bucket: String::new(), listing, ready: names(entries), next: Some(None), share: None }
            }
            Place::Buckets => {
                self.may_list_buckets().await?;
                // Not reached by customers: sftpctl's roles do not allow listing buckets.
                return Err(StatusCode::OpUnsupported.with_message("the local cloud does not list buckets over SFTP"));
            }
            Place::Key { bucket, key } => match self.look(&bucket, &key).await? {
                Found::Nothing => return Err(StatusCode::NoSuchFile.into()),
                Found::File(_) => return Err(StatusCode::Failure.with_message("that is a file")),
                Found::Folder(_) => {
                    let prefix = if key.is_empty() { String::new() } else { format!("{key}/") };
                    Folder { bucket, listing: Listing::new(prefix), ready: VecDeque::new(), next: None, share: None }
                }
            },
        };
        self.keep(id, Open::Folder(folder))
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name, StatusReply> {
        let (storage, budget) = (Arc::clone(&self.storage), self.budget.clone());
        let Some(Open::Folder(folder)) = self.handle(&handle) else {
            return Err(StatusCode::Failure.with_message("no handle of a folder"));
        };
        while folder.ready.is_empty() && folder.next != Some(None) {
            folder.share = folder.share.take().or_else(|| budget.to_read(PAGE_BYTES));
            let size = if folder.share.is_some() { PAGE } else { SMALL_PAGE };
            let from = folder.next.clone().flatten();
            let page = storage.page(&folder.bucket, folder.listing.prefix(), size, from.as_deref()).await;
            let page = page.map_err(broken)?;
            folder.ready.extend(folder.listing.entries(&page, Timestamp::now().as_second()));
            let hidden = folder.listing.hidden();
            if page.next.is_none() && hidden > 0 {
                let (bucket, prefix) = (&folder.bucket, folder.listing.prefix());
                tracing::info!(bucket, prefix, hidden, "keys that are not file names were left out of a listing");
            }
            folder.next = Some(page.next);
        }
        if folder.ready.is_empty() {
            return Err(StatusCode::Eof.into());
        }
        let files = folder.ready.drain(..folder.ready.len().min(NAMES)).collect();
        if folder.ready.is_empty() {
            folder.share = None;
        }
        Ok(Name { id, files })
    }

    async fn remove(&mut self, id: u32, filename: String) -> Result<Status, StatusReply> {
        let removed = self.remove_file(id, &filename).await;
        self.told("DELETE", &filename, removed)
    }

    async fn mkdir(&mut self, id: u32, path: String, _attributes: FileAttributes) -> Result<Status, StatusReply> {
        let made = self.make_folder(id, &path).await;
        self.told("MKDIR", &path, made)
    }

    async fn rmdir(&mut self, id: u32, path: String) -> Result<Status, StatusReply> {
        let removed = self.remove_folder(id, &path).await;
        self.told("RMDIR", &path, removed)
    }

    async fn realpath(&mut self, id: u32, path: String) -> Result<Name, StatusReply> {
        let path = self.path(&path)?;
        Ok(Name { id, files: vec![File::new(path, FileAttributes::empty())] })
    }

    async fn rename(&mut self, id: u32, old: String, new: String) -> Result<Status, StatusReply> {
        let moved = self.move_file(&old, &new, false).await;
        self.told("RENAME", &old, moved).map(|()| ok(id))
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
                let moved = self.move_file(&old, &new, true).await;
                self.told("RENAME", &old, moved).map(|()| Packet::Status(ok(id)))
            }
            _ => Err(self.unimplemented()),
        }
    }
}

impl Session {
    /// Logs the operation if it was refused or has failed, but not that a file is missing, which clients try.
    fn told<T>(&self, operation: &str, path: &str, result: Result<T, StatusReply>) -> Result<T, StatusReply> {
        if let (Some(teller), Err(reply)) = (&self.teller, &result)
            && reply.status_code != StatusCode::NoSuchFile
        {
            let path = self.key(path).map_or_else(|_| path.to_owned(), |(bucket, key)| Object { bucket, key }.path());
            let why = reply.error_message.clone().unwrap_or_else(|| reply.status_code.to_string());
            teller.failed(operation, &path, &why);
        }
        result
    }

    async fn open_read(&mut self, id: u32, filename: &str) -> Result<Handle, StatusReply> {
        let (bucket, key) = self.key(filename)?;
        match self.find(&bucket, &key).await? {
            Found::File(facts) => {
                let reader = Reader::new(Arc::clone(&self.storage), &bucket, facts, &self.budget);
                let handle = self.keep(id, Open::Read(reader))?;
                if let Some(teller) = &self.teller {
                    teller.opened(&Object { bucket, key }, "READ");
                }
                Ok(handle)
            }
            Found::Folder(_) => Err(StatusCode::Failure.with_message("that is a folder")),
            Found::Nothing => Err(StatusCode::NoSuchFile.into()),
        }
    }

    async fn remove_file(&mut self, id: u32, filename: &str) -> Result<Status, StatusReply> {
        let (bucket, key) = self.key(filename)?;
        self.may("s3:DeleteObject", &bucket, &key).await?;
        match self.find(&bucket, &key).await? {
            Found::Nothing => return Err(StatusCode::NoSuchFile.into()),
            Found::Folder(_) => return Err(StatusCode::Failure.with_message("that is a folder")),
            Found::File(_) => self.delete(&bucket, &key).await?,
        }
        if let Some(teller) = &self.teller {
            teller.deleted(&Object { bucket, key });
        }
        Ok(ok(id))
    }

    async fn make_folder(&mut self, id: u32, path: &str) -> Result<Status, StatusReply> {
        let (bucket, key) = self.key(path)?;
        let marker = format!("{key}/");
        fits(&marker)?;
        self.may("s3:PutObject", &bucket, &marker).await?;
        match self.find(&bucket, &key).await? {
            Found::Nothing => {}
            Found::File(_) | Found::Folder(_) => return Err(StatusCode::Failure.with_message("the name is taken")),
        }
        match self.storage.create(&bucket, &marker, true).finish(bytes::Bytes::new()).await {
            Err(StorageError::Exists) => Err(StatusCode::Failure.with_message("the name is taken")),
            Err(error) => Err(broken(error)),
            Ok(_) => {
                if let Some(teller) = &self.teller {
                    teller.folder_created(&Object { bucket, key: marker });
                }
                Ok(ok(id))
            }
        }
    }

    async fn remove_folder(&mut self, id: u32, path: &str) -> Result<Status, StatusReply> {
        let (bucket, key) = self.key(path)?;
        let marker = format!("{key}/");
        self.may("s3:DeleteObject", &bucket, &marker).await?;
        self.may_list(&bucket, &marker).await?;
        let page = self.storage.page(&bucket, &marker, 2, None).await.map_err(broken)?;
        let others = page.objects.iter().filter(|object| object.key != marker).count() + page.folders.len();
        if others > 0 {
            return Err(StatusCode::Failure.with_message("the folder is not empty"));
        }
        if page.objects.is_empty() {
            if !self.emptied.take(&bucket, &key) {
                return Err(StatusCode::NoSuchFile.into());
            }
            // It may have been the last thing in its own folder.
            self.emptied.deleted(&bucket, &key);
            return Ok(ok(id));
        }
        self.delete(&bucket, &marker).await?;
        if let Some(teller) = &self.teller {
            teller.folder_deleted(&Object { bucket, key: marker });
        }
        Ok(ok(id))
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

#[derive(Debug, PartialEq, Eq)]
enum Direction {
    Read,
    Write,
}

/// Whether a file is opened for reading or for writing. Transfer refuses both at once, as in READ, WRITE, CREAT, TRUNC
/// (rclone issue 3776, SSH.NET issue 1215), and APPEND. No flag at all opens nothing.
fn direction(flags: OpenFlags) -> Result<Direction, StatusReply> {
    let unsupported = |why: &str| Err(StatusCode::OpUnsupported.with_message(why));
    if flags.contains(OpenFlags::APPEND) {
        return unsupported("objects in S3 cannot be appended to");
    }
    match (flags.contains(OpenFlags::READ), flags.contains(OpenFlags::WRITE)) {
        (true, true) => unsupported("a file cannot be opened for reading and writing at once"),
        (false, false) => unsupported("a file is opened for reading or for writing"),
        (true, false) if flags.bits() != OpenFlags::READ.bits() => {
            unsupported("a file opened for reading is not created")
        }
        (true, false) => Ok(Direction::Read),
        (false, true) => Ok(Direction::Write),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_opened_for_reading_or_for_writing() {
        const READ: OpenFlags = OpenFlags::READ;
        const WRITE: OpenFlags = OpenFlags::WRITE;
        const CREATE: OpenFlags = OpenFlags::CREATE;
        const TRUNCATE: OpenFlags = OpenFlags::TRUNCATE;
        assert_eq!(direction(READ).unwrap(), Direction::Read);
        for flags in [WRITE, WRITE | CREATE, WRITE | CREATE | TRUNCATE, WRITE | CREATE | OpenFlags::EXCLUDE] {
            assert_eq!(direction(flags).unwrap(), Direction::Write, "{flags:?}");
        }
        for flags in [
            OpenFlags::empty(),
            CREATE | TRUNCATE,
            READ | WRITE,
            READ | WRITE | CREATE | TRUNCATE,
            READ | WRITE | CREATE | OpenFlags::EXCLUDE,
            READ | CREATE,
            OpenFlags::APPEND,
            WRITE | OpenFlags::APPEND,
        ] {
            assert_eq!(direction(flags).unwrap_err().status_code, StatusCode::OpUnsupported, "{flags:?}");
        }
    }
}
