//! A server is in its VPC before DescribeServer shows its VPC endpoint.

use super::{Answer, Countdown, Description, Inquiry, Key, Manner};

/// Calls of DescribeServer without the endpoint.
const CALLS: u32 = 2;

#[derive(Default)]
pub(super) struct VpcEndpointPropagation(Countdown<Key>);

impl Manner for VpcEndpointPropagation {
    fn description(&self) -> &'static Description {
        &Description {
            name: "vpc-endpoint-propagation",
            aws: "DescribeServer shows the VPC endpoint of a server a while after the server is in its VPC",
            source: "terraform-provider-aws#17188 (vpc_endpoint_id was empty after the creation); its server.go waits for the \
                     endpoint",
        }
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("transfer", &["CreateServer", "UpdateServer", "DescribeServer"])
    }

    fn rewrite(&self, request: &Inquiry<'_>, answer: &mut Answer) {
        if !answer.status.is_success() {
            return;
        }
        let body = request.json();
        if request.call.operation != "DescribeServer" {
            if body["EndpointType"] == "VPC" {
                let told: serde_json::Value = serde_json::from_str(&answer.text).unwrap_or_default();
                self.0.start(request.here(told["ServerId"].as_str().unwrap_or_default()), CALLS);
            }
            return;
        }
        let server = body["ServerId"].as_str().unwrap_or_default();
        if self.0.take(&request.here(server)) {
            answer.change_json(|answer| {
                if let Some(details) = answer["Server"]["EndpointDetails"].as_object_mut() {
                    details.remove("VpcEndpointId");
                }
            });
        }
    }
}
