//! Reads sshd_config(5): which lines hold for which user. Pure; the files are read by the caller.

use super::pattern::{Listed, arguments, listed, word};

/// How deep files may include others (OpenSSH, `SERVCONF_MAX_DEPTH`).
const DEEPEST: usize = 16;
/// How many files there may be.
const FILES: usize = 1_000;

/// A file as it is read: its path, and its text.
pub(crate) type Read = (String, String);

/// A configuration with the files that it includes.
#[derive(Debug, Default)]
pub(crate) struct SshdConfig {
    lines: Vec<Line>,
    blocks: Vec<Block>,
    /// Places of `Match` blocks that depend on where a connection comes from or goes to.
    by_connection: Vec<String>,
    faults: Vec<String>,
    files: usize,
}

/// A keyword with its arguments.
#[derive(Debug)]
pub(crate) struct Line {
    /// In lower case.
    keyword: String,
    pub(crate) arguments: Vec<String>,
    /// The arguments as they were written, comments and all.
    pub(crate) rest: String,
    /// The indices of the blocks that must all match: those of the including files, and the line's own.
    blocks: Vec<usize>,
}

#[derive(Debug)]
struct Block(Vec<Criterion>);

#[derive(Debug)]
enum Criterion {
    All,
    User(String),
    Group(String),
    /// One that depends on the connection, or that is not known here.
    Other,
}

/// Somebody who logs in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User<'a> {
    pub(crate) name: &'a str,
    pub(crate) groups: &'a [&'a str],
}

impl SshdConfig {
    /// Reads a configuration. `include` has the files that a pattern names, in their order; an error says why they
    /// cannot be read.
    ///
    /// # Errors
    /// All faults, each with its file and line.
    pub(crate) fn parse(
        main: Read,
        include: &mut dyn FnMut(&str) -> Result<Vec<Read>, String>,
    ) -> Result<Self, Vec<String>> {
        let mut config = Self::default();
        config.file(&main, &[], 0, include);
        if config.faults.is_empty() { Ok(config) } else { Err(config.faults) }
    }

    fn file(
        &mut self,
        (path, text): &Read,
        outside: &[usize],
        depth: usize,
        include: &mut dyn FnMut(&str) -> Result<Vec<Read>, String>,
    ) {
        self.files += 1;
        // The block that a file begins lasts until its next one, or its end.
        let mut blocks = outside.to_vec();
        for (number, line) in (1..).zip(text.lines()) {
            let place = format!("{path}, line {number}");
            let line = line.trim_end_matches([' ', '\t', '\r', '\n', '\u{c}']);
            let Some((keyword, rest)) = keyword(line) else { continue };
            let Some(arguments) = arguments(rest) else {
                self.faults.push(format!("{place}: a quote has no end"));
                continue;
            };
            match keyword.to_ascii_lowercase().as_str() {
                "match" => match criteria(rest) {
                    Err(why) => self.faults.push(format!("{place}: {why}")),
                    Ok(criteria) => {
                        if criteria.iter().any(|criterion| matches!(criterion, Criterion::Other)) {
                            self.by_connection.push(format!("{place} (Match {rest})"));
                        }
                        blocks = outside.to_vec();
                        blocks.push(self.blocks.len());
                        self.blocks.push(Block(criteria));
                    }
                },
                "include" if depth == DEEPEST || self.files >= FILES => {
                    self.faults.push(format!("{place}: too many files include others"))
                }
                "include" => {
                    for pattern in arguments {
                        let pattern =
                            if pattern.starts_with(['/', '~']) { pattern } else { format!("/etc/ssh/{pattern}") };
                        match include(&pattern) {
                            Err(why) => self.faults.push(format!("{place}: {why}")),
                            Ok(files) => files.iter().for_each(|file| self.file(file, &blocks, depth + 1, include)),
                        }
                    }
                }
                keyword => self.lines.push(Line {
                    keyword: current_name(keyword).to_owned(),
                    arguments,
                    rest: rest.to_owned(),
                    blocks: blocks.clone(),
                }),
            }
        }
    }

