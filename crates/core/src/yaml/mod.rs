//! Files that people write in YAML: read into types with positions, with every fault of their values shown in its line.
//! The environment file is one, the mapping file of an import another. Pure.

mod checker;
mod fault;
mod one_or;
mod parse;
mod pasted;
mod secrets;
mod skip;

pub use checker::{Checker, place};
pub use fault::{Fault, Faults};
pub(crate) use one_or::{Long, OneOr};
pub use parse::{Words, parse, parse_most};
