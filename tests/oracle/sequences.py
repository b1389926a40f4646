"""Random sequences of what people and accidents do to an environment, compared with a small model of the result.

Usage: sequences.py ENDPOINT PROGRAM FOLDER [--sequences N] [--steps N] [--seed N] [--jobs N]

A step edits the environment file, deploys, tears down, kills a deployment or teardown at a random call, changes AWS by
hand, or uploads a customer's file. The model knows what was last wanted and what must never be lost. After a run that
ended, AWS must match the model; after every step there must be no second server, no lost file, and no change to a
foreign resource. A failing sequence is shortened step by step as long as it still fails, and printed. Steps that change
nothing are counted separately, by exit codes where there is a run. A few fixed sequences run before the random ones.
"""

import argparse
import collections
import concurrent.futures
import copy
import itertools
import json
import random
import threading
import time

from account_site import Failure, Front, Site, arguments

REGIONS = ["us-west-2", "us-east-2"]
POLICIES = ["TransferSecurityPolicy-2025-03", "TransferSecurityPolicy-2018-11"]
CLUSTERS = {"99-0": "us-west-2", "99-1": "us-east-2", "99-2": "us-west-2"}
Step = collections.namedtuple("Step", "what how")
DEPLOY = ["deploy", "--no-verify", "--yes"]
TEARDOWN = ["teardown", "--yes"]


def environment(account, wanted):
    """The environment file for the model's `wanted`."""
    regions = ", ".join(f"{r}: {{ server: {str(on).lower()} }}" for r, on in wanted["servers"].items())
    clusters = ", ".join(f"{name}: {CLUSTERS[name]}" for name in wanted["clusters"])
    return f"""version: 1
environment: "99"
account: "{account}"
home_region: us-west-2
regions: {{ {regions} }}
clusters: {{ {clusters} }}
names: {{ bucket_prefix: "u{account}-", code_bucket_prefix: "c{account}" }}
dns: {{ zone: xx.net, ttl: {wanted["ttl"]} }}
logs: {{ retention_days: {wanted["days"]} }}
authorizer: {{ memory_mb: {wanted["memory"]} }}
server: {{ security_policy: {wanted["policy"]} }}
tags: {{ owner: {wanted["owner"]} }}
metrics: {{ dashboard: {str(wanted["dashboard"]).lower()} }}
state: {{ lease_seconds: 2 }}
deadlines: {{ unseen: 2 }}
"""


class Model:
    """What AWS must look like."""

    def __init__(self):
        self.wanted = {
            "servers": {region: True for region in REGIONS}, "clusters": ["99-0", "99-1"], "ttl": 300, "days": 30,
            "memory": 256, "policy": POLICIES[0], "owner": "devops", "dashboard": False,
        }
        # What the last deployment wanted; None before the first one and after a teardown.
        self.deployed = None
        # A run was killed: what exists is unknown until the next run ends.
        self.open = False
        self.drifted = False
        # Buckets that must exist; no command of these sequences deletes one with files.
        self.buckets = set()
        self.files = set()

    def stands(self):
        """Whether the deployed environment exists unchanged."""
        return self.deployed is not None and not self.open and not self.drifted

    def expected(self):
        """The expected result, by region and for the account."""
        if self.deployed is None:
            return {"servers": {}, "functions": {}, "records": {}, "stacks": [], "dashboards": {}}
        d = self.deployed
        on = [region for region, server in d["servers"].items() if server]
        return {
            "servers": {region: [[d["policy"], d["owner"], "ONLINE"]] for region in on},
            "functions": {region: [d["memory"], d["days"], d["owner"]] for region in REGIONS},
            "records": {f"99-uploads-{region}.xx.net.": d["ttl"] for region in on},
            "stacks": sorted(REGIONS),
            # It shows each server that there is.
            "dashboards": {"99-upload": on} if d["dashboard"] else {},
        }


