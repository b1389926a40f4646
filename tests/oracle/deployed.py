"""Inspects and changes a deployed environment 99, with botocore alone. Usage: deployed.py ENDPOINT COMMAND"""

import json
import sys
import urllib.request

from botocore.exceptions import ClientError

import front_secret
import late
from checks import equal

ENDPOINT, COMMAND = sys.argv[1:3]
# Production is in an account of its own: deployed.py ENDPOINT left 222222222222
ACCOUNT = sys.argv[3] if COMMAND == "left" and sys.argv[3:] else "111111111111"
REGIONS = ["us-east-1", "us-east-2", "us-west-2"]
SESSION = late.session()
SESSION.set_credentials(ACCOUNT, front_secret.SECRET)


def client(service, region="us-west-2"):
    return SESSION.create_client(service, region_name=region, endpoint_url=ENDPOINT)


def server(region):
    transfer = client("transfer", region)
    servers = transfer.list_servers()["Servers"]
    equal(f"servers in {region}", len(servers), 1)
    return transfer.describe_server(ServerId=servers[0]["ServerId"])["Server"]


def outputs(region):
    stack = client("cloudformation", region).describe_stacks(StackName=f"sftp-99-upload-{region}")["Stacks"][0]
    return {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}


def properties():
    iam = client("iam")
    role = iam.get_role(RoleName="sftp-transfer")["Role"]
    trust = role["AssumeRolePolicyDocument"]["Statement"][0]
    equal("trust", trust["Principal"], {"Service": "transfer.amazonaws.com"})
    equal("trust account", trust["Condition"]["StringEquals"], {"aws:SourceAccount": ACCOUNT})
    policy = f"arn:aws:iam::{ACCOUNT}:policy/99-uploads-sftp-transfer"
    attached = [p["PolicyArn"] for p in iam.list_attached_role_policies(RoleName="sftp-transfer")["AttachedPolicies"]]
    equal("attached", attached, [policy])
    version = iam.get_policy(PolicyArn=policy)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=policy, VersionId=version)["PolicyVersion"]["Document"]
    names = [f"pl-pt99-{n}-uploads" for n in range(6)]
    equal("policy", document["Statement"][1]["Resource"], [f"arn:aws:s3:::{name}/*" for name in names])

    table = client("dynamodb").describe_table(TableName="dydb-99-uploads")["Table"]
    equal("key", table["KeySchema"], [{"AttributeName": "orgid", "KeyType": "HASH"}])
    equal("index", [i["IndexName"] for i in table["GlobalSecondaryIndexes"]], ["username-index"])
    equal("billing", table["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST")
    equal("stream", table["StreamSpecification"]["StreamViewType"], "NEW_AND_OLD_IMAGES")
    for region in REGIONS:
        dynamodb = client("dynamodb", region)
        arn = dynamodb.describe_table(TableName="dydb-99-uploads")["Table"]["TableArn"]
        tags = {t["Key"]: t["Value"] for t in dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"]}
        equal(f"table tags in {region}", (tags["sftpctl:environment"], tags["owner"]), ("99", "devops"))
        backups = dynamodb.describe_continuous_backups(TableName="dydb-99-uploads")
        recovery = backups["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        equal(f"recovery in {region}", recovery.get("PointInTimeRecoveryStatus", "DISABLED"),
              "ENABLED" if region == "us-west-2" else "DISABLED")

    s3 = client("s3")
    for name in names:
        block = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
        assert all(block.values()) and len(block) == 4, block
        equal(f"versioning of {name}", s3.get_bucket_versioning(Bucket=name)["Status"], "Enabled")
        rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
        equal(f"encryption of {name}", rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256")
        statements = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"]
        equal(f"deny of {name}", statements[0]["Condition"], {"Bool": {"aws:SecureTransport": "false"}})
        equal(f"principal of {name}", statements[1]["Principal"], {"AWS": f"arn:aws:iam::{ACCOUNT}:role/sftp-transfer"})

    for region in REGIONS:
        out = outputs(region)
        api, gateway = out["ApiId"], client("apigateway", region)
        config = [r for r in gateway.get_resources(restApiId=api, limit=500)["items"] if r["path"].endswith("/config")]
        equal("path", config[0]["path"], "/servers/{serverId}/users/{username}/config")
        method = gateway.get_method(restApiId=api, resourceId=config[0]["id"], httpMethod="GET")
        equal("authorization", method["authorizationType"], "AWS_IAM")
        equal("responses", sorted(method["methodResponses"]), ["200", "500"])
        integration = method["methodIntegration"]
        equal("integration", integration["type"], "AWS")
        template = integration["requestTemplates"]["application/json"]
        assert "$util.base64Decode($input.params('PasswordBase64'))" in template, template
        stage = gateway.get_stage(restApiId=api, stageName="prod")
        # The emulator returns the log settings under CloudFormation's names; the format has its own test.
        assert "accessLogSettings" in stage and "assword" not in str(stage), stage
        assert gateway.get_account()["cloudwatchRoleArn"].startswith("arn:aws:iam::")
        function = client("lambda", region).get_function(FunctionName=f"lambda-99-upload-{region}")
        equal("runtime", function["Configuration"]["Runtime"], "provided.al2023")
        equal("function tag", function["Tags"]["sftpctl:environment"], "99")
        trigger = json.loads(client("lambda", region).get_policy(FunctionName=f"lambda-99-upload-{region}")["Policy"])
        assert any(out["TriggerSourceArn"] in json.dumps(s) for s in trigger["Statement"]), trigger
        for name in ["/aws/lambda/lambda-", "/aws/apigateway/api-", "/aws/vendedlogs/transfer/"]:
            groups = client("logs", region).describe_log_groups(logGroupNamePrefix=f"{name}99-upload-{region}")
            equal(f"retention of {name}", groups["logGroups"][0].get("retentionInDays"), 30)
        alarms = [a["AlarmName"] for a in client("cloudwatch", region).describe_alarms()["MetricAlarms"]]
        equal(f"alarms in {region}", len(alarms), 5)
        variables = function["Configuration"]["Environment"]["Variables"]
        if region == "us-east-1":
            equal("servers in us-east-1", client("transfer", region).list_servers()["Servers"], [])
            continue
        found = server(region)
        equal("state", found["State"], "ONLINE")
        equal("server id", variables["SERVER_ID"], found["ServerId"])
        equal("provider", found["IdentityProviderDetails"]["Url"], out["ApiUrl"])
        equal("role", found["IdentityProviderDetails"]["InvocationRole"], out["InvocationRoleArn"])
        equal("authentication", found["IdentityProviderDetails"]["SftpAuthenticationMethods"], "PASSWORD")
        equal("SETSTAT", found["ProtocolDetails"]["SetStatOption"], "ENABLE_NO_OP")
        equal("security policy", found["SecurityPolicyName"], "TransferSecurityPolicy-2025-03")
        equal("listing", found["S3StorageOptions"]["DirectoryListingOptimization"], "ENABLED")
        assert found["StructuredLogDestinations"], found
        tags = {t["Key"]: t["Value"] for t in found["Tags"]}
        equal("host name", tags["transfer:customHostname"], f"99-uploads-{region}.xx.net")
        equal("zone", tags["transfer:route53HostedZoneId"], "/hostedzone/" + zone().split("/")[-1])
        equal("record", record(region)["ResourceRecords"][0]["Value"].rstrip("."),
              f"{found['ServerId']}.server.transfer.{region}.amazonaws.com")


def zone():
    return client("route53").list_hosted_zones()["HostedZones"][0]["Id"]


def record(region):
    sets = client("route53").list_resource_record_sets(HostedZoneId=zone())["ResourceRecordSets"]
    return next(s for s in sets if s["Name"].startswith(f"99-uploads-{region}."))


def statements(function):
    """The statement IDs of the function's policy; a policy without statements does not exist."""
    try:
        policy = client("lambda").get_policy(FunctionName=function)["Policy"]
    except ClientError:
        return []
    return sorted(statement["Sid"] for statement in json.loads(policy)["Statement"])


def drift(kind):
    function = "lambda-99-upload-us-west-2"
    if kind == "server-id":
        environment = client("lambda").get_function_configuration(FunctionName=function)["Environment"]
        environment["Variables"]["SERVER_ID"] = "s-00000000000000000"
        client("lambda").update_function_configuration(FunctionName=function, Environment=environment)
    elif kind == "trigger":
        client("lambda").remove_permission(FunctionName=function, StatementId="sftpctl-api-trigger")
        if "foreign" not in statements(function):
            client("lambda").add_permission(FunctionName=function, StatementId="foreign", Principal="s3.amazonaws.com",
                                            Action="lambda:InvokeFunction", SourceAccount=ACCOUNT)
    elif kind == "bucket":
        client("s3").put_bucket_policy(Bucket="pl-pt99-5-uploads", Policy=json.dumps({
            "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                                                    "Action": "s3:*", "Resource": "arn:aws:s3:::pl-pt99-5-uploads"}]}))
    elif kind == "replica":
        client("dynamodb").update_table(TableName="dydb-99-uploads",
                                        ReplicaUpdates=[{"Delete": {"RegionName": "us-east-2"}}])
    elif kind == "server":
        found = server("us-west-2")
        client("transfer").untag_resource(Arn=found["Arn"], TagKeys=["owner"])
        client("transfer").update_server(ServerId=found["ServerId"], SecurityPolicyName="TransferSecurityPolicy-2018-11")
    elif kind == "record":
        change = {"Action": "DELETE", "ResourceRecordSet": record("us-east-2")}
        client("route53").change_resource_record_sets(HostedZoneId=zone(), ChangeBatch={"Changes": [change]})
    elif kind == "user-policy":
        client("iam").detach_role_policy(RoleName="sftp-transfer",
                                         PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/99-uploads-sftp-transfer")


def state_bucket(name, region="us-west-2"):
    s3 = client("s3", region)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def drift_of_the_rest():
    """One change to each kind that `drift` does not cover, all at once."""
    dynamodb, table = client("dynamodb"), "dydb-99-uploads"
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    dynamodb.untag_resource(ResourceArn=arn, TagKeys=["owner"])
    dynamodb.update_continuous_backups(TableName=table,
                                       PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False})
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)
    replica = client("dynamodb", "us-east-1")
    arn = replica.describe_table(TableName=table)["Table"]["TableArn"]
    replica.untag_resource(ResourceArn=arn, TagKeys=["owner"])
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "transfer.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    client("iam").update_assume_role_policy(RoleName="sftp-transfer", PolicyDocument=json.dumps(trust))
    cloudformation, name = client("cloudformation", "us-east-1"), "sftp-99-upload-us-east-1"
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    cloudformation.update_stack(
        StackName=name, UsePreviousTemplate=True, Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": p["ParameterKey"], "UsePreviousValue": True} for p in stack["Parameters"]],
        Tags=[t for t in stack["Tags"] if t["Key"] != "owner"])
    while "IN_PROGRESS" in cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]:
        pass
    s3, bucket = client("s3"), "lambda-pl-upload-us-west-2"
    for found in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        s3.delete_object(Bucket=bucket, Key=found["Key"])
    client("apigateway", "us-east-2").update_account(
        patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": ""}])


def server_parameter(region="us-west-2"):
    """Whether the stack's parameter has the ID of the live server."""
    stack = client("cloudformation", region).describe_stacks(StackName=f"sftp-99-upload-{region}")["Stacks"][0]
    value = {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}["ServerId"]
    return "live" if value == server(region)["ServerId"] else value


def forget_server_parameter(region="us-west-2"):
    """Resets the stack's parameter, as a first deployment left it before the parameter was set in the same run."""
    cloudformation, name = client("cloudformation", region), f"sftp-99-upload-{region}"
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    kept = [{"ParameterKey": p["ParameterKey"], "UsePreviousValue": True} for p in stack["Parameters"]
            if p["ParameterKey"] != "ServerId"]
    cloudformation.update_stack(
        StackName=name, UsePreviousTemplate=True, Capabilities=["CAPABILITY_IAM"],
        Parameters=[*kept, {"ParameterKey": "ServerId", "ParameterValue": "unset"}])
    while "IN_PROGRESS" in cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]:
        pass
    function = f"lambda-99-upload-{region}"
    environment = client("lambda", region).get_function_configuration(FunctionName=function)["Environment"]
    equal("reset by the stack", environment["Variables"]["SERVER_ID"], "unset")
    environment["Variables"]["SERVER_ID"] = server(region)["ServerId"]
    client("lambda", region).update_function_configuration(FunctionName=function, Environment=environment)


def late_log(region):
    """Creates the legacy log group, as a late log line of Transfer Family does."""
    client("logs", region).create_log_group(logGroupName="/aws/transfer/" + server(region)["ServerId"])


def left():
    found = [b["Name"] for b in client("s3").list_buckets()["Buckets"]]
    found += [r["RoleName"] for r in client("iam").list_roles()["Roles"]]
    found += [p["PolicyName"] for p in client("iam").list_policies(Scope="Local")["Policies"]]
    for region in REGIONS:
        found += client("dynamodb", region).list_tables()["TableNames"]
        found += [s["StackName"] for s in client("cloudformation", region).describe_stacks()["Stacks"]]
        found += [s["ServerId"] for s in client("transfer", region).list_servers()["Servers"]]
        found += [a["AllocationId"] for a in client("ec2", region).describe_addresses()["Addresses"]]
        found += [f["FunctionName"] for f in client("lambda", region).list_functions()["Functions"]]
        found += [a["name"] for a in client("apigateway", region).get_rest_apis()["items"]]
        found += [g["logGroupName"] for g in client("logs", region).describe_log_groups()["logGroups"]]
        found += [a["AlarmName"] for a in client("cloudwatch", region).describe_alarms()["MetricAlarms"]]
    for hosted in client("route53").list_hosted_zones()["HostedZones"]:
        sets = client("route53").list_resource_record_sets(HostedZoneId=hosted["Id"])["ResourceRecordSets"]
        found += [s["Name"] for s in sets if s["Type"] == "CNAME"]
    print(json.dumps(sorted(found)))


if COMMAND == "drift":
    drift(sys.argv[3])
elif COMMAND == "drift-of-the-rest":
    drift_of_the_rest()
elif COMMAND == "server-parameter":
    print(server_parameter())
elif COMMAND == "forget-server-parameter":
    forget_server_parameter()
elif COMMAND == "late-log":
    late_log("us-west-2")
elif COMMAND == "state-bucket":
    state_bucket(*sys.argv[3:])
elif COMMAND == "versioning":
    name, status = sys.argv[3:]
    client("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})
elif COMMAND == "waiting":
    region, queue = sys.argv[3:]
    sqs = client("sqs", region)
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    print(told["Attributes"]["ApproximateNumberOfMessages"])
elif COMMAND == "put-object":
    bucket, key, content = sys.argv[3:]
    client("s3").put_object(Bucket=bucket, Key=key, Body=content.encode())
elif COMMAND == "records":
    sets = client("route53").list_resource_record_sets(HostedZoneId=zone())["ResourceRecordSets"]
    print(json.dumps(sorted([s["Name"].rstrip("."), s.get("Region", ""), s["TTL"],
                             s["ResourceRecords"][0]["Value"].rstrip(".").split(".")[3]] for s in sets if s["Type"] == "CNAME")))
elif COMMAND == "change-records":
    # DELETE, or UPSERT with another TTL and another region's server, of the record with this name and latency region.
    _, _, _, action, name, latency = sys.argv
    sets = client("route53").list_resource_record_sets(HostedZoneId=zone())["ResourceRecordSets"]
    found = next(s for s in sets if s["Name"] == f"{name}." and s.get("Region", "") == latency)
    if action == "UPSERT":
        found = {**found, "TTL": 60, "ResourceRecords": record("us-west-2")["ResourceRecords"]}
    client("route53").change_resource_record_sets(
        HostedZoneId=zone(), ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": found}]})
elif COMMAND == "point-record":
    name, target = sys.argv[3:5]
    client("route53").change_resource_record_sets(HostedZoneId=zone(), ChangeBatch={"Changes": [
        {"Action": "UPSERT", "ResourceRecordSet": {
            "Name": f"{name}.", "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": target}]}}]})
elif COMMAND == "record-target":
    sets = client("route53").list_resource_record_sets(HostedZoneId=zone())["ResourceRecordSets"]
    print(json.dumps([s["ResourceRecords"][0]["Value"].rstrip(".") for s in sets if s["Name"] == f"{sys.argv[3]}."]))
elif COMMAND == "foreign-names":
    role = client("iam").get_role(RoleName="sftp-transfer")["Role"]["Arn"]
    client("lambda", "us-east-1").create_function(
        FunctionName="lambda-99-upload-us-east-1", Runtime="provided.al2023", Handler="x", Role=role,
        Code={"ZipFile": b"PK\x05\x06" + bytes(18)})
    for region in ("us-east-2", "us-west-2"):
        client("logs", region).create_log_group(logGroupName=f"/aws/vendedlogs/transfer/99-upload-{region}")
    client("logs", "us-east-2").put_retention_policy(logGroupName="/aws/vendedlogs/transfer/99-upload-us-east-2", retentionInDays=7)
elif COMMAND == "make-role":
    client("iam").create_role(RoleName=sys.argv[3], AssumeRolePolicyDocument='{"Version":"2012-10-17","Statement":[]}')
elif COMMAND == "server-logs":
    found = [server(region) for region in ("us-east-2", "us-west-2")]
    print(json.dumps([[s.get("LoggingRole"), len(s.get("StructuredLogDestinations", []))] for s in found]))
elif COMMAND == "make-zone":
    client("route53").create_hosted_zone(Name=sys.argv[3], CallerReference="tests")
elif COMMAND == "delete-bucket":
    client("s3").delete_bucket(Bucket=sys.argv[3])
elif COMMAND in ("fetch", "post"):
    request = front_secret.request(ENDPOINT + sys.argv[3], method="GET" if COMMAND == "fetch" else "POST")
    print(urllib.request.urlopen(request).read().decode())
elif COMMAND == "statements":
    print(json.dumps(statements("lambda-99-upload-us-west-2")))
elif COMMAND == "put":
    s3, bucket = client("s3"), "pl-pt99-5-uploads"
    s3.put_object(Bucket=bucket, Key="175781/kept.txt", Body=b"older")
    s3.put_object(Bucket=bucket, Key="175781/kept.txt", Body=b"kept")
    s3.put_object(Bucket=bucket, Key="175781/deleted.txt", Body=b"deleted")
    s3.delete_object(Bucket=bucket, Key="175781/deleted.txt")
    equal("versions", len(s3.list_object_versions(Bucket=bucket)["Versions"]), 3)
    # Only a delete marker: no listing of objects shows it, and S3 does not delete a bucket that has one.
    s3.delete_object(Bucket="pl-pt99-3-uploads", Key="175781/never.txt")
    equal("markers", len(s3.list_object_versions(Bucket="pl-pt99-3-uploads")["DeleteMarkers"]), 1)
elif COMMAND == "get":
    print(client("s3").get_object(Bucket="pl-pt99-5-uploads", Key="175781/kept.txt")["Body"].read().decode())
elif COMMAND == "foreign-role":
    try:
        client("iam").delete_role(RoleName="sftp-transfer")
    except ClientError:
        pass
    client("iam").create_role(RoleName="sftp-transfer", AssumeRolePolicyDocument='{"Version":"2012-10-17","Statement":[]}')
    # Until IAM knows it.
    client("iam").get_role(RoleName="sftp-transfer")
else:
    {"properties": properties, "left": left}[COMMAND]()
