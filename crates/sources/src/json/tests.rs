use std::io::Cursor;

use super::*;

fn read(text: &str, options: &Options) -> Result<(Json, Vec<Record>), RowsError> {
    let mut json = Json::read(Cursor::new(text.to_owned().into_bytes()), "f.json", options)?;
    let mut records = Vec::new();
    loop {
        let next = json.next();
        let batch = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(next)?;
        if batch.is_empty() {
            return Ok((json, records));
        }
        records.extend(batch);
    }
}

fn error(text: &str) -> String {
    let error = read(text, &Options::default()).err().unwrap_or_else(|| panic!("{text} was read"));
    assert!(error.is_usage);
    error.message
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn arrays_lines_and_arrays_inside_are_read() {
    let users = "{\"orgid\": 17578, \"username\": \"jan\"},\n{\"username\": \"acme\", \"orgid\": 17579}";
    let pointer = Options { pointer: Some("/data/~1users".to_owned()), ..Options::default() };
    let lines = users.replace("},", "}");
    for (text_of_file, options) in [
        (format!("[{users}]"), &Options::default()),
        (format!(" \n[ {users} ]\n"), &Options::default()),
        (lines.clone(), &Options::default()),
        (lines.replace('\n', "\r\n\r\n") + "\n", &Options::default()),
        (format!("\u{feff}[{users}]"), &Options::default()),
        (
            format!("{{\"x\": [1, {{\"a\": \"}}\\\"\"}}], \"data\": {{\"n\": 1, \"/users\": [{users}]}}, \"z\": 1}}"),
            &pointer,
        ),
    ] {
        let (json, records) = read(&text_of_file, options).unwrap_or_else(|error| panic!("{text_of_file}: {error}"));
        assert_eq!(json.columns(), ["orgid", "username"]);
        assert!(json.default_mapping().is_some());
        assert_eq!(records.len(), 2, "{text_of_file}");
        assert_eq!(records[1].values, [text("17579"), text("acme")]);
    }
}

#[test]
fn values_are_as_they_are_written() {
    let (json, records) = read(
        "{\"n\": 18446744073709551615, \"m\": -3, \"f\": 17579.0, \"b\": true, \"z\": null, \"o\": {\"p\": {\"q\": \"x\"}},\
          \"a\": [\"x\", 2], \"e\": [], \"j\": [{\"k\": 1}]}\n{\"p\": \"late\"}",
        &Options { mapped: vec!["n".to_owned()], ..Options::default() },
    )
    .unwrap();
    assert_eq!(json.columns(), ["n", "m", "f", "b", "z", "o.p.q", "a", "e", "j", "p"]);
    assert_eq!(
        records[0].values,
        [
            text("18446744073709551615"),
            text("-3"),
            text("17579.0"),
            text("true"),
            Value::Null,
            text("x"),
            Value::Texts(vec!["x".into(), "2".into()]),
            Value::Texts(vec![]),
            text("[{\"k\":1}]"),
            Value::Null,
        ]
    );
    assert_eq!((&*records[0].place, &*records[1].place), ("line 1", "line 2"));
}

#[test]
fn faults_have_their_lines_and_no_values() {
    for (text, expected) in [
        ("[\n{\"a\": 1},\n{\"a\": 1,\n\"a\": 2}]", "line 4: the key `a` is there twice"),
        ("{\"a\": 1}\n{\"a\": secret}\n{\"a\": \"secret\n\"}", "its 2 faults:\nline 2: expected value\nline 4: "),
        ("[{\"a\": 1}\n{\"a\": 1}]", "line 2: a comma, or the end of the array, is expected here"),
        ("[{\"a\": 1},", "line 1: the file ends inside the array"),
        ("[{\"a\": 1},\n{\"a\"", "line 2: the file ends in the value that begins here"),
        ("[\"secret\"]", "line 1: an object is expected here"),
        ("[]", "there are no objects in it"),
        ("", "there are no objects in it"),
        ("secret", "line 1: an object is expected here"),
    ] {
        let message = error(text);
        assert!(message.contains(expected) && !message.contains("secret"), "{text}: {message}");
    }
    let pointer = Options { pointer: Some("/users".to_owned()), ..Options::default() };
    let message = read("{\"folders\": [], \"version\": 3}", &pointer).err().unwrap().message;
    assert!(message.contains("there is no key `users`; the keys here are: folders, version"), "{message}");
    let message = read("{\"users\": 3}", &pointer).err().unwrap().message;
    assert!(message.contains("there is no array at /users"), "{message}");
    let cp1252 = Json::read(Cursor::new(b"[\n{\"a\":\n\"M\xfcller\"}]".to_vec()), "f", &Options::default());
    assert!(cp1252.err().unwrap().message.contains("line 3: this is not UTF-8"));
}

#[test]
fn fields_that_come_late_are_told() {
    let early = "{\"orgid\": 1, \"username\": \"x\"}\n".repeat(BATCH);
    let (json, records) = read(&format!("{early}{{\"orgid\": 2, \"color\": \"red\"}}"), &Options::default()).unwrap();
    assert_eq!(records.len(), BATCH + 1);
    assert!(json.remarks()[0].ends_with(": color"));
    let late = format!("{early}{{\"orgid\": 2, \"Expires\": \"2027-01-01\"}}");
    assert!(error(&late).contains("line 5001: the first 5000 records have no field `Expires`"));
    let options = Options { columns: vec!["Expires".to_owned()], ..Options::default() };
    let (_, records) = read(&late, &options).unwrap();
    assert_eq!(records[BATCH].values, [text("2027-01-01"), text("2"), Value::Null]);
}

#[test]
fn depth_is_limited() {
    for text in [
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
        format!("[{{\"a\": {}1{}}}]", "[".repeat(5000), "]".repeat(5000)),
    ] {
        assert!(read(&text, &Options::default()).is_err());
    }
}

/// Keys may be the names of customers, or worse.
#[test]
fn keys_that_are_data_are_not_shown() {
    for text in [
        "[{\"SECRET\": \"x\"}, {\"SECRETS\": \"y\"}]",
        "{\"SECRET\": {\"password\": \"x\", \"username\": 1}, \"OTHERSECRET\": {\"password\": \"y\"}}",
        "{\"version\": 1, \"users\": {\"SECRET\": {\"login\": \"x\"}, \"SECRETS\": {\"login\": \"y\"}}}",
        "[{\"username\": 1, \"orgid\": 2, \"SECRET@example.com\": 1}]",
        "[{\"username\": 1, \"orgid\": 2, \"$6$saltsalt$SECRETSECRET\": 1}]",
        "[{\"username\": 1, \"orgid\": 2, \"x\": {\"/home/SECRET\": 1}}]",
        "[{\"$6$saltsalt$SECRETSECRET\": 1, \"$6$saltsalt$SECRETSECRET\": 2}]",
    ] {
        let error = read(text, &Options::default()).err().unwrap_or_else(|| panic!("{text} was read"));
        let shown = format!("{error} {:?}", error.hint);
        assert!(error.is_usage && !shown.contains("SECRET"), "{text}: {shown}");
    }
    let early = "{\"orgid\": 1, \"username\": \"x\"}\n".repeat(BATCH);
    let late = format!("{early}{{\"orgid\": 2, \"$6$saltsalt$SECRETSECRET\": 1, \"a@SECRET.org\": 2}}");
    let (json, _) = read(&late, &Options::default()).unwrap();
    assert!(json.remarks()[0].ends_with(": (not shown)"), "{:?}", json.remarks());
    // A mapping that names a field says that they are fields.
    let options = Options { mapped: vec!["x".to_owned()], ..Options::default() };
    assert!(read("[{\"x\": 1, \"y\": 2}]", &options).is_ok() && read("[{\"y\": 2}]", &options).is_err());
}

proptest::proptest! {
    #[test]
    fn no_text_is_too_odd(text in "[\\[\\]{}:,\"\\\\a1 \n]{0,60}") {
        let _ = read(&text, &Options::default());
        let _ = read(&text, &Options { pointer: Some("/a".to_owned()), ..Options::default() });
    }
}
