//! What sshd does with a user, by its configuration. Pure.

use super::pattern::matches;
use super::ranges::Ranges;
use super::sshd_config::{Line, SshdConfig, User};
use crate::passwd::Entry;

/// sshd's settings for a user.
#[derive(Debug)]
pub(crate) struct Login {
    /// The folder that the user sees as `/`, with its `%h` and `%u` as they are written.
    pub(crate) chroot: Option<String>,
    pub(crate) force_command: Option<String>,
    /// The files of public keys, with `%h` and `%u`; relative ones are in the home.
    pub(crate) key_files: Vec<String>,
    /// Whether a password admits the user, or a key alone.
    pub(crate) passwords: bool,
    pub(crate) keys: bool,
    /// The methods of `AuthenticationMethods` if one is not enough.
    pub(crate) several_methods: Option<String>,
    /// Whether PAM judges accounts. Without it sshd refuses an account with a `!`, also with a key.
    pub(crate) pam: bool,
    /// The line that locks the user out.
    pub(crate) denied: Option<String>,
    /// Where the user may come from by `AllowUsers jan@192.0.2.0/24`.
    pub(crate) allowed: Ranges,
}

/// Whether the configuration limits some users to SFTP, or to a folder, so that these are the customers.
pub(crate) fn tells_customers(config: &SshdConfig) -> bool {
    let chroots = config.all("chrootdirectory").any(|line| chroot(line).is_some());
    chroots || config.all("forcecommand").any(|line| is_sftp(&line.rest))
}

/// Whether a command is an SFTP server.
pub(crate) fn is_sftp(command: &str) -> bool {
    let program = command.split_whitespace().next().unwrap_or_default();
    program == "internal-sftp" || program.rsplit('/').next() == Some("sftp-server")
}

/// Whether a command of an SFTP server refuses to write (sftp-server(8), `-R`).
pub(crate) fn is_read_only(command: &str) -> bool {
    let is_flag = |word: &str| word.starts_with('-') && !word.starts_with("--") && word.contains('R');
    is_sftp(command) && command.split_whitespace().skip(1).any(is_flag)
}

fn chroot(line: &Line) -> Option<&String> {
    line.arguments.first().filter(|folder| !folder.eq_ignore_ascii_case("none"))
}

impl Login {
    pub(crate) fn of(config: &SshdConfig, entry: &Entry, groups: &[&str]) -> Self {
        let user = User { name: &entry.name, groups };
        let first = |keyword| config.of(user, keyword).into_iter().next();
        let is = |keyword, default| {
            let value = first(keyword).and_then(|line: &Line| line.arguments.first());
            value.map_or(default, |value| !value.eq_ignore_ascii_case("no"))
        };
        let pam = is("usepam", false);
        let methods = Methods::of(first("authenticationmethods"));
        let by_pam = pam && is("kbdinteractiveauthentication", true) && methods.admits("keyboard-interactive");
        let (denied, allowed) = access(config, user);
        Self {
            chroot: first("chrootdirectory").and_then(chroot).cloned(),
            force_command: first("forcecommand")
                .map(|line| line.rest.trim().to_owned())
                .filter(|command| !command.eq_ignore_ascii_case("none")),
            key_files: key_files(first("authorizedkeysfile")),
            passwords: by_pam || is("passwordauthentication", true) && methods.admits("password"),
            keys: is("pubkeyauthentication", true) && methods.admits("publickey"),
            several_methods: methods.several(),
            pam,
            denied,
            allowed,
        }
    }

    /// Whether the user is limited to SFTP, or to a folder.
    pub(crate) fn is_customer(&self) -> bool {
        self.chroot.is_some() || self.force_command.as_deref().is_some_and(is_sftp)
    }

    /// The folder on the old server that the customer has: the one that is `/` for this user alone, or the home in the
    /// one that is `/` for several.
    pub(crate) fn folder(&self, entry: &Entry) -> String {
        match &self.chroot {
            None => entry.home.clone(),
            Some(root) if expanded(root, &Entry::default()) != expanded(root, entry) => expanded(root, entry),
            Some(root) => {
                let root = root.trim_end_matches('/');
                let below = entry.home.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
                if below { entry.home.clone() } else { format!("{root}/{}", entry.home.trim_start_matches('/')) }
            }
        }
    }

    /// The paths of the files of public keys.
    pub(crate) fn key_paths(&self, entry: &Entry) -> Vec<String> {
        let path = |file: &String| {
            let file = expanded(file, entry);
            if file.starts_with('/') { file } else { format!("{}/{file}", entry.home) }
        };
        self.key_files.iter().map(path).collect()
    }
}

