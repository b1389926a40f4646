"""Kills deploy, update and teardown around every call that changes something and every write of state, journal and lock;
one more run must make it good.

Usage: crash_matrix.py ENDPOINT PROGRAM FOLDER [--sample N] [--seed N] [--jobs N] [--only TEXT] [--minutes N]

The cells come from the calls and writes that undisturbed runs are seen to make, so that a new kind of resource joins by
itself. With state in a folder: each call, killed before it took effect, and after, its answer lost; each line of the
journal, intent or outcome, killed before it is there, and in the middle of it; each write of lock and state, and the
journal's beginning and end, killed before it. "After a write" is "before what comes next". With state in S3 its writes
are calls as well; the dead run's lock is then made that of another machine, which only its silence can show to be dead.

Each worker has an account for each store and goes round: a cell of deploy, one of update, one of teardown; a failed
cell's account is not used again, and what it holds is kept for a look.
"""

import argparse
import collections
import concurrent.futures
import itertools
import json
import random
import threading
import time

from account_site import Failure, Front, Site, arguments
from dump import differences
from gate import Gate, whole, words

COMMANDS = {
    "deploy": ["deploy", "--no-verify", "--yes"],
    "update": ["deploy", "--no-verify", "--yes"],
    "teardown": ["teardown", "--yes", "--delete-data"],
}
ENVIRONMENT = """version: 1
environment: "99"
account: "{account}"
home_region: us-west-2
regions: {{ us-west-2: {{ server: true }}, us-east-2: {{ server: true }} }}
clusters: {{ 99-0: us-west-2, 99-1: us-east-2{clusters} }}
names: {{ bucket_prefix: "u{account}-", code_bucket_prefix: "c{account}" }}
dns: {{ zone: xx.net, ttl: {ttl} }}
logs: {{ retention_days: {days} }}
authorizer: {{ memory_mb: {memory} }}
server: {{ security_policy: {policy} }}
tags: {{ owner: {owner} }}
state: {{ lease_seconds: 2 }}
deadlines: {{ unseen: 2 }}
"""
FIRST = dict(clusters="", ttl=300, days=30, memory=256, policy="TransferSecurityPolicy-2025-03", owner="devops")
SECOND = dict(clusters=", 99-2: us-west-2", ttl=60, days=90, memory=512, policy="TransferSecurityPolicy-2018-11",
              owner="uploads")
STORES = ["folder", "s3"]
# Where the process is when it is killed: the fault that holds the call.
AROUND_A_CALL = {"before the call": "holdBefore", "its answer lost": "holdAfter"}
BEFORE_A_WRITE, IN_A_LINE = "before the write", "in the line"
LINES = ("journal intent ", "journal made ", "journal done ", "journal failed ")
# `where` is a region, a document of the state's bucket, or nothing for a write to the state's folder.
Cell = collections.namedtuple("Cell", "store phase what where nth moment")


