"""Makes parts of environment 99 by hand, and looks at them, with botocore alone. Usage: handmade.py ENDPOINT COMMAND"""

import json
import sys

import botocore.session
from botocore.exceptions import ClientError

ENDPOINT, COMMAND = sys.argv[1:3]
ACCOUNT = "111111111111"
SESSION = botocore.session.Session()
SESSION.set_credentials(ACCOUNT, "fake-secret")
TABLE, BUCKET, ROLE, HOST = "dydb-99-uploads", "pl-pt99-5-uploads", "sftp-transfer", "99-uploads-us-west-2.xx.net."


def client(service):
    return SESSION.create_client(service, region_name="us-west-2", endpoint_url=ENDPOINT)


def zone():
    return client("route53").list_hosted_zones()["HostedZones"][0]["Id"]


def make():
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName=TABLE, BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "orgid", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "orgid", "KeyType": "HASH"}])
    dynamodb.put_item(TableName=TABLE, Item={"orgid": {"N": "17578"}, "username": {"S": "customer"}})
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "transfer.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    client("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(trust), Tags=[
        {"Key": "made-by", "Value": "hand"}])
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "made-by", "Value": "hand"}]})
    s3.put_object(Bucket=BUCKET, Key="17578/old.txt", Body=b"old")
    client("route53").change_resource_record_sets(HostedZoneId=zone(), ChangeBatch={"Changes": [
        {"Action": "CREATE", "ResourceRecordSet": {
            "Name": HOST, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "old.example.com"}]}}]})
    return client("transfer").create_server(
        IdentityProviderType="API_GATEWAY", IdentityProviderDetails={
            "Url": "https://old.execute-api.us-west-2.amazonaws.com/prod",
            "InvocationRole": f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"})["ServerId"]


def look():
    """What must be the same before and after."""
    transfer = client("transfer")
    servers = transfer.list_servers()["Servers"]
    server = transfer.describe_server(ServerId=servers[0]["ServerId"])["Server"]
    return {
        "servers": [s["ServerId"] for s in servers],
        "host key": server["HostKeyFingerprint"],
        "item": client("dynamodb").get_item(TableName=TABLE, Key={"orgid": {"N": "17578"}})["Item"],
        "file": client("s3").get_object(Bucket=BUCKET, Key="17578/old.txt")["Body"].read().decode(),
        "role id": client("iam").get_role(RoleName=ROLE)["Role"]["RoleId"],
        "role tag": [t for t in client("iam").list_role_tags(RoleName=ROLE)["Tags"] if t["Key"] == "made-by"],
    }


def bucket():
    """Whether the bucket keeps versions, and shuts the public out."""
    s3 = client("s3")
    try:
        block = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    except ClientError:
        block = {"none": False}
    return [s3.get_bucket_versioning(Bucket=BUCKET).get("Status", ""), all(block.values())]


def meddle(what):
    function = "lambda-99-upload-us-west-2"
    if what == "memory":
        client("lambda").update_function_configuration(FunctionName=function, MemorySize=512)
    elif what == "retention":
        client("logs").put_retention_policy(logGroupName=f"/aws/lambda/{function}", retentionInDays=1)
    elif what == "method":
        gateway = client("apigateway")
        api = next(a["id"] for a in gateway.get_rest_apis()["items"] if a["name"] == "api-99-upload-us-west-2")
        resource = next(r["id"] for r in gateway.get_resources(restApiId=api, limit=500)["items"]
                        if r["path"].endswith("/config"))
        gateway.update_method(restApiId=api, resourceId=resource, httpMethod="GET", patchOperations=[
            {"op": "replace", "path": "/authorizationType", "value": "NONE"}])
    elif what == "trigger":
        client("lambda").remove_permission(FunctionName=function, StatementId="sftpctl-api-trigger")
    elif what == "other-environment":
        client("iam").tag_role(RoleName=ROLE, Tags=[{"Key": "sftpctl:environment", "Value": "98"}])
    else:
        raise SystemExit(f"unknown: {what}")


if COMMAND == "make":
    print(make())
elif COMMAND == "look":
    print(json.dumps(look(), sort_keys=True))
elif COMMAND == "bucket":
    print(json.dumps(bucket()))
elif COMMAND == "meddle":
    meddle(sys.argv[3])
else:
    raise SystemExit(f"unknown command {COMMAND}")
