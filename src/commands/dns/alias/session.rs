//! What all verbs begin with: the environment, its zone, and a display.

use std::sync::Arc;

use crate::commands::args::{StateArgs, stop_now};
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::aliases::shown;
use crate::report::import::progress::Shown;
use crate::report::{Printer, streams};
use sftpctl_aws::Aws;
use sftpctl_core::aliases::host::{self, HostError};
use sftpctl_core::aliases::name::Pattern;
use sftpctl_core::aliases::zone::Zone;
use sftpctl_core::spec::model::{Dns, Environment};
use sftpctl_engine::aliases::AliasZone;
use sftpctl_engine::execute::stop::Stop;
use sftpctl_engine::state::store::Store;

pub(super) struct Session {
    pub(super) environment: Environment,
    pub(super) dns: Dns,
    pub(super) pattern: Pattern,
    pub(super) store: Store,
    /// Hosts of the environment, in every region.
    pub(super) hosts: Vec<String>,
    pub(super) printer: Printer,
    aws: Arc<Aws>,
}

/// A zone and its records, while a signal is listened for.
pub(super) struct Opened {
    pub(super) zone: AliasZone,
    pub(super) records: Zone,
    pub(super) stop: Stop,
}

impl Session {
    /// Connects to the environment, which must have DNS.
    pub(super) async fn connect(args: &StateArgs, printer: Printer) -> Result<Self, CliError> {
        let (environment, aws, store) = args.open(Permissions::ManagesAliases, printer).await?;
        let dns = environment.dns.clone().ok_or_else(|| unusable(&HostError::NoDns(environment.name.clone())))?;
        let pattern = Pattern::new(&dns.customer_aliases, &dns.zone);
        let hosts = host::all(&environment);
        Ok(Self { environment, dns, pattern, store, hosts, printer, aws })
    }

    /// Names that are no customer's.
    pub(super) fn own_names(&self) -> Vec<String> {
        self.hosts.iter().chain(self.dns.aliases.keys()).cloned().collect()
    }

    /// The host that aliases get.
    pub(super) fn host(&self, region: Option<&str>) -> Result<String, CliError> {
        host::choose(&self.environment, region).map_err(|error| unusable(&error))
    }

    /// Reads the zone.
    pub(super) async fn open(&self) -> Result<Opened, CliError> {
        let stop = Stop::on_signals(|| streams::progress("stopping after the batch in flight"), stop_now);
        let zone = AliasZone::find(&self.aws, &self.dns).await?;
        let display = Shown::new(self.printer.format(), stop.clone());
        let records = zone.read(&|progress| shown(&display, progress)).await;
        display.finish();
        Ok(Opened { zone, records: records?, stop })
    }
}

fn unusable(error: &HostError) -> CliError {
    CliError::new(Exit::Usage, error.to_string())
}
