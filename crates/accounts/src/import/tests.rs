//! Sources against tables, without AWS: what would be written, deleted and kept.

use async_trait::async_trait;
use sftp_authorizer::{Attribute, Item};
use sftpctl_core::spec::model::Environment;

use super::check::Rules;
use super::digest::DigestKey;
use super::held::{self, Held};
use super::homes;
use super::moves::{self, Form, Step};
use super::reading;
use super::rejected::Reason;
use super::review::{self, Options, Review};
use super::row::{Field, Password, Refused, Row, Rows, RowsError};
use crate::bulk::watch::{Progress, Watch};
use crate::key::TableKey;

mod repairs;

const HASH: &str = "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==";

struct Silent;

impl Watch for Silent {
    fn progress(&self, _: Progress) {}

    fn is_stopping(&self) -> bool {
        false
    }
}

/// A source of these rows.
struct Given(Vec<Row>);

#[async_trait]
impl Rows for Given {
    async fn next(&mut self) -> Result<Vec<Row>, RowsError> {
        Ok(std::mem::take(&mut self.0))
    }

    fn attributes(&self) -> Vec<Field> {
        Field::ALL.to_vec()
    }
}

pub(super) fn environment(added: &str) -> Environment {
    let file = format!("{}\n{added}", include_str!("../../../../environments/99.yaml"));
    sftpctl_core::spec::load(&file, "99.yaml").unwrap()
}

fn options(environment: &Environment) -> Options<'_> {
    Options {
        rules: Rules { environment, default_cluster: Some("99-0".into()) },
        key: DigestKey::parse(&"A".repeat(43)).unwrap(),
        overwrite: false,
        source: "csv:a.csv".into(),
        former_source: None,
        deletes: false,
        has_table: true,
    }
}

fn row(org_id: &str, username: &str) -> Row {
    Row {
        org_id: Some(org_id.into()),
        username: Some(username.into()),
        password: Password::Hash(HASH.into()),
        ..Row::default()
    }
}

/// The review of rows against a table of these items.
async fn review(rows: Vec<Row>, items: &[Item], options: &Options<'_>) -> Review {
    let mut rows = Given(rows);
    let key = TableKey::of(options.rules.environment);
    let terms = review::terms(&rows, options);
    let read = reading::read(&mut rows, options, &terms, key, &Silent).await.unwrap();
    let mut held = Held::new().unwrap();
    held.reserved = options.deletes.then(|| crate::spill::Spill::new().unwrap());
    for item in items {
        held::hold(&mut held, item, key).unwrap();
    }
    review::compared(read, held, Vec::new(), options, (&terms, key), &Silent).await.unwrap()
}

/// The items that an import of these rows writes.
async fn imported(rows: Vec<Row>, options: &Options<'_>) -> Vec<Item> {
    let mut review = review(rows, &[], options).await;
    assert_eq!(review.counts.new, review.counts.read, "{:?}", review.reasons);
    let mut all = review.new.all();
    let mut items = Vec::new();
    loop {
        let some = all.take(100).unwrap();
        if some.is_empty() {
            return items;
        }
        for mut item in some.into_iter().filter_map(|wanted| wanted.item) {
            for name in ["importedAt", "updatedAt"] {
                item.insert(name.to_owned(), Attribute::Text("t1".to_owned()));
            }
            items.push(item);
        }
    }
}

/// Rows that stand for the account 1499 `mover`, each rejected for a reason, in place of the row it had.
fn rejections() -> Vec<(&'static str, Vec<Row>)> {
    let good = || row("1499", "mover");
    let refused = |row: Row, column: &str| Row {
        refusal: Some(Refused { column: column.into(), value: String::new(), why: "refused".into() }),
        ..row
    };
    vec![
        ("an ID that Excel rounded", vec![refused(Row { org_id: None, ..good() }, "orgid")]),
        ("no ID", vec![Row { org_id: None, ..good() }]),
        ("an ID that is not one", vec![Row { org_id: Some("0".into()), ..good() }]),
        ("the source refuses", vec![refused(good(), "denied_ip")]),
        ("no user name", vec![Row { username: None, ..good() }]),
        ("an invalid user name", vec![row("1499", "m")]),
        ("a user name with a space", vec![row("0", "mover ")]),
        ("neither", vec![Row { org_id: None, username: None, ..good() }]),
        ("neither is valid", vec![row("1.5E+03", "ä")]),
        ("a blocked name", vec![row("1499", "root")]),
        ("no password", vec![Row { password: Password::None, ..good() }]),
        ("an unverifiable hash", vec![Row { password: Password::Hash("x".into()), ..good() }]),
        ("an unknown cluster", vec![Row { cluster: Some("no".into()), ..good() }]),
        ("an unknown bucket", vec![Row { home: Some("/pl-pt99-9-uploads/1".into()), ..good() }]),
        ("an unknown status", vec![Row { status: Some("on".into()), ..good() }]),
        ("an invalid range", vec![Row { allowed: vec!["10.1.2.3/0".into()], ..good() }]),
        ("an unusable key", vec![Row { keys: vec!["ssh-dss AAAA".into()], ..good() }]),
        ("an invalid time", vec![Row { expires: Some("soon".into()), ..good() }]),
        ("a long note", vec![Row { note: Some("x".repeat(501)), ..good() }]),
        ("a name twice", vec![row("1700", "mover"), row("1701", "mover")]),
        ("an organisation twice", vec![good(), row("1499", "other")]),
        ("another organisation's name", vec![row("1499", "stays")]),
        ("a customer who moved", vec![row("1700", "mover")]),
    ]
}

