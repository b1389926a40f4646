"""The scenarios of the crash matrix: the environment file, the preparation, the command, and what must exist
afterwards.

The scenarios of a chain follow each other in one account. After a chain, a whole teardown must leave nothing.
"""

import collections
import json

import late
from dump import REGIONS

ZONE = "xx.net"
HOME = "us-west-2"
DEPLOY = ["deploy", "--no-verify", "--yes"]
TEARDOWN = ["teardown", "--yes", "--delete-data"]

FIRST = {
    "servers": {"us-west-2": True, "us-east-2": True}, "clusters": {"99-0": "us-west-2", "99-1": "us-east-2"},
    "latency": False, "aliases": {}, "ttl": 300, "days": 30, "memory": 256,
    "policy": "TransferSecurityPolicy-2025-03", "owner": "devops",
}
SECOND = {
    **FIRST, "clusters": {**FIRST["clusters"], "99-2": "us-west-2"}, "ttl": 60, "days": 90, "memory": 512,
    "policy": "TransferSecurityPolicy-2018-11", "owner": "uploads",
}
# Every feature of regions and records that an environment file has.
RICH = {
    **FIRST, "servers": {**FIRST["servers"], "us-east-1": False}, "latency": True,
    "aliases": {"stays.xx.net": "us-west-2", "moves.xx.net": "us-east-2", "goes.xx.net": "us-east-2"},
}
# RICH without a server, a cluster and an alias, and with another alias moved.
FEWER = {
    **RICH, "servers": {"us-west-2": True, "us-east-2": False}, "clusters": {"99-0": "us-west-2"},
    "aliases": {"stays.xx.net": "us-west-2", "moves.xx.net": "us-west-2"},
}
ONE = {**FEWER, "servers": {"us-west-2": True}}
# With fixed addresses and a security group of the environment's, and afterwards with AWS's addresses again.
PUBLIC = {**ONE, "servers": {"us-west-2": {"endpoint": "public"}}, "latency": False, "aliases": {}}
IN_VPC = {**PUBLIC, "servers": {"us-west-2": {
    "endpoint": "vpc", "vpc": "vpc-00000001", "subnets": ["subnet-00000001"], "allow": ["203.0.113.0/24"]}}}
WITH_WAF = {**PUBLIC, "servers": {"us-west-2": True}, "waf": {"countries": {"block": ["KP"]}, "allow": ["203.0.113.0/24"]}}
WATCHED = {**PUBLIC, "servers": {"us-west-2": True}, "dashboard": True}
BY_HAND = {**ONE, "latency": False, "aliases": {}}


def environment(account, file):
    """The environment file; JSON is YAML."""
    return json.dumps({
        "version": 1, "environment": "99", "account": account, "home_region": HOME,
        "regions": {region: {"server": on} for region, on in file["servers"].items()},
        "clusters": file["clusters"],
        "names": {"bucket_prefix": f"u{account}-", "code_bucket_prefix": f"c{account}"},
        "dns": {"zone": ZONE, "ttl": file["ttl"], "latency": file["latency"], "aliases": file["aliases"]},
        "logs": {"retention_days": file["days"]}, "authorizer": {"memory_mb": file["memory"]},
        "server": {"security_policy": file["policy"]}, "tags": {"owner": file["owner"]},
        "state": {"lease_seconds": 2}, "deadlines": {"unseen": 2}, **({"waf": file["waf"]} if file.get("waf") else {}),
        **({"metrics": {"dashboard": True}} if file.get("dashboard") else {}),
    }, indent=1)


