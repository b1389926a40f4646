"""Inspects and changes every link of a log-in's chain, with botocore alone. Usage: door.py ENDPOINT COMMAND …"""

import base64
import concurrent.futures
import hashlib
import io
import json
import os
import sys
import tempfile
import threading
import time
import zipfile

import botocore.session
from botocore.config import Config

import front_secret
import late

ENDPOINT, COMMAND = sys.argv[1:3]
ACCOUNT = "111111111111"
TABLE = "dydb-99-uploads"
SESSION = late.session()
SESSION.set_credentials(ACCOUNT, front_secret.SECRET)


def client(service, region="us-west-2"):
    # A refusal is a result: nothing is retried.
    config = Config(retries={"max_attempts": 1, "mode": "standard"}, read_timeout=60, max_pool_connections=32)
    return SESSION.create_client(service, region_name=region, endpoint_url=ENDPOINT, config=config)


def server(region):
    [found] = client("transfer", region).list_servers()["Servers"]
    return found["ServerId"]


def outputs(region):
    [stack] = client("cloudformation", region).describe_stacks(StackName=f"sftp-99-upload-{region}")["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


# --- Objects ---------------------------------------------------------------------------------------------------------
def object_(bucket, key):
    body = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    print(len(body), hashlib.sha256(body).hexdigest())


def put(bucket, key, text, crc64nvme=None):
    checksum = {"ChecksumCRC64NVME": crc64nvme} if crc64nvme else {}
    client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode(), **checksum)


def keys(bucket, prefix):
    pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    print(json.dumps([entry["Key"] for page in pages for entry in page.get("Contents", [])], ensure_ascii=False))


def uploads(bucket):
    """The number of multipart uploads that are neither completed nor aborted."""
    print(len(client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads", [])))


def many(bucket, prefix, count, names):
    """Creates many objects and folders, and writes their names to a file."""
    s3 = client("s3")
    wanted = [f"{number:05}-{'x' * (number % 40)}" for number in range(int(count))]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        # Every tenth is a folder with an object in it.
        bodies = [f"{prefix}{name}" + ("/inside" if number % 10 == 0 else "") for number, name in enumerate(wanted)]
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=b""), bodies))
    with open(names, "w") as file:
        file.write("\n".join(wanted))


# --- Accounts --------------------------------------------------------------------------------------------------------
def item(text):
    """Puts an item, in DynamoDB's JSON, as the previous tools for the table did."""
    client("dynamodb").put_item(TableName=TABLE, Item=json.loads(text))


def drop_item(orgid):
    """Deletes an item by hand, without the other items that belong to it."""
    client("dynamodb").delete_item(TableName=TABLE, Key={"orgid": {"N": orgid}})


def stored(orgid):
    found = client("dynamodb").get_item(TableName=TABLE, Key={"orgid": {"N": orgid}}).get("Item")
    print(json.dumps(found))


# --- The chain -------------------------------------------------------------------------------------------------------
def test(region, username, source="127.0.0.1"):
    """The response of TestIdentityProvider."""
    answer = client("transfer", region).test_identity_provider(
        ServerId=server(region), UserName=username, UserPassword=os.environ["SFTP_PASSWORD"], ServerProtocol="SFTP",
        SourceIp=source)
    answer.pop("ResponseMetadata")
    print(json.dumps(answer))


def log(region):
    """The authorizer's log lines."""
    logs, group = client("logs", region), f"/aws/lambda/lambda-99-upload-{region}"
    pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=group)
    for stream in (stream for page in pages for stream in page["logStreams"]):
        events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
        for event in events["events"]:
            print(event["message"].rstrip())


def variables(region, change):
    function = client("lambda", region)
    name = f"lambda-99-upload-{region}"
    now = function.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    function.update_function_configuration(FunctionName=name, Environment={"Variables": {**now, **change}})


def api(region):
    gateway, rest = client("apigateway", region), outputs(region)["ApiId"]
    [config] = [r for r in gateway.get_resources(restApiId=rest, limit=500)["items"] if r["path"].endswith("/config")]
    return gateway, {"restApiId": rest, "resourceId": config["id"], "httpMethod": "GET"}