#[tokio::test]
async fn no_kind_of_rejection_lets_an_account_count_as_gone() {
    for added in ["", "accounts: { per_organisation: many }"] {
        let environment = environment(added);
        let options = options(&environment);
        let many = TableKey::of(&environment).has_name();
        let held = imported(vec![row("1499", "mover"), row("1500", "stays")], &options).await;
        for (what, mut rows) in rejections() {
            rows.push(row("1500", "stays"));
            let found = review(rows, &held, &options).await;
            // Several names of an organisation are several accounts there.
            let is_rejected = !(many && what == "an organisation twice");
            assert_eq!(found.counts.rejected > 0, is_rejected, "{added} {what}: {found:?}");
            assert_eq!(found.counts.removed, 0, "{added} {what}: {found:?}");
        }
        let gone = review(vec![row("1500", "stays"), row("1600", "root")], &held, &options).await;
        assert_eq!((gone.counts.removed, gone.counts.spared), (1, 0), "a row about another account spares nothing");
        let nameless = Row { org_id: None, username: None, ..row("", "") };
        let found = review(vec![row("1500", "stays"), nameless], &held, &options).await;
        assert_eq!((found.counts.removed, found.counts.spared, found.counts.nameless), (0, 1, 1));
    }
}

#[tokio::test]
async fn accounts_of_another_source_are_neither_taken_over_nor_gone() {
    let environment = environment("");
    let own = options(&environment);
    let other = Options { source: "mysql:customers".into(), ..own.clone() };
    let held = imported(vec![row("1", "jan"), row("2", "piet")], &own).await;
    // The same organisation under another name, the same account, and one that the other source does not have.
    let found = review(vec![row("1", "jan.new")], &held, &other).await;
    assert_eq!((found.counts.changed, found.reasons.get(&Reason::Conflict)), (0, Some(&1)), "{found:?}");
    assert_eq!((found.counts.removed, found.counts.of_other_sources), (0, 1));
    let found = review(vec![row("1", "jan")], &held, &other).await;
    assert_eq!((found.counts.same, found.counts.rejected), (1, 0));
    let overwriting = Options { overwrite: true, ..other };
    assert_eq!(review(vec![row("1", "jan.new")], &held, &overwriting).await.counts.changed, 1);
    // The source itself, and accounts that were imported before sources had names.
    let nameless = held.iter().map(|item| {
        let mut item = item.clone();
        item.remove("importSource");
        item
    });
    for held in [held.clone(), nameless.collect()] {
        let found = review(vec![row("1", "jan.new")], &held, &own).await;
        assert_eq!((found.counts.changed, found.counts.removed, found.counts.of_other_sources), (1, 1, 0));
    }
}

#[tokio::test]
async fn a_home_folder_that_becomes_another_is_told() {
    let environment = environment("");
    let options = options(&environment);
    let held = imported(vec![row("1", "jan"), row("2", "piet")], &options).await;
    let there = Row { cluster: Some("99-5".into()), ..row("2", "piet") };
    let found = review(vec![row("1", "jan"), there], &held, &options).await;
    assert_eq!((found.counts.changed, found.counts.folder_changed), (1, 1), "{found:?}");
    let remarks = found.remarks.join("\n");
    assert!(remarks.contains("/pl-pt99-0-uploads/2 → /pl-pt99-5-uploads/2"), "{remarks}");
    assert!(remarks.contains("the files stay in the old folder"), "{remarks}");
    let same = review(vec![row("1", "jan.new")], &held, &options).await;
    assert_eq!((same.counts.changed, same.counts.folder_changed), (1, 0));
    assert!(same.remarks.is_empty());
}

