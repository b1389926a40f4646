//! The state: what sftpctl remembers of an environment between runs. It has the identities of resources, the last run,
//! the journal of the current run, and the lock. State is a help, never the truth: everything in it can be found in AWS
//! again by name and tag.

pub mod accounts;
pub mod aliases;
pub mod blob;
pub mod bucket;
#[cfg(test)]
mod compatibility;
mod conditions;
mod document;
pub mod error;
mod exclusive_doc;
pub mod expiry;
pub mod failure;
mod file;
pub mod folder;
pub mod journal;
pub mod lease;
mod lease_guard;
mod lease_keeper;
pub mod machine;
pub mod model;
mod process;
pub mod relocate;
pub mod same_place;
pub mod store;
mod write_stats;
pub mod writer;
