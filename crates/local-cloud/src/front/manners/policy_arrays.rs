//! Bucket policies come back with their arrays in another order.

use serde_json::Value;

use super::{Answer, Description, Inquiry, Manner};

pub(super) struct PolicyArrays;

impl Manner for PolicyArrays {
    fn description(&self) -> &'static Description {
        &Description {
            name: "policy-arrays",
            aws: "GetBucketPolicy returns the elements of arrays in an order of its own, and a one-element array as a \
                  single value",
            source: "hashicorp/terraform#2432, terraform-provider-aws#24338; recorded: cloud-custodian \
                     test_s3_encrypt_policy and test_s3_has_statement, two answers of one bucket",
        }
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("s3", &["GetBucketPolicy"])
    }

    fn rewrite(&self, _request: &Inquiry<'_>, answer: &mut Answer) {
        if answer.status.is_success() {
            answer.change_json(|policy| {
                for statement in policy["Statement"].as_array_mut().into_iter().flatten() {
                    reorder(statement);
                }
            });
        }
    }
}

fn reorder(value: &mut Value) {
    match value {
        Value::Array(all) => {
            all.reverse();
            if let [single] = all.as_mut_slice() {
                *value = single.take();
            }
        }
        Value::Object(members) => members.values_mut().for_each(reorder),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn arrays_are_reversed_and_single_elements_unwrapped() {
        let mut statement = json!({ "Action": ["a", "b"], "Principal": { "AWS": ["x"] }, "Resource": "r" });
        reorder(&mut statement);
        assert_eq!(statement, json!({ "Action": ["b", "a"], "Principal": { "AWS": "x" }, "Resource": "r" }));
    }
}
