//! The page of a report on paper, by a real Chromium.

use serde_json::Value;

use super::sftpctl;
use crate::site::{oracle, succeeded, tool};

/// What `paper.py` says of a page.
fn on_paper(page: &std::path::Path) -> Value {
    tool("chromium-headless-shell", "chromium-headless-shell");
    let address = format!("file://{}", page.canonicalize().unwrap().display());
    let output = tool("python3", "python3").arg(oracle("paper.py")).arg(address).output().unwrap();
    serde_json::from_str(&succeeded("paper.py", &output)).unwrap()
}

/// Names as long as those of real machines and folders, two machines, both tests, and a target that is not there.
#[test]
fn a_page_fits_on_paper_with_long_names() {
    let dir = tempfile::tempdir().unwrap();
    let folder = "a-very-long-name-of-a-folder-on-an-application-server/that-goes-on-and-on/".repeat(3);
    let target = dir.path().join(&folder);
    std::fs::create_dir_all(&target).unwrap();
    let plan = format!(
        "version: 1\ntargets: {{ mount-of-the-uploads-on-app-1: {{ at: '{}' }}, second: {{ at: '/nowhere/{folder}' }} }}\n\
         sizes: {{ sizes: [1KB, 1500KB], content: [text, binary], repeat: 7 }}\n\
         threads: {{ sizes: [100KB], threads: [1, 4], iterations: 8 }}\n",
        target.display()
    );
    std::fs::write(dir.path().join("plan.yaml"), plan).unwrap();
    for host in ["application-server-number-1.example.com", "application-server-number-2.example.com"] {
        let results = format!("{host}.jsonl");
        let run = ["bench", "run", "--plan", "plan.yaml", "--host-name", host, "--results", &results];
        assert_eq!(sftpctl(dir.path(), &run).output().unwrap().status.code(), Some(6), "the second is not there");
    }
    let one = "application-server-number-1.example.com.jsonl";
    let merge = ["bench", "merge", one, &one.replace('1', "2"), "--into", "all.jsonl"];
    succeeded("merge", &sftpctl(dir.path(), &merge).output().unwrap());
    for (results, page, most) in [("all.jsonl", "all.html", 10), ("2019", "2019.html", 4)] {
        let report = ["bench", "report", results, "--html", page];
        succeeded(results, &sftpctl(dir.path(), &report).output().unwrap());
        let found = on_paper(&dir.path().join(page));
        assert_eq!((&found["wide"], &found["cut"]), (&serde_json::json!([]), &serde_json::json!([])), "{found}");
        let pages = found["pages"].as_u64().unwrap();
        assert!((1..=most).contains(&pages), "{page} has {pages} pages");
    }
}
