//! Output, and the only place that prints. [`printer`] chooses between JSON and text; [`events`] shows a run while it
//! goes on; the rest turns data into text and is pure.

pub mod account;
pub mod annotations;
pub mod connect;
pub mod drift;
pub mod events;
mod fold;
pub mod format;
pub mod hints;
pub mod json;
pub mod login;
pub mod markdown;
pub mod plan_view;
pub mod printer;
pub mod shell_word;
pub mod status;
pub mod streams;
pub mod summary;

pub use printer::Printer;
