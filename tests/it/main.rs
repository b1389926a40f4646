//! The tests that need the built program or more than one room; one binary, so that it is linked once.

mod deploy;
mod deployer_policy;
mod drift;
mod faults;
mod local;
mod login;
mod pipeline;
mod site;
mod spec;
mod ssh_audit;
mod state;
mod template;
