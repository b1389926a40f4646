//! What is read from this machine and done to it: processes, mounts, FUSE connections, units.

pub mod cache;
pub mod heal;
pub mod install;
mod keys;
pub mod lock;
pub mod look;
pub mod probe;
pub mod processes;
pub mod programs;
