//! Brings files back: a version becomes the current one again. The versions in between are kept, so that a restoration
//! can be undone by another one.

pub mod plan;
pub mod run;
