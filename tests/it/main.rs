//! The tests that need the built program or more than one room; one binary, so that it is linked once.

mod contract;
mod deploy;
mod deployer_policy;
mod drive;
mod local;
mod moto;
mod rooms;
mod shown;
mod spec;
mod state;
mod stub;
mod template;
mod wire;
