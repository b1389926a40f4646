//! CloudWatch alarms.

use aws_sdk_cloudwatch::types::MetricAlarm;
use serde::Serialize;

use super::AwsError;
use super::error::Call as _;

/// CloudWatch of a region.
#[derive(Clone, Debug)]
pub struct CloudWatch(pub(super) aws_sdk_cloudwatch::Client);

/// An alarm on one metric, under the names that templates use.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AlarmFacts {
    /// Its name, by which it is found.
    #[serde(skip_serializing)]
    pub alarm_name: String,
    /// What it means.
    pub alarm_description: Option<String>,
    /// Namespace of the metric.
    pub namespace: Option<String>,
    /// The metric.
    pub metric_name: Option<String>,
    /// Which of the metric's series.
    pub dimensions: Vec<AlarmDimension>,
    /// `Sum`, `Average`, …; none where the extended one is set.
    pub statistic: Option<String>,
    /// A percentile: `p99`.
    pub extended_statistic: Option<String>,
    /// Unit of the metric.
    pub unit: Option<String>,
    /// Seconds.
    pub period: Option<i32>,
    /// How many periods are looked at.
    pub evaluation_periods: Option<i32>,
    /// How many of them must be bad.
    pub datapoints_to_alarm: Option<i32>,
    /// What a period is held against.
    pub threshold: Option<f64>,
    /// `GreaterThanOrEqualToThreshold`, …
    pub comparison_operator: Option<String>,
    /// `notBreaching`, `missing`, …
    pub treat_missing_data: Option<String>,
    /// `ignore` or `evaluate`, for percentiles of few values.
    pub evaluate_low_sample_count_percentile: Option<String>,
    /// Whether anybody is told.
    pub actions_enabled: bool,
    /// ARNs that are told of an alarm.
    pub alarm_actions: Vec<String>,
    /// ARNs that are told of its end.
    #[serde(rename = "OKActions")]
    pub ok_actions: Vec<String>,
    /// ARNs that are told of missing data.
    pub insufficient_data_actions: Vec<String>,
}

/// One dimension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AlarmDimension {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl CloudWatch {
    /// Alarms by name, at most 100; a missing one is not in the answer.
    pub async fn alarms(&self, names: &[&str]) -> Result<Vec<AlarmFacts>, AwsError> {
        let call = self.0.describe_alarms().set_alarm_names(Some(names.iter().map(ToString::to_string).collect()));
        let mut pages = call.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.call("cloudwatch:DescribeAlarms", &names.join(", "))?;
            found.extend(page.metric_alarms.unwrap_or_default().into_iter().map(facts));
        }
        Ok(found)
    }
}

fn facts(alarm: MetricAlarm) -> AlarmFacts {
    let dimension = |dimension: aws_sdk_cloudwatch::types::Dimension| AlarmDimension {
        name: dimension.name.unwrap_or_default(),
        value: dimension.value.unwrap_or_default(),
    };
    AlarmFacts {
        alarm_name: alarm.alarm_name.unwrap_or_default(),
        alarm_description: alarm.alarm_description,
        namespace: alarm.namespace,
        metric_name: alarm.metric_name,
        dimensions: alarm.dimensions.unwrap_or_default().into_iter().map(dimension).collect(),
        // One of the two is in force.
        statistic: match alarm.extended_statistic {
            None => alarm.statistic.map(|statistic| statistic.as_str().to_owned()),
            Some(_) => None,
        },
        extended_statistic: alarm.extended_statistic,
        unit: alarm.unit.map(|unit| unit.as_str().to_owned()),
        period: alarm.period,
        evaluation_periods: alarm.evaluation_periods,
        datapoints_to_alarm: alarm.datapoints_to_alarm,
        threshold: alarm.threshold,
        comparison_operator: alarm.comparison_operator.map(|operator| operator.as_str().to_owned()),
        treat_missing_data: alarm.treat_missing_data,
        evaluate_low_sample_count_percentile: alarm.evaluate_low_sample_count_percentile,
        actions_enabled: alarm.actions_enabled.unwrap_or_default(),
        alarm_actions: alarm.alarm_actions.unwrap_or_default(),
        ok_actions: alarm.ok_actions.unwrap_or_default(),
        insufficient_data_actions: alarm.insufficient_data_actions.unwrap_or_default(),
    }
}
