//! The last replica cannot be deleted before all writes are replicated.

use axum::body::Body;
use hyper::Response;

use super::super::refusal;
use super::{Answer, Countdown, Description, Inquiry, Key, Manner};

#[derive(Default)]
pub(super) struct TableWrites(Countdown<Key>);

impl Manner for TableWrites {
    fn description(&self) -> &'static Description {
        &Description {
            name: "table-writes",
            aws: "DeleteTable refuses the last replica for a moment after another one was removed",
            source: "terraform-provider-aws#30599: \"cannot be deleted until all writes are replicated\"",
        }
    }

    fn answer(&self, request: &Inquiry<'_>) -> Option<Response<Body>> {
        let table = request.is("dynamodb", &["DeleteTable"]).then(|| name(request))?;
        self.0.take(&request.global(&table)).then(|| {
            let message = format!(
                "The last active replica of table '{table}' in region '{}' cannot be deleted until all writes are \
                 replicated.",
                request.call.region
            );
            refusal::error(request.call, 400, "ValidationException", &message)
        })
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("dynamodb", &["UpdateTable"])
    }

    fn rewrite(&self, request: &Inquiry<'_>, answer: &mut Answer) {
        let body = request.json();
        let mut updates = body["ReplicaUpdates"].as_array().into_iter().flatten();
        if answer.status.is_success() && updates.any(|update| update["Delete"].is_object()) {
            self.0.start(request.global(&name(request)), 1);
        }
    }
}

fn name(request: &Inquiry<'_>) -> String {
    request.json()["TableName"].as_str().unwrap_or_default().to_owned()
}
