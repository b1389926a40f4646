use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::mapped::Mapped;
use crate::options::Dialect;

const EXCEL: &[u8] = include_bytes!("../../fixtures/excel.csv");
const OUTFILE: &[u8] = include_bytes!("../../fixtures/outfile.tsv");
const BROKEN: &[u8] = include_bytes!("../../fixtures/broken_cp1252.csv");

fn open(bytes: &[u8], options: &Options) -> Result<Csv, RowsError> {
    Csv::read(Cursor::new(bytes.to_vec()), "f.csv", options)
}

/// The options of a mapping that names columns of these tests.
fn mapped() -> Options {
    Options { mapped: ["a", "alone"].map(str::to_owned).to_vec(), ..Options::default() }
}

/// All records, or the first error.
fn read(bytes: &[u8], options: &Options) -> Result<(Vec<String>, Vec<Record>), RowsError> {
    let mut csv = open(bytes, options)?;
    let mut records = Vec::new();
    loop {
        let batch = now(csv.next())?;
        if batch.is_empty() {
            return Ok((csv.columns, records));
        }
        records.extend(batch);
    }
}

fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn texts(records: &[Record]) -> Vec<Vec<&str>> {
    records
        .iter()
        .map(|record| {
            let values = record.values.iter();
            values.map(|value| if let Value::Text(text) = value { text.as_str() } else { "<null>" }).collect()
        })
        .collect()
}

fn rows(bytes: &[u8], options: &Options, mapping: Option<&Mapping>) -> Vec<sftpctl_accounts::import::row::Row> {
    use sftpctl_accounts::import::row::Rows as _;
    let csv = open(bytes, options).unwrap();
    let mapping = mapping.cloned().unwrap_or_else(|| csv.default_mapping().unwrap());
    let mut mapped = Mapped::new(Box::new(csv), &mapping).unwrap();
    now(mapped.next()).unwrap()
}

#[test]
fn file_of_excel_needs_no_mapping() {
    for bytes in [EXCEL.to_vec(), String::from_utf8_lossy(EXCEL).replace("orgid", "OrgID ").into_bytes()] {
        let rows = rows(&bytes, &Options::default(), None);
        let shown: Vec<_> = rows.iter().map(|row| (row.org_id.as_deref(), row.username.as_deref())).collect();
        assert_eq!(
            shown,
            [
                (Some("17578"), Some("jan@example.com")),
                (None, Some("acme")),
                (Some("17580"), Some("semi;colon")),
                (Some("17581"), Some("last.one")),
            ]
        );
        assert_eq!((&*rows[0].remarks[0].before, &*rows[0].remarks[0].why), ("0017578", "leading zeros"));
        assert!(rows[1].refusal.as_ref().unwrap().why.starts_with("Excel has rounded this number"));
        assert_eq!(rows[3].home.as_deref(), Some("/home/17581"));
        assert_eq!(rows[3].place, "line 5");
    }
}

#[test]
fn file_of_mysql_has_escapes_and_no_values() {
    let options = Options { dialect: Dialect::Outfile, ..Options::default() };
    let (columns, records) = read(OUTFILE, &options).unwrap();
    assert_eq!(columns, ["1", "2", "3", "4", "5"]);
    assert_eq!(records[1].values[2], Value::Null);
    assert_eq!(records[2].values[1], Value::Text("tab\there".into()));
    assert_eq!(records[3].values[4], Value::Text("NULL".into()));
    let rule = |name: &str| Some(crate::mapping::Rule::column(name));
    let mapping =
        Mapping { org_id: rule("1"), username: rule("2"), password: rule("3"), home: rule("4"), ..Mapping::default() };
    let rows = rows(OUTFILE, &options, Some(&mapping));
    assert_eq!(rows[1].password, sftpctl_accounts::import::row::Password::None);
    let refused = rows[3].refusal.as_ref().unwrap();
    assert!(refused.column == "2" && refused.value == "NULL" && refused.why.contains("a word for no value"));
    // Without the dialect it has no header, and its values are not shown as one.
    let error = open(OUTFILE, &Options { separator: Some(b'\t'), ..Options::default() }).err().unwrap();
    assert!(error.is_usage && error.hint.as_ref().unwrap().contains("dialect: outfile"), "{error}");
    assert!(!error.to_string().contains("17578") && !error.to_string().contains("lcf7"), "{error}");
}

