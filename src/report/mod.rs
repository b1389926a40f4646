//! Output: the only place that prints. Events in; a live tree, plain lines or JSON lines out. Data goes to stdout,
//! progress and errors to stderr.

pub mod annotations;
pub mod connect;
pub mod drift;
mod fold;
mod lines;
mod live;
pub mod login;
pub mod markdown;
pub mod output;
pub mod plan_view;
pub mod status;
pub mod summary;
