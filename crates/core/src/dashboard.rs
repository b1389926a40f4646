//! The widgets of an environment's CloudWatch dashboard. Pure.
//!
//! Dashboards belong to no region, and each widget names its own: one dashboard shows all regions. Source: CloudWatch
//! user guide, "Dashboard body structure and syntax". A metric there is an array of strings, namespace and name before
//! names and values of dimensions in turn, and an object at its end at most: CloudWatch refuses any other.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::spec::model::Environment;
use crate::spec::names;
use crate::template;

/// Columns of a dashboard.
const WIDTH: u64 = 24;
const HEIGHT: u64 = 6;
/// The most alarms that a widget shows.
const ALARMS: usize = 100;
/// Seconds of a point.
const PERIOD: u64 = 300;

/// Widgets by their titles, in the order of the dashboard.
pub type Widgets = Vec<(&'static str, Value)>;

/// Titles of all widgets that there can be.
pub const TITLES: [&str; 12] =
    [ABOUT, ALARM_STATES, LOG_INS, REFUSALS, LATENCY, ERRORS, BYTES, FILES, REPLICATION, THROTTLES, QUEUES, CHARGES];
const ABOUT: &str = "About";
const ALARM_STATES: &str = "Alarms";
const LOG_INS: &str = "Questions to the authorizer";
const REFUSALS: &str = "Refused log-ins, and those for a reason of ours";
const LATENCY: &str = "Time to an answer, in milliseconds";
const ERRORS: &str = "Errors and throttled calls";
const BYTES: &str = "Bytes uploaded and downloaded";
const FILES: &str = "Files uploaded and downloaded";
const REPLICATION: &str = "Replication of the account table, in milliseconds";
const THROTTLES: &str = "Throttled requests to the account table";
const QUEUES: &str = "Messages of new files that wait, and that nobody could take";
const CHARGES: &str = "Charges of the whole AWS account this month, in USD";

/// The dashboard's widgets.
///
/// # Arguments
/// `servers` has the ID of each region's server.
pub fn widgets(environment: &Environment, servers: &BTreeMap<String, String>) -> Widgets {
    let mut all = Layout { environment, servers, widgets: Vec::new(), next: (0, 0) };
    all.about();
    all.alarms();
    all.log_ins();
    all.table();
    all.queues();
    // CloudWatch has it in us-east-1 only, and only if the account's billing preferences ask for it.
    let charges = metric(&["AWS/Billing", "EstimatedCharges", "Currency", "USD"], "us-east-1", "USD", "Maximum");
    all.chart(CHARGES, vec![charges], json!({ "period": 21_600, "region": "us-east-1" }));
    all.widgets
}

/// The dashboard's body, which CloudWatch keeps as text.
pub fn body(widgets: &Widgets) -> Value {
    json!({ "widgets": widgets.iter().map(|(_, widget)| widget).collect::<Vec<_>>() })
}

/// A dashboard's widgets by title, with what is of no title of ours under the last, `None`.
pub fn parts(body: &Value) -> (BTreeMap<&'static str, Value>, Vec<Value>) {
    let (mut ours, mut others) = (BTreeMap::new(), Vec::new());
    for widget in body["widgets"].as_array().into_iter().flatten() {
        let title = widget["properties"]["title"].as_str().unwrap_or(ABOUT);
        match TITLES.iter().find(|ours| **ours == title) {
            Some(title) if !ours.contains_key(title) => drop(ours.insert(*title, widget.clone())),
            _ => others.push(widget.clone()),
        }
    }
    (ours, others)
}

/// Widgets side by side, from the top.
struct Layout<'a> {
    environment: &'a Environment,
    servers: &'a BTreeMap<String, String>,
    widgets: Widgets,
    /// Column and row of the next one.
    next: (u64, u64),
}

