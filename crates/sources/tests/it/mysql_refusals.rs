//! What a user or an administrator has to correct, in words.

use std::time::Duration;

use sftpctl_sources::mysql::{Mysql, Options, Tls};

use crate::mariadb::{connect_as, query, refused, server, table};

#[tokio::test]
async fn names_that_are_not_there_are_told_with_the_nearest() {
    use sftpctl_sources::mapping::{Mapping, Rule};
    let statements = "CREATE TABLE customers (nr INT PRIMARY KEY, login VARCHAR(20)); CREATE TABLE orders (nr INT);";
    let database = server().database("shop", statements);
    let mapped = Mapping { username: Some(Rule::column("logon")), ..Mapping::default() };
    for (database, options, what, hint) in [
        ("shoop", table("customers"), "no database `shoop`", "did you mean `shop`?"),
        (database, table("costumers"), "no table `costumers`", "did you mean `customers`?"),
        (database, Options { key: Some("nrr".into()), ..table("customers") }, "no column `nrr`", "did you mean `nr`?"),
        (
            database,
            Options { mapping: Some(mapped), ..table("customers") },
            "no column `logon`",
            "did you mean `login`?",
        ),
        (database, Options { filter: Some("loggin = 1".into()), ..table("customers") }, "Unknown column 'loggin'", ""),
        (database, Options { filter: Some("nr = ".into()), ..table("customers") }, "error 1064", "`where`"),
        (database, query("SELECT nr FROM customer"), "shop.customer' doesn't exist", ""),
        (database, query("SELECT nr, nr FROM customers"), "Duplicate column name", "AS"),
        (database, query("DELETE FROM customers"), "not a SELECT", ""),
        (database, query("SELECT 1 AS nr; DROP TABLE orders"), "error 1064", ""),
        (database, query("SELECT nr FROM customers INTO OUTFILE '/tmp/x'"), "error 1064", ""),
        (database, Options { table: None, ..table("") }, "neither a table nor a query", "customers, orders"),
        (database, Options { query: Some("SELECT 1".into()), ..table("orders") }, "both a table and a query", ""),
    ] {
        let error = refused(database, &options).await;
        assert!(error.message.contains(what), "{what}: {error:?}");
        assert!(error.hint.as_ref().unwrap().contains(hint) && error.is_usage, "{what}: {error:?}");
    }
}

#[tokio::test]
async fn accounts_that_are_refused() {
    server()
        .sql("CREATE USER by_socket IDENTIFIED VIA unix_socket; CREATE USER old IDENTIFIED VIA mysql_old_password;");
    let database = server().database("closed", "CREATE TABLE t (nr INT PRIMARY KEY);");
    for (user, what, hint) in [
        ("nobody", "Access denied for user 'nobody'", "the user's name and password"),
        ("stranger", "closed", "GRANT SELECT"),
        ("by_socket", "Access denied", "authenticates by the operating system's user"),
        ("old", "password in the old format", "too old: create one for the import"),
    ] {
        let error = connect_as(user, database, &table("t")).await.err().unwrap();
        assert!(error.message.contains(what), "{user}: {error:?}");
        assert!(error.hint.as_ref().unwrap().contains(hint), "{user}: {error:?}");
        assert!(!format!("{error:?}").contains(crate::mariadb::PASSWORD));
    }
    // Where the server itself would admit it.
    server().sql("SET GLOBAL secure_auth = 0");
    let error = connect_as("old", database, &table("t")).await.err().unwrap();
    assert!(error.message.contains("plugin mysql_old_password, which is broken"), "{error:?}");
}

/// Also what the account may write: the session only reads.
#[tokio::test]
async fn nothing_is_written() {
    let statements = "CREATE TABLE t (nr INT PRIMARY KEY); INSERT INTO t VALUES (1);
                      CREATE FUNCTION f() RETURNS INT BEGIN INSERT INTO t VALUES (2); RETURN 1; END;";
    let statements = format!("DELIMITER //\n{}//\nDELIMITER ;\n", statements.replace("END;", "END"));
    server().sql(&format!("CREATE DATABASE readonly; USE readonly;\n{statements}"));
    server().sql("CREATE USER writer IDENTIFIED BY 'correct horse'; GRANT ALL ON readonly.* TO writer;");
    let options = query("SELECT f() AS nr");
    let error = connect_as("writer", "readonly", &options).await.err().unwrap();
    assert!(error.message.contains("READ ONLY transaction"), "{error:?}");
    assert_eq!(server().sql("SELECT COUNT(*) FROM readonly.t").trim(), "1");
}

#[tokio::test]
async fn servers_that_cannot_be_reached() {
    let options = table("t");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (url, what, hint) in [
        (format!("mysql://a@127.0.0.1:{free}/b"), "refused", "bind-address"),
        ("mysql://a@host.invalid/b".to_owned(), "host.invalid:3306 could not be reached", "the host's name"),
        ("mysql://a@/b?socket=/nowhere/socket".to_owned(), "the socket /nowhere/socket", "@@socket"),
        ("mysql://a:geheim@127.0.0.1/b".to_owned(), "has a password", "prompt"),
    ] {
        let error = Mysql::connect(&url, None, &options).await.err().unwrap();
        assert!(error.message.contains(what), "{error:?}");
        assert!(error.hint.as_ref().unwrap().contains(hint), "{error:?}");
        assert!(!format!("{error:?}").contains("geheim"));
    }
}

#[tokio::test]
async fn silence_has_a_limit() {
    let database = server().database("silent", "");
    let options = Options { timeout: Duration::from_millis(300), ..query("SELECT SLEEP(2) AS nr") };
    let error = refused(database, &options).await;
    assert!(error.message.contains("the server was silent"), "{error:?}");
}

#[tokio::test]
async fn a_socket_needs_no_tls() {
    server().database("by_path", "CREATE TABLE t (nr INT PRIMARY KEY); INSERT INTO t VALUES (1);");
    let url = format!("mysql://root@/by_path?socket={}", server().socket());
    let mut source = Mysql::connect(&url, None, &Options { tls: Tls::VerifyFull, ..table("t") }).await.unwrap();
    assert_eq!(crate::mariadb::all(&mut source).await.unwrap().len(), 1);
}