def mapping(region, old, new):
    """Changes the mapping template, without deploying it to the stage."""
    gateway, method = api(region)
    integration = gateway.get_integration(**method)
    [(kind, text)] = integration["requestTemplates"].items()
    assert old in text, text
    put_integration(gateway, method, {**integration, "requestTemplates": {kind: text.replace(old, new)}})


def put_integration(gateway, method, integration):
    gateway.put_integration(
        **method, type="AWS", integrationHttpMethod="POST", uri=integration["uri"],
        passthroughBehavior=integration["passthroughBehavior"], requestTemplates=integration["requestTemplates"])
    # A new integration has no integration responses; the old ones are put back.
    for status, response in integration["integrationResponses"].items():
        more = {"selectionPattern": response["selectionPattern"]} if response.get("selectionPattern") else {}
        gateway.put_integration_response(**method, statusCode=status, responseTemplates=response["responseTemplates"],
                                         **more)


def deploy_api(region):
    gateway, method = api(region)
    gateway.create_deployment(restApiId=method["restApiId"], stageName="prod")


FUNCTION = """
import os
import botocore.exceptions
import botocore.session

KEYS = [os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")]


def said(service, operation, keys=KEYS, **arguments):
    session = botocore.session.Session()
    session.set_credentials(*keys)
    config = botocore.config.Config(retries={"max_attempts": 1, "mode": "standard"})
    client = session.create_client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=config)
    try:
        getattr(client, operation)(**arguments)
        return "done"
    except botocore.exceptions.ClientError as error:
        return str(error)


def handler(event, context):
    table, item = event["table"], {"orgid": {"N": "1"}}
    query = {"KeyConditionExpression": "username = :name", "ExpressionAttributeValues": {":name": {"S": "x"}}}
    return {
        "query": said("dynamodb", "query", TableName=table, IndexName="username-index", **query),
        "scan": said("dynamodb", "scan", TableName=table),
        "put": said("dynamodb", "put_item", TableName=table, Item=item),
        "other table": said("dynamodb", "get_item", TableName="other", Key=item),
        "batch": said("dynamodb", "batch_get_item", RequestItems={table: {"Keys": [item]}}),
        "s3": said("s3", "list_buckets"),
        "secret": said("dynamodb", "get_item", [KEYS[0], "another", KEYS[2]], TableName=table, Key=item),
        "token": said("dynamodb", "scan", [KEYS[0], KEYS[1], event["forged"]], TableName=table),
        "settings": sorted(name for name in os.environ if "SFTPCTL" in name),
    }
"""


def as_function():
    """The responses that a function with the authorizer's role gets."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", FUNCTION)
    function, name = client("lambda"), "another"
    authorizer = function.get_function_configuration(FunctionName="lambda-99-upload-us-west-2")
    function.create_function(FunctionName=name, Runtime="python3.12", Handler="index.handler", Role=authorizer["Role"],
                             Code={"ZipFile": archive.getvalue()}, Timeout=60)
    # The same function, with a forged token for another role.
    who = {"function": authorizer["FunctionArn"], "role": f"arn:aws:iam::{ACCOUNT}:role/sftp-transfer"}
    forged = "sftpctl." + base64.urlsafe_b64encode(json.dumps(who).encode()).decode().rstrip("=")
    answer = function.invoke(FunctionName=name, Payload=json.dumps({"table": TABLE, "forged": forged}))
    print(answer["Payload"].read().decode())


def set_variables(region):
    """The environment variables in the function's configuration."""
    configuration = client("lambda", region).get_function_configuration(FunctionName=f"lambda-99-upload-{region}")
    print(json.dumps(sorted(configuration["Environment"]["Variables"])))


def kept_method(method):
    return os.path.join(tempfile.gettempdir(), f"sftpctl-method-{method['restApiId']}.json")


def kept_variables():
    return os.path.join(tempfile.gettempdir(), f"sftpctl-variables-{outputs('us-west-2')['ApiId']}.json")


def execution_role(region):
    role = client("lambda", region).get_function_configuration(FunctionName=f"lambda-99-upload-{region}")["Role"]
    return role.rpartition("/")[2]


def canaries():
    """The number of canary accounts; 0 while there is no table."""
    dynamodb = client("dynamodb")
    items = dynamodb.scan(TableName=TABLE)["Items"] if TABLE in dynamodb.list_tables()["TableNames"] else []
    print(sum(item["username"]["S"].startswith("sftpctl-canary") for item in items))


