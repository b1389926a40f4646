//! Deciding what to do. Pure: nothing here reads AWS, the clock or the file system.

pub mod graph;
pub mod model;
pub mod planner;
pub mod saved;
