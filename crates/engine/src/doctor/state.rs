//! Where the state is, and whether another run is at work.

use sftpctl_aws::Aws;
use sftpctl_core::check::{Check, Definition};
use sftpctl_core::spec::state_place::StatePlace;

use super::Probe;
use super::subject::{Subject, unread};
use crate::run;

pub(super) fn probes(subject: &Subject) -> Vec<Probe<'_>> {
    let Some(aws) = subject.aws() else { return Vec::new() };
    vec![
        Probe::new(&Definition::STATE, None, place(subject, aws)),
        Probe::new(&Definition::LOCK, None, lock(subject, aws)),
    ]
}

async fn place(subject: &Subject, aws: &Aws) -> Check {
    let of = &Definition::STATE;
    if let Err((why, hint)) = subject.read_state().await {
        let check = Check::failed(of, None, why.clone());
        return match hint {
            Some(hint) => check.hint(hint.clone()),
            None => check,
        };
    }
    let StatePlace::Bucket { bucket, region, .. } = &subject.place else {
        return Check::ok(of, None, format!("the folder {}, which other machines do not see", subject.place));
    };
    let s3 = aws.s3(region.as_deref().unwrap_or(&subject.environment.home_region));
    match s3.is_versioned(bucket, &subject.environment.account).await {
        Ok(true) => Check::ok(of, None, format!("{}, with versions", subject.place)),
        Ok(false) => Check::failed(of, None, format!("the bucket {bucket} does not keep versions")).hint(format!(
            "aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled"
        )),
        Err(error) => unread(of, None, &error),
    }
}

async fn lock(subject: &Subject, aws: &Aws) -> Check {
    let of = &Definition::LOCK;
    let store = run::store(aws, &subject.environment, &subject.place);
    match store.lock().read().await {
        Err(error) => Check::unknown(of, None, error.to_string()),
        Ok(Some((lease, _))) if !lease.released => {
            Check::warning(of, None, format!("{}; last renewed {}", lease.holder.describe(), lease.renewed))
                .hint("wait for that run; the lock of a killed run expires")
        }
        Ok(_) => Check::ok(of, None, "free"),
    }
}
