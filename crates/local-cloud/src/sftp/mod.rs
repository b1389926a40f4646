//! The SFTP endpoints: behind every Transfer server that is ONLINE a port of 127.0.0.1 speaks SSH.
//!
//! [`endpoints`] keeps ports and servers together, [`connection`] is one client's SSH connection (log-in and channels),
//! [`session`] the SFTP protocol on a channel. Below: [`paths`] says which object a path is, [`rights`] whether the
//! customer may, [`reader`] and [`writer`] stream, [`storage`] is where to: [`buckets`], S3 in every region.

mod abortable_stream;
mod algorithms;
mod buckets;
mod clock;
mod connection;
mod endpoints;
mod guard;
mod paths;
mod reader;
mod rights;
mod session;
pub(crate) mod storage;
mod writer;

pub(crate) use endpoints::Endpoints;
