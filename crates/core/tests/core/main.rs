//! Tests of the crate through its public items, in one binary, so that it is linked only once.

mod spec;
mod template;