def stands(dump):
    """What exists, in the form of `standing`: checks the undisturbed run, which all others are compared with."""
    uploads = {name: bucket for name, bucket in dump["buckets"].items() if name.startswith("uACCOUNT-")}
    return {
        "servers": [region for region in REGIONS for _ in dump[region]["servers"]],
        "stacks": [region for region in REGIONS for _ in dump[region]["stacks"]],
        "tables": [region for region in REGIONS for _ in dump[region]["tables"]],
        "records": sorted("/".join([r["Name"], *[r[key] for key in ("SetIdentifier",) if r.get(key)]])
                          for r in dump["zones"][f"{ZONE}."]),
        "buckets": sorted(name.removeprefix("uACCOUNT-").removesuffix("-uploads") for name in uploads),
        "versions": sum(sum(bucket["versions"]["count"].values()) for bucket in uploads.values()),
        "items": [len(table["items"]) for region in REGIONS for table in dump[region]["tables"]],
        "network": sorted(one["is"] for region in REGIONS for one in dump[region]["network"]),
        "dashboards": sorted(dump["dashboards"]),
    }


def standing(file, items=0, **but):
    """What must exist of an environment with this file."""
    on = sorted(region for region, server in file["servers"].items() if server)
    records = [f"99-uploads-{region}.{ZONE}." for region in on] + [f"{name}." for name in file["aliases"]]
    records += [f"99-uploads.{ZONE}./{region}" for region in on if file["latency"]]
    found = {
        "servers": on, "stacks": sorted(file["servers"]), "tables": sorted(file["servers"]), "records": sorted(records),
        "buckets": sorted(file["clusters"]), "versions": 0, "network": [],
        "dashboards": ["99-upload"] if file.get("dashboard") else [], **but,
    }
    return {**found, "items": [items] * len(found["tables"])}


def nothing(_):
    """No preparation."""


def deployed(site):
    site.run(DEPLOY)


def planned(site):
    site.run(["plan", "--out", "plan.json"])


def bucket(site):
    return f"u{site.account}-99-0-uploads"


def with_data(site):
    """A customer's files, one of them in two versions and one deleted, and an account."""
    s3 = site.eye.client("s3")
    for key in ("17578/kept", "17578/kept", "17578/deleted"):
        s3.put_object(Bucket=bucket(site), Key=key, Body=key.encode())
    s3.delete_object(Bucket=bucket(site), Key="17578/deleted")
    site.eye.client("dynamodb").put_item(
        TableName="dydb-99-uploads", Item={"orgid": {"N": "17578"}, "username": {"S": "customer"}})


def with_a_spare_server(site):
    transfer = site.eye.client("transfer")
    first = transfer.describe_server(ServerId=transfer.list_servers()["Servers"][0]["ServerId"])["Server"]
    details = {name: first["IdentityProviderDetails"][name] for name in ("Url", "InvocationRole")}
    transfer.create_server(IdentityProviderType="API_GATEWAY", IdentityProviderDetails=details,
                           Tags=[{"Key": "sftpctl:environment", "Value": "99"}])


def by_hand(site):
    """Parts of an environment that was created by hand, before sftpctl."""
    tags, dynamodb, s3 = [{"Key": "made-by", "Value": "hand"}], site.eye.client("dynamodb"), site.eye.client("s3")
    dynamodb.create_table(
        TableName="dydb-99-uploads", BillingMode="PAY_PER_REQUEST", KeySchema=[
            {"AttributeName": "orgid", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "orgid", "AttributeType": "N"}], Tags=tags)
    late.wait_for_table(dynamodb, "dydb-99-uploads")
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "transfer.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    site.eye.client("iam").create_role(
        RoleName="sftp-transfer", AssumeRolePolicyDocument=json.dumps(trust), Tags=tags)
    s3.create_bucket(Bucket=bucket(site), CreateBucketConfiguration={"LocationConstraint": HOME})
    s3.put_bucket_tagging(Bucket=bucket(site), Tagging={"TagSet": tags})
    with_data(site)
    route53 = site.eye.client("route53")
    zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [
        {"Action": "CREATE", "ResourceRecordSet": {
            "Name": f"99-uploads-{HOME}.{ZONE}.", "Type": "CNAME", "TTL": 60,
            "ResourceRecords": [{"Value": "old.example.com"}]}}]})
    site.server = site.eye.client("transfer").create_server(
        IdentityProviderType="API_GATEWAY", Tags=tags, IdentityProviderDetails={
            "Url": f"https://old.execute-api.{HOME}.amazonaws.com/prod",
            "InvocationRole": f"arn:aws:iam::{site.account}:role/sftp-transfer"})["ServerId"]


