//! The new accounts of a review as objects for DynamoDB's ImportTable, in DynamoDB JSON: a line for each item (Amazon
//! DynamoDB developer guide, "Amazon S3 import formats for DynamoDB").

use std::io;

use serde_json::{Value, json};
use sftp_authorizer::{Attribute, Item};
use sftpctl_core::spec::model::Environment;

use super::compare::{CREATED, IMPORTED, UPDATED, text};
use super::review::Review;
use crate::change::timestamp;
use crate::key::TableKey;

/// Bytes of an object, about: it is held in memory, and an import may have 50,000 objects.
const OBJECT: usize = 16 << 20;
/// Accounts that are read at once.
const SOME: usize = 1_000;

/// Objects could not be written.
#[derive(Debug)]
pub enum ObjectsError<E> {
    /// A temporary file could not be read.
    Spill(io::Error),
    /// What takes the objects failed.
    Put(E),
}

/// Gives `put` the new accounts, object by object with its number from 0, each account with the reservation of its
/// name. Returns the number of items.
///
/// # Errors
/// A temporary file, or those of `put`.
pub async fn write<E>(
    review: &mut Review,
    environment: &Environment,
    mut put: impl AsyncFnMut(usize, Vec<u8>) -> Result<(), E>,
) -> Result<u64, ObjectsError<E>> {
    let (key, now) = (TableKey::of(environment), timestamp());
    let (mut lines, mut objects, mut items) = (Vec::new(), 0, 0);
    let mut new = review.new.all();
    loop {
        let some = new.take(SOME).map_err(ObjectsError::Spill)?;
        let ended = some.is_empty();
        for mut item in some.into_iter().filter_map(|wanted| wanted.item) {
            for name in [CREATED, UPDATED, IMPORTED] {
                item.insert(name.to_owned(), Attribute::Text(now.clone()));
            }
            let org_id = item.get("orgid").cloned().unwrap_or(Attribute::Other);
            let reservation = key.reservation(text(&item, "username").unwrap_or_default(), org_id);
            for item in [&item, &reservation] {
                line(&mut lines, item).map_err(ObjectsError::Spill)?;
                items += 1;
            }
        }
        if !lines.is_empty() && (ended || lines.len() >= OBJECT) {
            put(objects, std::mem::take(&mut lines)).await.map_err(ObjectsError::Put)?;
            objects += 1;
        }
        if ended {
            return Ok(items);
        }
    }
}

fn line(lines: &mut Vec<u8>, item: &Item) -> io::Result<()> {
    let attributes = item.iter().map(|(name, value)| (name.clone(), dynamodb_json(value)));
    serde_json::to_writer(&mut *lines, &json!({ "Item": attributes.collect::<serde_json::Map<_, _>>() }))?;
    lines.push(b'\n');
    Ok(())
}

/// A value with its type.
fn dynamodb_json(value: &Attribute) -> Value {
    match value {
        Attribute::Text(text) => json!({ "S": text }),
        Attribute::Number(digits) => json!({ "N": digits }),
        Attribute::Texts(texts) => json!({ "L": texts.iter().map(|text| json!({ "S": text })).collect::<Vec<_>>() }),
        Attribute::Other => json!({ "NULL": true }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_a_line_with_the_types_of_its_values() {
        let item = Item::from([
            ("allowed".to_owned(), Attribute::Texts(vec!["192.0.2.0/24".to_owned()])),
            ("orgid".to_owned(), Attribute::Number("17578".to_owned())),
            ("username".to_owned(), Attribute::Text("jan\n\"x\"".to_owned())),
        ]);
        let mut lines = Vec::new();
        line(&mut lines, &item).unwrap();
        let expected =
            r#"{"Item":{"allowed":{"L":[{"S":"192.0.2.0/24"}]},"orgid":{"N":"17578"},"username":{"S":"jan\n\"x\""}}}"#;
        assert_eq!(String::from_utf8(lines).unwrap(), format!("{expected}\n"));
    }
}
