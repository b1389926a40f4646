"""AWS WAF before the API of a deployed environment 99, by botocore alone. Usage: waf.py ENDPOINT COMMAND …"""

import collections
import concurrent.futures
import json
import os
import sys

from botocore.config import Config

import checks
import front_secret
import late

ENDPOINT, COMMAND, *ARGUMENTS = sys.argv[1:]
REGION, SERVERS, NAME = "us-west-2", ["us-east-2", "us-west-2"], "99-upload-us-west-2"
SESSION = late.session()
SESSION.set_credentials("111111111111", front_secret.SECRET)
PASSWORD = os.environ.get("SFTP_PASSWORD", "wrong")


def client(service, region=REGION):
    # A refusal is a result: nothing is retried.
    config = Config(retries={"max_attempts": 1, "mode": "standard"}, read_timeout=60, max_pool_connections=32)
    return SESSION.create_client(service, region_name=region, endpoint_url=ENDPOINT, config=config)


def stage():
    [stack] = client("cloudformation").describe_stacks(StackName=f"sftp-{NAME}")["Stacks"]
    api = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}["ApiId"]
    return f"arn:aws:apigateway:{REGION}::/restapis/{api}/stages/prod"


def log_ins(address, name, times):
    """Log-ins at once from an address, with one name or, for `*`, with a name each: how many got which status."""
    transfer = client("transfer")
    [server] = transfer.list_servers()["Servers"]

    def one(number):
        user = f"bot{number}" if name == "*" else name
        answer = transfer.test_identity_provider(
            ServerId=server["ServerId"], ServerProtocol="SFTP", SourceIp=address, UserName=user, UserPassword=PASSWORD)
        return answer["StatusCode"], '"Role"' in answer["Response"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(int(times))))
    counts = collections.Counter(str(status) for status, _ in answers)
    print(json.dumps({**counts, "admitted": sum(admitted for _, admitted in answers)}))


def metric(name, rule):
    """The sum of a metric of a rule, whenever."""
    found = client("cloudwatch").get_metric_statistics(
        Namespace="AWS/WAFV2", MetricName=name, Statistics=["Sum"], Period=3600,
        StartTime="2020-01-01T00:00:00Z", EndTime="2100-01-01T00:00:00Z",
        Dimensions=[{"Name": "Rule", "Value": rule}, {"Name": "WebACL", "Value": NAME}, {"Name": "Region", "Value": REGION}])
    print(int(sum(point["Sum"] for point in found["Datapoints"])))


def deployed():
    for region in SERVERS:
        waf = client("wafv2", region)
        [acl] = waf.list_web_acls(Scope="REGIONAL")["WebACLs"]
        whole = waf.get_web_acl(Name=acl["Name"], Id=acl["Id"], Scope="REGIONAL")["WebACL"]
        text = json.dumps(whole)
        assert acl["Name"] == f"99-upload-{region}" and '"SampledRequestsEnabled": true' not in text, text
        [protected] = whole["DataProtectionConfig"]["DataProtections"]
        assert protected["Action"] == "SUBSTITUTION" and "passwordbase64" in protected["Field"]["FieldKeys"], protected
        tags = waf.list_tags_for_resource(ResourceARN=acl["ARN"])["TagInfoForResource"]["TagList"]
        assert {"Key": "sftpctl:environment", "Value": "99"} in tags, tags
    assert client("wafv2", "us-east-1").list_web_acls(Scope="REGIONAL")["WebACLs"] == [], "a region without a server"
    assert client("wafv2").get_web_acl_for_resource(ResourceArn=stage())["WebACL"]["Name"] == NAME


def own():
    waf = client("wafv2")
    [acl] = [acl for acl in waf.list_web_acls(Scope="REGIONAL")["WebACLs"] if acl["Name"] == NAME]
    return waf, {name: acl[name] for name in ("Name", "Id", "LockToken")}


def refused(code, call, **arguments):
    checks.refused(call.__name__, code, "", call, **arguments)


