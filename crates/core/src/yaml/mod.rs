//! Files that people write in YAML: read into types with positions, with every fault of their values shown in its line.
//! The environment file is one, the mapping file of an import another. Pure.

mod checker;
mod fault;
mod parse;
mod pasted;

pub use checker::{Checker, place};
pub use fault::{Fault, Faults};
pub use parse::{Words, parse};

/// The candidate most similar to `name`, if any is similar enough.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}
