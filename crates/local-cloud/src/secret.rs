//! The secret key of the local cloud: whoever can read it may use the local cloud. It is in a file that only the user who
//! started the local cloud can read, and is the secret access key of every account here.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use subtle::ConstantTimeEq as _;

use super::error::LocalError;
use crate::execute_api::sigv4::hex;

/// The header that carries it to the front's own paths, `/_sftpctl/…`, and another one to MiniStack.
pub(crate) const HEADER: &str = "x-sftpctl-secret";

/// The file, in the local cloud's folder.
const FILE: &str = "secret";

/// 32 random bytes in hexadecimal.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// A new one, in memory only.
    pub(crate) fn random() -> Self {
        let mut bytes = [0_u8; 32];
        rand::fill(&mut bytes);
        Self(hex(&bytes))
    }

    /// The secret of the local cloud in `dir`, made at its first start. It stays the same, so that a shell that has it in
    /// its environment can go on after a restart.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub(crate) fn keep(dir: &Path) -> Result<Self, LocalError> {
        if let Some(secret) = Self::read(dir)? {
            return Ok(secret);
        }
        let secret = Self::random();
        let path = dir.join(FILE);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        file.and_then(|mut file| writeln!(file, "{}", secret.0)).map_err(LocalError::file("writing", &path))?;
        Ok(secret)
    }

    /// The secret of the local cloud in `dir`; `None` before its first start.
    ///
    /// # Errors
    /// The file cannot be read, or others may read it.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, LocalError> {
        let path = dir.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LocalError::file("reading", &path)(error)),
        };
        let open = std::fs::metadata(&path).is_ok_and(|facts| facts.permissions().mode() & 0o077 != 0);
        if open {
            let exposed = std::io::Error::other("others may read it: stop the local cloud, delete it, and start again");
            return Err(LocalError::file("trusting", &path)(exposed));
        }
        Ok(Some(Self(text.trim().to_owned())))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text is the secret, compared in constant time.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_kept_and_not_shared() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Secret::read(dir.path()).unwrap().is_none());
        let first = Secret::keep(dir.path()).unwrap();
        assert!(
            Secret::keep(dir.path()).unwrap().is(first.as_str()) && !first.is("") && !Secret::random().is(&first.0)
        );
        let path = dir.path().join(FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Secret::keep(dir.path()).is_err_and(|error| error.to_string().contains("trusting")));
    }
}
