use std::io::Cursor;

use super::*;
use crate::csv::Csv;
use crate::mapping_file;

fn inspected(text: &str, options: &Options) -> Inspection {
    let mut csv = Csv::read(Cursor::new(text.to_owned()), "f.csv", options).unwrap();
    let inspection = inspect(&mut csv, 10_000, Kind::Csv, options);
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(inspection).unwrap()
}

/// The mapping loads, and fits its source.
fn loaded(inspection: &Inspection) -> mapping_file::MappingFile {
    let file = mapping_file::load(&inspection.mapping, "m.yaml", Kind::Csv);
    let file = file.unwrap_or_else(|faults| panic!("{}\n{}", inspection.mapping, faults.render(false)));
    let columns: Vec<String> = inspection.columns.iter().map(|column| column.name.clone()).collect();
    assert!(file.check_columns(&columns).is_ok(), "{}", inspection.mapping);
    file
}

fn customers() -> String {
    let mut text = "nr;login;geheim;folder;active;pin;created\n".to_owned();
    for number in 17_578..17_678 {
        let hash = sftp_authorizer::password::legacy(format!("pass {number}"));
        text.push_str(&format!("{number};user{number};{hash};/home/{number};{};{number};2024-01-02\n", number % 2));
    }
    text + "17700;late;;/home/17700;1;1;2024-01-02\n"
}

#[test]
fn columns_are_described_and_mapped() {
    let inspection = inspected(&customers(), &Options::default());
    assert_eq!((inspection.records, inspection.is_complete), (101, true));
    let guesses: Vec<_> = inspection.columns.iter().map(|column| column.guess.unwrap_or("-")).collect();
    assert_eq!(guesses, ["orgid", "username", "password", "home", "status", "-", "-"]);
    let password = &inspection.columns[2];
    assert_eq!((password.empties, password.distinct, password.lengths), (1, 100, Some((40, 40))));
    assert_eq!(password.hashes, [("40-character base64: sha224".to_owned(), 100)].into());
    assert_eq!(inspection.columns[1].samples, ["user17578", "user17579", "user17580"]);
    assert_eq!(inspection.columns[6].samples, ["2024-01-02"]);
    let mapping = loaded(&inspection).mapping;
    assert_eq!(mapping.status.as_ref().unwrap().values["0"], "disabled");
    assert_eq!(mapping.status.as_ref().unwrap().values["1"], "active");
    assert!(!mapping.plain_passwords);
    assert!(inspection.mapping.contains("40-character base64: sha224 × 100"), "{}", inspection.mapping);
}

#[test]
fn a_column_of_one_digest_in_hexadecimal_digits_gets_its_prefix() {
    let md5 = "5ebe2294ecd0e0f08eab7690d2a6ee69";
    let rows = |second: &str| format!("orgid,username,password\n1,jan,{md5}\n2,acme,{second}\n");
    let mapping = |text: &str| loaded(&inspected(text, &Options::default())).mapping;
    let prefix = |text: &str| mapping(text).password.and_then(|rule| rule.prefix);
    assert_eq!(prefix(&rows("098f6bcd4621d373cade4e832627b4f6")).as_deref(), Some("{MD5}"));
    assert_eq!(prefix(&rows("a94a8fe5ccb19ba61c4c0873d391e987982fbbd3")), None, "two kinds");
    assert_eq!(prefix(&customers()), None);
}

