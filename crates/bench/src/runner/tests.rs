//! Runs against workers that fail and hang.

use super::*;
use crate::content::Content;
use crate::plan::{Sizes, Target};
use crate::size::Size;

struct Unwatched;

impl Watch for Unwatched {
    fn begins(&self, _: &Cell, _: usize, _: usize) {}
    fn problem(&self, _: String) {}
    fn room(&self, _: &str, _: Option<u64>) {}
    fn stops(&self) -> bool {
        false
    }
}

/// What became of ten puts and ten gets of a small file, by a worker that answers a put so, and the reasons why some were
/// not tried.
async fn with_put(answer: &str) -> (Finished, Vec<(u64, String)>) {
    let done = r#"echo '{"done":{"seconds":0.1,"bytes":0}}'"#;
    let script =
        format!("read hello; {done}; while read order; do case $order in *put*) {answer};; *) {done};; esac; done");
    let sizes = Sizes { sizes: vec![Size(1000)], content: vec![Content::Text], repeat: 10, warmup: 0, cached: false };
    let at = "/nowhere".to_owned();
    let target = Target { name: "t".into(), at, region: None, identity: None, password_file: None, ssh_config: None };
    let plan = Plan { sizes: Some(sizes), deadline: 1, give_up_after: 2, ..Plan::of(vec![target]) };
    let dir = tempfile::tempdir().unwrap();
    let (log, before) = Log::open(&dir.path().join("r.jsonl")).unwrap();
    let options = Options {
        plan,
        host: "here".into(),
        program: Program { path: "/bin/sh".into(), arguments: vec!["-c".into(), script] },
        access: BTreeMap::from([("t".to_owned(), Access::Folder { path: "/nowhere".into() })]),
        version: "0".into(),
        notes: Vec::new(),
    };
    let finished = run(&options, log, &before, &Unwatched).await.unwrap();
    let text = std::fs::read_to_string(dir.path().join("r.jsonl")).unwrap();
    let skipped = crate::record::parse(&text).unwrap().lines.into_iter().filter_map(|line| match line {
        Line::Skipped(skipped) => Some((skipped.count, skipped.reason)),
        _ => None,
    });
    (finished, skipped.collect())
}

#[tokio::test]
async fn a_target_whose_operations_are_stuck_in_a_row_is_given_up() {
    let (finished, skipped) = with_put("exec sleep 600").await;
    let reason = "given up: 2 operations in a row were stuck";
    assert_eq!((finished.operations, finished.problems), (2, 2), "{skipped:?}");
    assert_eq!(skipped.iter().map(|(count, _)| count).sum::<u64>(), 18, "{skipped:?}");
    assert!(skipped.iter().all(|(_, said)| said == reason), "{skipped:?}");
}

#[tokio::test]
async fn a_cell_whose_operations_fail_in_a_row_is_left_and_the_next_is_measured() {
    let failed = r#"echo '{"failed":{"step":"write","bytes":0,"errno":28,"message":"no","differs":false}}'"#;
    let (finished, skipped) = with_put(failed).await;
    assert_eq!(skipped.first(), Some(&(5, "it failed 5 times in a row".to_owned())), "{finished:?} {skipped:?}");
}
