//! Code that the tests of several crates share: a local cloud in a temporary folder, a stub of AWS with scripted
//! answers, runs of the engine that record every event, and the contract of a place for state. A development dependency
//! only.

pub mod console;
pub mod drive;
pub mod harmless;
pub mod playback;
pub mod programs;
pub mod promises;
pub mod schemas;
pub mod site;
pub mod stub;
