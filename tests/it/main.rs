//! The tests that need the built program or more than one room; one binary, so that it is linked once.

mod deploy;
mod deployer_policy;
mod drift;
mod local;
mod login;
mod orphans;
mod pipeline;
mod site;
mod spec;
mod ssh_audit;
mod state;
mod stopped;
mod template;
