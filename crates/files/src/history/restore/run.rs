//! Plans a restoration, and carries it out.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt as _;
use sftpctl_aws::{AwsError, PRECONDITION_FAILED, VersionHead};

use super::plan::{Action, Step, Verdict, verdict};
use crate::history::listing::{ListError, Versions};
use crate::history::selection::Selection;
use crate::history::show::Which;
use crate::history::source::Bucket;
use sftpctl_sorter::{Sorted, Sorter};

/// Bytes that S3 copies with one call (S3 API reference, CopyObject).
pub const SINGLE_COPY: u64 = 5 << 30;
/// Parts of an object at most.
const PARTS: u64 = 10_000;
/// Files that are restored at once.
const AT_ONCE: usize = 16;
/// Steps of a plan that are shown.
const SHOWN: usize = 20;
/// Files that were kept or failed whose keys and reasons are kept; the others are counted.
const REASONS: usize = 1_000;

/// What a restoration is going to do.
pub struct Plan {
    steps: Sorted<Step>,
    pub summary: Summary,
}

#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Files that get another content, or exist again.
    pub copied: u64,
    pub bytes: u64,
    pub removed: u64,
    /// Files that are as they were.
    pub same: u64,
    /// Files that did not exist then, and are kept.
    pub kept: u64,
    /// Files that neither exist nor did then.
    pub absent: u64,
    /// The first steps.
    pub samples: Vec<Step>,
}

impl Summary {
    /// Files that change.
    pub fn changes(&self) -> u64 {
        self.copied + self.removed
    }

    fn add(&mut self, step: &Step) {
        match &step.action {
            Action::Copy { size, .. } => (self.copied, self.bytes) = (self.copied + 1, self.bytes + size),
            Action::Remove => self.removed += 1,
        }
        if self.samples.len() < SHOWN {
            self.samples.push(step.clone());
        }
    }
}

/// What a restoration did.
#[derive(Debug, Default)]
pub struct Restored {
    pub copied: u64,
    pub removed: u64,
    /// Keys of files that were changed since the plan, and are kept as they are now: the first ones, and the count of all.
    pub overtaken: Vec<String>,
    pub overtaken_count: u64,
    /// The first ones, and the count of all.
    pub failed: Vec<(String, AwsError)>,
    pub failed_count: u64,
    /// Whether it ended before its time, since no call could succeed with these credentials.
    pub is_refused: bool,
    pub interrupted: bool,
}

impl Restored {
    fn add(&mut self, step: Step, result: Result<bool, AwsError>) {
        match (step.action, result) {
            (Action::Copy { .. }, Ok(true)) => self.copied += 1,
            (Action::Remove, Ok(true)) => self.removed += 1,
            (_, Ok(false)) => {
                self.overtaken_count += 1;
                if self.overtaken.len() < REASONS {
                    self.overtaken.push(step.key);
                }
            }
            (_, Err(error)) => {
                self.failed_count += 1;
                self.is_refused |= error.is_credentials() || error.is_clock();
                if self.failed.len() < REASONS {
                    self.failed.push((step.key, error));
                }
            }
        }
    }
}

/// Finds out what to do.
///
/// # Errors
/// A page could not be read, or a temporary file not written.
pub async fn plan(bucket: &Bucket, selection: &Selection, which: &Which, exact: bool) -> Result<Plan, ListError> {
    let mut versions = Versions::of(bucket.clone(), selection.prefix());
    let (mut summary, mut steps) = (Summary::default(), Sorter::new());
    while let Some(all) = versions.next_key().await? {
        if !all.first().is_some_and(|first| selection.includes(&first.key)) {
            continue;
        }
        let step = match verdict(&all, which, exact) {
            Verdict::Change(step) => step,
            Verdict::Perhaps(step) if !is_same(bucket, &step).await? => step,
            Verdict::Perhaps(_) | Verdict::Same => {
                summary.same += 1;
                continue;
            }
            Verdict::Kept => {
                summary.kept += 1;
                continue;
            }
            Verdict::Nothing => {
                summary.absent += 1;
                continue;
            }
        };
        summary.add(&step);
        steps.push(step)?;
    }
    Ok(Plan { steps: steps.sorted().map_err(ListError::from)?, summary })
}

