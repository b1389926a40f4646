//! How many writes a second a table takes at once, and raising that: "warm throughput".

use aws_sdk_dynamodb::types::{
    GlobalSecondaryIndexUpdate, IndexStatus, TableStatus, UpdateGlobalSecondaryIndexAction, WarmThroughput,
};

use super::AwsError;
use super::dynamodb::DynamoDb;
use super::error::Call as _;

/// What a table, or one of its indexes, takes at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warm {
    /// `None` for the table itself.
    pub index: Option<String>,
    /// Write units a second; the value before as long as it is raised.
    pub writes: u64,
    /// Whether it is being raised. The table itself stays `ACTIVE` meanwhile.
    pub is_rising: bool,
}

impl DynamoDb {
    /// What the table and its indexes take at once, the table first.
    pub async fn warm(&self, name: &str) -> Result<Vec<Warm>, AwsError> {
        let answer = self.0.describe_table().table_name(name).send().await.call("dynamodb:DescribeTable", name)?;
        let units = |units: Option<i64>| units.and_then(|units| u64::try_from(units).ok()).unwrap_or_default();
        let Some(table) = answer.table() else { return Ok(Vec::new()) };
        let warm = table.warm_throughput();
        let own = Warm {
            index: None,
            writes: units(warm.and_then(|warm| warm.write_units_per_second())),
            is_rising: warm.and_then(|warm| warm.status()).is_some_and(|status| *status != TableStatus::Active),
        };
        let indexes = table.global_secondary_indexes().iter().map(|index| {
            let warm = index.warm_throughput();
            Warm {
                index: index.index_name().map(str::to_owned),
                writes: units(warm.and_then(|warm| warm.write_units_per_second())),
                is_rising: warm.and_then(|warm| warm.status()).is_some_and(|status| *status != IndexStatus::Active),
            }
        });
        Ok(std::iter::once(own).chain(indexes).collect())
    }

    /// Begins to raise what the table and these indexes take at once, in all regions; a lower value than now is refused.
    /// The names are those of indexes; `None` stands for the table itself.
    pub async fn raise_warm(&self, name: &str, of: &[Option<String>], writes: u64) -> Result<(), AwsError> {
        let writes = i64::try_from(writes).unwrap_or(i64::MAX);
        let warm = || WarmThroughput::builder().write_units_per_second(writes).build();
        let indexes = of.iter().flatten().filter_map(|index| {
            // The name is set, so the builder cannot refuse.
            let update = UpdateGlobalSecondaryIndexAction::builder().index_name(index).warm_throughput(warm()).build();
            Some(GlobalSecondaryIndexUpdate::builder().update(update.ok()?).build())
        });
        let indexes: Vec<_> = indexes.collect();
        self.0
            .update_table()
            .table_name(name)
            .set_warm_throughput(of.contains(&None).then(warm))
            .set_global_secondary_index_updates((!indexes.is_empty()).then_some(indexes))
            .send()
            .await
            .call("dynamodb:UpdateTable", name)
            .map(drop)
    }
}
