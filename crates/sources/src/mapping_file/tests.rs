use super::*;

const FULL: &str = r#"# all of it
version: 1
source: { separator: ";", encoding: cp1252, dialect: outfile, header: true, quote: '"', double_encoded: repair }
orgid: { column: folder, pattern: '^/home/(\d+)$' }
username: login
password: { column: secret, form: plain }
cluster: { value: 99-0 }
home: 4
status: { column: 5, values: { "1": active, "0": disabled }, default: active }
allowed: { column: ips, split: "," }
"#;

fn faults(text: &str, kind: Kind) -> Vec<yaml::Fault> {
    let faults = load(text, "m.yaml", kind).err().unwrap_or_else(|| panic!("{text} has no faults"));
    assert!(!faults.render(false).is_empty());
    faults.list().to_vec()
}

#[test]
fn every_setting_is_read() {
    let file = load(FULL, "m.yaml", Kind::Csv).unwrap_or_else(|faults| panic!("{}", faults.render(false)));
    let column = Rule::column;
    let expected = Mapping {
        org_id: Some(Rule { pattern: Some(r"^/home/(\d+)$".into()), ..column("folder") }),
        username: Some(column("login")),
        password: Some(column("secret")),
        plain_passwords: true,
        double_encoded: DoubleEncoded::Repair,
        cluster: Some(Rule { default: Some("99-0".into()), ..Rule::default() }),
        home: Some(column("4")),
        status: Some(Rule {
            values: [("1".into(), "active".into()), ("0".into(), "disabled".into())].into(),
            default: Some("active".into()),
            ..column("5")
        }),
        allowed: Some(Rule { split: Some(",".into()), ..column("ips") }),
        ..Mapping::default()
    };
    assert_eq!(file.mapping, expected);
    let options = Options {
        separator: Some(b';'),
        quote: Some(b'"'),
        encoding: Encoding::Cp1252,
        dialect: Dialect::Outfile,
        header: Some(true),
        mapped: ["folder", "login", "secret", "4", "5", "ips"].map(str::to_owned).to_vec(),
        ..Options::default()
    };
    assert_eq!(file.options, options);
    let json = load("version: 1\nsource: { pointer: /users, columns: [expires] }\n", "m", Kind::Json).unwrap();
    assert_eq!(
        (json.options.pointer.as_deref(), &*json.options.columns),
        (Some("/users"), &["expires".to_owned()][..])
    );
    let mysql = load("version: 1\nsource: { table: customers, key: nr }\n", "m", Kind::Mysql).unwrap();
    assert_eq!((mysql.options.table.as_deref(), mysql.options.key.as_deref()), (Some("customers"), Some("nr")));
}

#[test]
fn values_that_no_account_can_have_are_in_their_places() {
    let text = "version: 1\norgid: id\ncluster: { value: 99-77 }\nstatus: { column: s, values: { x: active } }\n\
                expires: { column: e, values: { a: 99-77, b: 2030-01-01 }, default: 99-77 }\nallowed: { value: '' }\n";
    let file = load(text, "m.yaml", Kind::Csv).unwrap_or_else(|faults| panic!("{}", faults.render(false)));
    let wrong = |attribute: &str, value: &str| {
        let message = format!("{attribute} is never {value}");
        (value == "99-77").then_some(Wrong { message, hint: Some("another".into()) })
    };
    let found = file.check_constants(wrong).unwrap_err();
    let places: Vec<(usize, usize)> = found.list().iter().map(|fault| (fault.line, fault.column)).collect();
    assert_eq!(places, [(3, 19), (5, 36), (5, 69)], "{}", found.render(false));
    assert!(found.list()[0].message == "cluster is never 99-77" && found.list()[0].hint.is_some());
    assert!(file.check_constants(|_, value| (value.is_empty()).then(|| panic!("an empty value is none"))).is_ok());
}

