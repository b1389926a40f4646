//! `guard`: the calls of `guard`.

use serde_json::Value;

use super::arns::Arns;
use super::statement::{allow, allow_all};

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    let calls = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Scan"];
    vec![allow_all("ReadAccount", &["sts:GetCallerIdentity"]), allow("Guard", &calls, [arns.guard_table()])]
}
