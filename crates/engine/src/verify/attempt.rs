//! The log-in that a check tries.

#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    pub username: &'a str,
    pub password: &'a str,
    /// The customer's IP address.
    pub source_ip: &'a str,
}
