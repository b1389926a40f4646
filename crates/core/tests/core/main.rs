//! The tests of the whole crate through its public items; one binary, to link only once.

mod spec;
mod template;
