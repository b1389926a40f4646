//! Reads the accounts of other systems. A [`Source`](source::Source) yields records of named columns, one file per kind
//! of source; a [`Mapping`](mapping::Mapping) says which column is which attribute of an account, and
//! [`mapped`] applies it.

pub mod mapped;
pub mod mapping;
pub mod mysql;
pub mod source;
