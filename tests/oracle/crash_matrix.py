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
import random
import threading
import time

from account_site import Failure, Front, Site, arguments
from dump import differences

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


class Cells(Site):
    """A site that goes round the phases."""

    def begin(self, phase):
        changed = FIRST if phase == "deploy" else SECOND
        self.write(ENVIRONMENT.format(account=self.account, **changed))
        return super().begin(COMMANDS[phase])

    def calls(self, since):
        log = self.front.ask("GET", "calls/log")
        return [call for call in log if call["account"] == self.account and call["mutating"] and call["number"] > since]

    def kill_at(self, cell):
        fault, journal = MOMENTS[cell.moment]
        rule = {"call": cell.call, "region": cell.region, "only": "mutating", "skip": cell.nth, "count": 1,
                "fault": fault}
        came = self.kill(cell.phase, rule)
        if came and journal:
            self.tear_journal(whole=journal == "gone")
        return came


def number_now(front):
    log = front.ask("GET", "calls/log")
    return log[-1]["number"] if log else 0


def record(front, program, folder):
    """Undisturbed runs: their calls, and what each leaves."""
    site, calls, left = Cells(front, program, folder), {}, {}
    for phase in COMMANDS:
        since, start = number_now(front), time.monotonic()
        site.run(phase)
        calls[phase], left[phase] = site.calls(since), site.eye.dump()
        print(f"{phase}: {len(calls[phase])} changing calls, {time.monotonic() - start:.1f} s", flush=True)
    again = Cells(front, program, folder)
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
    parser = arguments(argparse.ArgumentParser(), seed=0, jobs=2)
    parser.add_argument("--sample", type=int)
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
            came = cell and site.kill_at(cell)
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
        site = Cells(front, args.program, args.folder)
        while any(todo.values()):
            if not all(one(site, phase) for phase in COMMANDS):
                site = Cells(front, args.program, args.folder)

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
