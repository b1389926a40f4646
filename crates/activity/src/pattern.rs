//! Filter patterns (CloudWatch Logs user guide, "Filter pattern syntax for JSON"): they only leave out what is not needed,
//! and every line is examined again. Pure.

/// Characters of a value in a pattern, which has at most 1,024.
const MOST: usize = 200;

/// Log-ins.
pub const LOG_INS: &str = r#"{ $.activity-type = "CONNECTED" }"#;

/// Log-ins, and connections without a common algorithm.
pub const CLIENTS: &str = r#"{ ($.activity-type = "CONNECTED") || ($.activity-type = "KEX_FAILURE") }"#;

/// What went wrong, and the log-ins, which say whose session it is.
pub const FAILURES: &str = concat!(
    r#"{ ($.activity-type = "CONNECTED") || ($.activity-type = "AUTH_FAILURE") || ($.activity-type = "ERROR") || "#,
    r#"($.activity-type = "KEX_FAILURE") || ($.activity-type = "CONNECTION_REJECTED") || "#,
    r#"($.activity-type = "PARTIAL_CLOSE") }"#,
);

/// A value in quotes that also fits what the pattern cannot say of it: what comes after a character with a meaning of its own,
/// or not of ASCII. The user guide shows `*` at the end of a value.
fn quoted(value: &str) -> String {
    let is_plain = |letter: char| (letter.is_ascii_graphic() || letter == ' ') && !"\"\\%*".contains(letter);
    let plain: String = value.chars().take(MOST).take_while(|letter| is_plain(*letter)).collect();
    let rest = if plain.len() < value.len() { "*" } else { "" };
    format!("\"{plain}{rest}\"")
}

/// The lines of a session.
pub fn session(id: &str) -> String {
    format!("{{ $.session-id = {} }}", quoted(id))
}

/// A user's log-ins.
pub fn log_ins_of(user: &str) -> String {
    format!(r#"{{ $.activity-type = "CONNECTED" && $.user = {} }}"#, quoted(user))
}

/// What concerns a path, and all new names of files, whose member is not documented.
pub fn path(path: &str) -> String {
    format!(r#"{{ ($.path = {}) || ($.activity-type = "RENAME") }}"#, quoted(path))
}

/// What concerns a file, or with a slash at its end a folder; all new names of files, and the log-ins.
pub fn changes(path: &str) -> String {
    let path = if path.ends_with('/') { quoted(&format!("{path}*")) } else { quoted(path) };
    format!(r#"{{ ($.path = {path}) || ($.activity-type = "RENAME") || ($.activity-type = "CONNECTED") }}"#)
}

/// Files that were closed below a folder, which ends with a slash.
pub fn closed_below(folder: &str) -> String {
    let folder = quoted(&format!("{folder}*"));
    format!(r#"{{ $.activity-type = "CLOSE" && $.path = {folder} }}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_change_a_pattern() {
        assert_eq!(session(r#"a" || $.x = "b"#), r#"{ $.session-id = "a*" }"#);
        assert_eq!(path("/b/ä.csv"), r#"{ ($.path = "/b/*") || ($.activity-type = "RENAME") }"#);
        assert_eq!(closed_below("/b/in/"), r#"{ $.activity-type = "CLOSE" && $.path = "/b/in/*" }"#);
        let rest = r#" || ($.activity-type = "RENAME") || ($.activity-type = "CONNECTED") }"#;
        assert_eq!(changes("/b/in/"), format!(r#"{{ ($.path = "/b/in/*"){rest}"#));
        assert_eq!(changes("/b/a"), format!(r#"{{ ($.path = "/b/a"){rest}"#));
        let long = closed_below(&"x".repeat(2000));
        assert!(long.len() < 1024 && long.ends_with("x*\" }"), "{long}");
        assert!(FAILURES.len() < 1024);
    }
}
