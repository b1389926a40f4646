//! The tests that need the built program or more than one room; one binary, so that it is linked once.

mod contract;
mod crash;
mod deploy;
mod deployer_policy;
mod drift;
mod drive;
mod edges;
mod faults;
mod local;
mod login;
mod moto;
mod orphans;
mod pipeline;
mod rooms;
mod shown;
mod site;
mod spec;
mod ssh_audit;
mod state;
mod stopped;
mod stub;
mod template;
mod unseen;
mod wire;
mod wire_owner;
mod wire_stack;
