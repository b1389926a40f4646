//! Measurements of an SFTP server, a bucket or a folder: speed by size and by threads, log-ins a second, and what fails
//! or hangs on the way.
//!
//! Pure: the [`plan`], the [`content`] of files, [`stats`], the lines of results ([`record`]), and what they say
//! ([`summary`], [`compare`]). Nothing but a [`worker`] touches a target: it is a process of its own, which may hang
//! for ever, and [`supervisor`] ends or abandons it at its deadline. [`runner`] works a plan off, and [`hosts`] has
//! other machines do so.

pub mod alone;
pub mod compare;
pub mod content;
pub mod host;
pub mod hosts;
mod memory;
pub mod plan;
pub mod record;
pub mod runner;
pub mod size;
pub mod stats;
pub mod stream;
pub mod summary;
pub mod supervisor;
pub mod target;
pub mod versions;
pub mod wire;
pub mod worker;
