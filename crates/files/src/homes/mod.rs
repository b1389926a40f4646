//! Customers' home directories on the old server, and the folders in S3 that they become.
//!
//! Pure: [`name`] (bytes of a name to a key), [`entry`] (what is in a home), [`concern`] and [`plan`] (what happens to
//! it), [`totals`] (what there is), [`metadata`] of objects, [`record`] (the lines of a manifest). The
//! rest reads disks, writes the manifest, and calls S3.

pub mod concern;
pub mod copy;
pub mod entry;
pub mod inventory;
pub mod journal;
pub mod metadata;
pub mod name;
pub mod objects;
pub mod opened;
pub mod pace;
pub mod plan;
pub mod put_back;
pub mod quota;
pub mod record;
pub mod returned;
mod seen;
pub mod sftp;
pub mod source;
pub mod sshd;
pub mod swap;
pub mod totals;
mod upload;
pub mod verify;
pub mod walk;
pub mod watch;
