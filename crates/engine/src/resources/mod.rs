//! Every kind of resource, one file each, all with the same interface ([`resource::Resource`]).
//!
//! To add a kind: one file here with a struct of its wanted properties, its `impl Node` and `impl Resource`, a line in
//! [`Kind`](sftpctl_core::kind::Kind), and a line in `desired.rs`; the compiler reports everything else.

pub(crate) mod address;
mod api_account;
mod bucket;
mod dashboard;
pub(crate) mod endpoint_place;
mod log_group;
mod orphan;
pub(crate) mod package;
pub(crate) mod record;
mod replacing;
mod replica;
pub mod resource;
mod security_group;
mod server;
pub(crate) mod server_endpoint;
mod server_id;
mod server_keys;
pub(crate) mod stack;
mod stack_diff;
mod stack_import;
pub mod stray;
pub mod strays;
mod table;
pub(crate) mod tags;
mod trigger;
mod user_policy;
mod user_role;
mod web_acl;
pub(crate) mod witness;

pub use address::Address;
pub use api_account::ApiAccount;
pub use bucket::Bucket;
pub use dashboard::Dashboard;
pub use log_group::{Evidence, LogGroup};
pub use package::Package;
pub use record::{LatencyRecord, Record};
pub use replica::Replica;
pub use security_group::SecurityGroup;
pub use server::Server;
pub use server_endpoint::{EndpointAddresses, EndpointGroups, ServerEndpoint};
pub use server_id::ServerId;
pub use stack::Stack;
pub use stray::Orphan;
pub use table::Table;
pub use trigger::Trigger;
pub use user_policy::UserPolicy;
pub use user_role::UserRole;
