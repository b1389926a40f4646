//! A replica of the account table in another region (global tables, version 2019.11.21).
//!
//! It is not in the template, like the table. AWS adds one replica at a time, and only while the table is ACTIVE, so
//! each replica waits for the previous one. Tags and deletion protection are not replicated: they are set here, in the
//! replica's own region. Point-in-time recovery stays off, since the home region has it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures_util::future::join_all;
use sftpctl_aws::{Aws, AwsError, TableFacts, Tags};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Change, Live, Owner, Properties, Removal, RemovalOptions, Settled};
use sftpctl_core::node::Node;

use super::stray::{self, Found, Orphan, Search, Stray};
use super::witness::Witness;
use super::{table, tags};
use crate::resources::resource::{Resource, ResourceError};

#[derive(Clone, Debug)]
pub struct Replica {
    pub id: NodeId,
    pub region: String,
    /// The table's home region.
    pub home: String,
    pub name: String,
    /// The table or replica that must exist first.
    pub after: NodeId,
    pub protection: bool,
    pub tags: Tags,
    pub witness: Witness,
}

impl Replica {
    /// The owner according to these tags, which are its own or the table's. The state has its name while it is being
    /// created, then its ARN.
    async fn owner(&self, aws: &Aws, tags: &Tags, known: Option<&str>) -> Result<Owner, AwsError> {
        let remembered = known.is_some_and(|known| known.rsplit('/').next() == Some(self.name.as_str()));
        let refers = self.witness.parameter(aws, table::TABLE_NAME, &self.name);
        self.witness.owner(tags, &self.title(), remembered, refers).await
    }

    /// The owner while the replica has no tags of its own. A table that is itself being created or deleted has none,
    /// either; it is judged by its own node.
    async fn owner_by_table(&self, aws: &Aws, table: &str, known: Option<&str>) -> Result<Owner, AwsError> {
        match aws.dynamodb(&self.home).tags(table).await? {
            Some(tags) => self.owner(aws, &tags, known).await,
            None => Ok(Owner::Ours),
        }
    }
}

/// The home table's tags, which decide the owner of a replica whose own tags (`have`) do not include our tag; `None` if
/// they do.
async fn table_tags(aws: &Aws, home: &str, region: &str, arn: &str, have: &Tags) -> Result<Option<Tags>, AwsError> {
    if have.contains_key(tags::ENVIRONMENT) {
        return Ok(None);
    }
    let home_arn = arn.replacen(&format!(":{region}:"), &format!(":{home}:"), 1);
    aws.dynamodb(home).tags(&home_arn).await
}

/// Tags that decide the owner of the table that was found in `region`; `None` while it is being created or deleted.
async fn tags(aws: &Aws, home: &str, region: &str, replica: &TableFacts) -> Result<Option<Tags>, AwsError> {
    let Some(have) = aws.dynamodb(region).tags(&replica.arn).await? else { return Ok(None) };
    // Another table of the same name, not a replica of the home table.
    if !replica.replicas.iter().any(|(at, _)| at == home) {
        return Ok(Some(have));
    }
    Ok(Some(table_tags(aws, home, region, &replica.arn, &have).await?.unwrap_or(have)))
}

/// Begins the deletion of a replica. AWS deletes the replicas of a table one by one. A replica remains as a table of
/// its own when the table of the home region is deleted.
async fn remove(aws: &Aws, home: &str, region: &str, name: &str) -> Result<(), ResourceError> {
    let begun = match aws.dynamodb(home).remove_replica(name, region).await {
        Err(error) if error.is("ResourceNotFound") || error.is("ReplicaNotFound") => {
            aws.dynamodb(region).delete(name).await
        }
        other => other,
    };
    match begun {
        Err(error) if error.message.contains("last 24 hours") => Err(ResourceError::NotYet(format!(
            "replica of {name} in {region} cannot be deleted yet: AWS keeps a replica for 24 hours after it was the \
             source of another. Rerun the same command tomorrow; everything else is done"
        ))),
        other => Ok(other?),
    }
}

impl Node for Replica {
    fn kind(&self) -> Kind {
        Kind::Replica
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        vec![self.after.clone()]
    }

