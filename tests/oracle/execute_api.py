"""Calls the deployed API from outside, with botocore's signatures. Usage: execute_api.py ENDPOINT USERNAME COMMAND …

Prints one line of JSON per case: its name, the status and the response.
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

import front_secret

ENDPOINT, USERNAME, PASSWORD = sys.argv[1:4]
ACCOUNT, REGION = "111111111111", "us-west-2"
SESSION = botocore.session.Session()
SESSION.set_credentials(ACCOUNT, front_secret.SECRET)


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


def call(name, keys=None, method="GET", path=PATH, alter=lambda headers, path: path, region=REGION, host=HOST):
    headers = {"PasswordBase64": base64.b64encode(PASSWORD.encode()).decode()}
    request = AWSRequest(method=method, url=f"https://{host}{path}", headers=headers)
    if keys:
        SigV4Auth(keys, "execute-api", region).add_auth(request)
    headers = {name: value for name, value in request.headers.items()}
    path = alter(headers, path)
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(ENDPOINT).netloc, timeout=60)
    connection.request(method, path, headers={**headers, "Host": host})
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
    call("unknown keys", Credentials("ASIAFAKEFAKEFAKEFAKE", "fake-secret", "fake"))
    call("the keys of an account, of no role", Credentials(ACCOUNT, "fake-secret"))
    call("another role", customer)
    call("an unknown stage", invocation, path=PATH.replace("/prod/", "/test/"))
    call("an unknown method", invocation, method="POST")
    call("an unknown path", invocation, path=PATH.replace("/config", "/configuration"))


def once():
    call("signed by the invocation role", session_of(OUTPUTS["InvocationRoleArn"]))


def guard(policy):
    """Sets a resource policy, which the local cloud does not model, on the API, and deploys the API."""
    gateway, rest = client("apigateway"), OUTPUTS["ApiId"]
    gateway.update_rest_api(restApiId=rest, patchOperations=[{"op": "replace", "path": "/policy", "value": policy}])
    gateway.create_deployment(restApiId=rest, stageName="prod")


def remade(where, kept, method=None, integration=None, answers=None):
    """Recreates the method with these changes, and deploys the API."""
    gateway = client("apigateway")
    gateway.delete_method(**where)
    put = {"authorizationType": kept["authorizationType"], "requestParameters": kept["requestParameters"]}
    gateway.put_method(**where, **{**put, **(method or {})})
    old = kept["methodIntegration"]
    if integration != "none":
        put = {"type": old["type"], "integrationHttpMethod": "POST", "uri": old["uri"],
               "passthroughBehavior": old["passthroughBehavior"], "requestTemplates": old["requestTemplates"]}
        put |= integration or {}
        gateway.put_integration(**where, **{name: value for name, value in put.items() if value is not None})
        for status, answer in (old["integrationResponses"] if answers is None else answers).items():
            more = {"selectionPattern": answer["selectionPattern"]} if answer.get("selectionPattern") else {}
            gateway.put_integration_response(**where, statusCode=status, **more,
                                             responseTemplates=answer["responseTemplates"])
    gateway.create_deployment(restApiId=where["restApiId"], stageName="prod")


def unmodelled():
    """Tries features that the local cloud does not model, one after the other, then the method as deployed."""
    gateway, rest = client("apigateway"), OUTPUTS["ApiId"]
    [config] = [r for r in gateway.get_resources(restApiId=rest, limit=500)["items"] if r["path"].endswith("/config")]
    where = {"restApiId": rest, "resourceId": config["id"], "httpMethod": "GET"}
    kept = gateway.get_method(**where)
    uri = kept["methodIntegration"]["uri"]
    validator = gateway.create_request_validator(restApiId=rest, name="v", validateRequestParameters=True)["id"]
    authorizer = gateway.create_authorizer(restApiId=rest, name="a", type="TOKEN", authorizerUri=uri,
                                           identitySource="method.request.header.Authorization")["id"]
    pool = gateway.create_authorizer(restApiId=rest, name="p", type="COGNITO_USER_POOLS",
                                     providerARNs=[f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{REGION}_x"],
                                     identitySource="method.request.header.Authorization")["id"]
    header = "integration.request.header.X-Amz-Invocation-Type"
    for name, changes in {
        "API key": {"method": {"apiKeyRequired": True}},
        "validator": {"method": {"requestValidatorId": validator}},
        "custom authorizer": {"method": {"authorizationType": "CUSTOM", "authorizerId": authorizer}},
        "user pool": {"method": {"authorizationType": "COGNITO_USER_POOLS", "authorizerId": pool}},
        "parameter": {"method": {"requestParameters": {"method.request.multivaluequerystring.x": True}}},
        "missing parameter": {"method": {"requestParameters": {"method.request.querystring.absent": True}}},
        "no integration": {"integration": "none"},
        "proxy": {"integration": {"type": "AWS_PROXY", "requestTemplates": None}},
        "mock": {"integration": {"type": "MOCK", "uri": None}},
        "another service": {"integration": {"uri": f"arn:aws:apigateway:{REGION}:dynamodb:action/Query"}},
        "credentials": {"integration": {"credentials": OUTPUTS["InvocationRoleArn"]}},
        "integration parameters": {"integration": {"requestParameters": {header: "'Event'"}}},
        "content": {"integration": {"contentHandling": "CONVERT_TO_BINARY"}},
        "no template": {"integration": {"requestTemplates": {"text/plain": "{}"}}},
        "unknown template": {"integration": {"requestTemplates": {"application/json": "$stageVariables.x"}}},
        "no JSON": {"integration": {"requestTemplates": {"application/json": "hello"}}},
        "no answer": {"answers": {}},
        "unknown answer": {"answers": {"200": {"responseTemplates": {"application/json": "$util.nothing('x')"}}}},
        "as deployed": {},
    }.items():
        remade(where, kept, **changes)
        call(name, session_of(OUTPUTS["InvocationRoleArn"]))
    # An API that responds only under a custom domain name.
    other = gateway.create_rest_api(name="other", disableExecuteApiEndpoint=True)["id"]
    [root] = gateway.get_resources(restApiId=other)["items"]
    where = {"restApiId": other, "resourceId": root["id"], "httpMethod": "GET"}
    gateway.put_method(**where, authorizationType="NONE")
    gateway.put_integration(**where, type="AWS", integrationHttpMethod="POST", uri=uri)
    gateway.create_deployment(restApiId=other, stageName="prod")
    call("endpoint off", path="/prod", host=f"{other}.execute-api.{REGION}.amazonaws.com")


{"all": all_cases, "once": once, "guard": guard, "unmodelled": unmodelled}[sys.argv[4]](*sys.argv[5:])
