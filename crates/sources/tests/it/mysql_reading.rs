//! Whole tables, and what happens meanwhile.

use std::collections::BTreeSet;

use sftpctl_accounts::import::row::{Rows as _, RowsError};
use sftpctl_sources::mapped::Mapped;
use sftpctl_sources::mapping::{Mapping, Rule};
use sftpctl_sources::mysql::{Mysql, Options};
use sftpctl_sources::source::Source as _;

use crate::mariadb::{all, connect, query, server, short, table};

/// A hundred thousand user names, of which some are one name under a collation that ignores case, accents or spaces.
const NAMES: &str = "INSERT INTO t SELECT CONCAT(IF(seq % 3, 'user', 'USER'), seq) FROM seq_1_to_99990;
                     INSERT INTO t VALUES ('ä'), ('ö'), ('ß'), ('zz'), ('Zy'), (''), ('a-b'), ('_'), ('日本'), ('~');";

async fn names_of(database: &str, options: Options) -> Vec<String> {
    let mut source = connect(database, &options).await;
    let records = all(&mut source).await.unwrap_or_else(|error| panic!("{database}: {error}"));
    assert_eq!(source.expected(), Some(records.len() as u64));
    records.iter().map(|record| short(&record.values[0])).collect()
}

#[tokio::test]
async fn text_keys_lose_and_double_no_row() {
    let columns = "CREATE TABLE t (login VARCHAR(64) COLLATE";
    let same = "INSERT INTO t VALUES ('A'), ('a'), ('a '), ('á'), ('å');";
    let (ci, bin) = ("utf8mb4_general_ci NOT NULL", "utf8mb4_nopad_bin NOT NULL");
    let latin1 = "latin1_german2_ci NOT NULL";
    let key = || Some("login".to_owned());
    for (database, statements, key, count) in [
        // Unique, in the order of the index.
        ("text_ci", format!("{columns} {ci} PRIMARY KEY); {NAMES}"), None, 100_000),
        ("text_bin", format!("{columns} {bin} UNIQUE); {NAMES} {same}"), None, 100_005),
        ("text_latin1", format!("{columns} {latin1} PRIMARY KEY); {}", NAMES.replace("('日本'), ", "")), None, 99_999),
        // Not unique under its collation: in the order of its bytes.
        ("text_cast", format!("{columns} {ci}, KEY (login)); {NAMES} {same}"), key(), 100_005),
        // In one go.
        ("text_whole", format!("{columns} {ci}); {NAMES} {same} {same}"), None, 100_010),
    ] {
        server().database(database, &statements);
        let names = names_of(database, Options { key, page_size: 9_999, ..table("t") }).await;
        assert_eq!(names.len(), count, "{database}");
        let doubled = if database == "text_whole" { 5 } else { 0 };
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), count - doubled, "{database}");
        if database == "text_cast" {
            assert!(names.is_sorted(), "paged in the order of the bytes");
        }
    }
}

#[tokio::test]
async fn integers_and_binary_keys_are_paged() {
    let numbers = "CREATE TABLE t (nr BIGINT UNSIGNED PRIMARY KEY);
                   INSERT INTO t VALUES (0), (1), (9223372036854775807), (9223372036854775808), (18446744073709551615);";
    let bytes = "CREATE TABLE t (nr INT, id BINARY(2) NOT NULL UNIQUE, KEY (nr));
                 INSERT INTO t SELECT seq, UNHEX(LPAD(HEX(seq * 5), 4, '0')) FROM seq_0_to_99;";
    server().database("key_integer", numbers);
    server().database("key_binary", bytes);
    let names = names_of("key_integer", Options { page_size: 2, ..table("t") }).await;
    assert_eq!(names, ["0", "1", "9223372036854775807", "9223372036854775808", "18446744073709551615"]);
    let names = names_of("key_binary", Options { page_size: 7, ..table("t") }).await;
    assert_eq!(names.len(), 100);
    let mut source = connect("key_binary", &Options { page_size: 7, ..table("t") }).await;
    let page = source.next().await.unwrap();
    assert_eq!((page.len(), page[6].place.as_str()), (7, "id = 0x001e"));
}

