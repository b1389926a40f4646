//! The tests of the whole program, nearly all of them on the local cloud; one binary, so that it is linked once. Those in
//! `quick` need no local cloud: `scripts/test quick`.

mod choices;
mod contract;
mod crash;
mod deploy;
mod drift;
mod failed_stack;
mod faults;
mod json;
mod local;
mod login;
mod moto;
mod options;
mod orphans;
mod pipeline;
mod quick;
mod spec;
mod ssh_audit;
mod state;
mod stopped;
mod template;
mod terminal;

use sftpctl_testkit::{drive, site, stub};