#[test]
fn every_fault_of_a_broken_file_has_its_line() {
    let error = read(BROKEN, &Options::default()).err().unwrap();
    assert!(error.is_usage);
    assert_eq!(
        error.message,
        "f.csv cannot be read; its 4 faults:\n\
         line 2: the value of `username` is not UTF-8\n\
         line 3: 5 fields, 3 expected\n\
         line 4: 2 fields, 3 expected\n\
         line 5: the quote opened here is never closed, and swallows all up to line 6"
    );
    assert!(error.hint.unwrap().contains("encoding: cp1252"));
}

#[test]
fn faults_are_limited_and_end_the_read() {
    let many = format!("a,b\n{}", "1\n".repeat(10_000));
    let error = read(many.as_bytes(), &mapped()).err().unwrap();
    assert_eq!(error.message.lines().count(), 21, "{error}");
    // A fault after batches that were fine.
    let late = format!("a,b\n{}1\n", "1,2\n".repeat(2 * BATCH));
    let error = read(late.as_bytes(), &mapped()).err().unwrap();
    assert!(error.message.contains("line 10002: 1 field, 2 expected"), "{error}");
}

#[test]
fn each_value_in_another_encoding_is_remarked() {
    let bytes = b"orgid,username,home\n1,anna,/home/M\xc3\xbcller\n2,bert,/home/M\xfcller\n3,carl,/home/\x80uro\n";
    let options = Options { encoding: Encoding::Auto, ..Options::default() };
    let rows = rows(bytes, &options, None);
    let homes: Vec<_> = rows.iter().map(|row| row.home.as_deref().unwrap()).collect();
    assert_eq!(homes, ["/home/Müller", "/home/Müller", "/home/€uro"]);
    let remarks: Vec<_> = rows.iter().flat_map(|row| &row.remarks).map(|r| (&*r.before, &*r.after)).collect();
    assert_eq!(remarks, [("/home/M\\xfcller", "/home/Müller"), ("/home/\\x80uro", "/home/€uro")]);
    let cp1252 = Options { encoding: Encoding::Cp1252, ..Options::default() };
    // Read as cp1252, the first is `MÃ¼ller`, which is asked about.
    let asked = self::rows(bytes, &cp1252, None);
    assert!(asked[0].refusal.as_ref().unwrap().why.contains("`/home/Müller`"));
    assert_eq!(asked[1].home.as_deref(), Some("/home/Müller"));
}

#[test]
fn forms_are_recognised() {
    let semicolon = mapped();
    for (bytes, columns) in [
        ("a;b,c;d\n", vec!["a", "b,c", "d"]),
        ("a\tb\n", vec!["a", "b"]),
        ("a|b\n", vec!["a", "b"]),
        ("\"x;x\",a\n", vec!["x;x", "a"]),
        ("alone\n1\n", vec!["alone"]),
        (" a , b \r\n", vec!["a", "b"]),
        ("a,,c\n", vec!["a", "2", "c"]),
    ] {
        assert_eq!(open(bytes.as_bytes(), &semicolon).unwrap().columns, columns, "{bytes:?}");
    }
    for (bytes, part) in [
        ("a;b,c\n", "as many `,` as `;`"),
        ("a,a\n", "two columns are named `a`"),
        ("", "the file is empty"),
        ("17578,jan,x\n", "looks like values"),
        ("a,\"b", "the quote opened here is never closed"),
    ] {
        let error = open(bytes.as_bytes(), &semicolon).err().unwrap();
        assert!(error.message.contains(part) && error.is_usage, "{bytes:?}: {error}");
    }
    let forced = Options { header: Some(true), ..Options::default() };
    assert_eq!(open(b"17578,jan\n", &forced).unwrap().columns, ["17578", "jan"]);
    let none = Options { header: Some(false), ..Options::default() };
    assert_eq!(texts(&read(b"17578,jan\n", &none).unwrap().1), [["17578", "jan"]]);
    let batch = Options { dialect: Dialect::MysqlBatch, ..mapped() };
    assert_eq!(texts(&read(b"a\tb\nNULL\tx\\ny\n", &batch).unwrap().1), [["<null>", "x\ny"]]);
}

#[test]
fn unicode_text_of_excel_is_read() {
    let text = "\u{feff}orgid\tusername\r\n1\tJürgen\r\n";
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(texts(&read(&bytes, &Options::default()).unwrap().1), [["1", "Jürgen"]]);
}