    fn may_be_imported(&self, _live: &Live) -> bool {
        true
    }

    fn diff(&self, live: Option<&Live>, actual: &Actual) -> Option<Change> {
        table::change(&self.wanted(actual), live)
    }

    fn title(&self) -> String {
        format!("replica of {} in {}", self.name, self.region)
    }

    fn wanted(&self, _actual: &Actual) -> Properties {
        Properties::from([("deletion protection", self.protection.into()), ("tags", tags::wanted(&self.tags).into())])
    }
}

#[async_trait]
impl Resource for Replica {
    async fn read(&self, aws: &Aws, known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let dynamodb = aws.dynamodb(&self.region);
        let Some(replica) = dynamodb.table(&self.name).await? else {
            // While a replica is being created or deleted, only the home region lists it.
            let dynamodb = aws.dynamodb(&self.home);
            let Some(home) = dynamodb.table(&self.name).await? else { return Ok(None) };
            let found = home.replicas.into_iter().find(|(region, _)| *region == self.region);
            let Some((_, status)) = found else { return Ok(None) };
            let owner = self.owner_by_table(aws, &home.arn, known).await?;
            let settled = match table::has_failed(&status) {
                true => Settled::Failed(table::explained(&status)),
                false => Settled::Pending(status),
            };
            return Ok(Some(Live::new(&self.name).settled(settled).owned_by(owner)));
        };
        let live = Live::new(&replica.arn).settled(table::settled(&replica));
        let have = match replica.status.as_str() {
            // A new replica does not list its table yet.
            "CREATING" | "DELETING" => None,
            _ => dynamodb.tags(&replica.arn).await?,
        };
        let Some(have) = have else {
            let owner = match aws.dynamodb(&self.home).table(&self.name).await? {
                Some(home) => self.owner_by_table(aws, &home.arn, known).await?,
                None => self.owner(aws, &Tags::new(), known).await?,
            };
            let status = if replica.status == "ACTIVE" { "without tags yet".to_owned() } else { replica.status };
            return Ok(Some(live.settled(Settled::Pending(status)).owned_by(owner)));
        };
        if !replica.replicas.iter().any(|(region, _)| *region == self.home) {
            let what = format!(
                "a table {} exists in {} that is not a replica of the one in {}",
                self.name, self.region, self.home
            );
            return Ok(Some(live.owned_by(Owner::Foreign(what))));
        }
        let home_tags = table_tags(aws, &self.home, &self.region, &replica.arn, &have).await?;
        Ok(Some(
            live.owned_by(self.owner(aws, home_tags.as_ref().unwrap_or(&have), known).await?)
                .with("deletion protection", replica.deletion_protection)
                .with("tags", tags::live(&have, &self.tags)),
        ))
    }

    async fn apply(
        &self,
        aws: &Aws,
        _call: &str,
        change: &Change,
        live: Option<&Live>,
        _actual: &Actual,
    ) -> Result<(), ResourceError> {
        let dynamodb = aws.dynamodb(&self.region);
        match live {
            None => match aws.dynamodb(&self.home).add_replica(&self.name, &self.region).await {
                // The response of an earlier attempt was lost, or there is a foreign table of that name: the next read
                // shows which.
                Err(error) if error.message.contains("already exist") => {}
                other => other?,
            },
            Some(_) if change.touches("deletion protection") => dynamodb.protect(&self.name, self.protection).await?,
            Some(live) => dynamodb.tag(&live.identity, &self.tags).await?,
        }
        Ok(())
    }

    async fn adoptable(&self, aws: &Aws, live: &Live) -> Result<Tags, ResourceError> {
        let have = aws.dynamodb(&self.region).tags(&live.identity).await?.unwrap_or_default();
        tags::adopting(&have, &self.tags, &self.title())
    }

    async fn adopt(&self, aws: &Aws, live: &Live, tags: &Tags) -> Result<(), ResourceError> {
        Ok(aws.dynamodb(&self.region).tag(&live.identity, tags).await?)
    }

