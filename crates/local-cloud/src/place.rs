//! The account and region of a resource.

/// An account and a region, which together separate servers on AWS.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Twelve digits.
    pub(crate) account: String,
    /// For example `us-west-2`.
    pub(crate) region: String,
}

/// The ARN of a Transfer server.
pub(crate) fn arn(place: &Place, id: &str) -> String {
    of_transfer(place, "server", id)
}

/// The ARN of a workflow of Transfer Family.
pub(crate) fn workflow_arn(place: &Place, id: &str) -> String {
    of_transfer(place, "workflow", id)
}

fn of_transfer(place: &Place, kind: &str, id: &str) -> String {
    let partition = match place.region.as_str() {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    format!("arn:{partition}:transfer:{}:{}:{kind}/{id}", place.region, place.account)
}
