//! Who has logged in, by the structured logs of the servers in all regions. The authorizer only reads the table, so that
//! nothing else tells.

use std::collections::HashSet;
use std::io;

use serde::Deserialize;
use sftpctl_aws::Aws;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

use crate::audit::AuditError;
use crate::spill::Spill;
use crate::store::usernames;

/// Selects log-ins (CloudWatch Logs user guide, "Filter pattern syntax for JSON").
const PATTERN: &str = r#"{ $.activity-type = "CONNECTED" }"#;
/// Names that are remembered, so that most are kept once only.
const REMEMBERED: usize = 20_000;

/// The user names of those who have logged in, as the table has them.
pub struct Logins {
    /// How many days back the logs were read.
    pub days: u32,
    pub(crate) names: Spill<String>,
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logins").field("days", &self.days).finish_non_exhaustive()
    }
}

/// A log-in in a structured log.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Activity {
    activity_type: String,
    user: String,
}

/// Reads the logs of the last `days` days, until `now` in seconds since 1970.
///
/// # Errors
/// A log, or a temporary file, cannot be read.
pub async fn logins(aws: &Aws, environment: &Environment, days: u32, now: i64) -> Result<Logins, AuditError> {
    let since = (now - i64::from(days) * 86_400) * 1_000;
    let usernames = usernames(environment);
    let (mut names, mut known) = (Spill::new()?, HashSet::new());
    let mut take = |message: &str| -> io::Result<()> {
        let Some(user) = user(message) else { return Ok(()) };
        let name = usernames.stored(&user).into_owned();
        if known.contains(&name) {
            return Ok(());
        }
        names.push(name.as_bytes(), &name)?;
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(name);
        Ok(())
    };
    for region in environment.regions.keys() {
        let group = names::transfer_log_group(environment, region);
        aws.logs(region).each(&group, (PATTERN, since), &mut take).await??;
    }
    Ok(Logins { days, names })
}

/// The user of a log-in.
fn user(message: &str) -> Option<String> {
    let activity: Activity = serde_json::from_str(message).ok()?;
    (activity.activity_type == "CONNECTED").then_some(activity.user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_log_ins_count() {
        let line = |activity: &str| format!(r#"{{"activity-type":"{activity}","user":"jan","source-ip":"192.0.2.7"}}"#);
        assert_eq!(user(&line("CONNECTED")).as_deref(), Some("jan"));
        for other in [line("AUTH_FAILURE"), line("DISCONNECTED"), "CONNECTED jan".to_owned(), "{}".to_owned()] {
            assert_eq!(user(&other), None, "{other}");
        }
    }
}