def aws_refuses():
    """A web ACL and its sets while they are in use, sets and rates that AWS does not take, and a stage that is not there."""
    waf, acl = own()
    refused("WAFAssociatedItemException", waf.delete_web_acl, Scope="REGIONAL", **acl)
    for found in waf.list_ip_sets(Scope="REGIONAL")["IPSets"]:
        refused("WAFAssociatedItemException", waf.delete_ip_set, Name=found["Name"], Id=found["Id"], Scope="REGIONAL",
                LockToken=found["LockToken"])
    for address in ("0.0.0.0/0", "10.0.0.1/8", "10.0.0.1"):
        refused("WAFInvalidParameterException", waf.create_ip_set, Name="a", Scope="REGIONAL", IPAddressVersion="IPV4",
                Addresses=[address])
    arn = waf.get_web_acl(Name=acl["Name"], Id=acl["Id"], Scope="REGIONAL")["WebACL"]["ARN"]
    missing = stage().replace("/prod", "/other")
    refused("WAFNonexistentItemException", waf.associate_web_acl, WebACLArn=arn, ResourceArn=missing)
    visible = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": True, "MetricName": "a"}
    rate = {"Limit": 100, "AggregateKeyType": "FORWARDED_IP"}
    rule = {"Name": "a", "Priority": 0, "Action": {"Block": {}}, "Statement": {"RateBasedStatement": rate},
            "VisibilityConfig": visible}
    refused("WAFInvalidParameterException", waf.create_web_acl, Name="a", Scope="REGIONAL", DefaultAction={"Allow": {}},
            VisibilityConfig=visible, Rules=[rule])


def meddle():
    """Somebody turns samples on, in which there are passwords."""
    waf, acl = own()
    whole = waf.get_web_acl(Name=acl["Name"], Id=acl["Id"], Scope="REGIONAL")["WebACL"]
    visible = {**whole["VisibilityConfig"], "SampledRequestsEnabled": True}
    waf.update_web_acl(Scope="REGIONAL", DefaultAction=whole["DefaultAction"], Rules=whole["Rules"], VisibilityConfig=visible,
                       Description=whole["Description"], DataProtectionConfig=whole["DataProtectionConfig"], **acl)


def mend():
    waf, acl = own()
    whole = waf.get_web_acl(Name=acl["Name"], Id=acl["Id"], Scope="REGIONAL")["WebACL"]
    visible = {**whole["VisibilityConfig"], "SampledRequestsEnabled": False}
    waf.update_web_acl(Scope="REGIONAL", DefaultAction=whole["DefaultAction"], Rules=whole["Rules"], VisibilityConfig=visible,
                       Description=whole["Description"], DataProtectionConfig=whole["DataProtectionConfig"], **acl)


def foreign():
    """A web ACL of another owner takes the place of any other on the stage, as on AWS."""
    visible = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": True, "MetricName": "fm"}
    waf = client("wafv2")
    made = waf.create_web_acl(Name="FMManagedWebACLV2-company", Scope="REGIONAL", DefaultAction={"Allow": {}},
                              VisibilityConfig=visible, Rules=[])
    waf.associate_web_acl(WebACLArn=made["Summary"]["ARN"], ResourceArn=stage())


def foreign_goes():
    waf = client("wafv2")
    waf.disassociate_web_acl(ResourceArn=stage())
    for acl in waf.list_web_acls(Scope="REGIONAL")["WebACLs"]:
        if acl["Name"].startswith("FMManaged"):
            waf.delete_web_acl(Name=acl["Name"], Id=acl["Id"], Scope="REGIONAL", LockToken=acl["LockToken"])


def left():
    for region in SERVERS:
        waf = client("wafv2", region)
        names = [one["Name"] for one in waf.list_web_acls(Scope="REGIONAL")["WebACLs"]]
        names += [one["Name"] for one in waf.list_ip_sets(Scope="REGIONAL")["IPSets"]]
        assert names == [], f"{names} in {region}"
    assert "WebACL" not in client("wafv2").get_web_acl_for_resource(ResourceArn=stage())


{
    "log-ins": log_ins, "metric": metric, "deployed": deployed, "aws-refuses": aws_refuses, "meddle": meddle, "mend": mend,
    "foreign": foreign, "foreign-goes": foreign_goes, "left": left,
}[COMMAND](*ARGUMENTS)
