//! Reads the accounts of other systems. A [`Source`](source::Source) yields records of named columns, one file per kind
//! of source; a [`Mapping`](mapping::Mapping) says which column is which attribute of an account, and
//! [`mapped`] applies it. A mapping is written by hand ([`mapping_file`]), with [`inspect`] to begin with.

pub mod ahead;
mod crypt;
pub mod csv;
mod days;
pub mod encoding;
mod faults;
mod hashes;
mod header;
mod input;
pub mod inspect;
pub mod json;
mod lines;
pub mod mapped;
pub mod mapping;
pub mod mapping_file;
pub mod mysql;
mod notes;
pub mod options;
mod passwd;
pub mod proftpd;
pub mod sftpgo;
pub mod source;
pub mod source_name;
pub mod unix;
mod utf16;
mod values;
