//! Which clients customers use, by the servers' logs of all regions.

use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;
use sftp_authorizer::Usernames;
use sftpctl_aws::Aws;
use sftpctl_core::clients::census::{Census, Failure, LogIn};
use sftpctl_core::clients::{Part, algorithms};
use sftpctl_core::spec::model::Environment;

use crate::feed::{Feed, Unread};
use crate::line::{Activity, Event, Log};
use crate::pattern;

/// Which log-ins are wanted.
#[derive(Clone, Debug, Default)]
pub struct Question {
    pub regions: Vec<String>,
    /// As the table has it.
    pub user: Option<String>,
    /// Milliseconds since 1970, both included.
    pub period: (i64, i64),
}

/// Reads the log-ins, and the connections without a common algorithm, of all regions at once. What could not be read is
/// told beside what could.
pub async fn clients(
    aws: &Aws,
    environment: &Environment,
    usernames: Usernames,
    question: &Question,
) -> (Census, Vec<Unread>) {
    let census = Mutex::new(Census::of(question.user.clone()));
    let reads = question.regions.iter().map(|region| {
        let census = &census;
        async move {
            let place = (region.as_str(), Log::Server);
            let mut feed = Feed::new(aws, environment, place, pattern::CLIENTS, question.period);
            feed.each(|event| add(&mut census.lock().unwrap_or_else(PoisonError::into_inner), event, usernames)).await
        }
    });
    let unread = join_all(reads).await.into_iter().filter_map(Result::err).collect();
    let mut census = census.into_inner().unwrap_or_else(PoisonError::into_inner);
    census.finish();
    (census, unread)
}

fn add(census: &mut Census, event: Event, usernames: Usernames) {
    let Event { time: order, activity, user, source, message, client, kex, ciphers, .. } = event;
    let time = String::new();
    match (activity, user) {
        (Activity::LoggedIn, Some(user)) => {
            let user = usernames.stored(&user).into_owned();
            census.log_in(LogIn { order, time, user, source, client, kex, ciphers, offer: None });
        }
        (Activity::HandshakeFailed, _) => {
            let part = message.as_deref().and_then(Part::of_message);
            let offered = algorithms(kex.as_deref().unwrap_or_default());
            census.failure(Failure { order, time, source, client, part, offered });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use sftpctl_core::clients::census::Failed;

    use super::*;
    use crate::line::event;

    /// The documented examples, in "Example log entries for Key exchange algorithm failures", too.
    #[test]
    fn lines_of_log_ins_and_mismatches_are_counted() {
        let mut census = Census::default();
        for line in [
            json!({ "activity-type": "CONNECTED", "user": "Jan", "client": "SSH-2.0-OpenSSH_7.4", "session-id": "1",
                "source-ip": "192.0.2.9", "kex": "ecdh-sha2-nistp256", "ciphers": "aes128-ctr,aes128-ctr" }),
            json!({ "activity-type": "KEX_FAILURE", "source-ip": "192.0.2.9",
                "message": "no matching host key type found", "kex": "ssh-rsa,ssh-dss,ssh-rsa-cert-v01@openssh.com" }),
            json!({ "activity-type": "KEX_FAILURE", "source-ip": "192.0.2.8", "message": "new words", "kex": "a" }),
            json!({ "activity-type": "DISCONNECTED", "session-id": "1" }),
        ] {
            let event = event(Log::Server, "us-west-2", 1_764_000_000_999, &line.to_string()).unwrap();
            add(&mut census, event, Usernames::CaseInsensitive);
        }
        census.finish();
        let seen: Vec<_> = census.seen.values().collect();
        assert_eq!((seen.len(), seen[0].last.0), (1, 1_764_000_000_999));
        assert!(seen[0].users.contains("jan"));
        let kind = |((part, offered), failed): (&(Option<Part>, Vec<String>), &Failed)| {
            (*part, offered.join(","), failed.users.len())
        };
        let kinds: Vec<_> = census.failed.iter().map(kind).collect();
        assert_eq!(kinds, [(None, "a".to_owned(), 0), (Some(Part::HostKey), "ssh-rsa,ssh-dss".to_owned(), 1)]);
    }
}
