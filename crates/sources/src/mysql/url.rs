//! `mysql://user@host:port/database`.

use percent_encoding::percent_decode_str;
use sftpctl_accounts::import::row::RowsError;
use sftpctl_core::shown::visible;

/// MySQL's port (MySQL reference manual, "MySQL Port Reference Tables").
const PORT: u16 = 3306;

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) user: String,
    pub(super) place: Place,
    pub(super) database: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Host { name: String, port: u16 },
    Socket(String),
}

impl Place {
    /// Whether nobody on a network can read along.
    pub(super) fn is_local(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Host { name, .. } => {
                name == "localhost" || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
            }
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "the socket {}", visible(path)),
            Self::Host { name, port } if name.contains(':') => write!(f, "[{}]:{port}", visible(name)),
            Self::Host { name, port } => write!(f, "{}:{port}", visible(name)),
        }
    }
}

fn usage(message: impl Into<String>, hint: impl Into<String>) -> RowsError {
    RowsError { message: message.into(), hint: Some(hint.into()), is_usage: true }
}

const FORM: &str = "write mysql://USER@HOST:PORT/DATABASE, or mysql://USER@/DATABASE?socket=/PATH for a Unix socket; \
                    characters such as @ and / in a name are written as %40 and %2F";

fn decoded(part: &str) -> Result<String, RowsError> {
    let text = percent_decode_str(part).decode_utf8();
    text.map(Into::into).map_err(|_| usage("the URL of the database is not UTF-8", FORM))
}

impl Target {
    /// No message repeats a part of the URL that may be a password.
    pub(super) fn parse(url: &str) -> Result<Self, RowsError> {
        let invalid = |what: &str| usage(format!("invalid URL of the database: {what}"), FORM);
        let scheme = url.split_once("://").filter(|(scheme, _)| ["mysql", "mariadb"].contains(scheme));
        let (_, rest) = scheme.ok_or_else(|| invalid("expected mysql:// at its beginning"))?;
        let user_part = rest.rsplit_once('@').map_or("", |(before, _)| before);
        if user_part.contains(':') || rest.contains("password=") {
            return Err(usage(
                "the URL of the database has a password, which the process list and the shell's history would show",
                "leave it out (mysql://USER@HOST/DATABASE) and give the password from a file, an environment variable, \
                 Secrets Manager or at the prompt; change it if the command was run on a machine that others use",
            ));
        }
        let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').ok_or_else(|| invalid("it names no database"))?;
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let database = decoded(database)?;
        if database.is_empty() || database.contains('/') {
            return Err(invalid("expected one name after the host: the database"));
        }
        let mut socket = None;
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("socket", path)) if path.starts_with('/') => socket = Some(decoded(path)?),
                Some(("socket", _)) => return Err(invalid("the path of a socket begins with /")),
                _ => {
                    return Err(invalid(
                        "the only parameter that it may have is socket=/PATH; options are set elsewhere",
                    ));
                }
            }
        }
        let place = match socket {
            Some(path) if host.is_empty() || host == "localhost" => Place::Socket(path),
            Some(_) => return Err(invalid("it has both a host and a socket")),
            None => {
                let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                    Some((address, port)) => (address, port.strip_prefix(':')),
                    None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
                };
                let port = port
                    .map_or(Some(PORT), |port| port.parse().ok().filter(|port| *port > 0))
                    .ok_or_else(|| invalid("the port must be 1 to 65535"))?;
                if name.is_empty() {
                    return Err(invalid("it has neither a host nor a socket"));
                }
                Place::Host { name: decoded(name)?, port }
            }
        };
        let user = decoded(user)?;
        if user.is_empty() {
            return Err(invalid("it names no user"));
        }
        Ok(Self { user, place, database })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(name: &str, port: u16) -> Place {
        Place::Host { name: name.to_owned(), port }
    }

    #[test]
    fn user_place_and_database() {
        let socket = Place::Socket("/run/my sql.sock".to_owned());
        for (url, user, place, database) in [
            ("mysql://reader@db.example.com/sftp", "reader", at("db.example.com", 3306), "sftp"),
            ("mariadb://r%40x@127.0.0.1:3307/old%2Fsftp", "", at("", 0), ""),
            ("mysql://r%40x@127.0.0.1:3307/sftp", "r@x", at("127.0.0.1", 3307), "sftp"),
            ("mysql://a%3Ab@[::1]:3306/sftp", "a:b", at("::1", 3306), "sftp"),
            ("mysql://a@[::1]/sftp", "a", at("::1", 3306), "sftp"),
            ("mysql://root@/sftp?socket=/run/my%20sql.sock", "root", socket, "sftp"),
        ] {
            match Target::parse(url) {
                Ok(target) => assert_eq!(target, Target { user: user.into(), place, database: database.into() }),
                Err(error) => assert_eq!((user, error.is_usage), ("", true), "{url}: {error}"),
            }
        }
        assert_eq!(Target::parse("mysql://a@[::1]/sftp").unwrap().place.to_string(), "[::1]:3306");
    }

    #[test]
    fn password_is_refused_and_not_repeated() {
        for url in [
            "mysql://reader:s3cret@db/sftp",
            "mysql://reader:s3cret@x@db/sftp",
            "mysql://reader:s3c/s3cret@db/sftp",
            "mysql://reader:s3c?s3cret@db/sftp",
            "mysql://reader@db/sftp?password=s3cret",
        ] {
            let error = Target::parse(url).unwrap_err();
            assert!(error.message.contains("has a password"), "{url}: {error}");
            assert!(!format!("{error:?}").contains("s3c"), "{error:?}");
        }
        // Nor what could be one if the user's name was left out.
        for url in ["mysql://reader:s3cret/sftp", "mysql://db/sftp?s3cret", "mysql://s3cret", "s3cret"] {
            let error = Target::parse(url).unwrap_err();
            assert!(error.is_usage && !format!("{error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[test]
    fn only_loopback_and_sockets_are_local() {
        let local = |name: &str| at(name, 1).is_local();
        assert!(local("localhost") && local("127.0.0.9") && local("::1") && Place::Socket(String::new()).is_local());
        assert!(!local("10.0.0.1") && !local("db"));
    }
}