class Run(Site):
    """A model, and the account that must match it."""

    def __init__(self, front, program, folder):
        super().__init__(front, program, folder)
        self.model = Model()
        transfer, s3 = self.eye.client("transfer"), self.eye.client("s3")
        self.foreign_server = transfer.create_server(Tags=[{"Key": "made-by", "Value": "hand"}])["ServerId"]
        self.foreign_bucket = f"foreign-{self.account}"
        s3.create_bucket(Bucket=self.foreign_bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        self.foreign = self.foreigners()
        self.write(environment(self.account, self.model.wanted))

    def foreigners(self):
        server = self.eye.client("transfer").describe_server(ServerId=self.foreign_server)["Server"]
        return {key: value for key, value in server.items() if key != "State"}

    def observed(self):
        servers, functions, records, stacks = {}, {}, {}, []
        for region in REGIONS:
            for server in self.servers(region):
                tags = {tag["Key"]: tag["Value"] for tag in server["Tags"]}
                servers.setdefault(region, []).append(
                    [server["SecurityPolicyName"], tags.get("owner"), server["State"]])
            lambdas, logs = self.eye.client("lambda", region), self.eye.client("logs", region)
            for found in lambdas.list_functions()["Functions"]:
                whole = lambdas.get_function(FunctionName=found["FunctionName"])
                groups = logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{found['FunctionName']}")
                functions[region] = [found["MemorySize"], groups["logGroups"][0].get("retentionInDays"),
                                     whole["Tags"].get("owner")]
            stacks += [region for stack in self.eye.client("cloudformation", region).describe_stacks()["Stacks"]
                       if stack["StackStatus"] != "DELETE_COMPLETE"]
        for record in self.records():
            records[record["Name"]] = record["TTL"]
        return {"servers": servers, "functions": functions, "records": records, "stacks": sorted(stacks),
                "dashboards": self.dashboards()}

    def dashboards(self):
        """The regions of the servers that each dashboard shows; `None` is in the place of one that does not exist."""
        regions = {server["ServerId"]: region for region in REGIONS for server in self.servers(region)}
        cloudwatch, found = self.eye.client("cloudwatch"), {}
        for entry in cloudwatch.list_dashboards()["DashboardEntries"]:
            body = json.loads(cloudwatch.get_dashboard(DashboardName=entry["DashboardName"])["DashboardBody"])
            lines = [line for widget in body["widgets"] for line in widget["properties"].get("metrics", [])]
            shown = {line[3] for line in lines if line[2:3] == ["ServerId"]}
            found[entry["DashboardName"]] = [region for region in REGIONS if region in map(regions.get, shown)] + [
                None for server in shown if server not in regions]
        return found

    def servers(self, region):
        """All servers except the foreign one."""
        transfer = self.eye.client("transfer", region)
        ids = [s["ServerId"] for s in transfer.list_servers()["Servers"] if s["ServerId"] != self.foreign_server]
        return [transfer.describe_server(ServerId=server)["Server"] for server in ids]

    def records(self):
        route53 = self.eye.client("route53")
        zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]
        return [r for r in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
                if r["Type"] not in ("NS", "SOA")]

    def buckets(self):
        names = {bucket["Name"] for bucket in self.eye.client("s3").list_buckets()["Buckets"]}
        return {name for name in names if name.startswith(f"u{self.account}-")}

    def bucket(self, cluster):
        return f"u{self.account}-{cluster}-uploads"

    def check(self):
        """Checks what must hold at any time and, if the last run ended, the whole model."""
        model = self.model
        for region in REGIONS:
            count = len(self.servers(region))
            if count > 1:
                raise Failure(f"{count} servers in {region}")
        s3 = self.eye.client("s3")
        for bucket, key in model.files:
            body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            if body != key.encode():
                raise Failure(f"{bucket}/{key} is {body!r}")
        if self.foreigners() != self.foreign or self.foreign_bucket not in {
                bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
            raise Failure("a foreign resource was changed")
        if model.open or model.drifted:
            return
        expected, observed = model.expected(), self.observed()
        for what in expected:
            if expected[what] != observed[what]:
                raise Failure(f"{what}: {observed[what]} instead of {expected[what]}")
        gone = model.buckets - self.buckets()
        if gone:
            raise Failure(f"missing buckets: {gone}")

    def act(self, step):
        """Performs a step; returns whether it changed anything."""
        changed = getattr(self, step.what)(step.how)
        self.check()
        return changed

    # The steps. Each changes the account and the model, and returns whether it changed anything.

    def edit(self, change):
        before = self.model.wanted
        self.model.wanted = {**before, **copy.deepcopy(change)}
        self.write(environment(self.account, self.model.wanted))
        return self.model.wanted != before

    def to_do(self):
        """Whether a deployment has anything to do; the exit code also is not 0 if a kill has left that unknown."""
        return self.code(["plan", "--exit-code"]) != 0

    def ended(self, teardown):
        model = self.model
        model.open = model.drifted = False
        if teardown:
            model.deployed, model.buckets = None, {bucket for bucket, _ in model.files}
        else:
            model.deployed = copy.deepcopy(model.wanted)
            model.buckets |= {self.bucket(cluster) for cluster in model.wanted["clusters"]}

    def deploy(self, _):
        changes = self.to_do()
        self.run(DEPLOY)
        self.ended(teardown=False)
        self.run(["plan", "--exit-code"])
        # Buckets of removed clusters are kept, and reported until they are deleted.
        dropped = {bucket for bucket in self.buckets() if bucket not in map(self.bucket, self.model.wanted["clusters"])}
        said = self.run(["drift", "--output", "json"], code=4 if dropped else 0).splitlines()
        report = json.loads(next(line for line in said if line.startswith("{") and '"drifted"' in line))
        named = {found["resource"].rsplit("/", 1)[-1] for found in report["drifted"]}
        if named != dropped:
            raise Failure(f"drift reports {sorted(named)} instead of {sorted(dropped)}")
        return changes

    def teardown(self, _):
        stood = self.model.deployed is not None or self.model.open
        self.run(TEARDOWN)
        self.ended(teardown=True)
        return stood

    def killed(self, how):
        """Returns whether the run was killed. A run that ended earlier must have succeeded, which `kill` checks."""
        teardown, rule = how
        came = self.kill(TEARDOWN if teardown else DEPLOY, {"only": "mutating", "count": 1, **rule})
        if not came:
            self.ended(teardown)
            return False
        # What exists now is unknown until the next run. An empty bucket may or may not have been deleted.
        self.model.open = True
        self.model.buckets &= {bucket for bucket, _ in self.model.files}
        return True

    def upload(self, name):
        """Uploads a customer's file to any of the buckets."""
        there = sorted(self.buckets())
        if there:
            bucket = there[len(name) % len(there)]
            key = f"17578/{name}"
            self.eye.client("s3").put_object(Bucket=bucket, Key=key, Body=key.encode())
            self.model.files.add((bucket, key))
            self.model.buckets.add(bucket)
        return bool(there)

    def by_hand(self, how):
        """Changes one resource of an existing deployment; `drift` and `plan` must both report it."""
        what, region = how
        model = self.model
        if not model.stands() or not model.deployed["servers"][region]:
            return False
        function = f"lambda-99-upload-{region}"
        lambdas, transfer = self.eye.client("lambda", region), self.eye.client("transfer", region)
        server = self.servers(region)[0]
        if what == "server id":
            variables = lambdas.get_function_configuration(FunctionName=function)["Environment"]
            variables["Variables"]["SERVER_ID"] = "s-00000000000000000"
            lambdas.update_function_configuration(FunctionName=function, Environment=variables)
        elif what == "trigger":
            lambdas.remove_permission(FunctionName=function, StatementId="sftpctl-api-trigger")
        elif what == "server":
            policy = POLICIES[1 - POLICIES.index(model.deployed["policy"])]
            transfer.update_server(ServerId=server["ServerId"], SecurityPolicyName=policy)
        elif what == "server's tag":
            transfer.untag_resource(Arn=server["Arn"], TagKeys=["owner"])
        elif what == "server deleted":
            transfer.delete_server(ServerId=server["ServerId"])
        elif what == "record":
            route53 = self.eye.client("route53")
            record = next(r for r in self.records() if region in r["Name"])
            zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]
            route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [
                {"Action": "DELETE", "ResourceRecordSet": record}]})
        elif what == "dashboard":
            if not model.deployed["dashboard"]:
                return False
            self.eye.client("cloudwatch").delete_dashboards(DashboardNames=["99-upload"])
        elif what == "user policy":
            arn = f"arn:aws:iam::{self.account}:policy/99-uploads-sftp-transfer"
            self.eye.client("iam").detach_role_policy(RoleName="sftp-transfer", PolicyArn=arn)
        model.drifted = True
        self.run(["plan", "--exit-code"], code=4)
        self.run(["drift"], code=4)
        return True

    def end(self):
        """Deletes everything; foreign resources must be kept."""
        self.edit({"clusters": list(CLUSTERS)})
        self.run([*TEARDOWN, "--delete-data"])
        self.model.files, self.model.buckets = set(), set()
        self.ended(teardown=True)
        self.check()
        left = self.eye.dump()
        roles = [role["role"]["RoleName"] for role in left["roles"]]
        tables = [table["table"]["TableName"] for region in REGIONS for table in left[region]["tables"]]
        groups = [group["logGroupName"] for region in REGIONS for group in left[region]["log groups"]]
        buckets = [name for name in left["buckets"] if not name.startswith("foreign-")]
        if roles or tables or groups or buckets or left["policies"]:
            raise Failure(f"left: {roles} {tables} {groups} {buckets} {left['policies']}")


