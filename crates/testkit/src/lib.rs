//! What the tests of several crates share: a local cloud with a folder of its own, an AWS that answers what a test scripts,
//! runs of the engine that keep every event, and the promises of a place for state. A development dependency only.

pub mod drive;
pub mod programs;
pub mod promises;
pub mod site;
pub mod stub;
