//! Who may log in, and into which folder. Pure: no AWS, clock, file system or randomness.
//!
//! [`config`] is what the Lambda is told when it starts, [`question`] what API Gateway's mapping template asks,
//! [`account`] an item of the table, [`decision`] the table of cases between them, [`answer`] what goes back and what is
//! logged. The Lambda around it is `src/bin/sftp-authorizer`; `sftpctl users` writes the same accounts.
//! Both read items with `dynamodb`, a feature, since it needs the types of an SDK.

pub mod account;
pub mod answer;
pub mod config;
pub mod decision;
#[cfg(feature = "dynamodb")]
pub mod dynamodb;
pub mod home;
pub mod password;
pub mod question;

pub use account::{Account, Attribute, Item};
pub use config::Config;
pub use decision::{Grant, Refusal, judge, screen};
pub use question::Question;
