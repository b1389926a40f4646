//! What an environment has that costs money, after a plan and before it. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::kind::Kind;
use crate::model::{Action, PropertyChange};
use crate::plan::model::{Plan, Step};
use crate::spec::model::Environment;
use crate::spec::names;
use crate::template::{self, ARRIVALS_SUBSCRIPTION, ARRIVED_UPLOADS, Code, TemplateError};

/// The end of the name of a bucket's property.
const LIFECYCLE: &str = ".LifecycleConfiguration";
const WORKFLOW: &str = "AWS::Transfer::Workflow";
const WEB_ACL: &str = "AWS::WAFv2::WebACL";
/// The name of a web ACL's property.
const RULES: &str = "WebAcl.Rules";
/// The rules of a web ACL that a plan takes away: it has at least these.
const LEAST_RULES: u64 = 4;

/// Everything in an environment that has a price.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    pub environment: String,
    pub home_region: String,
    /// Whether the account table exists, and has point-in-time recovery.
    pub table: Option<Table>,
    /// `None` without DNS.
    pub dns: Option<Dns>,
    pub dashboard: bool,
    pub regions: BTreeMap<String, Region>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    pub recovery: bool,
}

/// The records in the hosted zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    pub zone: String,
    /// Whether there are latency records.
    pub latency: bool,
    pub records: u64,
}

/// A region of an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Region {
    pub server: bool,
    /// Public addresses that are allocated for the server.
    pub addresses: u64,
    /// Whether the table has its replica here, the home region's included.
    pub replica: bool,
    pub stack: Option<Stack>,
}

/// A region's stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    pub alarms: u64,
    /// Alarms with a period below a minute.
    pub fast_alarms: u64,
    pub composite_alarms: u64,
    /// Metrics made from log lines, and that of canaries.
    pub metrics: u64,
    /// How many of them get a value with every log line, not only with those that match.
    pub steady_metrics: u64,
    /// Whether refusals have a metric for each reason.
    pub refusal_reasons: bool,
    /// Methods of the API, and whether each has metrics of its own.
    pub methods: u64,
    pub method_metrics: bool,
    pub memory_mb: u64,
    pub is_arm: bool,
    pub retention_days: u64,
    /// Upload buckets.
    pub buckets: u64,
    /// Days that old versions are kept; `None` for ever.
    pub old_versions_days: Option<u64>,
    /// Queues that tell of new files, without those of their dead letters.
    pub queues: u64,
    /// File systems over upload buckets.
    pub file_systems: u64,
    /// Rules that send events to another region.
    pub forwards: u64,
    /// Clusters whose arriving files are told to a topic.
    pub arrivals: u64,
    /// Mail addresses that are told of them, of all clusters.
    pub arrival_mails: u64,
    /// Upload buckets that are scanned for malware.
    pub malware_plans: u64,
    /// Tables of the guard.
    pub guards: u64,
    /// Web ACLs of AWS WAF, and the rules in them.
    pub web_acls: u64,
    pub waf_rules: u64,
    /// Workflows that decrypt uploads.
    pub workflows: u64,
}

impl Inventory {
    /// What the environment has when all of it is deployed. Also for a plan of some regions: what no step changes is
    /// the same before and after.
    ///
    /// # Errors
    /// The template cannot be rendered.
    pub fn of(environment: &Environment) -> Result<Self, TemplateError> {
        let mut regions = BTreeMap::new();
        for (name, settings) in &environment.regions {
            let stack = Some(stack(environment, name)?);
            let replica = environment.table.regions.contains(name) || *name == environment.home_region;
            let addresses = settings.vpc_endpoint().map_or(0, |endpoint| endpoint.allocated() as u64);
            regions.insert(name.clone(), Region { server: settings.server, addresses, replica, stack });
        }
        for name in &environment.table.regions {
            regions.entry(name.clone()).or_insert(Region { replica: true, ..Region::default() });
        }
        let servers = environment.regions.values().filter(|region| region.server).count();
        Ok(Self {
            environment: environment.name.clone(),
            home_region: environment.home_region.clone(),
            table: Some(Table { recovery: environment.table.point_in_time_recovery }),
            dns: environment.dns.as_ref().map(|dns| Dns {
                zone: dns.zone.clone(),
                latency: dns.latency,
                records: (servers + if dns.latency { servers } else { 0 } + dns.aliases.len()) as u64,
            }),
            dashboard: environment.metrics.dashboard,
            regions,
        })
    }

    /// What there is before a plan that leads to this inventory.
    #[must_use]
    pub fn before(&self, plan: &Plan) -> Self {
        let mut before = self.clone();
        // Of a region that is no longer in the file nothing is known but that its stack has this version's parts.
        let like = self.regions.values().find_map(|region| region.stack.clone()).unwrap_or_default();
        for step in &plan.steps {
            let place = step.id.place().to_owned();
            match step.change.action {
                Action::Create | Action::Recreate => before.remove(step, &place),
                Action::Import => before.keep_data(step, &place),
                Action::Delete => before.add(step, place, &like),
                Action::Update | Action::Recover => before.revert(step, &place),
                Action::Keep => {}
            }
        }
        before
    }