    /// All lines with a keyword, for whomever they hold.
    pub(crate) fn all<'c>(&'c self, keyword: &'c str) -> impl Iterator<Item = &'c Line> {
        self.lines.iter().filter(move |line| line.keyword == keyword)
    }

    /// The lines that hold for a user: those of the matching blocks if there are any, otherwise those outside of blocks
    /// (OpenSSH, `parse_server_match_config`). Of most keywords the first one counts.
    pub(crate) fn of<'c>(&'c self, user: User<'_>, keyword: &str) -> Vec<&'c Line> {
        let lines = || self.lines.iter().filter(|line| line.keyword == keyword);
        let holds =
            |line: &&Line| !line.blocks.is_empty() && line.blocks.iter().all(|index| self.matches(*index, user));
        let matching: Vec<_> = lines().filter(holds).collect();
        if matching.is_empty() { lines().filter(|line| line.blocks.is_empty()).collect() } else { matching }
    }

    fn matches(&self, block: usize, user: User<'_>) -> bool {
        self.blocks.get(block).is_some_and(|block| block.0.iter().all(|criterion| criterion.matches(user)))
    }

    /// Places of `Match` blocks that depend on where a connection comes from or goes to, and so hold for nobody here.
    pub(crate) fn by_connection(&self) -> &[String] {
        &self.by_connection
    }
}

impl Criterion {
    fn matches(&self, user: User<'_>) -> bool {
        match self {
            Self::All => true,
            Self::User(list) => listed(user.name, list) == Listed::Yes,
            Self::Group(list) => {
                let found: Vec<Listed> = user.groups.iter().map(|group| listed(group, list)).collect();
                found.contains(&Listed::Yes) && !found.contains(&Listed::Never)
            }
            Self::Other => false,
        }
    }
}

/// The keyword of a line, and the rest after it; none in a comment or an empty line.
fn keyword(line: &str) -> Option<(String, &str)> {
    let (first, rest) = word(line)?;
    let (keyword, rest) = if first.is_empty() { word(rest)? } else { (first, rest) };
    (!keyword.is_empty() && !keyword.starts_with('#')).then_some((keyword, rest))
}

/// The present name of a keyword that had another one.
fn current_name(keyword: &str) -> &str {
    match keyword {
        "challengeresponseauthentication" | "skeyauthentication" | "keyboardinteractiveauthentication" => {
            "kbdinteractiveauthentication"
        }
        "dsaauthentication" => "pubkeyauthentication",
        other => other,
    }
}

