//! The past of a bucket as a git repository.
//!
//! Pure: [`timeline`], [`sessions`], [`paths`] and [`commit`]: versions → changes in the order of time → sessions →
//! commits. [`repository`], [`state`] and [`run`] are about git, S3 and files.
//!
//! A commit depends on the versions alone, and so does its place among the others; so a run that was killed is resumed
//! by counting the commits that are there, and a history that is exported in many runs has the commits of one that is
//! exported in one.

mod commit;
mod folders;
mod paths;
pub mod repository;
pub mod run;
mod sessions;
mod state;
mod timeline;

#[cfg(test)]
pub(crate) use timeline::tests;
