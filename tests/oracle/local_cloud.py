"""Makes plain AWS calls to the local cloud's endpoint, with botocore's own clients.

Usage: local_cloud.py ENDPOINT fill|verify|delays|pass-through|bucket-tags|request-tokens|function|host-key FILE
"""
import io
import json
import sys
import time
import urllib.error
import urllib.request
import zipfile

import botocore.config
from botocore.exceptions import ClientError

import front_secret
import late

ENDPOINT, PART, *MORE = sys.argv[1:]
ACCOUNT = "123456789012"
NAME = "local-cloud-test"


def client(service, region="us-west-2", account=ACCOUNT, **config):
    return late.session().create_client(
        service, region_name=region, endpoint_url=ENDPOINT, aws_access_key_id=account, aws_secret_access_key=front_secret.SECRET,
        config=botocore.config.Config(retries={"max_attempts": 1}, **config))


def settings(**values):
    request = front_secret.request(ENDPOINT + "/_sftpctl/settings", json.dumps(values).encode(), "POST")
    return json.load(urllib.request.urlopen(request))


def poll(what, wanted, seconds=20):
    end = time.monotonic() + seconds
    while (found := what()) != wanted:
        assert time.monotonic() < end, f"still {found!r}, not {wanted!r}"
        time.sleep(0.05)


s3, dynamodb, stacks, transfer = (client(name) for name in ("s3", "dynamodb", "cloudformation", "transfer"))
TEMPLATE = json.dumps({"Resources": {"Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": NAME}}}})


def stack_status():
    return stacks.describe_stacks(StackName=NAME)["Stacks"][0]["StackStatus"]


