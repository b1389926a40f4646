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

mod differences;
mod passing_on;
mod repairs;
mod said;

const HASH: &str = "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==";

const SYNC: &str = "sftpctl users sync --env 99 --from csv:a.csv --apply --delete";

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
        sync: SYNC.into(),
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

/// What to do about a name whose account the source does not have any more.
const DEPARTED: &str = ", and that account is not in the source any more: `sftpctl users sync --env 99 --from csv:a.csv \
                        --apply --delete` deletes it first";

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
