//! Executes a plan: a bounded parallel walk over its steps.

pub mod deadlines;
pub mod error;
pub mod executor;
pub mod stop;