/// What the mapping does not name may be secret: it is not read, and listed all the same.
#[tokio::test]
async fn columns_of_a_table_that_are_not_read_are_listed() {
    let columns =
        "CREATE TABLE t (nr INT PRIMARY KEY, login VARCHAR(64), pin VARCHAR(64)); INSERT INTO t VALUES (1, 'jan', '1')";
    server().database("unread", columns);
    let rule = |name: &str| Some(Rule::column(name));
    let mapping = Mapping { org_id: rule("nr"), username: rule("login"), ..Mapping::default() };
    let source = connect("unread", &Options { mapping: Some(mapping.clone()), ..table("t") }).await;
    assert_eq!((source.columns(), source.unread()), (&["nr", "login"].map(str::to_owned)[..], &["pin".to_owned()][..]));
    let mapped = Mapped::new(Box::new(source), &mapping).unwrap_or_else(|error| panic!("{error}"));
    assert!(mapped.remarks().contains(&"these columns are not imported: pin".to_owned()), "{:?}", mapped.remarks());
}

/// Its key is not unique, or NULL: rows would be lost between pages, and the count shows it.
#[tokio::test]
async fn lost_rows_are_an_error() {
    let statements = "CREATE TABLE twice (nr INT); INSERT INTO twice VALUES (1), (2), (2), (3);
                      CREATE TABLE none (nr INT); INSERT INTO none VALUES (1), (NULL);";
    server().database("lost", statements);
    for (name, page_size) in [("twice", 2), ("none", 1)] {
        let options = Options { key: Some("nr".into()), page_size, ..table(name) };
        let mut source = connect("lost", &options).await;
        let error = all(&mut source).await.unwrap_err();
        assert!(error.message.contains("nothing was concluded"), "{name}: {error}");
        assert!(source.next().await.is_err(), "not an end afterwards either");
    }
    assert_eq!(names_of("lost", Options { page_size: 2, ..table("twice") }).await.len(), 4);
}

#[tokio::test]
async fn what_changes_during_the_read_does_not_show() {
    let statements = "CREATE TABLE t (nr INT PRIMARY KEY, login VARCHAR(20));
                      INSERT INTO t SELECT seq * 2, CONCAT('user', seq) FROM seq_1_to_100;";
    server().database("snapshot", statements);
    let mut source = connect("snapshot", &Options { page_size: 10, ..table("t") }).await;
    let mut records = source.next().await.unwrap();
    server().sql(
        "USE snapshot; UPDATE t SET login = 'changed' WHERE nr = 100; INSERT INTO t VALUES (101, 'new');
         DELETE FROM t WHERE nr = 102;",
    );
    records.extend(all(&mut source).await.unwrap());
    let logins: Vec<_> = records.iter().map(|record| short(&record.values[1])).collect();
    assert_eq!(logins, (1..=100).map(|number| format!("user{number}")).collect::<Vec<_>>());
    assert!(source.remarks().iter().all(|remark| !remark.contains("snapshot")), "{:?}", source.remarks());
}

fn kill(database: &str) {
    let all = format!("SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{database}' AND USER = 'reader'");
    for id in server().sql(&all).lines() {
        server().sql(&format!("KILL {id}"));
    }
}

/// Reads on until the end or an error, and must find an error.
async fn error_after_all(source: &mut Mysql) -> (usize, RowsError) {
    let mut read = 0;
    loop {
        match source.next().await {
            Ok(records) if records.is_empty() => panic!("an end after {read} rows"),
            Ok(records) => read += records.len(),
            Err(error) => return (read, error),
        }
    }
}

#[tokio::test]
async fn connection_lost_between_pages_is_an_error() {
    server().database("cut_pages", "CREATE TABLE t (nr INT PRIMARY KEY); INSERT INTO t SELECT seq FROM seq_1_to_100;");
    let mut source = connect("cut_pages", &Options { page_size: 10, ..table("t") }).await;
    assert_eq!(source.next().await.unwrap().len(), 10);
    kill("cut_pages");
    let error = source.next().await.unwrap_err();
    assert!(error.message.contains("after 10 of 100 rows, from which nothing was concluded"), "{error}");
    assert!(!error.is_usage && error.hint.unwrap().contains("rerun"));
    assert!(source.next().await.is_err(), "not an end afterwards either");
}

/// More than the buffers of both ends, so that the server is in the middle of sending.
#[tokio::test]
async fn connection_lost_in_mid_stream_is_an_error() {
    let database = server().database("cut_stream", "");
    let rows = "SELECT seq AS nr, REPEAT('x', 2000) AS login FROM seq_1_to_100000";
    let mut source = connect(database, &Options { page_size: 1000, ..query(rows) }).await;
    assert_eq!(source.next().await.unwrap().len(), 1000);
    kill(database);
    let (read, error) = error_after_all(&mut source).await;
    assert!(read < 99_000, "{read} rows after the cut");
    assert!(error.message.contains("of 100,000 rows, from which nothing was concluded"), "{error}");
}

