//! Whether the server has a private key for encrypted uploads. Of the secret only its existence is read, never the key.

use sftpctl_aws::Aws;
use sftpctl_core::check::{Check, Definition};
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::spec::decrypt::{default_secret, of_region};
use sftpctl_core::spec::names;

use super::Probe;
use super::subject::{Subject, unread};

pub(super) fn probes(subject: &Subject) -> Vec<Probe<'_>> {
    let Some(aws) = subject.aws() else { return Vec::new() };
    let regions = subject.environment.regions.keys();
    let decrypting = regions.filter(|region| of_region(&subject.environment, region).is_some());
    decrypting.map(|region| Probe::new(&Definition::PGP_KEY, Some(region), examine(subject, aws, region))).collect()
}

async fn examine(subject: &Subject, aws: &Aws, region: &str) -> Check {
    let of = &Definition::PGP_KEY;
    let Some(server) = subject.identity(&names::server_node(region)).await else {
        return Check::skipped(of, Some(region), "the server is not deployed yet, and its ID is in the secret's name");
    };
    let name = default_secret(&server);
    match aws.has_secret(region, &name).await {
        Ok(found) => judge(region, &name, found),
        Err(error) => unread(of, Some(region), &error),
    }
}

/// Transfer Family takes the secret of the user, and without one that of all users (its user guide, "Manage PGP keys").
fn judge(region: &str, name: &str, found: bool) -> Check {
    let of = &Definition::PGP_KEY;
    if found {
        return Check::ok(of, Some(region), format!("the secret {name} exists; the key in it was not read"));
    }
    let evidence =
        format!("there is no secret {name}: only files of users with a secret of their own in its place are decrypted");
    Check::warning(of, Some(region), evidence).hint(format!(
        "put the private key into a file as {{\"PGPPrivateKey\": \"…\", \"PGPPassphrase\": \"…\"}} (docs/decrypt.md), \
         and keep it: aws secretsmanager create-secret --region {region} --name {} --secret-string file://pgp-key.json",
        shell_word(name)
    ))
}

#[cfg(test)]
mod tests {
    use sftpctl_core::check::Status;

    use super::*;

    #[test]
    fn a_missing_key_is_named_with_the_command_that_stores_it() {
        let name = default_secret("s-0123456789abcdef0");
        let check = judge("us-west-2", &name, false);
        assert!(check.status == Status::Warning && check.evidence.contains(&name), "{check:?}");
        let hint = check.hint.unwrap();
        let command = format!("create-secret --region us-west-2 --name {name} --secret-string file://pgp-key.json");
        assert!(hint.contains(&command) && hint.contains("PGPPassphrase"), "{hint}");
        assert_eq!(judge("us-west-2", &name, true).status, Status::Ok);
    }
}