/// Accounts of earlier versions, which gave one name to all files that are called `a.csv`.
#[tokio::test]
async fn accounts_with_a_former_name_are_never_gone() {
    let environment = environment("");
    let before = options(&environment);
    let held = imported(vec![row("1", "jan"), row("2", "piet"), row("3", "kees")], &before).await;
    let former = Options { source: "csv:/s1/a.csv".into(), former_source: Some("csv:a.csv".into()), ..before.clone() };
    let found = review(vec![row("1", "jan"), row("2", "piet.new")], &held, &former).await;
    let counts = found.counts;
    assert_eq!((counts.removed, counts.of_other_sources, counts.same, counts.changed), (0, 1, 1, 0), "{found:?}");
    assert_eq!((counts.of_former_name, found.reasons.get(&Reason::Conflict)), (3, Some(&1)));
    let remarks = found.remarks.join("\n");
    assert!(remarks.contains("3 accounts of the table have the source's name `csv:a.csv`"), "{remarks}");
    assert!(remarks.ends_with("always pass --source-name csv:a.csv"), "{remarks}");
    let given = review(vec![row("1", "jan"), row("2", "piet.new")], &held, &before).await;
    assert_eq!((given.counts.removed, given.counts.changed, given.counts.of_former_name), (1, 1, 0));
    assert!(given.remarks.is_empty());
}

#[tokio::test]
async fn an_account_that_was_removed_from_the_table_is_kept_out() {
    for added in ["", "accounts: { per_organisation: many }"] {
        let environment = environment(added);
        let options = options(&environment);
        let mut mark = TableKey::of(&environment).reservation("jan", Attribute::Number("1".into()));
        let reserved = review(vec![row("1", "jan")], std::slice::from_ref(&mark), &options).await;
        assert_eq!(
            (reserved.counts.new, reserved.counts.kept_out),
            (1, 0),
            "a reservation that was left behind does not mark a removal"
        );
        mark.insert("removedAt".into(), Attribute::Text("t2".into()));
        let held = [mark.clone()];
        let rows = || vec![row("1", "jan"), row("2", "piet")];
        let mut found = review(rows(), &held, &options).await;
        assert_eq!((found.counts.new, found.counts.kept_out, found.counts.rejected), (1, 1, 0), "{added} {found:?}");
        let mut noted = Vec::new();
        found.noted(|remark| noted.push(remark.remark.why.clone())).unwrap();
        assert!(noted.len() == 1 && noted[0].contains("removed from the table at t2"), "{noted:?}");
        let overwriting = Options { overwrite: true, ..options.clone() };
        assert_eq!(review(rows(), &held, &overwriting).await.counts.new, 2);
        // Somebody has added the account again, which then counts.
        let mut added_again = imported(vec![row("1", "jan")], &options).await;
        added_again.push(mark);
        assert_eq!(review(rows(), &added_again, &options).await.counts.same, 1);
    }
}

#[tokio::test]
async fn only_accepted_names_with_capitals_are_counted_where_they_matter() {
    for (added, expected) in [("", 1), ("accounts: { usernames: case-insensitive }", 0)] {
        let environment = environment(added);
        let rows = vec![row("1", "Jan"), row("2", "piet"), row("3", "Root"), row("4", "\u{d1}andu"), row("0", "Kees")];
        let found = review(rows, &[], &options(&environment)).await;
        assert_eq!((found.counts.new, found.counts.capitals), (2, expected), "{added} {found:?}");
    }
}

#[tokio::test]
async fn two_organisations_do_not_get_one_folder() {
    let environment = environment("");
    let options = options(&environment);
    let home = |org_id: &str, name: &str, folder: &str| Row {
        home: Some(format!("/pl-pt99-0-uploads/{folder}")),
        ..row(org_id, name)
    };
    let held = imported(vec![home("9", "held", "held")], &options).await;
    let rows = vec![
        home("1", "one", "shared"),
        home("2", "two", "shared"),
        home("3", "outer", "a"),
        home("4", "inner", "a/b/c"),
        home("5", "alone", "ab"),
        home("6", "takes", "held/in"),
        home("9", "held", "held"),
    ];
    let found = review(rows, &held, &options).await;
    assert_eq!(found.reasons.get(&Reason::SharedHome), Some(&6), "{found:?}");
    assert_eq!((found.counts.new, found.counts.removed), (1, 0));
}

#[tokio::test]
async fn values_in_another_form_are_counted_by_reason_with_a_sample() {
    let environment = environment("");
    let rows = ["jan", "piet"].iter().zip(1..).map(|(name, id)| Row {
        place: format!("line {id}"),
        home: Some(format!("/home/{name}")),
        ..row(&id.to_string(), name)
    });
    let found = review(rows.collect(), &[], &options(&environment)).await;
    let expected = "2 values were taken in another form: the folder is named after the organisation, such as \
                    `/home/jan` as `1` (line 1)";
    assert_eq!(found.remarks, [expected]);
}

