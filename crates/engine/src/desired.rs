//! Lists every resource of an environment, with its names. Pure.
//!
//! This list defines the deployment: the resources, their regions, and the resources that each one needs first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sftpctl_accounts::TableKey;
use sftpctl_aws::{Tags, VpcPlace};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::spec::endpoint::{Access, Addresses, Endpoint, VpcEndpoint};
use sftpctl_core::spec::model::{Environment, Region};
use sftpctl_core::spec::names;
use sftpctl_core::template::{self, Code, TemplateError};
use sftpctl_core::user_policies;

use crate::host_keys::HostKey;
use crate::package;
use crate::resources::resource::Resource;
use crate::resources::witness::Witness;
use crate::resources::{
    Address, ApiAccount, Bucket, Dashboard, EndpointAddresses, EndpointGroups, Evidence, LatencyRecord, LogGroup,
    Package, Record, Replica, SecurityGroup, Server, ServerEndpoint, ServerId, Stack, Table, Trigger, UserPolicy,
    UserRole,
};

/// Inputs of a deployment besides the environment file.
#[derive(Clone, Debug)]
pub struct Inputs {
    pub code: Arc<package::Package>,
    /// Private host keys for every server.
    pub host_keys: Arc<[HostKey]>,
    /// Tags that the owners of adopted buckets had set.
    pub adopted_tags: BTreeMap<NodeId, Tags>,
    /// IDs of the servers that the state remembers.
    pub servers: Arc<[String]>,
}

/// Every resource of the environment.
///
/// # Errors
/// The template cannot be rendered for this environment.
pub fn resources(environment: &Environment, inputs: &Inputs) -> Result<Vec<Arc<dyn Resource>>, TemplateError> {
    let mut all: Vec<Arc<dyn Resource>> = Vec::new();
    all.extend(table(environment));
    all.extend(user_role(environment));
    for (region, settings) in &environment.regions {
        all.extend(region_resources(environment, region, settings.server, inputs)?);
    }
    all.extend(records(environment, &inputs.servers));
    all.extend(dashboard(environment));
    Ok(all)
}

/// The resources of a run on some regions: all resources of these regions, and the global resources that they need.
/// Bucket policies name the user role, and the authorizer reads the table. A record belongs to its server's region.
pub fn limited(all: Vec<Arc<dyn Resource>>, regions: &BTreeSet<String>) -> Vec<Arc<dyn Resource>> {
    let here = |id: &NodeId| regions.contains(id.place());
    let global = |id: &NodeId| id.place() == "global";
    all.into_iter()
        .filter(|resource| {
            let id = resource.id();
            let needed = global(id) && resource.needs().iter().all(|need| here(need) || global(need));
            here(id) || needed || resource.kind() == Kind::Table
        })
        .collect()
}

/// Facts about the current or an earlier deployment, from the state and from AWS.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Whether it was deployed from here.
    pub deployed: bool,
    /// Region → ID of its API.
    pub apis: BTreeMap<String, String>,
    /// Region → ID of its server.
    pub servers: BTreeMap<String, String>,
    /// Region and name of the log groups in the state, which an earlier teardown had to delete.
    pub log_groups: Vec<(String, String)>,
}

/// Additional resources for a teardown: log groups that AWS services recreate by themselves.
pub fn leftovers(environment: &Environment, history: &History) -> Vec<Arc<dyn Resource>> {
    let mut groups: BTreeMap<NodeId, LogGroup> = BTreeMap::new();
    let mut add = |region: &str, name: String, evidence: Evidence| {
        let function = names::function(environment, region);
        let id = NodeId::named(region, Kind::LogGroup, name.trim_start_matches('/'));
        groups.entry(id.clone()).or_insert(LogGroup {
            id,
            region: region.to_owned(),
            stack: names::stack_node(region),
            function: (name == names::function_log_group(environment, region)).then_some(function),
            own_name: names::log_groups(environment, region).contains(&name),
            name,
            evidence,
            tags: names::tags(environment),
        });
    };
    let named = if history.deployed { Evidence::Deployed } else { Evidence::None };
    for region in environment.regions.keys() {
        for name in names::log_groups(environment, region) {
            add(region, name, named);
        }
    }
    history.apis.iter().for_each(|(region, api)| add(region, names::execution_log_group(api), Evidence::Id));
    history.servers.iter().for_each(|(region, server)| add(region, names::server_log_group(server), Evidence::Id));
    history.log_groups.iter().for_each(|(region, name)| add(region, name.clone(), named));
    groups.into_values().map(|group| -> Arc<dyn Resource> { Arc::new(group) }).collect()
}

