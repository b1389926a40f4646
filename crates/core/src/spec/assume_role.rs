//! `assume_role`: the role that sftpctl assumes before it calls AWS. Pure.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use crate::yaml::{Checker, Long, OneOr};

/// The session's name where the file has none.
const SESSION_NAME: &str = "sftpctl";

/// A role, and how it is assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeRole {
    pub arn: String,
    pub external_id: Option<String>,
    /// Part of the ARN that AWS logs for every call.
    pub session_name: String,
    /// Seconds that credentials are valid for. Without it AWS's default applies, one hour.
    pub duration: Option<u32>,
}

/// The setting as it is written: a role's ARN, or a mapping.
pub(super) type Setting = OneOr<String, Mapping>;

/// A role, and how it is assumed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AssumeRoleSettings")]
pub(super) struct Mapping {
    /// The role's ARN. The role belongs to the environment's account.
    #[schemars(with = "String")]
    arn: Spanned<String>,
    /// The external ID that the role's trust policy asks for.
    #[schemars(with = "Option<String>")]
    external_id: Option<Spanned<String>>,
    /// Name of the session, in the ARN that AWS logs for every call. Default `sftpctl`.
    #[schemars(with = "Option<String>")]
    session_name: Option<Spanned<String>>,
    /// Seconds that credentials are valid for, 900 to 43200; they are renewed in time. Default: AWS's, one hour.
    #[schemars(with = "Option<u32>")]
    duration: Option<Spanned<u32>>,
}

impl Long for Mapping {
    const NAME: &'static str = "AssumeRole";
    const EXPECTED: &'static str = "a role's ARN, or a mapping with `arn`";

    fn one() -> Value {
        json!({ "type": "string", "pattern": PATTERN })
    }
}

const PATTERN: &str = "^arn:aws:iam::[0-9]{12}:role/([!-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}$";

impl Setting {
    /// The setting with its defaults.
    pub(super) fn fill(self) -> AssumeRole {
        match self {
            Self::One(arn) => {
                AssumeRole { arn, external_id: None, session_name: SESSION_NAME.to_owned(), duration: None }
            }
            Self::Mapping(mapping) => AssumeRole {
                arn: mapping.arn.value,
                external_id: mapping.external_id.map(|id| id.value),
                session_name: mapping.session_name.map_or_else(|| SESSION_NAME.to_owned(), |name| name.value),
                duration: mapping.duration.map(|seconds| seconds.value),
            },
        }
    }
}

/// Finds the faults of one setting. The limits are those of the STS API reference, `AssumeRole`.
pub(super) fn check(checker: &mut Checker<'_>, setting: &Spanned<Setting>, account: &str) {
    let Setting::Mapping(mapping) = &setting.value else {
        if let Setting::One(text) = &setting.value
            && let Some(message) = arn_fault(text, account)
        {
            checker.fault(setting, message).hint = Some(arn_hint(account));
        }
        return;
    };
    if let Some(message) = arn_fault(&mapping.arn.value, account) {
        checker.fault(&mapping.arn, message).hint = Some(arn_hint(account));
    }
    if let Some(id) = &mapping.external_id {
        let message = format!("invalid external ID `{}`", id.value);
        checker.matches(id, r"^[\w+=,.@:/-]{2,1224}$", message, "2 to 1224 letters, digits and `_+=,.@:/-`");
    }
    if let Some(name) = &mapping.session_name {
        let message = format!("invalid session name `{}`", name.value);
        checker.matches(name, r"^[\w+=,.@-]{2,64}$", message, "2 to 64 letters, digits and `_+=,.@-`");
    }
    checker.within(mapping.duration.as_ref(), "the duration of a session", 900, 43_200);
}

fn arn_fault(arn: &str, account: &str) -> Option<String> {
    if !regex_lite::Regex::new(PATTERN).is_ok_and(|pattern| pattern.is_match(arn)) {
        return Some(format!("`{arn}` is not the ARN of a role"));
    }
    let owner = arn.split(':').nth(4).unwrap_or_default();
    (owner != account).then(|| format!("the role belongs to account {owner}, but the environment to account {account}"))
}

fn arn_hint(account: &str) -> String {
    format!("for example arn:aws:iam::{account}:role/sftpctl-deployer")
}

#[cfg(test)]
mod tests {
    use crate::spec::{self, Faults};

    use super::*;

    fn load(setting: &str) -> Result<crate::spec::model::Environment, Faults> {
        let file = format!(
            "version: 1\nenvironment: \"9\"\naccount: \"111111111111\"\nhome_region: us-west-2\n\
             regions:\n  us-west-2: {{ server: true }}\n  us-east-1: {{ assume_role: {setting} }}\n\
             clusters: {{ a: us-west-2 }}\nassume_role: {setting}\n"
        );
        spec::load(&file, "9.yaml")
    }

    #[test]
    fn role_is_an_arn_or_a_mapping() {
        let arn = "arn:aws:iam::111111111111:role/team/deployer";
        let plain =
            AssumeRole { arn: arn.to_owned(), external_id: None, session_name: "sftpctl".to_owned(), duration: None };
        let full = AssumeRole {
            external_id: Some("x/1".to_owned()),
            session_name: "ci".to_owned(),
            duration: Some(900),
            ..plain.clone()
        };
        for (setting, expected) in [
            (arn.to_owned(), &plain),
            (format!("{{ arn: {arn:?} }}"), &plain),
            (format!("{{ arn: {arn:?}, external_id: x/1, session_name: ci, duration: 900 }}"), &full),
        ] {
            let environment = load(&setting).unwrap_or_else(|faults| panic!("{setting}: {}", faults.render(false)));
            assert_eq!(environment.assume_role.as_ref(), Some(expected), "{setting}");
            assert_eq!(environment.regions["us-east-1"].assume_role.as_ref(), Some(expected), "{setting}");
            assert_eq!(environment.regions["us-west-2"].assume_role, None);
        }
    }

    #[test]
    fn every_fault_of_a_role_is_found_in_its_place() {
        for (setting, expected) in [
            ("deployer", "`deployer` is not the ARN of a role"),
            ("arn:aws:iam::111111111111:user/deployer", "is not the ARN of a role"),
            ("arn:aws:iam::222222222222:role/deployer", "belongs to account 222222222222"),
            ("{ arn: deployer }", "`deployer` is not the ARN of a role"),
            ("{ arn: \"arn:aws:iam::111111111111:role/d\", external_id: \"a b\" }", "invalid external ID `a b`"),
            ("{ arn: \"arn:aws:iam::111111111111:role/d\", session_name: \"a b\" }", "invalid session name `a b`"),
            ("{ arn: \"arn:aws:iam::111111111111:role/d\", duration: 60 }", "duration of a session is 60"),
        ] {
            let faults = load(setting).err().unwrap_or_else(|| panic!("{setting} has no fault"));
            let faults = faults.list();
            assert_eq!(faults.len(), 2, "{setting}: {faults:?}");
            assert_eq!([faults[0].line, faults[1].line], [7, 9], "{setting}: {faults:?}");
            assert!(faults.iter().all(|fault| fault.message.contains(expected)), "{setting}: {faults:?}");
        }
        let unknown = load("{ arn: \"arn:aws:iam::111111111111:role/d\", externalid: a }").err();
        let unknown = unknown.map(|faults| faults.list().to_vec()).unwrap_or_default();
        assert_eq!(unknown[0].message, "unknown setting `externalid`");
        assert_eq!(unknown[0].hint.as_deref(), Some("did you mean `external_id`?"));
    }
}