    async fn removal(&self, _aws: &Aws, live: &Live, options: RemovalOptions) -> Result<Removal, AwsError> {
        Ok(match options.delete_data {
            true => table::protected(live, &self.title()).map_or(Removal::Delete, Removal::Refuse),
            false => Removal::Keep("it holds the accounts; --delete-data deletes it".into()),
        })
    }

    async fn delete(&self, aws: &Aws, _call: &str, live: &Live, _options: RemovalOptions) -> Result<(), ResourceError> {
        table::refuse_protected(live, &self.title())?;
        remove(aws, &self.home, &self.region, &self.name).await
    }
}

/// Replicas in regions that are not in the environment file, among the regions that are searched and those that the
/// table lists.
#[derive(Debug)]
pub(super) struct Strays;

#[async_trait]
impl Stray for Strays {
    fn kind(&self) -> Kind {
        Kind::Replica
    }

    fn plural(&self) -> &'static str {
        "table"
    }

    async fn find(&self, search: &Search<'_>, region: &str) -> Found {
        let (name, home) = (&search.environment.table.name, &search.environment.home_region);
        let Some(table) = search.aws.dynamodb(region).table(name).await? else { return Ok(Vec::new()) };
        let ours = tags(search.aws, home, region, &table).await?.is_some_and(|tags| search.is_tagged(&tags));
        Ok(ours.then(|| search.orphan(&Strays, region, name, "holds the accounts")).into_iter().collect())
    }

    async fn find_all(&self, search: &Search<'_>) -> Vec<(String, Found)> {
        let settings = &search.environment.table;
        let home = search.environment.home_region.as_str();
        let (mut found, listed) = match search.aws.dynamodb(home).table(&settings.name).await {
            Ok(table) => (Vec::new(), table.map_or_else(Vec::new, |table| table.replicas)),
            Err(error) => (vec![(self.label(home), Err(error))], Vec::new()),
        };
        let all: BTreeSet<&str> =
            search.regions.iter().copied().chain(listed.iter().map(|(region, _)| region.as_str())).collect();
        let dropped = all.into_iter().filter(|at| *at != home && !settings.regions.iter().any(|wanted| wanted == at));
        found.extend(join_all(dropped.map(async |at| (self.label(at), self.find(search, at).await))).await);
        // The table is deleted after its replicas, and AWS changes one of them at a time.
        let tables = search.nodes.iter().filter(|id| matches!(id.kind(), Some(Kind::Table | Kind::Replica)));
        let mut before: Vec<NodeId> = tables.cloned().collect();
        for replica in found.iter_mut().filter_map(|(_, found)| found.as_mut().ok()).flatten() {
            replica.before.clone_from(&before);
            before.push(replica.id.clone());
        }
        found
    }

    async fn read(&self, aws: &Aws, orphan: &Orphan) -> Result<Option<Live>, AwsError> {
        match aws.dynamodb(&orphan.region).table(&orphan.identity).await? {
            Some(table) => {
                let live = stray::live(orphan, &table.status);
                // One that is being deleted has no tags any more; it had ours when it was found.
                Ok(Some(match tags(aws, &orphan.home, &orphan.region, &table).await? {
                    Some(tags) => live.owned_by(orphan.owner(&tags)),
                    None => live,
                }))
            }
            // While a replica is being deleted, only the home region lists it.
            None => {
                let home = aws.dynamodb(&orphan.home).table(&orphan.identity).await?;
                let mut replicas = home.into_iter().flat_map(|table| table.replicas);
                Ok(replicas.find(|(at, _)| *at == orphan.region).map(|(_, status)| stray::live(orphan, &status)))
            }
        }
    }

    async fn removal(&self, _aws: &Aws, _orphan: &Orphan, _options: RemovalOptions) -> Result<Removal, AwsError> {
        Ok(Removal::Keep("it holds the accounts; --delete-data deletes it".to_owned()))
    }

    async fn delete(
        &self,
        aws: &Aws,
        orphan: &Orphan,
        _call: &str,
        _options: RemovalOptions,
    ) -> Result<(), ResourceError> {
        remove(aws, &orphan.home, &orphan.region, &orphan.identity).await
    }
}