/// The table and its replicas. Each replica needs the previous one, because AWS adds one at a time.
fn table(environment: &Environment) -> Vec<Arc<dyn Resource>> {
    let settings = &environment.table;
    let table = Table {
        id: names::table_node(environment),
        region: environment.home_region.clone(),
        name: settings.name.clone(),
        key: TableKey::of(environment),
        index: names::TABLE_INDEX,
        replicas: settings.regions.iter().filter(|region| **region != environment.home_region).cloned().collect(),
        recovery: settings.point_in_time_recovery,
        protection: settings.deletion_protection,
        tags: names::tags(environment),
        witness: home_witness(environment),
    };
    let mut after = table.id.clone();
    let mut all: Vec<Arc<dyn Resource>> = vec![Arc::new(table)];
    for region in settings.regions.iter().filter(|region| **region != environment.home_region) {
        let replica = Replica {
            id: NodeId::new(region, Kind::Replica),
            region: region.clone(),
            home: environment.home_region.clone(),
            name: settings.name.clone(),
            after,
            protection: settings.deletion_protection,
            tags: names::tags(environment),
            witness: home_witness(environment),
        };
        after = replica.id.clone();
        all.push(Arc::new(replica));
    }
    all
}

/// The stack of a region, which refers to what is this environment's.
fn witness(environment: &Environment, region: &str) -> Witness {
    Witness { region: region.to_owned(), stack: names::stack(environment, region), tags: names::tags(environment) }
}

/// The stack that refers to resources of no region or of all: every region's does.
fn home_witness(environment: &Environment) -> Witness {
    let home = &environment.home_region;
    let first = environment.regions.keys().next().unwrap_or(home);
    witness(environment, if environment.regions.contains_key(home) { home } else { first })
}

fn user_role_node() -> NodeId {
    NodeId::new("global", Kind::UserRole)
}

fn user_role(environment: &Environment) -> Vec<Arc<dyn Resource>> {
    let account = &environment.account;
    let policy = names::user_policy(environment);
    let arn = format!("arn:aws:iam::{account}:policy/{policy}");
    let buckets: Vec<_> = environment.clusters.keys().map(|c| names::upload_bucket(environment, c)).collect();
    vec![
        Arc::new(UserRole {
            id: user_role_node(),
            account: account.clone(),
            name: environment.names.user_role.clone(),
            policy: arn.clone(),
            boundary: environment.permissions_boundary.clone(),
            regions: environment.regions.iter().filter(|(_, r)| r.server).map(|(name, _)| name.clone()).collect(),
            tags: names::tags(environment),
            witness: home_witness(environment),
        }),
        Arc::new(UserPolicy {
            id: NodeId::new("global", Kind::UserPolicy),
            role_node: user_role_node(),
            role_arn: format!("arn:aws:iam::{account}:role/{}", environment.names.user_role),
            role: environment.names.user_role.clone(),
            arn,
            name: policy,
            documents: user_policies::documents(&buckets),
            tags: names::tags(environment),
            witness: home_witness(environment),
        }),
    ]
}

/// API Gateway's role for logs in a region.
pub fn api_account(environment: &Environment, region: &str) -> ApiAccount {
    let role = names::api_log_role(environment);
    ApiAccount {
        id: NodeId::new(region, Kind::ApiAccount),
        region: region.to_owned(),
        regions: environment.regions.keys().cloned().collect(),
        role_arn: format!("arn:aws:iam::{}:role/{role}", environment.account),
        role,
        boundary: environment.permissions_boundary.clone(),
        api: names::api(environment, region),
        tags: names::tags(environment),
    }
}

