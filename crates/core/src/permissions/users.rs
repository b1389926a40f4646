//! `users`: the calls of `users …`, and those of `test-login`, whose diagnosis of a refusal also needs `reader`.
//! `users-reader`: those of `users …` that change nothing. `test-login`: tries log-ins.

use serde_json::{Value, json};

use super::arns::Arns;
use super::deployer::items;
use super::statement::{allow, allow_all, allow_if};

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    let mut all = test_logins(arns);
    all.extend([
        read_logins(arns),
        items(arns),
        // Batches of conditional writes: DynamoDB authorizes each statement by an action of PartiQL.
        allow(
            "ImportAccounts",
            &["dynamodb:PartiQLDelete", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"],
            [arns.table()],
        ),
        // Whether the names of imported accounts are still reserved for them.
        allow("ReadReservations", &["dynamodb:BatchGetItem"], [arns.table()]),
        // The empty object that shows a customer's folder before the first upload: its key ends with a slash.
        allow("CreateFolders", &["s3:PutObject"], arns.upload_objects("*/")),
        // Whether a new account's folder has files already: two keys at most, of which one may be the empty object.
        // With more keys, or with the names of other folders, it would list every customer's files.
        allow_if(
            "FindFolders",
            &["s3:ListBucket"],
            arns.upload_buckets(),
            json!({ "NumericLessThanEquals": { "s3:max-keys": "2" } }),
        ),
        // `--password-secret`: the password of the database that accounts are imported from.
        allow("ReadDatabasePassword", &["secretsmanager:GetSecretValue"], [arns.import_secrets()]),
    ]);
    all
}

/// The calls of `users list`, `show`, `export`, and of `users audit` without a source; and of `guard list`. The items
/// have the hashes of passwords: a condition on attributes would refuse the scans.
pub(super) fn reading(arns: &Arns<'_>) -> Vec<Value> {
    let items = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"];
    let mut all = vec![
        allow_all("ReadAccount", &["sts:GetCallerIdentity"]),
        read_logins(arns),
        allow("ReadAccounts", &items, arns.table_and_indexes()),
    ];
    all.extend(
        arns.0
            .guard
            .is_some()
            .then(|| allow("ReadGuard", &["dynamodb:GetItem", "dynamodb:Scan"], [arns.guard_table()])),
    );
    all
}

/// Tries log-ins. Not part of what only reads: TestIdentityProvider takes any address as the customer's, and with a
/// guard wrong passwords ban the address that they are said to come from.
pub(super) fn test_logins(arns: &Arns<'_>) -> Vec<Value> {
    vec![
        allow_all("ReadAccount", &["sts:GetCallerIdentity", "transfer:ListServers"]),
        allow("ReadServers", &["transfer:DescribeServer"], [arns.servers()]),
        // Authorized on the user, whose ARN has the server's ID and the name that logs in.
        allow("TestLogins", &["transfer:TestIdentityProvider"], [arns.sftp_users()]),
    ]
}

/// `users audit --logins`.
fn read_logins(arns: &Arns<'_>) -> Value {
    allow("ReadLogins", &["logs:FilterLogEvents"], arns.server_logs())
}

/// `pre-warm`: `users import --pre-warm`. DynamoDB has no permission for this change of a table alone: who has it may
/// change the table in other ways.
pub(super) fn pre_warming(arns: &Arns<'_>) -> Vec<Value> {
    vec![allow("RaiseWarmThroughput", &["dynamodb:DescribeTable", "dynamodb:UpdateTable"], [arns.table()])]
}
