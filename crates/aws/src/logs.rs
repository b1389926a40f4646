//! CloudWatch log groups, and the metric filters on them.

use std::collections::HashMap;

use aws_sdk_cloudwatchlogs::types::{MetricTransformation, QueryDefinition, QueryParameter};
use serde::Serialize;

use super::error::{Call as _, OrMissing as _};
use super::{AwsError, Tags};

#[derive(Clone, Debug)]
pub struct Logs(pub(super) aws_sdk_cloudwatchlogs::Client);

#[derive(Clone, Debug)]
pub struct GroupFacts {
    /// The ARN in the form that the calls for tags take.
    pub arn: String,
    /// Days that lines are kept; `None` keeps them forever, as in a group that a late log line has created.
    pub retention: Option<i32>,
    /// Milliseconds since 1970.
    pub created: Option<i64>,
}

/// A line of a log.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// Unique in its group; empty if AWS does not say.
    pub id: String,
    /// Milliseconds since 1970.
    pub time: i64,
    pub message: String,
}

/// A page of lines in the order of their times. It may be empty although there are more.
#[derive(Clone, Debug)]
pub struct LogPage {
    pub lines: Vec<LogLine>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// A metric filter, under the names that templates use.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MetricFilterFacts {
    /// The key that identifies it in its group.
    #[serde(skip_serializing)]
    pub filter_name: String,
    pub log_group_name: String,
    /// Selects the lines to count.
    pub filter_pattern: String,
    pub metric_transformations: Vec<MetricFacts>,
}

/// A saved query of CloudWatch Logs Insights, under the names that templates use.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SavedQueryFacts {
    /// What identifies it in its region.
    #[serde(skip_serializing)]
    pub id: String,
    /// With a folder, if it has a slash.
    pub name: String,
    pub query_string: String,
    pub log_group_names: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<QueryParameterFacts>,
}

/// A word that a saved query leaves open.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct QueryParameterFacts {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// The metric of a filter.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MetricFacts {
    pub metric_namespace: String,
    pub metric_name: String,
    /// A number, or a field of the line: `$.size`.
    pub metric_value: String,
    /// The value that is published while no line matches.
    pub default_value: Option<f64>,
    pub unit: Option<String>,
    /// Fields of the line that select the series.
    pub dimensions: Vec<MetricDimension>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MetricDimension {
    pub key: String,
    /// The field: `$.reason`.
    pub value: String,
}

impl Logs {
    pub async fn group(&self, name: &str) -> Result<Option<GroupFacts>, AwsError> {
        let answer = self
            .0
            .describe_log_groups()
            .log_group_name_prefix(name)
            .send()
            .await
            .call("logs:DescribeLogGroups", name)?;
        let group = answer.log_groups().iter().find(|group| group.log_group_name() == Some(name));
        Ok(group.map(|group| GroupFacts {
            // The older of the two ARNs ends in `:*`, which the calls for tags do not take.
            arn: group.log_group_arn().or(group.arn()).unwrap_or_default().trim_end_matches(":*").to_owned(),
            retention: group.retention_in_days(),
            created: group.creation_time(),
        }))
    }

    /// Tags of a group; empty if it has been deleted meanwhile.
    pub async fn tags(&self, arn: &str) -> Result<Tags, AwsError> {
        let call = self.0.list_tags_for_resource().resource_arn(arn).send().await;
        let answer = call.call("logs:ListTagsForResource", arn).or_missing(&["ResourceNotFound"])?;
        Ok(answer.and_then(|answer| answer.tags).unwrap_or_default().into_iter().collect())
    }

    /// The first messages of a stream, at most so many; none without the stream.
    pub async fn first_of_stream(&self, group: &str, stream: &str, most: usize) -> Result<Vec<String>, AwsError> {
        let call = self.0.filter_log_events().log_group_name(group).log_stream_names(stream);
        let mut pages = call.limit(i32::try_from(most).unwrap_or(i32::MAX)).into_paginator().send();
        let mut found = Vec::new();
        // A page may be empty although there are more.
        while found.len() < most
            && let Some(page) = pages.next().await
        {
            let page = page.call("logs:FilterLogEvents", group).or_missing(&["ResourceNotFound"])?;
            let Some(page) = page else { break };
            found.extend(page.events().iter().filter_map(|event| event.message()).map(str::to_owned));
        }
        found.truncate(most);
        Ok(found)
    }

