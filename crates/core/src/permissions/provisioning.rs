//! `provisioning`: the application that creates organisations writes their accounts itself, by the contract in
//! docs/provisioning.md. It cannot read or change anything else, nor list the accounts, nor
//! write in another region, whose conditions would hold only there.

use serde_json::Value;

use super::arns::Arns;
use super::statement::allow;

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    vec![
        allow(
            "WriteAccounts",
            &[
                "dynamodb:ConditionCheckItem",
                "dynamodb:DeleteItem",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
            ],
            [arns.home_table()],
        ),
        allow("FindAccounts", &["dynamodb:Query"], [arns.home_table(), format!("{}/index/*", arns.home_table())]),
        // The empty object that shows a customer's folder before the first upload: its key ends with a slash.
        allow("CreateFolders", &["s3:PutObject"], arns.upload_objects("*/")),
    ]
}