/// The criteria of a `Match` (OpenSSH, `match_cfg_line`).
fn criteria(mut rest: &str) -> Result<Vec<Criterion>, String> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let unclosed = || "a quote has no end".to_owned();
        let (name, after) = word(rest).ok_or_else(unclosed)?;
        if name.is_empty() || name.starts_with('#') {
            break;
        }
        if name.eq_ignore_ascii_case("all") {
            if !found.is_empty() || !(after.is_empty() || after.starts_with('#')) {
                return Err("`Match all` cannot have other criteria".to_owned());
            }
            return Ok(vec![Criterion::All]);
        }
        if name.eq_ignore_ascii_case("invalid-user") {
            // Nobody who has an account.
            found.push(Criterion::Other);
            rest = after;
            continue;
        }
        let (value, after) = word(after).ok_or_else(unclosed)?;
        if value.is_empty() || value.starts_with('#') {
            return Err(format!("the criterion {name} of a Match has no value"));
        }
        found.push(match name.to_ascii_lowercase().as_str() {
            "user" => Criterion::User(value.to_owned()),
            "group" => Criterion::Group(value.to_owned()),
            _ => Criterion::Other,
        });
        rest = after;
    }
    if found.is_empty() { Err("a Match has no criteria".to_owned()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config(text: &str) -> SshdConfig {
        SshdConfig::parse(("sshd_config".into(), text.into()), &mut |_| Ok(Vec::new())).unwrap()
    }

    fn first(config: &SshdConfig, name: &str, groups: &[&str], keyword: &str) -> Option<String> {
        config.of(User { name, groups }, keyword).first().map(|line| line.arguments.join(" "))
    }

    #[test]
    fn a_matching_block_goes_before_the_rest() {
        let config = config(
            "chrootdirectory=none\nMatch User jan,p*,!piet\n  ChrootDirectory \"/srv/%u\"\n  ChrootDirectory /later\n\
             match GROUP sftp User *\n\tChrootDirectory = /sftp/%u # comment\nMatch All\nForceCommand internal-sftp -u 2\n",
        );
        let chroot = |name, groups: &[&str]| first(&config, name, groups, "chrootdirectory").unwrap();
        assert_eq!(chroot("jan", &["sftp"]), "/srv/%u");
        assert_eq!(chroot("piet", &["sftp"]), "/sftp/%u");
        assert_eq!(chroot("piet", &["staff"]), "none");
        assert_eq!(first(&config, "piet", &[], "forcecommand").unwrap(), "internal-sftp -u 2");
        assert_eq!(config.all("chrootdirectory").count(), 4);
    }

    #[test]
    fn included_files_keep_to_their_block() {
        let main = "Include a.conf\nMatch Group sftp\nInclude /b\nAllowTcpForwarding no\nMatch User x\nX y\n";
        let mut include = |pattern: &str| {
            Ok(match pattern {
                "/etc/ssh/a.conf" => vec![("a".into(), "UsePAM yes\nMatch User jan\nForceCommand a\n".into())],
                "/b" => vec![("b".into(), "Banner b\nMatch User piet\nForceCommand b\n".into())],
                _ => Vec::new(),
            })
        };
        let config = SshdConfig::parse(("main".into(), main.into()), &mut include).unwrap();
        assert_eq!(first(&config, "jan", &["sftp"], "forcecommand").as_deref(), Some("a"));
        assert_eq!(first(&config, "piet", &["sftp"], "forcecommand").as_deref(), Some("b"));
        assert_eq!(first(&config, "piet", &[], "forcecommand"), None);
        assert_eq!(first(&config, "kees", &["sftp"], "banner").as_deref(), Some("b"));
        assert_eq!(first(&config, "kees", &["sftp"], "allowtcpforwarding").as_deref(), Some("no"));
        assert_eq!(first(&config, "kees", &[], "usepam").as_deref(), Some("yes"));
    }

    #[test]
    fn criteria_of_connections_match_nobody() {
        let config =
            config("Match User jan Address 192.0.2.0/24\nForceCommand a\nMatch LocalPort 22\nForceCommand b\n");
        assert_eq!(first(&config, "jan", &[], "forcecommand"), None);
        assert_eq!(config.by_connection().len(), 2);
        assert!(config.by_connection()[0].starts_with("sshd_config, line 1 (Match User jan"));
    }

    #[test]
    fn faults_have_their_lines() {
        let text = "UsePAM yes\nChrootDirectory \"/x\nMatch all User jan\nMatch User\nMatch\n";
        let faults = SshdConfig::parse(("c".into(), text.into()), &mut |_| Ok(Vec::new())).unwrap_err();
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert!(faults[0].starts_with("c, line 2: a quote"), "{faults:?}");
        let mut endless = |_: &str| Ok(vec![("d".to_owned(), "Include d".to_owned())]);
        let faults = SshdConfig::parse(("c".into(), "Include d".into()), &mut endless).unwrap_err();
        assert_eq!(faults, ["d, line 1: too many files include others"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "((match|user|all|group|[ \"'=#\n!,*a-c]{0,5})[ =\n]){0,20}") {
            let _ = SshdConfig::parse(("c".into(), text), &mut |_| Ok(Vec::new()));
        }
    }
}
