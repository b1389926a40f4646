//! The import of accounts from another system, by the million. [`review`] reads all rows and the whole table, checks and
//! compares them, and says what would be written; [`write`] writes it. A run that ends early needs no memory of it: the
//! next compares again, and the table is its checkpoint.

mod absent;
pub mod check;
pub(crate) mod compare;
pub mod digest;
pub mod estimate;
pub mod objects;
pub mod rejected;
pub mod review;
pub mod row;
pub mod write;

#[cfg(test)]
mod tests;