# `{account}` and `{server}` stand for those of the site.
IMPORT = ["import", "--yes", "global/user-role", f"{HOME}/table", f"{HOME}/bucket/u{{account}}-99-0-uploads",
          f"global/record/99-uploads-{HOME}.{ZONE}", f"{HOME}/server={{server}}"]

# `before` runs when the file has been written; an undisturbed `command` must leave what `there` says.
Scenario = collections.namedtuple("Scenario", "name file before command there")

EMPTY = {"servers": [], "stacks": [], "tables": [], "records": [], "buckets": [], "versions": 0, "items": [],
         "network": [], "dashboards": []}
# Without --delete-data only buckets without files are deleted.
KEPT = standing(FIRST, 1, servers=[], stacks=[], records=[], buckets=["99-0"], versions=4)
CHAINS = {
    "plain": [
        Scenario("deploy", FIRST, nothing, DEPLOY, standing(FIRST)),
        Scenario("update", SECOND, nothing, DEPLOY, standing(SECOND)),
        Scenario("teardown", SECOND, nothing, TEARDOWN, EMPTY),
    ],
    "regions": [
        Scenario("saved plan", RICH, planned, [*DEPLOY, "--plan", "plan.json"], standing(RICH)),
        # Data is kept: the cluster's bucket and the region's table replica.
        Scenario("retire", FEWER, nothing, DEPLOY,
                 standing(FEWER, buckets=["99-0", "99-1"], tables=sorted(RICH["servers"]))),
        Scenario("orphans", ONE, with_a_spare_server, [*TEARDOWN, "--orphans"], standing(ONE)),
    ],
    "data": [
        Scenario("canary", FIRST, deployed, ["deploy", "--yes"], standing(FIRST)),
        Scenario("keep data", FIRST, with_data, ["teardown", "--yes"], KEPT),
        Scenario("take back", FIRST, nothing, ["deploy", "--yes"], standing(FIRST, 1, versions=4)),
    ],
    # An address is kept until a teardown is told to release it.
    "network": [
        Scenario("into a VPC", IN_VPC, nothing, DEPLOY, standing(IN_VPC, network=["address", "security group"])),
        Scenario("public again", PUBLIC, nothing, DEPLOY, standing(PUBLIC, network=["address"])),
        Scenario("and back", IN_VPC, nothing, DEPLOY, standing(IN_VPC, network=["address", "security group"])),
        Scenario("release", IN_VPC, nothing, [*TEARDOWN, "--release-addresses"], EMPTY),
    ],
    "waf": [
        # Sets of every address and of the allowed ones, each for IPv4 and for IPv6.
        Scenario("with WAF", WITH_WAF, nothing, DEPLOY, standing(WITH_WAF, network=[*["set"] * 4, "web ACL"])),
        Scenario("without WAF", {**WITH_WAF, "waf": None}, nothing, DEPLOY, standing(WITH_WAF)),
    ],
    # It shows the servers of all regions, and so changes with them.
    "dashboard": [
        Scenario("with a dashboard", WATCHED, nothing, DEPLOY, standing(WATCHED)),
        Scenario("one server more", {**WATCHED, "servers": FIRST["servers"]}, nothing, DEPLOY,
                 standing({**WATCHED, "servers": FIRST["servers"]})),
        Scenario("without one", {**WATCHED, "servers": FIRST["servers"], "dashboard": False}, nothing, DEPLOY,
                 standing({**WATCHED, "servers": FIRST["servers"], "dashboard": False})),
    ],
    # The bucket has no versioning when the data is written.
    "by hand": [
        Scenario("import", BY_HAND, by_hand, IMPORT, standing(BY_HAND, 1, stacks=[], versions=1)),
        Scenario("adopted", BY_HAND, nothing, DEPLOY, standing(BY_HAND, 1, versions=1)),
    ],
}
