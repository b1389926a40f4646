//! What the page may ask for, and the command of `sftpctl` that answers it. Pure.

use std::collections::BTreeMap;

use hyper::Method;
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// The longest name or address that is asked for, in bytes.
const LONGEST: usize = 256;
/// How many events of a customer are shown, and how many who are close to a ban.
const EVENTS: &str = "--limit=200";
const TOP: &str = "--top=20";

/// A command of `sftpctl`, without the arguments that all have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ask {
    /// The words of the command's name.
    pub(crate) command: &'static [&'static str],
    /// Its options, each with its value in one argument, so that no value is taken for an option.
    pub(crate) options: Vec<String>,
    /// What follows `--`.
    pub(crate) positional: Vec<String>,
    /// Whether it takes `--state`.
    pub(crate) has_state: bool,
    /// Whether it changes something. Such a command is not ended before its time.
    pub(crate) is_change: bool,
}

/// Why there is no command for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoAsk {
    /// There is no such path.
    Path,
    /// The path has another method.
    Method,
    /// What it needs is missing or cannot be.
    Value(&'static str),
}

/// Whether a path is for a change.
pub(crate) fn is_change(path: &str) -> bool {
    matches!(path, "/api/password" | "/api/disable" | "/api/enable" | "/api/unban")
}

/// The command for a request: its values are in the query, or in the body if it is for a change.
///
/// # Errors
/// There is none.
pub(crate) fn of(method: &Method, path: &str, query: &str, body: &[u8]) -> Result<Ask, NoAsk> {
    let known = ["/api/status", "/api/account", "/api/activity", "/api/events", "/api/guard"];
    let expected = match path {
        _ if is_change(path) => Method::POST,
        _ if known.contains(&path) => Method::GET,
        _ => return Err(NoAsk::Path),
    };
    if *method != expected {
        return Err(NoAsk::Method);
    }
    let values = if *method == Method::POST { of_body(body)? } else { of_query(query)? };
    let username = || text(&values, "username").map(|name| format!("--username={name}"));
    let change = |command, options, positional| Ask { command, options, positional, is_change: true, has_state: false };
    let read = |command, options| Ask { command, options, ..Ask::default() };
    Ok(match path {
        "/api/status" => Ask { has_state: true, ..read(&["status"], Vec::new()) },
        "/api/account" if values.contains_key("orgid") => read(&["users", "show"], vec![orgid(&values)?]),
        "/api/account" => read(&["users", "show"], vec![username()?]),
        "/api/activity" => read(&["users", "show"], vec![username()?, "--activity".to_owned()]),
        "/api/events" => {
            let name = text(&values, "username")?;
            let mut options = vec![format!("--user={name}"), since(&values)?, EVENTS.to_owned()];
            options.extend(values.contains_key("failed").then(|| "--failed".to_owned()));
            read(&["logs"], options)
        }
        "/api/guard" => read(&["guard", "list"], vec![TOP.to_owned()]),
        "/api/password" => {
            change(&["users", "passwd"], vec![username()?, "--generate-password".to_owned()], Vec::new())
        }
        "/api/disable" => change(&["users", "disable"], vec![username()?], Vec::new()),
        "/api/enable" => change(&["users", "enable"], vec![username()?], Vec::new()),
        _ => {
            let mut options = Vec::new();
            if values.contains_key("username") {
                options.push(username()?);
            }
            if values.contains_key("region") {
                options.push(format!("--region={}", text(&values, "region")?));
            }
            let positional = match values.contains_key("address") {
                true => vec![text(&values, "address")?.to_owned()],
                false if values.contains_key("username") => Vec::new(),
                false => return Err(NoAsk::Value("address or username is missing")),
            };
            change(&["guard", "unban"], options, positional)
        }
    })
}

type Values = BTreeMap<String, String>;

/// A value that can be an argument of a program.
fn text<'a>(values: &'a Values, name: &'static str) -> Result<&'a str, NoAsk> {
    let value = values.get(name).map(String::as_str).unwrap_or_default();
    match value {
        "" => Err(NoAsk::Value("a value is missing")),
        _ if value.len() > LONGEST => Err(NoAsk::Value("a value is longer than 256 bytes")),
        _ if value.contains('\0') => Err(NoAsk::Value("a value has a character that no name has")),
        _ => Ok(value),
    }
}

fn orgid(values: &Values) -> Result<String, NoAsk> {
    let number = text(values, "orgid")?.parse::<i64>();
    number.map(|number| format!("--orgid={number}")).map_err(|_| NoAsk::Value("orgid is not a number"))
}