    /// The lines of a period, in milliseconds since 1970 with both ends, that fit a filter pattern; all without one. `None`
    /// without the group.
    pub async fn page(
        &self,
        group: &str,
        pattern: &str,
        (from, until): (i64, i64),
        next: Option<String>,
    ) -> Result<Option<LogPage>, AwsError> {
        let pattern = (!pattern.is_empty()).then(|| pattern.to_owned());
        let call = self.0.filter_log_events().log_group_name(group).set_filter_pattern(pattern);
        // AWS takes no time before 1970.
        let call = call.start_time(from.max(0)).end_time(until.max(0)).set_next_token(next).send().await;
        let page = call.call("logs:FilterLogEvents", group).or_missing(&["ResourceNotFound"])?;
        Ok(page.map(|page| LogPage {
            next: page.next_token().filter(|token| !token.is_empty()).map(str::to_owned),
            lines: page
                .events
                .unwrap_or_default()
                .into_iter()
                .map(|event| LogLine {
                    id: event.event_id.unwrap_or_default(),
                    time: event.timestamp.unwrap_or_default(),
                    message: event.message.unwrap_or_default(),
                })
                .collect(),
        }))
    }

    /// Calls `take` with each message since a time, in milliseconds since 1970, that fits a filter pattern; none without the
    /// group.
    pub async fn each(
        &self,
        group: &str,
        (pattern, since): (&str, i64),
        take: &mut (dyn FnMut(&str) -> std::io::Result<()> + Send),
    ) -> Result<std::io::Result<()>, AwsError> {
        let call = self.0.filter_log_events().log_group_name(group).filter_pattern(pattern).start_time(since);
        let mut pages = call.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.call("logs:FilterLogEvents", group).or_missing(&["ResourceNotFound"])?;
            let Some(page) = page else { break };
            let taken = page.events().iter().filter_map(|event| event.message()).try_for_each(&mut *take);
            if taken.is_err() {
                return Ok(taken);
            }
        }
        Ok(Ok(()))
    }

    /// Deletes the group; missing is fine.
    pub async fn delete(&self, name: &str) -> Result<(), AwsError> {
        let call = self.0.delete_log_group().log_group_name(name).send().await.call("logs:DeleteLogGroup", name);
        call.or_missing(&["ResourceNotFound"]).map(drop)
    }

    /// The saved queries whose names begin with `prefix`; all without one.
    pub async fn saved_queries(&self, prefix: Option<&str>) -> Result<Vec<SavedQueryFacts>, AwsError> {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let call = self.0.describe_query_definitions().set_next_token(token);
            let call = call.set_query_definition_name_prefix(prefix.map(str::to_owned));
            let page = call.send().await.call("logs:DescribeQueryDefinitions", prefix.unwrap_or_default())?;
            found.extend(page.query_definitions().iter().map(saved_query));
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// The metric filters of a group; empty without the group.
    pub async fn metric_filters(&self, group: &str) -> Result<Vec<MetricFilterFacts>, AwsError> {
        let mut found = Vec::new();
        let mut pages = self.0.describe_metric_filters().log_group_name(group).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.call("logs:DescribeMetricFilters", group).or_missing(&["ResourceNotFound"])?;
            let Some(page) = page else { break };
            found.extend(page.metric_filters().iter().map(|filter| MetricFilterFacts {
                filter_name: filter.filter_name().unwrap_or_default().to_owned(),
                log_group_name: filter.log_group_name().unwrap_or(group).to_owned(),
                filter_pattern: filter.filter_pattern().unwrap_or_default().to_owned(),
                metric_transformations: filter.metric_transformations().iter().map(metric).collect(),
            }));
        }
        Ok(found)
    }
}

fn saved_query(from: &QueryDefinition) -> SavedQueryFacts {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let parameter = |from: &QueryParameter| QueryParameterFacts {
        name: from.name().to_owned(),
        default_value: from.default_value().map(str::to_owned),
        description: from.description().map(str::to_owned),
    };
    SavedQueryFacts {
        id: text(from.query_definition_id()),
        name: text(from.name()),
        query_string: text(from.query_string()),
        log_group_names: from.log_group_names().to_vec(),
        parameters: from.parameters().iter().map(parameter).collect(),
    }
}

fn metric(from: &MetricTransformation) -> MetricFacts {
    let dimension = |(key, value): (&String, &String)| MetricDimension { key: key.clone(), value: value.clone() };
    MetricFacts {
        metric_namespace: from.metric_namespace().to_owned(),
        metric_name: from.metric_name().to_owned(),
        metric_value: from.metric_value().to_owned(),
        default_value: from.default_value(),
        // AWS sets this unit if none is requested.
        unit: from.unit().map(|unit| unit.as_str().to_owned()).filter(|unit| unit != "None"),
        dimensions: from.dimensions().into_iter().flat_map(HashMap::iter).map(dimension).collect(),
    }
}
