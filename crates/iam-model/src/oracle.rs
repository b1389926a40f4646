//! Oracle: `@cloud-copilot/iam-simulate`, an independent IAM simulator.
//!
//! Both evaluate generated policies and requests, and have to reach the same verdict. Where this model refuses to
//! decide, the refusal has to be one of those it documents. A failing case is printed in full.
//!
//! Known differences between the oracle and AWS, by the IAM user guide:
//!
//! * It substitutes variables in policies of version 2008-10-17. AWS does not ("IAM JSON policy elements: Version"), so
//!   the oracle gets these policies as version 2012-10-17, with the dollar sign escaped.
//! * For an address of the other family, it evaluates `NotIpAddress` to false without a prefix, and to true with `/32`.
//!   AWS says that both mean the same ("IP address condition operators"), so the oracle gets the prefix.
//! * It lets a session policy limit every permission. On AWS it does not limit a permission that a resource policy
//!   grants to the session's ARN ("Policies and permissions: session policies") or to everyone ("Principal": role
//!   principals).
//! * In `execute-api`, it takes the API's ID for the resource type, which may not contain wildcards.

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "an oracle is a program beside the tests")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

use super::caller::Caller;
use super::error::EvalError;
use super::evaluate::evaluate;
use super::generate::{Generated, Generator, HERE};
use super::policy::Policy;
use super::request::Request;
use super::scenarios::word;

/// Enough for each operator to meet each kind of value many times; the oracle takes a few seconds for them.
const CASES: usize = 12_000;

/// Refusals by design, each identified by a part of its message.
const DOCUMENTED: [&str; 5] = [
    // AWS: a variable without a value "might" invalidate the statement.
    "another one uses a variable the request lacks",
    // AWS: wildcards across the colons of an ARN may work, but must not be relied on.
    "would have to cross the colons",
    "would have to match the type of the resource",
    // AWS: the effect of an incomplete exception differs between services.
    "NotPrincipal lists",
    "whether IfExists or ForAnyValue then decides is not documented",
];

#[derive(Debug, Deserialize)]
struct Answer {
    verdict: String,
    why: String,
}