/// How far back: hours or days, a year at most.
fn since(values: &Values) -> Result<String, NoAsk> {
    let value = text(values, "since")?;
    let number = value.strip_suffix(['h', 'd']).filter(|number| number.bytes().all(|c| c.is_ascii_digit()));
    match number.map(str::parse::<u16>) {
        Some(Ok(1..=366)) => Ok(format!("--since={value}")),
        _ => Err(NoAsk::Value("since is not a time such as 24h or 7d")),
    }
}

fn of_query(query: &str) -> Result<Values, NoAsk> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((name.to_owned(), decoded(value).map_err(|_| NoAsk::Value("a value is not UTF-8"))?))
    };
    pairs.map(pair).collect()
}

fn of_body(body: &[u8]) -> Result<Values, NoAsk> {
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
        return Err(NoAsk::Value("the body is not a JSON object"));
    };
    let member = |(name, value): (String, Value)| match value {
        Value::String(text) => Ok((name, text)),
        _ => Err(NoAsk::Value("a value in the body is not a text")),
    };
    members.into_iter().map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str, query: &str) -> Result<Ask, NoAsk> {
        of(&Method::GET, path, query, b"")
    }

    fn post(path: &str, body: &str) -> Result<Ask, NoAsk> {
        of(&Method::POST, path, "", body.as_bytes())
    }

    #[test]
    fn each_question_is_a_command() {
        let shown = |ask: Result<Ask, NoAsk>| {
            let ask = ask.unwrap();
            let words = ask.command.iter().map(|word| (*word).to_owned()).chain(ask.options);
            let words = words.chain(ask.positional.into_iter().map(|word| format!("-- {word}")));
            (words.collect::<Vec<_>>().join(" "), ask.is_change, ask.has_state)
        };
        for (ask, command, has_state) in [
            (get("/api/status", ""), "status", true),
            (get("/api/account", "orgid=17578"), "users show --orgid=17578", false),
            (get("/api/account", "username=j%C3%A4n%26"), "users show --username=j\u{e4}n&", false),
            (get("/api/activity", "username=-x"), "users show --username=-x --activity", false),
            (get("/api/events", "username=jan&since=7d"), "logs --user=jan --since=7d --limit=200", false),
            (
                get("/api/events", "username=jan&since=24h&failed=1"),
                "logs --user=jan --since=24h --limit=200 --failed",
                false,
            ),
            (get("/api/guard", ""), "guard list --top=20", false),
        ] {
            assert_eq!(shown(ask), (command.to_owned(), false, has_state));
        }
        for (path, body, command) in [
            ("/api/password", r#"{"username":"jan"}"#, "users passwd --username=jan --generate-password"),
            ("/api/disable", r#"{"username":"--help"}"#, "users disable --username=--help"),
            ("/api/enable", r#"{"username":"jan"}"#, "users enable --username=jan"),
            ("/api/unban", r#"{"address":"--all"}"#, "guard unban -- --all"),
            (
                "/api/unban",
                r#"{"username":"jan","address":"203.0.113.7","region":"us-west-2"}"#,
                "guard unban --username=jan --region=us-west-2 -- 203.0.113.7",
            ),
            ("/api/unban", r#"{"username":"jan"}"#, "guard unban --username=jan"),
        ] {
            assert!(is_change(path));
            assert_eq!(shown(post(path, body)), (command.to_owned(), true, false));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        assert_eq!(get("/api/teardown", ""), Err(NoAsk::Path));
        assert_eq!(get("/", ""), Err(NoAsk::Path));
        assert_eq!(get("/api/password", "username=jan"), Err(NoAsk::Method));
        assert_eq!(post("/api/status", "{}"), Err(NoAsk::Method));
        for query in ["", "username=", "username=%00", "username=%ff", "orgid=x", "orgid="] {
            assert!(matches!(get("/api/account", query), Err(NoAsk::Value(_))), "{query}");
        }
        assert!(matches!(get("/api/account", &format!("username={}", "x".repeat(257))), Err(NoAsk::Value(_))));
        for since in ["", "7", "d", "0d", "367d", "-1d", "7d%20--follow", "7m", "+7d"] {
            let query = format!("username=jan&since={since}");
            assert!(matches!(get("/api/events", &query), Err(NoAsk::Value(_))), "{since}");
        }
        for body in ["", "[]", "{", r#"{"username":1}"#, r#"{"username":""}"#, r#"{"name":"jan"}"#] {
            assert!(matches!(post("/api/password", body), Err(NoAsk::Value(_))), "{body}");
            assert!(matches!(post("/api/unban", body), Err(NoAsk::Value(_))), "{body}");
        }
    }
}
