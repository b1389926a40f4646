//! Values that another system takes for something else.

use sftpctl_accounts::import::row::Remark;
use sftpctl_sources::mysql::{Latin1, Options};
use sftpctl_sources::source::Source as _;

use crate::mariadb::{all, connect, query, server, short, table};

/// One latin1 column with UTF-8 in some rows and Windows-1252 in others.
const MIXED: &str = "CREATE TABLE mixed (nr INT PRIMARY KEY, login VARCHAR(64), secret VARCHAR(64), folder VARCHAR(255))
                     DEFAULT CHARSET=latin1;
                     INSERT INTO mixed SELECT seq + 17600, CONCAT('user', seq), 'x', CONCAT('/home/', ELT(seq,
                         X'4dc3bc6c6c6572', X'4dfc6c6c6572', X'73747261df65', X'636166c3a9', X'8075726f', X'c3bc626572'))
                     FROM seq_1_to_6;";

#[tokio::test]
async fn each_value_of_a_latin1_column_has_its_own_encoding() {
    let database = server().database("mixed", MIXED);
    let right = ["/home/Müller", "/home/Müller", "/home/straße", "/home/café", "/home/€uro", "/home/über"];
    let before = [Some("/home/MÃ¼ller"), None, None, Some("/home/cafÃ©"), None, Some("/home/Ã¼ber")];
    for options in [table("mixed"), query("SELECT * FROM mixed")] {
        let records = all(&mut connect(database, &options).await).await.unwrap();
        assert_eq!(records.iter().map(|record| short(&record.values[3])).collect::<Vec<_>>(), right);
        for (record, before) in records.iter().zip(before) {
            let remark = record.remarks.iter().map(|remark| (remark.column.as_str(), remark.before.as_str())).next();
            assert_eq!(remark, before.map(|before| ("folder", before)), "{record:?}");
        }
    }
    let declared = Options { latin1: Latin1::AsDeclared, ..table("mixed") };
    let records = all(&mut connect(database, &declared).await).await.unwrap();
    assert_eq!(short(&records[0].values[3]), "/home/MÃ¼ller");
    assert!(records.iter().all(|record| record.remarks.is_empty()));
}

#[tokio::test]
async fn text_that_was_encoded_twice_and_other_character_sets() {
    let statements = "CREATE TABLE t (nr INT PRIMARY KEY, login VARCHAR(20) CHARACTER SET utf8mb4,
                          secret VARCHAR(60) CHARACTER SET ascii, note VARCHAR(20) CHARACTER SET cp1251,
                          home VARCHAR(20) CHARACTER SET ucs2);
                      INSERT INTO t VALUES (1, 'MÃ¼ller', 'x', 'жук', 'dürr');";
    let database = server().database("charsets", statements);
    let records = all(&mut connect(database, &table("t")).await).await.unwrap();
    assert_eq!(records[0].values.iter().map(short).collect::<Vec<_>>(), ["1", "MÃ¼ller", "x", "жук", "dürr"]);
    let [Remark { why, .. }] = records[0].remarks.as_slice() else { panic!("{records:?}") };
    assert!(why.contains("it may be `Müller`"), "{why}");
}

