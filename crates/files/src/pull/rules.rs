//! Which keys a pull takes: patterns, and the names that clients give to files that they are still writing. Pure.

/// A pattern for keys, as in `.gitignore`: `*` and `?` stop at a slash, `**` does not. Without a slash it is for the file
/// name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl std::str::FromStr for Pattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() { Err("an empty pattern fits no key") } else { Ok(Self(text.to_owned())) }
    }
}

impl Pattern {
    /// Whether the pattern fits a key.
    pub fn fits(&self, key: &str) -> bool {
        let text = if self.0.contains('/') { key } else { file_name(key) };
        let pattern: Vec<char> = self.0.chars().collect();
        // Which beginnings of the pattern fit the text so far: linear in both, whatever a pattern repeats.
        let mut fits = vec![false; pattern.len() + 1];
        close(&pattern, &mut fits, true);
        for c in text.chars() {
            let mut next = vec![false; fits.len()];
            for (at, want) in pattern.iter().enumerate().filter(|(at, _)| fits.get(*at) == Some(&true)) {
                match want {
                    '*' if c != '/' || is_double(&pattern, at) => mark(&mut next, at),
                    '*' => {}
                    '?' if c != '/' => mark(&mut next, at + 1),
                    want if *want == c => mark(&mut next, at + 1),
                    _ => {}
                }
            }
            fits = next;
            close(&pattern, &mut fits, false);
        }
        fits.last() == Some(&true)
    }
}

fn mark(fits: &mut [bool], at: usize) {
    if let Some(fits) = fits.get_mut(at) {
        *fits = true;
    }
}

/// A star fits nothing as well.
fn close(pattern: &[char], fits: &mut [bool], start: bool) {
    if start {
        mark(fits, 0);
    }
    for (at, _) in pattern.iter().enumerate().filter(|(_, c)| **c == '*') {
        if fits.get(at) == Some(&true) {
            mark(fits, at + 1);
        }
    }
}

/// Whether the star is one of two.
fn is_double(pattern: &[char], at: usize) -> bool {
    pattern.get(at + 1) == Some(&'*') || at.checked_sub(1).is_some_and(|before| pattern.get(before) == Some(&'*'))
}

fn file_name(key: &str) -> &str {
    key.rsplit_once('/').map_or(key, |(_, name)| name)
}

/// Whether a client gives this name to a file that it is still writing, and renames it afterwards: WinSCP (`.filepart`),
/// browsers and others (`.part`, `.tmp`), ProFTPD's `HiddenStores` (`.in.NAME.`).
pub fn is_unfinished(key: &str) -> bool {
    let name = file_name(key).to_ascii_lowercase();
    name.starts_with(".in.") || [".filepart", ".part", ".tmp"].iter().any(|ending| name.ends_with(ending))
}

/// The keys that a pull takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Only keys that one of these fits; all, if there are none.
    pub include: Vec<Pattern>,
    /// No keys that one of these fits.
    pub exclude: Vec<Pattern>,
    /// Also the names of [`is_unfinished`].
    pub all_names: bool,
}

impl Rules {
    /// Whether the patterns take the key.
    pub fn selects(&self, key: &str) -> bool {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.fits(key));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }

    /// Whether the key is left because its name is that of an unfinished upload.
    pub fn waits_for(&self, key: &str) -> bool {
        !self.all_names && is_unfinished(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, key: &str) -> bool {
        pattern.parse::<Pattern>().unwrap().fits(key)
    }

    #[test]
    fn patterns_fit_as_in_gitignore() {
        for (pattern, key, expected) in [
            ("*.csv", "17578/in/a.csv", true),
            ("*.csv", "17578/in/a.csv.gz", false),
            ("a?.csv", "17578/ab.csv", true),
            ("17578/*.csv", "17578/a.csv", true),
            ("17578/*.csv", "17578/in/a.csv", false),
            ("17578/**.csv", "17578/in/a.csv", true),
            ("**/in/*", "17578/in/a.csv", true),
            ("17578/in/**", "17578/in/x/y/z", true),
            ("17578/?", "17578//", false),
            ("*", "17578/anything", true),
            ("ä?", "1/ä…", true),
            ("a**b", "x/ab", true),
        ] {
            assert_eq!(fits(pattern, key), expected, "{pattern} {key}");
        }
        assert!(!fits(&"*a".repeat(200), &"a".repeat(190)), "in a moment");
        assert!("".parse::<Pattern>().is_err());
    }

    #[test]
    fn rules_combine() {
        let patterns = |all: &[&str]| all.iter().map(|text| text.parse().unwrap()).collect();
        let rules =
            Rules { include: patterns(&["*.csv", "*.xml"]), exclude: patterns(&["**/old/**"]), all_names: false };
        assert!(rules.selects("1/a.csv") && rules.selects("1/a.xml"));
        assert!(!rules.selects("1/a.pdf") && !rules.selects("1/old/a.csv"));
        assert!(Rules::default().selects("1/a.pdf"));
    }

    #[test]
    fn unfinished_names_are_left() {
        for name in ["a.csv.filepart", "a.TMP", "a.part", ".in.a.csv."] {
            assert!(is_unfinished(&format!("17578/{name}")), "{name}");
            assert!(Rules::default().waits_for(name) && !Rules { all_names: true, ..Rules::default() }.waits_for(name));
        }
        for name in ["a.csv", "tmp", "party", "in.csv", "a.tmp/b.csv"] {
            assert!(!is_unfinished(name), "{name}");
        }
    }
}
