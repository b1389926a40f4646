//! Programs of the product beside this one: the local cloud, the console. They are programs of their own, so that the one
//! with production credentials contains neither an emulator nor a server. They are searched for as git searches for its
//! commands: in the folder of this program first, then on the `PATH`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::CliError;
use crate::exit::Exit;

/// A program, and what it is in messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Companion {
    pub(crate) name: &'static str,
    /// Such as "the program of the local cloud".
    pub(crate) what: &'static str,
}

impl Companion {
    /// The program beside this one, or else the one on the `PATH`; its name in the root folder, where it is not, if there is
    /// none.
    pub(crate) fn path(self) -> PathBuf {
        let beside = || {
            let path = std::env::current_exe().ok()?.with_file_name(self.name);
            let path = path.with_extension(std::env::consts::EXE_EXTENSION);
            path.is_file().then_some(path)
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        beside().or_else(|| found_in(&path, self.name)).unwrap_or_else(|| PathBuf::from("/").join(self.name))
    }

    /// Replaces this process with the program, so that its exit code is this process's. Returns only if that fails.
    pub(crate) fn exec(self, arguments: &[OsString]) -> CliError {
        let path = self.path();
        let mut command = Command::new(&path);
        command.args(arguments);
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt as _;
            self.cannot_run(&path, &command.exec())
        }
        #[cfg(not(unix))]
        {
            CliError::new(Exit::Usage, format!("{} runs on Linux and macOS only", self.name))
        }
    }

    pub(crate) fn cannot_run(self, path: &Path, error: &std::io::Error) -> CliError {
        let Self { name, what } = self;
        match error.kind() {
            std::io::ErrorKind::NotFound => CliError::new(Exit::Usage, format!("cannot find {name}, {what}"))
                .hint("install it beside sftpctl or on the PATH; a checkout builds it with: cargo build --bins"),
            _ => CliError::new(Exit::Usage, format!("cannot run {}: {error}", path.display())),
        }
    }
}

/// The program in a folder of this path. Empty and relative parts mean the current folder, which may be a cloned repository.
fn found_in(path: &OsStr, name: &str) -> Option<PathBuf> {
    let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn program_is_searched_in_absolute_folders_only() {
        let folder = tempfile::tempdir_in(".").unwrap();
        std::fs::write(folder.path().join("sftpctl-x"), "").unwrap();
        let name = folder.path().file_name().unwrap();
        let absolute = std::env::current_dir().unwrap().join(name);
        assert_eq!(found_in(name, "sftpctl-x"), None);
        assert_eq!(
            found_in(&std::env::join_paths([name.as_ref(), absolute.as_path()]).unwrap(), "sftpctl-x"),
            Some(absolute.join("sftpctl-x"))
        );
    }
}
