//! What customers used of an environment, measured by CloudWatch.

use sftpctl_aws::{Aws, AwsError, MetricSpan, Series};
use sftpctl_core::cost::bill::HOURS;
use sftpctl_core::cost::money::Quantity;
use sftpctl_core::cost::usage::{Basis, Estimate, Field, Usage};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

use crate::verify::login::server;

const DAY: i64 = 24 * 60 * 60;
const GB: f64 = 1024.0 * 1024.0 * 1024.0;

/// Replaces what is assumed or given of each region by what CloudWatch has of the last `days`, as a month's. `now` is in
/// seconds since 1970. Returns the regions of which CloudWatch has nothing.
///
/// # Errors
/// A call to AWS fails.
pub async fn measure(
    aws: &Aws,
    environment: &Environment,
    days: u32,
    now: i64,
    usage: &mut Usage,
) -> Result<Vec<String>, AwsError> {
    // Whole days that have ended, of UTC: today is not over, and CloudWatch has the sizes of buckets once a day.
    let end = now - now.rem_euclid(DAY);
    let span = MetricSpan { start: end - i64::from(days) * DAY, end, period: 24 * 60 * 60 };
    let mut silent = Vec::new();
    for (region, settings) in &environment.regions {
        if settings.server {
            let found = server(aws, environment, region, None).await?;
            let id = found.map(|server| server.id);
            if !traffic(aws, environment, region, id.as_deref(), (span, days), usage).await? {
                silent.push(region.clone());
            }
        }
        stored(aws, environment, region, span, usage).await?;
    }
    Ok(silent)
}

/// What was used at a region's server. Whether there was anything.
async fn traffic(
    aws: &Aws,
    environment: &Environment,
    region: &str,
    server: Option<&str>,
    (span, days): (MetricSpan, u32),
    usage: &mut Usage,
) -> Result<bool, AwsError> {
    let sum = |namespace, metric, dimensions| Series { namespace, metric, dimensions, statistic: "Sum" };
    let api = || vec![("ApiName", names::api(environment, region)), ("Stage", "prod".to_owned())];
    let function = || vec![("FunctionName", names::function(environment, region))];
    let table = |more: &[(&'static str, &str)]| {
        let own = [("TableName", environment.table.name.as_str())];
        own.iter().chain(more).map(|(name, value)| (*name, (*value).to_owned())).collect()
    };
    let mut all = vec![
        sum("AWS/ApiGateway", "Count", api()),
        sum("AWS/Lambda", "Invocations", function()),
        sum("AWS/Lambda", "Duration", function()),
        sum("AWS/DynamoDB", "ConsumedReadCapacityUnits", table(&[])),
        // The authorizer finds an account by the index, whose reads are counted apart.
        sum("AWS/DynamoDB", "ConsumedReadCapacityUnits", table(&[("GlobalSecondaryIndexName", names::TABLE_INDEX)])),
    ];
    for metric in ["BytesIn", "BytesOut", "FilesIn", "FilesOut"] {
        let server = server.unwrap_or("none").to_owned();
        all.push(sum("AWS/Transfer", metric, vec![("ServerId", server)]));
    }
    for group in names::log_groups(environment, region) {
        all.push(sum("AWS/Logs", "IncomingBytes", vec![("LogGroupName", group)]));
    }
    let values = aws.cloudwatch(region).values(&all, span).await?;
    let sums: Vec<f64> = values.iter().map(|values| values.iter().sum()).collect();
    // Nothing is published without traffic, so nothing means none, if anything else says that there is data at all.
    if sums.iter().all(|sum| *sum <= 0.0) {
        return Ok(false);
    }
    let monthly = |value: f64| {
        #[expect(clippy::cast_precision_loss, reason = "730")]
        let months = f64::from(days) * 24.0 / HOURS as f64;
        value / months
    };
    let (log_ins, invocations) = (sums[0], sums[1]);
    let (transfer, logs) = (&sums[5..9], sums[9..].iter().sum::<f64>());
    let files = transfer[2] + transfer[3];
    let mut set = |field, value: f64| {
        let quantity = Quantity::from_number(value).unwrap_or_default();
        usage.set(region, field, Estimate::exactly(quantity, Basis::Measured));
    };
    set(Field::LogIns, monthly(log_ins));
    set(Field::UploadedGb, monthly(transfer[0] / GB));
    set(Field::DownloadedGb, monthly(transfer[1] / GB));
    set(Field::UploadedFiles, monthly(transfer[2]));
    set(Field::DownloadedFiles, monthly(transfer[3]));
    if invocations > 0.0 {
        set(Field::AuthorizerMs, sums[2] / invocations);
    }
    if log_ins > 0.0 {
        set(Field::ReadUnits, (sums[3] + sums[4]) / log_ins);
        // All lines as if they were of log-ins: their sum is what counts.
        set(Field::LogKbPerLogIn, logs / 1024.0 / log_ins);
        set(Field::LogKbPerFile, 0.0);
    } else if files > 0.0 {
        set(Field::LogKbPerFile, logs / 1024.0 / files);
    }
    Ok(true)
}

/// What a region's upload buckets hold, old versions included.
async fn stored(
    aws: &Aws,
    environment: &Environment,
    region: &str,
    span: MetricSpan,
    usage: &mut Usage,
) -> Result<(), AwsError> {
    let clusters = environment.clusters.iter().filter(|(_, cluster)| cluster.region == region);
    let all: Vec<Series> = clusters
        .map(|(cluster, _)| Series {
            namespace: "AWS/S3",
            metric: "BucketSizeBytes",
            dimensions: vec![
                ("BucketName", names::upload_bucket(environment, cluster)),
                ("StorageType", "StandardStorage".to_owned()),
            ],
            statistic: "Average",
        })
        .collect();
    if all.is_empty() {
        return Ok(());
    }
    let values = aws.cloudwatch(region).values(&all, span).await?;
    if values.iter().all(Vec::is_empty) {
        return Ok(());
    }
    let bytes: f64 = values.iter().filter_map(|values| values.first()).sum();
    let gb = Quantity::from_number(bytes / GB).unwrap_or_default();
    usage.set(region, Field::StoredGb, Estimate::exactly(gb, Basis::Measured));
    // The sizes have old versions in them.
    usage.set(region, Field::OverwrittenPercent, Estimate::exactly(Quantity::ZERO, Basis::Measured));
    Ok(())
}
