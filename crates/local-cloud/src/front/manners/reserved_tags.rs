//! Tags that begin with `aws:` are AWS's own.

use axum::body::Body;
use hyper::Response;

use super::super::refusal;
use super::{Description, Inquiry, Manner};

pub(super) struct ReservedTags;

impl Manner for ReservedTags {
    fn description(&self) -> &'static Description {
        &Description {
            name: "reserved-tags",
            aws: "CreateServer refuses tags whose keys begin with `aws:`; TagResource takes the two of custom host names",
            source: "terraform-provider-aws#6956 and #27131: the provider never sends them to CreateServer, and its test \
                     TestAccTransferTag_aws passes TagResource; that AWS refuses them at CreateServer is an assumption",
        }
    }

    fn answer(&self, request: &Inquiry<'_>) -> Option<Response<Body>> {
        let reserved = request.is("transfer", &["CreateServer"]) && {
            let body = request.json();
            let keys = body["Tags"].as_array().into_iter().flatten().filter_map(|tag| tag["Key"].as_str());
            keys.into_iter().any(|key| key.to_ascii_lowercase().starts_with("aws:"))
        };
        reserved.then(|| {
            let message = "aws: prefixed tag key names are not allowed for external use.";
            refusal::error(request.call, 400, "InvalidRequestException", message)
        })
    }
}
