//! What is told of rows that are written.

use super::*;

/// The remarks on rows, each with the organisation, the user name, the column and the reason.
fn said(review: &mut Review) -> Vec<[String; 4]> {
    let mut lines = Vec::new();
    let keep = |noted: &review::Noted| {
        let review::Noted { whose, remark, .. } = noted;
        lines.push([&whose.org_id, &whose.username, &remark.column, &remark.why].map(Clone::clone));
    };
    review.noted(keep).unwrap();
    lines
}

#[tokio::test]
async fn new_accounts_that_admit_nobody_are_counted_and_named() {
    let environment = environment("");
    let rows = vec![
        Row { expires: Some("2020-01-01".into()), ..row("1", "ended") },
        Row { regions: vec!["us-east-1".into()], ..row("2", "nowhere") },
        Row { expires: Some("2020-01-01".into()), status: Some("disabled".into()), ..row("3", "known") },
        Row { regions: vec!["us-west-2".into()], ..row("4", "jan") },
    ];
    let mut found = review(rows, &[], &options(&environment)).await;
    assert_eq!((found.counts.new, found.counts.shut_out), (4, 2), "{found:?}");
    let whose: Vec<_> = said(&mut found).into_iter().map(|[org_id, name, column, _]| (org_id, name, column)).collect();
    let expected = [("1", "ended", "expiresAt"), ("2", "nowhere", "regions")];
    assert_eq!(whose, expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
    // The second time they are what the table has, and nothing is new.
    let ended = || Row { expires: Some("2020-01-01".into()), ..row("1", "ended") };
    let items = imported(vec![ended()], &options(&environment)).await;
    assert_eq!(review(vec![ended()], &items, &options(&environment)).await.counts.shut_out, 0);
}

#[tokio::test]
async fn names_that_differ_by_case_are_named_in_the_source_and_against_the_table() {
    let environment = environment("");
    let options = options(&environment);
    let items = imported(vec![row("9", "jan"), row("8", "piet"), row("7", "Kees")], &options).await;
    // Of these, the last two have their own names in another case, or as they are.
    let rows = vec![row("1", "JAN"), row("2", "Foo"), row("3", "foo"), row("8", "Piet"), row("7", "Kees")];
    let mut found = review(rows, &items, &options).await;
    assert_eq!(found.counts.case_variants, 3, "{found:?}");
    let lines = said(&mut found);
    for (name, others) in [("JAN", "from jan,"), ("Foo", "from foo,"), ("foo", "from Foo,")] {
        let is_told = |[_, whose, _, why]: &[String; 4]| whose == name && why.contains(others);
        assert!(lines.iter().any(is_told), "{name}: {lines:?}");
    }
    assert_eq!(lines.iter().filter(|[.., why]| why.contains("only by case")).count(), 3, "{lines:?}");
}

#[tokio::test]
async fn stored_passwords_are_not_hashed_again() {
    let environment = environment("");
    let plain = |text: &str| Row { password: Password::Plain(text.into()), ..row("1", "jan") };
    let mut found = review(vec![plain(HASH)], &[], &options(&environment)).await;
    assert_eq!((found.counts.rejected, found.reasons.get(&Reason::Password)), (1, Some(&1)));
    let mut whose = Vec::new();
    found.rejected(|rejected| whose.push(rejected.whose.username.clone())).unwrap();
    assert_eq!(whose, ["jan"]);
    assert_eq!(review(vec![plain("Fake-Password-1")], &[], &options(&environment)).await.counts.new, 1);
}
