//! The engine from outside: against AWS in memory, and against an AWS that answers what a test scripts. No local cloud, no
//! built program; one binary, so that it is linked once.

mod accounts;
mod contract;
mod drift;
mod edges;
mod state;
mod unseen;
mod wire;
mod wire_adopt;
mod wire_failed_stack;
mod wire_login;
mod wire_owner;
mod wire_stack;

use sftpctl_testkit::{drive, stub};
