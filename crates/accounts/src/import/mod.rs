//! The import of accounts from another system, by the million. [`review`] reads all rows and the whole table, checks and
//! compares them, and says what would be written; [`write`] writes it. A run that ends early needs no memory of it: the
//! next compares again, and the table is its checkpoint.

pub(crate) mod absent;
mod admission;
pub mod check;
pub(crate) mod claims;
pub(crate) mod compare;
mod decide;
pub mod differences;
pub mod digest;
pub mod estimate;
pub(crate) mod held;
mod homes;
pub mod left_files;
mod malformed;
mod moves;
pub mod objects;
mod old_folders;
pub mod pre_warm;
mod reading;
pub mod rejected;
pub mod review;
pub mod row;
pub(crate) mod wanted;
pub mod write;

#[cfg(test)]
mod tests;
