"""The authorizer as it would be written in Python: the equivalent that the Rust authorizer is compared with."""
import base64
import hashlib
import hmac
import ipaddress
import json
import os

import boto3

SERVER = os.environ["SERVER_ID"]
BLOCKED = {name.strip().lower() for name in os.environ["BLOCK_LIST"].split(",")}
TABLE = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])


def policy(home):
    bucket, folder = home.strip("/").split("/", 1)
    return json.dumps({
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "ListHome", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}",
             "Condition": {"StringLike": {"s3:prefix": [f"{folder}/", f"{folder}/*"]}}},
            {"Sid": "UseHome", "Effect": "Allow", "Action": ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject",
             "s3:DeleteObject", "s3:DeleteObjectVersion"], "Resource": f"arn:aws:s3:::{bucket}/{folder}/*"},
        ],
    })


def decide(event):
    if event["serverId"] != SERVER or event["protocol"].upper() != "SFTP" or event["username"].lower() in BLOCKED:
        return 401, None
    found = TABLE.query(
        IndexName=os.environ["INDEX_NAME"], Limit=2, KeyConditionExpression="username = :name",
        ExpressionAttributeValues={":name": event["username"]},
    )["Items"]
    if not found:
        return 404, None
    account = found[0]
    if len(found) > 1 or account.get("status", "active") != "active":
        return 403, None
    ranges = account.get("allowedSources")
    address = ipaddress.ip_address(event["sourceIp"])
    if ranges and not any(address in ipaddress.ip_network(network) for network in ranges):
        return 403, None
    digest = base64.b64encode(hashlib.sha224(event["password"].encode()).digest()).decode()
    if not hmac.compare_digest(digest, account["password"]):
        return 403, None
    return 200, account


def handler(event, context):
    status, account = decide(event)
    print(json.dumps({"level": "INFO", "outcome": "admitted" if account else "refused", "username": event["username"]}))
    if account is None:
        return {"status": status, "message": "Forbidden"}
    home = account["HomeDirectory"]
    return {"Role": os.environ["USER_ROLE_ARN"], "Policy": policy(home), "HomeDirectory": home}
