//! The selection of servers and the display of log-in checks, for `deploy`, `verify` and `test-login`.

use std::sync::Arc;

use crate::error::CliError;
use crate::exit::Exit;
use crate::report::{self, Printer};
use serde::Serialize;
use sftpctl_aws::Aws;
use sftpctl_core::check::Check;
use sftpctl_core::spec::model::Environment;
use sftpctl_engine::verify::canary::VerifyError;
use sftpctl_engine::verify::{self, LoginCheck, Sender};

/// The regions in `selected`, each of which must have a server; all regions with a server if it is empty.
pub(super) fn regions(environment: &Environment, selected: &[String]) -> Result<Vec<String>, CliError> {
    let with_server: Vec<String> =
        environment.regions.iter().filter(|(_, region)| region.server).map(|(name, _)| name.clone()).collect();
    if let Some(other) = selected.iter().find(|region| !with_server.contains(region)) {
        return Err(CliError::new(Exit::Usage, format!("environment {} has no server in {other}", environment.name))
            .hint(format!("its servers are in {}", with_server.join(", "))));
    }
    Ok(if selected.is_empty() { with_server } else { selected.to_vec() })
}

/// Logs a canary in at the server of each region.
pub(super) async fn canary(
    aws: &Arc<Aws>,
    environment: &Environment,
    regions: &[String],
    sender: &Sender,
) -> Result<Vec<LoginCheck>, CliError> {
    if regions.is_empty() {
        return Ok(Vec::new());
    }
    verify::verify(aws, environment, regions, sender).await.map_err(|error| {
        let hint = match &error {
            VerifyError::Aws(error) => error.hint(),
            VerifyError::Busy => Some("rerun when they have finished".to_owned()),
            VerifyError::NoCluster | VerifyError::Hash(_) => None,
        };
        CliError::from_error(Exit::Failed, &error, hint)
    })
}

/// A log-in as `login/1`: what was tried, and the result in the form of `doctor`'s checks.
#[derive(Serialize)]
struct LoginView<'a> {
    #[serde(flatten)]
    login: &'a LoginCheck,
    check: Check,
}

/// Shows the checks; exit code 1 if a server refused a log-in.
pub(super) fn show(checks: &[LoginCheck], printer: Printer) -> Exit {
    for login in checks {
        let view = LoginView { login, check: login.as_check() };
        printer.emit("login/1", &view, || report::login::render(login));
    }
    if checks.iter().all(|check| check.admitted) { Exit::Ok } else { Exit::Failed }
}