def trust_invocation_role(service):
    """Makes the invocation role trust this service instead of the current one."""
    iam, role = client("iam"), outputs("us-west-2")["InvocationRoleArn"].rpartition("/")[2]
    document = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    for statement in document["Statement"]:
        statement["Principal"] = {"Service": service}
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(document))


def break_(link):
    """Breaks one link of the chain, or repairs by hand what `deploy` does not check."""
    if link == "invoke":
        role = outputs("us-west-2")["InvocationRoleArn"].rpartition("/")[2]
        client("iam").delete_role_policy(RoleName=role, PolicyName="call-api")
    elif link == "invoke-again":
        out = outputs("us-west-2")
        resource = f"arn:aws:execute-api:us-west-2:{ACCOUNT}:{out['ApiId']}/prod/GET/servers/*/users/*/config"
        client("iam").put_role_policy(
            RoleName=out["InvocationRoleArn"].rpartition("/")[2], PolicyName="call-api",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resource}]}))
    elif link == "trust":
        trust_invocation_role("sts.amazonaws.com")
    elif link == "trust-again":
        trust_invocation_role("transfer.amazonaws.com")
    elif link == "concurrency":
        client("lambda").put_function_concurrency(FunctionName="lambda-99-upload-us-west-2",
                                                  ReservedConcurrentExecutions=0)
    elif link == "concurrency-again":
        client("lambda").delete_function_concurrency(FunctionName="lambda-99-upload-us-west-2")
    elif link == "query":
        client("iam").delete_role_policy(RoleName=execution_role("us-west-2"), PolicyName="read-accounts")
    elif link == "query-again":
        table = f"arn:aws:dynamodb:us-west-2:{ACCOUNT}:table/{TABLE}"
        client("iam").put_role_policy(
            RoleName=execution_role("us-west-2"), PolicyName="read-accounts",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "dynamodb:Query", "Resource": f"{table}/index/username-index"}]}))
    elif link == "trigger-source":
        function = {"FunctionName": "lambda-99-upload-us-west-2", "StatementId": "sftpctl-api-trigger"}
        client("lambda").remove_permission(**function)
        client("lambda").add_permission(
            **function, Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com", SourceAccount=ACCOUNT,
            SourceArn=f"arn:aws:execute-api:us-west-2:{ACCOUNT}:another1/prod/GET/servers/*/users/*/config")
    elif link == "method":
        gateway, method = api("us-west-2")
        with open(kept_method(method), "w") as file:
            json.dump({"method": gateway.get_method(**method), "integration": gateway.get_integration(**method)}, file)
        gateway.delete_method(**method)
        deploy_api("us-west-2")
    elif link == "method-again":
        gateway, method = api("us-west-2")
        with open(kept_method(method)) as file:
            kept = json.load(file)
        os.unlink(kept_method(method))
        gateway.put_method(**method, authorizationType=kept["method"]["authorizationType"],
                           requestParameters=kept["method"].get("requestParameters", {}))
        put_integration(gateway, method, kept["integration"])
        deploy_api("us-west-2")
    elif link == "variables":
        function, name = client("lambda", "us-west-2"), "lambda-99-upload-us-west-2"
        now = function.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        with open(kept_variables(), "w") as file:
            json.dump(now, file)
        function.update_function_configuration(FunctionName=name, Environment={"Variables": {}})
    elif link == "variables-again":
        function, name = client("lambda", "us-west-2"), "lambda-99-upload-us-west-2"
        with open(kept_variables()) as file:
            function.update_function_configuration(FunctionName=name, Environment={"Variables": json.load(file)})
        os.unlink(kept_variables())
    elif link == "role-name":
        variables("us-west-2", {"USER_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/sftp-transfr"})
    elif link == "role-name-again":
        variables("us-west-2", {"USER_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/sftp-transfer"})
    elif link == "bucket":
        iam, arn = client("iam"), f"arn:aws:iam::{ACCOUNT}:policy/99-uploads-sftp-transfer"
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        for statement in document["Statement"]:
            if isinstance(statement["Resource"], list):
                statement["Resource"] = [r for r in statement["Resource"] if "pl-pt99-5" not in r]
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)
    elif link == "bucket-grant":
        policy = json.loads(client("s3").get_bucket_policy(Bucket="pl-pt99-5-uploads")["Policy"])
        policy["Statement"] = [s for s in policy["Statement"] if s["Effect"] == "Deny"]
        client("s3").put_bucket_policy(Bucket="pl-pt99-5-uploads", Policy=json.dumps(policy))
    else:
        raise SystemExit(f"no link {link}")


