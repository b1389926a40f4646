"""Signs requests that no SDK sends, with the keys of a role that may do little, and of a function.

Usage: raw.py ENDPOINT. Fails if one of them does more than the role may.
"""

import http.client
import io
import json
import sys
import time
import urllib.parse
import zipfile

import botocore.session
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

import front_secret

ENDPOINT = sys.argv[1]
ACCOUNT, REGION, PORT = "111111111111", "us-west-2", int(ENDPOINT.rsplit(":", 1)[1])
FORM = {"content-type": "application/x-www-form-urlencoded"}
LIST = {"x-amz-target": "DynamoDB_20120810.ListTables"}
ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


def client(service):
    session = botocore.session.Session()
    session.set_credentials(ACCOUNT, front_secret.SECRET)
    return session.create_client(service, region_name=REGION, endpoint_url=ENDPOINT)


def again(call, **arguments):
    """Some calls fail for a moment after a creation, as on AWS."""
    for _ in range(20):
        try:
            return call(**arguments)
        except ClientError as error:
            last = error
            time.sleep(0.05)
    raise last


def role(name, *statements, service=None):
    principal = {"Service": service} if service else {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)
    allowed = [{"Effect": "Allow", "Action": actions, "Resource": resource} for actions, resource in statements]
    document = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    again(client("iam").put_role_policy, RoleName=name, PolicyName="own", PolicyDocument=document)
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    if service:
        return arn
    keys = again(client("sts").assume_role, RoleArn=arn, RoleSessionName="tests")["Credentials"]
    return Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def raw(keys, service, method, path, headers=None, body=b"", host=f"127.0.0.1:{PORT}", unsigned=()):
    """Signs a request and sends it as it is. Returns the status and the body."""
    request = AWSRequest(method, f"http://{host}{path}", data=body)
    for name, value in (headers or {}).items():
        request.headers[name] = value
    (S3SigV4Auth if service == "s3" else SigV4Auth)(keys, service, REGION).add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", host)
    for name, value in list(request.headers.items()) + list(unsigned):
        if name.lower() not in ("host", "content-length"):
            connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    return answer.status, answer.read()


tried = 0


def refused(*arguments, without=b"", **options):
    global tried
    tried += 1
    status, body = raw(*arguments, **options)
    assert 400 <= status < 500, (arguments, options, status, body[:300])
    assert not without or without not in body, (arguments, options, body[:300])


def allowed(*arguments, **options):
    status, body = raw(*arguments, **options)
    assert status == 200, (arguments, options, status, body[:300])
    return body


def forms():
    keys = role("of-forms", (["iam:GetRole", "cloudformation:DescribeStacks"], "*"))
    name = "&Version=2010-05-08&RoleName=of-forms"
    document = urllib.parse.quote(ALL)
    put, get = f"Action=PutRolePolicy{name}&PolicyName=more&PolicyDocument={document}", f"Action=GetRole{name}"
    allowed(keys, "iam", "POST", "/", FORM, get.encode())
    for body in [put, put + "&Action=GetRole", put.replace("Action", "%41ction", 1) + "&Action=GetRole",
                 get + "&" + put, get.replace("Action", "%41ction", 1) + "&" + put, put + "&Actio%6e=GetRole"]:
        refused(keys, "iam", "POST", "/", FORM, body.encode())
    refused(keys, "iam", "POST", "/?" + put, FORM, get.encode())
    refused(keys, "iam", "POST", "/", {**FORM, "x-amz-target": "IAMService.PutRolePolicy"}, get.encode())
    refused(keys, "iam", "GET", f"/?{put}&Action=GetRole")
    # A function's path, and the operation of a form.
    refused(keys, "lambda", "POST", "/2015-03-31/functions/spy/invocations", FORM, b"Action=GetAccountSettings")
    refused(keys, "cloudformation", "POST", "/", FORM, b"Action=ListStacks&Version=2010-05-15&Action=DescribeStacks")
    policies = again(client("iam").list_role_policies, RoleName="of-forms")["PolicyNames"]
    assert policies == ["own"], policies


