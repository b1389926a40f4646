//! The security policies of servers and their algorithms, from the user guide's "Security policies for AWS Transfer
//! Family servers".

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::{page, text};

static POLICIES: LazyLock<BTreeMap<String, Policy>> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the file is checked in, and the unit test below reads it")]
    let file: File =
        serde_json::from_str(include_str!("security_policies.json")).expect("security_policies.json is valid");
    file.policies
});

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "source")]
    _source: String,
    policies: BTreeMap<String, Policy>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Policy {
    fips: bool,
    ssh_ciphers: Vec<String>,
    ssh_kexs: Vec<String>,
    ssh_macs: Vec<String>,
    tls_ciphers: Vec<String>,
}

/// The SSH algorithms of a policy: key exchanges, ciphers and message authentication codes.
#[derive(Debug, Clone)]
pub(crate) struct SecurityPolicy {
    pub(crate) kexs: Vec<String>,
    pub(crate) ciphers: Vec<String>,
    pub(crate) macs: Vec<String>,
}

pub(crate) fn security_policy(name: &str) -> Option<SecurityPolicy> {
    POLICIES.get(name).map(|policy| SecurityPolicy {
        kexs: policy.ssh_kexs.clone(),
        ciphers: policy.ssh_ciphers.clone(),
        macs: policy.ssh_macs.clone(),
    })
}

/// Refuses an unknown policy.
pub(super) fn check(name: &str) -> Result<(), ApiError> {
    if POLICIES.contains_key(name) {
        Ok(())
    } else {
        Err(ApiError::invalid(format!("Unknown security policy: {name}")))
    }
}

pub(super) fn list(input: &Map<String, Value>) -> Result<Value, ApiError> {
    let (names, next) = page(input, POLICIES.keys().map(|name| (name.clone(), name)))?;
    let mut answer = json!({ "SecurityPolicyNames": names });
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

pub(super) fn describe(input: &Map<String, Value>) -> Result<Value, ApiError> {
    let name = text(input, "SecurityPolicyName");
    let policy = POLICIES.get(name).ok_or_else(|| ApiError::unknown("SecurityPolicy", name))?;
    Ok(json!({ "SecurityPolicy": {
        "SecurityPolicyName": name,
        "Fips": policy.fips,
        "SshCiphers": policy.ssh_ciphers,
        "SshKexs": policy.ssh_kexs,
        "SshMacs": policy.ssh_macs,
        "TlsCiphers": policy.tls_ciphers,
        "Type": "SERVER",
        "Protocols": ["SFTP", "FTPS"],
    }}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deployable_policies_are_known() {
        for name in ["2018-11", "2024-01", "2025-03", "FIPS-2025-03", "SshAuditCompliant-2025-02", "Restricted-2020-06"]
        {
            assert_eq!(check(&format!("TransferSecurityPolicy-{name}")), Ok(()));
        }
        assert!(check("TransferSecurityPolicy-1999-01").is_err());
    }
}