def server_dropped(fault):
    """A run is killed before or after it created a server, and the file no longer has that server at the next run."""
    killed = {"call": "transfer.CreateServer", "region": "us-west-2", "fault": fault}
    none = {"servers": {region: False for region in REGIONS}}
    return [Step("killed", (False, killed)), Step("edit", none), Step("deploy", None)]


# A dashboard is made, deleted by hand, made again, changed with the servers, and deleted.
DASHBOARD = [Step("edit", {"dashboard": True}), Step("deploy", None), Step("by_hand", ("dashboard", "us-west-2")),
             Step("deploy", None), Step("edit", {"servers": {"us-west-2": True, "us-east-2": False}}),
             Step("deploy", None), Step("edit", {"dashboard": False}), Step("deploy", None)]
# Every step of these sequences must change something.
FIXED = {f"a server dropped after {fault}": server_dropped(fault) for fault in ("holdBefore", "holdAfter")}
FIXED["a dashboard"] = DASHBOARD


def sequence(seed, length):
    """Random steps; deployments are frequent, so that most steps find a deployed environment."""
    dice = random.Random(seed)
    names = itertools.count(1)

    def edit():
        return dice.choice([
            lambda: {"servers": {region: dice.random() < 0.8 for region in REGIONS}},
            lambda: {"clusters": sorted(dice.sample(sorted(CLUSTERS), dice.randint(1, 3)))},
            lambda: {"ttl": dice.choice([60, 300])},
            lambda: {"days": dice.choice([30, 90]), "memory": dice.choice([256, 512])},
            lambda: {"policy": dice.choice(POLICIES), "owner": dice.choice(["devops", "uploads"])},
            lambda: {"dashboard": dice.random() < 0.7},
        ])()

    steps = {
        "edit": (4, edit),
        "deploy": (4, lambda: None),
        "teardown": (1, lambda: None),
        "killed": (5, lambda: (dice.random() < 0.3, {
            "fault": dice.choice(["holdBefore", "holdAfter"]),
            "skip": dice.randint(0, 40 if dice.random() < 0.4 else 12)})),
        "upload": (2, lambda: "x" * next(names)),
        "by_hand": (4, lambda: (dice.choice(["server id", "trigger", "server", "server's tag", "server deleted",
                                             "record", "user policy", "dashboard"]), dice.choice(REGIONS))),
    }
    chosen = dice.choices(list(steps), [weight for weight, _ in steps.values()], k=length)
    return [Step("deploy", None), *(Step(what, steps[what][1]()) for what in chosen)]