/// Runs the oracle once on all cases.
fn consult(cases: &[Generated]) -> Vec<Answer> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Where scripts/test installs its tools.
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let modules = target.join("tools/node/node_modules");
    assert!(
        modules.join("@cloud-copilot/iam-simulate").is_dir(),
        "iam-simulate is missing: scripts/test installs it (supply-chain/node)"
    );
    let mut child = Command::new("node")
        .arg(root.join("tests/oracle/iam_simulate.mjs"))
        .arg(&modules)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("node cannot be started ({error}): apt-get install nodejs"));
    let lines: String = cases.iter().map(|case| format!("{}\n", case.to_json())).collect();
    let mut stdin = child.stdin.take().unwrap();
    // Written on another thread while the output is read: both pipes are smaller than the cases.
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "the oracle ended with {}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Rewrites a policy so that the oracle reads it as AWS would.
fn for_oracle(policy: &Value) -> Value {
    let old = policy["Version"] == "2008-10-17";
    let mut text = policy.to_string();
    if old {
        text = text.replace("${", "${$}{").replace("2008-10-17", "2012-10-17");
    }
    serde_json::from_str(&text.replace(r#""192.0.2.7""#, r#""192.0.2.7/32""#)).unwrap()
}

impl Generated {
    /// The same request, with only the resource policy's grants to the session or to everyone left.
    fn by_resource_alone(&self) -> Self {
        let mut alone = Self { identity: Vec::new(), session: None, ..self.clone() };
        let statements = alone.resource_policy.iter_mut().filter_map(|policy| policy["Statement"].as_array_mut());
        for statement in statements.flatten().filter(|statement| statement["Effect"] == "Allow") {
            let text = statement["Principal"].to_string().replace(":role/app", ":role/nobody");
            statement["Principal"] = serde_json::from_str(&text).unwrap();
        }
        alone
    }

    fn to_json(&self) -> Value {
        json!({
            "principal": self.principal(),
            "action": self.action,
            "resource": self.resource,
            "account": self.account,
            "context": self.context,
            "identity": self.identity.iter().map(for_oracle).collect::<Vec<_>>(),
            "session": self.session.as_ref().map(for_oracle),
            "resourcePolicy": self.resource_policy.as_ref().map(for_oracle),
        })
    }

    fn principal(&self) -> String {
        match self.service {
            Some(service) => service.to_owned(),
            None => "arn:aws:sts::111111111111:assumed-role/app/run".to_owned(),
        }
    }

    /// This model's verdict, and the reason if it could not decide.
    fn ours(&self) -> (&'static str, String) {
        let policy = |value: &Value| Policy::parse(&value.to_string()).map_err(|error| ("policy", error.to_string()));
        let decide = || {
            let identity = self.identity.iter().map(policy).collect::<Result<Vec<_>, _>>()?;
            let session = self.session.as_ref().map(policy).transpose()?;
            let resource = self.resource_policy.as_ref().map(policy).transpose()?;
            let caller = match self.service {
                Some(service) => Caller::service(service),
                None => Caller::role_session("arn:aws:iam::111111111111:role/app", "run"),
            }
            .unwrap();
            let request = Request {
                caller: &caller,
                action: self.action,
                resource: &self.resource,
                resource_account: Some(self.account),
                context: self.context.clone(),
            };
            Ok::<_, (&'static str, String)>(evaluate(&request, &identity, session.as_ref(), resource.as_ref()))
        };
        match decide() {
            Err(refused) => refused,
            Ok(decision) => {
                let why = decision.as_ref().err().map(EvalError::to_string).unwrap_or_default();
                (word(&decision), why)
            }
        }
    }
}

#[test]
fn verdicts_match_the_oracle() {
    let mut generator = Generator::seeded(20_261_124);
    let cases: Vec<Generated> = (0..CASES).map(|_| generator.case()).collect();
    let answers = consult(&cases);
    assert_eq!(answers.len(), cases.len());
    let mut verdicts: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut failures, mut beyond_session) = (Vec::new(), Vec::new());
    for (case, answer) in cases.iter().zip(&answers) {
        let (ours, why) = case.ours();
        *verdicts.entry(ours).or_default() += 1;
        let documented = ours == "open" && DOCUMENTED.iter().any(|part| why.contains(part));
        if documented || ours == answer.verdict {
            continue;
        }
        let failure = format!("ours {ours} {why}\ntheirs {} {}\n{}\n", answer.verdict, answer.why, case.to_json());
        if (ours, &*answer.verdict) == ("allow", "implicit") && case.session.is_some() && case.account == HERE {
            beyond_session.push((case.by_resource_alone(), failure));
        } else {
            failures.push(failure);
        }
    }
    let (alone, disputed): (Vec<_>, Vec<_>) = beyond_session.into_iter().unzip();
    let granted = consult(&alone);
    failures.extend(disputed.into_iter().zip(granted).filter(|(_, answer)| answer.verdict != "allow").map(|(f, _)| f));
    let shown: String = failures.iter().take(5).map(String::as_str).collect();
    assert!(failures.is_empty(), "{} of {CASES} differ, {verdicts:?}\n{shown}", failures.len());
    // A generator that yields only refusals or only denials would prove nothing.
    for (verdict, least) in [("allow", CASES / 8), ("implicit", CASES / 8), ("explicit", CASES / 20)] {
        assert!(verdicts.get(verdict).is_some_and(|count| *count > least), "{verdicts:?}");
    }
    let open = verdicts.get("open").copied().unwrap_or_default();
    assert!(open < CASES / 10, "too many are left undecided: {verdicts:?}");
}

#[test]
fn invalid_policies_are_refused() {
    let mut generator = Generator::seeded(7);
    for _ in 0..2_000 {
        let (case, what) = generator.invalid_case();
        let (ours, why) = case.ours();
        assert!(matches!(ours, "policy" | "request"), "{what}: {ours} {why}\n{}", case.to_json());
    }
}
