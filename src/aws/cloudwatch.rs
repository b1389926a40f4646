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
    /// Its name.
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
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let object = names.join(", ");
        let mut found = Vec::new();
        let mut pages = self.0.describe_alarms().set_alarm_names(Some(names)).into_paginator().send();
        while let Some(page) = pages.next().await {
            found.extend(page.call("cloudwatch:DescribeAlarms", &object)?.metric_alarms().iter().map(facts));
        }
        Ok(found)
    }
}

fn facts(alarm: &MetricAlarm) -> AlarmFacts {
    let text = |value: Option<&str>| value.filter(|text| !text.is_empty()).map(str::to_owned);
    let extended = text(alarm.extended_statistic());
    AlarmFacts {
        alarm_name: alarm.alarm_name().unwrap_or_default().to_owned(),
        alarm_description: text(alarm.alarm_description()),
        namespace: text(alarm.namespace()),
        metric_name: text(alarm.metric_name()),
        dimensions: alarm
            .dimensions()
            .iter()
            .map(|one| AlarmDimension {
                name: one.name().unwrap_or_default().to_owned(),
                value: one.value().unwrap_or_default().to_owned(),
            })
            .collect(),
        statistic: text(alarm.statistic().map(|statistic| statistic.as_str())).filter(|_| extended.is_none()),
        extended_statistic: extended,
        unit: text(alarm.unit().map(|unit| unit.as_str())),
        period: alarm.period(),
        evaluation_periods: alarm.evaluation_periods(),
        datapoints_to_alarm: alarm.datapoints_to_alarm(),
        threshold: alarm.threshold(),
        comparison_operator: text(alarm.comparison_operator().map(|operator| operator.as_str())),
        treat_missing_data: text(alarm.treat_missing_data()),
        evaluate_low_sample_count_percentile: text(alarm.evaluate_low_sample_count_percentile()),
        actions_enabled: alarm.actions_enabled().unwrap_or(true),
        alarm_actions: alarm.alarm_actions().to_vec(),
        ok_actions: alarm.ok_actions().to_vec(),
        insufficient_data_actions: alarm.insufficient_data_actions().to_vec(),
    }
}
