//! SNS topics and mail addresses in an environment file. Pure.

use serde_saphyr::Spanned;

use crate::yaml::Checker;

/// Characters of a mail address (RFC 5321, 4.5.3.1.3: a path has 256, with its brackets).
const ADDRESS: usize = 254;

/// A fault unless this is the ARN of a topic in the region. FIFO topics are none: neither alarms nor EventBridge publish to
/// them, and they have no subscribers by mail.
pub(super) fn arn(checker: &mut Checker<'_>, topic: &Spanned<String>, region: &str) {
    let message = format!("`{}` is not the ARN of an SNS topic in {region}", topic.value);
    let pattern = format!("^arn:aws:sns:{}:[0-9]{{12}}:[A-Za-z0-9_-]{{1,256}}$", regex_lite::escape(region));
    checker.matches(topic, &pattern, message, &format!("arn:aws:sns:{region}:<account>:<name>"));
}

/// A fault unless this is the ARN of a topic, of any region and account.
pub(super) fn arn_anywhere(checker: &mut Checker<'_>, topic: &Spanned<String>) {
    let message = format!("`{}` is not the ARN of an SNS topic", topic.value);
    let pattern = "^arn:aws:sns:[a-z0-9-]{1,30}:[0-9]{12}:[A-Za-z0-9_-]{1,256}$";
    checker.matches(topic, pattern, message, "arn:aws:sns:<region>:<account>:<name>");
}

/// Faults of mail addresses.
pub(super) fn emails<'a>(checker: &mut Checker<'_>, addresses: impl IntoIterator<Item = &'a Spanned<String>>) {
    let mut seen = Vec::new();
    for address in addresses {
        let message = format!("`{}` is not a mail address", address.value);
        // As SNS takes it: ASCII, without a name before it.
        checker.matches(
            address,
            "^[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9.-]{1,190}$",
            message,
            "ops@example.com",
        );
        if address.value.len() > ADDRESS {
            checker.fault(address, format!("a mail address has at most {ADDRESS} characters"));
        }
        if seen.contains(&&address.value) {
            checker.fault(address, format!("{} is listed twice", address.value));
        }
        seen.push(&address.value);
    }
}

/// Sorted, so that their order in the file does not matter.
pub(super) fn fill(addresses: Vec<Spanned<String>>) -> Vec<String> {
    let mut all: Vec<String> = addresses.into_iter().map(|address| address.value).collect();
    all.sort();
    all
}
