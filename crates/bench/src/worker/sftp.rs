//! An SFTP server, by the system's `ssh` and the client for home directories.

use std::path::PathBuf;

use sftpctl_core::spec::sftp_address::SftpAddress;
use sftpctl_files::homes::sftp::ssh::{Connection, LogIn};

use super::{Fault, Outcome, Progress, Reply, Seen, Sources};
use crate::target::Access;
use crate::wire::{File, Order, Step};

pub(super) struct Server {
    address: String,
    log_in: LogIn,
    /// Without a slash at its end; relative to the folder of the log-in if the address has no path.
    folder: String,
    connection: Option<Connection>,
}

impl Server {
    pub(super) fn new(access: Access, folder: &str, askpass: PathBuf) -> Self {
        let Access::Sftp { address, identity, password, config, checks_host_key } = access else {
            unreachable!("the caller has matched it")
        };
        let path = SftpAddress::path_of(&address).map_or_else(|| folder.to_owned(), |path| format!("{path}/{folder}"));
        let password = password.map(|password| password.0);
        let log_in = LogIn { config, identity, password, askpass, any_host_key: !checks_host_key };
        Self { address, log_in, folder: path, connection: None }
    }

    fn connect(&self) -> Result<Connection, Fault> {
        let address: SftpAddress = self.address.parse().map_err(std::io::Error::other)?;
        Ok(Connection::log_in(&address, &self.log_in)?)
    }

    /// The connection, which is made anew if it was lost.
    fn connected(&mut self, at: &mut Progress<'_>) -> Result<&Connection, Fault> {
        let is_lost = self.connection.as_ref().is_none_or(|connection| connection.lost().is_some());
        if is_lost {
            at.step(Step::Connect);
            self.connection = None;
            self.connection = Some(self.connect()?);
        }
        self.connection.as_ref().ok_or_else(|| Fault::System(std::io::Error::other("there is no connection")))
    }

    fn path(&self, name: &str) -> Vec<u8> {
        format!("{}/{name}", self.folder).into_bytes()
    }

    pub(super) fn carry_out(
        &mut self,
        order: &Order,
        sources: &mut Sources,
        at: &mut Progress<'_>,
    ) -> Result<Reply, Fault> {
        match order {
            Order::Prepare => {
                let folder = self.folder.clone().into_bytes();
                let connection = self.connected(at)?;
                at.step(Step::Folder);
                match connection.make_folder(&folder) {
                    // Servers of version 3 have no number for "exists".
                    Err(error) if !connection.has_folder(&folder).unwrap_or(false) => return Err(error.into()),
                    _ => {}
                }
            }
            Order::Put(file) => self.put(file, sources, at)?,
            Order::Get(file) | Order::GetCached(file) => return self.get(file, at).map(Reply::of),
            Order::Login => {
                at.begin();
                at.step(Step::Connect);
                let connection = self.connect()?;
                at.end();
                drop(connection);
            }
            Order::Delete(name) => {
                let path = self.path(name);
                let connection = self.connected(at)?;
                at.step(Step::Delete);
                connection.remove(&path)?;
            }
            Order::Finish => {
                let folder = self.folder.clone().into_bytes();
                let connection = self.connected(at)?;
                at.step(Step::Delete);
                connection.remove_folder(&folder)?;
            }
        }
        Ok(Reply::default())
    }

    fn put(&mut self, file: &File, sources: &mut Sources, at: &mut Progress<'_>) -> Outcome {
        let (source, path) = (sources.of(file), self.path(&file.name));
        let connection = self.connected(at)?;
        at.begin();
        at.step(Step::Write);
        let at = std::cell::RefCell::new(at);
        let written = |bytes| at.borrow_mut().moved(bytes);
        connection.upload(&path, source.pieces(file.size), written, || at.borrow_mut().step(Step::Close))?;
        at.borrow_mut().end();
        Ok(())
    }

    fn get(&mut self, file: &File, at: &mut Progress<'_>) -> Result<Seen, Fault> {
        let path = self.path(&file.name);
        let connection = self.connected(at)?;
        let mut seen = Seen::default();
        at.begin();
        at.step(Step::Read);
        connection.fetch(&path, |piece| {
            seen.add(piece);
            at.moved(seen.bytes);
        })?;
        at.end();
        Ok(seen)
    }
}
