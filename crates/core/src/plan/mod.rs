//! Decides what a run does. Pure: no AWS, clock or file system.

pub mod graph;
pub mod model;
pub mod planner;
pub mod saved;
pub mod selection;