impl Layout<'_> {
    fn add(&mut self, title: &'static str, kind: &str, (width, height): (u64, u64), properties: Value) {
        let (x, y) = self.next;
        self.next = if x + width < WIDTH { (x + width, y) } else { (0, y + height) };
        let widget =
            json!({ "type": kind, "x": x, "y": y, "width": width, "height": height, "properties": properties });
        self.widgets.push((title, widget));
    }

    /// A chart over time; `more` are properties besides the usual ones.
    fn chart(&mut self, title: &'static str, metrics: Vec<Value>, more: Value) {
        if metrics.is_empty() {
            return;
        }
        let mut properties = json!({
            "title": title,
            "view": "timeSeries",
            "stacked": false,
            "region": self.environment.home_region,
            "period": PERIOD,
            "metrics": metrics,
        });
        if let (Value::Object(properties), Value::Object(more)) = (&mut properties, more) {
            properties.extend(more);
        }
        self.add(title, "metric", (WIDTH / 2, HEIGHT), properties);
    }

    fn about(&mut self) {
        let name = &self.environment.name;
        let text = format!(
            "# SFTP environment {name}\n\nMade by sftpctl: `sftpctl deploy --env {name}` undoes changes by hand. \
             Who did what: `sftpctl logs --env {name}`. Why a customer is refused: `sftpctl test-login --env {name}`."
        );
        self.add(ABOUT, "text", (WIDTH, 3), json!({ "markdown": text }));
    }

    fn alarms(&mut self) {
        let regions = self.environment.regions.keys();
        let arns: Vec<_> = regions
            .flat_map(|region| {
                let account = &self.environment.account;
                let arn = move |name| format!("arn:aws:cloudwatch:{region}:{account}:alarm:{name}");
                template::alarms(self.environment, region).into_iter().map(arn)
            })
            .take(ALARMS)
            .collect();
        self.add(ALARM_STATES, "alarm", (WIDTH, 3), json!({ "title": ALARM_STATES, "alarms": arns }));
    }

    fn log_ins(&mut self) {
        let environment = self.environment;
        let (mut asked, mut refused, mut latency, mut errors) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut bytes, mut files) = (Vec::new(), Vec::new());
        for (region, id) in self.servers {
            let (function, api) = (names::function(environment, region), names::api(environment, region));
            let own = names::metric_namespace(environment, region);
            let of_lambda = |name: &str, label: &str, stat: &str| {
                metric(&["AWS/Lambda", name, "FunctionName", &function], region, &format!("{region} {label}"), stat)
            };
            asked.push(of_lambda("Invocations", "questions", "Sum"));
            if environment.metrics.refusal_reasons {
                let search = format!("SEARCH('{{{own},Reason}} MetricName=\"Refusals\"', 'Sum', {PERIOD})");
                refused.push(json!([{ "expression": search, "label": format!("{region} "), "region": region }]));
            } else {
                refused.push(metric(&[&own, "Refusals"], region, &format!("{region} refused"), "Sum"));
            }
            refused.push(metric(&[&own, "Faults"], region, &format!("{region} for a reason of ours"), "Sum"));
            latency.push(of_lambda("Duration", "authorizer, one of 100", "p99"));
            let of_api = |name: &str, label: &str, stat: &str| {
                let dimensions = ["AWS/ApiGateway", name, "ApiName", &api, "Stage", names::STAGE];
                metric(&dimensions, region, &format!("{region} {label}"), stat)
            };
            latency.push(of_api("Latency", "API, one of 100", "p99"));
            errors.push(of_lambda("Errors", "authorizer fails", "Sum"));
            errors.push(of_lambda("Throttles", "authorizer is throttled", "Sum"));
            errors.push(of_api("5XXError", "API answers 5xx", "Sum"));
            for (to, names) in [(&mut bytes, ["BytesIn", "BytesOut"]), (&mut files, ["FilesIn", "FilesOut"])] {
                for (name, label) in names.into_iter().zip(["uploaded", "downloaded"]) {
                    let dimensions = ["AWS/Transfer", name, "ServerId", id];
                    to.push(metric(&dimensions, region, &format!("{region} {label}"), "Sum"));
                }
            }
        }
        for (title, metrics) in [
            (LOG_INS, asked),
            (REFUSALS, refused),
            (LATENCY, latency),
            (ERRORS, errors),
            (BYTES, bytes),
            (FILES, files),
        ] {
            self.chart(title, metrics, json!({}));
        }
    }

    /// The table's own metrics: DynamoDB counts a replica's latency in the region that sends.
    fn table(&mut self) {
        let Environment { table, home_region, .. } = self.environment;
        let away = table.regions.iter().filter(|region| *region != home_region);
        let latency = away.map(|region| {
            let dimensions =
                ["AWS/DynamoDB", "ReplicationLatency", "TableName", &table.name, "ReceivingRegion", region];
            metric(&dimensions, home_region, &format!("to {region}"), "Average")
        });
        let latency = latency.collect();
        self.chart(REPLICATION, latency, json!({}));
        let mut all: Vec<&String> = table.regions.iter().collect();
        if !all.contains(&home_region) {
            all.push(home_region);
        }
        let throttled = all.into_iter().flat_map(|region| {
            [("ReadThrottleEvents", "reads"), ("WriteThrottleEvents", "writes")].map(|(name, label)| {
                let dimensions = ["AWS/DynamoDB", name, "TableName", &table.name];
                metric(&dimensions, region, &format!("{region} {label}"), "Sum")
            })
        });
        let throttled = throttled.collect();
        self.chart(THROTTLES, throttled, json!({}));
    }

    fn queues(&mut self) {
        let environment = self.environment;
        if !environment.files.events {
            return;
        }
        let metrics = environment.clusters.iter().flat_map(|(cluster, settings)| {
            let waiting = (names::events_queue(environment, cluster), format!("{cluster} waiting"));
            let dead = (names::events_dead_queue(environment, cluster), format!("{cluster} dead letters"));
            [waiting, dead].map(|(queue, label)| {
                let dimensions = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", &queue];
                metric(&dimensions, &settings.region, &label, "Maximum")
            })
        });
        let metrics = metrics.collect();
        self.chart(QUEUES, metrics, json!({}));
    }
}