/// The authorizer's package in a region.
pub fn package(environment: &Environment, region: &str, code: &Arc<package::Package>) -> Package {
    Package {
        id: NodeId::new(region, Kind::Package),
        region: region.to_owned(),
        account: environment.account.clone(),
        bucket: names::code_bucket(environment, region),
        key: names::code_key(environment, code.digest()),
        stem: names::code_stem(environment),
        templates: format!("templates/{}/", environment.name),
        content: Arc::clone(code),
        puts: Arc::default(),
        tags: environment.tags.clone(),
        retired: false,
    }
}

fn region_resources(
    environment: &Environment,
    region: &str,
    has_server: bool,
    inputs: &Inputs,
) -> Result<Vec<Arc<dyn Resource>>, TemplateError> {
    let account = environment.account.clone();
    let tags = names::tags(environment);
    let api_account = api_account(environment, region);
    let package = package(environment, region, &inputs.code);
    let code = Code { bucket: package.bucket.clone(), key: package.key.clone() };
    let rendered = template::render(environment, region, &code)?;
    let workflow = template::decrypt_output(&rendered.template).cloned();
    let user_role_arn = format!("arn:aws:iam::{account}:role/{}", environment.names.user_role);
    let mut all: Vec<Arc<dyn Resource>> = Vec::new();
    let mut buckets = BTreeMap::new();
    for (name, ids) in &rendered.buckets {
        let id = NodeId::named(region, Kind::Bucket, name);
        buckets.insert(name.clone(), (ids.bucket.clone(), id.clone()));
        all.push(Arc::new(Bucket {
            kept_tags: inputs.adopted_tags.get(&id).cloned().unwrap_or_default(),
            id,
            region: region.to_owned(),
            account: account.clone(),
            name: name.clone(),
            policy: template::bucket_policy(name, &user_role_arn),
            stack: names::stack_node(region),
            tags: tags.clone(),
            witness: witness(environment, region),
        }));
    }
    let function = names::function(environment, region);
    let variables = rendered.variables();
    let stack = Arc::new(Stack {
        id: names::stack_node(region),
        region: region.to_owned(),
        account: account.clone(),
        name: names::stack(environment, region),
        upload: (package.bucket.clone(), format!("templates/{}/{}.json", environment.name, rendered.digest)),
        template: rendered.template,
        digest: rendered.digest,
        parameters: rendered.parameters,
        buckets,
        server: has_server.then(|| names::server_node(region)),
        function: function.clone(),
        package: package.id.clone(),
        needs: vec![user_role_node(), package.id.clone(), api_account.id.clone()],
        tags: tags.clone(),
    });
    all.push(Arc::<Stack>::clone(&stack));
    all.push(Arc::new(Trigger {
        id: NodeId::new(region, Kind::Trigger),
        region: region.to_owned(),
        account: account.clone(),
        function: function.clone(),
        stack: names::stack_node(region),
    }));
    all.push(Arc::new(api_account));
    let package_node = package.id.clone();
    all.push(Arc::new(package));
    if has_server {
        let settings = environment.regions.get(region);
        let endpoint = settings.and_then(|settings| settings.endpoint.as_ref());
        let allocated = settings.and_then(Region::vpc_endpoint).map_or(0, VpcEndpoint::allocated);
        all.extend((1..=allocated).map(|number| -> Arc<dyn Resource> {
            let (id, region) = (names::address_node(region, number), region.to_owned());
            Arc::new(Address { id, region, number, tags: tags.clone() })
        }));
        if let Some(endpoint) = settings.and_then(Region::vpc_endpoint)
            && let Access::Allow(allow) = &endpoint.access
        {
            all.push(Arc::new(SecurityGroup {
                id: names::security_group_node(region),
                region: region.to_owned(),
                name: names::resource_stem(environment, region),
                vpc: endpoint.vpc.clone(),
                allow: allow.clone(),
                tags: tags.clone(),
            }));
        }
        let is_in_vpc = matches!(endpoint, Some(Endpoint::Vpc(_)));
        let mut server_tags = tags;
        if let Some(dns) = &environment.dns {
            // Transfer's console shows the host names from these two tags. The user guide ("Working with custom
            // hostnames") gives these keys to servers that were not created in the console; its own begin with `aws:`,
            // which AWS reserves. Earlier versions set those; they are neither compared nor removed.
            server_tags.insert("transfer:customHostname".into(), names::host(environment, region, &dns.zone));
            if let Some(zone) = &dns.zone_id {
                server_tags.insert("transfer:route53HostedZoneId".into(), format!("/hostedzone/{zone}"));
            }
        }
        all.push(Arc::new(Server {
            id: names::server_node(region),
            region: region.to_owned(),
            environment: environment.name.clone(),
            stack: names::stack_node(region),
            logging_role: environment.server.logging_role.as_ref().map(|r| format!("arn:aws:iam::{account}:role/{r}")),
            log_group: format!(
                "arn:aws:logs:{region}:{account}:log-group:{}:*",
                names::transfer_log_group(environment, region)
            ),
            security_policy: environment.server.security_policy.clone(),
            authentication: environment.server.authentication.clone(),
            workflow,
            endpoint: server_endpoint(endpoint, region),
            // "used with Transfer Family servers that … have PUBLIC endpoints" (Transfer Family API reference, `SftpPorts`).
            ports: if is_in_vpc { Vec::new() } else { environment.server.ports.clone() },
            host_keys: Arc::clone(&inputs.host_keys),
            tags: server_tags,
            witness: witness(environment, region),
        }));
        all.push(Arc::new(ServerId {
            id: NodeId::new(region, Kind::ServerId),
            region: region.to_owned(),
            function,
            stack,
            variables,
            code: Arc::clone(&inputs.code),
            code_key: code.key,
            package: package_node,
            updating: Arc::default(),
            server: names::server_node(region),
        }));
    }
    Ok(all)
}