#[test]
fn every_fault_is_in_its_place() {
    for (text, line, column, message, hint) in [
        ("version: 2", 1, 10, "unknown format version 2", "version 1"),
        ("version: 1\nusernam: login", 2, 1, "unknown setting `usernam`", "did you mean `username`?"),
        ("version: 1\norgid: { colum: x }", 2, 10, "unknown setting `colum`", "did you mean `column`?"),
        (
            "version: 1\nsource: { table: x }",
            2,
            11,
            "the source `csv` has no option `table`",
            "its options are separator",
        ),
        ("version: 1\nsource: { encoding: cp1251 }", 2, 21, "invalid encoding `cp1251`", "did you mean `cp1252`?"),
        ("version: 1\nsource: { dialect: mysql }", 2, 20, "invalid dialect `mysql`", "did you mean `mysql-batch`?"),
        ("version: 1\nsource: { separator: \";;\" }", 2, 22, "`;;` is not one character", "for example"),
        ("version: 1\norgid: { pattern: 'x' }", 2, 8, "`orgid` has neither a column nor a value", "orgid: COLUMN"),
        ("version: 1\norgid: { column: a, value: b }", 2, 21, "both a column and a value", "remove one"),
        ("version: 1\norgid: { column: a, pattern: '(' }", 2, 30, "not a regular expression", "single quotes"),
        (
            "version: 1\norgid: { value: a, pattern: 'x' }",
            2,
            29,
            "no pattern, values, prefix, split or default",
            "remove",
        ),
        (
            "version: 1\nhome: { column: a, split: ',' }",
            2,
            20,
            "`home` has one value",
            "`allowed`, `keys` and `regions`",
        ),
        ("version: 1\nhome: { column: a, form: plain }", 2, 20, "only `password` has a form", "remove"),
        ("version: 1\npassword: { column: a, form: plane }", 2, 30, "invalid form `plane`", "did you mean `plain`?"),
        ("version: 1\nstatus: { column: a, values: { 1: aktive } }", 2, 35, "invalid status `aktive`", "`active`?"),
        ("username: x", 1, 1, "the setting `version` is missing", "environments/import-mapping.schema.json"),
        ("version: 1\nusername: \u{201c}x\u{201d}", 2, 11, "typographic quote", "straight quotes"),
        ("# nothing", 1, 10, "this file has no settings", "The mapping file"),
    ] {
        let fault = &faults(text, Kind::Csv)[0];
        assert!(fault.message.contains(message), "{text}: {fault:?}");
        assert!(fault.hint.as_ref().is_some_and(|have| have.contains(hint)), "{text}: {fault:?}");
        assert_eq!((fault.line, fault.column), (line, column), "{text}: {fault:?}");
    }
    let all = faults("version: 1\nsource: { encoding: x, quote: xx }\norgid: {}\nstatus: { value: on }\n", Kind::Csv);
    assert_eq!(all.iter().map(|fault| fault.line).collect::<Vec<_>>(), [2, 2, 3, 4], "{all:?}");
    // Settings that are unknown, given twice or of another type hide none of the others.
    let all = faults(
        "version: 1\nusernam: login\norgid: { colum: x }\nstatus: { value: on, valus: 1 }\nnote: a\nnote: b\n\
         home: { column: a, split: ',' }\nsource: { header: perhaps, quote: xx }\n",
        Kind::Csv,
    );
    assert_eq!(all.iter().map(|fault| fault.line).collect::<Vec<_>>(), [2, 3, 4, 4, 6, 7, 8, 8], "{all:?}");
    let all = faults("verson: 1\norgid: { colum: x }", Kind::Csv);
    assert_eq!(all.iter().map(|fault| fault.line).collect::<Vec<_>>(), [1, 1, 2], "{all:?}");
    for (encoding, is_refused) in [("utf-8", true), ("latin1", true), ("cp1252", false)] {
        let found =
            faults(&format!("version: 1\nsource: {{ encoding: {encoding} }}\nstatus: {{ value: on }}"), Kind::Mysql);
        assert_eq!(found.iter().any(|fault| fault.message.contains("no effect")), is_refused, "{found:?}");
    }
    let both = faults("version: 1\nsource: { table: a, query: b }", Kind::Mysql);
    assert!(both[0].message.contains("both a table and a query"));
    assert!(
        faults("version: 1\nsource: { pointer: users }", Kind::Json)[0].hint.as_ref().unwrap().contains("`/users`")
    );
}

#[test]
fn columns_are_compared_with_the_source() {
    let file = load(FULL, "m.yaml", Kind::Csv).unwrap();
    let all = ["folder", "login", "secret", "4", "5", "ips"].map(str::to_owned);
    assert!(file.check_columns(&all).is_ok());
    let other = ["Folder", "logins", "secret", "4", "5"].map(str::to_owned);
    let faults = file.check_columns(&other).err().unwrap();
    let shown: Vec<_> = faults.list().iter().map(|f| (f.line, f.column, f.hint.as_deref().unwrap())).collect();
    assert_eq!(shown[0], (4, 18, "did you mean `Folder`?"));
    assert_eq!(shown[1], (5, 11, "did you mean `logins`?"));
    assert_eq!((shown[2].0, shown[2].1), (10, 20));
    assert!(faults.render(false).contains("the source has no column `login`, from which `username` would come"));
}

#[test]
fn shipped_schema_matches_the_types() {
    let schema = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../environments/import-mapping.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, &schema).unwrap();
    }
    let shipped = std::fs::read_to_string(path).unwrap_or_default();
    assert!(shipped == schema, "regenerate it: UPDATE_SCHEMA=1 cargo test -p sftpctl-sources shipped_schema");
}

proptest::proptest! {
    #[test]
    fn loader_never_panics(text in "\\PC{0,80}", at in 0usize..400) {
        let at = (at.min(FULL.len())..=FULL.len()).find(|at| FULL.is_char_boundary(*at)).unwrap();
        if let Err(faults) = load(&format!("{}{text}{}", &FULL[..at], &FULL[at..]), "m", Kind::Csv) {
            faults.render(false);
        }
    }
}

