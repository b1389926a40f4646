//! The customers' accounts in the table: [`rules`] says what an account may be (pure), [`store`] keeps them.

pub mod rules;
pub mod store;

pub use store::{AccountError, Accounts};