fn server_endpoint(endpoint: Option<&Endpoint>, region: &str) -> ServerEndpoint {
    match endpoint {
        None => ServerEndpoint::AsItIs,
        Some(Endpoint::Public) => ServerEndpoint::Public,
        Some(Endpoint::Vpc(endpoint)) => {
            let place =
                VpcPlace { vpc: endpoint.vpc.clone(), subnets: endpoint.subnets.clone(), security_groups: Vec::new() };
            let groups = match &endpoint.access {
                Access::Groups(ids) => EndpointGroups::Existing(ids.clone()),
                Access::Allow(_) => EndpointGroups::Own(names::security_group_node(region)),
            };
            let addresses = match &endpoint.addresses {
                Addresses::Existing(ids) => EndpointAddresses::Existing(ids.clone()),
                Addresses::Elastic => {
                    let numbers = 1..=endpoint.allocated();
                    EndpointAddresses::Own(numbers.map(|number| names::address_node(region, number)).collect())
                }
            };
            ServerEndpoint::InVpc(place, addresses, groups)
        }
    }
}

fn dashboard(environment: &Environment) -> Option<Arc<dyn Resource>> {
    environment.metrics.dashboard.then(|| -> Arc<dyn Resource> {
        Arc::new(Dashboard {
            id: NodeId::new("global", Kind::Dashboard),
            name: names::dashboard(environment),
            environment: Arc::new(environment.clone()),
            tags: names::tags(environment),
        })
    })
}

fn records(environment: &Environment, known: &Arc<[String]>) -> Vec<Arc<dyn Resource>> {
    let Some(dns) = &environment.dns else { return Vec::new() };
    let servers = || environment.regions.iter().filter(|(_, region)| region.server).map(|(name, _)| name);
    let record = |name: String, region: &str, latency: Option<LatencyRecord>| -> Arc<dyn Resource> {
        let local = match &latency {
            None => name.clone(),
            Some(_) => format!("{name}/{region}"),
        };
        Arc::new(Record {
            id: NodeId::named("global", Kind::Record, &local),
            name,
            zone: dns.zone.clone(),
            zone_id: dns.zone_id.clone(),
            ttl: i64::from(dns.ttl),
            server: names::server_node(region),
            latency,
            environment: environment.name.clone(),
            servers: Arc::clone(known),
        })
    };
    let mut all: Vec<_> =
        servers().map(|region| record(names::host(environment, region, &dns.zone), region, None)).collect();
    if dns.latency {
        let name = names::latency_host(environment, &dns.zone);
        all.extend(servers().map(|region| {
            let latency = LatencyRecord { identifier: region.clone(), region: region.clone() };
            record(name.clone(), region, Some(latency))
        }));
    }
    all.extend(dns.aliases.iter().map(|(name, region)| record(name.clone(), region, None)));
    all
}