#[tokio::test]
async fn session_outlasts_a_slow_import_and_only_reads() {
    let text = "SELECT @@SESSION.net_write_timeout AS writing, @@SESSION.lock_wait_timeout AS locks,
                       @@SESSION.tx_isolation AS level, @@SESSION.tx_read_only AS fixed, @@SESSION.time_zone AS zone";
    let records = all(&mut connect("information_schema", &query(text)).await).await.unwrap();
    let values: Vec<_> = records[0].values.iter().map(short).collect();
    assert_eq!(values, ["3600", "60", "REPEATABLE-READ", "1", "+00:00"]);
}

#[tokio::test]
async fn tables_without_snapshots_are_told() {
    let statements = "CREATE TABLE safe (nr INT PRIMARY KEY, login VARCHAR(9)) ENGINE=InnoDB;
                      CREATE TABLE old (nr INT PRIMARY KEY, login VARCHAR(9)) ENGINE=MyISAM;
                      CREATE VIEW near AS SELECT DISTINCT old.nr FROM safe JOIN old USING (nr);
                      CREATE VIEW far AS SELECT nr FROM near GROUP BY nr;
                      CREATE VIEW fine AS SELECT nr FROM safe;";
    let database = server().database("engines", statements);
    for (options, named) in [
        (table("old"), "`old` is of the engine MyISAM"),
        (table("near"), "the view `near` reads `old` (MyISAM)"),
        (table("far"), "the view `far` reads `old` (MyISAM)"),
        (query("SELECT f.nr FROM `far` AS f"), "the query reads `old` (MyISAM)"),
        (table("safe"), ""),
        (table("fine"), ""),
        (query("SELECT nr FROM safe"), ""),
    ] {
        let remarks = connect(database, &options).await.remarks().join("\n");
        let is_told = if named.is_empty() { !remarks.contains("snapshot") } else { remarks.contains(named) };
        assert!(is_told, "{options:?}: {remarks}");
    }
}

#[tokio::test]
async fn queries_are_read_whole_or_by_a_key() {
    let statements =
        "CREATE TABLE a (nr INT PRIMARY KEY, login VARCHAR(20)); CREATE TABLE b (nr INT, hash VARCHAR(60));
                      INSERT INTO a SELECT seq, CONCAT('user', seq) FROM seq_1_to_25;
                      INSERT INTO b SELECT seq, CONCAT('hash', seq) FROM seq_1_to_25;";
    let database = server().database("queries", statements);
    let text = "SELECT a.nr, login, hash FROM a JOIN b USING (nr) WHERE nr > 5 -- but some\n;\n";
    for key in [None, Some("nr".to_owned())] {
        let mut source = connect(database, &Options { key, page_size: 7, ..query(text) }).await;
        assert_eq!(source.columns(), ["nr", "login", "hash"]);
        assert!(source.default_mapping().is_some());
        let mut sizes = Vec::new();
        let mut records = Vec::new();
        loop {
            let batch = source.next().await.unwrap();
            if batch.is_empty() {
                break;
            }
            sizes.push(batch.len());
            records.extend(batch);
        }
        assert_eq!(sizes, [7, 7, 6], "no more rows are held than a page has");
        let mut found: Vec<_> = records.iter().map(|record| short(&record.values[2])).collect();
        found.sort_by_key(|hash| hash.trim_start_matches("hash").parse::<u32>().unwrap());
        assert_eq!(found, (6..=25).map(|number| format!("hash{number}")).collect::<Vec<_>>());
    }
    let common = "WITH c AS (SELECT nr FROM a) SELECT nr FROM c";
    assert_eq!(names_of(database, query(common)).await.len(), 25);
}

#[tokio::test]
async fn condition_and_mapping_limit_what_is_read() {
    use sftpctl_sources::mapping::{Mapping, Rule};
    let statements = "CREATE TABLE t (nr INT PRIMARY KEY, login VARCHAR(20), photo LONGBLOB, active TINYINT(1));
                      INSERT INTO t SELECT seq, CONCAT('user', seq), X'00', seq % 2 FROM seq_1_to_20;";
    let database = server().database("limited", statements);
    let mapping = Mapping { username: Some(Rule::column("login")), ..Mapping::default() };
    let filter = Some("active = 1 OR nr = 2 -- both".to_owned());
    let mut source = connect(database, &Options { filter, mapping: Some(mapping), page_size: 4, ..table("t") }).await;
    assert_eq!(source.columns(), ["login"]);
    let records = all(&mut source).await.unwrap();
    assert_eq!(records.len(), 11);
    assert_eq!((records[1].place.as_str(), short(&records[1].values[0]).as_str()), ("nr = 2", "user2"));
}
