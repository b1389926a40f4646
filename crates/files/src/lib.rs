//! Customers' files. A home directory becomes a folder in S3 (`homes`), agents fetch files from there (`pull`), and the
//! versions that S3 keeps are the history of a file (`history`).
//!
//! What is decided is pure and apart from what is done: names, manifests and plans know no disk and no AWS.

pub mod checksum;
pub mod history;
pub mod homes;
pub mod mounts;
mod own;
pub mod pull;
pub mod said;
