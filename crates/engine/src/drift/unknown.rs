//! The placeholder for values that only CloudFormation knows. It equals anything.

use serde_json::Value;

pub const UNKNOWN: &str = "(known to CloudFormation alone)";

pub fn is_unknown(value: &Value) -> bool {
    value.as_str() == Some(UNKNOWN)
}
