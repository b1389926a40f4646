//! Converts the checked file into the environment: all defaults in one place. Pure.

use super::model::{
    Accounts, Alarms, Authorizer, Cluster, Dns, Environment, Files, Homes, HostKeySource, Logs, Metrics, Names, Region,
    Server, State, Table,
};
use super::raw::{File, RegionSettings};
use super::{account_defaults, arrivals, decrypt, guard, malware, mounts, moved, names, notify, s3_files, topics, waf};
use crate::check::CheckIgnore;
use crate::spec::ignore::Ignore;

/// User names that bots try within hours of a server going online.
const BLOCK_LIST: [&str; 20] = [
    "admin",
    "administrator",
    "centos",
    "debian",
    "ec2-user",
    "ec2_user",
    "ftp",
    "ftpuser",
    "guest",
    "mysql",
    "oracle",
    "pi",
    "postgres",
    "root",
    "solr",
    "support",
    "test",
    "tomcat",
    "ubuntu",
    "user",
];

/// Fills in the settings that the file omits.
pub(super) fn fill(file: File) -> Environment {
    let production = file.production;
    let name = file.environment.value;
    let table_name = names::parts::table(&name, production);
    let value = |setting: Option<serde_saphyr::Spanned<String>>, default: &str| {
        setting.map_or_else(|| default.to_owned(), |setting| setting.value)
    };
    let mut block_list: Vec<String> = match file.authorizer.block_list {
        Some(list) => list.into_iter().map(|name| name.value).collect(),
        None => BLOCK_LIST.iter().map(|name| (*name).to_owned()).chain(["user1".to_owned()]).collect(),
    };
    block_list.sort();
    let table_regions = match file.table.regions {
        Some(regions) => regions.into_iter().map(|region| region.value).collect(),
        None => file.regions.keys().cloned().collect(),
    };
    let malware_scan = malware::fill(file.files.malware_scan, file.clusters.value.keys());
    Environment {
        account: file.account.value,
        assume_role: file.assume_role.map(|role| role.value.fill()),
        home_region: file.home_region.value,
        production,
        defaults: account_defaults::fill(file.defaults),
        moved: moved::fill(file.moved),
        ttl: file.ttl.map(|ttl| ttl.value.fill()),
        regions: file.regions.into_iter().map(|(name, settings)| (name, region(settings.value))).collect(),
        clusters: file
            .clusters
            .value
            .into_iter()
            .map(|(name, region)| (name, Cluster { region: region.value }))
            .collect(),
        names: Names {
            bucket_prefix: value(file.names.bucket_prefix, "pl-pt"),
            code_bucket_prefix: value(file.names.code_bucket_prefix, "lambda-pl-upload"),
            user_role: value(file.names.user_role, "sftp-transfer"),
        },
        table: Table {
            name: value(file.table.name, &table_name),
            regions: table_regions,
            point_in_time_recovery: file.table.point_in_time_recovery.unwrap_or(true),
            deletion_protection: file.table.deletion_protection.unwrap_or(production),
        },
        accounts: Accounts {
            usernames: value(file.accounts.usernames, "exact"),
            many_per_organisation: file.accounts.per_organisation.is_some_and(|accounts| accounts.value == "many"),
        },
        files: Files {
            keep_old_versions_days: file.files.keep_old_versions_days.map(|days| days.value),
            events: file.files.events.unwrap_or_default(),
            history_events: file.files.history_events.is_some_and(|asked| asked.value),
        },
        arrivals: arrivals::fill(file.files.notify),
        malware_scan,
        decrypt: decrypt::fill(file.files.decrypt),
        homes: Homes {
            from: file.homes.from.and_then(|from| from.value.parse().ok()),
            root: value(file.homes.root, "/home"),
            folder: value(file.homes.folder, Homes::ORG_ID),
        },
        mounts: mounts::fill(file.mounts),
        s3_files: s3_files::fill(file.s3_files),
        dns: file.dns.map(|dns| Dns {
            zone: dns.zone.value,
            zone_id: dns.zone_id.map(|id| id.value),
            ttl: dns.ttl.map_or(300, |ttl| ttl.value),
            latency: dns.latency,
            aliases: dns.aliases.into_iter().map(|(name, region)| (name, region.value)).collect(),
            customer_aliases: value(dns.customer_aliases, "site-files-*"),
        }),
        server: Server {
            security_policy: value(file.server.security_policy, "TransferSecurityPolicy-2025-03"),
            logging_role: file.server.logging_role.map(|role| role.value),
            authentication: value(file.server.authentication, "PASSWORD"),
            ports: ports(file.server.ports.as_deref()),
            host_keys: file.server.host_keys.iter().filter_map(|source| HostKeySource::parse(&source.value)).collect(),
        },
        authorizer: Authorizer {
            memory_mb: file.authorizer.memory_mb.map_or(512, |mb| mb.value),
            timeout_seconds: file.authorizer.timeout_seconds.map_or(10, |seconds| seconds.value),
            reserved_concurrency: file.authorizer.reserved_concurrency,
            block_list,
            architecture: value(file.authorizer.architecture, "x86_64"),
            home: value(file.authorizer.home, "path"),
        },
        guard: file.guard.map(|setting| guard::fill(setting.value)),
        waf: file.waf.map(|setting| waf::fill(setting.value)),
        logs: Logs {
            retention_days: file.logs.retention_days.map_or(90, |days| days.value),
            saved_queries: file.logs.saved_queries,
        },
        alarms: Alarms {
            topics: file.alarms.topics.into_iter().map(|(region, topic)| (region, topic.value)).collect(),
            email: file.alarms.email.map(topics::fill),
            authorizer_errors: file.alarms.authorizer_errors.unwrap_or(1),
            authorizer_throttles: file.alarms.authorizer_throttles.unwrap_or(1),
            authorizer_duration_ms: file.alarms.authorizer_duration_ms.unwrap_or(3000),
            api_5xx: file.alarms.api_5xx.unwrap_or(1),
            no_log_in_minutes: file.alarms.no_log_in_minutes.map(|minutes| minutes.value),
            no_canary_in_minutes: file.alarms.no_canary_in_minutes.map(|minutes| minutes.value),
            replication_ms: file.alarms.replication_ms.map(|milliseconds| milliseconds.value),
            dead_letters: file.alarms.dead_letters.is_some_and(|asked| asked.value),
            runbook: file.alarms.runbook.map(|url| url.value),
        },
        notify: file.notify.map(|setting| notify::fill(setting.value)),
        metrics: Metrics {
            refusal_reasons: file.metrics.refusal_reasons,
            api_methods: file.metrics.api_methods,
            dashboard: file.metrics.dashboard,
        },
        tags: file.tags.into_iter().map(|(key, value)| (key, value.value)).collect(),
        state: State {
            place: file.state.place.and_then(|place| place.value.parse().ok()),
            kms_key: file.state.kms_key,
            lease_seconds: file.state.lease_seconds.map(|seconds| seconds.value),
        },
        drift: file
            .drift
            .ignore
            .into_iter()
            .map(|rule| Ignore { resource: rule.resource.value, property: rule.property, reason: rule.reason.value })
            .collect(),
        permissions_boundary: file.permissions_boundary.map(|policy| policy.value),
        stack_role: file.stack_role.map(|role| role.value),
        doctor: file
            .doctor
            .ignore
            .into_iter()
            .map(|rule| CheckIgnore {
                check: rule.check.value,
                region: rule.region.map(|region| region.value),
                reason: rule.reason.value,
            })
            .collect(),
        deadlines: file.deadlines.into_iter().map(|(kind, seconds)| (kind, seconds.value)).collect(),
        name,
    }
}

/// Ascending, as AWS's answers are read.
fn ports(given: Option<&[serde_saphyr::Spanned<u32>]>) -> Vec<u16> {
    let ports = given.into_iter().flatten().filter_map(|port| u16::try_from(port.value).ok());
    let mut ports: Vec<u16> = ports.collect();
    ports.sort_unstable();
    ports
}

fn region(settings: RegionSettings) -> Region {
    Region {
        server: settings.server.is_there(),
        endpoint: settings.server.fill(),
        assume_role: settings.assume_role.map(|role| role.value.fill()),
    }
}
