//! Values of CloudWatch's metrics.

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDatum, MetricStat, StandardUnit};

use super::error::Call as _;
use super::{AwsError, CloudWatch};

/// Queries of one call, as AWS allows.
const QUERIES: usize = 500;

/// One series of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    pub namespace: &'static str,
    pub metric: &'static str,
    pub dimensions: Vec<(&'static str, String)>,
    /// `Sum`, `Average`, …
    pub statistic: &'static str,
}

/// From when to when, and how long each period is; in seconds, the first two since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricSpan {
    pub start: i64,
    pub end: i64,
    pub period: i32,
}

impl CloudWatch {
    /// Adds a value to a metric without dimensions, at the time of AWS's clock.
    pub async fn put_value(&self, namespace: &str, metric: &str, value: f64) -> Result<(), AwsError> {
        let datum = MetricDatum::builder().metric_name(metric).value(value).unit(StandardUnit::Count).build();
        self.0
            .put_metric_data()
            .namespace(namespace)
            .metric_data(datum)
            .send()
            .await
            .call("cloudwatch:PutMetricData", namespace)?;
        Ok(())
    }

    /// The values of each series, the newest first; none where CloudWatch has none.
    pub async fn values(&self, all: &[Series], span: MetricSpan) -> Result<Vec<Vec<f64>>, AwsError> {
        let mut values: Vec<Vec<(i64, f64)>> = vec![Vec::new(); all.len()];
        for (chunk, series) in all.chunks(QUERIES).enumerate() {
            let queries =
                series.iter().enumerate().map(|(at, series)| query(chunk * QUERIES + at, series, span.period));
            let call = self
                .0
                .get_metric_data()
                .set_metric_data_queries(Some(queries.collect()))
                .start_time(DateTime::from_secs(span.start))
                .end_time(DateTime::from_secs(span.end));
            let mut pages = call.into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.call("cloudwatch:GetMetricData", "")?;
                for result in page.metric_data_results.unwrap_or_default() {
                    let at = result.id.as_deref().and_then(|id| id.strip_prefix('m')?.parse::<usize>().ok());
                    if let Some(values) = at.and_then(|at| values.get_mut(at)) {
                        let times = result.timestamps.unwrap_or_default().into_iter().map(|time| time.secs());
                        values.extend(times.zip(result.values.unwrap_or_default()));
                    }
                }
            }
        }
        Ok(values.into_iter().map(newest_first).collect())
    }
}

fn newest_first(mut values: Vec<(i64, f64)>) -> Vec<f64> {
    values.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    values.into_iter().map(|(_, value)| value).collect()
}

fn query(at: usize, series: &Series, period: i32) -> MetricDataQuery {
    let dimensions =
        series.dimensions.iter().map(|(name, value)| Dimension::builder().name(*name).value(value).build());
    let metric = Metric::builder()
        .namespace(series.namespace)
        .metric_name(series.metric)
        .set_dimensions(Some(dimensions.collect()))
        .build();
    let stat = MetricStat::builder().metric(metric).period(period).stat(series.statistic).build();
    MetricDataQuery::builder().id(format!("m{at}")).metric_stat(stat).return_data(true).build()
}
