//! What `policy` warns of.

use super::*;
use crate::spec::arrivals::Arrivals;

#[test]
fn policies_with_patterns_in_place_of_names_say_so() {
    let wide = |environment: &Environment| {
        let site = Site { environment, zone_id: Some("Z1"), state: None };
        [Policy::Deployer, Policy::Teardown, Policy::State].map(|policy| {
            let all = warnings(policy, site);
            all.iter().filter(|warning| warning.contains("may fit those of other environments")).count()
        })
    };
    let mut one_family = environment("");
    assert_eq!(wide(&one_family), [0, 0, 0]);
    one_family.clusters.extend((6..20).map(|n| (format!("99-{n}"), Cluster { region: "us-west-2".into() })));
    assert_eq!(wide(&one_family), [0, 0, 0], "its clusters share a pattern of their own");
    let mut large = large("");
    assert_eq!(wide(&large), [1, 1, 0], "its buckets");
    let dns = large.dns.as_mut().unwrap();
    dns.aliases.insert("fourth.a-customer-facing-zone.example.com".into(), "ap-southeast-1".into());
    assert_eq!(wide(&large), [2, 1, 0], "its buckets and its records");
}

/// Everything that an environment can have, except what excludes another part.
fn with_everything(more: &str) -> Environment {
    let scan = "files: { malware_scan: {}, events: true, history_events: true }";
    let mut all = in_vpcs(large(&format!(
        "{more}\n{FILE_SYSTEM}\nguard: {{}}\nwaf: {{}}\n{TOPICS}\n{scan}\n\
         notify: {{ topics: [\"arn:aws:sns:eu-west-1:222222222222:ops\"] }}"
    )));
    all.decrypt = one_cluster("files: { decrypt: { 9-5: {} } }").decrypt;
    all
}

#[test]
fn more_managed_policies_than_a_role_may_have_are_warned_of() {
    let state = "s3://company-sftpctl/state".parse().unwrap();
    let warned = |environment: &Environment, policy| {
        let site = Site { environment, zone_id: None, state: Some(&state) };
        let about = warnings(policy, site).into_iter().find(|warning| warning.contains("managed policies"));
        (attached(policy, site), about.unwrap_or_default())
    };
    let whole = with_everything("");
    let (count, about) = warned(&whole, Policy::Deployer);
    // The reader in two parts, and ten others.
    assert!(
        count == 12 && about.contains("has 12 managed policies") && about.contains("`stack_role`"),
        "{count}: {about}"
    );
    assert_eq!(warned(&whole, Policy::Teardown).0, 13);
    assert_eq!(warned(&whole, Policy::Reader).1, "");
    let with_role = with_everything("stack_role: arn:aws:iam::111111111111:role/sftp-cloudformation");
    assert_eq!(warned(&with_role, Policy::Deployer), (6, String::new()));
    assert_eq!(warned(&with_role, Policy::Stack).1, "");
    assert_eq!(warned(&environment(""), Policy::Deployer), (4, String::new()));
}

#[test]
fn topics_of_others_beyond_six_are_warned_of() {
    let given = |count: usize| {
        let mut environment =
            environment("files: { notify: { 99-5: { topic: \"arn:aws:sns:us-west-2:111111111111:t\" } } }");
        let (cluster, one) = (environment.clusters["99-5"].clone(), environment.arrivals["99-5"].clone());
        environment.arrivals.clear();
        for number in 0..count {
            let topic = Some(format!("arn:aws:sns:us-west-2:111111111111:t{number}"));
            environment.clusters.insert(format!("99-{number}"), cluster.clone());
            environment.arrivals.insert(format!("99-{number}"), Arrivals { topic, ..one.clone() });
        }
        environment
    };
    for (count, expected) in [(6, None), (7, Some("arn:aws:sns:*:111111111111:*"))] {
        let environment = given(count);
        let topics = resources(&every_document(&environment)["reader"], "sns:GetTopicAttributes");
        let site = Site { environment: &environment, zone_id: Some("Z0123456789ABCDEFGHIJ"), state: None };
        let warning = warnings(Policy::Reader, site);
        match expected {
            None => assert!(topics.len() == count && warning.is_empty(), "{topics:?} {warning:?}"),
            Some(pattern) => {
                assert_eq!(topics, [pattern]);
                assert!(warning.len() == 1 && warning[0].contains(&format!("`{pattern}`")), "{warning:?}");
                assert!(warnings(Policy::Users, site).is_empty());
            }
        }
    }
}