    fn remove(&mut self, step: &Step, place: &str) {
        match (step.kind, self.regions.get_mut(place)) {
            (Kind::Server, Some(region)) => region.server = false,
            (Kind::Address, Some(region)) => region.addresses = region.addresses.saturating_sub(1),
            (Kind::Stack, Some(region)) => region.stack = None,
            (Kind::Replica, Some(region)) => region.replica = false,
            (Kind::Table, _) => {
                self.table = None;
                if let Some(home) = self.regions.get_mut(&self.home_region) {
                    home.replica = false;
                }
            }
            (Kind::Dashboard, _) => self.dashboard = false,
            (Kind::Record, _) => {
                if let Some(dns) = &mut self.dns {
                    dns.records = dns.records.saturating_sub(1);
                }
            }
            _ => {}
        }
    }

    /// Of a stack that takes its buckets back, these are there already, with everything in them.
    fn keep_data(&mut self, step: &Step, place: &str) {
        let Some(Region { stack: Some(stack), .. }) = self.regions.get_mut(place) else {
            return self.remove(step, place);
        };
        let Stack { buckets, old_versions_days, .. } = *stack;
        *stack = Stack { buckets, old_versions_days, ..Stack::default() };
        let settings = step.change.properties.iter().filter(|property| property.name.ends_with(LIFECYCLE));
        settings.for_each(|property| stack.revert(property));
    }

    fn add(&mut self, step: &Step, place: String, like: &Stack) {
        match step.kind {
            Kind::Server => self.regions.entry(place).or_default().server = true,
            Kind::Address => self.regions.entry(place).or_default().addresses += 1,
            // Its buckets are kept, and cost what they did.
            Kind::Stack => {
                let stack = Stack {
                    buckets: 0,
                    queues: 0,
                    forwards: 0,
                    arrivals: 0,
                    arrival_mails: 0,
                    file_systems: 0,
                    malware_plans: 0,
                    workflows: 0,
                    ..like.clone()
                };
                self.regions.entry(place).or_default().stack = Some(stack);
            }
            Kind::Replica => self.regions.entry(place).or_default().replica = true,
            Kind::Dashboard => self.dashboard = true,
            Kind::Record => {
                if let Some(dns) = &mut self.dns {
                    dns.records += 1;
                }
            }
            _ => {}
        }
    }

    fn revert(&mut self, step: &Step, place: &str) {
        for property in &step.change.properties {
            match (step.kind, self.regions.get_mut(place)) {
                (Kind::Stack, Some(Region { stack: Some(stack), .. })) => stack.revert(property),
                (Kind::Table, _) if property.name == "point-in-time recovery" => {
                    if let (Some(table), Some(before)) = (&mut self.table, property.before.as_ref()) {
                        table.recovery = before.as_bool().unwrap_or(table.recovery);
                    }
                }
                _ => {}
            }
        }
    }

    pub fn servers(&self) -> u64 {
        self.regions.values().filter(|region| region.server).count() as u64
    }

    /// Upload buckets of all regions.
    pub fn buckets(&self) -> u64 {
        self.regions.values().filter_map(|region| Some(region.stack.as_ref()?.buckets)).sum()
    }
}

impl Stack {
    /// To what it was before a property changed.
    fn revert(&mut self, property: &PropertyChange) {
        let text = property.before.as_ref().map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        let number = || text.as_deref().and_then(|text| text.parse().ok());
        let name = property.name.strip_prefix("parameter ").unwrap_or(&property.name);
        match name {
            // A stack of an earlier version had neither parameter, and both kinds of metrics.
            "RefusalReasons" => self.refusal_reasons = text.as_deref().is_none_or(|text| text == "true"),
            "ApiMethodMetrics" => self.method_metrics = text.as_deref().is_none_or(|text| text == "true"),
            "MemoryMb" => self.memory_mb = number().unwrap_or(self.memory_mb),
            "RetentionDays" => self.retention_days = number().unwrap_or(self.retention_days),
            "Architecture" => self.is_arm = text.as_deref() == Some("arm64"),
            _ if name.ends_with(LIFECYCLE) => {
                self.old_versions_days = property.before.as_ref().and_then(old_versions_days);
            }
            RULES => {
                let rules = property.before.as_ref().and_then(Value::as_array);
                self.waf_rules = rules.map_or(self.waf_rules, |rules| rules.len() as u64);
            }
            _ => self.count(property),
        }
    }

