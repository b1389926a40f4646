//! Account items of a table. Writes go to the table's home region, as one transaction.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};

use super::AwsError;
use super::dynamodb::DynamoDb;
use super::error::Call as _;
use sftp_authorizer::dynamodb::{item, value};
use sftp_authorizer::{Attribute, Item};

/// One write of a transaction.
#[derive(Clone, Debug)]
pub enum Write {
    Put {
        item: Item,
        /// Condition on the existing item, in DynamoDB's expression language.
        condition: Option<String>,
        /// Values of the condition's placeholders.
        values: Vec<(String, Attribute)>,
    },
    Delete {
        /// The attributes of the primary key.
        key: Item,
        condition: Option<String>,
        values: Vec<(String, Attribute)>,
    },
    /// Changes some attributes of an item and keeps the others.
    Update {
        /// The attributes of the primary key.
        key: Item,
        /// An attribute without a value is removed.
        changes: Vec<(String, Option<Attribute>)>,
        condition: Option<String>,
        values: Vec<(String, Attribute)>,
    },
    /// Writes nothing; its condition must hold for the others to be written.
    Check {
        /// The attributes of the primary key.
        key: Item,
        condition: String,
        values: Vec<(String, Attribute)>,
    },
}

impl Write {
    /// The IAM action: DynamoDB authorizes each write of a transaction by its own (DynamoDB developer guide, "Using IAM
    /// with DynamoDB transactions").
    fn action(&self) -> &'static str {
        match self {
            Self::Put { .. } => "dynamodb:PutItem",
            Self::Delete { .. } => "dynamodb:DeleteItem",
            Self::Update { .. } => "dynamodb:UpdateItem",
            Self::Check { .. } => "dynamodb:ConditionCheckItem",
        }
    }
}

/// Attempts of a transaction that conflicts with another on the same items.
const CONFLICTS: u32 = 6;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    Done,
    /// Nothing was written: the conditions of these writes did not hold.
    Refused(Vec<usize>),
}

impl DynamoDb {
    /// The items with this key of an index.
    pub async fn query_index(&self, table: &str, index: &str, key: (&str, &str)) -> Result<Vec<Item>, AwsError> {
        let answer = self
            .0
            .query()
            .table_name(table)
            .index_name(index)
            .key_condition_expression("#key = :value")
            .expression_attribute_names("#key", key.0)
            .expression_attribute_values(":value", AttributeValue::S(key.1.to_owned()))
            .send()
            .await
            .call("dynamodb:Query", table)?;
        Ok(answer.items.unwrap_or_default().into_iter().map(item).collect())
    }

    /// All items with this partition key, strongly consistent in this region.
    pub async fn partition(&self, table: &str, key: (&str, &Attribute)) -> Result<Vec<Item>, AwsError> {
        let mut items = Vec::new();
        let mut from = None;
        loop {
            let answer = self
                .0
                .query()
                .table_name(table)
                .key_condition_expression("#key = :value")
                .expression_attribute_names("#key", key.0)
                .expression_attribute_values(":value", value(key.1))
                .consistent_read(true)
                .set_exclusive_start_key(from)
                .send()
                .await
                .call("dynamodb:Query", table)?;
            items.extend(answer.items.unwrap_or_default().into_iter().map(item));
            from = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if from.is_none() {
                return Ok(items);
            }
        }
    }

    /// One item by its primary key, strongly consistent in this region.
    pub async fn item(&self, table: &str, key: &Item) -> Result<Option<Item>, AwsError> {
        let call = self.0.get_item().table_name(table).set_key(Some(values(key))).consistent_read(true).send().await;
        Ok(call.call("dynamodb:GetItem", table)?.item.map(item))
    }

    /// One page of a scan, and the start key of the next page.
    pub async fn page_of_items(&self, table: &str, from: Option<Item>) -> Result<(Vec<Item>, Option<Item>), AwsError> {
        let from = from.as_ref().map(values);
        let answer = self.0.scan().table_name(table).set_exclusive_start_key(from).send().await;
        let answer = answer.call("dynamodb:Scan", table)?;
        let next = answer.last_evaluated_key.filter(|key| !key.is_empty()).map(item);
        Ok((answer.items.unwrap_or_default().into_iter().map(item).collect(), next))
    }

