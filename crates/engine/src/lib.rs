//! Deploys, checks and removes an environment.
//!
//! ```text
//! spec ─> desired ─┐
//! observe (AWS) ───┼─> plan ─> execute ─> AWS
//! state (last run) ┘             └─ events
//! ```
//!
//! It does not print, prompt or exit: it reports events and returns typed errors.

pub mod aliases;
pub mod clock;
pub mod desired;
pub mod doctor;
pub mod drift;
pub mod execute;
pub mod host_keys;
pub mod limited;
pub mod notify;
pub mod observe;
pub mod package;
pub mod resources;
pub mod run;
pub mod seed;
pub mod state;
pub mod usage;
pub mod verify;
mod wait;