def fails(front, program, folder, steps, effects=None, always=False):
    """Why a sequence fails, or None. `effects` counts the steps that changed something and those that did not; with
    `always`, every step must."""
    run = Run(front, program, folder)
    for number, step in enumerate([*steps, None]):
        try:
            changed = run.act(step) if step else run.end()
            if step and effects is not None:
                effects[step.what if changed else f"{step.what} of nothing"] += 1
            if step and always and not changed:
                raise Failure("it changed nothing")
        except Exception as error:  # Any unexpected error is a finding, too.
            return f"at step {number + 1}, {step}, account {run.account}: {type(error).__name__}: {error}"
    return None


def shortened(front, program, folder, steps, until):
    """The steps without those that the failure does not need, as far as they can be removed in time."""
    number = 0
    while number < len(steps) and time.monotonic() < until:
        fewer = steps[:number] + steps[number + 1:]
        if fails(front, program, folder, fewer):
            steps = fewer
        else:
            number += 1
    return steps


def main():
    parser = arguments(argparse.ArgumentParser(), seed=0, jobs=2)
    parser.add_argument("--sequences", type=int, default=20)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--shorten-minutes", type=float, default=3)
    args = parser.parse_args()
    start, front = time.monotonic(), Front(args.endpoint)
    tally, lock = collections.Counter(), threading.Lock()

    def one(task):
        name, steps, always = task
        effects = collections.Counter()
        why = fails(front, args.program, args.folder, steps, effects, always)
        with lock:
            tally.update(effects)
        if why:
            print(f"FAILED sequence {name}: {why}", flush=True)
        if why and not always:
            until = time.monotonic() + args.shorten_minutes * 60
            short = shortened(front, args.program, args.folder, steps, until)
            print("shortened to:\n" + "\n".join(f"  {step.what} {json.dumps(step.how)}" for step in short), flush=True)
        return why

    tasks = [(name, steps, True) for name, steps in FIXED.items()]
    tasks += [(seed, sequence(seed, args.steps), False) for seed in range(args.seed, args.seed + args.sequences)]
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        failed = sum(1 for why in pool.map(one, tasks) if why)
    effects = {what: count for what, count in sorted(tally.items()) if not what.endswith(" of nothing")}
    idle = tally.total() - sum(effects.values())
    print(f"{len(FIXED)} fixed sequences and {args.sequences} of {args.steps + 1} steps, {effects}, "
          f"{idle} steps without effect: {failed} failed, {time.monotonic() - start:.0f} s")
    # A run in which every kill comes too late proves nothing.
    missing = [what for what in ("deploy", "edit", "killed") if not tally[what]]
    if missing:
        print(f"none of these steps changed anything: {missing}")
    raise SystemExit(1 if failed or missing else 0)


if __name__ == "__main__":
    main()
