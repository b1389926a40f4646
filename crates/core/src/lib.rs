//! An environment as data: its file, the names and properties of its resources, the template of its stacks, and the
//! plan and events of a run.
//!
//! Pure: no AWS, no runtime, no clock, no randomness. Cargo.toml enforces most of that (this crate depends on no SDK
//! and no runtime), `clippy.toml` the rest.

pub mod aliases;
pub mod check;
pub mod clients;
pub mod cost;
pub mod dashboard;
pub mod events;
pub mod freeze;
pub mod hex;
pub mod kind;
pub mod model;
pub mod node;
pub mod notification;
pub mod openssh;
pub mod outage;
pub mod permissions;
pub mod plan;
pub mod policy;
pub mod search_path;
pub mod secret;
pub mod shell_word;
pub mod shown;
pub mod span;
pub mod spec;
pub mod template;
pub mod text;
pub mod topic_policy;
pub mod user_policies;
pub mod yaml;