/// A line of a chart: namespace, name, and dimensions.
fn metric(parts: &[&str], region: &str, label: &str, stat: &str) -> Value {
    let mut all: Vec<Value> = parts.iter().map(|part| Value::from(*part)).collect();
    let options = [("region", region), ("label", label), ("stat", stat)];
    all.push(Value::Object(
        options.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect::<Map<_, _>>(),
    ));
    Value::Array(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;

    fn environment(more: &str) -> Environment {
        let file = format!("{}{more}", include_str!("../../../environments/99.yaml"));
        spec::load(&file, "99.yaml").unwrap()
    }

    fn servers() -> BTreeMap<String, String> {
        ["us-west-2", "us-east-2"].map(|region| (region.to_owned(), format!("s-{region}"))).into()
    }

    /// What CloudWatch was reported to check of a metric, and what its user guide says about widgets.
    #[test]
    fn every_widget_is_as_cloudwatch_takes_it() {
        let all = widgets(&environment("\nfiles: { events: true }\n"), &servers());
        assert_eq!(all.iter().map(|(title, _)| *title).collect::<Vec<_>>(), TITLES);
        let mut taken = std::collections::BTreeSet::new();
        for (title, widget) in &all {
            let number = |name: &str| widget[name].as_u64().unwrap();
            for x in number("x")..number("x") + number("width") {
                assert!(x < WIDTH, "{title}");
                for y in number("y")..number("y") + number("height") {
                    assert!(taken.insert((x, y)), "{title} is over another");
                }
            }
            for metric in widget["properties"]["metrics"].as_array().into_iter().flatten() {
                let parts = metric.as_array().unwrap();
                let (last, strings) = parts.split_last().unwrap();
                assert!(last.is_object() && strings.iter().all(Value::is_string), "{title}: {metric}");
                let is_expression = last.get("expression").is_some();
                assert!(is_expression == strings.is_empty() && strings.len() % 2 == 0, "{title}: {metric}");
            }
        }
        assert!(body(&all).to_string().len() < 30_000, "a dashboard of two regions has become large");
    }

    #[test]
    fn reasons_have_lines_of_their_own_where_they_have_metrics() {
        let all = widgets(&environment("\nmetrics: { refusal_reasons: true }\n"), &servers());
        let refusals = all.iter().find(|(title, _)| *title == REFUSALS).unwrap();
        let shown = refusals.1.to_string();
        assert!(shown.contains(r#"SEARCH('{sftpctl/99-upload-us-east-2,Reason} MetricName=\"Refusals\"'"#), "{shown}");
    }

    /// As billing puts it into CloudWatch: "Create a billing alarm to monitor your estimated AWS charges" in
    /// CloudWatch's user guide. With a dimension more it would be the charges of one service.
    #[test]
    fn charges_are_those_of_the_whole_account() {
        let all = widgets(&environment(""), &BTreeMap::new());
        let (_, charges) = all.iter().find(|(title, _)| *title == CHARGES).unwrap();
        let line = json!(["AWS/Billing", "EstimatedCharges", "Currency", "USD",
            { "region": "us-east-1", "label": "USD", "stat": "Maximum" }]);
        assert_eq!(charges["properties"]["metrics"], json!([line]));
        assert_eq!(
            (&charges["properties"]["region"], &charges["properties"]["period"]),
            (&json!("us-east-1"), &json!(21_600))
        );
    }

    #[test]
    fn a_body_is_taken_apart_as_it_was_made() {
        let all = widgets(&environment(""), &servers());
        let mut whole = body(&all);
        let (ours, others) = parts(&whole);
        assert_eq!(ours, all.into_iter().collect());
        assert!(others.is_empty());
        let twice = whole["widgets"][1].clone();
        whole["widgets"].as_array_mut().unwrap().extend([twice, json!({ "type": "text", "properties": {} })]);
        assert_eq!(parts(&whole).1.len(), 2);
    }
}
