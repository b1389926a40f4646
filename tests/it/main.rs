//! The tests that need the built program or more than one room; one binary, so that it is linked once.

mod crash;
mod deploy;
mod deployer_policy;
mod faults;
mod local;
mod login;
mod site;
mod spec;
mod state;
mod template;
