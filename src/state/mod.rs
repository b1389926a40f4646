//! What a run remembers for the next one. A help, never the truth: everything in it is looked at again, and losing it
//! costs a few more reads.

pub mod folder;
pub mod model;
