//! The credentials of a mount as a file: what keeps its program from reading them, as far as this user sees it.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::lock::open_plain;

/// What is wrong with the credentials of a mount, which root alone may read; or that this user cannot find it out.
pub(super) fn fault(path: &Path) -> Option<String> {
    let user = rustix::process::geteuid().as_raw();
    // Nobody waits for the other end of a pipe.
    fault_as(path, user, &open_plain(path, File::options().read(true)).and_then(|file| file.metadata()))
}

/// As [`fault`], by the facts of a file that this user has opened, or not.
fn fault_as(path: &Path, user: u32, facts: &io::Result<std::fs::Metadata>) -> Option<String> {
    let path = path.display();
    match facts {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Some(format!(
            "user {user} may not read the credentials {path}, so this check cannot say whether they are why: run it as root"
        )),
        Err(error) => Some(format!("the credentials {path} cannot be read: {error}")),
        Ok(facts) if facts.len() == 0 => Some(format!("the credentials {path} are empty")),
        Ok(facts) if facts.mode() & 0o077 != 0 => {
            Some(format!("others may read the credentials {path}: chmod 0600 {path}"))
        }
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_wrong_with_credentials_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let said = || fault(&path).map(|said| said.replace(&*path.display().to_string(), "/keys"));
        let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(said().unwrap().starts_with("the credentials /keys cannot be read: No such file"), "{:?}", said());
        fs::write(&path, "").unwrap();
        assert_eq!(said().as_deref(), Some("the credentials /keys are empty"));
        fs::write(&path, "key:secret").unwrap();
        set(0o644);
        assert!(said().unwrap().starts_with("others may read the credentials /keys"), "{:?}", said());
        set(0o600);
        assert_eq!(said(), None);
        // As another user than root.
        let denied = fault_as(&path, 33, &Err(io::Error::from(io::ErrorKind::PermissionDenied))).unwrap();
        assert!(denied.starts_with("user 33 may not read the credentials") && denied.ends_with("run it as root"));
        assert!(!denied.contains("secret"));
    }
}
