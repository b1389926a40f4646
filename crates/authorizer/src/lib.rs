//! Decides which customers may log in, and into which folder. Pure: no AWS, clock, file system or randomness.
//!
//! [`config`] holds the Lambda's settings, [`question`] the request from API Gateway's mapping template, [`account`] an
//! item of the account table. [`decision`] decides, and [`answer`] writes the response and the log line. [`guard`] bans
//! addresses that try passwords. The Lambda is `src/bin/sftp-authorizer`; `sftpctl users` writes the same accounts.
//! Both convert items with `dynamodb`, which is behind a feature because it needs the SDK's types.

pub mod account;
pub mod answer;
pub mod config;
mod curve;
pub mod decision;
#[cfg(feature = "dynamodb")]
pub mod dynamodb;
pub mod expiry;
pub mod guard;
pub mod home;
pub mod password;
pub mod public_key;
pub mod question;
pub mod usernames;

use std::time::Duration;

pub use account::{Account, Attribute, Item};
pub use config::Config;
pub use decision::{Circumstances, Grant, Refusal, judge, screen};
pub use question::Question;
pub use usernames::Usernames;

/// A refusal of a password is answered at a multiple of this. Longer than a look-up and the usual hash take, also on
/// the seventh of a vCPU that a function of 256 MB has. The default, 512 MB, leaves room for a vCPU that is half as
/// fast as the one it was measured on.
pub const QUANTUM: Duration = Duration::from_millis(500);
