//! The authorizer's binary: there, for the right machine, and without symbols that Lambda does not have.

use sftpctl_core::check::{Check, Definition};

use super::Probe;
use super::subject::Subject;
use crate::package;

pub(super) fn probes(subject: &Subject) -> Vec<Probe<'_>> {
    vec![Probe::new(&Definition::PACKAGE, None, async move { check(subject) })]
}

fn check(subject: &Subject) -> Check {
    let of = &Definition::PACKAGE;
    let path = package::locate(subject.package.as_deref());
    let architecture = &subject.environment.authorizer.architecture;
    match package::read(&path, architecture) {
        Ok(_) => Check::ok(of, None, format!("{} runs on {architecture}", path.display())),
        Err(error) => Check::failed(of, None, error.to_string()).hint(error.hint()),
    }
}