def turn(region, operation, state):
    transfer, identity = client("transfer", region), server(region)
    getattr(transfer, operation)(ServerId=identity)
    deadline = time.monotonic() + 60
    while transfer.describe_server(ServerId=identity)["Server"]["State"] != state:
        assert time.monotonic() < deadline, f"{identity} is not {state}"
        time.sleep(0.05)


def stop(region):
    turn(region, "stop_server", "OFFLINE")


def start(region):
    turn(region, "start_server", "ONLINE")


def drop_host_key(region, kind):
    transfer, identity = client("transfer", region), server(region)
    for key in transfer.list_host_keys(ServerId=identity)["HostKeys"]:
        if key["Type"] == kind:
            transfer.delete_host_key(ServerId=identity, HostKeyId=key["HostKeyId"])


def import_host_key(region, path, description):
    with open(path) as file:
        client("transfer", region).import_host_key(ServerId=server(region), HostKeyBody=file.read(),
                                                   Description=description)


def host_keys(region):
    """The description of each type of host key."""
    keys = client("transfer", region).list_host_keys(ServerId=server(region))["HostKeys"]
    print(json.dumps({key["Type"]: key["Description"] for key in keys}, sort_keys=True))


def set_stat(region, option):
    client("transfer", region).update_server(ServerId=server(region), ProtocolDetails={"SetStatOption": option})


def delete_server(region):
    client("transfer", region).delete_server(ServerId=server(region))


def keep_secret(name, private):
    client("secretsmanager").create_secret(Name=name, SecretString=private)


def keep_key(name, private):
    client("ssm").put_parameter(Name=name, Value=private, Type="SecureString")


def knock(username, customers):
    """Tests log-ins in both regions until standard input ends; then prints one line of results.

    Each of the `customers` logs in again a fifth of a second after an answer, as people do: a busy machine is asked
    less often, and does not answer later and later."""
    regions = ["us-west-2", "us-east-2"]
    doors = {region: (client("transfer", region), server(region)) for region in regions}
    done, failures, times = threading.Event(), [], []

    def one(region):
        begin = time.monotonic()
        try:
            transfer, identity = doors[region]
            answer = transfer.test_identity_provider(
                ServerId=identity, UserName=username, UserPassword=os.environ["SFTP_PASSWORD"], ServerProtocol="SFTP")
            if '"Role"' not in answer.get("Response", ""):
                failures.append({"region": region, "status": answer["StatusCode"], "message": answer["Message"],
                                 "response": answer.get("Response")})
        except Exception as error:
            failures.append({"region": region, "error": repr(error)})
        times.append(time.monotonic() - begin)

    def customer(number):
        while not done.wait(0.2):
            one(regions[number % 2])

    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(int(customers)) as pool:
        ends = [pool.submit(customer, number) for number in range(int(customers))]
        print("knocking", flush=True)
        sys.stdin.read()
        done.set()
        for end in ends:
            end.result()
    print(json.dumps({"asked": len(times), "failed": len(failures), "first": failures[:3],
                      "seconds": time.monotonic() - begin, "slowest": max(times)}))


{
    "object": object_, "put": put, "keys": keys, "uploads": uploads, "many": many, "item": item,
    "drop-item": drop_item, "stored": stored,
    "test": test, "log": log, "mapping": mapping, "deploy-api": deploy_api, "break": break_, "knock": knock,
    "stop": stop, "start": start, "set-stat": set_stat, "delete-server": delete_server, "keep-secret": keep_secret,
    "canaries": canaries, "as-function": as_function, "set-variables": set_variables,
    "import-host-key": import_host_key, "host-keys": host_keys,
    "drop-host-key": drop_host_key, "keep-key": keep_key,
}[COMMAND](*sys.argv[3:])
