"""The contents of an account of the local cloud, in comparable form. Usage: dump.py ENDPOINT ACCOUNT

Values that differ between two equal deployments are replaced: generated IDs by the name of what they identify, so that
a record that points to the wrong server is still noticed; the account ID, which is also part of bucket names, by a
word. Left out are times, counters, the tag `sftpctl:operation`, which names the run that created a resource, and
executed change sets: their number does not matter, only that none is left waiting.
"""

import json
import re
import sys

import front_secret
import late

REGIONS = ["us-east-1", "us-east-2", "us-west-2"]
# Whether canary accounts of killed runs are included: one more run that verifies must leave none.
CANARIES_COUNT = True
NOISE = {
    "ResponseMetadata", "CreationTime", "LastUpdatedTime", "LastModified", "RevisionId", "CreationDate", "CreateDate",
    "UpdateDate", "RoleId", "PolicyId", "RoleLastUsed", "creationTime", "StateUpdatedTimestamp", "StateReason",
    "StateReasonData", "StateTransitionedTimestamp", "StateValue", "AlarmConfigurationUpdatedTimestamp", "createdDate",
    "lastUpdatedDate", "CreationDateTime", "TableId", "LatestStreamLabel", "LatestStreamArn", "ItemCount",
    "TableSizeBytes", "IndexSizeBytes", "HostKeyFingerprint", "storedBytes", "deploymentId", "UserCount", "UpdateTime",
}
SESSION = late.session()


