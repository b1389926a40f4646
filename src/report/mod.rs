//! Output; no other module prints. [`printer`] chooses between JSON and text; [`events`] shows the progress of a run;
//! the other modules are pure and turn data into text.

pub mod account;
pub mod aliases;
pub mod annotations;
#[cfg(target_os = "linux")]
pub mod bench;
pub mod clients;
pub mod connect;
pub mod cost;
pub mod cost_page;
pub mod doctor;
pub mod drift;
pub mod events;
pub mod export;
mod fold;
pub mod format;
pub mod graph;
pub mod guard;
pub mod harden;
pub mod hints;
pub mod history;
#[cfg(target_os = "linux")]
pub mod homes;
#[cfg(test)]
mod hostile;
pub mod import;
pub mod json;
pub mod login;
pub mod logs;
pub mod markdown;
#[cfg(target_os = "linux")]
pub mod mounts;
pub mod plan_view;
pub mod printer;
#[cfg(target_os = "linux")]
pub mod pull;
pub mod report_file;
pub mod span;
pub mod status;
pub mod streams;
pub mod summary;
pub mod why;

pub use printer::Printer;