/// The text with `%h`, `%u`, `%U` and `%%` replaced (sshd_config(5), "TOKENS").
fn expanded(text: &str, entry: &Entry) -> String {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, rest.clone().next()) {
            ('%', Some(token @ ('h' | 'u' | 'U' | '%'))) => {
                rest.next();
                match token {
                    'h' => out.push_str(&entry.home),
                    'u' => out.push_str(&entry.name),
                    'U' => out.push_str(&entry.uid.to_string()),
                    _ => out.push('%'),
                }
            }
            _ => out.push(c),
        }
    }
    out
}

fn key_files(line: Option<&Line>) -> Vec<String> {
    let Some(line) = line else { return [".ssh/authorized_keys", ".ssh/authorized_keys2"].map(str::to_owned).into() };
    line.arguments.iter().filter(|file| !file.eq_ignore_ascii_case("none")).cloned().collect()
}

/// The lists of methods of `AuthenticationMethods`, of which a user must go through one.
struct Methods(Vec<String>);

impl Methods {
    fn of(line: Option<&Line>) -> Self {
        let lists = line.map(|line| line.arguments.clone()).unwrap_or_default();
        Self(lists.into_iter().filter(|list| !list.eq_ignore_ascii_case("any")).collect())
    }

    /// Whether a method alone is enough. `keyboard-interactive:pam` is one with its device.
    fn admits(&self, method: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|list| list.split(':').next() == Some(method) && !list.contains(','))
    }

    fn several(&self) -> Option<String> {
        (!self.0.is_empty() && self.0.iter().all(|list| list.contains(','))).then(|| self.0.join(" "))
    }
}

/// What locks a user out, and where the user may come from (OpenSSH, `allowed_user`).
fn access(config: &SshdConfig, user: User<'_>) -> (Option<String>, Ranges) {
    let list =
        |keyword| -> Vec<&String> { config.of(user, keyword).into_iter().flat_map(|line| &line.arguments).collect() };
    let (mut allowed, mut denied) = (Ranges::Everywhere, None);
    for entry in list("denyusers") {
        let (name, host) = name_and_host(entry);
        match host {
            _ if !matches(user.name, name) => {}
            None => denied = Some(format!("DenyUsers {entry}")),
            Some(_) => allowed = Ranges::Unknown(format!("sshd_config denies connections by DenyUsers {entry}")),
        }
    }
    let only = list("allowusers");
    if !only.is_empty() {
        let hosts: Vec<_> =
            only.iter().map(|entry| name_and_host(entry)).filter(|(name, _)| matches(user.name, name)).collect();
        if hosts.is_empty() {
            denied = denied.or(Some("AllowUsers, which does not name this user".to_owned()));
        } else if let Some(hosts) = hosts.iter().map(|(_, host)| *host).collect::<Option<Vec<_>>>() {
            let from = Ranges::of(&hosts.join(","));
            allowed = if allowed == Ranges::Everywhere { from } else { allowed };
        }
    }
    let in_group = |list: &[&String]| user.groups.iter().any(|group| list.iter().any(|name| matches(group, name)));
    let (no, yes) = (list("denygroups"), list("allowgroups"));
    if in_group(&no) {
        denied = denied.or(Some("DenyGroups, which names a group of this user".to_owned()));
    }
    if !yes.is_empty() && !in_group(&yes) {
        denied = denied.or(Some("AllowGroups, which names no group of this user".to_owned()));
    }
    (denied, allowed)
}

