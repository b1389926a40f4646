//! The tests of the whole crate through its public items; one binary, so that it is linked once.

mod spec;
mod template;
