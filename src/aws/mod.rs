//! AWS: the only module that names an SDK crate.
use std::fmt;
/// placeholder
pub struct Aws;
/// placeholder
#[derive(Debug)]
pub struct AwsError;
impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("aws")
    }
}
impl std::error::Error for AwsError {}
impl AwsError {
    /// x
    pub fn hint(&self) -> Option<String> {
        None
    }
}
