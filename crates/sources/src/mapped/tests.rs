use std::io::Cursor;

use super::*;
use crate::csv::Csv;
use crate::options::Options;

const HASH: &str = "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==";

fn csv(text: &str) -> Box<dyn Source> {
    Box::new(Csv::read(Cursor::new(text.to_owned()), "f.csv", &Options::default()).unwrap())
}

fn rows(text: &str, mapping: &Mapping) -> (Vec<Row>, Vec<String>) {
    let mut mapped = Mapped::new(csv(text), mapping).unwrap_or_else(|error| panic!("{error}"));
    let rows = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(mapped.next()).unwrap();
    (rows, mapped.remarks())
}

fn mapping() -> Mapping {
    Mapping {
        org_id: Some(Rule { pattern: Some(r"^/home/(\d+)$".to_owned()), ..Rule::column("folder") }),
        username: Some(Rule::column("login")),
        ..Mapping::default()
    }
}

#[test]
fn rules_make_rows() {
    let mapping = Mapping {
        password: Some(Rule::column("hash")),
        cluster: Some(Rule { default: Some("99-0".to_owned()), ..Rule::default() }),
        status: Some(Rule {
            values: [("1".to_owned(), "active".to_owned()), ("0".to_owned(), "disabled".to_owned())].into(),
            default: Some("active".to_owned()),
            ..Rule::column("on")
        }),
        allowed: Some(Rule { split: Some(",".to_owned()), ..Rule::column("ips") }),
        ..mapping()
    };
    let text = format!(
        "folder;login;hash;on;ips;color\n/home/0017578;jan;{HASH};1;10.0.0.0/8, 192.0.2.1,;red\n/home/x;acme;;;;\n\
         /home/3;third;;2;;\n"
    );
    let (rows, remarks) = rows(&text, &mapping);
    assert_eq!(rows[0].org_id.as_deref(), Some("17578"));
    assert_eq!(rows[0].remarks[0].why, "leading zeros");
    assert_eq!(rows[0].password, Password::Hash(HASH.to_owned()));
    assert_eq!((rows[0].cluster.as_deref(), rows[0].status.as_deref()), (Some("99-0"), Some("active")));
    assert_eq!(rows[0].allowed, ["10.0.0.0/8", "192.0.2.1"]);
    assert_eq!(rows[1].refusal.as_ref().unwrap().why, r"it does not match the pattern `^/home/(\d+)$`");
    assert_eq!((rows[1].status.as_deref(), &rows[1].password), (Some("active"), &Password::None));
    assert_eq!(rows[2].refusal.as_ref().unwrap().why, "the mapping has only these values: 0, 1");
    assert_eq!(remarks, ["these columns are not imported: color"]);
}

#[test]
fn a_status_without_a_value_is_active_and_said() {
    let mapping = Mapping { status: Some(Rule::column("on")), ..mapping() };
    let (rows, _) = rows("folder;login;on\n/home/1;jan;\n/home/2;acme;active\n", &mapping);
    let said: Vec<_> = rows.iter().map(|row| (row.status.as_deref(), row.remarks.len())).collect();
    assert_eq!(said, [(None, 1), (Some("active"), 0)]);
    assert_eq!((&*rows[0].remarks[0].column, &*rows[0].remarks[0].after), ("on", "active"));
}

#[test]
fn mapping_has_to_fit_the_source() {
    let error = |mapping: &Mapping| Mapped::new(csv("folder,login,\u{1b}x\n"), mapping).err().unwrap();
    let missing = error(&Mapping { username: Some(Rule::column("Login")), ..mapping() });
    assert_eq!(missing.message, "the source has no column `Login`, from which `username` would come");
    assert_eq!(missing.hint.as_deref(), Some("did you mean `login`?"));
    let missing = error(&Mapping { username: Some(Rule::column("qqq")), ..mapping() });
    assert_eq!(missing.hint.as_deref(), Some(r"its columns are folder, login, \u{1b}x"));
    let none = error(&Mapping { username: None, ..mapping() });
    assert!(none.message.contains("no rule for `username`"), "{none}");
    let pattern = Rule { pattern: Some("(".to_owned()), ..Rule::column("login") };
    assert!(error(&Mapping { username: Some(pattern), ..mapping() }).message.contains("not a regular expression"));
}

