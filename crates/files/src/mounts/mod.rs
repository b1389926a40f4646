//! Upload buckets mounted on application servers (`sftpctl mounts`).
//!
//! Decisions are pure: the command line for a kind and the installed version (`launch`), the texts of units (`units`), what
//! works on which kind (`consequences`), what a mount's state is and what brings it back (`state`). What is done to this
//! machine is in `system`.

pub mod consequences;
pub mod launch;
pub mod mountinfo;
pub mod prune;
pub mod record;
pub mod state;
pub mod system;
pub mod tool;
pub mod units;