#[tokio::test]
async fn types_have_the_form_of_the_attributes() {
    let statements = "CREATE TABLE t (id BIGINT UNSIGNED PRIMARY KEY, login CHAR(10), secret VARCHAR(60), nothing INT,
                          price DECIMAL(20,4), active TINYINT(1), flag BIT(1), kind ENUM('a', 'b'), born DATE,
                          expires DATETIME, seen TIMESTAMP NULL, zip INT(7) ZEROFILL, extra JSON);
                      SET time_zone = '+02:00';
                      INSERT INTO t VALUES
                          (18446744073709551615, 'jan ', '', NULL, 1234567890123456.5, 1, 1, 'b', '2027-01-31',
                           '2027-01-31 12:00:00', '2027-01-31 12:00:00', 17578, '{}'),
                          (1, '', NULL, 5, 0, 0, 0, 'a', '0000-00-00', '0000-00-00', '0000-00-00', 1, NULL);";
    let database = server().database("types", statements);
    let mut source = connect(database, &table("t")).await;
    let records = all(&mut source).await.unwrap();
    let values = |at: usize| records[at].values.iter().map(short).collect::<Vec<_>>();
    assert_eq!(records[1].place, "id = 18446744073709551615");
    let (none, empty) = ("NULL", "");
    assert_eq!(values(0)[..9], ["1", empty, none, "5", "0.0000", "0", "0", "a", none]);
    assert_eq!(values(0)[9..], [none, none, "0000001", none]);
    assert_eq!(
        values(1)[..9],
        ["18446744073709551615", "jan", empty, none, "1234567890123456.5000", "1", "1", "b", "2027-01-31"]
    );
    assert_eq!(values(1)[9..], ["2027-01-31T12:00:00Z", "2027-01-31T10:00:00Z", "0017578", "{}"]);
    // Only the columns of attributes are remarked on: `expires`, not `born`.
    let remarked: Vec<_> = records[0].remarks.iter().map(|remark| remark.column.as_str()).collect();
    assert_eq!(remarked, ["expires"]);
    assert!(source.remarks().iter().any(|remark| remark.contains("`expires`") && remark.contains("UTC")));
}

#[tokio::test]
async fn binary_hashes_are_text_or_digests() {
    let statements = "CREATE TABLE t (nr INT PRIMARY KEY, login VARBINARY(20), secret VARBINARY(64));
                      INSERT INTO t VALUES (1, 'jan', 'lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg=='),
                          (2, 'ann', UNHEX(SHA2('x', 224))), (3, 'bob', UNHEX(MD5('x')));
                      CREATE TABLE padded (nr INT PRIMARY KEY, login BINARY(8), secret BINARY(50));
                      INSERT INTO padded VALUES (1, 'jan', 'lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==');";
    let database = server().database("digests", statements);
    let mut source = connect(database, &table("t")).await;
    let records = all(&mut source).await.unwrap();
    let hashes: Vec<_> = records.iter().map(|record| short(&record.values[2])).collect();
    let digest = server().sql("SELECT TO_BASE64(UNHEX(SHA2('x', 224)))");
    assert_eq!(hashes, ["lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==", digest.trim(), "NULL"]);
    assert!(source.remarks().iter().any(|remark| remark.contains("1 digest of 28 bytes")), "{:?}", source.remarks());
    let refusal = records[2].refusal.as_ref().unwrap();
    assert!(refusal.why.contains("16 bytes") && refusal.column == "secret", "{refusal:?}");

    let records = all(&mut connect(database, &table("padded")).await).await.unwrap();
    assert_eq!([1, 2].map(|at| short(&records[0].values[at])), ["jan", "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg=="]);
}

#[tokio::test]
async fn collations_and_narrow_columns_are_told() {
    let statements = "CREATE TABLE loose (nr INT PRIMARY KEY, login VARCHAR(20) COLLATE utf8mb4_general_ci, hash VARCHAR(32));
                      CREATE TABLE strict (nr INT PRIMARY KEY, login VARCHAR(20) COLLATE utf8mb4_nopad_bin, hash VARCHAR(99));
                      CREATE TABLE cut (nr INT PRIMARY KEY, login VARCHAR(20) COLLATE utf8mb4_bin, hash VARCHAR(36));
                      INSERT INTO cut VALUES (1, 'jan', LEFT('lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==', 36));";
    let database = server().database("collations", statements);
    for (name, told) in [
        ("loose", &["`Jan`, `JAN` and `jan`", "a space at its end", "`hash` has room for 32 characters"][..]),
        ("cut", &["a space at its end", "room for 36 characters, and 1 value fills it"]),
        ("strict", &[]),
    ] {
        let mut source = connect(database, &table(name)).await;
        all(&mut source).await.unwrap();
        let remarks = source.remarks();
        assert_eq!(remarks.len(), told.len(), "{name}: {remarks:#?}");
        for (remark, told) in remarks.iter().zip(told) {
            assert!(remark.contains(told), "{name}: {remark}");
        }
    }
}
