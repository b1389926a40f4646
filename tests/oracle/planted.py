"""Plants what is not ours in the place of what is, with botocore alone. Usage: planted.py ENDPOINT COMMAND …"""

import base64
import hashlib
import io
import json
import sys
import zipfile

import front_secret
import late

ENDPOINT, COMMAND = sys.argv[1:3]
BUCKET, FUNCTION = "lambda-pl-upload-us-west-2", "lambda-99-upload-us-west-2"
SESSION = late.session()
SESSION.set_credentials("111111111111", front_secret.SECRET)


def client(service):
    return SESSION.create_client(service, region_name="us-west-2", endpoint_url=ENDPOINT)


def other_code():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("bootstrap"), "#!/bin/sh\nexit 1\n")
    return file.getvalue()


def put(key):
    """Puts other code under a key, with its SHA-256, as an honest client would."""
    body = other_code()
    client("s3").put_object(Bucket=BUCKET, Key=key, Body=body, ChecksumAlgorithm="SHA256")
    print(base64.b64encode(hashlib.sha256(body).digest()).decode())


def run(key):
    """Lets the function run what is under the key."""
    aws = client("lambda")
    aws.update_function_code(FunctionName=FUNCTION, S3Bucket=BUCKET, S3Key=key)
    aws.get_waiter("function_updated_v2").wait(FunctionName=FUNCTION)


def redirect():
    """Lets the authorizer ask another server for the account, and run a layer's extension."""
    aws = client("lambda")
    now = aws.get_function_configuration(FunctionName=FUNCTION)["Environment"]["Variables"]
    now |= {"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9", "TABLE_NAME": "theirs"}
    layer = aws.publish_layer_version(LayerName="theirs", Content={"ZipFile": other_code()})["LayerVersionArn"]
    aws.update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": now}, Layers=[layer])
    aws.get_waiter("function_updated_v2").wait(FunctionName=FUNCTION)


def settings():
    found = client("lambda").get_function_configuration(FunctionName=FUNCTION)
    print(json.dumps([found["Environment"]["Variables"], found.get("Layers", [])], sort_keys=True))


def code():
    print(client("lambda").get_function_configuration(FunctionName=FUNCTION)["CodeSha256"])


def keys():
    print(json.dumps(sorted(entry["Key"] for entry in client("s3").list_objects_v2(Bucket=BUCKET)["Contents"])))


def server():
    """Creates a server of somebody else."""
    print(client("transfer").create_server(IdentityProviderType="SERVICE_MANAGED")["ServerId"])


def untouched(server):
    found = client("transfer").describe_server(ServerId=server)["Server"]
    assert found["IdentityProviderType"] == "SERVICE_MANAGED" and not found.get("Tags"), found


{"server": server, "untouched": untouched, "put": put, "run": run, "redirect": redirect, "settings": settings, "code": code, "keys": keys}[COMMAND](*sys.argv[3:])
