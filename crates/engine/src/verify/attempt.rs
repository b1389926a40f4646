//! A log-in to try.

/// The log-in to try.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    pub username: &'a str,
    pub password: &'a str,
    /// The address that the customer would come from.
    pub source_ip: &'a str,
}
