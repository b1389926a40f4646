//! An account as text, JSON and CSV, without its secrets.

use serde::Serialize;
use serde_json::Value;

use sftp_authorizer::Account;
use sftp_authorizer::expiry::Expiry;
use sftp_authorizer::password::Scheme;
use sftpctl_core::shown::{Text, csv_cell};

/// The header line for [`csv`].
pub const CSV_HEADER: &str = "orgid,username,status,password,home,allowed,keys,created,updated,expires,regions,note";

/// An account, as `account/1`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountView<'a> {
    #[serde(rename = "orgid")]
    org_id: i64,
    username: &'a str,
    status: &'static str,
    /// The time from which it is refused, as it is stored.
    expires: Option<&'a str>,
    /// Whether that time is over.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    expired: bool,
    home: String,
    /// The scheme of the stored password hash; none for an account that has only keys.
    password: Option<&'static str>,
    allowed: Vec<String>,
    /// Regions in which it may log in; empty for all.
    regions: &'a [String],
    public_keys: &'a [String],
    note: Option<&'a str>,
    created: Option<&'a str>,
    updated: Option<&'a str>,
    /// Attributes that can admit nobody.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<String>,
    /// The generated password, shown only once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated_password: Option<&'a str>,
}

/// The account at this time, in seconds since 1970.
pub fn view(account: &Account, now: i64) -> AccountView<'_> {
    AccountView {
        org_id: account.org_id,
        username: &account.username,
        status: if account.disabled { "disabled" } else { "active" },
        expires: account.expires.as_ref().map(Expiry::as_str),
        expired: account.expires.as_ref().is_some_and(|expires| expires.is_over(now)),
        home: account.home.path(),
        password: account.password.as_deref().map(|stored| Scheme::of(stored).map_or("unknown", Scheme::as_str)),
        allowed: account.allowed.iter().map(ToString::to_string).collect(),
        regions: &account.regions,
        public_keys: &account.public_keys,
        note: account.note.as_deref(),
        created: account.created.as_deref(),
        updated: account.updated.as_deref(),
        faults: account.faults().iter().map(ToString::to_string).collect(),
        generated_password: None,
    }
}

/// One line for each field that has a value.
pub fn lines(view: &AccountView<'_>) -> Text {
    let fields = serde_json::to_value(view).unwrap_or_default();
    let line = |(name, value): (&String, &Value)| {
        let text = match value {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            Value::Array(items) if items.is_empty() => return None,
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            other => other.to_string(),
        };
        Some(format!("{name:<15} {text}"))
    };
    fields.as_object().into_iter().flatten().filter_map(line).collect()
}

/// One line of `users list`.
pub fn row(view: &AccountView<'_>) -> String {
    let AccountView { org_id, username, home, password, .. } = view;
    let status = if view.expired && view.status == "active" { "expired" } else { view.status };
    format!("{org_id:<10} {username:<24} {status:<9} {:<20} {home}", password.unwrap_or("keys"))
}

/// A record of comma-separated values (RFC 4180).
pub fn csv(view: &AccountView<'_>) -> String {
    let fields = [
        view.org_id.to_string(),
        csv_cell(view.username),
        view.status.to_owned(),
        view.password.unwrap_or_default().to_owned(),
        csv_cell(&view.home),
        csv_cell(&view.allowed.join(" ")),
        view.public_keys.len().to_string(),
        csv_cell(view.created.unwrap_or_default()),
        csv_cell(view.updated.unwrap_or_default()),
        csv_cell(view.expires.unwrap_or_default()),
        csv_cell(&view.regions.join(" ")),
        csv_cell(view.note.unwrap_or_default()),
    ];
    fields.join(",")
}

#[cfg(test)]
mod tests {
    use sftp_authorizer::home::Home;

    use super::*;

    fn account() -> Account {
        Account {
            org_id: 7,
            username: "jan".into(),
            password: Some("a-secret-hash".into()),
            home: Home { bucket: "bucket".into(), folder: "7".into() },
            disabled: true,
            expires: None,
            allowed: Vec::new(),
            regions: Vec::new(),
            public_keys: Vec::new(),
            note: None,
            created: None,
            updated: None,
        }
    }

    #[test]
    fn expired_account_is_listed_as_such_and_a_note_is_harmless() {
        let account = Account {
            disabled: false,
            expires: Expiry::parse("2026-12-31"),
            regions: vec!["us-west-2".into(), "us-east-2".into()],
            note: Some("=cmd()\n\u{1b}[2J".into()),
            ..account()
        };
        let over = 1_798_761_600; // 2027-01-01
        for (now, status, word) in [(over - 1, "active", "active"), (over, "active", "expired")] {
            let view = view(&account, now);
            assert_eq!(view.status, status, "as it is stored");
            assert!(row(&view).contains(word), "{}", row(&view));
            let shown = lines(&view).to_string();
            assert_eq!(shown.lines().any(|line| line.starts_with("expired ")), now == over, "{shown}");
            assert!(shown.contains("us-west-2, us-east-2"), "{shown}");
            assert!(!format!("{}{}", lines(&view), csv(&view)).contains('\u{1b}'));
            let cells = csv(&view);
            assert!(cells.contains(",2026-12-31,us-west-2 us-east-2,") && !cells.contains(",=cmd"), "{cells}");
        }
    }

    #[test]
    fn no_form_of_an_account_shows_its_hash() {
        let account = account();
        let view = view(&account, 0);
        let json = crate::report::json::line("account/1", &view).to_string();
        assert_eq!(
            json,
            r#"{"allowed":[],"created":null,"expires":null,"faults":["the attribute password is not a hash in a known form"],"#
                .to_owned()
                + r#""home":"/bucket/7","note":null,"orgid":7,"password":"unknown","#
                + r#""publicKeys":[],"regions":[],"schema":"sftpctl/account/1","status":"disabled","updated":null,"username":"jan"}"#
        );
        assert_eq!(csv(&view), "7,jan,disabled,unknown,/bucket/7,,0,,,,,");
        assert!(!format!("{json}{}{}{}", lines(&view), row(&view), csv(&view)).contains("secret"));
    }
}
