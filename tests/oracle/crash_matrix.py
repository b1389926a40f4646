"""Kills deploy, update and teardown around every call that changes something; one more run must make it good.

Usage: crash_matrix.py ENDPOINT PROGRAM FOLDER [--sample N] [--seed N] [--jobs N] [--only TEXT] [--minutes N]

The cells come from the calls that undisturbed runs are seen to make, so that a new kind of resource joins by itself:
each call, killed before it took effect; killed after, its answer lost; and killed before its intent was in the journal,
or while it was written. Each worker has an account and goes round: a cell of deploy, one of update, one of teardown;
a failed cell's account is not used again, and what it holds is kept for a look.
"""

import argparse
import collections
import concurrent.futures
import itertools
import json
import os
import pathlib
import random
import subprocess
import threading
import time
import urllib.request

from dump import Account, differences

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
# Where the process is when it is killed: the fault that holds the call, and what becomes of the journal's last line.
MOMENTS = {
    "before the call": ("holdBefore", None),
    "its answer lost": ("holdAfter", None),
    "before the journal": ("holdBefore", "gone"),
    "in the journal": ("holdBefore", "torn"),
}
Cell = collections.namedtuple("Cell", "phase call region nth moment")
DEADLINE = 120


class Failure(Exception):
    pass


class Front:
    """The local cloud's own paths."""

    def __init__(self, endpoint):
        self.endpoint = endpoint

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/_sftpctl/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def held(self, account):
        return [hold for hold in self.ask("GET", "faults")["holds"] if hold["account"] == account]


