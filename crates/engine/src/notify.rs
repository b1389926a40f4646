//! Tells the end of a run to those whom the environment file names. Whether it was heard never changes the end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join, join_all};
use sftpctl_aws::{Aws, AwsError, post};
use sftpctl_core::notification::Ended;
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::notify::{Notify, WebhookPlace};

use crate::{limited, wait};

/// How long a message may take, and before those to topics the connection to AWS; all are sent at once.
const LIMIT: Duration = Duration::from_secs(15);
const LATE: &str = "there was no answer in time";
/// Largest file with a URL, in bytes.
const URL: u64 = 8 << 10;

/// A message that was not heard.
#[derive(Debug)]
pub struct Unheard {
    /// A topic's ARN, or the place of the webhook's URL.
    pub who: String,
    pub why: String,
    pub hint: Option<String>,
}

/// Sends what the environment file asks for, all at once. `connect` is only called for topics; its error says why there is no
/// connection.
pub async fn tell(
    connect: impl Future<Output = Result<Arc<Aws>, String>>,
    environment: &Environment,
    ended: &Ended<'_>,
) -> Vec<Unheard> {
    let is_told = |notify: &&Notify| ended.end().is_some_and(|end| notify.on.contains(&end));
    let Some(notify) = environment.notify.as_ref().filter(is_told) else { return Vec::new() };
    let document = ended.document(environment);
    let (subject, text) = (ended.subject(environment), ended.sentence(environment));
    let topics = async {
        if notify.topics.is_empty() {
            return Vec::new();
        }
        let aws = wait::at_most(LIMIT, connect).await.unwrap_or_else(|| Err(LATE.to_owned()));
        let aws = aws.as_deref().map_err(String::as_str);
        let message = (subject.as_str(), text.as_str(), document.as_str());
        join_all(notify.topics.iter().map(|topic| publish(aws, topic, message, &environment.name))).await
    };
    let webhook = join_all(notify.webhook.iter().map(|place| post_to(place, &document)));
    let (topics, webhook) = join(topics, webhook).await;
    topics.into_iter().chain(webhook).flatten().collect()
}

async fn post_to(place: &WebhookPlace, document: &str) -> Option<Unheard> {
    let unheard = |why: String, hint| Some(Unheard { who: place.to_string(), why, hint: Some(hint) });
    let url = match url(place) {
        Ok(url) => url,
        Err((why, hint)) => return unheard(why, hint),
    };
    match post(&url, document.to_owned(), LIMIT).await {
        Ok(()) => None,
        Err(error) => unheard(error.to_string(), error.hint()),
    }
}

async fn publish(
    aws: Result<&Aws, &str>,
    topic: &str,
    (subject, text, document): (&str, &str, &str),
    environment: &str,
) -> Option<Unheard> {
    let unheard = |why: String, hint| Some(Unheard { who: topic.to_owned(), why, hint });
    let aws = match aws {
        Ok(aws) => aws,
        Err(why) => return unheard(why.to_owned(), None),
    };
    // `arn:aws:sns:REGION:…`
    let region = topic.split(':').nth(3).unwrap_or_default();
    match wait::at_most(LIMIT, aws.topics(region).publish(topic, subject, text, document)).await {
        None => unheard(LATE.to_owned(), None),
        Some(Ok(())) => None,
        Some(Err(error)) => unheard(error.to_string(), Some(hint(&error, environment))),
    }
}

fn hint(error: &AwsError, environment: &str) -> String {
    match error.hint() {
        _ if error.is_access_denied() || error.is("AuthorizationError") => format!(
            "`sftpctl policy notify --env {environment}` prints what the role needs; a topic of another account must allow it, too, \
             and one with a KMS key needs kms:GenerateDataKey and kms:Decrypt for that key"
        ),
        Some(hint) => hint,
        None if error.is("NotFound") => "there is no such topic: correct `notify.topics`".to_owned(),
        None => "nothing is sent again".to_owned(),
    }
}

/// The URL, or why there is none, and what to do.
fn url(place: &WebhookPlace) -> Result<String, (String, String)> {
    let text = match place {
        WebhookPlace::Variable(name) => std::env::var(name).map_err(|_| {
            let hint = format!("set {name} where this command runs, in a pipeline from its secrets");
            ("it is not set".to_owned(), hint)
        })?,
        WebhookPlace::File(path) => read(Path::new(path))?,
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(("it is empty".to_owned(), "put the URL there".to_owned()));
    }
    Ok(text.to_owned())
}

fn read(path: &Path) -> Result<String, (String, String)> {
    let unread = |error: std::io::Error| match limited::is_not_private(&error) {
        true => (error.to_string(), format!("chmod 0600 {}", shell_word(&path.display().to_string()))),
        false => (error.to_string(), format!("put the URL into {}", path.display())),
    };
    let bytes = limited::read_private(path, URL).map_err(unread)?;
    String::from_utf8(bytes).map_err(|_| ("it is not text".to_owned(), format!("put the URL into {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hook");
        let place = WebhookPlace::File(path.display().to_string());
        assert!(url(&place).unwrap_err().0.contains("No such file"));
        std::fs::write(&path, "  https://hooks.example.com/T\n").unwrap();
        for (mode, is_used) in [(0o640, false), (0o604, false), (0o600, true), (0o400, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(url(&place).is_ok(), is_used, "{mode:o}");
        }
        assert_eq!(url(&place).unwrap(), "https://hooks.example.com/T");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "\n").unwrap();
        assert_eq!(url(&place).unwrap_err().0, "it is empty");
    }
}
