//! The customers' accounts. [`rules`] checks the values of an account (pure), [`create`] and [`change`] write an
//! account, [`store`] reads and writes the account table, whose key is [`key`]'s, and [`import`] moves the accounts of
//! another system there. [`guard`] shows and changes who is banned.

pub mod audit;
pub mod bulk;
pub mod change;
pub mod create;
mod folder_check;
mod folders;
pub mod guard;
pub mod harden;
pub mod import;
pub mod key;
pub mod logins;
pub mod password;
mod prices;
pub mod rules;
pub mod source_only;
mod spill;
pub mod store;

pub use key::TableKey;
pub use store::{AccountError, Accounts};