/// `jan@192.0.2.1` as the pattern of a name and that of a host (OpenSSH, `match_user`).
fn name_and_host(entry: &str) -> (&str, Option<&str>) {
    entry.rsplit_once('@').map_or((entry, None), |(name, host)| (name, Some(host)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry { name: "jan".into(), uid: 1001, home: "/home/17578".into(), ..Entry::default() }
    }

    fn login(text: &str) -> Login {
        let config = SshdConfig::parse(("c".into(), text.into()), &mut |_| Ok(Vec::new())).unwrap();
        Login::of(&config, &entry(), &["sftp", "users"])
    }

    #[test]
    fn the_folder_is_what_the_customer_sees() {
        for (config, expected) in [
            ("", "/home/17578"),
            ("ChrootDirectory %h", "/home/17578"),
            ("ChrootDirectory /sftp/%u", "/sftp/jan"),
            ("ChrootDirectory /sftp/%U/%%h", "/sftp/1001/%h"),
            ("ChrootDirectory /sftp", "/sftp/home/17578"),
            ("ChrootDirectory /home/", "/home/17578"),
            ("ChrootDirectory /hom", "/hom/home/17578"),
            ("ChrootDirectory NONE", "/home/17578"),
            ("Match Group sftp\nChrootDirectory /a/%u\nMatch all\nChrootDirectory /b/%u", "/a/jan"),
        ] {
            assert_eq!(login(config).folder(&entry()), expected, "{config}");
        }
    }

    #[test]
    fn customers_are_limited_to_sftp_or_a_folder() {
        for config in [
            "ChrootDirectory %h",
            "ForceCommand internal-sftp -u 0002",
            "ForceCommand /usr/lib/openssh/sftp-server -R",
            "Match Group sft?\nForceCommand internal-sftp",
        ] {
            let parsed = SshdConfig::parse(("c".into(), config.into()), &mut |_| Ok(Vec::new())).unwrap();
            assert!(tells_customers(&parsed) && login(config).is_customer(), "{config}");
        }
        let other = "Match User piet\nForceCommand internal-sftp\nMatch User jan\nForceCommand /bin/backup";
        assert!(!login(other).is_customer());
        let none = SshdConfig::parse(("c".into(), "ChrootDirectory none".into()), &mut |_| Ok(Vec::new())).unwrap();
        assert!(!tells_customers(&none));
        assert!(is_read_only("internal-sftp -l INFO -R") && !is_read_only("internal-sftp -d /Reports"));
    }

    #[test]
    fn key_files_are_below_the_home() {
        let paths = |config| login(config).key_paths(&entry());
        assert_eq!(paths(""), ["/home/17578/.ssh/authorized_keys", "/home/17578/.ssh/authorized_keys2"]);
        assert_eq!(
            paths("AuthorizedKeysFile /etc/keys/%u %h/k .ssh/%U"),
            ["/etc/keys/jan", "/home/17578/k", "/home/17578/.ssh/1001"]
        );
        assert!(paths("AuthorizedKeysFile none").is_empty());
    }

    #[test]
    fn methods_of_log_in_are_sshds() {
        for (config, passwords, keys, several) in [
            ("", true, true, false),
            ("PasswordAuthentication no", false, true, false),
            ("PasswordAuthentication no\nUsePAM yes", true, true, false),
            ("PasswordAuthentication no\nUsePAM yes\nChallengeResponseAuthentication no", false, true, false),
            ("PubkeyAuthentication no", true, false, false),
            ("AuthenticationMethods publickey", false, true, false),
            ("AuthenticationMethods any", true, true, false),
            ("UsePAM yes\nAuthenticationMethods keyboard-interactive:pam", true, false, false),
            ("AuthenticationMethods publickey,password publickey,keyboard-interactive", false, false, true),
            ("PasswordAuthentication no\nMatch Group sftp\nPasswordAuthentication yes", true, true, false),
        ] {
            let login = login(config);
            let found = (login.passwords, login.keys, login.several_methods.is_some());
            assert_eq!(found, (passwords, keys, several), "{config}");
        }
    }

    #[test]
    fn lists_of_users_and_groups_lock_out() {
        for config in [
            "DenyUsers piet j*",
            "AllowUsers piet\nAllowUsers kees",
            "DenyGroups users",
            "AllowGroups staff",
            "AllowUsers jan\nMatch User jan\nAllowUsers piet",
        ] {
            assert!(login(config).denied.is_some(), "{config}");
        }
        for config in [
            "DenyUsers piet",
            "AllowUsers piet jan",
            "AllowUsers piet\nAllowUsers jan",
            "AllowGroups staff s*",
            "DenyUsers jan\nMatch User jan\nDenyUsers piet",
        ] {
            assert_eq!(login(config).denied, None, "{config}");
        }
    }

    #[test]
    fn hosts_of_users_are_ranges() {
        assert_eq!(
            login("AllowUsers jan@192.0.2.0/24 jan@198.51.100.7").allowed,
            Ranges::of("192.0.2.0/24,198.51.100.7")
        );
        assert_eq!(login("AllowUsers jan@192.0.2.0/24 j*").allowed, Ranges::Everywhere);
        assert!(matches!(login("AllowUsers jan@*.example.com").allowed, Ranges::Unknown(_)));
        assert!(matches!(login("DenyUsers jan@192.0.2.1\nAllowUsers jan@10.0.0.0/8").allowed, Ranges::Unknown(_)));
    }
}
