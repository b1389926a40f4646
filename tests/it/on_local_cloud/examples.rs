//! The environments in `examples/`, as `examples/README.md` presents them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;

use crate::site::{Site, shown, succeeded, with_input};

const SFTPGO: &str = "examples/from-sftpgo/environment.yaml";

/// A local cloud, with the examples in its folder. The VPC that the local cloud has takes the place of the company's.
fn site() -> Site {
    let site = Site::new();
    let from = sftpctl_testkit::programs::root().join("examples");
    let to = site.dir.path().join("examples");
    std::fs::create_dir_all(to.join("from-sftpgo")).unwrap();
    for name in ["README.md", "shop.yaml", "company.yaml", "from-sftpgo/environment.yaml", "from-sftpgo/sftpgo.json"] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
    let company = to.join("company.yaml");
    let text = std::fs::read_to_string(&company).unwrap();
    let replaced = text.lines().map(|line| match line.trim_start() {
        here if here.starts_with("vpc: ") => "      vpc: vpc-00000001",
        here if here.starts_with("subnets: ") => "      subnets: [subnet-00000001, subnet-00000002]",
        _ => line,
    });
    std::fs::write(&company, replaced.collect::<Vec<_>>().join("\n") + "\n").unwrap();
    site
}

/// The rows of the document's table: the file, and its costs in words.
fn rows() -> Vec<(String, String)> {
    let document = std::fs::read_to_string(sftpctl_testkit::programs::root().join("examples/README.md")).unwrap();
    let rows = document.lines().filter(|line| line.starts_with("| ["));
    let of = |line: &str| {
        let file = line.split_once("](").unwrap().1.split_once(')').unwrap().0.to_owned();
        (file, line.trim_end_matches(" |").rsplit("| ").next().unwrap().to_owned())
    };
    rows.map(of).collect()
}

fn json(output: &str) -> Value {
    serde_json::from_str(output.lines().last().unwrap()).unwrap()
}

#[test]
fn each_is_valid_costs_what_is_said_and_is_deployed() {
    let rows = rows();
    assert_eq!(rows.len(), 3, "{rows:?}");
    for (file, costs) in rows {
        let site = site();
        let file = format!("examples/{file}");
        let on =
            |command: &str, more: &[&'static str]| site.ok(&[&[command, "--env-file", file.as_str()], more].concat());
        on("validate", &[]);
        let total = json(&on("cost", &["--output", "json"]))["total"].clone();
        let said = format!("{} to {}", total["low"].as_str().unwrap(), total["high"].as_str().unwrap());
        assert_eq!(said, costs, "{file}");
        on("deploy", &["--local", "--yes"]);
        let planned = json(&on("plan", &["--local", "--output", "json"]));
        assert_eq!(planned["steps"].as_array().unwrap().len(), 0, "{file}: {planned}");
    }
}

/// The commands of the document.
#[test]
fn customers_of_sftpgo_log_in_as_before() {
    let site = site();
    let document = std::fs::read_to_string(site.dir.path().join("examples/README.md")).unwrap();
    let section = document.split_once("## From SFTPGo").unwrap().1;
    let commands: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("sftpctl ")).collect();
    let [deploy, import, test_login] = commands[..] else { panic!("{commands:?}") };
    let words = |command: &'_ str| command.split(' ').map(str::to_owned).collect::<Vec<_>>();
    for command in [deploy, import] {
        let mut command = words(command);
        if !command.iter().any(|word| word == "--yes") {
            command.push("--yes".to_owned());
        }
        let output = site.ok(&command.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(command[0] == "deploy" || output.contains("3 accounts added"), "{output}");
    }
    let log_in = |arguments: &[&str], password: &str| {
        let output = with_input(site.command(arguments).arg("--password-stdin"), password.as_bytes());
        (output.status.code(), shown(&output))
    };
    let first = words(test_login);
    let first: Vec<&str> = first.iter().map(String::as_str).collect();
    let (code, output) = log_in(&first, "Fake-Password-1");
    assert_eq!(code, Some(0), "{output}");
    let (code, output) = log_in(&first, "Fake-Password-2");
    assert_eq!(code, Some(1), "{output}");
    let of = |name: &'static str, more: &[&'static str]| {
        [&["test-login", "--env-file", SFTPGO, "--local", "--username", name], more].concat()
    };
    let (code, output) = log_in(&of("bert", &["--source-ip", "192.0.2.7"]), "Fake-Password-2");
    assert_eq!(code, Some(0), "{output}");
    let (code, output) = log_in(&of("bert", &["--source-ip", "198.51.100.7"]), "Fake-Password-2");
    assert!(code == Some(1) && output.contains("REFUSED"), "{output}");
    let (code, output) = log_in(&of("carla", &[]), "Fake-Password-3");
    assert!(code == Some(1) && output.contains("the account is disabled"), "{output}");
    let plan = site.run(&["plan", "--env-file", SFTPGO, "--local", "--exit-code"]);
    succeeded("nothing is left to do", &plan);
}
