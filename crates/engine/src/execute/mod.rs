//! Executes the steps of a plan, a limited number at the same time.

pub mod deadlines;
pub mod error;
pub mod executor;
pub mod stop;
