"""Creates parts of environment 99 by hand, and reads them, with botocore alone. Usage: handmade.py ENDPOINT COMMAND"""

import io
import json
import sys
import zipfile

from botocore.exceptions import ClientError

import front_secret
import late

ENDPOINT, COMMAND = sys.argv[1:3]
ACCOUNT = "111111111111"
SESSION = late.session()
SESSION.set_credentials(ACCOUNT, front_secret.SECRET)
STACK = "sftp-99-upload-us-west-2"
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
    late.wait_for_table(dynamodb, TABLE)
    dynamodb.put_item(TableName=TABLE, Item={"orgid": {"N": "17578"}, "username": {"S": "customer"}})
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "transfer.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    client("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(trust), Tags=[
        {"Key": "made-by", "Value": "hand"}])
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "made-by", "Value": "hand"}]})
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [
        {"ID": "Old", "Status": "Enabled", "Filter": {"Prefix": "archive/"}, "Expiration": {"Days": 400}}]})
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "s3:GetObject",
         "Resource": f"arn:aws:s3:::{BUCKET}/*"}]}))
    s3.put_object(Bucket=BUCKET, Key="17578/old.txt", Body=b"old")
    client("route53").change_resource_record_sets(HostedZoneId=zone(), ChangeBatch={"Changes": [
        {"Action": "CREATE", "ResourceRecordSet": {
            "Name": HOST, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "old.example.com"}]}}]})
    return client("transfer").create_server(
        IdentityProviderType="API_GATEWAY", IdentityProviderDetails={
            "Url": "https://old.execute-api.us-west-2.amazonaws.com/prod",
            "InvocationRole": f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"})["ServerId"]


def look():
    """What must be the same before and after an adoption."""
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
    """The bucket's versioning, and whether it blocks public access."""
    s3 = client("s3")
    try:
        block = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    except ClientError:
        block = {"none": False}
    return [s3.get_bucket_versioning(Bucket=BUCKET).get("Status", ""), all(block.values())]


def bucket_tags():
    return client("s3").get_bucket_tagging(Bucket=BUCKET)["TagSet"]


def owners():
    """The owner's settings of the bucket: tags and lifecycle rules."""
    rules = client("s3").get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    return [[t for t in bucket_tags() if t["Key"] == "made-by"], rules]


def physical(logical):
    """The physical ID of a resource of the stack; the logical ID may end in `*`."""
    pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
    every = {r["LogicalResourceId"]: r["PhysicalResourceId"] for p in pages for r in p["StackResourceSummaries"]}
    if logical.endswith("*"):
        return next(id for name, id in every.items() if name.startswith(logical[:-1]))
    return every[logical]


def server():
    return client("transfer").list_servers()["Servers"][0]["ServerId"]


def alarm(logical):
    cloudwatch = client("cloudwatch")
    found = cloudwatch.describe_alarms(AlarmNames=[physical(logical)])["MetricAlarms"][0]
    taken = cloudwatch.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
    put = {name: value for name, value in found.items() if name in taken and value not in (None, "")}
    if "ExtendedStatistic" in put:
        put.pop("Statistic", None)
    return cloudwatch, put


def meddle_unseen(what):
    """Changes a resource that the local cloud's CloudFormation does not check for drift."""
    gateway = client("apigateway")
    api = {"restApiId": physical("Api")}

    def patch(path, value):
        return [{"op": "replace", "path": path, "value": value}]

    if what == "alarm":
        cloudwatch, put = alarm("AuthorizerErrorsAlarm")
        cloudwatch.put_metric_alarm(**{**put, "Threshold": 1000, "ActionsEnabled": False})
    elif what == "alarm-deleted":
        client("cloudwatch").delete_alarms(AlarmNames=[physical("FaultsAlarm")])
    elif what == "metric-filter":
        logs, group = client("logs"), physical("AuthorizerLogs")
        name = physical("FaultsMetric")
        old = next(f for f in logs.describe_metric_filters(logGroupName=group)["metricFilters"]
                   if f["filterName"] == name)
        logs.put_metric_filter(logGroupName=group, filterName=name, filterPattern="nothing",
                               metricTransformations=old["metricTransformations"])
    elif what == "stage-log":
        gateway.update_stage(**api, stageName="prod", patchOperations=patch("/*/*/logging/loglevel", "OFF"))
    elif what == "stage-trace":
        gateway.update_stage(**api, stageName="prod", patchOperations=patch("/*/*/logging/dataTrace", "true"))
    elif what == "stage-throttle":
        gateway.update_stage(**api, stageName="prod",
                             patchOperations=patch("/*/*/throttling/burstLimit", "7"))
    elif what == "stage-deployment":
        new = gateway.create_deployment(**api, description="by hand")["id"]
        gateway.update_stage(**api, stageName="prod", patchOperations=patch("/deploymentId", new))
    elif what == "deployment-deleted":
        gateway.delete_deployment(**api, deploymentId=physical("ApiDeployment*"))
    elif what == "model":
        gateway.update_model(**api, modelName="RefusalResponseModel",
                             patchOperations=patch("/schema", json.dumps({"type": "string"})))
    elif what == "resource":
        gateway.update_resource(**api, resourceId=physical("ApiUsers"), patchOperations=patch("/pathPart", "people"))
    elif what == "resource-deleted":
        gateway.delete_resource(**api, resourceId=physical("ApiConfig"))
    elif what == "api-policy":
        policy = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*"}]}
        gateway.update_rest_api(**api, patchOperations=patch("/policy", json.dumps(policy)))
    elif what == "inline-policy":
        iam, role = client("iam"), physical("AuthorizerRole")
        old = iam.get_role_policy(RoleName=role, PolicyName="read-accounts")["PolicyDocument"]
        old["Statement"][1]["Resource"] = "*"
        iam.put_role_policy(RoleName=role, PolicyName="read-accounts", PolicyDocument=json.dumps(old))
    elif what == "inline-policy-added":
        more = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        client("iam").put_role_policy(
            RoleName=physical("InvocationRole"), PolicyName="more", PolicyDocument=json.dumps(more))
    elif what == "stage-cache":
        gateway.update_stage(**api, stageName="prod", patchOperations=patch("/cacheClusterEnabled", "true"))
    elif what == "code":
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as files:
            files.writestr("bootstrap", "#!/bin/sh\n")
        client("lambda").update_function_code(FunctionName=physical("Authorizer"), ZipFile=archive.getvalue())
    elif what == "concurrency":
        client("lambda").put_function_concurrency(
            FunctionName=physical("Authorizer"), ReservedConcurrentExecutions=0)
    elif what == "boundary":
        client("iam").put_role_permissions_boundary(
            RoleName=physical("AuthorizerRole"), PermissionsBoundary="arn:aws:iam::aws:policy/ReadOnlyAccess")
    elif what == "user-role":
        iam = client("iam")
        iam.attach_role_policy(RoleName=ROLE, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
        iam.put_role_policy(RoleName=ROLE, PolicyName="more", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}))
    elif what == "table-expiry":
        client("dynamodb").update_time_to_live(
            TableName=TABLE, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
    elif what == "stack-template":
        stacks = client("cloudformation")
        body = stacks.get_template(StackName=STACK)["TemplateBody"]
        body = json.loads(body) if isinstance(body, str) else body
        body["Resources"]["Authorizer"]["Properties"]["Description"] = "by hand"
        kept = stacks.describe_stacks(StackName=STACK)["Stacks"][0]["Parameters"]
        kept = [{"ParameterKey": p["ParameterKey"], "UsePreviousValue": True} for p in kept
                if p["ParameterKey"] != "ServerId"]
        kept.append({"ParameterKey": "ServerId", "ParameterValue": server()})
        stacks.update_stack(
            StackName=STACK, TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
            Parameters=kept)
        stacks.get_waiter("stack_update_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
    elif what == "inline-policy-reordered":
        iam, role = client("iam"), physical("InvocationRole")
        old = iam.get_role_policy(RoleName=role, PolicyName="call-api")["PolicyDocument"]
        for statement in old["Statement"]:
            statement["Action"] = [statement["Action"]]
        old["Statement"].reverse()
        iam.put_role_policy(RoleName=role, PolicyName="call-api", PolicyDocument=json.dumps(old))
    else:
        raise SystemExit(f"unknown: {what}")


def meddle(what):
    function = "lambda-99-upload-us-west-2"
    if what == "memory":
        client("lambda").update_function_configuration(FunctionName=function, MemorySize=1024)
    elif what == "variables":
        functions = client("lambda")
        old = functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        functions.update_function_configuration(
            FunctionName=function, Environment={"Variables": {**old, "DB_PASSWORD": "made-up-1", "SIGNING_KEY": "made-up-2"}})
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
    elif what == "stack-tags":
        # CloudFormation does this to a bucket when the tags of its stack change.
        client("s3").put_bucket_tagging(Bucket=BUCKET, Tagging={
            "TagSet": [t for t in bucket_tags() if t["Key"] != "made-by"]})
    elif what == "other-environment":
        client("iam").tag_role(RoleName=ROLE, Tags=[{"Key": "sftpctl:environment", "Value": "98"}])
    else:
        meddle_unseen(what)


if COMMAND == "make":
    print(make())
elif COMMAND == "look":
    print(json.dumps(look(), sort_keys=True))
elif COMMAND == "bucket":
    print(json.dumps(bucket()))
elif COMMAND == "owners":
    print(json.dumps(owners(), sort_keys=True))

elif COMMAND == "log-role":
    gateway = SESSION.create_client("apigateway", region_name=sys.argv[3], endpoint_url=ENDPOINT)
    try:
        print(gateway.get_account().get("cloudwatchRoleArn") or "")
    except gateway.exceptions.NotFoundException:
        print("")
elif COMMAND == "physical":
    print(physical(sys.argv[3]))
elif COMMAND == "meddle":
    meddle(sys.argv[3])
else:
    raise SystemExit(f"unknown command {COMMAND}")
