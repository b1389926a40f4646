"""The dashboard of a deployed environment 99, by botocore alone. Usage: dashboard.py ENDPOINT COMMAND"""

import datetime
import json
import sys

import front_secret
import late
from checks import equal, refused

ENDPOINT, COMMAND = sys.argv[1:3]
ACCOUNT, NAME = "111111111111", "99-upload"
ARN = f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{NAME}"
SESSION = late.session()
SESSION.set_credentials(ACCOUNT, front_secret.SECRET)


def client(service, region="us-west-2"):
    return SESSION.create_client(service, region_name=region, endpoint_url=ENDPOINT)


CLOUDWATCH = client("cloudwatch")


def body():
    return json.loads(CLOUDWATCH.get_dashboard(DashboardName=NAME)["DashboardBody"])


def put(changed, **more):
    return CLOUDWATCH.put_dashboard(DashboardName=NAME, DashboardBody=json.dumps(changed), **more)


def servers():
    return {region: client("transfer", region).list_servers()["Servers"][0]["ServerId"]
            for region in ("us-west-2", "us-east-2")}


def deployed():
    """One dashboard, seen from every region, with today's servers, and what its lines name is there."""
    for region in ("us-west-2", "us-east-2", "us-east-1"):
        names = [entry["DashboardName"] for entry in client("cloudwatch", region).list_dashboards()["DashboardEntries"]]
        equal(region, names, [NAME])
    tags = {tag["Key"]: tag["Value"] for tag in CLOUDWATCH.list_tags_for_resource(ResourceARN=ARN)["Tags"]}
    equal("tags", (tags["sftpctl:environment"], tags["owner"]), ("99", "devops"))
    widgets = body()["widgets"]
    shown = {}
    for widget in widgets:
        for metric in widget["properties"].get("metrics", []):
            names = dict(zip(metric[2:-1:2], metric[3:-1:2]))
            for name, value in names.items():
                shown.setdefault(name, set()).add((metric[-1]["region"], value))
    equal("servers", shown["ServerId"], set(servers().items()))
    for region, name in shown["FunctionName"]:
        client("lambda", region).get_function(FunctionName=name)
    for region, name in shown["TableName"]:
        client("dynamodb", region).describe_table(TableName=name)
    for region, name in shown["ApiName"]:
        assert name in [api["name"] for api in client("apigateway", region).get_rest_apis()["items"]], name
    alarms = [arn for widget in widgets if widget["type"] == "alarm" for arn in widget["properties"]["alarms"]]
    there = [alarm["AlarmArn"] for region in ("us-west-2", "us-east-2", "us-east-1")
             for alarm in client("cloudwatch", region).describe_alarms()["MetricAlarms"]]
    equal("alarms", sorted(alarms), sorted(there))


def charges():
    """The widget shows what billing puts into CloudWatch (its user guide, "Create a billing alarm"): the sum of the
    account by currency, every six hours, and the sum of each service by two dimensions, which is another metric."""
    widget = next(one for one in body()["widgets"] if one["properties"].get("title", "").startswith("Charges"))
    (namespace, name, *dimensions, options), = widget["properties"]["metrics"]
    end = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    usd, of_s3 = {"Name": "Currency", "Value": "USD"}, {"Name": "ServiceName", "Value": "AmazonS3"}

    def value(amount, hours, *names):
        return {"MetricName": "EstimatedCharges", "Dimensions": list(names), "Value": amount,
                "Timestamp": end - datetime.timedelta(hours=hours)}

    client("cloudwatch", "us-east-1").put_metric_data(Namespace="AWS/Billing", MetricData=[
        value(12.5, 7, usd), value(13.25, 1, usd), value(99, 1, usd, of_s3)])
    asked = [{"Name": key, "Value": value} for key, value in zip(dimensions[::2], dimensions[1::2])]
    points = client("cloudwatch", options["region"]).get_metric_statistics(
        Namespace=namespace, MetricName=name, Dimensions=asked, Period=widget["properties"]["period"],
        Statistics=[options["stat"]], StartTime=end - datetime.timedelta(days=1), EndTime=end)["Datapoints"]
    equal("charges", sorted(point[options["stat"]] for point in points), [12.5, 13.25])


def meddle():
    """By hand: a title, a widget more, and a tag less."""
    changed = body()
    next(widget for widget in changed["widgets"] if widget["properties"].get("title", "").startswith("Files"))["width"] = 24
    changed["widgets"].append({"type": "text", "x": 0, "y": 60, "width": 24, "height": 2, "properties": {"markdown": "mine"}})
    put(changed)
    CLOUDWATCH.untag_resource(ResourceARN=ARN, TagKeys=["owner"])


def foreign():
    put({"widgets": []})


def disown():
    CLOUDWATCH.untag_resource(ResourceARN=ARN, TagKeys=["sftpctl:environment"])


def gone():
    refused("the dashboard", "ResourceNotFound", "does not exist", CLOUDWATCH.get_dashboard, DashboardName=NAME)


def delete():
    CLOUDWATCH.delete_dashboards(DashboardNames=[NAME])


def strict():
    """What CloudWatch was reported to refuse."""
    def metric(line):
        widget = {"type": "metric", "x": 0, "y": 0, "width": 6, "height": 6,
                  "properties": {"region": "us-west-2", "metrics": [line]}}
        return {"widgets": [widget]}

    cases = [
        (metric(["AWS/Lambda", "Errors", {"FunctionName": "f"}, {"stat": "Sum"}]), "only 'String' type is allowed"),
        (metric(["AWS/Lambda", "Errors", "FunctionName"]), "Should NOT have more than 2 items"),
        ({"widgets": [{"type": "chart", "properties": {}}]}, "allowed values"),
        ({"widgets": [{"type": "metric", "x": 24, "y": 0, "properties": {"region": "us-west-2"}}]}, "Should be <= 23"),
        ({}, "required property 'widgets'"),
    ]
    for wrong, text in cases:
        refused(text, "InvalidParameterInput", "The dashboard body is invalid, there are 1 validation errors", put,
                changed=wrong)
        refused(text, "InvalidParameterInput", text, put, changed=wrong)
    refused("a name", "InvalidParameterValue", "DashboardName", CLOUDWATCH.put_dashboard, DashboardName="a b",
            DashboardBody="{}")


print(json.dumps({
    "deployed": deployed, "meddle": meddle, "foreign": foreign, "disown": disown, "gone": gone, "delete": delete,
    "strict": strict, "charges": charges,
}[COMMAND]() or {}))
