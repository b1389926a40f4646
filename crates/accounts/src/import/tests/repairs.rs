//! Items that nobody can log in with.

use super::*;

/// The reasons of the rejected rows.
fn reasons(review: &mut Review) -> Vec<String> {
    let mut reasons = Vec::new();
    review.rejected(|fault| reasons.push(fault.reason.clone())).unwrap();
    reasons
}

fn changes(review: &mut Review) -> Vec<(Vec<String>, bool)> {
    let changes = review.changed.all().take(100).unwrap();
    changes.into_iter().map(|change| (change.attributes, change.is_newer)).collect()
}

#[tokio::test]
async fn a_malformed_item_is_never_the_same_and_is_repaired_when_asked() {
    let environment = environment("");
    let own = options(&environment);
    let overwriting = Options { overwrite: true, ..own.clone() };
    let text = |text: &str| Some(Attribute::Text(text.into()));
    for (name, value, words) in [
        ("status", text("on"), "the attribute status is neither active nor disabled"),
        ("allowedSources", Some(Attribute::Texts(vec!["10.0.0.0/33".into()])), "contains an invalid address range"),
        ("expiresAt", text("31.12.2026"), "the attribute expiresAt is not a time"),
        ("HomeDirectory", text("home"), "the attribute HomeDirectory is not /<bucket>/<folder>"),
        ("password", None, "the attribute password is missing"),
        ("createdAt", Some(Attribute::Other), "the attribute createdAt is not a string"),
        ("username", None, "the attribute username is missing"),
    ] {
        for is_edited in [false, true] {
            let mut held = imported(vec![row("1", "jan")], &own).await;
            match &value {
                Some(value) => held[0].insert(name.to_owned(), value.clone()),
                None => held[0].remove(name),
            };
            if is_edited {
                held[0].insert("updatedAt".into(), Attribute::Text("t2".into()));
            }
            let mut found = review(vec![row("1", "jan")], &held, &own).await;
            assert_eq!((found.counts.same, found.counts.new, found.counts.rejected), (0, 0, 1), "{name}: {found:?}");
            assert_eq!(found.reasons.get(&Reason::MalformedItem), Some(&1));
            let why = reasons(&mut found);
            assert!(why[0].contains(words) && why[0].contains("pass --overwrite"), "{why:?}");
            let mut found = review(vec![row("1", "jan")], &held, &overwriting).await;
            assert_eq!((found.counts.changed, found.counts.rejected), (1, 0), "{name}: {found:?}");
            assert_eq!(changes(&mut found), [(vec![name.to_owned()], is_edited)], "{name}");
            // What the row has, too, if it has changed.
            let moved = Row { status: Some("disabled".into()), ..row("1", "jan") };
            let mut found = review(vec![moved], &held, &overwriting).await;
            let mut expected = vec![name.to_owned()];
            expected.extend((name != "status").then(|| "status".to_owned()));
            assert_eq!(changes(&mut found), [(expected, false)], "{name}");
        }
    }
}

/// To remove a list of addresses that cannot be read would admit everybody.
#[tokio::test]
async fn what_the_source_does_not_decide_on_is_not_repaired() {
    let environment = environment("");
    let overwriting = Options { overwrite: true, ..options(&environment) };
    let mut held = imported(vec![row("1", "jan")], &overwriting).await;
    held[0].insert("allowedSources".into(), Attribute::Texts(vec!["x".into()]));
    let mut rows = Given(vec![row("1", "jan")]);
    let key = TableKey::of(&environment);
    let mut terms = review::terms(&rows, &overwriting);
    terms.attributes.retain(|name| *name != "allowedSources");
    let read = reading::read(&mut rows, &overwriting, &terms, key, &Silent).await.unwrap();
    let mut table = Held::new().unwrap();
    held::hold(&mut table, &held[0], key).unwrap();
    let found = review::compared(read, table, Vec::new(), &overwriting, (&terms, key), &Silent).await;
    let why = reasons(&mut found.unwrap());
    assert!(why[0].contains("give it a column `allowed`"), "{why:?}");
}