def fill():
    s3.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_bucket_versioning(Bucket=NAME, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket=NAME, Key="a key", Body=body)
    dynamodb.create_table(
        TableName=NAME, KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    dynamodb.update_table(TableName=NAME, ReplicaUpdates=[{"Create": {"RegionName": "us-east-1"}}])
    dynamodb.put_item(TableName=NAME, Item={"id": {"N": "1"}})
    stacks.create_stack(StackName=NAME, TemplateBody=TEMPLATE)
    poll(stack_status, "CREATE_COMPLETE")
    # API Gateway has an API in one region, and only a role for its logs in another.
    client("apigateway").create_rest_api(name=NAME)
    role = {"op": "replace", "path": "/cloudwatchRoleArn", "value": f"arn:aws:iam::{ACCOUNT}:role/any"}
    client("apigateway", "us-east-2").update_account(patchOperations=[role])
    arn = f"arn:aws:logs:us-west-2:{ACCOUNT}:log-group:{NAME}:*"
    made = transfer.create_server(Tags=[{"Key": "k", "Value": "v"}], StructuredLogDestinations=[arn])
    # The server is not visible in another region or account.
    for other in (client("transfer", "us-east-2"), client("transfer", account="999999999999")):
        assert other.list_servers()["Servers"] == []
    print(made["ServerId"])


def verify():
    assert s3.get_object(Bucket=NAME, Key="a key")["Body"].read() == b"2"
    assert len(s3.list_object_versions(Bucket=NAME)["Versions"]) == 2
    for region in ("us-west-2", "us-east-1"):
        assert client("dynamodb", region).scan(TableName=NAME)["Items"] == [{"id": {"N": "1"}}]
    assert stack_status() == "CREATE_COMPLETE"
    for region in ("us-west-2", "us-east-2"):
        client("apigateway", region).get_account()
    try:
        client("apigateway", "us-east-1").get_account()
        raise AssertionError("API Gateway knows an account that has not used it in this region")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "NotFoundException", error
    (server,) = transfer.list_servers()["Servers"]
    tags = transfer.describe_server(ServerId=server["ServerId"])["Server"]["Tags"]
    assert tags == [{"Key": "k", "Value": "v"}], tags
    print(server["ServerId"])


def delays():
    settings(serverStartSeconds=0, stackOperationSeconds=600, tableCreationSeconds=600)
    stacks.create_stack(StackName=NAME, TemplateBody=TEMPLATE)
    poll(stack_status, "CREATE_IN_PROGRESS")
    dynamodb.create_table(
        TableName=NAME, KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    assert dynamodb.describe_table(TableName=NAME)["Table"]["TableStatus"] == "CREATING"
    settings(stackOperationSeconds=0.2, tableCreationSeconds=0.2)
    stacks.create_stack(StackName=NAME + "-2", TemplateBody=TEMPLATE.replace(NAME, NAME + "-2"))
    poll(lambda: stacks.describe_stacks(StackName=NAME + "-2")["Stacks"][0]["StackStatus"], "CREATE_COMPLETE")
    stacks.delete_stack(StackName=NAME + "-2")
    seen = stacks.describe_stacks(StackName=NAME + "-2")["Stacks"][0]["StackStatus"]
    assert seen == "DELETE_IN_PROGRESS", seen

    def gone():
        try:
            return bool(stacks.describe_stacks(StackName=NAME + "-2")["Stacks"]) and "there"
        except ClientError as error:
            return error.response["Error"]["Code"]
    poll(gone, "ValidationError")
    made = transfer.create_server()
    assert transfer.describe_server(ServerId=made["ServerId"])["Server"]["State"] == "ONLINE"


def pass_through():
    s3.create_bucket(Bucket="pass-through", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    keys = ["plain", "a//b", "sp ace+plus", "%41", "\u00fc/\u20ac", "..dots", "q?x=1&y#z"]
    for key in keys:
        s3.put_object(Bucket="pass-through", Key=key, Body=key.encode(), Metadata={"m": "1"})
    listed = [item["Key"] for item in s3.list_objects_v2(Bucket="pass-through")["Contents"]]
    assert sorted(listed) == sorted(keys), listed
    for key in keys:
        answer = s3.get_object(Bucket="pass-through", Key=key)
        assert answer["Body"].read() == key.encode() and answer["Metadata"] == {"m": "1"}, key
    big = bytes(range(256)) * 4096 * 20
    s3.put_object(Bucket="pass-through", Key="big", Body=big)
    assert s3.get_object(Bucket="pass-through", Key="big")["Body"].read() == big
    part = s3.get_object(Bucket="pass-through", Key="big", Range="bytes=300-599")
    assert part["Body"].read() == big[300:600] and part["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert s3.head_object(Bucket="pass-through", Key="big")["ContentLength"] == len(big)
    # Virtual-hosted style: the bucket is in the host name, which does not resolve here, so only the header has it.
    host = "pass-through.s3.us-west-2.amazonaws.com"
    signer = late.session().create_client(
        "s3", region_name="us-west-2", aws_access_key_id=ACCOUNT, aws_secret_access_key=front_secret.SECRET,
        config=botocore.config.Config(s3={"addressing_style": "virtual"}, signature_version="s3v4"))
    url = signer.generate_presigned_url("get_object", {"Bucket": "pass-through", "Key": "plain"})
    assert url.startswith(f"https://{host}/"), url
    request = urllib.request.Request(url.replace(f"https://{host}", ENDPOINT), headers={"Host": host})
    assert urllib.request.urlopen(request).read() == b"plain"
    counted = json.load(urllib.request.urlopen(front_secret.request(ENDPOINT + "/_sftpctl/calls")))["calls"]
    assert counted["s3.PutObject"] == len(keys) + 1 and counted["s3.ListObjectsV2"] == 1, counted
    urllib.request.urlopen(front_secret.request(ENDPOINT + "/_sftpctl/calls/reset", method="POST"))
    assert json.load(urllib.request.urlopen(front_secret.request(ENDPOINT + "/_sftpctl/calls")))["total"] == 0
    for headers, code in (({}, "MissingAuthenticationTokenException"), ({"Authorization": "x"}, "IncompleteSignatureException")):
        headers["X-Amz-Target"] = "TransferService.ListServers"
        try:
            urllib.request.urlopen(urllib.request.Request(ENDPOINT, b"{}", headers, method="POST"))
            raise AssertionError("an unsigned request was accepted")
        except urllib.error.HTTPError as error:
            assert json.load(error)["__type"] == code
    try:
        transfer.list_users(ServerId="s-0123456789abcdef0")
        raise AssertionError("ListUsers is not modelled")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "UnknownOperationException", error


def bucket_tags():
    template = json.dumps({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": NAME}}}})
    stacks.create_stack(StackName=NAME, TemplateBody=template, Tags=[{"Key": "a&b", "Value": "<c>"}])
    poll(stack_status, "CREATE_COMPLETE")
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=NAME)["TagSet"]}
    assert tags.pop("aws:cloudformation:stack-id").startswith("arn:aws:cloudformation:us-west-2:")
    assert tags == {"a&b": "<c>", "aws:cloudformation:stack-name": NAME, "aws:cloudformation:logical-id": "Bucket"}, tags
    own = [{"Key": "own", "Value": "1"}]
    s3.put_bucket_tagging(Bucket=NAME, Tagging={"TagSet": own})
    assert s3.get_bucket_tagging(Bucket=NAME)["TagSet"] == own
    s3.create_bucket(Bucket=NAME + "-2", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    try:
        s3.get_bucket_tagging(Bucket=NAME + "-2")
        raise AssertionError("a bucket outside of stacks has tags")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "NoSuchTagSet", error


def request_tokens():
    def create(token):
        return stacks.create_stack(StackName=NAME, TemplateBody=TEMPLATE, ClientRequestToken=token)["StackId"]

    first = create("one")
    poll(stack_status, "CREATE_COMPLETE")
    assert create("one") == first, "a repeated request gets the same response"
    begun = [e for e in stacks.describe_stack_events(StackName=NAME)["StackEvents"]
             if e["ResourceStatus"] == "CREATE_IN_PROGRESS" and e["PhysicalResourceId"] == first]
    assert len(begun) == 1, begun
    try:
        create("two")
        raise AssertionError("another token created the stack again")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AlreadyExistsException", error


def function():
    """Runs a function that returns its process ID and keeps running until it is stopped."""
    bootstrap = """#!/bin/sh
url="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
id=$(curl -s -D - -o /dev/null "$url/next" | tr -d '\\r' | sed -n 's/^lambda-runtime-aws-request-id: //Ip')
curl -s -o /dev/null -d "{\\"pid\\": $$, \\"endpoint\\": \\"$AWS_ENDPOINT_URL\\"}" "$url/$id/response"
trap '' TERM
while :; do sleep 600; done
"""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, bootstrap)
    functions = client("lambda")
    functions.create_function(
        FunctionName=NAME, Runtime="provided.al2023", Handler="bootstrap", Timeout=20,
        Role=f"arn:aws:iam::{ACCOUNT}:role/any", Code={"ZipFile": code.getvalue()})
    poll(lambda: functions.get_function_configuration(FunctionName=NAME)["State"], "Active")
    answer = functions.invoke(FunctionName=NAME)
    said = json.load(answer["Payload"])
    assert said["endpoint"] == ENDPOINT, said
    print(said["pid"])


def host_key():
    with open(MORE[0]) as file:
        made = transfer.create_server(HostKey=file.read())
    print(transfer.describe_server(ServerId=made["ServerId"])["Server"]["HostKeyFingerprint"])


PARTS = {"fill": fill, "verify": verify, "delays": delays, "pass-through": pass_through, "host-key": host_key,
         "bucket-tags": bucket_tags, "request-tokens": request_tokens, "function": function}
PARTS[PART]()
