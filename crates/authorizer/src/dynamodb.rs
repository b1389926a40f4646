//! Conversions between items and the SDK's types, for the Lambda and `sftpctl users`.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{Attribute, Item};

/// Converts an item of a response.
pub fn item(from: HashMap<String, AttributeValue>) -> Item {
    from.into_iter().map(|(name, value)| (name, attribute(value))).collect()
}

fn attribute(value: AttributeValue) -> Attribute {
    match value {
        AttributeValue::S(text) => Attribute::Text(text),
        AttributeValue::N(digits) => Attribute::Number(digits),
        AttributeValue::Ss(texts) => Attribute::Texts(texts),
        AttributeValue::L(values) => {
            let texts = values.into_iter().map(|value| match value {
                AttributeValue::S(text) => Some(text),
                _ => None,
            });
            texts.collect::<Option<Vec<_>>>().map_or(Attribute::Other, Attribute::Texts)
        }
        _ => Attribute::Other,
    }
}

/// Converts an attribute for a request.
pub fn value(attribute: &Attribute) -> AttributeValue {
    match attribute {
        Attribute::Text(text) => AttributeValue::S(text.clone()),
        Attribute::Number(digits) => AttributeValue::N(digits.clone()),
        Attribute::Texts(texts) => AttributeValue::L(texts.iter().cloned().map(AttributeValue::S).collect()),
        Attribute::Other => AttributeValue::Null(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_list_of_texts_are_read() {
        let texts = || vec!["a".to_owned(), "b".to_owned()];
        let list = AttributeValue::L(texts().into_iter().map(AttributeValue::S).collect());
        assert_eq!(attribute(list.clone()), Attribute::Texts(texts()));
        assert_eq!(attribute(AttributeValue::Ss(texts())), Attribute::Texts(texts()));
        assert_eq!(value(&Attribute::Texts(texts())), list);
    }

    #[test]
    fn types_that_no_account_has_are_other() {
        let mixed = AttributeValue::L(vec![AttributeValue::S("a".into()), AttributeValue::N("1".into())]);
        for value in [mixed, AttributeValue::Bool(true), AttributeValue::Null(true)] {
            assert_eq!(attribute(value), Attribute::Other);
        }
    }

    #[test]
    fn digits_of_a_number_are_kept() {
        let digits = "12345678901234567890123456789012345678";
        assert_eq!(attribute(AttributeValue::N(digits.into())), Attribute::Number(digits.into()));
    }
}
