//! The names that customers' host names may have: a pattern with one `*` in the place of the organisation.

/// The pattern of an environment, without its zone: `site-files-*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    before: String,
    after: String,
    zone: String,
}

/// A name that no alias can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("`{0}` is not a host name: a label has 1 to 63 letters, digits and hyphens, and no hyphen at its ends")]
    NotAHostName(String),
    #[error("`{name}` has leading zeros, which an organisation's ID never has: write {id}")]
    LeadingZeros { name: String, id: String },
    #[error("`{name}` does not fit the pattern {pattern} of customers' aliases")]
    NotOfThePattern { name: String, pattern: String },
}

impl Pattern {
    /// The pattern `pattern` in a zone.
    pub fn new(pattern: &str, zone: &str) -> Self {
        let (before, after) = pattern.split_once('*').unwrap_or((pattern, ""));
        Self { before: before.to_owned(), after: after.to_owned(), zone: zone.to_owned() }
    }

    /// Whether it is a pattern: exactly one `*`, and a host name with a letter in its place.
    pub fn is_valid(pattern: &str, zone: &str) -> bool {
        pattern.contains('*') && is_host_name(&Self::new(pattern, zone).with("x"))
    }

    fn with(&self, label: &str) -> String {
        format!("{}{label}{}.{}", self.before, self.after, self.zone)
    }

    /// The full name for an organisation's ID, a free label, or a full name that fits the pattern.
    ///
    /// # Errors
    /// It is not a host name, or does not fit.
    pub fn full(&self, name: &str) -> Result<String, NameError> {
        let lower = name.trim().trim_end_matches('.').to_ascii_lowercase();
        // A customer would have a host name beside the one that the ID gives.
        let digits =
            lower.strip_prefix('0').filter(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
        if let Some(digits) = digits {
            let id = digits.trim_start_matches('0');
            let id = if id.is_empty() { "0" } else { id }.to_owned();
            return Err(NameError::LeadingZeros { name: lower, id });
        }
        let is_full = lower.ends_with(&format!(".{}", self.zone));
        let full = if is_full { lower } else { self.with(&lower) };
        if !is_host_name(&full) {
            return Err(NameError::NotAHostName(name.trim().to_owned()));
        }
        match self.fits(&full) {
            true => Ok(full),
            false => Err(NameError::NotOfThePattern { name: full, pattern: self.to_string() }),
        }
    }

    /// Whether a full name, in lower case and without the last dot, fits. The `*` stands for one label or a part of it.
    pub fn fits(&self, name: &str) -> bool {
        let end = format!("{}.{}", self.after, self.zone);
        let middle = name.strip_prefix(self.before.as_str()).and_then(|rest| rest.strip_suffix(end.as_str()));
        middle.is_some_and(|middle| !middle.is_empty() && !middle.contains('.'))
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.with("*"))
    }
}

/// Whether it is a host name in lower case (RFC 1123, section 2.1), of at most 255 characters in Route 53's notation.
pub fn is_host_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(plain) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// The names in a file: one to a line, or the first column of a CSV, whose header is `name` or `orgid` if it has one.
/// Empty lines and lines that begin with `#` are left out. Each with the number of its line.
pub fn in_file(text: &str) -> Vec<(usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut names = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let cell = line.split([',', ';', '\t']).next().unwrap_or_default().trim().trim_matches('"');
        let is_header = names.is_empty() && ["name", "orgid"].iter().any(|header| cell.eq_ignore_ascii_case(header));
        if !is_header {
            names.push((index + 1, cell));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organisation_a_label_and_a_full_name_give_one_name() {
        let pattern = Pattern::new("site-files-*", "xx.net");
        assert_eq!(pattern.to_string(), "site-files-*.xx.net");
        for (given, full) in [
            ("17578", "site-files-17578.xx.net"),
            (" Acme ", "site-files-acme.xx.net"),
            ("site-files-acme.xx.net.", "site-files-acme.xx.net"),
        ] {
            assert_eq!(pattern.full(given).unwrap(), full);
        }
        for wrong in ["", "a b", "-", "a.b", "acme-", "ä", "files.xx.net", "site-files-.xx.net", "a\n.xx.net"] {
            assert!(pattern.full(wrong).is_err(), "{wrong:?}");
        }
        let error = pattern.full("0500011").unwrap_err();
        assert_eq!(error, NameError::LeadingZeros { name: "0500011".into(), id: "500011".into() });
        assert!(pattern.full("0500011a").is_ok() && pattern.full("007-acme").is_ok(), "labels, not numbers");
        assert!(pattern.full(&"a".repeat(60)).is_err(), "its label would have 71 characters");
        assert!(!pattern.fits("site-files-a.b.xx.net") && !pattern.fits("xx.net"));
    }

    #[test]
    fn a_pattern_has_one_place() {
        let under = Pattern::new("*.files", "xx.net");
        assert_eq!(under.full("17578").unwrap(), "17578.files.xx.net");
        assert!(Pattern::is_valid("*.files", "xx.net") && Pattern::new("*", "xx.net").fits("anything.xx.net"));
        for wrong in ["", "files", "*-*", "-*", "Files-*", "a..*"] {
            assert!(!Pattern::is_valid(wrong, "xx.net"), "{wrong}");
        }
    }

    #[test]
    fn files_are_lists_or_tables() {
        let names = |text| in_file(text).into_iter().map(|(_, name)| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(names("# customers\n17578\n\n 17579 \r\nacme"), ["17578", "17579", "acme"]);
        assert_eq!(names("\u{feff}orgid,username\n17578,jan\n\"17579\",\"piet\"\n"), ["17578", "17579"]);
        assert_eq!(names("17578;jan\nname;x"), ["17578", "name"]);
        assert_eq!(in_file("a\n\nb"), [(1, "a"), (3, "b")]);
    }
}
