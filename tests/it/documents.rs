//! What the documentation names exists: tests, pages, headings and files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

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

/// The repository's documents, by their paths from its root.
pub(crate) fn documents(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root.join(&folder)).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let path = folder.join(&name);
            match entry.file_type().unwrap() {
                kind if kind.is_dir() && name != "target" && !name.starts_with('.') => folders.push(path),
                kind if kind.is_file() && name.ends_with(".md") => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// The lines of a document that are not code.
fn prose(root: &Path, document: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(root.join(document)).unwrap();
    let mut in_code = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code && !line.starts_with("    ") {
            // Every second part is between backticks.
            lines.push(line.split('`').step_by(2).collect::<Vec<_>>().join(" "));
        }
    }
    lines
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(root: &Path, document: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root.join(document)).unwrap();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    for heading in text.lines().filter(|line| line.starts_with('#')) {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let times = seen.entry(anchor.clone()).or_default();
        anchors.insert(if *times == 0 { anchor } else { format!("{anchor}-{times}") });
        *times += 1;
    }
    anchors
}

/// A path without `..` in it.
fn straight(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut straight, part| {
        match part {
            Component::ParentDir => assert!(straight.pop(), "{} leads out of the repository", path.display()),
            Component::Normal(name) => straight.push(name),
            _ => {}
        }
        straight
    })
}

