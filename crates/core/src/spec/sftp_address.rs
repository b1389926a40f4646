//! The address of a folder on another machine that is read over SFTP.

use std::fmt;
use std::str::FromStr;

/// `sftp://USER@HOST:PORT/PATH`, in which only the host is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SftpAddress {
    /// Without it, the SSH client decides.
    pub user: Option<String>,
    /// A name, an address, or an alias of the SSH client's configuration. An IPv6 address is without brackets.
    pub host: String,
    pub port: Option<u16>,
    /// Absolute, without a slash at its end.
    pub path: Option<String>,
}

impl SftpAddress {
    /// The same machine without a path.
    #[must_use]
    pub fn machine(&self) -> Self {
        Self { path: None, ..self.clone() }
    }

    /// The path on its machine of a folder that was written as an address.
    pub fn path_of(text: &str) -> Option<String> {
        text.parse::<Self>().ok()?.path
    }
}

impl FromStr for SftpAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "expected sftp://USER@HOST:PORT, where only the host is needed";
        let rest = text.strip_prefix("sftp://").ok_or(FORM)?;
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, Some(path.trim_end_matches('/'))),
            None => (rest, None),
        };
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err("it must not contain a password: log in with a key, as `ssh` does");
        }
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, after)) => (host, Some(after.strip_prefix(':').ok_or(FORM)?)),
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let port =
            port.map(|port| port.parse::<u16>().ok().filter(|port| *port > 0).ok_or("the port must be 1 to 65535"));
        // These become arguments of a program, and none may look like an option.
        let fits = |text: &str, more: &str| {
            !text.is_empty()
                && !text.starts_with('-')
                && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        if !fits(host, ".-_:%") || user.is_some_and(|user| !fits(user, ".-_@+\\")) {
            return Err(FORM);
        }
        let is_plain = |path: &str| {
            !path.contains(char::is_control) && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
        };
        let path = path.filter(|path| !path.is_empty());
        if path.is_some_and(|path| !is_plain(path)) {
            return Err("its path must be absolute, without `.`, `..` and empty parts");
        }
        Ok(Self {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port: port.transpose()?,
            path: path.map(|path| format!("/{path}")),
        })
    }
}

impl fmt::Display for SftpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sftp://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.path.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_what_they_say() {
        for text in [
            "sftp://old-server",
            "sftp://root@old.example.com:2222",
            "sftp://root@old/home",
            "sftp://a@b@host/srv/home/17578",
            "sftp://[2001:db8::1]:22/home",
        ] {
            assert_eq!(text.parse::<SftpAddress>().map(|address| address.to_string()), Ok(text.to_owned()));
        }
        let address: SftpAddress = "sftp://root@[::1]:22/home/".parse().unwrap();
        assert_eq!((address.host.as_str(), address.port, address.path.as_deref()), ("::1", Some(22), Some("/home")));
        for text in [
            "old-server",
            "ssh://old",
            "sftp://",
            "sftp://-oProxyCommand=x",
            "sftp://-l@old",
            "sftp://root:secret@old",
            "sftp://old:0",
            "sftp://old:x",
            "sftp://[::1",
            "sftp://[::1]x",
            "sftp://old/a/../b",
            "sftp://old//a",
            "sftp://o ld",
        ] {
            assert!(text.parse::<SftpAddress>().is_err(), "{text}");
        }
        assert_eq!(SftpAddress::path_of("sftp://root@old/home/7").as_deref(), Some("/home/7"));
        assert_eq!(SftpAddress::path_of("/home/7"), None);
    }
}
