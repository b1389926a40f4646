"""What the alarms on canaries see, by botocore alone: for each region the values' number and sum. Usage: canary.py ENDPOINT"""

import datetime
import sys

import front_secret
import late

ENDPOINT = sys.argv[1]
SESSION = late.session()
SESSION.set_credentials("111111111111", front_secret.SECRET)
NOW = datetime.datetime.now(datetime.timezone.utc)


def seen(region):
    """Found by the alarm's own properties, as CloudWatch finds it."""
    cloudwatch = SESSION.create_client("cloudwatch", region_name=region, endpoint_url=ENDPOINT)
    alarms = cloudwatch.describe_alarms(AlarmNames=[f"99-upload-{region}-no-canary"])["MetricAlarms"]
    if not alarms:
        return "no alarm"
    [alarm] = alarms
    assert alarm["TreatMissingData"] == "breaching" and alarm["ComparisonOperator"] == "LessThanOrEqualToThreshold", alarm
    points = cloudwatch.get_metric_statistics(
        Namespace=alarm["Namespace"], MetricName=alarm["MetricName"], Dimensions=alarm.get("Dimensions", []), Period=3600,
        StartTime=NOW - datetime.timedelta(hours=2), EndTime=NOW + datetime.timedelta(hours=1),
        Statistics=["Sum", "SampleCount"])["Datapoints"]
    return f"{sum(point['SampleCount'] for point in points):.0f} {sum(point['Sum'] for point in points):.0f}"


print("; ".join(f"{region}: {seen(region)}" for region in ("us-east-1", "us-east-2", "us-west-2")))
