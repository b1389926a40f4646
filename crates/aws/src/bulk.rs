//! Account items by the batch: parallel scans, and PartiQL statements, of which each has a condition of its own and one
//! write unit (DynamoDB developer guide, "Running batch operations with PartiQL for DynamoDB").

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{BatchStatementErrorCodeEnum as Code, BatchStatementRequest, KeysAndAttributes};
use aws_smithy_types::error::operation::BuildError;
use aws_smithy_types::retry::RetryConfig;

use super::AwsError;
use super::dynamodb::DynamoDb;
use super::error::Call as _;
use sftp_authorizer::dynamodb::{item, value};
use sftp_authorizer::{Attribute, Item};

/// Statements of one call.
pub const BATCH: usize = 25;

/// A write of one item.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// Fails alone if the key is taken.
    Insert(Item),
    /// Sets attributes of an item that has these values, its key among them; `None` is an attribute that it lacks.
    Update { set: Vec<(String, Attribute)>, expected: Vec<(String, Option<Attribute>)> },
    /// Deletes an item that has these values, its key among them.
    Delete { expected: Vec<(String, Option<Attribute>)> },
}

/// What became of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Done,
    /// An INSERT found an item with its key.
    Exists,
    /// The item does not have the expected values.
    Changed,
    /// It was not carried out, and may be sent again, more slowly.
    Throttled(String),
    /// It may be sent again: a conflict, a fault of AWS.
    Again(String),
    /// AWS refuses it: its code and message.
    Refused(String),
}

impl DynamoDb {
    /// One page of a segment of a parallel scan, strongly consistent, and the start key of the next page.
    pub async fn page_of_segment(
        &self,
        table: &str,
        (segment, segments): (i32, i32),
        from: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), AwsError> {
        let from = from.map(|key| key.iter().map(|(name, attribute)| (name.clone(), value(attribute))).collect());
        let scan = self.0.scan().table_name(table).segment(segment).total_segments(segments).consistent_read(true);
        let answer = scan.set_exclusive_start_key(from).send().await.call("dynamodb:Scan", table)?;
        let next = answer.last_evaluated_key.filter(|key| !key.is_empty()).map(item);
        Ok((answer.items.unwrap_or_default().into_iter().map(item).collect(), next))
    }

    /// Carries out at most [`BATCH`] statements on different items, and says what became of each. A success of the call
    /// is none of its statements. The SDK does not retry: the caller has to know of throttling, to send less.
    ///
    /// # Errors
    /// The call failed as a whole: none of its statements, or any of them, was carried out.
    pub async fn execute_batch(&self, table: &str, statements: &[Statement]) -> Result<Vec<Outcome>, AwsError> {
        let requests = statements.iter().map(|statement| request(table, statement)).collect::<Result<_, _>>();
        let requests = requests.map_err(|error| failed(table, statements, error.to_string()))?;
        let call = self.0.batch_execute_statement().set_statements(Some(requests)).customize();
        let once = aws_sdk_dynamodb::config::Builder::new().retry_config(RetryConfig::disabled());
        let answer = call.config_override(once).send().await;
        let answer = answer.call(action(statements), table)?;
        let responses = answer.responses().iter().map(|response| match response.error() {
            None => Outcome::Done,
            Some(error) => outcome(error.code().map_or("", Code::as_str), error.message().unwrap_or_default()),
        });
        let outcomes: Vec<Outcome> = responses.collect();
        // An answer for each, or it is not known which statement an answer belongs to.
        if outcomes.len() == statements.len() {
            return Ok(outcomes);
        }
        Err(failed(table, statements, format!("{} answers to {} statements", outcomes.len(), statements.len())))
    }
}

impl DynamoDb {
    /// Items by their keys, at most 100, strongly consistent in this region: those that are there, and the keys that
    /// DynamoDB has not read, since the table is throttled. The SDK does not retry, as of a batch of statements.
    ///
    /// # Errors
    /// AWS's.
    pub async fn items_of(&self, table: &str, keys: &[Item]) -> Result<(Vec<Item>, Vec<Item>), AwsError> {
        let keys = keys.iter().map(|key| key.iter().map(|(name, part)| (name.clone(), value(part))).collect());
        let request = KeysAndAttributes::builder().consistent_read(true).set_keys(Some(keys.collect())).build();
        let request = request.map_err(|error| AwsError {
            operation: "dynamodb:BatchGetItem",
            object: table.to_owned(),
            code: None,
            message: error.to_string(),
            status: None,
        })?;
        let requests = HashMap::from([(table.to_owned(), request)]);
        let call = self.0.batch_get_item().set_request_items(Some(requests)).customize();
        let once = aws_sdk_dynamodb::config::Builder::new().retry_config(RetryConfig::disabled());
        let answer = call.config_override(once).send().await;
        let answer = answer.call("dynamodb:BatchGetItem", table)?;
        let found = answer.responses.unwrap_or_default().into_values().flatten();
        let left = answer.unprocessed_keys.unwrap_or_default().into_values().flat_map(|left| left.keys);
        Ok((found.map(item).collect(), left.map(item).collect()))
    }
}

