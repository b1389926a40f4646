//! What an environment is, as data: its file, the names and properties of its resources, the template of its stacks, the plan of
//! a run and the events of one.
//!
//! Pure: no AWS, no runtime, no clock, no randomness. Cargo keeps most of that (this crate depends on no SDK and no
//! runtime), `clippy.toml` the rest.

pub mod events;
pub mod hex;
pub mod kind;
pub mod model;
pub mod node;
pub mod permissions;
pub mod plan;
pub mod spec;
pub mod template;
pub mod user_policies;