class Account:
    """One account, read with botocore; clients are cached, since creating one is slow."""

    def __init__(self, endpoint, account):
        self.endpoint, self.account, self.clients = endpoint, account, {}

    def client(self, service, region="us-west-2"):
        key = (service, region)
        if key not in self.clients:
            self.clients[key] = SESSION.create_client(
                service, region_name=region, endpoint_url=self.endpoint,
                aws_access_key_id=self.account, aws_secret_access_key=front_secret.SECRET)
        return self.clients[key]

    def dump(self, remembered=None):
        """`remembered` are the identities in the state; the same replacements apply to them."""
        names = {self.account: "ACCOUNT"}
        found = {region: self.region(region, names) for region in REGIONS}
        found["roles"], found["policies"] = self.iam()
        found["buckets"] = self.buckets()
        found["zones"] = self.zones(names)
        found["dashboards"] = self.dashboards()
        found["remembered"] = remembered
        text = json.dumps(found, default=str)
        # The longest first: an ID may be part of a name.
        for name, word in sorted(names.items(), key=lambda item: -len(item[0])):
            text = text.replace(name, word)
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID", text)
        # A region's function may still have the ID of a server that was removed from the file.
        text = re.sub(r"\bs-[0-9a-f]{17}\b", "SERVER-GONE", text)
        # The template's own digest, in its tag and outputs, covers names that contain the account ID.
        return clean(json.loads(re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", text)))

    def region(self, region, names):
        transfer, lambdas, logs = (self.client(s, region) for s in ("transfer", "lambda", "logs"))
        gateway, dynamodb = self.client("apigateway", region), self.client("dynamodb", region)
        servers = []
        for number, server in enumerate(sorted(s["ServerId"] for s in transfer.list_servers()["Servers"])):
            names[server] = f"SERVER-{number}-{region}"
            servers.append(self.server(transfer, server))
        network = self.network(region, names, servers)
        stacks = []
        cloudformation = self.client("cloudformation", region)
        for stack in cloudformation.describe_stacks()["Stacks"]:
            if stack["StackStatus"] == "DELETE_COMPLETE":
                continue
            name = stack["StackName"]
            template = cloudformation.get_template(StackName=name)["TemplateBody"]
            parts = cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
            for part in parts:
                generated = part.get("PhysicalResourceId") or ""
                # Names of letters only, and of buckets, were given; but one generated ID in 2,500 has only letters.
                given = generated.isalpha() and not re.fullmatch("[0-9a-f]{8}", generated)
                given = given or part["ResourceType"] == "AWS::S3::Bucket"
                if len(generated) > 6 and generated not in names and not given:
                    names[generated] = f"{part['LogicalResourceId']}-{region}"
            stacks.append({
                "name": name, "status": ended(stack["StackStatus"]), "tags": stack.get("Tags"),
                "parameters": stack.get("Parameters"), "outputs": stack.get("Outputs"),
                "template": template, "change sets": self.waiting_change_sets(cloudformation, name),
                "resources": [[p["LogicalResourceId"], p["ResourceType"], ended(p["ResourceStatus"])] for p in parts],
            })
        functions = []
        for function in lambdas.list_functions()["Functions"]:
            name = function["FunctionName"]
            try:
                policy = json.loads(lambdas.get_policy(FunctionName=name)["Policy"])["Statement"]
            except lambdas.exceptions.ResourceNotFoundException:
                policy = []
            whole = lambdas.get_function(FunctionName=name)
            # MiniStack completes a stack's update before that of its function.
            while whole["Configuration"].get("LastUpdateStatus") == "InProgress":
                whole = lambdas.get_function(FunctionName=name)
            functions.append({"configuration": whole["Configuration"], "tags": whole.get("Tags"), "policy": policy})
        apis = []
        for number, api in enumerate(gateway.get_rest_apis(limit=500)["items"]):
            names[api["id"]] = f"API-{number}-{region}"
            resources = gateway.get_resources(restApiId=api["id"], limit=500, embed=["methods"])["items"]
            apis.append({
                "api": {key: value for key, value in api.items() if key != "rootResourceId"},
                "paths": {r["path"]: r.get("resourceMethods") for r in resources},
                "stages": gateway.get_stages(restApiId=api["id"])["item"],
            })
        tables = []
        for name in dynamodb.list_tables()["TableNames"]:
            table = dynamodb.describe_table(TableName=name)["Table"]
            backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
            recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
            tags = dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
            tables.append({"table": table, "recovery": recovery, "tags": tags, "items": self.items(dynamodb, name)})
        return {
            "servers": servers, "network": network, "stacks": stacks, "functions": functions, "apis": apis, "tables": tables,
            "api account": self.log_role(gateway),
            "log groups": logs.describe_log_groups()["logGroups"],
            "metric filters": logs.describe_metric_filters()["metricFilters"],
            "alarms": self.client("cloudwatch", region).describe_alarms()["MetricAlarms"],
        }

    @staticmethod
    def server(transfer, id):
        """A server, with its VPC endpoint, which AWS shows a while after the server is in its VPC."""
        for _ in range(4):
            found = transfer.describe_server(ServerId=id)["Server"]
            if found["EndpointType"] != "VPC" or "VpcEndpointId" in found["EndpointDetails"]:
                return found
        raise AssertionError(f"{id} is in a VPC and shows no VPC endpoint: {found}")

    def network(self, region, names, servers):
        """Addresses, and what else has the environment's tag; the groups of each endpoint, which EC2 alone shows."""
        ec2, waf, found = self.client("ec2", region), self.client("wafv2", region), []
        for number, address in enumerate(sorted(ec2.describe_addresses()["Addresses"], key=lambda one: one["AllocationId"])):
            for name in ("AllocationId", "PublicIp", "AssociationId", "NetworkInterfaceId"):
                if name in address:
                    names[address[name]] = f"{name}-{number}-{region}"
            found.append({"is": "address", **address})
        ours = [{"Name": "tag:sftpctl:environment", "Values": ["99"]}]
        for number, group in enumerate(ec2.describe_security_groups(Filters=ours)["SecurityGroups"]):
            names[group["GroupId"]] = f"GROUP-{number}-{region}"
            found.append({"is": "security group", **group})
        for number, server in enumerate(servers):
            endpoint = server.get("EndpointDetails", {}).get("VpcEndpointId")
            if endpoint:
                names[endpoint] = f"ENDPOINT-{number}-{region}"
                server["groups"] = ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"][0]["Groups"]
        for kind, listed, get, member in (
                ("web ACL", waf.list_web_acls(Scope="REGIONAL")["WebACLs"], waf.get_web_acl, "WebACL"),
                ("set", waf.list_ip_sets(Scope="REGIONAL")["IPSets"], waf.get_ip_set, "IPSet")):
            for number, one in enumerate(sorted(listed, key=lambda one: one["Name"])):
                names[one["Id"]] = f"{member}-{number}-{region}"
                found.append({"is": kind, **get(Name=one["Name"], Id=one["Id"], Scope="REGIONAL")[member]})
        return found

    @staticmethod
    def log_role(gateway):
        try:
            return gateway.get_account().get("cloudwatchRoleArn") or None
        # The account has never used API Gateway in this region.
        except gateway.exceptions.NotFoundException:
            return None

    @staticmethod
    def waiting_change_sets(cloudformation, stack):
        found = cloudformation.list_change_sets(StackName=stack)["Summaries"]
        return [s["Status"] for s in found if s.get("ExecutionStatus") != "EXECUTE_COMPLETE"]

    @staticmethod
    def items(dynamodb, table):
        items = dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]
        return [item for item in items if CANARIES_COUNT or int(item["orgid"]["N"]) > 0]

    def iam(self):
        iam = self.client("iam")
        roles, policies = [], []
        for role in iam.list_roles()["Roles"]:
            name = role["RoleName"]
            inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
            roles.append({
                "role": iam.get_role(RoleName=name)["Role"],
                "attached": iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"],
                "inline": {n: iam.get_role_policy(RoleName=name, PolicyName=n)["PolicyDocument"] for n in inline},
            })
        for policy in iam.list_policies(Scope="Local")["Policies"]:
            arn, version = policy["Arn"], policy["DefaultVersionId"]
            document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
            tags = iam.list_policy_tags(PolicyArn=arn)["Tags"]
            # A change whose response was lost may be made twice; the version that counts is the default.
            versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
            policies.append({"arn": arn, "document": document, "tags": tags, "many": len(versions) > 4})
        return roles, policies

    def buckets(self):
        s3, found = self.client("s3"), {}

        def get(what, name, key):
            try:
                return getattr(s3, f"get_bucket_{what}")(Bucket=name)[key]
            except (s3.exceptions.ClientError, KeyError):
                return None

        for name in (bucket["Name"] for bucket in s3.list_buckets()["Buckets"]):
            policy = get("policy", name, "Policy")
            try:
                block = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
            except s3.exceptions.ClientError:
                block = None
            found[name] = {
                "policy": policy and json.loads(policy), "tags": get("tagging", name, "TagSet"), "block": block,
                "versioning": get("versioning", name, "Status"), "cors": get("cors", name, "CORSRules"),
                "encryption": get("encryption", name, "ServerSideEncryptionConfiguration"),
                "lifecycle": get("lifecycle_configuration", name, "Rules"),
                "region": get("location", name, "LocationConstraint"),
                "objects": [o["Key"] for o in s3.list_objects_v2(Bucket=name).get("Contents", [])],
                "versions": self.versions(s3, name),
            }
        return found

    @staticmethod
    def versions(s3, bucket):
        """The number of versions of each key, and the keys whose latest version is a delete marker."""
        found, count = s3.list_object_versions(Bucket=bucket), {}
        for version in found.get("Versions", []) + found.get("DeleteMarkers", []):
            count[version["Key"]] = count.get(version["Key"], 0) + 1
        # A package whose response was lost may be written twice.
        count = {key: 1 if key.endswith(".zip") else number for key, number in count.items()}
        gone = [marker["Key"] for marker in found.get("DeleteMarkers", []) if marker["IsLatest"]]
        return {"count": count, "deleted": gone}

    def dashboards(self):
        """The body and the tags of each dashboard; they belong to no region."""
        cloudwatch, found = self.client("cloudwatch"), {}
        for entry in cloudwatch.list_dashboards()["DashboardEntries"]:
            name, arn = entry["DashboardName"], entry["DashboardArn"]
            tags = cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"]
            found[name] = {"body": json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"]), "tags": tags}
        return found

    def zones(self, names):
        route53, found = self.client("route53"), {}
        for zone in route53.list_hosted_zones()["HostedZones"]:
            names[zone["Id"].rsplit("/", 1)[-1]] = "ZONE"
            sets = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
            found[zone["Name"]] = [s for s in sets if s["Type"] not in ("NS", "SOA")]
        return found


def ended(status):
    """How a stack reached a complete state does not matter."""
    return "STANDS" if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE") else status


def clean(value):
    if isinstance(value, dict):
        return {key: clean(inner) for key, inner in value.items() if key not in NOISE and key != "sftpctl:operation"}
    if isinstance(value, list):
        kept = [clean(v) for v in value if not (isinstance(v, dict) and v.get("Key") == "sftpctl:operation")]
        return sorted(kept, key=lambda v: json.dumps(v, sort_keys=True, default=str))
    return value


def differences(have, want, path=""):
    """The differences between two dumps, one line each."""
    if isinstance(have, dict) and isinstance(want, dict):
        return [line for key in sorted(have.keys() | want.keys())
                for line in differences(have.get(key), want.get(key), f"{path}/{key}")]
    if isinstance(have, list) and isinstance(want, list) and len(have) == len(want):
        return [line for number, (a, b) in enumerate(zip(have, want))
                for line in differences(a, b, f"{path}[{number}]")]
    return [] if have == want else [f"{path}: {json.dumps(have)[:300]} instead of {json.dumps(want)[:300]}"]


if __name__ == "__main__":
    print(json.dumps(Account(*sys.argv[1:3]).dump(), indent=1, sort_keys=True))