class Site:
    """An account with a folder of its own."""

    numbers = itertools.count(700000000001)
    lock = threading.Lock()

    def __init__(self, front, program, folder):
        with Site.lock:
            self.account = str(next(Site.numbers))
        self.front, self.program, self.folder = front, program, pathlib.Path(folder) / self.account
        (self.folder / "environments").mkdir(parents=True)
        self.eye = Account(front.endpoint, self.account)
        self.eye.client("route53").create_hosted_zone(Name="xx.net", CallerReference=self.account)

    def begin(self, phase):
        changed = FIRST if phase == "deploy" else SECOND
        file = self.folder / "environments/99.yaml"
        file.write_text(ENVIRONMENT.format(account=self.account, **changed))
        out = (self.folder / "output").open("w")
        keys = {"AWS_ACCESS_KEY_ID": self.account, "AWS_SECRET_ACCESS_KEY": "fake-secret"}
        command = [self.program, *COMMANDS[phase], "--env", "99", "--endpoint-url", self.front.endpoint]
        return subprocess.Popen(command, cwd=self.folder, env={**os.environ, **keys}, stdout=out, stderr=out,
                                stdin=subprocess.DEVNULL)

    def run(self, phase):
        """An undisturbed run, which must succeed."""
        process = self.begin(phase)
        try:
            code = process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = f"no end within {DEADLINE} s"
        if code != 0:
            raise Failure(f"{phase} ended with {code}:\n{(self.folder / 'output').read_text()[-3000:]}")

    def calls(self, since):
        log = self.front.ask("GET", "calls/log")
        return [call for call in log if call["account"] == self.account and call["mutating"] and call["number"] > since]

    def kill(self, cell):
        """Runs a phase until the cell's call, and kills it there; whether it came so far."""
        fault, journal = MOMENTS[cell.moment]
        rule = {"call": cell.call, "region": cell.region, "account": self.account, "only": "mutating",
                "skip": cell.nth, "count": 1, "fault": fault}
        rule_id = self.front.ask("POST", "faults", rule)["id"]
        process, end = self.begin(cell.phase), time.monotonic() + DEADLINE
        try:
            while not self.front.held(self.account) and process.poll() is None:
                if time.monotonic() > end:
                    raise Failure(f"{cell}: the call was never made")
                time.sleep(0.02)
            came = process.poll() is None
        finally:
            process.kill()
            process.wait()
        # The front lets go of the call when it sees that its caller is gone.
        while self.front.held(self.account):
            if time.monotonic() > end:
                raise Failure(f"{cell}: the call is still held")
            time.sleep(0.01)
        self.front.ask("DELETE", f"faults/{rule_id}")
        if came and journal:
            path = self.folder / ".sftpctl/state/99.journal"
            text = path.read_bytes()
            start = text.rstrip(b"\n").rfind(b"\n") + 1
            path.write_bytes(text[: start + (len(text) - start) // 2 if journal == "torn" else start])
        return came


def number_now(front):
    log = front.ask("GET", "calls/log")
    return log[-1]["number"] if log else 0


def record(front, program, folder):
    """Undisturbed runs: their calls, and what each leaves."""
    site, calls, left = Site(front, program, folder), {}, {}
    for phase in COMMANDS:
        since, start = number_now(front), time.monotonic()
        site.run(phase)
        calls[phase], left[phase] = site.calls(since), site.eye.dump()
        print(f"{phase}: {len(calls[phase])} changing calls, {time.monotonic() - start:.1f} s", flush=True)
    again = Site(front, program, folder)
    for phase in COMMANDS:
        again.run(phase)
        found = differences(again.eye.dump(), left[phase])
        if found:
            raise Failure(f"two undisturbed runs of {phase} differ:\n" + "\n".join(found[:20]))
    return calls, left


def matrix(calls):
    cells = []
    for phase, made in calls.items():
        seen = collections.Counter()
        for call in made:
            key = (f"{call['service']}.{call['operation']}", call["region"])
            cells += [Cell(phase, *key, seen[key], moment) for moment in MOMENTS]
            seen[key] += 1
    return cells


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("endpoint")
    parser.add_argument("program")
    parser.add_argument("folder")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="cells whose name has this text")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no cell after that")
    args = parser.parse_args()
    start, front = time.monotonic(), Front(args.endpoint)
    calls, left = record(front, args.program, args.folder)
    cells = [cell for cell in matrix(calls) if args.only in " ".join(map(str, cell))]
    size = len(cells)
    random.Random(args.seed).shuffle(cells)
    if args.sample:
        # As many of each phase as there are: a worker goes round all three anyway.
        rounds = [[cell for cell in cells if cell.phase == phase] for phase in COMMANDS]
        cells = [c for turn in itertools.zip_longest(*rounds) for c in turn if c][: args.sample]
    todo = {phase: collections.deque(c for c in cells if c.phase == phase) for phase in COMMANDS}
    lock, failures, tally = threading.Lock(), [], collections.Counter()

    def take(phase):
        with lock:
            if time.monotonic() - start > args.minutes * 60:
                todo[phase].clear()
            return todo[phase].popleft() if todo[phase] else None

    def one(site, phase):
        cell = take(phase)
        try:
            came = cell and site.kill(cell)
            site.run(phase)
            found = differences(site.eye.dump(), left[phase])
            if found:
                raise Failure("it does not end as an undisturbed run:\n" + "\n".join(found[:20]))
        except Exception as error:  # A worker that falls silent would look like success.
            with lock:
                failures.append((cell or f"undisturbed {phase}", site.account, f"{type(error).__name__}: {error}"))
                print(f"FAILED {cell} (account {site.account})\n{error}", flush=True)
            return False
        with lock:
            if cell:
                tally["killed" if came else "over before the call came"] += 1
                done = sum(tally.values())
                if done % 25 == 0:
                    print(f"{done} of {len(cells)}, {time.monotonic() - start:.0f} s", flush=True)
        return True

    def work():
        site = Site(front, args.program, args.folder)
        while any(todo.values()):
            if not all(one(site, phase) for phase in COMMANDS):
                site = Site(front, args.program, args.folder)

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for worker in [pool.submit(work) for _ in range(args.jobs)]:
            worker.result()
    done = sum(tally.values()) + sum(isinstance(failure[0], Cell) for failure in failures)
    print(f"matrix of {size} cells; done {done}: {dict(tally)}, {len(failures)} failed, "
          f"{time.monotonic() - start:.0f} s")
    for cell, account, error in failures:
        print(f"- {cell} (account {account}): {error.splitlines()[0]}")
    raise SystemExit(1 if failures else 0)


if __name__ == "__main__":
    main()
