//! Whose a file, or the other end of a connection, of this machine is.

pub mod connection;
pub mod owner;
#[cfg(target_os = "linux")]
mod sock_diag;
mod socket_tables;
