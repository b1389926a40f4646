//! CloudWatch, whose requests are CBOR.

use super::need::{Asked, Need, tag_list};
use super::table::Row;

pub(super) const ROWS: &[Row] = &[
    ("DeleteDashboards", "cloudwatch:DeleteDashboards", "dashboard"),
    ("DescribeAlarms", "cloudwatch:DescribeAlarms", "alarm"),
    ("GetDashboard", "cloudwatch:GetDashboard", "dashboard"),
    ("GetMetricData", "cloudwatch:GetMetricData", ""),
    ("GetMetricStatistics", "cloudwatch:GetMetricStatistics", ""),
    ("ListMetrics", "cloudwatch:ListMetrics", ""),
    ("ListTagsForResource", "cloudwatch:ListTagsForResource", "dashboard"),
    ("PutDashboard", "cloudwatch:PutDashboard", "dashboard"),
    ("PutMetricData", "cloudwatch:PutMetricData", ""),
    ("TagResource", "cloudwatch:TagResource", "dashboard"),
];

pub(super) fn needs(action: &str, kind: &'static str, asked: &Asked<'_>) -> Result<Vec<Need>, String> {
    let resource = match kind {
        // A list is over all alarms, whatever it is limited to.
        "alarm" => asked.arn("cloudwatch", "alarm:*"),
        "dashboard" => match asked.operation {
            "ListTagsForResource" | "TagResource" => asked.member("ResourceARN")?.to_owned(),
            // Dashboards belong to no region.
            operation => format!("arn:aws:cloudwatch::{}:dashboard/{}", asked.account, name(operation, asked)?),
        },
        _ => "*".to_owned(),
    };
    let tags = tag_list(&asked.json["Tags"]);
    let mut all = vec![Need::new(action, kind, &resource).with_tags(&tags)];
    if asked.operation == "PutMetricData" {
        let namespace = asked.member("Namespace")?;
        all = all.into_iter().map(|need| need.with("cloudwatch:namespace", namespace)).collect();
    }
    if asked.operation == "PutDashboard" && !tags.is_empty() {
        all.push(Need::new("cloudwatch:TagResource", kind, &resource).with_tags(&tags));
    }
    Ok(all)
}

/// The dashboard's name.
fn name<'a>(operation: &str, asked: &Asked<'a>) -> Result<&'a str, String> {
    if operation != "DeleteDashboards" {
        return asked.json["DashboardName"].as_str().ok_or_else(|| "the request has no DashboardName".to_owned());
    }
    match asked.json["DashboardNames"].as_array().map(Vec::as_slice) {
        Some([name]) => name.as_str().ok_or_else(|| "the name of the dashboard is not a string".to_owned()),
        _ => Err("the local cloud deletes one dashboard at a time".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::{asked, shown};

    #[test]
    fn dashboards_are_of_no_region_and_alarms_of_one() {
        let post = |body: &str| hyper::Request::post("/").body(body.to_owned()).unwrap();
        let alarms = "arn:aws:cloudwatch:us-west-2:111111111111:alarm:*";
        assert_eq!(shown(&asked("monitoring", "DescribeAlarms", post(""))), [("cloudwatch:DescribeAlarms", alarms)]);
        let dashboard = "arn:aws:cloudwatch::111111111111:dashboard/99-upload";
        for (operation, body) in [
            ("GetDashboard", r#"{"DashboardName":"99-upload"}"#.to_owned()),
            ("DeleteDashboards", r#"{"DashboardNames":["99-upload"]}"#.to_owned()),
            ("TagResource", format!(r#"{{"ResourceARN":"{dashboard}","Tags":[]}}"#)),
        ] {
            let action = format!("cloudwatch:{operation}");
            assert_eq!(shown(&asked("monitoring", operation, post(&body))), [(action.as_str(), dashboard)]);
        }
        let put = post(r#"{"Namespace":"sftpctl/99-upload-us-west-2"}"#);
        let metric = asked("monitoring", "PutMetricData", put);
        assert_eq!(metric[0].context["cloudwatch:namespace"], ["sftpctl/99-upload-us-west-2"]);
        let put = post(r#"{"DashboardName":"99-upload","Tags":[{"Key":"a","Value":"b"}]}"#);
        let both = [("cloudwatch:PutDashboard", dashboard), ("cloudwatch:TagResource", dashboard)];
        assert_eq!(shown(&asked("monitoring", "PutDashboard", put)), both);
    }
}
