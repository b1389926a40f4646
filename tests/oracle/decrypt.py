"""Workflows of Transfer Family in a deployed environment 99, by botocore alone. Usage: decrypt.py ENDPOINT COMMAND …"""

import json
import sys

import front_secret
import late
from checks import equal, refused

ENDPOINT, COMMAND, *MORE = sys.argv[1:]
ACCOUNT, REGION, BUCKET = "111111111111", "us-west-2", "pl-pt99-5-uploads"
SESSION = late.session()
SESSION.set_credentials(ACCOUNT, front_secret.SECRET)


def client(service):
    return SESSION.create_client(service, region_name=REGION, endpoint_url=ENDPOINT)


TRANSFER, S3, SECRETS, IAM = client("transfer"), client("s3"), client("secretsmanager"), client("iam")


def server():
    (found,) = TRANSFER.list_servers()["Servers"]
    return TRANSFER.describe_server(ServerId=found["ServerId"])["Server"]


def attached():
    """Prints the server's ID, its workflow's step, and the role, or `nothing`."""
    details = server().get("WorkflowDetails", {}).get("OnUpload", [])
    if not details:
        equal("workflows", TRANSFER.list_workflows()["Workflows"], [])
        return print("nothing")
    (one,) = details
    workflow = TRANSFER.describe_workflow(WorkflowId=one["WorkflowId"])["Workflow"]
    equal("workflows", [each["WorkflowId"] for each in TRANSFER.list_workflows()["Workflows"]], [one["WorkflowId"]])
    equal("tag", {tag["Key"]: tag["Value"] for tag in workflow["Tags"]}["sftpctl:environment"], "99")
    (step,) = workflow["Steps"]
    print(json.dumps({"server": server()["ServerId"], "workflow": one["WorkflowId"], "role": one["ExecutionRole"],
                      "step": step}))


def left():
    """Nothing is left of workflows."""
    equal("workflows", TRANSFER.list_workflows()["Workflows"], [])


def store(name, file):
    """Stores a secret, or replaces it."""
    with open(file) as key:
        text = key.read()
    try:
        SECRETS.create_secret(Name=name, SecretString=text)
    except SECRETS.exceptions.ResourceExistsException:
        SECRETS.put_secret_value(SecretId=name, SecretString=text)


def remove(name):
    SECRETS.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def content(key, file):
    """Writes an object to a file, and prints whether there is one."""
    try:
        found = S3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    except S3.exceptions.NoSuchKey:
        return print("missing")
    with open(file, "wb") as out:
        out.write(found)
    print("found")


def log():
    """Prints the lines of the workflows, in their order."""
    logs, group = client("logs"), f"/aws/vendedlogs/transfer/99-upload-{REGION}"
    events = logs.filter_log_events(logGroupName=group)["events"]
    for event in sorted(events, key=lambda event: event["timestamp"]):
        line = json.loads(event["message"])
        if "executionId" in line:
            print(json.dumps(line))


def details(workflow, role):
    return {"OnUpload": [{"WorkflowId": workflow, "ExecutionRole": role}]}


def detach():
    """Takes the workflow off the server, by hand."""
    TRANSFER.update_server(ServerId=server()["ServerId"], WorkflowDetails={"OnUpload": []})
    equal("details", server().get("WorkflowDetails"), None)


def forbid(role, policy):
    """Takes a policy from a role."""
    IAM.delete_role_policy(RoleName=role.split("/")[-1], PolicyName=policy)


def strict():
    """What Transfer Family refuses."""
    identifier = server()["ServerId"]
    (one,) = server()["WorkflowDetails"]["OnUpload"]
    workflow, role = one["WorkflowId"], one["ExecutionRole"]

    def server_with(code, words, workflow, role):
        refused("UpdateServer", code, words, TRANSFER.update_server, ServerId=identifier,
                WorkflowDetails=details(workflow, role))

    server_with("ResourceNotFoundException", "Unknown workflow", "w-0123456789abcdef0", role)
    server_with("ValidationException", "workflowId", "w-1234567890abcdef-", role)
    server_with("InvalidRequestException", "does not exist", workflow, f"arn:aws:iam::{ACCOUNT}:role/missing-role")
    # It does not trust Transfer Family for a workflow.
    server_with("InvalidRequestException", "not authorized", workflow, f"arn:aws:iam::{ACCOUNT}:role/sftp-transfer")
    unknown = {"WorkflowId": "w-0123456789abcdef0"}
    refused("describe", "ResourceNotFoundException", "Unknown workflow", TRANSFER.describe_workflow, **unknown)
    refused("delete", "ResourceNotFoundException", "Unknown workflow", TRANSFER.delete_workflow, **unknown)
    refused("create", "InvalidRequestException", "DecryptStepDetails", TRANSFER.create_workflow,
            Steps=[{"Type": "DECRYPT"}])
    refused("create", "ValidationException", "enum value set", TRANSFER.create_workflow, Steps=[{"Type": "ENCRYPT"}])
    place = {"S3FileLocation": {"Bucket": BUCKET, "Key": "decrypted/"}}
    step = {"Type": "DECRYPT", "DecryptStepDetails": {"Type": "PGP", "DestinationFileLocation": place}}
    others = [TRANSFER.create_workflow(Steps=[step])["WorkflowId"] for _ in range(9)]
    refused("an eleventh", "InvalidRequestException", "10 workflows", TRANSFER.create_workflow, Steps=[step])
    for other in others:
        TRANSFER.delete_workflow(WorkflowId=other)
    equal("details", server()["WorkflowDetails"], details(workflow, role))


{"attached": attached, "left": left, "store": store, "remove": remove, "content": content, "log": log,
 "detach": detach, "forbid": forbid, "strict": strict}[COMMAND](*MORE)
