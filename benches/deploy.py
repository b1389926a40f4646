"""Deployments: the time beyond AWS's own, the journal's share of it, the cost of a run without changes, and how that
grows."""
import re
import statistics
import subprocess

from cloud import ROOT, Cloud

# Long enough that a second of work is a percent or two, as it is on AWS.
STACK, SERVER, TABLE = 40, 40, 20
S3_WRITE = 100
DELAYS = ["--stack-time", f"{STACK}s", "--server-start-time", f"{SERVER}s", "--table-time", f"{TABLE}s"]
# Three regions: the table, then two replicas, one after the other; in parallel, in each region, the stack, then the server,
# then the stack's update with the server's ID. All of AWS's manners are on.
CHAIN = max(STACK + SERVER + STACK, 3 * TABLE)

REGIONS = """us-west-2 us-east-2 us-east-1 us-west-1 eu-west-1 eu-west-2 eu-west-3 eu-central-1 eu-north-1 eu-south-1 ca-central-1
ap-south-1 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-southeast-1 ap-southeast-2 sa-east-1 af-south-1 me-south-1""".split()


def environment(regions, clusters):
    """An environment with this number of regions, and of clusters in each."""
    names = REGIONS[:regions]
    lines = ["version: 1", 'environment: "77"', 'account: "111111111111"', "home_region: us-west-2", "regions:"]
    lines += [f"  {region}: {{ server: true }}" for region in names]
    lines += ["clusters:"] + [f"  77-{at}-{n}: {region}" for at, region in enumerate(names) for n in range(clusters)]
    return "\n".join(lines) + "\n"


def logged(text, word, unit):
    """The sum of one unit that a run with -vv reports for one part of its work."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return sum(int(digits) for digits in re.findall(rf"\b{word}\b.*?\b{unit}=(\d+)", text))


def planning(cloud, *arguments):
    """Milliseconds of the two pure parts of planning: naming all resources and rendering the templates; the plan
    itself."""
    text = cloud.run("plan", *arguments, "-vv")[0]
    return [logged(text, word, "microseconds") / 1000 for word in ("named", "planned")]


def journaling(report, store, text, took):
    """The share of a run in which it wrote journal and state, whether steps waited for that or not."""
    seconds = logged(text, "journaled", "microseconds") / 1e6
    report(f"  writing journal and state, in {store} ÷ wall", seconds, took, "s", seconds / took, (0, 0.05))
    report("    writes, and renewals of the lock beside them", logged(text, "journaled", "writes"),
           logged(text, "journaled", "renewals"), "", None, None)


def run(report, program, venv):
    with Cloud(program, venv, *DELAYS) as cloud:
        text, took, peak = cloud.run("deploy", "--env", "99", "--local", "--yes", "-vv")
        report(f"deploy, three regions: wall ÷ chain of waits ({CHAIN} s)", took, CHAIN, "s", took / CHAIN, (0, 1.1))
        journaling(report, "a folder", text, took)
        report("deploy: peak resident memory", peak, None, "MB", peak, (0, 40))
        cloud.calls()
        times = [cloud.run("deploy", "--env", "99", "--local", "--yes")[1] for _ in range(5)]
        calls = cloud.calls() / 5
        report("deploy again, nothing to do: time", statistics.median(times), None, "s", statistics.median(times), (0, 1))
        # Fewer than 40; a mean, with the retries of calls that AWS's manners throttled.
        report("deploy again, nothing to do: AWS calls", calls, None, "", calls, (0, 39.9))

    with Cloud(program, venv, *DELAYS) as cloud:
        bucket = [venv / "bin/python", ROOT / "tests/oracle/deployed.py", cloud.endpoint, "state-bucket", "bench-state"]
        subprocess.run(bucket, check=True, stdout=subprocess.DEVNULL,
                       env={**cloud.environment(), "SFTPCTL_LOCAL_SECRET": cloud.secret()})
        # S3's documentation says "roughly 100–200 milliseconds" for a small object; the local cloud needs a few.
        cloud.run("local", "faults", "add", "s3.PutObject", f"delay={S3_WRITE}ms", "--object", "*/99.*")
        text, took, _ = cloud.run("deploy", "--env", "99", "--local", "--yes", "--state", "s3://bench-state/runs", "-vv")
        journaling(report, f"S3, {S3_WRITE} ms a write", text, took)

    with Cloud(program, venv, "--server-start-time", "100ms") as cloud:
        file = cloud.path / "environments/77.yaml"
        arguments = ["--env", "77", "--local"]
        counted = {}
        for regions, clusters in ((2, 5), (4, 5), (8, 5), (8, 10), (8, 20)):
            file.write_text(environment(regions, clusters))
            cloud.run("deploy", *arguments, "--yes", "--no-verify")
            cloud.calls()
            cloud.run("deploy", *arguments, "--yes", "--no-verify")
            counted[regions, clusters] = cloud.calls()
        region, regions = counted[4, 5] - counted[2, 5], counted[8, 5] - counted[4, 5]
        report("  nothing to do, 4 → 8 regions ÷ 2 → 4: more calls", regions, region, "", regions / region, (1.8, 2.2))
        few, many = counted[8, 10] - counted[8, 5], counted[8, 20] - counted[8, 10]
        report("  nothing to do, 10 → 20 clusters ÷ 5 → 10: more calls", many, few, "", many / few, (1.8, 2.2))

        file.write_text(environment(20, 50))
        named, planned = planning(cloud, *arguments)
        report("planning 20 regions × 50 clusters", planned, None, "ms", planned, (0, 50))
        report("  naming their 1,142 resources, 20 templates rendered", named, None, "ms", None, None)
