//! Fingerprints of host keys end with base64's padding.

use serde_json::Value;

use super::{Answer, Description, Inquiry, Manner};

pub(super) struct FingerprintPadding;

impl Manner for FingerprintPadding {
    fn description(&self) -> &'static Description {
        &Description {
            name: "fingerprint-padding",
            aws: "DescribeServer and ListHostKeys return SHA-256 fingerprints of host keys with base64 padding, which \
                  OpenSSH leaves out",
            source: "terraform-provider-aws internal/service/transfer/server_test.go; recorded: cloud-custodian \
                     test_transfer_server, five answers",
        }
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("transfer", &["DescribeServer", "ListHostKeys", "DescribeHostKey"])
    }

    fn rewrite(&self, _request: &Inquiry<'_>, answer: &mut Answer) {
        answer.change_json(pad);
    }
}

fn pad(value: &mut Value) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(pad),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text)
                        if name.contains("Fingerprint") && text.starts_with("SHA256:") && !text.ends_with('=') =>
                    {
                        text.push('=');
                    }
                    member => pad(member),
                }
            }
        }
        _ => {}
    }
}
