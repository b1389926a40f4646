//! `notify`: whom the end of a run is told. Pure.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::topics;
use crate::yaml::Checker;

/// Whom the end of a run is told, with defaults filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// The ends that are told.
    pub on: Vec<End>,
    /// ARNs of SNS topics, of any region and account.
    pub topics: Vec<String>,
    pub webhook: Option<WebhookPlace>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Success,
    Failure,
    /// `drift` found differences.
    Drift,
}

impl End {
    pub const ALL: [Self; 3] = [Self::Success, Self::Failure, Self::Drift];

    /// As the environment file and messages name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Drift => "drift",
        }
    }
}

/// Where the URL of a webhook is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookPlace {
    /// An environment variable.
    Variable(String),
    /// A file that only its owner can read.
    File(String),
}

impl std::fmt::Display for WebhookPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "the webhook in the environment variable {name}"),
            Self::File(path) => write!(f, "the webhook in {path}"),
        }
    }
}

/// The setting as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Notify")]
pub(super) struct Setting {
    /// Which ends are told: `failure`, `drift` and `success`. Default: `failure` and `drift`.
    #[schemars(with = "Option<Vec<String>>")]
    on: Option<Vec<Spanned<String>>>,
    /// ARNs of SNS topics.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    topics: Vec<Spanned<String>>,
    /// An address on the web that takes messages, such as an incoming webhook of Slack.
    #[schemars(with = "Option<WebhookSetting>")]
    webhook: Option<Spanned<WebhookSetting>>,
}

/// Where the URL of the webhook is. Whoever knows it can write there, so it is not in this file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Webhook")]
struct WebhookSetting {
    /// Name of the environment variable that has the URL.
    #[schemars(with = "Option<String>")]
    url_env: Option<Spanned<String>>,
    /// Path of a file that has the URL, which only its owner can read.
    #[schemars(with = "Option<String>")]
    url_file: Option<Spanned<String>>,
    /// Always a fault, which says where the URL belongs.
    #[schemars(skip)]
    url: Option<Spanned<String>>,
}

pub(super) fn check(checker: &mut Checker<'_>, setting: Option<&Spanned<Setting>>) {
    let Some(setting) = setting else { return };
    let Setting { on, topics, webhook } = &setting.value;
    for name in on.iter().flatten() {
        checker.one_of(name, "end of a run", &End::ALL.map(End::name));
    }
    if on.as_ref().is_some_and(Vec::is_empty) {
        checker.fault(setting, "`notify.on` names no end of a run").hint = Some("leave out `notify`".to_owned());
    }
    for (index, topic) in topics.iter().enumerate() {
        topics::arn_anywhere(checker, topic);
        if topics[..index].iter().any(|earlier| earlier.value == topic.value) {
            checker.fault(topic, format!("{} is listed twice", topic.value));
        }
    }
    if let Some(webhook) = webhook {
        self::webhook(checker, webhook);
    }
    if topics.is_empty() && webhook.is_none() {
        checker.fault(setting, "`notify` has neither `topics` nor `webhook`").hint =
            Some("name `topics`, or a `webhook: { url_env: SFTPCTL_WEBHOOK }`".to_owned());
    }
}

/// A URL in the place of a name is not shown: it is a secret.
fn webhook(checker: &mut Checker<'_>, webhook: &Spanned<WebhookSetting>) {
    const HINT: &str = "put it into an environment variable, and name that here: `url_env: SFTPCTL_WEBHOOK`";
    let WebhookSetting { url_env, url_file, url } = &webhook.value;
    if let Some(url) = url {
        let fault = checker.fault(url, "the URL of a webhook is a secret: whoever knows it can write there");
        fault.is_secret = true;
        fault.hint = Some(HINT.to_owned());
    } else if url_env.is_some() == url_file.is_some() {
        checker.fault(webhook, "a webhook needs one of `url_env` and `url_file`").hint = Some(HINT.to_owned());
    }
    let is_word = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if let Some(name) = url_env.as_ref().filter(|name| !is_word(&name.value)) {
        let fault = checker.fault(name, "`url_env` is not the name of an environment variable");
        fault.is_secret = true;
        fault.hint = Some(HINT.to_owned());
    }
    if let Some(path) = url_file.as_ref().filter(|path| path.value.is_empty() || path.value.contains("://")) {
        let fault = checker.fault(path, "`url_file` is not the path of a file");
        fault.is_secret = true;
        fault.hint = Some(HINT.to_owned());
    }
}

pub(super) fn fill(setting: Setting) -> Notify {
    let named = |name: &Spanned<String>| End::ALL.into_iter().find(|end| end.name() == name.value);
    let on = match setting.on {
        Some(names) => names.iter().filter_map(named).collect(),
        None => vec![End::Failure, End::Drift],
    };
    let webhook = setting.webhook.and_then(|webhook| {
        let WebhookSetting { url_env, url_file, .. } = webhook.value;
        let variable = url_env.map(|name| WebhookPlace::Variable(name.value));
        variable.or(url_file.map(|path| WebhookPlace::File(path.value)))
    });
    Notify { on, topics: setting.topics.into_iter().map(|topic| topic.value).collect(), webhook }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;

    fn loaded(more: &str) -> Result<Option<Notify>, String> {
        let source = format!("{}\n{more}", include_str!("../../../../environments/99.yaml"));
        spec::load(&source, "99.yaml").map(|environment| environment.notify).map_err(|faults| faults.render(false))
    }

    #[test]
    fn failures_and_drift_are_told_by_default() {
        let topic = "arn:aws:sns:eu-west-1:222222222222:ops";
        let notify = loaded(&format!("notify: {{ topics: [\"{topic}\"] }}\n")).unwrap().unwrap();
        assert_eq!((notify.on, notify.topics), (vec![End::Failure, End::Drift], vec![topic.to_owned()]));
        let notify = loaded("notify: { on: [success], webhook: { url_file: /etc/hook } }\n").unwrap().unwrap();
        assert_eq!(notify.on, [End::Success]);
        assert_eq!(notify.webhook, Some(WebhookPlace::File("/etc/hook".to_owned())));
        assert_eq!(loaded("").unwrap(), None);
    }

    #[test]
    fn faults_say_what_to_do_and_never_show_a_url() {
        const SECRET: &str = "https://hooks.example.com/T0/s3cr3t";
        for (more, message) in [
            ("notify: {}", "`notify` has neither `topics` nor `webhook`"),
            ("notify: { on: [], topics: [\"arn:aws:sns:us-west-2:111111111111:a\"] }", "names no end of a run"),
            ("notify: { on: [fail], webhook: { url_env: A } }", "invalid end of a run `fail`"),
            ("notify: { topics: [ops] }", "`ops` is not the ARN of an SNS topic"),
            ("notify: { topics: [\"arn:aws:sns:us-west-2:111111111111:a.fifo\"] }", "is not the ARN"),
            ("notify: { webhook: {} }", "needs one of `url_env` and `url_file`"),
            ("notify: { webhook: { url_env: A, url_file: b } }", "needs one of"),
            (&format!("notify: {{ webhook: {{ url: \"{SECRET}\" }} }}"), "is a secret"),
            (&format!("notify: {{ webhook: {{ url_env: \"{SECRET}\" }} }}"), "not the name of an environment variable"),
            (&format!("notify: {{ webhook: {{ url_file: \"{SECRET}\" }} }}"), "not the path of a file"),
        ] {
            let faults = loaded(&format!("{more}\n")).unwrap_err();
            assert!(faults.contains(message) && !faults.contains("s3cr3t"), "{more}: {faults}");
        }
    }
}
