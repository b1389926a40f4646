//! The history of customers' files, from the versions that S3 keeps: lists, single versions, restoration, and a git
//! repository.
//!
//! Pure: [`selection`], [`restore::plan`], and of [`export`] all but the run itself, the repository and its state.

pub mod export;
pub mod listing;
pub mod restore;
pub mod selection;
pub mod show;
pub mod source;
