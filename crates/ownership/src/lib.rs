//! Whose a file, or the other end of a connection, of this machine is.

pub mod owner;
pub mod socket_tables;
