//! AWS's commercial regions that have all the services: Transfer Family, DynamoDB global tables and others. Pure.

/// The partition `aws` only: China and GovCloud have other endpoints, ARNs and accounts, which sftpctl does not serve.
pub(super) const REGIONS: [&str; 31] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
];

/// The rest of the list: the United States.
pub(super) const US_REGIONS: [&str; 3] = ["us-east-2", "us-west-1", "us-west-2"];

/// Whether the region exists.
pub(super) fn exists(name: &str) -> bool {
    REGIONS.contains(&name) || US_REGIONS.contains(&name)
}

/// The region whose name is most similar.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    crate::text::nearest(name, REGIONS.iter().chain(&US_REGIONS).copied())
}