    /// A resource that is new was not there; one that is removed was.
    fn count(&mut self, property: &PropertyChange) {
        let Some((_, kind)) = property.name.strip_suffix(')').and_then(|name| name.split_once(" (")) else { return };
        let count = match kind {
            "AWS::CloudWatch::Alarm" => {
                // With its metric, which no resource makes.
                if property.name.starts_with("NoCanaryAlarm ") {
                    self.metrics = changed(self.metrics, property);
                }
                &mut self.alarms
            }
            "AWS::CloudWatch::CompositeAlarm" => &mut self.composite_alarms,
            "AWS::Logs::MetricFilter" => &mut self.metrics,
            "AWS::ApiGateway::Method" => &mut self.methods,
            "AWS::SQS::Queue" if !property.name.contains("Dead") => &mut self.queues,
            "AWS::S3Files::FileSystem" => &mut self.file_systems,
            "AWS::GuardDuty::MalwareProtectionPlan" => &mut self.malware_plans,
            // As the template calls the rules that send events to another region.
            "AWS::Events::Rule" if property.name.contains("Forward") => &mut self.forwards,
            "AWS::Events::Rule" if property.name.starts_with(ARRIVED_UPLOADS) => &mut self.arrivals,
            "AWS::SNS::Subscription" if property.name.starts_with(ARRIVALS_SUBSCRIPTION) => &mut self.arrival_mails,
            "AWS::DynamoDB::Table" => &mut self.guards,
            WORKFLOW => &mut self.workflows,
            WEB_ACL => {
                self.waf_rules = if property.before.is_none() { 0 } else { LEAST_RULES };
                &mut self.web_acls
            }
            _ => return,
        };
        *count = changed(*count, property);
    }
}

/// How many there were before a resource was added or removed.
fn changed(count: u64, property: &PropertyChange) -> u64 {
    if property.before.is_none() { count.saturating_sub(1) } else { count + 1 }
}

/// How many rules a web ACL has.
fn rules(acl: &Value) -> u64 {
    acl["Properties"]["Rules"].as_array().map_or(0, |rules| rules.len() as u64)
}

fn old_versions_days(lifecycle: &Value) -> Option<u64> {
    let rules = lifecycle["Rules"].as_array()?;
    rules.iter().find_map(|rule| rule["NoncurrentVersionExpiration"]["NoncurrentDays"].as_u64())
}

/// The parts of a region's stack, counted in its template.
fn stack(environment: &Environment, region: &str) -> Result<Stack, TemplateError> {
    let code = Code { bucket: String::new(), key: String::new() };
    let rendered = template::render(environment, region, &code)?;
    let resources: Vec<&Value> =
        rendered.template["Resources"].as_object().into_iter().flat_map(|resources| resources.values()).collect();
    let count = |wanted: &dyn Fn(&Value) -> bool| resources.iter().filter(|resource| wanted(resource)).count() as u64;
    let of_type = |name: &'static str| count(&|resource| resource["Type"] == name);
    let is_fast = |resource: &Value| {
        resource["Type"] == "AWS::CloudWatch::Alarm"
            && resource["Properties"]["Period"].as_u64().is_some_and(|period| period < 60)
    };
    let sends_away = |resource: &Value| {
        resource["Type"] == "AWS::Events::Rule" && resource["Properties"]["Targets"][0]["RoleArn"].is_object()
    };
    let tells = |resource: &Value| {
        let name = resource["Properties"]["QueueName"].as_str().unwrap_or_default();
        resource["Type"] == "AWS::SQS::Queue" && !name.ends_with("-dead")
    };
    let is_steady = |resource: &Value| !resource["Properties"]["MetricTransformations"][0]["DefaultValue"].is_null();
    let is_canary = |resource: &Value| resource["Properties"]["MetricName"] == names::CANARY_METRIC;
    let ids = rendered.template["Resources"].as_object();
    let named =
        |start: &str| ids.into_iter().flat_map(|all| all.keys()).filter(|id| id.starts_with(start)).count() as u64;
    let fast_alarms = count(&is_fast);
    Ok(Stack {
        alarms: of_type("AWS::CloudWatch::Alarm") - fast_alarms,
        fast_alarms,
        composite_alarms: of_type("AWS::CloudWatch::CompositeAlarm"),
        metrics: of_type("AWS::Logs::MetricFilter") + count(&is_canary),
        steady_metrics: count(&is_steady),
        refusal_reasons: environment.metrics.refusal_reasons,
        methods: of_type("AWS::ApiGateway::Method"),
        method_metrics: environment.metrics.api_methods,
        memory_mb: u64::from(environment.authorizer.memory_mb),
        is_arm: environment.authorizer.architecture == "arm64",
        retention_days: u64::from(environment.logs.retention_days),
        buckets: of_type("AWS::S3::Bucket"),
        old_versions_days: environment.files.keep_old_versions_days.map(u64::from),
        queues: count(&tells),
        file_systems: of_type("AWS::S3Files::FileSystem"),
        malware_plans: of_type("AWS::GuardDuty::MalwareProtectionPlan"),
        forwards: count(&sends_away),
        arrivals: named(ARRIVED_UPLOADS),
        arrival_mails: named(ARRIVALS_SUBSCRIPTION),
        guards: of_type("AWS::DynamoDB::Table"),
        workflows: of_type(WORKFLOW),
        web_acls: of_type(WEB_ACL),
        waf_rules: resources.iter().filter(|resource| resource["Type"] == WEB_ACL).map(|acl| rules(acl)).sum(),
    })
}
