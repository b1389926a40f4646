//! The SFTP endpoints: every Transfer server that is ONLINE has a port of 127.0.0.1 that speaks SSH.
//!
//! [`endpoints`] opens and closes the ports, [`connection`] is one client's SSH connection (log-in and channels), and
//! [`session`] with its [`requests`] is the SFTP protocol on a channel. A session uses [`paths`] to resolve a path to an object, [`rights`]
//! to authorize the operation, and [`reader`] and [`writer`] to stream from and to [`storage`], which is S3 in every
//! region ([`buckets`]), within the connection's [`budget`]. An upload collects its bytes in a [`part`], and [`intake`]
//! stops the client while it cannot be sent.

mod abortable_stream;
mod ahead;
mod algorithms;
mod backlog;
mod buckets;
mod budget;
mod clock;
mod connection;
mod conversation;
mod emptied;
mod endpoints;
mod guard;
mod hello;
mod intake;
mod listing;
mod part;
mod paths;
mod places;
mod reader;
mod requests;
mod rights;
mod session;
pub(crate) mod storage;
mod told;
mod user_key;
mod waiting;
mod writer;

pub(crate) use endpoints::Endpoints;