fn failed(table: &str, statements: &[Statement], message: String) -> AwsError {
    AwsError { operation: action(statements), object: table.to_owned(), code: None, message, status: None }
}

fn outcome(code: &str, message: &str) -> Outcome {
    let words = || format!("{message} ({code})");
    match code {
        "DuplicateItem" => Outcome::Exists,
        "ConditionalCheckFailed" => Outcome::Changed,
        "ThrottlingError" | "ProvisionedThroughputExceeded" | "RequestLimitExceeded" => Outcome::Throttled(words()),
        "TransactionConflict" | "InternalServerError" => Outcome::Again(words()),
        _ => Outcome::Refused(words()),
    }
}

/// The IAM action of a batch, for messages; a batch has one kind of statement in practice.
fn action(statements: &[Statement]) -> &'static str {
    match statements.first() {
        Some(Statement::Update { .. }) => "dynamodb:PartiQLUpdate",
        Some(Statement::Delete { .. }) => "dynamodb:PartiQLDelete",
        Some(Statement::Insert(_)) | None => "dynamodb:PartiQLInsert",
    }
}

/// The statement with a parameter for each value. A name in double quotes may be a reserved word (PartiQL for DynamoDB,
/// "Getting started").
fn request(table: &str, statement: &Statement) -> Result<BatchStatementRequest, BuildError> {
    let (text, parameters) = match statement {
        Statement::Insert(item) => {
            let members: Vec<String> = item.keys().map(|name| format!("'{name}': ?")).collect();
            let text = format!("INSERT INTO \"{table}\" VALUE {{{}}}", members.join(", "));
            (text, item.values().map(value).collect())
        }
        Statement::Update { set, expected } => {
            let assignments: Vec<String> = set.iter().map(|(name, _)| format!("SET \"{name}\" = ?")).collect();
            let (condition, expected) = condition(expected);
            let text = format!("UPDATE \"{table}\" {} WHERE {condition}", assignments.join(" "));
            (text, set.iter().map(|(_, new)| value(new)).chain(expected).collect())
        }
        Statement::Delete { expected } => {
            let (condition, expected) = condition(expected);
            (format!("DELETE FROM \"{table}\" WHERE {condition}"), expected.collect::<Vec<_>>())
        }
    };
    let builder = BatchStatementRequest::builder().statement(text).set_parameters(Some(parameters));
    builder.build()
}

fn condition(
    expected: &[(String, Option<Attribute>)],
) -> (String, impl Iterator<Item = aws_sdk_dynamodb::types::AttributeValue>) {
    let terms: Vec<String> = expected
        .iter()
        .map(|(name, value)| match value {
            Some(_) => format!("\"{name}\" = ?"),
            None => format!("\"{name}\" IS MISSING"),
        })
        .collect();
    (terms.join(" AND "), expected.iter().filter_map(|(_, expected)| expected.as_ref().map(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Attribute {
        Attribute::Text(text.to_owned())
    }

    #[test]
    fn statements_have_parameters_for_all_values() {
        let item =
            Item::from([("orgid".to_owned(), Attribute::Number("7".into())), ("username".to_owned(), text("it's"))]);
        let insert = request("t", &Statement::Insert(item)).unwrap();
        assert_eq!(insert.statement(), "INSERT INTO \"t\" VALUE {'orgid': ?, 'username': ?}");
        assert_eq!(insert.parameters().len(), 2);
        let expected = vec![
            ("orgid".to_owned(), Some(Attribute::Number("7".into()))),
            ("updatedAt".to_owned(), None),
            ("username".to_owned(), Some(text("jan"))),
        ];
        let set = vec![("status".to_owned(), text("disabled")), ("note".to_owned(), text("x"))];
        let update = request("t", &Statement::Update { set, expected: expected.clone() }).unwrap();
        let condition = "\"orgid\" = ? AND \"updatedAt\" IS MISSING AND \"username\" = ?";
        assert_eq!(update.statement(), format!("UPDATE \"t\" SET \"status\" = ? SET \"note\" = ? WHERE {condition}"));
        assert_eq!(update.parameters().len(), 4);
        let delete = request("t", &Statement::Delete { expected }).unwrap();
        assert_eq!(delete.statement(), format!("DELETE FROM \"t\" WHERE {condition}"));
    }

    #[test]
    fn every_code_of_a_statement_has_an_outcome() {
        for code in Code::values() {
            match (*code, outcome(code, "words")) {
                ("DuplicateItem", Outcome::Exists) | ("ConditionalCheckFailed", Outcome::Changed) => {}
                (
                    "AccessDenied" | "ResourceNotFound" | "ValidationError" | "ItemCollectionSizeLimitExceeded",
                    Outcome::Refused(words),
                )
                | (
                    "ThrottlingError" | "ProvisionedThroughputExceeded" | "RequestLimitExceeded",
                    Outcome::Throttled(words),
                )
                | ("TransactionConflict" | "InternalServerError", Outcome::Again(words)) => {
                    assert_eq!(words, format!("words ({code})"));
                }
                (code, outcome) => panic!("{code}: {outcome:?}"),
            }
        }
    }
}