/// The accounts of each chain, by organisation; and its form.
fn chains(review: &Review) -> Vec<(Vec<String>, Form)> {
    let name = |step: &Step| match step {
        Step::New(wanted) => format!("+{}", wanted.org_id),
        Step::Changed(change) => super::wanted::org_id(&change.row).unwrap_or_default().to_string(),
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

/// What to do about a name whose account the source does not have any more.
const DEPARTED: &str =
    ", and that account is not in the source any more: `sftpctl users sync --apply --delete` deletes it first";

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
        let rows = || vec![row("1", "anna"), row("2", "bert")];
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

/// Two organisations share a folder since an older import. The source gives one of them its own.
#[tokio::test]
async fn a_source_mends_a_shared_folder_in_one_run() {
    let environment = environment("");
    let options = options(&environment);
    let home = |org_id: &str, name: &str, folder: &str| Row {
        home: Some(format!("/pl-pt99-0-uploads/{folder}")),
        ..row(org_id, name)
    };
    let mut held = imported(vec![home("1", "one", "shared")], &options).await;
    held.extend(imported(vec![home("2", "two", "shared/in")], &options).await);
    let found = review(vec![home("1", "one", "shared"), home("2", "two", "own")], &held, &options).await;
    assert_eq!((found.counts.same, found.counts.changed, found.counts.rejected), (1, 1, 0), "{found:?}");
    // Nobody is moved away; or another one is moved there.
    let found = review(vec![home("1", "one", "shared"), home("2", "two", "shared/in")], &held, &options).await;
    assert_eq!((found.counts.rejected, found.counts.changed), (2, 0), "{found:?}");
    let rows = vec![home("1", "one", "shared"), home("2", "two", "own"), home("3", "three", "shared/in")];
    let found = review(rows, &held, &options).await;
    assert_eq!((found.counts.rejected, found.counts.changed), (2, 1), "{found:?}");
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
        reasons.contains(&(3, "organisation 4 has the folder, and its row does not leave it".into())),
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
}

/// Accounts of imports before sources had names get the name of the source that has their row, once.
#[tokio::test]
async fn a_source_takes_over_its_nameless_accounts_once() {
    let environment = environment("");
    let options = options(&environment);
    let rows = || vec![row("1", "jan"), row("2", "piet")];
    let named = imported(rows(), &options).await;
    assert_eq!(review(rows(), &named, &options).await.counts.renewed, 0);
    let mut nameless = named.clone();
    nameless[0].remove("importSource");
    let found = review(rows(), &nameless, &options).await;
    assert_eq!((found.counts.same, found.counts.renewed, found.counts.changed), (2, 1, 0), "{found:?}");
}

/// The organisations keep what they shared on the old server apart; that is worth a note.
#[tokio::test]
async fn organisations_that_shared_a_folder_of_the_old_server_are_noted() {
    let environment = environment("");
    let old = |org_id: &str, name: &str, home: &str| Row {
        place: format!("line {org_id}"),
        home: Some(home.into()),
        ..row(org_id, name)
    };
    let rows = vec![
        old("1", "one", "/home/shared"),
        old("2", "two", "/home/shared/"),
        old("3", "three", "/home/3"),
        old("4", "four", "/home/shared"),
        Row { cluster: Some("no".into()), ..old("5", "five", "/home/3") },
    ];
    let mut found = review(rows, &[], &options(&environment)).await;
    assert_eq!((found.counts.new, found.counts.rejected), (4, 1));
    let note = "3 rows of several organisations name one folder of the old server, such as `/home/shared` (line 1, \
                line 2): each organisation gets a folder of its own. Decide whose the files in the old one are before \
                they are copied";
    assert!(found.remarks.iter().any(|remark| remark == note), "{:?}", found.remarks);
    let mut noted = Vec::new();
    found.noted(|noted_row| noted.push((noted_row.row, noted_row.remark.why.clone()))).unwrap();
    let shared =
        |of: i64| format!("organisation {of} has this folder of the old server, too (line {of}): each gets its own");
    for (row, rival) in [(1, 2), (2, 1), (4, 1)] {
        assert!(noted.contains(&(row, shared(rival))), "{noted:?}");
    }
    assert!(!noted.iter().any(|(row, why)| [3, 5].contains(row) && why.contains("too")), "{noted:?}");
}

#[tokio::test]
async fn the_report_has_the_name_as_the_source_has_it() {
    let environment = environment("accounts: { usernames: case-insensitive }");
    let options = options(&environment);
    let held = imported(vec![row("9", "piet")], &options).await;
    let mut found = review(vec![row("1", "Jan"), row("2", "JAN"), row("3", "Piet")], &held, &options).await;
    let mut values = Vec::new();
    found.rejected(|fault| values.push(fault.value.clone())).unwrap();
    assert_eq!(values, ["Jan", "JAN", "Piet"]);
}