/// A password is in no remark and no refusal, whoever wrote it: the source, the rules for values, or a pattern.
#[test]
fn passwords_are_told_nowhere() {
    let bytes = b"folder,login,pw,old\n/home/1,jan,s\xe9cret,s\xe9cret\n/home/2,acme, secret ,secret\n\
                  /home/3,third,s\xc3\x83\xc2\xa9cret,x\n";
    for (is_plain, pattern) in [(false, None), (true, None), (false, Some("^nothing$".to_owned()))] {
        let takes_some = pattern.is_none();
        let options = Options { encoding: crate::encoding::Encoding::Auto, ..Options::default() };
        let csv = Csv::read(Cursor::new(bytes.to_vec()), "f.csv", &options).unwrap();
        let mapping = Mapping {
            password: Some(Rule { pattern, ..Rule::column("pw") }),
            plain_passwords: is_plain,
            note: Some(Rule::column("pw")),
            ..mapping()
        };
        let mut mapped = Mapped::new(Box::new(csv), &mapping).unwrap();
        let rows = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(mapped.next()).unwrap();
        let told: Vec<_> = rows.iter().map(|row| (&row.remarks, &row.refusal)).collect();
        let told = format!("{told:?}");
        assert!(!told.contains("cret") && !told.contains("old"), "{told}");
        assert_eq!(told.contains("read as cp1252"), takes_some, "{told}");
        assert!(rows[2].refusal.is_some(), "{told}");
    }
}

#[test]
fn a_refused_value_has_no_remark_as_well() {
    let (rows, _) = rows("folder,login\n /home/x ,jan\n /home/1 ,piet\n", &mapping());
    assert!(rows[0].refusal.is_some() && rows[0].remarks.is_empty(), "{rows:?}");
    assert!(rows[1].refusal.is_none() && rows[1].remarks.len() == 1, "{rows:?}");
}

#[test]
fn a_prefix_is_put_before_a_value() {
    let text = "orgid;username;password\n1;jan;5EBE2294ECD0E0F08EAB7690D2A6EE69\n2;acme;\n";
    let prefix = Some("{MD5}".to_owned());
    let mapping = Mapping {
        org_id: Some(Rule::column("orgid")),
        username: Some(Rule::column("username")),
        password: Some(Rule { prefix, ..Rule::column("password") }),
        ..Mapping::default()
    };
    let (rows, _) = rows(text, &mapping);
    assert_eq!(rows[0].password, Password::Hash("{MD5}5EBE2294ECD0E0F08EAB7690D2A6EE69".to_owned()));
    assert_eq!(rows[1].password, Password::None, "nothing is put before no value");
}

/// A source that has no organisation ID for its records, and says why.
struct WithoutId(Vec<Record>, [String; 3]);

#[async_trait]
impl Source for WithoutId {
    fn columns(&self) -> &[String] {
        &self.1[..2]
    }

    fn unread(&self) -> &[String] {
        &self.1[2..]
    }

    fn default_mapping(&self) -> Option<Mapping> {
        None
    }

    async fn next(&mut self) -> Result<Vec<Record>, RowsError> {
        Ok(std::mem::take(&mut self.0))
    }
}

#[test]
fn a_missing_value_is_a_fault_and_no_value() {
    let record = Record {
        values: vec![Value::Missing("the home has no number".to_owned()), Value::Text("jan".to_owned())],
        ..Record::default()
    };
    let columns = ["id", "login", "color"].map(str::to_owned);
    let with = |org_id: Rule| {
        let mapping = Mapping { org_id: Some(org_id), username: Some(Rule::column("login")), ..Mapping::default() };
        let source = WithoutId(vec![record.clone()], columns.clone());
        let mut mapped = Mapped::new(Box::new(source), &mapping).unwrap_or_else(|error| panic!("{error}"));
        let next = mapped.next();
        let rows = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(next).unwrap();
        (rows[0].clone(), mapped.remarks())
    };
    let (row, _) = with(Rule { pattern: Some("^([0-9]+)$".to_owned()), ..Rule::column("id") });
    let refusal = row.refusal.unwrap();
    assert_eq!((&*refusal.column, &*refusal.value, &*refusal.why), ("id", "", "the home has no number"));
    assert_eq!(row.org_id, None);
    let (row, remarks) = with(Rule { default: Some("7".to_owned()), ..Rule::default() });
    assert_eq!((row.org_id.as_deref(), row.refusal), (Some("7"), None), "the column is not needed");
    // Also columns that a source does not read are listed.
    assert_eq!(remarks, ["these columns are not imported: id, color"]);
}
