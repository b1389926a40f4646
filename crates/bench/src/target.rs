//! What is measured: a folder, a bucket, or an SFTP server. Pure.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sftpctl_core::spec::names::is_bucket_name;
use sftpctl_core::spec::sftp_address::SftpAddress;

/// Where files are put and fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder of this machine, most often in a mount.
    Folder(PathBuf),
    /// A bucket, and the beginning of keys without a slash at its end.
    Bucket { bucket: String, prefix: String },
    /// An SFTP server.
    Sftp(SftpAddress),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("sftp://") {
            return text.parse().map(Self::Sftp).map_err(str::to_owned);
        }
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            if !is_bucket_name(bucket) {
                return Err(format!("`{bucket}` is not the name of a bucket; expected s3://BUCKET/PREFIX"));
            }
            let prefix = prefix.trim_end_matches('/');
            if prefix.contains(char::is_control) || prefix.split('/').any(|part| matches!(part, "." | "..")) {
                return Err("the prefix must be without `.`, `..` and control characters".to_owned());
            }
            return Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() });
        }
        if text.contains("://") {
            return Err("expected a folder, s3://BUCKET/PREFIX or sftp://USER@HOST:PORT/PATH".to_owned());
        }
        match text.starts_with('/') {
            true => Ok(Self::Folder(text.into())),
            false => Err(format!("`{text}` is a relative path; write the folder from the root: /path/to/folder")),
        }
    }
}

/// A target as it may be shown, if somebody has written a password into it.
pub fn without_password(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let (user, host) = rest.rsplit_once('@')?;
    let (name, _) = user.split_once(':')?;
    Some(format!("{scheme}://{name}:…@{host}"))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Bucket { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            Self::Sftp(address) => address.fmt(f),
        }
    }
}

/// Everything that a worker needs for a place. It is passed through a pipe, since it may hold a password and keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Access {
    Folder {
        path: PathBuf,
    },
    #[serde(rename_all = "camelCase")]
    Bucket {
        bucket: String,
        prefix: String,
        region: String,
        profile: Option<String>,
        endpoint: Option<String>,
        keys: Option<Keys>,
    },
    #[serde(rename_all = "camelCase")]
    Sftp {
        address: String,
        /// A private key's file.
        identity: Option<PathBuf>,
        password: Option<Password>,
        /// A file for `ssh -F`.
        config: Option<PathBuf>,
        /// Whether the server's host key must be known.
        checks_host_key: bool,
    },
}

/// A customer's password.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// Credentials of AWS.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    pub access_key: String,
    pub secret_key: String,
    /// Empty for keys that are not a session's.
    pub token: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_what_they_say() {
        for text in ["/sftp", "/mnt/a b", "s3://uploads", "s3://uploads/17578/in", "sftp://jan@host:2222/uploads"] {
            assert_eq!(text.parse::<Place>().map(|place| place.to_string()).as_deref(), Ok(text));
        }
        for text in ["sftp", "./x", "s3://", "s3://A_B/x", "s3://abc/../x", "http://x", "sftp://jan:pw@host", ""] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_password_in_a_target_is_left_out() {
        for (text, shown) in [
            ("sftp://jan:Harbour-7@host", Some("sftp://jan:…@host")),
            ("sftp://jan:Har/bo@ur@host:22/x", Some("sftp://jan:…@host:22/x")),
            ("ftp://jan:Harbour-7@host", Some("ftp://jan:…@host")),
            ("sftp://jan@host:22", None),
            ("s3://password-bucket/x", None),
            ("/passwords:x@y", None),
        ] {
            assert_eq!(without_password(text).as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let access = Access::Sftp {
            address: "sftp://jan@host".into(),
            identity: None,
            password: Some(Password("Harbour-7".into())),
            config: None,
            checks_host_key: true,
        };
        let keys = Keys { access_key: "AKIA".into(), secret_key: "hidden".into(), token: "hidden".into() };
        let shown = format!("{access:?} {keys:?}");
        assert!(!shown.contains("Harbour-7") && !shown.contains("hidden"), "{shown}");
    }
}
