//! Exports versions from memory into a new git repository, and prints the time: what remains if S3 takes none. For
//! benches/history.py.
//!
//!     cargo run --release -p sftpctl-files --example history-export -- 100000

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement ends by panicking, and prints its result")]

use std::time::Instant;

use sftpctl_aws::{AwsError, VersionFacts, VersionMarker, VersionPage};
use sftpctl_files::history::export::run::{Options, Progress, Watch, run};
use sftpctl_files::history::source::{FetchError, Source, Wanted};

/// Files of each customer, and bytes of a version.
const FILES: u64 = 20;
const BYTES: u64 = 4_096;

/// A bucket of so many versions. Each customer writes a file every minute, then pauses for an hour.
#[derive(Clone)]
struct Memory(u64);

impl Source for Memory {
    async fn page(&self, _prefix: &str, _from: Option<&VersionMarker>) -> Result<VersionPage, AwsError> {
        let per_file = self.0 / (FILES * 10);
        let keys = (0..10 * FILES).map(|file| format!("{}/in/{:03}.csv", 17_570 + file / FILES, file % FILES));
        let versions = keys.enumerate().flat_map(|(file, key)| {
            (0..per_file).rev().map(move |number| VersionFacts {
                key: key.clone(),
                id: format!("v{number:031}"),
                modified: i64::try_from(1_700_000_000 + number * 3_600 + file as u64 % FILES * 60).unwrap(),
                size: BYTES,
                etag: format!("{file:016}{number:016}"),
                deleted: false,
                latest: number + 1 == per_file,
            })
        });
        Ok(VersionPage { versions: versions.collect(), next: None })
    }

    async fn content(&self, wanted: Wanted) -> Result<Vec<u8>, FetchError> {
        let line = format!("{} {}\n", wanted.key, wanted.version);
        let size = usize::try_from(wanted.size).unwrap();
        Ok(line.bytes().cycle().take(size).collect())
    }

    async fn sha256(&self, _wanted: Wanted) -> Result<String, FetchError> {
        Ok(String::new())
    }
}

struct Silent;

impl Watch for Silent {
    fn progress(&self, _progress: Progress) {}
    fn stop(&self) -> bool {
        false
    }
}

fn main() {
    let versions = std::env::args().nth(1).map_or(20_000, |text| text.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        dir: dir.path().join("repository"),
        bucket: "bucket".to_owned(),
        home: String::new(),
        quiet: 300,
        max_blob: 50 << 20,
        until: i64::MAX / 2,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let began = Instant::now();
    let done = runtime.block_on(run(&Memory(versions), &options, &Silent)).unwrap();
    let seconds = began.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or(" unknown").trim();
    let (exported, commits) = (done.progress.exported, done.progress.commits);
    println!("{}", serde_json::json!({ "versions": exported, "commits": commits, "seconds": seconds, "peak": peak }));
}
