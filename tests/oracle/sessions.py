"""Calls the local cloud in sessions of a role that may do everything. Usage: sessions.py ENDPOINT ROLE_ARN"""

import json
import sys

import botocore.session
from botocore.exceptions import ClientError

import front_secret

ENDPOINT, ROLE = sys.argv[1:3]
ACCOUNT, NAME = ROLE.split(":")[4], ROLE.split("/")[-1]


def client(service, keys=None, region="us-west-2"):
    session = botocore.session.Session()
    session.set_credentials(*(keys or (ACCOUNT, front_secret.SECRET)))
    return session.create_client(service, region_name=region, endpoint_url=ENDPOINT)


def assume(**more):
    answer = client("sts").assume_role(RoleArn=ROLE, RoleSessionName="tests", ExternalId="ticket-1", **more)
    keys = answer["Credentials"]
    return keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]


def refused(code, call, *words, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        for word in words:
            assert word in str(error), (word, error)
        return error.response["ResponseMetadata"]["HTTPStatusCode"]
    raise AssertionError(f"{call} is not refused with {code}")


def allow(actions):
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


root = client("iam")
keys = assume()
assert client("sts", keys).get_caller_identity()["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{NAME}/tests"
client("transfer", keys).list_servers()
client("s3", keys).create_bucket(Bucket="tests-of-sessions", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})

# Each service refuses in its own form.
narrow = assume(Policy=allow("sts:GetCallerIdentity"))
why = "because no session policy allows the"
for service, call, arguments, code, status in [
    ("s3", "list_objects_v2", {"Bucket": "tests-of-sessions"}, "AccessDenied", 403),
    ("iam", "get_role", {"RoleName": NAME}, "AccessDenied", 403),
    ("cloudformation", "describe_stacks", {"StackName": "s"}, "AccessDenied", 403),
    ("route53", "list_hosted_zones", {}, "AccessDenied", 403),
    ("dynamodb", "describe_table", {"TableName": "t"}, "AccessDeniedException", 400),
    ("logs", "describe_log_groups", {}, "AccessDeniedException", 400),
    ("transfer", "list_servers", {}, "AccessDeniedException", 400),
    ("lambda", "get_function", {"FunctionName": "f"}, "AccessDeniedException", 403),
    ("apigateway", "get_rest_apis", {}, "AccessDeniedException", 403),
]:
    words = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{NAME}/tests is not authorized to perform: ", why
    have = refused(code, getattr(client(service, narrow), call), *words, **arguments)
    assert have == status, (service, have)

# What the table does not know is refused even to a role that may do everything.
refused("AccessDenied", client("iam", keys).list_users, "does not know which permissions iam:ListUsers needs")
refused("AccessDeniedException", client("transfer", keys).list_connectors, "does not know which permissions")

# A missing object is "not found" only to those who may list.
s3 = client("s3", assume(Policy=allow("s3:GetObject")))
refused("AccessDenied", s3.get_object, "s3:ListBucket", Bucket="tests-of-sessions", Key="missing")
refused("NoSuchKey", client("s3", keys).get_object, Bucket="tests-of-sessions", Key="missing")

# Deletions are refused one by one, with status 200.
s3 = client("s3", narrow)
answer = s3.delete_objects(Bucket="tests-of-sessions", Delete={"Objects": [{"Key": "a"}]})
assert [error["Code"] for error in answer["Errors"]] == ["AccessDenied"], answer

# The boundary limits the role; conditions see the tags of resources.
boundary = root.create_policy(PolicyName="boundary", PolicyDocument=allow(["transfer:*", "iam:*"]))["Policy"]["Arn"]
root.put_role_permissions_boundary(RoleName=NAME, PermissionsBoundary=boundary)
client("transfer", keys).list_servers()
refused("AccessDenied", client("s3", keys).list_buckets, "because no permissions boundary allows")
root.delete_role_permissions_boundary(RoleName=NAME)
client("s3", keys).list_buckets()
root.put_role_policy(RoleName=NAME, PolicyName="deny", PolicyDocument=json.dumps({
    "Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Action": "transfer:DeleteServer", "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/keep": "yes"}}}]}))
transfer = client("transfer", keys)
kept, other = (transfer.create_server(Tags=[{"Key": "keep", "Value": value}])["ServerId"] for value in ("yes", "no"))
refused("AccessDeniedException", transfer.delete_server, "with an explicit deny in an identity-based", ServerId=kept)
transfer.delete_server(ServerId=other)

# Keys: a wrong token, unknown keys, a chain of roles longer than an hour, a role that does not exist.
refused("UnrecognizedClientException", client("transfer", keys[:2] + ("other",)).list_servers)
refused("InvalidClientTokenId", client("iam", ("ASIAFAKEFAKEFAKEFAKE", "fake-secret", "fake")).list_roles)
chained = dict(RoleArn=ROLE, RoleSessionName="chained", ExternalId="ticket-1")
refused("ValidationError", client("sts", keys).assume_role, "role chaining", DurationSeconds=7200, **chained)
client("sts", keys).assume_role(**chained)
refused("AccessDenied", client("sts", narrow).assume_role, "sts:AssumeRole", **dict(chained, ExternalId="ticket-2"))
refused("AccessDenied", client("sts").assume_role, RoleArn=ROLE + "x", RoleSessionName="tests")
root.detach_role_policy(RoleName=NAME, PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/{NAME}-0")
root.delete_role_policy(RoleName=NAME, PolicyName="deny")
root.delete_role(RoleName=NAME)
refused("UnrecognizedClientException", client("transfer", keys).list_servers)
print("all as expected")