/// What is shown of the faults of a file, to people and to programs.
fn shown(text: &str) -> String {
    let faults = load(text, "m.yaml", Kind::Csv).err().unwrap_or_else(|| panic!("{text} has no faults"));
    let list: Vec<_> = faults.list().iter().map(|fault| format!("{} {:?}", fault.message, fault.hint)).collect();
    format!("{}\n{}", faults.render(false), list.join("\n"))
}

#[test]
fn nothing_of_a_file_of_another_kind_is_shown() {
    for text in [
        "root:$y$j9T$c2FsdHNhbHQ$SECRET:19000:0:99999:7:::\njan:SECRET:19000:0:99999:7:::\n",
        "SECRET:x:0:0:SECRET:/root:/bin/bash\n",
        "machine SECRET login SECRET password SECRET\n",
        "[default]\naws_secret_access_key = SECRET\n",
        "{\"SECRET\": \"SECRET\"}\n",
        "kind: SECRET\ndata:\n  tls.key: SECRET\n",
        "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n",
        "image:\n  version: 3\n  key: SECRET\n",
        "{\n  \"a\": {\n    \"version\": 1\n  },\n  \"b\": \"SECRET\"\n}\n",
        "SECRET: &a [*a, \u{200b}SECRET]\n",
    ] {
        let shown = shown(text);
        assert!(!shown.contains("SECRET"), "{text}: {shown}");
        assert!(shown.contains("this is not a mapping file") && shown.contains("m.yaml:"), "{text}: {shown}");
        assert!(shown.contains("The mapping file"), "what to do: {shown}");
    }
}

#[test]
fn secrets_in_a_mapping_are_not_shown() {
    for text in [
        "password: { column: a, value: SECRET }",
        "password: { column: a, value: \"a SECRET, {b: SECRET}\" }",
        "password: { value: SECRET, pattern: 'SECRET(' }",
        "password: { column: a, form: plain, value: '(SECRET' }",
        "password: { values: { SECRET: SECRET }, colum: a }",
        "password:\n  colum: a\n  value: SECRET",
        "password:\n  - column: SECRET SECRET",
        "orgid: { colum: a, SECRET: SECRET }",
        "databasepassword: SECRET",
        "db: SECRET",
        "token: |\n  SECRET\n  SECRET",
        "query: mysql://me:SECRET@db/x",
        "\"$6$saltsalt$SECRETSECRET\": x",
        "source: { separator: 5ebe2294ecd0e0f08eab7690d2a6SECRET, dialect: x } # password=SECRET",
        "source: { dialect: \"$6$saltsalt$SECRETSECRET\" }",
        "source: { dialect: \"{SSHA}SECRETSECRETSECRET\" }",
    ] {
        let text = format!("version: 1\n{text}\n").replace("a6SECRET", "a6ee69");
        let shown = shown(&text);
        assert!(!shown.contains("SECRET") && !shown.contains("5ebe22"), "{text}: {shown}");
        assert!(shown.contains("m.yaml:2") || shown.contains("m.yaml:3"), "where it is: {shown}");
    }
    // As JSON, too.
    let json = self::shown("{\n  \"version\": 1,\n  \"usernam\": \"SECRET\"\n}\n");
    assert!(json.contains("unknown setting `usernam`") && !json.contains("SECRET"), "{json}");
    // The names of settings and columns are what a fault is about.
    let known = self::shown("version: 1\npassword: { column: pw, form: plane }\nhome: { column: dir, split: ',' }\n");
    for name in ["column: pw", "invalid form `plane`", "column: dir, split"] {
        assert!(known.contains(name), "{name}: {known}");
    }
    let file = load("version: 1\npassword: pw_hash\n", "m.yaml", Kind::Csv).unwrap();
    let faults = file.check_columns(&["pw-hash".to_owned()]).err().unwrap().render(false);
    assert!(faults.contains("password: pw_hash") && faults.contains("no column `pw_hash`"), "{faults}");
    let unknown = self::shown("version: 1\nusernam: login\n");
    assert!(unknown.contains("usernam: *****"), "{unknown}");
}

#[test]
fn a_file_with_options_alone_has_no_rules() {
    let file = load("version: 1\nsource: { separator: \";\" }\n", "m.yaml", Kind::Csv).unwrap();
    assert!(file.rules().is_none() && file.options.separator == Some(b';'));
    let file = load("version: 1\npassword: { column: pw, prefix: \"{MD5}\" }\n", "m.yaml", Kind::Csv).unwrap();
    assert_eq!(file.rules().unwrap().password.as_ref().unwrap().prefix.as_deref(), Some("{MD5}"));
    let found = faults("version: 1\ncluster: { value: 99-0, prefix: x }\n", Kind::Csv);
    assert!(found[0].message.contains("has no pattern, values, prefix, split or default"), "{found:?}");
}
