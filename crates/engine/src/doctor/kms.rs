//! The KMS key of the state. sftpctl has no client for KMS: S3 calls it. So only what the file says is checked, and
//! the permissions are among the simulated ones.

use sftpctl_core::check::{Check, Definition};
use sftpctl_core::spec::state_place::StatePlace;

use super::Probe;
use super::subject::Subject;

pub(super) fn probes(subject: &Subject) -> Vec<Probe<'_>> {
    let StatePlace::Bucket { region, .. } = &subject.place else { return Vec::new() };
    let Some(key) = &subject.environment.state.kms_key else { return Vec::new() };
    let region = region.as_deref().unwrap_or(&subject.environment.home_region);
    vec![Probe::new(&Definition::KMS_KEY, None, async move { judge(key, region) })]
}

/// S3 takes only keys of the bucket's region (S3 user guide, "Using server-side encryption with AWS KMS keys").
fn judge(key: &str, region: &str) -> Check {
    let of = &Definition::KMS_KEY;
    let of_arn = key.starts_with("arn:").then(|| key.split(':').nth(3).unwrap_or_default());
    match of_arn {
        Some(other) if other != region => {
            Check::failed(of, None, format!("{key} is in {other}, the bucket of the state in {region}"))
                .hint("set `state.kms_key` to a key in the bucket's region")
        }
        _ => Check::unknown(of, None, "sftpctl does not call KMS")
            .hint(format!("its KeyState must be Enabled: aws kms describe-key --key-id {key} --region {region}")),
    }
}

#[cfg(test)]
mod tests {
    use sftpctl_core::check::Status;

    use super::*;

    #[test]
    fn a_key_is_in_the_buckets_region() {
        let arn = "arn:aws:kms:eu-west-1:111111111111:key/00000000-0000-0000-0000-000000000000";
        assert_eq!(judge(arn, "us-west-2").status, Status::Failed);
        assert_eq!(judge(arn, "eu-west-1").status, Status::Unknown);
        assert_eq!(judge("alias/state", "us-west-2").status, Status::Unknown);
    }
}
