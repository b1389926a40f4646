"""Compares each of the local cloud's manners (`sftpctl local manners`) with MiniStack as it is.

Usage: manners.py ENDPOINT

Each check is a function of an account that has nothing. It must fail while all manners are off, and pass with its own
manner on and all others off. A manner without a check is an error. Prints the number of manners.
"""
import json
import sys
import time
import urllib.request

import botocore.config
import botocore.session
from botocore.exceptions import ClientError

import checks
import front_secret

ENDPOINT = sys.argv[1]
REGION, OTHER = "us-west-2", "us-east-1"
LOCATION = {"LocationConstraint": REGION}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
TABLE = {
    "TableName": "table", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}}
ENDED = ("_COMPLETE", "_FAILED")


def front(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(front_secret.request(f"{ENDPOINT}/_sftpctl/{path}", data)) as answer:
        return json.load(answer)


class Account:
    """An account, and clients that make every call once."""

    def __init__(self, number):
        self.id, self.bucket = f"{number:012}", f"manners-{number}"

    def client(self, service, keys=None):
        keys = keys or {"accessKey": self.id, "secretKey": front_secret.SECRET, "token": None}
        once = botocore.config.Config(retries={"total_max_attempts": 1, "mode": "standard"})
        return botocore.session.Session().create_client(
            service, region_name=REGION, endpoint_url=ENDPOINT, aws_access_key_id=keys["accessKey"],
            aws_secret_access_key=keys["secretKey"], aws_session_token=keys["token"], config=once)


def refused(code, words, call, **arguments):
    """One call, which must be refused with this code and a message with these words."""
    checks.refused(call.__name__, code, words, call, **arguments)


def stack(account, template, operation="create_stack"):
    """The status of a stack once the operation has ended, and its events."""
    stacks = account.client("cloudformation")
    getattr(stacks, operation)(StackName="s", TemplateBody=json.dumps(template, ensure_ascii=False))
    end = time.monotonic() + 30
    while not (status := stacks.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"]).endswith(ENDED):
        assert time.monotonic() < end, status
    return status, stacks.describe_stack_events(StackName="s")["StackEvents"]


def causes(events):
    """Logical ID, type and reason of what failed."""
    failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
    return [(event["LogicalResourceId"], event["ResourceType"], event["ResourceStatusReason"]) for event in failed]


def account_concurrency(account):
    functions = account.client("lambda")
    limit = functions.get_account_settings()["AccountLimit"]
    assert limit["ConcurrentExecutions"] == limit["UnreservedConcurrentExecutions"] == 10, limit
    words = "below its minimum value of [10]"
    refused("InvalidParameterValueException", words, functions.put_function_concurrency, FunctionName="f",
            ReservedConcurrentExecutions=1)
    function = {"Type": "AWS::Lambda::Function", "Properties": {
        "FunctionName": "f", "Runtime": "python3.12", "Handler": "index.handler", "Code": {"ZipFile": "x = 1"},
        "Role": f"arn:aws:iam::{account.id}:role/any"}}
    template = {"Parameters": {"Reserved": {"Type": "Number", "Default": 0}}, "Resources": {"F": function}}
    function["Properties"]["ReservedConcurrentExecutions"] = {"Ref": "Reserved"}
    status, events = stack(account, template)
    assert (status, causes(events)) == ("CREATE_COMPLETE", []), (status, events)
    template["Parameters"]["Reserved"]["Default"] = 5
    status, events = stack(account, template, "update_stack")
    ((logical, kind, reason),) = causes(events)
    assert (status, logical, kind) == ("UPDATE_ROLLBACK_COMPLETE", "F", "AWS::Lambda::Function"), events
    assert words in reason and "ImitatedFailure" not in str(events), events
    assert functions.get_function_concurrency(FunctionName="f").get("ReservedConcurrentExecutions", 0) == 0


def api_account(account):
    gateway = account.client("apigateway")
    refused("NotFoundException", "Invalid Customer identifier specified", gateway.get_account)
    gateway.create_rest_api(name="a")
    gateway.get_account()


def ascii_templates(account):
    stack(account, {"Description": "a\u2026b", "Resources": {"T": {"Type": "AWS::SNS::Topic"}}})
    text = str(account.client("cloudformation").get_template(StackName="s")["TemplateBody"])
    assert "a?b" in text, text


def bucket_name_reuse(account):
    s3 = account.client("s3")
    s3.create_bucket(Bucket=account.bucket, CreateBucketConfiguration=LOCATION)
    s3.delete_bucket(Bucket=account.bucket)
    again = {"Bucket": account.bucket, "CreateBucketConfiguration": LOCATION}
    for _ in range(2):
        refused("OperationAborted", "A conflicting conditional operation", s3.create_bucket, **again)
    s3.create_bucket(**again)


def bucket_propagation(account):
    s3 = account.client("s3")
    s3.create_bucket(Bucket=account.bucket, CreateBucketConfiguration=LOCATION)
    for _ in range(2):
        refused("NoSuchBucket", "does not exist", s3.get_bucket_location, Bucket=account.bucket)
    s3.get_bucket_location(Bucket=account.bucket)


def fingerprint_padding(account):
    transfer = account.client("transfer")
    server = transfer.create_server()["ServerId"]
    found = [transfer.describe_server(ServerId=server)["Server"]["HostKeyFingerprint"]]
    found += [key["Fingerprint"] for key in transfer.list_host_keys(ServerId=server)["HostKeys"]]
    assert len(found) > 1 and all(one.endswith("=") for one in found), found


def iam_delete_conflict(account):
    iam = account.client("iam")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    arn = iam.create_policy(PolicyName="p", PolicyDocument=TRUST.replace('"Principal"', '"Sid"').replace(
        '{"Service": "apigateway.amazonaws.com"}', '"a", "Resource": "*"'))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    iam.detach_role_policy(RoleName="r", PolicyArn=arn)
    for delete in ((iam.delete_role, {"RoleName": "r"}), (iam.delete_policy, {"PolicyArn": arn})):
        refused("DeleteConflict", "Cannot delete", delete[0], **delete[1])
        delete[0](**delete[1])


def iam_propagation(account):
    iam = account.client("iam")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    for _ in range(2):
        refused("NoSuchEntity", "The role with name r cannot be found.", iam.get_role, RoleName="r")
    iam.get_role(RoleName="r")


def update_account(account, arn):
    return {"patchOperations": [{"op": "replace", "path": "/cloudwatchRoleArn", "value": arn}]}


def log_role(account):
    arn = account.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    gateway = account.client("apigateway")
    for words in ("The role ARN does not have required permissions", "could not successfully write to CloudWatch Logs"):
        refused("BadRequestException", words, gateway.update_account, **update_account(account, arn))
    gateway.update_account(**update_account(account, arn))


def zone(account):
    """A hosted zone, and a function that sends it changes."""
    route53 = account.client("route53")
    created = route53.create_hosted_zone(Name="example.com", CallerReference=account.id)
    zone_id = created["HostedZone"]["Id"].removeprefix("/hostedzone/")

    def change(*changes):
        records = [{"Action": action, "ResourceRecordSet": {
            "Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value} for value in values]}}
            for action, name, kind, values in changes]
        return route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": records})

    return change


def log_pages(account):
    logs, place = account.client("logs"), {"logGroupName": "group", "logStreamName": "stream"}
    logs.create_log_group(logGroupName="group")
    logs.create_log_stream(**place)
    now, line = int(time.time() * 1000), lambda at: json.dumps({"kind": "rare" if at == 4400 else "usual"})
    events = [{"timestamp": now - 4500 + at, "message": line(at)} for at in range(4500)]
    logs.put_log_events(**place, logEvents=events)
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="group", filterPattern='{ $.kind = "rare" }')
    counts = [len(page["events"]) for page in pages]
    assert counts == [0, 1], counts
    refused("InvalidParameterException", "Invalid filter pattern", logs.filter_log_events, logGroupName="group",
            filterPattern="{ $.kind = }")


def lone_cnames(account):
    change = zone(account)
    change(("CREATE", "a.example.com", "A", ["192.0.2.1"]), ("CREATE", "c.example.com", "CNAME", ["example.net"]))
    for action in ("CREATE", "UPSERT"):
        refused("InvalidChangeBatch", "conflicts with other records", lambda: change(
            (action, "a.example.com", "CNAME", ["example.net"])))
        refused("InvalidChangeBatch", "a conflicting RRSet of type CNAME", lambda: change(
            (action, "c.example.com", "A", ["192.0.2.1"])))
    change(("DELETE", "a.example.com", "A", ["192.0.2.1"]), ("CREATE", "a.example.com", "CNAME", ["example.net"]))


def record_batches(account):
    change = zone(account)

    def batch(action, count, length=20):
        values = ("x" * length,)
        return [(action, f"n{number}.example.com", "CNAME", values) for number in range(count)]

    refused("InvalidChangeBatch", "Number of records limit of 1000 exceeded.", lambda: change(*batch("CREATE", 1001)))
    refused("InvalidChangeBatch", "Number of records limit of 1000 exceeded.", lambda: change(*batch("UPSERT", 501)))
    refused("InvalidChangeBatch", "RDATA character limit of 32000 exceeded.", lambda: change(*batch("CREATE", 501, 64)))
    change(*batch("UPSERT", 500))
    refused("PriorRequestNotComplete", "still processing a prior request", lambda: change(*batch("UPSERT", 1)))
    change(*batch("UPSERT", 1))


def null_templates(account):
    gateway = account.client("apigateway")
    api = gateway.create_rest_api(name="a")["id"]
    method = {"restApiId": api, "resourceId": gateway.get_resources(restApiId=api)["items"][0]["id"], "httpMethod": "GET"}
    gateway.put_method(**method, authorizationType="NONE")
    gateway.put_integration(**method, type="MOCK")
    gateway.put_integration_response(**method, statusCode="200", responseTemplates={"application/json": ""})
    answer = gateway.get_method(**method)["methodIntegration"]["integrationResponses"]["200"]
    assert answer["responseTemplates"] == {"application/json": None}, answer


def object_errors(account):
    s3 = account.client("s3")
    s3.create_bucket(Bucket=account.bucket, CreateBucketConfiguration=LOCATION)
    for key in ("a&b", "c"):
        s3.put_object(Bucket=account.bucket, Key=key, Body=b"x")
    both = {"Objects": [{"Key": "a&b"}, {"Key": "c"}]}
    answer = s3.delete_objects(Bucket=account.bucket, Delete=both)
    errors = [(error["Key"], error["Code"]) for error in answer.get("Errors", [])]
    deleted = [one["Key"] for one in answer.get("Deleted", [])]
    assert (errors, deleted) == ([("a&b", "InternalError")], ["c"]), answer
    left = [one["Key"] for one in s3.list_objects_v2(Bucket=account.bucket).get("Contents", [])]
    assert left == ["a&b"], f"the key with an error is still there: {left}"
    answer = s3.delete_objects(Bucket=account.bucket, Delete=both)
    assert "Errors" not in answer and "Contents" not in s3.list_objects_v2(Bucket=account.bucket), answer


def permissions(account):
    statement = {"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    keys = front("grants", {"account": account.id, "purpose": "a test", "policies": [policy]})["keys"]
    assert keys, "no keys with these permissions only"
    account.client("sts", keys).get_caller_identity()
    refused("AccessDenied", "not authorized to perform: iam:ListRoles", account.client("iam", keys).list_roles)


def policy_arrays(account):
    s3 = account.client("s3")
    s3.create_bucket(Bucket=account.bucket, CreateBucketConfiguration=LOCATION)
    statement = {"Effect": "Deny", "Principal": "*", "Action": ["s3:GetObject", "s3:PutObject"],
                 "Resource": [f"arn:aws:s3:::{account.bucket}/*"]}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket=account.bucket, Policy=json.dumps(policy))
    (have,) = json.loads(s3.get_bucket_policy(Bucket=account.bucket)["Policy"])["Statement"]
    assert have["Action"] == ["s3:PutObject", "s3:GetObject"] and have["Resource"] == statement["Resource"][0], have


def rates(account):
    gateway = account.client("apigateway")
    gateway.update_account(**update_account(account, ""))
    refused("TooManyRequestsException", "Rate exceeded", gateway.update_account, **update_account(account, ""))
    gateway.update_account(**update_account(account, ""))
    route53 = account.client("route53")
    try:
        for _ in range(200):
            route53.list_hosted_zones()
    except ClientError as error:
        assert error.response["Error"]["Code"] == "Throttling", error
    else:
        raise AssertionError("200 calls, none of them throttled")


def reserved_tags(account):
    tag = {"Key": "aws:transfer:customHostname", "Value": "sftp.example.com"}
    transfer = account.client("transfer")
    refused("InvalidRequestException", "aws: prefixed tag key names are not allowed", transfer.create_server, Tags=[tag])


def source_header(account):
    """A web ACL blocks a customer by the address, and the API would answer something else."""
    gateway, waf, transfer = (account.client(service) for service in ("apigateway", "wafv2", "transfer"))
    api = gateway.create_rest_api(name="a")["id"]
    [root] = gateway.get_resources(restApiId=api)["items"]
    parent = root["id"]
    for part in ("servers", "{serverId}", "users", "{username}", "config"):
        parent = gateway.create_resource(restApiId=api, parentId=parent, pathPart=part)["id"]
    gateway.put_method(restApiId=api, resourceId=parent, httpMethod="GET", authorizationType="NONE")
    uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/none/invocations"
    gateway.put_integration(restApiId=api, resourceId=parent, httpMethod="GET", type="AWS", integrationHttpMethod="POST", uri=uri)
    gateway.create_deployment(restApiId=api, stageName="prod")
    addresses = waf.create_ip_set(
        Name="a", Scope="REGIONAL", IPAddressVersion="IPV4", Addresses=["203.0.113.0/24"])["Summary"]["ARN"]
    seen = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": True, "MetricName": "a"}
    header = {"HeaderName": "SourceIP", "FallbackBehavior": "NO_MATCH", "Position": "FIRST"}
    rule = {"Name": "a", "Priority": 0, "Action": {"Block": {}}, "VisibilityConfig": seen,
            "Statement": {"IPSetReferenceStatement": {"ARN": addresses, "IPSetForwardedIPConfig": header}}}
    acl = waf.create_web_acl(
        Name="a", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=seen, Rules=[rule])["Summary"]["ARN"]
    waf.associate_web_acl(WebACLArn=acl, ResourceArn=f"arn:aws:apigateway:{REGION}::/restapis/{api}/stages/prod")
    trust = TRUST.replace("apigateway", "transfer")
    role = account.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    provider = {"Url": f"https://{api}.execute-api.{REGION}.amazonaws.com/prod", "InvocationRole": role}
    server = transfer.create_server(IdentityProviderType="API_GATEWAY", IdentityProviderDetails=provider)["ServerId"]
    answer = transfer.test_identity_provider(ServerId=server, UserName="jan", UserPassword="x", SourceIp="203.0.113.7")
    assert answer["StatusCode"] == 403, answer


def stream_view(account):
    dynamodb = account.client("dynamodb")
    dynamodb.create_table(**TABLE)
    view = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    refused("ValidationException", "Table already has an enabled stream: TableName: table", dynamodb.update_table,
            TableName="table", StreamSpecification=view)
    dynamodb.update_table(TableName="table", StreamSpecification={"StreamEnabled": False})
    dynamodb.update_table(TableName="table", StreamSpecification=view)


def object_limits(account):
    s3 = account.client("s3")
    s3.create_bucket(Bucket=account.bucket, CreateBucketConfiguration=LOCATION)
    s3.put_object(Bucket=account.bucket, Key="ä" * 512, Metadata={"a": "b" * 2047})
    refused("KeyTooLongError", "too long", s3.put_object, Bucket=account.bucket, Key="ä" * 512 + "a")
    refused("MetadataTooLarge", "metadata", s3.put_object, Bucket=account.bucket, Key="k", Metadata={"a": "b" * 2048})


def table_changes(account):
    dynamodb = account.client("dynamodb")
    arn = dynamodb.create_table(**TABLE)["TableDescription"]["TableArn"]
    assert dynamodb.describe_table(TableName="table")["Table"]["TableStatus"] == "CREATING"
    refused("ResourceNotFoundException", "not found", dynamodb.list_tags_of_resource, ResourceArn=arn)
    dynamodb.list_tags_of_resource(ResourceArn=arn)
    assert dynamodb.describe_table(TableName="table")["Table"]["TableStatus"] == "ACTIVE"
    dynamodb.delete_table(TableName="table")
    assert dynamodb.describe_table(TableName="table")["Table"]["TableStatus"] == "DELETING"


def vpc_endpoint_propagation(account):
    transfer = account.client("transfer")
    place = {"VpcId": "vpc-00000001", "SubnetIds": ["subnet-00000001"]}
    server = transfer.create_server(EndpointType="VPC", EndpointDetails=place)["ServerId"]
    shown = ["VpcEndpointId" in transfer.describe_server(ServerId=server)["Server"]["EndpointDetails"] for _ in range(3)]
    assert shown == [False, False, True], shown


def warm_throughput(account):
    dynamodb = account.client("dynamodb")
    index = {"IndexName": "ids", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
             "Projection": {"ProjectionType": "ALL"}}
    dynamodb.create_table(**TABLE, GlobalSecondaryIndexes=[index])

    def shown():
        table = dynamodb.describe_table(TableName="table")["Table"]
        of = [table["WarmThroughput"], table["GlobalSecondaryIndexes"][0]["WarmThroughput"]]
        return [f"{warm['ReadUnitsPerSecond']} {warm['WriteUnitsPerSecond']} {warm['Status']}" for warm in of]

    def update(writes, **more):
        return dynamodb.update_table(TableName="table", WarmThroughput={"WriteUnitsPerSecond": writes}, **more)

    assert shown() == ["12000 4000 ACTIVE"] * 2
    refused("ValidationException", "WriteUnitsPerSecond for WarmThroughput for table is lower", update, writes=3999)
    refused("LimitExceededException", "exceeds TableMaxWriteCapacityUnits of the account", update, writes=40001)
    both = [{"Update": {"IndexName": "ids", "WarmThroughput": {"WriteUnitsPerSecond": 6000}}}]
    asked = update(5000, GlobalSecondaryIndexUpdates=both)["TableDescription"]
    assert asked["TableStatus"] == "ACTIVE" and asked["WarmThroughput"]["Status"] == "UPDATING"
    assert shown() == ["12000 4000 UPDATING"] * 2 and shown() == ["12000 4000 UPDATING"] * 2
    assert shown() == ["12000 5000 ACTIVE", "12000 6000 ACTIVE"]
    lower = [{"Update": {"IndexName": "ids", "WarmThroughput": {"WriteUnitsPerSecond": 5999}}}]
    refused("ValidationException", "for WarmThroughput for index ids is lower", dynamodb.update_table, TableName="table",
            GlobalSecondaryIndexUpdates=lower)
    update(5000)


def with_replica(account):
    dynamodb = account.client("dynamodb")
    dynamodb.create_table(**TABLE)
    dynamodb.update_table(TableName="table", ReplicaUpdates=[{"Create": {"RegionName": OTHER}}])
    dynamodb.update_table(TableName="table", ReplicaUpdates=[{"Delete": {"RegionName": OTHER}}])
    return dynamodb


def without_rights(account, service):
    """A client with the session of a role that may do nothing."""
    trust = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": account.id}, "Action": "sts:AssumeRole"}]})
    account.client("iam").create_role(RoleName="idle", AssumeRolePolicyDocument=trust)
    keys = account.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{account.id}:role/idle", RoleSessionName="idle")["Credentials"]
    return account.client(service, {
        "accessKey": keys["AccessKeyId"], "secretKey": keys["SecretAccessKey"], "token": keys["SessionToken"]})


def table_source(account):
    dynamodb = with_replica(account)
    # Who may not call does not learn it, and does not use it up.
    stranger = without_rights(account, "dynamodb")
    refused("AccessDeniedException", "not authorized", stranger.delete_table, TableName="table")
    refused("ValidationException", "in the last 24 hours", dynamodb.delete_table, TableName="table")
    dynamodb.delete_table(TableName="table")


def table_writes(account):
    dynamodb = with_replica(account)
    refused("ValidationException", "until all writes are replicated", dynamodb.delete_table, TableName="table")
    dynamodb.delete_table(TableName="table")


def stands(check, account):
    """Why the check fails; `None` if it passes."""
    try:
        check(account)
    except (AssertionError, ClientError, KeyError, ValueError) as why:
        return f"{type(why).__name__}: {why}"
    return None


names, faults = [manner["name"] for manner in front("manners")], []
for number, name in enumerate(names, 1):
    check = globals().get(name.replace("-", "_"))
    if not check:
        faults.append(f"{name}: there is no check")
        continue
    front("manners", {"name": "all", "on": False})
    if not stands(check, Account(2 * number)):
        faults.append(f"{name}: the check passes while the manner is off")
    front("manners", {"name": name, "on": True})
    if why := stands(check, Account(2 * number + 1)):
        faults.append(f"{name}: {why}")
for fault in faults:
    print(fault)
print(f"{len(names)} manners")
sys.exit(bool(faults))
