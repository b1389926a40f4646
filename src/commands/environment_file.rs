//! Reads the file of an environment that a command line names: `environments/NAME.yaml`, or any path.
//!
//! The faults of a file show pieces of it, and in a repository that takes requests from strangers
//! `environments/NAME.yaml` may be a link to any file of the machine that checks it. So a name stands only for a file of
//! the current folder, other than those in hidden folders such as `.git`, which has the token of a pipeline. A path that
//! somebody wrote on the command line (`--env-file`) is what they mean.

use std::io::{Error, ErrorKind};
use std::path::{Component, Path, PathBuf};

use super::input_file;

/// The path of an environment's file.
pub(super) fn path_of(name: &str) -> PathBuf {
    Path::new("environments").join(format!("{name}.yaml"))
}

/// The text of an environment's file, at the path of [`path_of`].
///
/// # Errors
/// As for [`input_file::read`]; [`ErrorKind::PermissionDenied`] if the path leads out of the current folder.
pub(super) fn read_inside(path: &Path) -> std::io::Result<String> {
    // The file itself is opened, so that a link without a real path, as to a pipe, is none.
    let real = path.canonicalize()?;
    if is_inside(&real, &Path::new(".").canonicalize()?) {
        return input_file::read(&real, input_file::SMALL);
    }
    let message = format!("it leads to {}, which is not among the files of this folder", real.display());
    Err(Error::new(ErrorKind::PermissionDenied, message))
}

/// Whether a file is below a folder, and not in a hidden one there.
fn is_inside(file: &Path, folder: &Path) -> bool {
    let is_shown = |component: Component<'_>| !component.as_os_str().as_encoded_bytes().starts_with(b".");
    file.strip_prefix(folder).is_ok_and(|rest| rest.components().all(is_shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_folder_are_inside() {
        for (file, inside) in [
            ("/a/environments/99.yaml", true),
            ("/a/shared/99.yaml", true),
            ("/etc/shadow", false),
            ("/ab/99.yaml", false),
            ("/a/.git/config", false),
            ("/a/environments/.hidden/99.yaml", false),
        ] {
            assert_eq!(is_inside(Path::new(file), Path::new("/a")), inside, "{file}");
        }
        assert!(is_inside(Path::new("/home/me/.cache/a/x.yaml"), Path::new("/home/me/.cache/a")));
    }
}
