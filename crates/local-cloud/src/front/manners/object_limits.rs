//! S3 limits the length of a key and of an object's own metadata.

use axum::body::Body;
use hyper::Response;

use super::super::{operation, refusal};
use super::{Description, Inquiry, Manner};

/// Bytes of a key in UTF-8 (S3 user guide, "Naming Amazon S3 objects").
const KEY: usize = 1024;
/// Bytes of the names and values of an object's own metadata, without their prefix (S3 user guide, "Working with object
/// metadata").
const METADATA: usize = 2048;
const PREFIX: &str = "x-amz-meta-";

pub(super) struct ObjectLimits;

impl Manner for ObjectLimits {
    fn description(&self) -> &'static Description {
        &Description {
            name: "object-limits",
            aws: "A key of more than 1,024 bytes is refused with KeyTooLongError, and more than 2 KB of an object's own \
                  metadata with MetadataTooLarge",
            source: "S3 user guide, \"Naming Amazon S3 objects\" and \"Working with object metadata\"; S3 API reference, \
                     \"Error responses\"",
        }
    }

    fn answer(&self, request: &Inquiry<'_>) -> Option<Response<Body>> {
        request.call.object.as_ref()?;
        let key = operation::object(request.parts)?;
        if percent_encoding::percent_decode_str(&key).count() > KEY {
            return Some(refusal::error(request.call, 400, "KeyTooLongError", "Your key is too long"));
        }
        let metadata = request.parts.headers.iter().filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix(PREFIX)?;
            Some(name.len() + value.len())
        });
        let writes = request.is("s3", &["CopyObject", "CreateMultipartUpload", "PutObject"]);
        (writes && metadata.sum::<usize>() > METADATA).then(|| {
            let message = "Your metadata headers exceed the maximum allowed metadata size";
            refusal::error(request.call, 400, "MetadataTooLarge", message)
        })
    }
}
