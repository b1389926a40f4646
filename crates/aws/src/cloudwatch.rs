//! CloudWatch alarms.

use aws_sdk_cloudwatch::types::MetricAlarm;
use serde::Serialize;

use super::AwsError;
use super::error::Call as _;

#[derive(Clone, Debug)]
pub struct CloudWatch(pub(super) aws_sdk_cloudwatch::Client);

/// An alarm on one metric, under the names that templates use.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AlarmFacts {
    /// The key that identifies it.
    #[serde(skip_serializing)]
    pub alarm_name: String,
    pub alarm_description: Option<String>,
    pub namespace: Option<String>,
    pub metric_name: Option<String>,
    /// Dimensions that select one of the metric's series.
    pub dimensions: Vec<AlarmDimension>,
    /// `Sum`, `Average`, …; `None` if the extended statistic is set.
    pub statistic: Option<String>,
    /// A percentile: `p99`.
    pub extended_statistic: Option<String>,
    pub unit: Option<String>,
    /// Seconds.
    pub period: Option<i32>,
    /// Periods that are evaluated.
    pub evaluation_periods: Option<i32>,
    /// How many of them must breach the threshold.
    pub datapoints_to_alarm: Option<i32>,
    pub threshold: Option<f64>,
    /// `GreaterThanOrEqualToThreshold`, …
    pub comparison_operator: Option<String>,
    /// `notBreaching`, `missing`, …
    pub treat_missing_data: Option<String>,
    /// `ignore` or `evaluate`, for percentiles of few samples.
    pub evaluate_low_sample_count_percentile: Option<String>,
    pub actions_enabled: bool,
    /// ARNs to notify of an alarm.
    pub alarm_actions: Vec<String>,
    /// ARNs to notify of its end.
    #[serde(rename = "OKActions")]
    pub ok_actions: Vec<String>,
    /// ARNs to notify of missing data.
    pub insufficient_data_actions: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AlarmDimension {
    pub name: String,
    pub value: String,
}

impl CloudWatch {
    /// Alarms by name, at most 100; a missing one is not in the result.
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
        // AWS evaluates only one of the two.
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
