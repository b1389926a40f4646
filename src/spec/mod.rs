//! The environment file: its types, and every fault in it with line, column and a hint. Pure.

pub mod model;
