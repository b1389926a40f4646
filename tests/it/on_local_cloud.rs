//! The program end to end: real processes, third-party clients, and an AWS on this machine.

mod assumed_role;
mod changed_answers;
mod choices;
mod contract;
mod crash;
mod customer_storage;
mod deploy;
mod doctor;
mod drift;
mod failed_stack;
mod faults;
mod json;
mod local;
mod login;
mod manners;
mod moto;
mod options;
mod orphans;
mod owner;
mod permissions;
pub(crate) mod pipeline;
mod probe;
mod rolled_back;
mod ssh_audit;
mod state;
mod stopped;
pub(crate) mod terminal;
