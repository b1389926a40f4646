//! What customers do, by the logs of all regions: the servers' structured logs, and those of the authorizers, which have the
//! reason of a refusal. [`line`](mod@line) understands a line (pure), [`feed`] reads a group page by page, [`read`] merges
//! all of them by time, [`sessions`] knows whose session a line is of, [`latest`] finds the last line of a kind, [`authors`]
//! whose the versions in S3 are, and [`clients`](mod@clients) counts the programs that customers connect with.

pub mod authors;
pub mod clients;
pub mod feed;
pub mod latest;
pub mod line;
pub mod pattern;
pub mod reach;
pub mod read;
mod sessions;
