//! The tests that the documentation names exist.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

/// The files that may have a module of tests, as the documents name it: `core::spec` is in the crate `core`; a name
/// without a crate is of the program's own tests, or of the program itself.
fn files(root: &Path, module: &str) -> Vec<PathBuf> {
    let of_crate = module.split_once("::").filter(|(name, _)| root.join("crates").join(name).is_dir());
    let (folders, module): (Vec<String>, &str) = match of_crate {
        Some((name, module)) => {
            let folders = ["tests/it", "tests/core", "tests", "src"].map(|folder| format!("crates/{name}/{folder}"));
            (folders.into(), module)
        }
        None => (["tests/it/on_local_cloud", "tests/it", "src"].map(str::to_owned).into(), module),
    };
    let module = module.replace("::", "/");
    let paths = folders.iter().flat_map(|folder| ["", "/mod"].map(|end| format!("{folder}/{module}{end}.rs")));
    paths.map(|path| root.join(path)).filter(|path| path.is_file()).collect()
}

/// Fails unless there is a test of this name, `module::name`, that is not ignored.
fn is_a_test(root: &Path, test: &str) {
    let (module, name) = test.rsplit_once("::").unwrap_or_else(|| panic!("not the name of a test: {test}"));
    let heads = ["fn ", "async fn "].map(|kind| format!("]\n{kind}{name}("));
    // Without indentation: unit tests are in a module of their file.
    let attributes = files(root, module).iter().find_map(|file| {
        let source = std::fs::read_to_string(file).unwrap();
        let source: String = source.lines().map(|line| line.trim_start().to_owned() + "\n").collect();
        let at = heads.iter().find_map(|head| source.find(head))?;
        Some(source[..=at].rsplit("\n\n").next().unwrap().to_owned())
    });
    let attributes = attributes.unwrap_or_else(|| panic!("there is no test {test}"));
    let is_test = ["#[test]", "#[tokio::test", "#[rstest]"].iter().any(|mark| attributes.contains(mark));
    assert!(is_test && !attributes.contains("#[ignore"), "{test}: {attributes}");
}

/// In every table with the column "shown by", which is the last one.
#[test]
fn every_row_names_its_tests() {
    let root = sftpctl_testkit::programs::root();
    for (path, least) in [
        ("docs/what-happens-if.md", 50),
        ("docs/security-model.md", 50),
        ("docs/import.md", 10),
        ("docs/addresses.md", 5),
    ] {
        let document = std::fs::read_to_string(root.join(path)).unwrap();
        let tables = document.split("\n\n").filter_map(|table| table.split_once(" shown by |\n"));
        // The line below the heads of the columns is no row.
        let rows: Vec<&str> = tables.flat_map(|(_, rows)| rows.lines().skip(1)).collect();
        assert!(rows.len() > least, "{path}: {rows:?}");
        for row in rows {
            let tests = row.trim_end_matches([' ', '|']).rsplit("| ").next().unwrap();
            tests.split(", ").for_each(|test| is_a_test(root, test.trim_matches('`')));
        }
    }
}
