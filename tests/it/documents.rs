//! The tests that the documentation names exist.

#[test]
fn every_row_of_what_happens_if_names_a_test() {
    let root = sftpctl_testkit::programs::root();
    let document = std::fs::read_to_string(root.join("docs/what-happens-if.md")).unwrap();
    let lines: Vec<&str> = document.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(lines.len() > 5, "{lines:?}");
    for line in lines {
        let test = line.trim_end_matches([' ', '|']).rsplit("| ").next().unwrap().trim_matches('`');
        let (module, name) = test.rsplit_once("::").unwrap_or_else(|| panic!("no test in: {line}"));
        let (folder, module) = match module.strip_prefix("engine::") {
            Some(module) => ("crates/engine/tests/it", module),
            None => ("tests/it/on_local_cloud", module),
        };
        let file = root.join(folder).join(format!("{}.rs", module.replace("::", "/")));
        let source = std::fs::read_to_string(file).unwrap();
        let head = ["fn ", "async fn "].map(|kind| format!("]\n{kind}{name}("));
        let at = head.iter().find_map(|head| source.find(head)).unwrap_or_else(|| panic!("there is no test {test}"));
        let attributes = source[..=at].rsplit("\n\n").next().unwrap();
        let is_test = ["#[test]", "#[tokio::test", "#[rstest]"].iter().any(|mark| attributes.contains(mark));
        assert!(is_test && !attributes.contains("#[ignore"), "{test}: {attributes}");
    }
}