#[test]
fn links_lead_somewhere() {
    let root = sftpctl_testkit::programs::root();
    let documents = documents(root);
    let (mut checked, mut broken) = (0, Vec::new());
    for document in &documents {
        for line in prose(root, document) {
            let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
            // Pages of the reference are made from the program, by scripts/site, which checks them.
            let is_ours = |target: &&str| !["https://", "http://", "reference/"].iter().any(|s| target.starts_with(s));
            for target in targets.filter(is_ours) {
                checked += 1;
                let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
                let path = match path {
                    "" => document.clone(),
                    path => straight(&document.parent().unwrap().join(path)),
                };
                let is_there = root.join(&path).exists();
                if !is_there || !anchor.is_empty() && !anchors(root, &path).contains(anchor) {
                    broken.push(format!("{}: {target}", document.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(checked > 100 && documents.len() > 30, "{checked} links in {} documents", documents.len());
}

/// The contents of the site name every page in `docs/`, once.
#[test]
fn every_page_is_in_the_contents() {
    let root = sftpctl_testkit::programs::root();
    let contents = std::fs::read_to_string(root.join("docs/SUMMARY.md")).unwrap();
    let mut named: Vec<&str> = contents.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    named.sort_unstable();
    let pages = documents(root).into_iter().filter(|path| path.starts_with("docs") && !path.ends_with("SUMMARY.md"));
    for page in pages {
        let name = page.strip_prefix("docs").unwrap().to_str().unwrap().to_owned();
        assert_eq!(named.iter().filter(|named| **named == name).count(), 1, "{name}");
    }
}

/// The commands that README's table names, as paths such as `users add`. After a command in a group, a single word is
/// another one of the group, if the group has one of that name.
fn commands_of_the_readme(exists: impl Fn(&str) -> bool) -> Vec<String> {
    let root = sftpctl_testkit::programs::root();
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let (_, table) = readme.split_once("| command | what it does |\n|---|---|\n").unwrap();
    let mut named = Vec::new();
    for row in table.lines().take_while(|line| line.starts_with('|')) {
        let what = row.split(" | ").next().unwrap();
        if what.ends_with("in the environment file") {
            continue;
        }
        // Another program has these commands.
        if what.starts_with("| `local ") {
            named.push("local".to_owned());
            continue;
        }
        let mut group = String::new();
        for words in what.split('`').skip(1).step_by(2) {
            let words: Vec<&str> = words.split(' ').take_while(|word| word.starts_with(char::is_lowercase)).collect();
            let words = words.join(" ");
            let in_group = format!("{group} {words}");
            let path = if exists(&in_group) { in_group } else { words };
            assert!(exists(&path), "README.md: there is no command `{path}`: {row}");
            path.rsplit_once(' ').map_or("", |(group, _)| group).clone_into(&mut group);
            named.push(path);
        }
    }
    named
}

/// The paths of the commands below one, without those that are hidden: of groups as well as of what is in them.
fn paths(command: &clap::Command, above: &str, all: &mut BTreeMap<String, bool>) {
    for below in command.get_subcommands().filter(|below| below.get_name() != "help" && !below.is_hide_set()) {
        let path = format!("{above} {}", below.get_name()).trim_start().to_owned();
        all.insert(path.clone(), !below.has_subcommands());
        paths(below, &path, all);
    }
}

#[test]
fn commands_are_in_the_readme() {
    let mut all = BTreeMap::new();
    paths(&sftpctl::commands::command(), "", &mut all);
    let named = commands_of_the_readme(|path| all.contains_key(path));
    let is_named = |path: &str| named.iter().any(|named| path == named || path.starts_with(&format!("{named} ")));
    let missing: Vec<&String> =
        all.iter().filter(|(path, ends)| **ends && !is_named(path)).map(|(path, _)| path).collect();
    assert!(missing.is_empty(), "README.md does not name {missing:?}");
    let once: BTreeSet<&String> = named.iter().collect();
    assert_eq!(once.len(), named.len(), "README.md names a command twice: {named:?}");
}

/// Each alarm that an environment can have is explained in docs/monitoring.md, and has a section in docs/runbooks.md,
/// which the end of the alarm's name leads to, with commands and with the sign that it is over.
#[test]
fn every_alarm_has_a_runbook() {
    let root = sftpctl_testkit::programs::root();
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let settings = "\nfiles: { events: true }\nalarms: { no_log_in_minutes: 60, no_canary_in_minutes: 90, \
                    replication_ms: 30000, dead_letters: true }\n";
    let environment = sftpctl_core::spec::load(&(read("environments/99.yaml") + settings), "99.yaml").unwrap();
    let mut alarms = BTreeSet::new();
    for region in environment.regions.keys() {
        let stem = format!("99-upload-{region}-");
        for name in sftpctl_core::template::alarms(&environment, region) {
            let end = name.strip_prefix(&stem).unwrap_or_else(|| panic!("{name}"));
            let section = [("replication-", "receiver"), ("dead-letters-", "cluster")]
                .iter()
                .find(|(start, _)| end.starts_with(start))
                .map_or_else(|| end.to_owned(), |(start, of)| format!("{start}{of}"));
            alarms.insert(section);
        }
    }
    assert!(alarms.contains("no-canary") && alarms.contains("dead-letters-cluster"), "{alarms:?}");

    let rows = |page: &str, head: &str| -> Vec<String> {
        let (_, table) = page.split_once(head).unwrap_or_else(|| panic!("no table {head}"));
        table.lines().skip(2).take_while(|line| line.starts_with('|')).map(str::to_owned).collect()
    };
    let monitoring = rows(&read("docs/monitoring.md"), "| alarm `99-upload-REGION-…` |");
    let named: BTreeSet<String> = monitoring.iter().map(|row| row.split('`').nth(1).unwrap().to_lowercase()).collect();
    assert_eq!(named, alarms, "docs/monitoring.md");
    let runbooks = read("docs/runbooks.md");
    let of_row = |row: &String| row.split_once("](#").unwrap().1.split(')').next().unwrap().to_owned();
    let named: BTreeSet<String> = rows(&runbooks, "| alarm | what").iter().map(of_row).collect();
    assert_eq!(named, alarms, "docs/runbooks.md");
    for section in runbooks.split("\n## ").skip(1) {
        let (heading, text) = section.split_once('\n').unwrap();
        if alarms.contains(&heading.to_lowercase()) {
            assert!(text.contains("\n```sh\n") && text.contains("Over when"), "{heading}");
        }
    }
}

/// No line of prose is longer than STYLE.md allows, and headings stand alone.
#[test]
fn pages_keep_to_the_style() {
    let root = sftpctl_testkit::programs::root();
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let top = ["README.md", "CHANGELOG.md", "ARCHITECTURE.md", "SECURITY.md", "STYLE.md"].map(|page| root.join(page));
    for path in docs.chain(top) {
        let page = path.strip_prefix(root).unwrap().display().to_string();
        let text = std::fs::read_to_string(&path).unwrap();
        let (mut in_code, mut after_heading) = (false, false);
        for (at, line) in text.lines().enumerate() {
            let place = format!("{page}:{}", at + 1);
            in_code ^= line.trim_start().starts_with("```");
            // Tables, pictures and code cannot be broken.
            let is_prose = !in_code && !line.starts_with('|') && !line.starts_with("![");
            assert!(!is_prose || line.chars().count() <= 120, "{place}: longer than 120 columns: {line}");
            assert!(!after_heading || line.is_empty(), "{place}: no blank line below the heading");
            after_heading = !in_code && line.starts_with('#');
        }
    }
}

/// What docs/what-it-is.md says of the examples' costs, which a test compares with those of `sftpctl cost`.
#[test]
fn costs_of_the_examples_are_the_same_on_both_pages() {
    let root = sftpctl_testkit::programs::root();
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let (examples, page) = (read("examples/README.md"), read("docs/what-it-is.md"));
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    for (example, end) in [("shop", " USD a month"), ("company", ",")] {
        let row = examples.lines().find(|line| line.starts_with(&format!("| [{example}.yaml]"))).unwrap();
        let cost = row.trim_end_matches([' ', '|']).rsplit("| ").next().unwrap();
        let (low, high) = cost.split_once(" to ").unwrap();
        let whole = |usd: &str| usd.parse::<f64>().unwrap().round();
        assert!(page.contains(&format!(" {} to {}{end}", whole(low), whole(high))), "{example}: {cost}");
    }
}

/// Pictures are small, are shown by a page, and say in words what they show.
#[test]
fn pictures_are_small_and_described() {
    let root = sftpctl_testkit::programs::root();
    let pages: Vec<String> =
        documents(root).iter().map(|page| std::fs::read_to_string(root.join(page)).unwrap()).collect();
    let mut pictures = 0;
    for entry in std::fs::read_dir(root.join("docs")).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if !name.ends_with(".png") && !name.ends_with(".svg") {
            continue;
        }
        pictures += 1;
        assert!(entry.metadata().unwrap().len() <= 150_000, "{name} has more than 150 KB");
        let words = pages.iter().find_map(|page| {
            let end = ["](", "](docs/"].iter().find_map(|start| page.find(&format!("{start}{name})")))?;
            Some(page[..end].rsplit("![").next().unwrap().to_owned())
        });
        let words = words.unwrap_or_else(|| panic!("no page shows docs/{name}"));
        assert!((30..400).contains(&words.len()), "{name}: {words:?}");
    }
    assert!(pictures > 5, "{pictures}");
}
