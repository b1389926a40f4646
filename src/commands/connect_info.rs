//! `sftpctl connect-info`: what a customer needs to know.

use clap::Args;
use serde_json::json;

use super::common::{Look, Place};
use crate::exit::{CliError, Exit};
use crate::local_cloud;
use crate::report::connect::{Endpoint, render};
use crate::report::output::{self, Output};
use sftpctl_aws::HostKeyFacts;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;
use sftpctl_engine::verify::login::server;

/// Whose.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sftpctl connect-info --env 99 --username my1sftp")]
pub(super) struct ConnectArgs {
    #[command(flatten)]
    place: Place,
    /// The user name
    #[arg(long, value_name = "NAME")]
    username: String,
}

/// Shows it.
pub(super) async fn run(args: ConnectArgs, look: Look) -> Result<Exit, CliError> {
    let (environment, aws) = args.place.connect(look).await?;
    let failed = |error: &sftpctl_aws::AwsError| CliError::from_error(Exit::Failed, error, error.hint());
    let mut endpoints = Vec::new();
    let ports = if args.place.is_local() { local_ports().await } else { Vec::new() };
    for region in environment.regions.iter().filter(|(_, settings)| settings.server).map(|(name, _)| name) {
        let Some(facts) = server(&aws, &environment, region, None).await.map_err(|error| failed(&error))? else {
            continue;
        };
        let keys: Vec<HostKeyFacts> =
            aws.transfer(region).host_keys(&facts.id).await.map_err(|error| failed(&error))?;
        let own = format!("{}.server.transfer.{region}.amazonaws.com", facts.id);
        let host = environment.dns.as_ref().map(|dns| names::host(&environment, region, &dns.zone));
        let local = ports.iter().find(|(id, _)| *id == facts.id).map(|(_, port)| *port);
        let others = others(&environment, region);
        let (host, port) = match local {
            Some(port) => ("127.0.0.1".to_owned(), port),
            None => (host.unwrap_or_else(|| own.clone()), 22),
        };
        let keys = keys.into_iter().map(|key| (key.kind, key.fingerprint)).collect();
        endpoints.push(Endpoint { region: region.clone(), host, others, port, server: own, keys });
    }
    if endpoints.is_empty() {
        return Err(CliError::new(Exit::Failed, format!("environment {} has no server yet", environment.name))
            .hint(format!("run: sftpctl deploy --env {}", environment.name)));
    }
    match look.output {
        Output::Json => {
            let endpoints: Vec<_> = endpoints
                .iter()
                .map(|endpoint| {
                    json!({
                        "region": endpoint.region, "host": endpoint.host, "port": endpoint.port,
                        "server": endpoint.server,
                        "otherHosts": endpoint.others.iter().map(|(name, _)| name).collect::<Vec<_>>(),
                        "hostKeys": endpoint.keys.iter().map(|(kind, print)| json!({"type": kind, "fingerprint": print})).collect::<Vec<_>>(),
                    })
                })
                .collect();
            output::json("connect/1", &json!({ "username": args.username, "endpoints": endpoints }));
        }
        _ => output::data(&render(&args.username, &endpoints)),
    }
    Ok(Exit::Ok)
}

/// The records besides the region's own that lead to its server; true where they lead to the nearest one.
fn others(environment: &Environment, region: &str) -> Vec<(String, bool)> {
    let Some(dns) = &environment.dns else { return Vec::new() };
    let aliases = dns.aliases.iter().filter(|(_, other)| *other == region).map(|(name, _)| (name.clone(), false));
    let latency = dns.latency.then(|| (names::latency_host(environment, &dns.zone), true));
    aliases.chain(latency).collect()
}

/// Ids of the local cloud's servers, and their ports.
async fn local_ports() -> Vec<(String, u16)> {
    let servers = local_cloud::status().await.map(|status| status.servers).unwrap_or_default();
    servers.into_iter().filter_map(|server| Some((server.server_id, server.port?))).collect()
}
