//! The pipelines' files, and the part of their steps that needs no AWS.

use crate::on_local_cloud::pipeline::{Inputs, fails, holds, inputs, names, steps, yaml};
use crate::site::Site;

#[test]
fn each_stage_runs_its_steps_and_an_unknown_stage_fails() {
    for (stage, wanted) in [
        ("validate", ["Stage", "Validate"].as_slice()),
        ("plan", &["Stage", "Validate", "Plan"]),
        ("deploy", &["Stage", "Deploy", "Verify"]),
        ("verify", &["Stage", "Verify"]),
        ("drift", &["Stage", "Drift"]),
    ] {
        assert_eq!(names(&steps(inputs(stage))), wanted, "{stage}");
    }
    assert_eq!(names(&steps([("environment".to_owned(), "99".to_owned())].into())), ["Stage", "Validate", "Plan"]);

    let site = Site::stopped();
    for stage in ["", "deplyo", "Plan", "plan\n::add-mask::99"] {
        let output = fails(&site, inputs(stage), "Stage", 2);
        let commands: Vec<&str> = output.lines().filter(|line| line.starts_with("::")).collect();
        assert!(commands[0].starts_with("::error::no stage "), "{output}");
        assert!(commands[0].ends_with(": validate, plan, deploy, verify, drift"), "{output}");
        assert_eq!(commands.len(), 1, "{output}");
    }
}

#[test]
#[should_panic(expected = "not a form that this test supports")]
fn unsupported_condition_panics() {
    holds(&inputs("plan"), "${{ inputs.stage != 'plan' }}");
}

#[test]
fn faults_are_marked_in_the_file() {
    let site = Site::stopped();
    site.edit(|file| file.replace("99-5: us-west-2", "99-5: us-west-9"));
    for stage in ["validate", "plan"] {
        let output = fails(&site, inputs(stage), "Validate", 2);
        assert!(output.contains("::error file=environments/99.yaml,line=19,col="), "{output}");
    }
}

#[test]
fn workflow_uses_declared_inputs_and_gives_forks_no_credentials() {
    let file = yaml("ci/github.yml");
    let mut stages = Vec::new();
    for (job, content) in file["jobs"].as_object().unwrap() {
        for step in
            content["steps"].as_array().unwrap().iter().filter(|step| step["uses"] == "./.github/actions/sftpctl")
        {
            let with = step["with"].as_object().unwrap().iter();
            let given: Inputs = with.map(|(name, text)| (name.clone(), text.as_str().unwrap().to_owned())).collect();
            assert_eq!(job, &given["stage"]);
            assert!(names(&steps(given)).len() > 1, "{job}");
            stages.push(job.as_str());
        }
    }
    stages.sort_unstable();
    assert_eq!(stages, ["deploy", "drift", "plan", "validate"]);
    assert_eq!(file["permissions"].to_string(), r#"{"contents":"read"}"#);
    assert!(file["jobs"]["validate"].get("permissions").is_none());
    assert!(file["jobs"]["plan"]["if"].as_str().unwrap().contains("head.repo.full_name == github.repository"));
}

#[test]
fn gitlab_template_affects_only_its_own_jobs() {
    let file = yaml("ci/gitlab.yml");
    for (name, job) in file.as_object().unwrap() {
        assert!(name.trim_start_matches('.').starts_with("sftpctl"), "{name} would apply to every job");
        if !name.starts_with('.') {
            assert_eq!(job["extends"], ".sftpctl", "{name}");
            assert!(["test", "deploy"].contains(&job["stage"].as_str().unwrap()), "{name}");
            assert!(job["rules"].is_array(), "{name}: without rules it would run in every pipeline");
        }
    }
}

/// Every line of these files that fetches other people's code, in the form that pins it, and its version in a comment.
#[test]
fn actions_are_pinned_by_commit_and_images_by_digest() {
    let root = sftpctl_testkit::programs::root();
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let is_hex = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut actions = 0;
    for file in
        ["ci/github.yml", "ci/github-canary.yml", "ci/github-supply-chain.yml", ".github/actions/sftpctl/action.yml"]
    {
        let text = read(file);
        for used in text.lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("uses: ")) {
            if used.starts_with("./") {
                continue;
            }
            let (action, version) = used.split_once(" # v").unwrap_or_else(|| panic!("{file}: no version: {used}"));
            let (_, commit) = action.split_once('@').unwrap();
            assert!(is_hex(commit, 40), "{file}: not a commit: {used}");
            assert!(version.split('.').count() == 3, "{file}: {used}");
            actions += 1;
        }
    }
    assert!(actions > 8, "{actions}");
    let mut images = Vec::new();
    for (file, key) in
        [("Dockerfile", "FROM "), ("ci/github-supply-chain.yml", "image: "), ("ci/gitlab-supply-chain.yml", "image: ")]
    {
        let text = read(file);
        for image in text.lines().filter_map(|line| line.trim_start().strip_prefix(key)) {
            let (_, digest) = image.split_once("@sha256:").unwrap_or_else(|| panic!("{file}: no digest: {image}"));
            images.push(digest.split(' ').next().unwrap().to_owned());
        }
    }
    assert!(images.iter().all(|digest| is_hex(digest, 64)), "{images:?}");
    // The image of sftpctl itself, with zeros in place of the digest that only its user has.
    let workflow = read("ci/github.yml");
    let own: Vec<_> = workflow.split("image: \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(
        own.len() == 4 && own.iter().all(|image| image.ends_with(&format!("@sha256:{}", "0".repeat(64)))),
        "{own:?}"
    );
    // The jobs build with the Dockerfile's toolchain.
    assert!(images.len() == 4 && images[0] == images[2] && images[0] == images[3], "{images:?}");
}
