//! `sftpctl connect-info`: shows what a customer needs to connect.

use super::args::AwsArgs;
use super::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::local_cloud;
use crate::report::Printer;
use crate::report::connect::{ConnectView, Endpoint, render};
use sftpctl_aws::{Aws, HostKeyFacts};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;
use sftpctl_engine::verify::login::server;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sftpctl connect-info --env 99 --username jan")]
pub(super) struct Args {
    #[command(flatten)]
    aws: AwsArgs,
    /// The customer's user name
    #[arg(long, value_name = "NAME")]
    username: String,
}

/// Shows host names, ports, host keys and client commands.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, aws) = args.aws.connect(Permissions::Reads, printer).await?;
    let mut endpoints = Vec::new();
    let ports = if args.aws.is_local() { local_ports().await } else { Vec::new() };
    for region in environment.regions.iter().filter(|(_, settings)| settings.server).map(|(name, _)| name) {
        let Some(facts) = server(&aws, &environment, region, None).await? else {
            continue;
        };
        let keys: Vec<HostKeyFacts> = aws.transfer(region).host_keys(&facts.id).await?;
        let own = format!("{}.server.transfer.{region}.amazonaws.com", facts.id);
        let host = environment.dns.as_ref().map(|dns| names::host(&environment, region, &dns.zone));
        let local = ports.iter().find(|(id, _)| *id == facts.id).map(|(_, port)| *port);
        let others = others(&environment, region);
        let (host, port) = match local {
            Some(port) => ("127.0.0.1".to_owned(), port),
            None => (host.unwrap_or_else(|| own.clone()), port(&facts.ports)),
        };
        let keys = keys.into_iter().map(|key| (key.kind, key.fingerprint)).collect();
        let addresses = aws.ec2(region).public_ips(&facts.endpoint.addresses).await?;
        endpoints.push(Endpoint { region: region.clone(), host, others, port, addresses, server: own, keys });
    }
    if endpoints.is_empty() {
        return Err(CliError::new(Exit::Failed, format!("environment {} has no server yet", environment.name))
            .hint(format!("deploy it: sftpctl deploy {}", args.aws.words())));
    }
    let authentication = &environment.server.authentication;
    let view = ConnectView::new(&args.username, authentication, &endpoints);
    printer.emit("connect/1", &view, || render(&args.username, authentication, &endpoints));
    Ok(Exit::Ok)
}

/// Host and port of a region's server, as a customer connects to it; `None` if there is no server yet.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "for commands that are on Linux alone"))]
pub(super) async fn address(
    aws: &Aws,
    environment: &Environment,
    region: &str,
    is_local: bool,
) -> Result<Option<(String, u16)>, CliError> {
    let Some(facts) = server(aws, environment, region, None).await? else { return Ok(None) };
    if is_local {
        let port = local_ports().await.into_iter().find(|(id, _)| *id == facts.id).map(|(_, port)| port);
        return Ok(port.map(|port| ("127.0.0.1".to_owned(), port)));
    }
    let host = environment.dns.as_ref().map(|dns| names::host(environment, region, &dns.zone));
    let own = || format!("{}.server.transfer.{region}.amazonaws.com", facts.id);
    Ok(Some((host.unwrap_or_else(own), port(&facts.ports))))
}

/// The port for customers: the default one if the server listens on it.
fn port(ports: &[u16]) -> u16 {
    if ports.contains(&22) { 22 } else { ports.first().copied().unwrap_or(22) }
}

/// The other records that resolve to the region's server; true for the one that resolves to the nearest server.
fn others(environment: &Environment, region: &str) -> Vec<(String, bool)> {
    let Some(dns) = &environment.dns else { return Vec::new() };
    let aliases = dns.aliases.iter().filter(|(_, other)| *other == region).map(|(name, _)| (name.clone(), false));
    let latency = dns.latency.then(|| (names::latency_host(environment, &dns.zone), true));
    aliases.chain(latency).collect()
}

/// The IDs and ports of the local cloud's servers.
async fn local_ports() -> Vec<(String, u16)> {
    let servers = local_cloud::status().await.map(|status| status.servers).unwrap_or_default();
    servers.into_iter().filter_map(|server| Some((server.server_id, server.port?))).collect()
}
