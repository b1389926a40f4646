//! The customers' accounts: [`rules`] says what an account may be (pure), [`create`] and [`change`] write one, [`store`]
//! is the table.

pub mod change;
pub mod create;
pub mod password;
pub mod rules;
pub mod store;

pub use store::{AccountError, Accounts};
