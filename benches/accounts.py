"""Importing, checking and hardening accounts, against a table in memory that is not the bottleneck (fast-table.rs)."""
import base64
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

MILLION = 1_000_000
# boto3's rate does not depend on the number, and a million would take it several minutes.
THEIRS = 200_000
HARDENED = 3_000
# Of each thread, without a table.
HASHES = 600
# Write units a second, AWS's default quota of a table: "Quotas in Amazon DynamoDB", throughput of on-demand tables.
QUOTA = 40_000
ROOT = pathlib.Path(__file__).resolve().parent.parent
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "111111111111", "AWS_SECRET_ACCESS_KEY": "fake-secret",
               "AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": "us-west-2"}
# As its documentation has it: one writer, which sends batches of 25 and retries what was not processed.
BOTO3 = """
import csv, sys, boto3
table = boto3.resource("dynamodb").Table("dydb-99-uploads")
with table.batch_writer() as batch, open(sys.argv[1]) as file:
    for row in csv.DictReader(file):
        home = f"/pl-pt{row['cluster']}-uploads/{row['orgid']}"
        batch.put_item(Item={"orgid": int(row["orgid"]), "username": row["username"], "password": row["password"],
                             "HomeDirectory": home, "status": "active"})
"""


class Table:
    """A table in a process of its own, empty. With `units` it takes so many write units a second."""

    def __init__(self, program, units=None):
        command = [program] if units is None else [program, str(units)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        endpoint = f"http://127.0.0.1:{int(self.process.stdout.readline())}"
        self.environment = {"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": endpoint, **CREDENTIALS}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def measure(self, command, folder):
        """Seconds, and MB of memory at the peak, of a command that has to succeed."""
        with open(folder / "output", "w+") as output:
            begun = time.perf_counter()
            process = subprocess.Popen(command, cwd=folder, env=self.environment, stdout=output, stderr=output)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            took = time.perf_counter() - begun
            output.seek(0)
            assert process.returncode == 0, output.read()
        return took, usage.ru_maxrss / 1024


def accounts(folder, count):
    """A CSV of so many accounts, in no order."""
    path = folder / f"{count}.csv"
    with open(path, "w") as file:
        file.write("orgid,username,password,cluster\n")
        for number in range(count):
            row = number * 7919 % count
            digest = base64.b64encode(hashlib.sha224(str(row).encode()).digest()).decode()
            file.write(f"{100_000 + row},customer{row}@example.com,{digest},99-{row % 5}\n")
    return path


def run(report, program, table, hashes, python):
    """`table`, `hashes`: the examples fast-table and hardening-rate; `python`: one with boto3."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        shutil.copytree(ROOT / "environments", folder / "environments")

        def users(*arguments):
            return [program, "users", arguments[0], "--env", "99", *arguments[1:]]

        def imported(path, *more):
            return users("import", "--from", f"csv:{path}", "--no-home-folders", *more)

        theirs = accounts(folder, THEIRS)
        with Table(table) as there:
            their_rate = THEIRS / there.measure([python, "-c", BOTO3, theirs], folder)[0]
        small = accounts(folder, MILLION // 10)
        with Table(table) as there:
            _, small_peak = there.measure(imported(small, "--yes"), folder)
        all_of_them = accounts(folder, MILLION)
        with Table(table) as there:
            took, peak = there.measure(imported(all_of_them, "--yes"), folder)
            rate = MILLION / took
            report("accounts imported a second, against boto3's batch_writer", rate, their_rate, "/s", rate / their_rate, 3)
            # An account is two items: its own and the reservation of its name.
            report("of it, conditional writes, against its unconditional ones", 2 * rate, their_rate, "/s",
                   2 * rate / their_rate, 1)
            report("memory of an import: a million, a tenth of it", peak, small_peak, "MB", peak, (0, 100))
            took, peak = there.measure(imported(all_of_them, "--dry-run"), folder)
            report("checking a million rows against a million accounts", took, None, "s", took, (0, 60))
            report("memory of it", peak, None, "MB", peak, (0, 100))
        with Table(table, QUOTA) as there:
            checking = there.measure(imported(all_of_them, "--dry-run"), folder)[0]
            took = there.measure(imported(all_of_them, "--yes"), folder)[0]
            writes = 2 * MILLION / (took - checking)
            report("writes of an import a second, against what a table gives that has AWS's default quota", writes, QUOTA,
                   "/s", writes / QUOTA, 0.95)
        cores = os.cpu_count()
        few = accounts(folder, HARDENED)
        rates = []
        for used in (1, cores):
            with Table(table) as there:
                there.measure(imported(few, "--yes"), folder)
                rates.append(HARDENED / there.measure(users("harden", "--yes", "--cores", str(used)), folder)[0])
        report(f"passwords hardened a second on {cores} cores, against {cores} times one core's", rates[1], cores * rates[0],
               "/s", rates[1] / rates[0] / cores, 0.9)
        # Argon2id moves memory, which the cores share: what the machine bears.
        alone = [float(subprocess.run([hashes, str(used), str(HASHES)], check=True, capture_output=True).stdout)
                 for used in (1, cores)]
        report(f"the hashes alone on {cores} cores, against {cores} times one core's", alone[1], cores * alone[0], "/s",
               alone[1] / alone[0] / cores, None)
        report("passwords hardened, against the hashes alone on as many cores", rates[1], alone[1], "/s",
               rates[1] / alone[1], 0.9)