class Cells(Site):
    """A site with its state in a folder or in S3 that goes round the phases."""

    def __init__(self, front, program, folder, store):
        super().__init__(front, program, folder)
        self.store, self.bucket = store, f"state-{self.account}"
        self.s3 = self.eye.client("s3")
        if store == "s3":
            self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
            versions = {"Status": "Enabled"}
            self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration=versions)

    def begin(self, phase):
        changed = FIRST if phase == "deploy" else SECOND
        self.write(ENVIRONMENT.format(account=self.account, **changed))
        place = ["--state", f"s3://{self.bucket}/runs"] if self.store == "s3" else []
        return super().begin(COMMANDS[phase] + place)

    @property
    def records(self):
        return self.folder / ".sftpctl/state"

    def document(self, name):
        if self.store == "s3":
            return self.s3.get_object(Bucket=self.bucket, Key=f"runs/{name}")["Body"].read().decode()
        return (self.records / name).read_text()

    def dump(self):
        """What is in the account; the records must be as an undisturbed run leaves them."""
        state, lock = json.loads(self.document("99.json")), json.loads(self.document("99.lock"))
        if not lock["released"] or state["lastRun"]["outcome"] != "done" or "\n{" in self.document("99.journal"):
            raise Failure(f"the records are not closed: {lock} {state['lastRun']} {self.document('99.journal')}")
        found = self.eye.dump()
        found["buckets"].pop("state-ACCOUNT", None)
        return {**found, "remembered": sorted(id.replace(self.account, "ACCOUNT") for id in state["identities"])}

    def calls(self, since):
        log = self.front.ask("GET", "calls/log")
        return [call for call in log if call["account"] == self.account and call["mutating"] and call["number"] > since]

    def writes(self, phase):
        """An undisturbed run, and the names of the writes to its folder."""
        gate = Gate(self.records, self.account)
        process = self.begin(phase)
        gate.walk(lambda: process.poll() is None)
        gate.close()
        if process.wait() != 0:
            raise Failure(f"{phase} ended with {process.returncode}:\n{self.output()[-3000:]}")
        return gate.labels

    def kill_at(self, cell):
        """Whether the run came to where it is killed."""
        if cell.moment in AROUND_A_CALL:
            where = {"object": f"*/{cell.where}"} if cell.where.startswith("99.") else {"region": cell.where}
            rule = {"call": cell.what, **where, "only": "mutating", "skip": cell.nth, "count": 1,
                    "fault": AROUND_A_CALL[cell.moment]}
            came = self.kill(cell.phase, rule)
        else:
            came = self.kill_at_a_write(cell)
        if self.store == "s3" and came:
            self.die_elsewhere()
        return came

    def kill_at_a_write(self, cell):
        gate = Gate(self.records, self.account)
        process = self.begin(cell.phase)
        try:
            waits = gate.walk(lambda: process.poll() is None, (cell.what, cell.nth))
        finally:
            process.kill()
            process.wait()
        if waits and cell.moment == IN_A_LINE:
            there, lines = gate.journal(), whole(waits[1]).splitlines()
            at = next(n for n in range(len(there), len(lines)) if self.is_line(lines[n], cell.what))
            (self.records / "99.journal").write_text("\n".join(lines[:at] + [lines[at][: len(lines[at]) // 2]]))
        gate.close()
        return waits is not None

    def is_line(self, line, what):
        return words(".journal", f"x\n{line}", ["x"])[0].replace(self.account, "ACCOUNT") == what

    def die_elsewhere(self):
        """Nobody here can tell any more that the holder's process has ended."""
        try:
            lock = json.loads(self.document("99.lock"))
        except self.s3.exceptions.NoSuchKey:
            return
        lock["holder"]["machine"] = "elsewhere"
        self.s3.put_object(Bucket=self.bucket, Key="runs/99.lock", Body=json.dumps(lock).encode())


def number_now(front):
    log = front.ask("GET", "calls/log")
    return log[-1]["number"] if log else 0


def record(front, program, folder):
    """Undisturbed runs: what each does, by store and phase, and what each leaves, which must be the same."""
    seen, left = {}, {}
    for store in STORES:
        site = Cells(front, program, folder, store)
        for phase in COMMANDS:
            since, start = number_now(front), time.monotonic()
            if store == "folder":
                writes = site.writes(phase)
            else:
                writes = []
                site.run(phase)
            seen[store, phase] = site.calls(since), writes
            dump = site.dump()
            found = differences(dump, left.setdefault(phase, dump))
            if found:
                raise Failure(f"two undisturbed runs of {phase} differ:\n" + "\n".join(found[:20]))
            print(f"{phase}, state in {store}: {len(seen[store, phase][0])} changing calls, {len(writes)} writes, "
                  f"{time.monotonic() - start:.1f} s", flush=True)
    return seen, left


def matrix(seen):
    cells = []
    for (store, phase), (calls, writes) in seen.items():
        count = collections.Counter()
        for call in calls:
            document = call.get("object", "").rsplit("/", 1)[-1]
            key = (f"{call['service']}.{call['operation']}", document if document.startswith("99.") else call["region"])
            cells += [Cell(store, phase, *key, count[key], moment) for moment in AROUND_A_CALL]
            count[key] += 1
        for what, nth in dict.fromkeys(writes):
            moments = [BEFORE_A_WRITE, IN_A_LINE] if what.startswith(LINES) else [BEFORE_A_WRITE]
            cells += [Cell(store, phase, what, "", nth, moment) for moment in moments]
    return cells


def main():
    parser = arguments(argparse.ArgumentParser(), seed=0, jobs=2)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--only", default="", help="cells whose name has this text: s3, deploy, 99.journal, outcome")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no cell after that")
    args = parser.parse_args()
    start, front = time.monotonic(), Front(args.endpoint)
    seen, left = record(front, args.program, args.folder)
    cells = [cell for cell in matrix(seen) if args.only in " ".join(map(str, cell))]
    size = collections.Counter(cell.store for cell in cells)
    random.Random(args.seed).shuffle(cells)
    groups = list(itertools.product(STORES, COMMANDS))
    if args.sample:
        # As many of each store and phase as there are: a worker goes round all of them anyway.
        rounds = [[cell for cell in cells if (cell.store, cell.phase) == group] for group in groups]
        cells = [c for turn in itertools.zip_longest(*rounds) for c in turn if c][: args.sample]
    todo = {group: collections.deque(c for c in cells if (c.store, c.phase) == group) for group in groups}
    lock, failures, tally, missed = threading.Lock(), [], collections.Counter(), []

    def take(group):
        with lock:
            if time.monotonic() - start > args.minutes * 60:
                todo[group].clear()
            return todo[group].popleft() if todo[group] else None

    def one(site, phase):
        cell = take((site.store, phase))
        try:
            came = cell and site.kill_at(cell)
            site.run(phase)
            found = differences(site.dump(), left[phase])
            if found:
                raise Failure("it does not end as an undisturbed run:\n" + "\n".join(found[:20]))
        except Exception as error:  # A worker that falls silent would look like success.
            with lock:
                failures.append((cell or f"undisturbed {phase}", site.account, f"{type(error).__name__}: {error}"))
                print(f"FAILED {cell} (account {site.account})\n{error}", flush=True)
            return False
        with lock:
            if cell:
                tally["killed" if came else "over before it came"] += 1
                missed.extend([] if came else [cell])
                done = sum(tally.values())
                if done % 25 == 0:
                    print(f"{done} of {len(cells)}, {time.monotonic() - start:.0f} s", flush=True)
        return True

    def work():
        sites = {}
        while any(todo.values()):
            for store in STORES:
                if not any(todo[store, phase] for phase in COMMANDS):
                    continue
                site = sites.pop(store, None) or Cells(front, args.program, args.folder, store)
                if all(one(site, phase) for phase in COMMANDS):
                    sites[store] = site

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for worker in [pool.submit(work) for _ in range(args.jobs)]:
            worker.result()
    done = sum(tally.values()) + sum(isinstance(failure[0], Cell) for failure in failures)
    print(f"matrix of {sum(size.values())} cells {dict(size)}; done {done}: {dict(tally)}, {len(failures)} failed, "
          f"{time.monotonic() - start:.0f} s")
    for cell in missed:
        print(f"  over before it came: {cell}")
    for cell, account, error in failures:
        print(f"- {cell} (account {account}): {error.splitlines()[0]}")
    raise SystemExit(1 if failures else 0)


if __name__ == "__main__":
    main()
