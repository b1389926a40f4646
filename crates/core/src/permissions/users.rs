//! `users`: the calls of `users …`, and those of `test-login`, whose diagnosis of a refusal also needs `reader`.
//! `users-reader`: those of them that change nothing.

use serde_json::{Value, json};

use super::arns::Arns;
use super::deployer::items;
use super::statement::{allow, allow_all, allow_if};

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    let mut all = log_ins(arns);
    all.extend([
        items(arns),
        // Batches of conditional writes: DynamoDB authorizes each statement by an action of PartiQL.
        allow(
            "ImportAccounts",
            &["dynamodb:PartiQLDelete", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"],
            [arns.table()],
        ),
        // Whether the names of imported accounts are still reserved for them.
        reservations(arns),
        // The empty object that shows a customer's folder before the first upload: its key ends with a slash.
        allow("CreateFolders", &["s3:PutObject"], arns.upload_objects("*/")),
        // Whether a new account's folder has files already: two keys at most, of which one may be the empty object. With
        // more keys, or with the names of other folders, it would list every customer's files.
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

/// The calls of `users list`, `show`, `export`, and of `users audit` without a source; of `test-login`; and of
/// `guard list`. The items have the hashes of passwords: a condition on attributes would refuse the scans.
pub(super) fn reading(arns: &Arns<'_>) -> Vec<Value> {
    let mut all = log_ins(arns);
    let items = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"];
    all.extend([allow("ReadAccounts", &items, arns.table_and_indexes()), reservations(arns)]);
    all.extend(
        arns.0
            .guard
            .is_some()
            .then(|| allow("ReadGuard", &["dynamodb:GetItem", "dynamodb:Scan"], [arns.guard_table()])),
    );
    all
}

/// Tries log-ins, and reads those of customers.
fn log_ins(arns: &Arns<'_>) -> Vec<Value> {
    vec![
        allow_all("ReadAccount", &["sts:GetCallerIdentity", "transfer:ListServers"]),
        allow("ReadServers", &["transfer:DescribeServer", "transfer:ListHostKeys"], [arns.servers()]),
        // `users audit --logins`.
        allow("ReadLogins", &["logs:FilterLogEvents"], arns.server_logs()),
        // Authorized on the user, whose ARN has the server's ID and the name that logs in.
        allow("TestLogins", &["transfer:TestIdentityProvider"], [arns.sftp_users()]),
    ]
}

fn reservations(arns: &Arns<'_>) -> Value {
    allow("ReadReservations", &["dynamodb:BatchGetItem"], [arns.table()])
}

/// `pre-warm`: `users import --pre-warm`. DynamoDB has no permission for this change of a table alone: who has it may change
/// the table in other ways.
pub(super) fn pre_warming(arns: &Arns<'_>) -> Vec<Value> {
    vec![allow("RaiseWarmThroughput", &["dynamodb:DescribeTable", "dynamodb:UpdateTable"], [arns.table()])]
}
