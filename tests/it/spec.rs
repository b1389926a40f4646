//! The program reads an environment file.

use rstest::rstest;

#[rstest]
#[case::utf16(b"\xff\xfev\0e\0r\0".as_slice(), "x.yaml is not valid UTF-8")]
#[case::latin1(b"environment: \"\xe9\"\n".as_slice(), "x.yaml is not valid UTF-8")]
fn a_file_in_another_encoding_is_refused_with_a_remedy(#[case] bytes: &[u8], #[case] message: &str) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.yaml"), bytes).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sftpctl"));
    let output = command.args(["validate", "--env-file", "x.yaml"]).current_dir(folder.path()).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{shown}");
    assert!(
        shown.contains(message) && shown.contains("hint: save it as UTF-8; `file x.yaml` shows its encoding"),
        "{shown}"
    );
}

/// A device, or whatever somebody has sent: the memory has an end, and so has the wait.
#[test]
fn endless_files_are_refused() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sftpctl"));
    let output = command.args(["validate", "--env-file", "/dev/zero"]).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{shown}");
    assert!(shown.contains("cannot read /dev/zero: it has more than 16 MiB"), "{shown}");
}

#[test]
fn shipped_schemas_of_costs_match_the_types() {
    use sftpctl_core::cost::{old_way, usage};
    for (name, schema) in [("usage", usage::schema()), ("compare", old_way::schema())] {
        let schema = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        let path = sftpctl_testkit::programs::root().join(format!("environments/cost-{name}.schema.json"));
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(&path, &schema).unwrap();
        }
        let shipped = std::fs::read_to_string(path).unwrap_or_default();
        assert!(shipped == schema, "regenerate it: UPDATE_SCHEMA=1 cargo test --test it shipped_schemas_of_costs");
    }
}