#[test]
fn secrets_are_shown_nowhere() {
    let inspection = inspected(&customers(), &Options::default());
    let shown = serde_json::to_string(&inspection).unwrap();
    assert!(!shown.contains("=="), "{shown}");
    assert_eq!((&*inspection.columns[2].samples, &*inspection.columns[5].samples), (&[][..], &[][..]));
    // Passwords as they are, in a column that says so, and in one that does not.
    for header in ["orgid,username,password\n", "orgid,username,motto\n"] {
        let inspection = inspected(&format!("{header}1,jan,summer-24\n2,acme,winter-25\n"), &Options::default());
        let shown = serde_json::to_string(&inspection).unwrap();
        assert!(!shown.contains("summer") && !shown.contains("winter"), "{shown}");
        let is_plain = header.contains("password");
        assert_eq!(loaded(&inspection).mapping.plain_passwords, is_plain);
    }
    let options = Options { header: Some(false), ..Options::default() };
    let shown = serde_json::to_string(&inspected("1,jan,summer\n2,acme,winter\n", &options)).unwrap();
    assert!(!shown.contains("summer") && !shown.contains("jan"), "{shown}");
    // Hashes among names.
    let hash = sftp_authorizer::password::legacy("x");
    let shown =
        serde_json::to_string(&inspected(&format!("orgid,login\n1,{hash}\n2,jan\n3,acme\n"), &Options::default()));
    assert!(!shown.unwrap().contains(&hash));
}

#[test]
fn hostile_columns_and_values_are_harmless() {
    let hostile = "a\u{1b}[31m\u{202e}: {x} # \\ ' \u{feff}\u{85}::error::";
    let text = format!("\"{hostile}\";orgid;login\n\"/{hostile}\";1;\"{hostile}\"\n\"/x\n- y: z\";2;\"x\ny: 1\"\n");
    let options = Options { separator: Some(b';'), ..Options::default() };
    let inspection = inspected(&text, &options);
    let file = loaded(&inspection);
    assert_eq!(file.options.separator, Some(b';'));
    assert_eq!(file.mapping.home.as_ref().unwrap().column.as_deref(), Some(hostile.trim()));
    assert!(!inspection.mapping.contains(['\u{1b}', '\u{202e}', '\u{feff}', '\u{85}']), "{:?}", inspection.mapping);
    assert!(inspection.columns.iter().flat_map(|column| &column.samples).all(|sample| !sample.contains('\u{1b}')));
}

#[test]
fn what_is_missing_is_said_in_the_mapping() {
    let inspection = inspected("color,shape\nred,round\n", &Options { header: Some(true), ..Options::default() });
    assert_eq!(loaded(&inspection).mapping, crate::mapping::Mapping::default());
    assert!(inspection.mapping.contains("#orgid:") && inspection.mapping.contains("#username:"));
}

proptest::proptest! {
    /// Whatever the columns are called, the mapping loads.
    #[test]
    fn mapping_loads(names in proptest::collection::btree_set("\\PC{1,12}", 2..5), value in "\\PC{0,12}") {
        let mut writer = csv_crate::Writer::from_writer(Vec::new());
        writer.write_record(&names).unwrap();
        writer.write_record(names.iter().map(|_| &value)).unwrap();
        let bytes = writer.into_inner().unwrap();
        let options = Options { separator: Some(b','), header: Some(true), ..Options::default() };
        if let Ok(mut csv) = Csv::read(Cursor::new(bytes), "f.csv", &options) {
            let inspection = inspect(&mut csv, 10, Kind::Csv, &options);
            loaded(&tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(inspection).unwrap());
        }
    }
}

/// Its columns have numbers, and the first mapping says so; an import by numbers needs no word about a header.
#[tokio::test]
async fn a_file_without_a_header_is_looked_at_and_read_by_numbers() {
    let text = customers();
    let (_, records) = text.split_once('\n').unwrap();
    let options = Options { inspects: true, ..Options::default() };
    let found = tokio::task::spawn_blocking({
        let (records, options) = (records.to_owned(), options.clone());
        move || inspected(&records, &options)
    });
    let found = found.await.unwrap();
    assert_eq!(found.records, 101);
    assert!(found.remarks.iter().any(|remark| remark.contains("header: true")), "{:?}", found.remarks);
    assert!(found.mapping.contains("source: { header: false }"), "{}", found.mapping);
    let file = loaded(&found);
    assert_eq!(file.mapping.password.unwrap().column.as_deref(), Some("3"));
    let by_numbers = mapping_file::load("version: 1\norgid: 1\nusername: 2\n", "m.yaml", Kind::Csv).unwrap();
    let csv = |records: &str| Csv::read(Cursor::new(records.to_owned()), "f.csv", &by_numbers.options);
    let mut csv_of_records = csv(records).unwrap();
    assert_eq!(csv_of_records.columns().len(), 7);
    assert_eq!(csv_of_records.next().await.unwrap().len(), 101);
    // Names of columns are still names, and other first lines are still refused.
    assert_eq!(csv(&text).unwrap().columns()[1], "login");
    let by_name = mapping_file::load("version: 1\norgid: nr\nusername: 2\n", "m.yaml", Kind::Csv).unwrap();
    assert!(Csv::read(Cursor::new(records.to_owned()), "f.csv", &by_name.options).is_err());
}