/// Names of columns come from outside.
#[test]
fn hostile_names_of_columns_are_harmless() {
    let hostile = "a\u{1b}[31m\u{202e}";
    let bytes = format!("\"{hostile}\",\"{hostile}\",a\n");
    let error = open(bytes.as_bytes(), &mapped()).err().unwrap();
    assert!(error.message.contains(r"`a\u{1b}[31m\u{202e}`") && !error.message.contains('\u{1b}'), "{error}");
    let bytes = format!("\"{hostile}\",a\n\u{0},\n");
    let error = read(bytes.as_bytes(), &mapped()).err().unwrap();
    assert!(!error.message.contains('\u{1b}'), "{error}");
}

#[test]
fn records_are_counted_about() {
    let bytes = format!("a,b\n{}", "1,2\n".repeat(50_000));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.csv");
    std::fs::write(&path, bytes).unwrap();
    let expected = Csv::open(&path, &mapped()).unwrap().expected().unwrap();
    assert!(expected.abs_diff(50_000) < 100, "{expected}");
}

proptest! {
    #[test]
    fn no_bytes_are_too_odd(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        choice in 0usize..12,
        ascii in "[a\",;\\\\\r\n\t0N\u{1a}]{0,60}",
    ) {
        let options = Options {
            dialect: Dialect::NAMES[choice % 3].1,
            encoding: Encoding::NAMES[choice % 4].1,
            header: (choice % 2 == 0).then_some(choice % 4 == 0),
            ..Options::default()
        };
        let _ = read(&bytes, &options);
        let _ = read(ascii.as_bytes(), &options);
    }

    /// What others write comes back as it was.
    #[test]
    fn written_records_come_back(
        records in prop::collection::vec(prop::collection::vec("[ -~äß\r\n\t]{0,12}", 3), 1..20),
        separator in prop::sample::select(vec![b',', b';', b'\t', b'|']),
        crlf in any::<bool>(),
    ) {
        let terminator = if crlf { csv_crate::Terminator::CRLF } else { csv_crate::Terminator::Any(b'\n') };
        let mut builder = csv_crate::WriterBuilder::new();
        let mut writer = builder.delimiter(separator).terminator(terminator).from_writer(Vec::new());
        for record in &records {
            writer.write_record(record).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let options = Options { separator: Some(separator), header: Some(false), ..Options::default() };
        let (_, read) = read(&bytes, &options).unwrap();
        prop_assert_eq!(texts(&read), records);
    }
}

#[test]
fn excels_line_on_the_separator_is_not_the_header() {
    for (separator, line) in [(';', "sep=;"), (',', "sep=,"), ('\t', "sep=\t")] {
        let text = format!("{line}\r\norgid{separator}username\r\n17578{separator}jan\r\n");
        let (columns, records) = read(text.as_bytes(), &Options::default()).unwrap();
        assert_eq!((columns, texts(&records)), (vec!["orgid".into(), "username".into()], vec![vec!["17578", "jan"]]));
    }
    for alone in ["sep=;", "sep=;\r\n", "sep=,\n\n"] {
        let error = read(alone.as_bytes(), &Options::default()).unwrap_err();
        assert!(error.is_usage && error.message.contains("no line but `sep=`"), "{alone:?}: {error}");
    }
}

/// A first record has names and passwords.
#[test]
fn values_of_a_first_record_are_not_shown() {
    let options = Options::default();
    let forced = Options { header: Some(true), ..Options::default() };
    const HASHES: [&str; 4] = [
        "$6$saltsalt$SECRETSECRET",
        "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==",
        "{SSHA}SECRETSECRETSECRET",
        "5ebe2294ecd0e0f08eab7690d2a6ee69",
    ];
    for line in ["SECRET,hunter2,x", "SECRET,secret,active", "SECRET,SECRET", "17578,SECRET", "SECRET@example.com,a"] {
        let error = open(format!("{line}\nb,c\n").as_bytes(), &options).err().unwrap();
        let shown = format!("{error} {:?}", error.hint);
        assert!(!shown.contains("SECRET") && !shown.contains("hunter2"), "{shown}");
        assert!(error.is_usage && shown.contains("header: false"), "{shown}");
    }
    for hash in HASHES {
        for options in [&options, &forced] {
            let error = open(format!("username,orgid,{hash}\n1,2,3\n").as_bytes(), options).err().unwrap();
            assert!(!error.to_string().contains(hash) && error.message.contains("line 1"), "{error}");
        }
    }
    // Two names that are one, and a hash.
    let twice = open(b"username,orgid,17578,17578\n", &forced).err().unwrap();
    assert!(!twice.to_string().contains("17578"), "{twice}");
}
