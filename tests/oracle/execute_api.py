"""Calls the deployed API as botocore signs it, from outside. Usage: execute_api.py ENDPOINT USERNAME COMMAND …

Prints one line of JSON a case: its name, the status, and the answer.
"""

import base64
import http.client
import json
import sys
import urllib.parse

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ENDPOINT, USERNAME, PASSWORD = sys.argv[1:4]
ACCOUNT, REGION = "111111111111", "us-west-2"
SESSION = botocore.session.Session()
SESSION.set_credentials(ACCOUNT, "fake-secret")


def client(service):
    return SESSION.create_client(service, region_name=REGION, endpoint_url=ENDPOINT)


[STACK] = client("cloudformation").describe_stacks(StackName=f"sftp-99-upload-{REGION}")["Stacks"]
OUTPUTS = {output["OutputKey"]: output["OutputValue"] for output in STACK["Outputs"]}
HOST = f"{OUTPUTS['ApiId']}.execute-api.{REGION}.amazonaws.com"
[SERVER] = client("transfer").list_servers()["Servers"]
PATH = f"/prod/servers/{SERVER['ServerId']}/users/{urllib.parse.quote(USERNAME)}/config?protocol=SFTP&sourceIp=192.0.2.1"


def session_of(role):
    keys = client("sts").assume_role(RoleArn=role, RoleSessionName="outside")["Credentials"]
    return Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def call(name, keys=None, method="GET", path=PATH, alter=lambda headers, path: path, region=REGION):
    headers = {"PasswordBase64": base64.b64encode(PASSWORD.encode()).decode()}
    request = AWSRequest(method=method, url=f"https://{HOST}{path}", headers=headers)
    if keys:
        SigV4Auth(keys, "execute-api", region).add_auth(request)
    headers = {name: value for name, value in request.headers.items()}
    path = alter(headers, path)
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(ENDPOINT).netloc, timeout=60)
    connection.request(method, path, headers={**headers, "Host": HOST})
    answer = connection.getresponse()
    text = answer.read().decode()
    print(json.dumps({"case": name, "status": answer.status, "answer": json.loads(text)}))


def with_header(name, value):
    def alter(headers, path):
        [have] = [key for key in headers if key.lower() == name.lower()]
        headers[have] = value
        return path
    return alter


def all_cases():
    invocation = session_of(OUTPUTS["InvocationRoleArn"])
    customer = session_of(f"arn:aws:iam::{ACCOUNT}:role/sftp-transfer")
    call("signed by the invocation role", invocation)
    call("unsigned")
    call("another password than signed", invocation, alter=with_header("PasswordBase64", "b3RoZXI="))
    call("another token", invocation, alter=with_header("X-Amz-Security-Token", "another"))
    call("another date", invocation, alter=with_header("X-Amz-Date", "20200101T000000Z"))
    call("another path than signed", invocation, alter=lambda headers, path: path.replace(urllib.parse.quote(USERNAME), "another"))
    call("another query than signed", invocation, alter=lambda headers, path: path.replace("192.0.2.1", "192.0.2.2"))
    call("signed for another region", invocation, region="us-east-2")
    call("keys that nobody has", Credentials("ASIAFAKEFAKEFAKEFAKE", "fake-secret", "fake"))
    call("the keys of an account, of no role", Credentials(ACCOUNT, "fake-secret"))
    call("another role", customer)
    call("an unknown stage", invocation, path=PATH.replace("/prod/", "/test/"))
    call("an unknown method", invocation, method="POST")
    call("an unknown path", invocation, path=PATH.replace("/config", "/configuration"))


def once():
    call("signed by the invocation role", session_of(OUTPUTS["InvocationRoleArn"]))


def guard(policy):
    """Puts a resource policy, which the local cloud does not model, in front of the API, and deploys it."""
    gateway, rest = client("apigateway"), OUTPUTS["ApiId"]
    gateway.update_rest_api(restApiId=rest, patchOperations=[{"op": "replace", "path": "/policy", "value": policy}])
    gateway.create_deployment(restApiId=rest, stageName="prod")


{"all": all_cases, "once": once, "guard": guard}[sys.argv[4]](*sys.argv[5:])
