//! The CloudWatch dashboard of all regions.
//!
//! It is in no stack: it shows every region, and the servers, which are in no stack either. Each widget is a property, so
//! that a plan names those that differ. Source: CloudWatch API reference, PutDashboard, which replaces the whole body.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use sftpctl_aws::{Aws, AwsError, DashboardFacts, Tags};
use sftpctl_core::dashboard::{self, Widgets};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Change, Live, Properties, RemovalOptions, Want, output};
use sftpctl_core::node::Node;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

use super::stray::{self, Found, Orphan, Search, Stray};
use super::tags;
use crate::resources::resource::{Resource, ResourceError};

/// Output: the ARN, which tags are set by.
const ARN: &str = "Arn";
/// Property: widgets that are not ours.
const OTHERS: &str = "other widgets";

/// The dashboard.
#[derive(Clone, Debug)]
pub struct Dashboard {
    pub id: NodeId,
    pub name: String,
    /// What it shows.
    pub environment: Arc<Environment>,
    pub tags: Tags,
}

impl Dashboard {
    /// Nodes of the servers that it shows.
    fn servers(&self) -> impl Iterator<Item = (&String, NodeId)> {
        let regions = self.environment.regions.iter().filter(|(_, region)| region.server);
        regions.map(|(region, _)| (region, names::server_node(region)))
    }

    /// Its widgets, or the first server whose ID is not known yet.
    fn widgets(&self, actual: &Actual) -> Result<Widgets, NodeId> {
        let mut servers = BTreeMap::new();
        for (region, node) in self.servers() {
            match output(actual, &node, "ServerId") {
                Want::Is(Value::String(id)) => drop(servers.insert(region.clone(), id)),
                _ => return Err(node),
            }
        }
        Ok(dashboard::widgets(&self.environment, &servers))
    }
}

impl Node for Dashboard {
    fn kind(&self) -> Kind {
        Kind::Dashboard
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        self.servers().map(|(_, node)| node).collect()
    }

    fn title(&self) -> String {
        format!("dashboard {}", self.name)
    }

    fn wanted(&self, actual: &Actual) -> Properties {
        let mut wanted = Properties::from([(tags::PROPERTY, tags::wanted(&self.tags).into())]);
        match self.widgets(actual) {
            Ok(widgets) => {
                wanted.extend(dashboard::TITLES.map(|title| (title, Want::Is(Value::Null))));
                wanted.extend(widgets.into_iter().map(|(title, widget)| (title, Want::Is(widget))));
                wanted.insert(OTHERS, json!([]).into());
            }
            Err(server) => drop(wanted.insert("widgets", Want::After(server))),
        }
        wanted
    }
}

/// A dashboard as it was read.
fn live(name: &str, facts: DashboardFacts) -> Live {
    // What is not JSON has none of our widgets, and differs.
    let body: Value = serde_json::from_str(&facts.body).unwrap_or_default();
    let (ours, others) = dashboard::parts(&body);
    let mut live = Live::new(name).output(ARN, facts.arn).with(OTHERS, json!(others));
    live.properties.extend(ours);
    live
}

#[async_trait]
impl Resource for Dashboard {
    async fn read(&self, aws: &Aws, _known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let cloudwatch = aws.cloudwatch(&self.environment.home_region);
        let Some(facts) = cloudwatch.dashboard(&self.name).await? else { return Ok(None) };
        let owner = tags::owner(&facts.tags, &self.tags, &self.title());
        let have = tags::live(&facts.tags, &self.tags);
        Ok(Some(live(&self.name, facts).owned_by(owner).with(tags::PROPERTY, have)))
    }

    async fn apply(
        &self,
        aws: &Aws,
        _call: &str,
        change: &Change,
        live: Option<&Live>,
        actual: &Actual,
    ) -> Result<(), ResourceError> {
        let cloudwatch = aws.cloudwatch(&self.environment.home_region);
        if let Some(arn) = live.filter(|_| change.touches(tags::PROPERTY)).and_then(|live| live.outputs.get(ARN)) {
            return Ok(cloudwatch.tag_dashboard(arn, &self.tags).await?);
        }
        let widgets = self.widgets(actual).map_err(|server| ResourceError::Refused(format!("{server} has no ID")))?;
        let body = dashboard::body(&widgets).to_string();
        Ok(cloudwatch.put_dashboard(&self.name, &body, &self.tags).await?)
    }

    async fn delete(
        &self,
        aws: &Aws,
        _call: &str,
        _live: &Live,
        _options: RemovalOptions,
    ) -> Result<(), ResourceError> {
        Ok(aws.cloudwatch(&self.environment.home_region).delete_dashboard(&self.name).await?)
    }
}

/// The dashboard of an environment whose file does not ask for one.
#[derive(Debug)]
pub(super) struct Strays;

#[async_trait]
impl Stray for Strays {
    fn kind(&self) -> Kind {
        Kind::Dashboard
    }

    fn plural(&self) -> &'static str {
        "dashboards"
    }

    /// Dashboards belong to no region: one search finds it, also if the home region is not among those of the file.
    async fn find_all(&self, search: &Search<'_>) -> Vec<(String, Found)> {
        let home = &search.environment.home_region;
        vec![(self.label(home), self.find(search, home).await)]
    }

    async fn find(&self, search: &Search<'_>, region: &str) -> Result<Vec<Orphan>, AwsError> {
        let environment = search.environment;
        if environment.metrics.dashboard {
            return Ok(Vec::new());
        }
        let name = names::dashboard(environment);
        let found = search.aws.cloudwatch(region).dashboard(&name).await?;
        let ours = found.filter(|facts| search.is_tagged(&facts.tags));
        let orphan = |_| {
            let orphan = search.orphan(&Strays, region, &name, "the environment file does not ask for it");
            Orphan { id: NodeId::new("global", Kind::Dashboard), ..orphan }
        };
        Ok(ours.map(orphan).into_iter().collect())
    }

    async fn find_created(
        &self,
        search: &Search<'_>,
        node: &NodeId,
        _patience: Duration,
    ) -> Result<Option<Orphan>, AwsError> {
        let name = names::dashboard(search.environment);
        Ok(Some(Orphan { id: node.clone(), ..search.orphan(&Strays, node.place(), &name, "") }))
    }

    fn removed_after(&self, _search: &Search<'_>, _region: &str) -> Vec<NodeId> {
        Vec::new()
    }

    async fn read(&self, aws: &Aws, orphan: &Orphan) -> Result<Option<Live>, AwsError> {
        let facts = aws.cloudwatch(&orphan.home).dashboard(&orphan.identity).await?;
        let wanted = Tags::from([(tags::ENVIRONMENT.to_owned(), orphan.environment.clone())]);
        Ok(facts.map(|facts| {
            let owner = tags::owner(&facts.tags, &wanted, &orphan.title());
            stray::live(orphan, "").owned_by(owner)
        }))
    }

    async fn delete(
        &self,
        aws: &Aws,
        orphan: &Orphan,
        _call: &str,
        _options: RemovalOptions,
    ) -> Result<(), ResourceError> {
        Ok(aws.cloudwatch(&orphan.home).delete_dashboard(&orphan.identity).await?)
    }
}
