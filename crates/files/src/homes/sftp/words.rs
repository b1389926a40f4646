//! What `ssh` said of an error, and what to do about it. Pure.

use sftpctl_core::shell_word::shell_word;

/// The last lines that are a reason: those before them greet.
const LAST: usize = 3;

/// What `ssh` says where it reaches no server, and what helps.
const NOT_REACHED: [(&str, &str); 3] = [
    ("Connection refused", "no SSH server listens there: check that it runs, and the host name and the port"),
    ("Could not resolve hostname", "check the name, or add it with its `HostName` to the configuration of ssh"),
    ("Can't open user config file", "name a configuration file that exists"),
];

/// The last lines of what was said as one, with what to do about it; `None` if nothing was said.
pub fn reason<Line: AsRef<str>>(lines: &[Line], advice: Option<String>) -> Option<String> {
    let last: Vec<&str> = lines.iter().rev().take(LAST).rev().map(AsRef::as_ref).collect();
    let last = last.join("; ");
    match (last.is_empty(), advice) {
        (true, _) => None,
        (false, None) => Some(last),
        (false, Some(advice)) => Some(format!("{}: {advice}", last.trim_end_matches('.'))),
    }
}

/// What helps if the server's host key was not accepted, or no server was reached.
pub fn advice(said: &str) -> Option<String> {
    let said_of = |before: &str, after: &str| {
        said.lines().find_map(|line| line.trim().strip_prefix(before)?.split_once(after).map(|(found, _)| found))
    };
    if let Some(host) = said_of("Host key for ", " has changed") {
        // `Offending ED25519 key in FILE:LINE`
        let file = said.lines().find_map(|line| {
            let (_, place) = line.trim().strip_prefix("Offending ")?.split_once(" key in ")?;
            Some(place.rsplit_once(':')?.0)
        });
        let file = file.map_or_else(String::new, |file| format!(" -f {}", shell_word(file)));
        let host = shell_word(host);
        return Some(format!(
            "it may be another server; ask the server's owner whether the key was changed and for the new fingerprint, \
             and only then forget the old key: ssh-keygen -R {host}{file}"
        ));
    }
    let is_unknown = said.contains("Host key verification failed") || said.contains("host key is known for");
    if is_unknown {
        let advice = "the host key is not known on this machine: log in once with the same user and configuration by \
                      hand, and compare the fingerprint that is shown with that of the server's owner";
        return Some(advice.to_owned());
    }
    let (_, advice) = NOT_REACHED.iter().find(|(words, _)| said.contains(*words))?;
    Some((*advice).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_and_a_changed_host_key_have_their_advice() {
        let unknown = "No ED25519 host key is known for [127.0.0.1]:40123 and you have requested strict checking.\n\
             Host key verification failed.";
        assert!(advice(unknown).unwrap().starts_with("the host key is not known on this machine: log in once"));
        let changed = "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n\
             Add correct host key in /home/jan/known hosts to get rid of this message.\r\n\
             Offending ED25519 key in /home/jan/known hosts:1\r\n\
             Host key for [127.0.0.1]:40123 has changed and you have requested strict checking.\r\n\
             Host key verification failed.\r\n";
        let said = advice(changed).unwrap();
        assert!(said.ends_with("ssh-keygen -R '[127.0.0.1]:40123' -f '/home/jan/known hosts'"), "{said}");
        assert_eq!(advice("jan@127.0.0.1: Permission denied (publickey)."), None);
    }

    #[test]
    fn a_server_that_is_not_reached_has_its_advice() {
        for (said, helps) in [
            ("ssh: connect to host 127.0.0.1 port 9: Connection refused", "no SSH server listens there"),
            ("ssh: Could not resolve hostname app-9: Name or service not known", "check the name"),
            ("Can't open user config file /nowhere: No such file or directory", "name a configuration file"),
        ] {
            assert!(advice(said).unwrap().starts_with(helps), "{said}");
        }
    }

    #[test]
    fn a_reason_is_the_last_lines_and_what_to_do() {
        let lines = ["Welcome", "a", "b", "c."];
        assert_eq!(reason(&lines, None).unwrap(), "a; b; c.");
        assert_eq!(reason(&lines, Some("log in once".into())).unwrap(), "a; b; c: log in once");
        assert_eq!(reason(&lines[..1], None).unwrap(), "Welcome");
        assert_eq!(reason::<&str>(&[], Some("log in once".into())), None);
    }
}
