"""Puts a month's usage of environment 99 in us-west-2 into CloudWatch, with botocore alone. Usage: metrics.py ENDPOINT"""

import datetime
import sys

import front_secret
import late

ENDPOINT = sys.argv[1]
SESSION = late.session()
SESSION.set_credentials("111111111111", front_secret.SECRET)
GB = 1024 ** 3


def client(service):
    return SESSION.create_client(service, region_name="us-west-2", endpoint_url=ENDPOINT)


SERVER = client("transfer").list_servers()["Servers"][0]["ServerId"]
API = {"ApiName": "api-99-upload-us-west-2", "Stage": "prod"}
# In 30 days, of 720 hours: a month has 730.
PARTS = [
    ("AWS/ApiGateway", "Count", API, 720000),
    ("AWS/Transfer", "BytesIn", {"ServerId": SERVER}, 360 * GB),
    ("AWS/Transfer", "FilesIn", {"ServerId": SERVER}, 72000),
    ("AWS/DynamoDB", "ConsumedReadCapacityUnits",
     {"TableName": "dydb-99-uploads", "GlobalSecondaryIndexName": "username-index"}, 360000),
    ("AWS/Logs", "IncomingBytes", {"LogGroupName": "/aws/lambda/lambda-99-upload-us-west-2"}, 720000 * 1024),
    ("AWS/S3", "BucketSizeBytes", {"BucketName": "pl-pt99-5-uploads", "StorageType": "StandardStorage"}, 100 * GB),
    ("AWS/S3", "BucketSizeBytes", {"BucketName": "pl-pt99-0-uploads", "StorageType": "StandardStorage"}, 50 * GB),
]
NOW = datetime.datetime.now(datetime.timezone.utc)
for namespace, name, dimensions, value in PARTS:
    # A total comes in two halves, a size is there twice, the older one half of it.
    is_size = name == "BucketSizeBytes"
    for days in (3, 1):
        client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[{
            "MetricName": name, "Timestamp": NOW - datetime.timedelta(days=days),
            "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
            "Value": value if is_size and days == 1 else value / 2}])
# Today is not over, and is not counted.
client("cloudwatch").put_metric_data(Namespace="AWS/Transfer", MetricData=[{
    "MetricName": "BytesIn", "Timestamp": NOW, "Dimensions": [{"Name": "ServerId", "Value": SERVER}], "Value": 999 * GB}])
