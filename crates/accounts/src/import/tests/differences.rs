//! What the report says of accounts that differ, and in which order it shows rejected rows.

use sftp_authorizer::password::legacy;

use super::super::differences::Outcome;
use super::*;

#[tokio::test]
async fn accounts_that_differ_are_named_with_what_becomes_of_them() {
    let environment = environment("");
    let options = Options { deletes: true, ..options(&environment) };
    let before = vec![row("7", "seven"), row("8", "eight"), row("9", "nine"), row("10", "ten")];
    let items = imported(before, &options).await;
    let moved = Row { home: Some("/pl-pt99-0-uploads/other".into()), ..row("7", "seven") };
    let hash = legacy("another");
    let disabled = Row { status: Some("disabled".into()), password: Password::Hash(hash.clone()), ..row("8", "eight") };
    let mut review = review(vec![moved, disabled, row("10", "ten")], &items, &options).await;
    assert_eq!((review.counts.changed, review.counts.folder_changed, review.counts.removed), (2, 1, 1));
    let mut all = Vec::new();
    review.differences(|one| all.push(one.clone())).unwrap();
    assert!(!format!("{all:?}").contains(&hash), "{all:?}");
    let found: Vec<_> = all
        .iter()
        .map(|one| (one.row, &*one.org_id, one.outcome, &*one.attributes, &*one.before, &*one.after))
        .collect();
    let home = |folder: &str| format!("/pl-pt99-0-uploads/{folder}");
    assert_eq!(
        found,
        [
            (0, "9", Outcome::Gone, "HomeDirectory", &*home("9"), ""),
            (1, "7", Outcome::Changed, "HomeDirectory", "", ""),
            (1, "7", Outcome::FolderChanged, "HomeDirectory", &*home("7"), &*home("other")),
            (2, "8", Outcome::Changed, "password, status", "", ""),
            (2, "8", Outcome::Disabled, "status", "", ""),
        ]
    );
}

/// Two organisations exchange their folders: accounts that are written together are in the report like all others.
#[tokio::test]
async fn folders_that_pass_on_are_named() {
    let environment = environment("");
    let options = options(&environment);
    let home = |org_id: &str, name: &str, folder: &str| Row {
        home: Some(format!("/pl-pt99-0-uploads/{folder}")),
        ..row(org_id, name)
    };
    let items = imported(vec![home("1", "one", "a"), home("2", "two", "b")], &options).await;
    let mut review = review(vec![home("1", "one", "b"), home("2", "two", "a")], &items, &options).await;
    let mut moved = Vec::new();
    let is_moved = |outcome| outcome == Outcome::FolderChanged;
    review.differences(|one| moved.extend(is_moved(one.outcome).then(|| (one.row, one.after.clone())))).unwrap();
    assert_eq!(moved, [(1, "/pl-pt99-0-uploads/b".to_owned()), (2, "/pl-pt99-0-uploads/a".to_owned())]);
}

#[tokio::test]
async fn the_first_rejected_rows_are_the_samples() {
    let environment = environment("");
    let rows = (1..=100).map(|id| Row {
        place: format!("line {id}"),
        cluster: Some("none".into()),
        ..row(&id.to_string(), &format!("customer{id}"))
    });
    let review = review(rows.collect(), &[], &options(&environment)).await;
    let places = review.samples["rejected"].iter().map(|sample| sample.split(':').next().unwrap());
    assert_eq!(places.collect::<Vec<_>>(), ["line 1", "line 2", "line 3", "line 4", "line 5"]);
}

#[tokio::test]
async fn a_bucket_that_is_none_of_the_environment_is_named() {
    let environment = environment("");
    let options =
        Options { rules: Rules { environment: &environment, default_cluster: None }, ..options(&environment) };
    for (home, is_named) in [("/other-bucket/x", true), ("/home/x", false), ("/a-b", false)] {
        let row = Row { home: Some(home.into()), ..row("1", "jan") };
        let review = review(vec![row], &[], &options).await;
        let sample = &review.samples["rejected"][0];
        assert!(sample.contains("no cluster: pass --cluster NAME"), "{sample}");
        assert_eq!(sample.contains("`other-bucket` is the bucket of no cluster"), is_named, "{sample}");
    }
}
