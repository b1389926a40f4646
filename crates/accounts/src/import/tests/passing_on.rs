//! Names and home folders that pass from one account to another.

use super::*;

/// The accounts of each chain, by organisation; and its form.
fn chains(review: &Review) -> Vec<(Vec<String>, Form)> {
    let name = |step: &Step| match step {
        Step::New(wanted) => format!("+{}", wanted.org_id),
        Step::Changed(change) => super::super::wanted::org_id(&change.row).unwrap_or_default().to_string(),
    };
    let mut chains: Vec<_> =
        review.chains.iter().map(|chain| (chain.steps.iter().map(name).collect::<Vec<_>>(), chain.form)).collect();
    chains.sort_by(|one, other| one.0.cmp(&other.0));
    chains
}

fn words(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn names_that_pass_from_one_to_another_are_written_in_their_order() {
    let environment = environment("");
    let options = options(&environment);
    let rows = ["anna", "bert", "carl", "dora", "emil", "fritz"].iter().zip(1..);
    let held = imported(rows.map(|(name, id)| row(&id.to_string(), name)).collect(), &options).await;
    // 3 takes a free name, 2 that of 3, 1 that of 2; 4 and 5 exchange theirs; 7 is new, and gets the name of 6.
    let rows =
        [("1", "bert"), ("2", "carl"), ("3", "charles"), ("4", "emil"), ("5", "dora"), ("6", "fred"), ("7", "fritz")];
    let found = review(rows.map(|(id, name)| row(id, name)).to_vec(), &held, &options).await;
    assert_eq!((found.counts.new, found.counts.changed, found.counts.rejected), (1, 6, 0), "{found:?}");
    let expected = [(&["3", "2", "1"][..], Form::Line), (&["4", "5"], Form::Circle), (&["6", "+7"], Form::Line)];
    assert_eq!(chains(&found), expected.map(|(names, form)| (words(names), form)));
    assert_eq!(found.changed.count(), 0);
}

#[tokio::test]
async fn a_departed_customers_name_passes_on_if_its_account_is_deleted() {
    let environment = environment("");
    let keeping = options(&environment);
    let deleting = Options { deletes: true, ..keeping.clone() };
    let rows = ["anna", "bert", "carl"].iter().zip(1..);
    let held = imported(rows.map(|(name, id)| row(&id.to_string(), name)).collect(), &keeping).await;
    // 1 is gone; 2 gets its name, and the new 4 that of 2.
    let rows = vec![row("2", "anna"), row("3", "carl"), row("4", "bert")];
    let found = review(rows.clone(), &held, &deleting).await;
    let counts = found.counts;
    assert_eq!((counts.removed, counts.changed, counts.new, counts.rejected), (1, 1, 1, 0), "{found:?}");
    assert_eq!((found.after_deletions.len(), found.chains.len(), found.changed.count()), (1, 0, 0));
    let kept = review(rows.clone(), &held, &keeping).await;
    assert_eq!((kept.counts.removed, kept.counts.changed, kept.counts.rejected), (0, 0, 2));
    // A row that may be about it is rejected: it is not deleted, and keeps its name.
    let doubtful = Row { cluster: Some("no".into()), ..row("1", "anna.new") };
    let spared = review(rows.into_iter().chain([doubtful]).collect(), &held, &deleting).await;
    assert_eq!((spared.counts.removed, spared.counts.changed, spared.counts.rejected), (0, 0, 3), "{spared:?}");
}

/// An account with another name is another account there: names pass on with the deletion of the old ones.
#[tokio::test]
async fn names_pass_on_by_deletions_where_an_organisation_has_several_accounts() {
    let environment = environment("accounts: { per_organisation: many }");
    let keeping = options(&environment);
    let deleting = Options { deletes: true, ..keeping.clone() };
    let held = imported(vec![row("1", "anna"), row("1", "bert"), row("2", "carl"), row("3", "dora")], &keeping).await;
    // 1 and 2 exchange a name, and the new 4 gets that of 3.
    let rows = vec![row("1", "anna"), row("1", "carl"), row("2", "bert"), row("4", "dora")];
    let mut found = review(rows.clone(), &held, &deleting).await;
    let counts = found.counts;
    assert_eq!((counts.same, counts.new, counts.removed, counts.rejected), (1, 3, 3, 0), "{found:?}");
    assert_eq!((found.after_deletions.len(), found.new.count()), (3, 0));
    assert_eq!(found.samples["same"], ["anna (organisation 1)"]);
    found = review(rows.clone(), &held, &keeping).await;
    assert_eq!((found.counts.new, found.counts.rejected), (0, 3));
    let mut reasons = Vec::new();
    found.rejected(|fault| reasons.push(fault.reason.clone())).unwrap();
    assert_eq!(reasons[0], format!("organisation 2 has this user name in the table{DEPARTED}"));
    // An account that somebody has changed since its import keeps its name.
    let mut newer = held.clone();
    let dora = newer.iter_mut().find(|item| item["username"] == Attribute::Text("dora".into()));
    dora.unwrap().insert("updatedAt".into(), Attribute::Text("t2".into()));
    let kept = review(rows, &newer, &deleting).await.counts;
    assert_eq!((kept.new, kept.removed, kept.removed_but_newer, kept.rejected), (2, 2, 1, 1), "{kept:?}");
}

#[tokio::test]
async fn names_that_are_reserved_for_accounts_that_are_gone_are_found() {
    for added in ["", "accounts: { per_organisation: many }"] {
        let environment = environment(added);
        let keeping = options(&environment);
        let deleting = Options { deletes: true, ..keeping.clone() };
        let mut held = imported(vec![row("1", "anna"), row("2", "bert")], &keeping).await;
        let key = TableKey::of(&environment);
        let of = |org_id: &str, name: &str| key.reservation(name, Attribute::Number(org_id.into()));
        // Its own, of another name of its organisation, of an organisation without an account, and of a removed one.
        held.extend([of("1", "anna"), of("1", "alice"), of("3", "carl"), of("4", "dora")]);
        held[5].insert("removedAt".into(), Attribute::Text("t2".into()));
        // A killed import has left that of an account which this one adds.
        held.push(of("5", "eva"));
        let rows = || vec![row("1", "anna"), row("2", "bert"), row("5", "eva")];
        let found = review(rows(), &held, &deleting).await;
        let mut stale = found.samples["stale-reservations"].clone();
        stale.sort();
        assert_eq!(stale, ["alice (organisation 1)", "carl (organisation 3)"], "{added}");
        assert_eq!((found.counts.stale_reservations, found.reserved.count()), (2, 2));
        assert_eq!(review(rows(), &held, &keeping).await.counts.stale_reservations, 0);
    }
}

#[tokio::test]
async fn a_name_that_does_not_become_free_is_rejected_with_all_that_wait_for_it() {
    let environment = environment("");
    let options = options(&environment);
    let rows = ["anna", "bert", "carl", "dora"].iter().zip(1..);
    let held = imported(rows.map(|(name, id)| row(&id.to_string(), name)).collect(), &options).await;
    // 3 stays, so that 2 cannot take its name, nor 1 that of 2; the row of 4 is rejected by itself.
    let rows = [row("1", "bert"), row("2", "carl"), row("4", "x"), row("5", "dora")];
    for stays in [None, Some(row("3", "carl.new")), Some(Row { cluster: Some("no".into()), ..row("3", "carl.new") })] {
        let is_departed = stays.is_none();
        let is_free = stays.as_ref().is_some_and(|row| row.cluster.is_none());
        let mut found = review(rows.iter().cloned().chain(stays).collect(), &held, &options).await;
        let mut reasons = Vec::new();
        found.rejected(|fault| reasons.push((fault.row, fault.reason.clone()))).unwrap();
        let expect =
            |row: u64, words: &str| assert!(reasons.iter().any(|(of, why)| *of == row && why == words), "{reasons:?}");
        expect(4, "organisation 4 has this user name in the table");
        if is_free {
            assert_eq!((found.counts.changed, found.counts.rejected), (3, 2), "{reasons:?}");
        } else {
            let delete = if is_departed { DEPARTED } else { "" };
            expect(2, &format!("organisation 3 has this user name in the table{delete}"));
            let why = "organisation 2 has this user name in the table, and its own row, which gives it up, is rejected";
            expect(1, why);
            assert_eq!(found.counts.changed, 0);
        }
        assert_eq!(found.counts.removed, 0, "{found:?}");
    }
}

#[tokio::test]
async fn only_so_many_accounts_exchange_their_names_at_once() {
    let environment = environment("");
    let options = options(&environment);
    for (size, is_taken) in [(moves::AT_ONCE, true), (moves::AT_ONCE + 1, false)] {
        let name = |number: usize| format!("name{number}");
        let held = imported((0..size).map(|at| row(&(at + 1).to_string(), &name(at))).collect(), &options).await;
        let circle = (0..size).map(|at| row(&(at + 1).to_string(), &name((at + 1) % size)));
        let found = review(circle.collect(), &held, &options).await;
        let taken = if is_taken { size as u64 } else { 0 };
        assert_eq!((found.counts.changed, found.counts.rejected), (taken, size as u64 - taken));
        // A chain may be of any length.
        let chain = (0..size).map(|at| row(&(at + 1).to_string(), &name(at + 1)));
        let found = review(chain.collect(), &held, &options).await;
        assert_eq!((found.counts.changed, found.counts.rejected, found.chains.len()), (size as u64, 0, 1));
    }
}

#[tokio::test]
async fn only_so_many_names_pass_on_in_one_run() {
    let environment = environment("");
    let options = options(&environment);
    let row = |at: usize, name: usize| row(&(at + 1).to_string(), &format!("name{name}"));
    let most = moves::MOST;
    let held = imported((0..=most).map(|at| row(at, at)).collect(), &options).await;
    // The last name becomes free, and each of the others waits for the next.
    let mut found = review((0..=most).map(|at| row(at, at + 1)).collect(), &held, &options).await;
    assert_eq!((found.counts.changed, found.counts.rejected), (most as u64 + 1, 0));
    let held = imported((0..=most + 1).map(|at| row(at, at)).collect(), &options).await;
    found = review((0..=most + 1).map(|at| row(at, at + 1)).collect(), &held, &options).await;
    let mut words = Vec::new();
    found.rejected(|fault| words.push(fault.reason.clone())).unwrap();
    let limit = ", and at most 2,000 names of a source can pass to other organisations in one run: pass \
                 --reject-limit, and rerun for the others";
    assert_eq!(words.iter().filter(|why| why.ends_with(limit)).count(), 1, "{words:?}");
}

/// Two exchange their folders, and three pass theirs on; those who wait for one that is not left are rejected.
#[tokio::test]
async fn folders_that_pass_from_one_to_another_are_written_together() {
    let environment = environment("");
    let options = options(&environment);
    let home = |org_id: u32, folder: &str| Row {
        home: Some(format!("/pl-pt99-0-uploads/{folder}")),
        ..row(&org_id.to_string(), &format!("name{org_id}"))
    };
    let held = imported((1..=6).map(|id| home(id, &format!("f{id}"))).collect(), &options).await;
    // 3 gets that of 4, 4 that of 5, 5 another one; 7 is new, and gets that of 6, which gets another name, too.
    let moves = [(1, "f2"), (2, "f1"), (3, "f4"), (4, "f5"), (5, "own"), (7, "f6")];
    let renamed = Row { username: Some("six".into()), ..home(6, "six") };
    let rows: Vec<Row> = moves.iter().map(|(id, folder)| home(*id, folder)).chain([renamed]).collect();
    let found = review(rows.clone(), &held, &options).await;
    assert_eq!((found.counts.changed, found.counts.new, found.counts.rejected), (6, 1, 0), "{found:?}");
    let mut groups = chains(&found);
    groups.iter_mut().for_each(|(names, _)| names.sort());
    groups.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [&["+7", "6"][..], &["1", "2"], &["3", "4", "5"]].map(|names| (words(names), Form::Folders));
    assert_eq!(groups, expected);
    let remarks = found.remarks.join("\n");
    let words =
        "5 accounts get a home folder that another organisation leaves, with the files in it: name1 (organisation 1); ";
    assert!(remarks.contains(words), "{remarks}");

    // The row of 5 is rejected, so that 4 cannot get its folder, nor 3 that of 4.
    let doubtful = Row { status: Some("on".into()), ..home(5, "own") };
    let mut found = review([&rows[..4], &[doubtful], &rows[5..]].concat(), &held, &options).await;
    let mut reasons = Vec::new();
    found.rejected(|fault| reasons.push((fault.row, fault.reason.clone()))).unwrap();
    assert!(
        reasons
            .iter()
            .any(|(row, why)| *row == 3 && why.starts_with("organisation 4 has the folder, and its row does")),
        "{reasons:?}"
    );
    assert!(
        reasons.iter().any(|(row, why)| *row == 4 && why.starts_with("organisation 5 has the folder")),
        "{reasons:?}"
    );
    assert_eq!((found.counts.changed, found.counts.new, found.counts.rejected), (3, 1, 3), "{reasons:?}");
    // Who stays, who has one around it, and two who claim the same.
    for (rows, changed, rejected) in [
        (vec![home(1, "f2"), home(2, "f2")], 0, 2),
        (vec![home(1, "f2/in"), home(2, "own")], 1, 1),
        (vec![home(1, "f3"), home(2, "f3"), home(3, "own")], 1, 2),
    ] {
        let counts = review(rows, &held, &options).await.counts;
        assert_eq!((counts.changed, counts.rejected), (changed, rejected), "{counts:?}");
    }
}

/// In a circle of more than a transaction can write, and for an account whose name passes on, too.
#[tokio::test]
async fn folders_that_cannot_be_written_together_are_rejected() {
    let environment = environment("");
    let options = options(&environment);
    let home = |at: usize, name: usize, folder: usize| Row {
        home: Some(format!("/pl-pt99-0-uploads/f{folder}")),
        ..row(&(at + 1).to_string(), &format!("name{name}"))
    };
    for (size, is_taken) in [(homes::AT_ONCE, true), (homes::AT_ONCE + 1, false)] {
        let held = imported((0..size).map(|at| home(at, at, at)).collect(), &options).await;
        let found = review((0..size).map(|at| home(at, at, (at + 1) % size)).collect(), &held, &options).await;
        let taken = if is_taken { size as u64 } else { 0 };
        assert_eq!((found.counts.changed, found.counts.rejected), (taken, size as u64 - taken));
    }
    let held = imported((0..2).map(|at| home(at, at, at)).collect(), &options).await;
    let mut found = review(vec![home(0, 1, 1), home(1, 0, 0)], &held, &options).await;
    let mut reasons = Vec::new();
    found.rejected(|fault| reasons.push(fault.reason.clone())).unwrap();
    assert_eq!((found.counts.changed, reasons.len()), (0, 2));
    assert!(reasons[0].starts_with("its user name and its home folder both pass"), "{reasons:?}");
    // Two that exchange their names go on, though another row wants the folder that one of them leaves.
    let found = review(vec![home(0, 1, 9), home(1, 0, 1), home(2, 2, 0)], &held, &options).await;
    assert_eq!((found.counts.changed, found.counts.new, found.counts.rejected), (2, 0, 1), "{found:?}");
}
