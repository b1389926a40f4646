//! Reads the accounts of other systems. A [`Source`](source::Source) yields records of named columns, one file per kind
//! of source; a [`Mapping`](mapping::Mapping) says which column is which attribute of an account, and
//! [`mapped`] applies it.

mod crypt;
mod days;
mod lines;
pub mod mapped;
pub mod mapping;
mod notes;
mod passwd;
pub mod proftpd;
pub mod sftpgo;
pub mod source;
pub mod unix;