/// Whether a version has the content that its file has now, by the checksums that S3 keeps.
async fn is_same(bucket: &Bucket, step: &Step) -> Result<bool, AwsError> {
    let Action::Copy { version, .. } = &step.action else { return Ok(false) };
    let then = bucket.s3.version_head(&bucket.name, &step.key, Some(version)).await?;
    let now = bucket.s3.version_head(&bucket.name, &step.key, None).await?;
    let sum = |head: Option<VersionHead>| head.and_then(|head| head.crc64nvme);
    Ok(match (sum(then), sum(now)) {
        (Some(then), Some(now)) => then == now,
        _ => false,
    })
}

/// Carries a plan out. A file that was changed since the plan is kept as it is. `single_copy` is [`SINGLE_COPY`].
///
/// # Errors
/// The plan's file could not be read. What fails with a file is in the result.
pub async fn run(
    bucket: &Bucket,
    plan: Plan,
    single_copy: u64,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Restored, io::Error> {
    let mut done = Restored::default();
    let is_refused = AtomicBool::new(false);
    let is_over = || stop() || is_refused.load(Ordering::Relaxed);
    let steps = futures_util::stream::iter(plan.steps).take_while(|_| std::future::ready(!is_over()));
    let mut results = std::pin::pin!(
        steps
            .map(|step| async move {
                let step = step?;
                let result = one(bucket, &step, single_copy).await;
                Ok::<_, io::Error>((step, result))
            })
            .buffer_unordered(AT_ONCE)
    );
    while let Some(result) = results.next().await {
        let (step, result) = result?;
        done.add(step, result);
        is_refused.store(done.is_refused, Ordering::Relaxed);
    }
    done.interrupted = stop();
    Ok(done)
}

/// Carries a step out. Returns false if the file was changed since the plan.
async fn one(bucket: &Bucket, step: &Step, single_copy: u64) -> Result<bool, AwsError> {
    let (s3, name, current) = (&bucket.s3, bucket.name.as_str(), step.current.as_deref());
    let result = match &step.action {
        Action::Copy { version, size } if *size <= single_copy => {
            s3.copy_version(name, &step.key, version, current).await
        }
        Action::Copy { version, size } => in_parts(bucket, step, (version, *size), single_copy).await,
        Action::Remove => s3.delete_current(name, &step.key, current.unwrap_or_default()).await,
    };
    match result {
        Ok(()) => Ok(true),
        // Overwritten, deleted, or being written just now.
        Err(error)
            if [PRECONDITION_FAILED, "NoSuchKey", "ConditionalRequestConflict"].iter().any(|code| error.is(code)) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Copies a version that is too large for one call, with its metadata.
async fn in_parts(bucket: &Bucket, step: &Step, (version, size): (&str, u64), part: u64) -> Result<(), AwsError> {
    let (s3, name, key) = (&bucket.s3, bucket.name.as_str(), step.key.as_str());
    let head = s3.version_head(name, key, Some(version)).await?.unwrap_or_default();
    let part = part.min(SINGLE_COPY / 10).max(size.div_ceil(PARTS));
    let mut upload = s3.begin_like(name, key, &head).await?;
    let parts = async {
        let mut start = 0;
        while start < size {
            let length = part.min(size - start);
            s3.add_from_version((name, key), version, &mut upload, (start, length)).await?;
            start += length;
        }
        Ok(())
    };
    let copied: Result<(), AwsError> = parts.await;
    let result = match copied {
        Ok(()) => s3.complete_over(name, key, upload.clone(), step.current.as_deref()).await,
        Err(error) => Err(error),
    };
    if result.is_err() {
        // Parts that nobody completes cost money; the bucket's lifecycle rule removes them if this fails, too.
        let _ = s3.abort(name, key, &upload).await;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_failures_are_counted_and_few_are_kept() {
        let mut done = Restored::default();
        let step = |number: u64| Step { key: number.to_string(), action: Action::Remove, current: None };
        let error = |code: &str| AwsError {
            operation: "s3:DeleteObject",
            object: "b".into(),
            code: Some(code.into()),
            message: String::new(),
            status: Some(403),
        };
        for number in 0..5_000 {
            done.add(step(number), Ok(false));
            done.add(step(number), Err(error("AccessDenied")));
        }
        assert_eq!((done.overtaken.len(), done.overtaken_count, done.failed.len()), (1_000, 5_000, 1_000));
        assert!(done.failed_count == 5_000 && !done.is_refused, "{}", done.failed_count);
        done.add(step(0), Err(error("ExpiredToken")));
        assert!(done.is_refused);
    }
}
