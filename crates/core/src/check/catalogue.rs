//! Every check with its code. Codes are never reused: environment files name them. Pure.

use super::Severity;

/// What a check is.
#[derive(Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its stable code.
    pub id: &'static str,
    /// What is checked, in a few words.
    pub title: &'static str,
    /// How bad its worst finding is.
    pub severity: Severity,
    /// Whether it also runs before a first deployment and after a failed one: few calls, and no list of everything.
    pub cheap: bool,
}

macro_rules! checks {
    ($($name:ident = $id:literal, $title:literal, $severity:ident, $cheap:literal;)*) => {
        $(pub const $name: Definition =
            Definition { id: $id, title: $title, severity: Severity::$severity, cheap: $cheap };)*

        /// Every check, in the order of a report.
        pub const ALL: &[Definition] = &[$(Self::$name),*];
    };
}

impl Definition {
    /// A log-in at a server, which `verify` and `test-login` try: not one of `doctor`'s, which change nothing.
    pub const LOGIN: Definition =
        Definition { id: "V001-login", title: "log-in", severity: Severity::Error, cheap: false };

    /// Whether AWS WAF sees customers' addresses, which `verify` finds out by log-ins of its own.
    pub const WAF_ADDRESS: Definition =
        Definition { id: "V002-waf-address", title: "addresses for AWS WAF", severity: Severity::Error, cheap: false };

    checks! {
        CREDENTIALS = "D001-credentials", "credentials", Error, true;
        ACCOUNT = "D002-account", "AWS account", Error, true;
        CLOCK = "D003-clock", "clock of this machine", Error, true;
        REGION = "D004-region", "region enabled", Error, true;
        SECURITY_POLICY = "D005-security-policy", "security policy for Transfer Family", Error, true;
        SERVERS = "D010-servers", "Transfer servers", Error, true;
        APIS = "D011-apis", "REST APIs", Error, false;
        CONCURRENCY = "D012-lambda-concurrency", "Lambda's concurrency", Error, true;
        BUCKETS = "D013-buckets", "number of S3 buckets", Error, false;
        ROLES = "D014-roles", "IAM roles", Error, true;
        POLICIES = "D015-policies", "IAM policies", Error, true;
        ATTACHED = "D016-attached-policies", "policies on the user role", Error, true;
        STACKS = "D017-stacks", "CloudFormation stacks", Error, false;
        TABLES = "D018-tables", "DynamoDB tables", Error, false;
        RECORDS = "D019-records", "records of the hosted zone", Error, false;
        LOG_POLICIES = "D020-log-policies", "resource policies of CloudWatch Logs", Error, true;
        API_LOG_ROLE = "D021-api-log-role", "API Gateway's role for logs", Error, true;
        LINKED_ROLES = "D022-linked-roles", "service-linked roles", Warning, false;
        ADDRESSES = "D023-addresses", "Elastic IP addresses", Error, true;
        NETWORK = "D024-network", "network of the server's endpoint", Error, true;
        BUCKET_NAMES = "D030-bucket-names", "names of the buckets", Error, false;
        LEFTOVERS = "D031-stack-leftovers", "CloudFormation stack", Error, true;
        NAMES = "D032-names", "names of other resources", Error, false;
        FOREIGN_RECORDS = "D033-foreign-records", "existing DNS records", Error, false;
        ZONE = "D040-zone", "hosted zone", Error, false;
        DELEGATION = "D041-delegation", "delegation of the hosted zone", Error, false;
        KMS_KEY = "D050-kms-key", "KMS key of the state", Error, false;
        S3_FILES = "D051-s3-files", "file systems of Amazon S3 Files", Error, false;
        SUBSCRIPTIONS = "D052-subscriptions", "mail addresses of the topics", Warning, false;
        GIVEN_TOPICS = "D053-given-topics", "existing topics that EventBridge publishes to", Warning, true;
        PGP_KEY = "D054-pgp-key", "private key for encrypted uploads", Warning, false;
        STATE = "D060-state", "place of the state", Error, false;
        LOCK = "D061-lock", "lock on the environment", Warning, false;
        PACKAGE = "D070-package", "authorizer's package", Error, false;
        PERMISSIONS = "D080-permissions", "permissions", Error, false;
    }
}

/// Every check, in the order of a report.
pub const ALL: &[Definition] = Definition::ALL;

/// The check with this code, or with its number: `D012`.
pub fn find(code: &str) -> Option<&'static Definition> {
    ALL.iter().find(|check| check.id == code || check.id.split('-').next() == Some(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_in_order() {
        let numbers: Vec<_> = ALL.iter().map(|check| &check.id[..4]).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }

    #[test]
    fn checks_are_found_by_code_and_by_number() {
        assert_eq!(find("D012").map(|check| check.id), Some("D012-lambda-concurrency"));
        assert_eq!(find("D012-lambda-concurrency"), find("D012"));
        assert_eq!(find("D012-lambda"), None);
    }

    #[test]
    fn the_documentation_describes_every_check() {
        let text = include_str!("../../../../docs/doctor.md");
        for check in ALL {
            let mark = if check.cheap { " * |" } else { " |" };
            assert!(text.contains(&format!("\n| `{}`{mark}", check.id)), "{} is not in docs/doctor.md", check.id);
        }
        for check in [Definition::LOGIN, Definition::WAF_ADDRESS] {
            assert!(text.contains(&format!("`{}`", check.id)), "{} is not in docs/doctor.md", check.id);
        }
        // And no other.
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `D")?.split('`').next());
        for row in rows {
            assert!(find(&format!("D{row}")).is_some(), "D{row} in docs/doctor.md is not a check");
        }
    }
}
