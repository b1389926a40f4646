//! What Amazon S3 Files needs for the file systems of a region. Their role is part of the stack, and what a deployment
//! needs to create them is among the simulated permissions. The policy `reader` allows no calls of EC2 for them: of
//! subnets and security groups the hint says what has to hold, with the call that shows it.

use sftpctl_aws::{Aws, AwsError};
use sftpctl_core::check::{Check, Definition};
use sftpctl_core::spec::names;
use sftpctl_core::spec::s3_files::FileSystem;

use super::Probe;
use super::subject::{Subject, unread};

pub(super) fn probes(subject: &Subject) -> Vec<Probe<'_>> {
    let Some(aws) = subject.aws() else { return Vec::new() };
    let environment = &subject.environment;
    let has_one = |region: &&String| environment.s3_files.keys().any(|cluster| environment.is_in(cluster, region));
    let regions = environment.regions.keys().filter(has_one);
    regions.map(|region| Probe::new(&Definition::S3_FILES, Some(region), examine(subject, aws, region))).collect()
}

async fn examine(subject: &Subject, aws: &Aws, region: &str) -> Check {
    let environment = &subject.environment;
    let mut found = Vec::new();
    for (cluster, system) in &environment.s3_files {
        if !environment.is_in(cluster, region) {
            continue;
        }
        let bucket = names::upload_bucket(environment, cluster);
        match keeps_versions(aws, region, &bucket, &environment.account).await {
            Ok(versions) => found.push((bucket, versions, system)),
            Err(error) => return unread(&Definition::S3_FILES, Some(region), &error),
        }
    }
    judge(region, &found)
}

/// Whether a bucket keeps versions; `None` if it does not exist yet.
async fn keeps_versions(aws: &Aws, region: &str, bucket: &str, account: &str) -> Result<Option<bool>, AwsError> {
    match aws.s3(region).is_versioned(bucket, account).await {
        Ok(is) => Ok(Some(is)),
        Err(error) if error.is("NoSuchBucket") || error.status == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file system needs a bucket that keeps versions (S3 user guide, "Prerequisites for S3 Files"). Its mount targets
/// have one subnet in each availability zone at most, all of one VPC, which is that of the security groups.
fn judge(region: &str, systems: &[(String, Option<bool>, &FileSystem)]) -> Check {
    let of = &Definition::S3_FILES;
    if let Some((bucket, ..)) = systems.iter().find(|(_, versions, _)| *versions == Some(false)) {
        return Check::failed(of, Some(region), format!("{bucket} keeps no versions now, which Amazon S3 Files needs"))
            .hint(format!(
                "aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled --region {region}"
            ));
    }
    let ids = |of: fn(&FileSystem) -> &Vec<String>| {
        let mut all: Vec<&str> = systems.iter().flat_map(|(_, _, system)| of(system)).map(String::as_str).collect();
        all.sort_unstable();
        all.dedup();
        all.join(" ")
    };
    let (subnets, groups) = (ids(|system| &system.subnets), ids(|system| &system.security_groups));
    let new = systems.iter().filter(|(_, versions, _)| versions.is_none()).count();
    let buckets = match new {
        0 => "the buckets keep versions",
        _ => "the buckets keep versions, or are created so",
    };
    Check::unknown(of, Some(region), format!("{buckets}; subnets and security groups were not read")).hint(
        format!(
            "the subnets of a file system must be of different availability zones and one VPC, that of the security groups, which \
             admit the servers to port 2049: aws ec2 describe-subnets --subnet-ids {subnets} --region {region}; \
             aws ec2 describe-security-groups --group-ids {groups} --region {region}"
        ),
    )
}

#[cfg(test)]
mod tests {
    use sftpctl_core::check::Status;

    use super::*;

    #[test]
    fn a_file_system_needs_a_bucket_that_keeps_versions() {
        let system = |subnet: &str| FileSystem { subnets: vec![subnet.into()], security_groups: vec!["sg-1".into()] };
        let (one, two) = (system("subnet-2"), system("subnet-1"));
        let of = |versions| judge("us-west-2", &[("a".into(), Some(true), &one), ("b".into(), versions, &two)]);
        let suspended = of(Some(false));
        assert_eq!((suspended.status, suspended.evidence.starts_with("b keeps no versions")), (Status::Failed, true));
        assert!(suspended.hint.unwrap().contains("put-bucket-versioning --bucket b "));
        for (versions, words) in [(Some(true), "the buckets keep versions;"), (None, "or are created so;")] {
            let check = of(versions);
            assert!(check.status == Status::Unknown && check.evidence.contains(words), "{check:?}");
            let hint = check.hint.unwrap();
            for words in ["--subnet-ids subnet-1 subnet-2 --region us-west-2", "--group-ids sg-1 ", "port 2049"] {
                assert!(hint.contains(words), "{words}: {hint}");
            }
        }
    }
}