    /// Writes all items or none. A transaction that conflicts with another on the same items is retried, so that its
    /// conditions are checked against what the other wrote.
    pub async fn write_items(&self, table: &str, writes: &[Write]) -> Result<Written, AwsError> {
        let items = writes.iter().map(|write| transaction(table, write)).collect::<Result<Vec<_>, _>>()?;
        let mut attempts = 0;
        loop {
            let result = self.0.transact_write_items().set_transact_items(Some(items.clone())).send().await;
            let Err(error) = result else { return Ok(Written::Done) };
            let reasons = error.as_service_error().and_then(|error| match error {
                TransactWriteItemsError::TransactionCanceledException(e) => Some(e.cancellation_reasons().to_vec()),
                _ => None,
            });
            let reasons = reasons.unwrap_or_default();
            let with = |code: &str| {
                let reasons = reasons.iter().enumerate().filter(|(_, reason)| reason.code() == Some(code));
                reasons.map(|(index, _)| index).collect::<Vec<usize>>()
            };
            let failed = with("ConditionalCheckFailed");
            if !failed.is_empty() {
                return Ok(Written::Refused(failed));
            }
            attempts += 1;
            if with("TransactionConflict").is_empty() || attempts == CONFLICTS {
                let refused = Err::<Written, _>(error).call("dynamodb:PutItem", table);
                return refused.map_err(|error| named(error, writes));
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "a conflict lasts milliseconds, and the SDK does not retry it"
            )]
            tokio::time::sleep(Duration::from_millis(fastrand::u64(20..50) << attempts)).await;
        }
    }
}

fn values(item: &Item) -> HashMap<String, AttributeValue> {
    item.iter().map(|(name, attribute)| (name.clone(), value(attribute))).collect()
}

/// The error with the action that AWS's message names, which the hint repeats.
fn named(error: AwsError, writes: &[Write]) -> AwsError {
    let denied = writes.iter().map(Write::action).find(|action| error.message.contains(action));
    AwsError { operation: denied.unwrap_or(error.operation), ..error }
}

fn transaction(table: &str, write: &Write) -> Result<TransactWriteItem, AwsError> {
    let broken = |error: aws_smithy_types::error::operation::BuildError| AwsError {
        operation: "dynamodb:PutItem",
        object: table.to_owned(),
        code: Some("InvalidRequest".into()),
        message: error.to_string(),
        status: None,
    };
    let named = |values: &[(String, Attribute)]| {
        let map: HashMap<_, _> = values.iter().map(|(name, attribute)| (name.clone(), value(attribute))).collect();
        (!map.is_empty()).then_some(map)
    };
    let none = ReturnValuesOnConditionCheckFailure::None;
    Ok(match write {
        Write::Put { item, condition, values } => {
            let put = Put::builder()
                .table_name(table)
                .set_item(Some(self::values(item)))
                .set_condition_expression(condition.clone())
                .set_expression_attribute_values(named(values))
                .return_values_on_condition_check_failure(none)
                .build()
                .map_err(broken)?;
            TransactWriteItem::builder().put(put).build()
        }
        Write::Delete { key, condition, values } => {
            let delete = Delete::builder()
                .table_name(table)
                .set_key(Some(self::values(key)))
                .set_condition_expression(condition.clone())
                .set_expression_attribute_values(named(values))
                .return_values_on_condition_check_failure(none)
                .build()
                .map_err(broken)?;
            TransactWriteItem::builder().delete(delete).build()
        }
        Write::Update { key, changes, condition, values } => {
            // By placeholders, since `status` and others are reserved words.
            let placed = || changes.iter().enumerate();
            let set = placed().filter(|(_, (_, value))| value.is_some()).map(|(n, _)| format!("#a{n} = :a{n}"));
            let removed = placed().filter(|(_, (_, value))| value.is_none()).map(|(n, _)| format!("#a{n}"));
            let (set, removed) = (set.collect::<Vec<_>>().join(", "), removed.collect::<Vec<_>>().join(", "));
            let clauses = [("SET", set), ("REMOVE", removed)];
            let clauses =
                clauses.iter().filter(|(_, list)| !list.is_empty()).map(|(word, list)| format!("{word} {list}"));
            let names = placed().map(|(n, (name, _))| (format!("#a{n}"), name.clone())).collect();
            let mut values = values.clone();
            values.extend(placed().filter_map(|(n, (_, value))| Some((format!(":a{n}"), value.clone()?))));
            let update = Update::builder()
                .table_name(table)
                .set_key(Some(self::values(key)))
                .update_expression(clauses.collect::<Vec<_>>().join(" "))
                .set_expression_attribute_names(Some(names))
                .set_condition_expression(condition.clone())
                .set_expression_attribute_values(named(&values))
                .return_values_on_condition_check_failure(none)
                .build()
                .map_err(broken)?;
            TransactWriteItem::builder().update(update).build()
        }
        Write::Check { key, condition, values } => {
            let check = ConditionCheck::builder()
                .table_name(table)
                .set_key(Some(self::values(key)))
                .condition_expression(condition)
                .set_expression_attribute_values(named(values))
                .return_values_on_condition_check_failure(none)
                .build()
                .map_err(broken)?;
            TransactWriteItem::builder().condition_check(check).build()
        }
    })
}
