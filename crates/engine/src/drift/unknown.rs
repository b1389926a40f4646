//! The placeholder for values that only CloudFormation knows. It equals anything.

use serde_json::Value;

/// Stands for a value that is not known here.
pub const UNKNOWN: &str = "(known to CloudFormation alone)";

/// Whether a value is not known here.
pub fn is_unknown(value: &Value) -> bool {
    value.as_str() == Some(UNKNOWN)
}
