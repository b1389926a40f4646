//! Doing what was planned: a bounded parallel walk over the steps, and the one place that waits.

pub mod deadlines;
pub mod error;
pub mod executor;
pub mod stop;
