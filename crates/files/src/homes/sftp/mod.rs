//! Homes on another machine, over SFTP by the system's `ssh`: keys, agents, known hosts, jumps and `ssh_config` are those
//! of the user, and this program has no cryptography of SSH.
//!
//! SFTP version 3 opens paths and not descriptors, and knows neither inodes nor times of change nor names of a file:
//! [`remote`] says what follows from that.

mod client;
mod packet;
pub mod remote;
pub mod ssh;
mod transfer;
pub mod words;
