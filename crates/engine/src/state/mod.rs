//! What is remembered of an environment between runs: identities, the last run, the journal of the current one, and the
//! lock. A help, never the truth: everything in it is found in AWS again by name and tag.

pub mod blob;
pub mod bucket;
mod document;
pub mod error;
pub mod folder;
mod grip;
pub mod journal;
pub mod lease;
pub mod machine;
mod meter;
pub mod model;
pub mod moving;
mod owned;
mod process;
pub mod store;
pub mod writer;
