//! `logs`: the calls of `logs` and `who`, and with `users` those of `users silent` and `users show --activity`. The lines name
//! customers, their addresses and their files, and no password.

use serde_json::Value;

use super::arns::Arns;
use super::statement::{allow, allow_all};

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    vec![
        // How far back a group reaches is in its description, for which IAM has no resource.
        allow_all("ReadAccount", &["sts:GetCallerIdentity", "logs:DescribeLogGroups"]),
        allow("ReadLines", &["logs:FilterLogEvents"], arns.activity_logs()),
        // The folder that a path of `who --username` is below.
        allow("FindAccounts", &["dynamodb:GetItem", "dynamodb:Query"], arns.table_and_indexes()),
    ]
}