def buckets():
    s3 = client("s3")
    for bucket in ("raw-mine", "raw-secret"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    again(s3.put_object, Bucket="raw-secret", Key="a/key", Body=b"SECRET")
    again(s3.put_object, Bucket="raw-mine", Key="a/key", Body=b"mine")
    own = ["arn:aws:s3:::raw-mine", "arn:aws:s3:::raw-mine/*"]
    keys = role("of-buckets", ("s3:*", own), ("lambda:CreateFunction", "*"))
    path = "/raw-secret/a/key"
    assert allowed(keys, "s3", "GET", "/raw-mine/a/key") == b"mine"
    for host in ["raw-mine.127.0.0.1", "raw-mine.localhost", "raw-mine.s3.us-west-2.amazonaws.com"]:
        assert allowed(keys, "s3", "GET", "/a/key", host=f"{host}:{PORT}") == b"mine", host
    for host in ["raw-mine.localhost", "raw-mine.foo.localhost", "raw-mine.127.0.0.1", "raw-mine.s3.127.0.0.1",
                 "raw-mine.us-west-2.amazonaws.com", "raw-mine.s3-foo.amazonaws.com", "raw-mine.amazonaws.com",
                 "raw-mine.s3.amazonaws.com", "RAW-MINE.lambda.us-west-2.amazonaws.com", "raw-mine.elb.amazonaws.com",
                 "raw-mine.execute-api.localhost", "raw-mine.s3-control.us-west-2.amazonaws.com"]:
        refused(keys, "s3", "GET", path, host=f"{host}:{PORT}", without=b"SECRET")
    for other in ["//raw-secret/a/key", "/raw-mine/../raw-secret/a/key", "/raw-mine%2F..%2Fraw-secret/a/key", path]:
        refused(keys, "s3", "GET", other, without=b"SECRET")
    refused(keys, "s3", "GET", path, LIST, without=b"SECRET")
    refused(keys, "s3", "PUT", "/raw-mine/x?x-amz-copy-source=raw-secret%2Fa%2Fkey")
    refused(keys, "s3", "PUT", "/raw-mine/x", {"x-amz-copy-source": "raw-secret/a/key"})
    # Objects that the front could overlook. The first answer may be an error for a single key, as on AWS.
    some = role("of-objects", ("s3:DeleteObject", "arn:aws:s3:::raw-mine/mine/*"))
    for objects in ["<Object><Key>a/key</Key></Object>", "<Object ><Key>a/key</Key></Object>",
                    "<Object><Key>mine/x</Key><Key>a/key</Key></Object>", "<Object><Key>a/&#107;ey</Key></Object>",
                    "<x:Object xmlns:x=''><x:Key>a/key</x:Key></x:Object>"]:
        body = f"<Delete><Object><Key>mine/x</Key></Object>{objects}</Delete>".encode()
        for _ in range(2):
            raw(some, "s3", "POST", "/raw-mine?delete", {}, body)
    assert s3.get_object(Bucket="raw-mine", Key="a/key")["Body"].read() == b"mine"
    # A condition on the name of a resource is not met by another spelling of it.
    only = role("of-buckets-2", ("s3:CreateBucket", "*"))
    refused(only, "s3", "PUT", "/raw-mine?%70olicy", {}, ALL.encode())
    assert s3.get_object(Bucket="raw-secret", Key="a/key")["Body"].read() == b"SECRET"
    # A compressed body is not looked into, so that the role in it is not passed.
    import gzip
    new = {"FunctionName": "raw-passed", "Runtime": "python3.11", "Role": f"arn:aws:iam::{ACCOUNT}:role/of-forms",
           "Handler": "i.h", "Code": {"ZipFile": "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="}}
    new = json.dumps(new)
    kind = {"content-type": "application/json"}
    for headers, body in [({}, new.encode()), ({"content-encoding": "gzip"}, gzip.compress(new.encode())),
                          ({}, new.encode("utf-16"))]:
        refused(keys, "lambda", "POST", "/2015-03-31/functions", {**kind, **headers}, body)


def doors(keys, api, can_list):
    """MiniStack's ways beside its services, with the keys of a caller that may list tables."""
    if can_list:
        allowed(keys, "dynamodb", "POST", "/", LIST, b"{}")
    for method, path in [("POST", "/_ministack/reset"), ("POST", "/%5Fministack/reset"),
                         ("POST", "//_ministack/reset"), ("POST", "/_ministack/config"),
                         ("GET", "/_ministack/ses/messages"), ("GET", "/health"),
                         ("GET", f"/_ministack/lambda-code/{ACCOUNT}/{REGION}/spy"),
                         ("GET", f"/_aws/execute-api/{api}/prod/servers/s-1/users/me/config"),
                         ("GET", f"/restapis/{api}/prod/_user_request_/servers/s-1/users/me/config"),
                         ("GET", f"/restapis/{api}/prod/%5Fuser_request_/servers/s-1/users/me/config")]:
        refused(keys, "dynamodb", method, path, LIST, b"{}" if method == "POST" else b"")
        refused(keys, "s3", method, path)
    for host in ["execute-api.localhost", "execute-api.us-west-2.localhost", "lambda-url.localhost"]:
        host = f"{api}.{host}"
        refused(keys, "dynamodb", "GET", "/prod/servers/s-1/users/me/config", LIST, host=f"{host}:{PORT}")
    scan = {"x-amz-target": "DynamoDB_20120810.Scan"}
    refused(keys, "dynamodb", "POST", "/", scan, b'{"TableName":"dydb-99-uploads"}')
    refused(keys, "dynamodb", "POST", "/", LIST, b"{}", unsigned=[("x-amz-target", "DynamoDB_20120810.Scan")])
    refused(keys, "dynamodb", "POST", "/", {"x-amz-target": "AmazonSQS.ListTables"}, b"{}")


CODE = """
import os
def handler(event, context):
    return dict(os.environ)
"""


def function():
    arn = role("of-a-function", ("dynamodb:ListTables", "*"), service="lambda.amazonaws.com")
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("i.py", CODE)
    functions = client("lambda")
    again(functions.create_function, FunctionName="spy", Runtime="python3.11", Role=arn, Handler="i.handler",
          Code={"ZipFile": package.getvalue()}, Environment={"Variables": {"OWN": "value"}})
    environment = json.load(again(functions.invoke, FunctionName="spy")["Payload"])
    assert environment["OWN"] == "value", environment
    assert environment["PATH"] == "/usr/local/bin:/usr/bin/:/bin:/opt/bin", environment
    for name in ["HOME", "STATE_DIR", "S3_DATA_DIR", "TMPDIR", "GATEWAY_PORT", "BIND_HOST", "PERSIST_STATE"]:
        assert name not in environment, name
    names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
    return Credentials(*(environment[name] for name in names))


def package_of_50_megabytes():
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("i.py", CODE)
        archive.writestr("data", bytes(49_000_000))
    client("lambda").update_function_code(FunctionName="spy", ZipFile=code.getvalue())


forms()
buckets()
api = client("apigateway").get_rest_apis()["items"][0]["id"]
doors(role("of-doors", ("dynamodb:ListTables", "*")), api, True)
doors(function(), api, True)
# MiniStack's own buckets and tables are still there.
assert "raw-mine" in [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]]
package_of_50_megabytes()
print("refused", tried)