/// The column of the IDs is named in spite of what a spreadsheet has made of one of them; its row is then rejected.
#[tokio::test]
async fn ids_that_a_spreadsheet_has_rounded_are_still_ids() {
    let text = "orgid;username;password;home\n\
        0017578;jan@example.com;lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==;/home/17578\n\
        1.7579E+04;acme;9bEVjLcyd+q1JPB0ozQAC7C09bavVJPYtVFKXQ==;/home/17579\n\
        17580;semi;9bEVjLcyd+q1JPB0ozQAC7C09bavVJPYtVFKXQ==;/home/17580\n";
    let look = move || inspected(text, &Options::default());
    let found = tokio::task::spawn_blocking(look).await.unwrap();
    assert_eq!((found.columns[0].guess, found.columns[0].changed), (Some("orgid"), 1));
    assert!(found.mapping.contains("\norgid: orgid  #"), "{}", found.mapping);
    let said = "# A spreadsheet has changed numbers here: 1 value has the form of 1.7579E+04, 17,579 or 17 579";
    assert!(found.mapping.contains(said), "{}", found.mapping);
    let file = loaded(&found);
    let csv = Csv::read(Cursor::new(text.to_owned()), "f.csv", &file.options).unwrap();
    let mut mapped = crate::mapped::Mapped::new(Box::new(csv), &file.mapping).unwrap();
    let rows = sftpctl_accounts::import::row::Rows::next(&mut mapped).await.unwrap();
    let refused: Vec<_> = rows.iter().map(|row| row.refusal.as_ref().map(|refused| &*refused.why)).collect();
    let why = "Excel has rounded this number: format the column as text, and export it again";
    assert_eq!(refused, [None, Some(why), None]);
}

/// The numbers of Unix users are unique, and mean nothing to their organisations.
#[tokio::test]
async fn numbers_of_unix_users_are_no_organisation_ids() {
    let text = "username,uid,gid,last_changed,orgid\njan,1000,1000,19000,17578\npiet,1001,1001,19001,17579\n";
    let look = |kind| {
        let mut csv = Csv::read(Cursor::new(text.to_owned()), "f.csv", &Options::default()).unwrap();
        async move { inspect(&mut csv, 10_000, kind, &Options::default()).await.unwrap() }
    };
    let found = look(Kind::Shadow).await;
    assert!(found.mapping.contains("\norgid: orgid  #"), "{}", found.mapping);
    assert!(
        !found.mapping.contains("orgid: uid") && found.mapping.contains("# not imported: uid"),
        "{}",
        found.mapping
    );
    // Elsewhere a column of this name may be what identifies customers.
    let csv = look(Kind::Csv).await;
    assert!(csv.mapping.contains("orgid: uid"), "{}", csv.mapping);
}

/// The number of the row comes first, and is not the organisation's.
#[test]
fn a_column_named_after_organisations_is_preferred_to_the_number_of_a_row() {
    let mut text = "id,login,org\n".to_owned();
    (1..50).for_each(|number| text.push_str(&format!("{number},user{number},{}\n", 20_000 + number)));
    let inspection = inspected(&text, &Options::default());
    let mapping = loaded(&inspection).mapping;
    assert_eq!(mapping.org_id.unwrap().column.as_deref(), Some("org"), "{}", inspection.mapping);
    assert!(inspection.mapping.contains("#orgid: id  # or this: "), "{}", inspection.mapping);
}
