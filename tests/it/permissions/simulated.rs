//! What `doctor` asks the policy simulator is what the printed policies allow: a principal with exactly these has no
//! denial.

use std::collections::BTreeMap;

use iam_model::{Caller, Decision, Policy, Request, evaluate};
use sftpctl_core::check::requests;

use super::policies;

/// Settings that add statements or conditions; without a KMS key, whose condition key the evaluator does not know.
const MORE: &str = r#"
permissions_boundary: arn:aws:iam::111111111111:policy/sftp-boundary
stack_role: arn:aws:iam::111111111111:role/sftp-cloudformation
server: { logging_role: transfer-logs, host_keys: ["secretsmanager:sftp/rsa", "ssm:/sftp/ed25519"] }
"#;

#[test]
fn a_deployer_with_the_printed_policies_is_denied_nothing() {
    let caller = Caller::role_session("arn:aws:iam::111111111111:role/deployer", "ci").unwrap();
    for (more, names) in [("", &["reader", "deployer", "stack"][..]), (MORE, &["reader", "deployer", "state"])] {
        let documents: Vec<_> = policies(more).into_iter().filter(|(name, _)| names.contains(&name.as_str())).collect();
        assert_eq!(documents.len(), names.len());
        let parsed = documents.iter().map(|(name, document)| Policy::parse(&document.to_string()).unwrap().named(name));
        let identity: Vec<Policy> = parsed.collect();
        let requests = requests(documents.iter().map(|(_, document)| document));
        let mut count = 0;
        for request in &requests {
            let mut context: BTreeMap<String, Vec<String>> =
                request.context.iter().map(|(key, value)| (key.clone(), vec![value.clone()])).collect();
            context.entry("aws:RequestedRegion".to_owned()).or_insert_with(|| vec!["us-west-2".to_owned()]);
            for (action, resource) in &request.wanted {
                let context = context.clone();
                let account = Some("111111111111");
                let asked = Request { caller: &caller, action, resource, resource_account: account, context };
                let decision = evaluate(&asked, &identity, None, None).unwrap();
                assert!(
                    matches!(decision, Decision::Allow { .. }),
                    "{action} {resource} {:?}: {decision:?}",
                    request.context
                );
                count += 1;
            }
        }
        assert!(count > 200, "{count}");
        // Without one of the documents there is a denial: the requests are those of all.
        for (index, (name, _)) in documents.iter().enumerate() {
            let mut fewer = identity.clone();
            fewer.remove(index);
            let denied = requests.iter().flat_map(|request| request.wanted.iter().map(move |pair| (request, pair)));
            let denied = denied.filter(|(request, (action, resource))| {
                let context = request.context.iter().map(|(key, value)| (key.clone(), vec![value.clone()])).collect();
                let account = Some("111111111111");
                let asked = Request { caller: &caller, action, resource, resource_account: account, context };
                !matches!(evaluate(&asked, &fewer, None, None).unwrap(), Decision::Allow { .. })
            });
            assert_ne!(denied.count(), 0, "{name}");
        }
    }
}
