//! What could be hidden by what follows it.

use super::*;

/// The bucket keeps no versions at first, then keeps them, and then its versioning is suspended: what an export has of the
/// version `null` stays in the repository, and what replaces it is exported.
#[tokio::test]
async fn versions_without_an_id_are_exported_each() {
    let dir = tempfile::tempdir().unwrap();
    let null = |time, content| version("17578/a", "null", time, content);
    let kept = version("17578/a", "v1", 2_000, Some("kept"));
    let states = [
        vec![null(1_000, Some("one"))],
        vec![kept.clone(), null(1_000, Some("one"))],
        vec![null(3_000, Some("two")), kept.clone()],
        vec![null(4_000, Some("three")), kept.clone()],
        vec![null(5_000, None), kept.clone()],
        vec![null(5_000, None), kept.clone()],
        vec![null(6_000, Some("four")), kept],
    ];
    for versions in states {
        let source = Memory { versions: Arc::new(versions), ..Memory::default() };
        run(&source, &options(dir.path(), END), &Quiet).await.unwrap();
    }
    let log = git(dir.path(), &["log", "--reverse", "--format=%ct %s", "main"]);
    let expected = ["1000 write a", "2000 write a", "3000 write a", "4000 write a", "5000 delete a", "6000 write a"];
    assert_eq!(log.lines().collect::<Vec<_>>(), expected);
    let shown = |before: usize| git(dir.path(), &["show", &format!("main~{before}:a")]);
    assert_eq!([0, 2, 3, 4, 5].map(shown), ["four", "three", "two", "kept", "one"]);
}

/// Clients delete a file before they replace it.
#[tokio::test]
async fn deletion_is_in_a_commit_whatever_follows() {
    let dir = tempfile::tempdir().unwrap();
    let source = Memory::of(&[
        ("17578/a", 1_000, Some("one")),
        ("17578/a.part", 2_000, Some("two")),
        ("17578/a", 2_001, None),
        ("17578/a", 2_002, Some("two")),
        ("17578/a.part", 2_002, None),
        ("17578/b.part", 3_000, Some("three")),
        ("17578/b", 3_001, Some("three")),
        ("17578/b.part", 3_001, None),
        ("17578/short", 4_000, Some("four")),
        ("17578/short", 4_001, None),
    ]);
    run(&source, &options(dir.path(), END), &Quiet).await.unwrap();
    let log = git(dir.path(), &["log", "--reverse", "-M100%", "--name-status", "--format=%ct", "main"]);
    let log: Vec<&str> = log.lines().filter(|line| !line.is_empty()).collect();
    let expected = [
        "1000",
        "A\ta",
        "2001",
        "D\ta",
        "A\ta.part",
        "2002",
        "R100\ta.part\ta",
        "3001",
        "A\tb",
        "4000",
        "A\tshort",
        "4001",
        "D\tshort",
    ];
    assert_eq!(log, expected);
    let message = git(dir.path(), &["log", "-1", "--format=%B", "main~2"]);
    assert!(message.contains("write and delete b.part (versions v5 and v7)\nwrite b (version v6)\n"), "{message}");
}
