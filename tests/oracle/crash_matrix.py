"""Kills runs around every call that changes something and every write of state, journal and lock, or loses the answer
to the call; one more run must make it good.

Usage: crash_matrix.py ENDPOINT PROGRAM FOLDER [--chain NAME] [--draw N] [--only TEXT] [--sample N] [--seed N]
[--jobs N]

What is disturbed is in `scenarios.py`. The cells come from the calls and writes that undisturbed runs are seen to make,
so that a new kind of resource joins by itself. Each call: killed before it took effect, killed after it, or not killed
and its answer lost; then the same run or one more must come to the same end. With state in a folder: each line of the
journal, intent or outcome, killed before it is there, and in the middle of it; each write of lock and state, and the
journal's beginning and end, killed before it. "After a write" is "before what comes next". With state in S3 its writes
are calls as well, in a region of their own, so that no rule meant for a package meets them; the dead run's lock is then
made that of another machine, which only its silence can show to be dead.

A cell counts as done only where the call that was held is its own. One that the run did not come to (how often the
journal is written hangs on the moment) is tried once more; then it is missed, and of these there may be few only.

Each worker has an account for each store and chain and goes round the chain: a cell of each scenario, and a whole
teardown; a failed cell's account is not used again, and what it holds is kept for a look.
"""

import argparse
import collections
import concurrent.futures
import fnmatch
import itertools
import json
import random
import threading
import time

from account_site import DEADLINE, Failure, Front, Site, arguments
from dump import REGIONS, differences
from gate import Gate, whole, words
from scenarios import CHAINS, EMPTY, TEARDOWN, ZONE, environment, stands

STORES = ["folder", "s3"]
# Nothing is deployed there: whatever has an address in this region is the state's.
STATE_REGION = "us-west-1"
DOCUMENTS = ["99.journal", "99.json", "99.lock"]
# What happens at a call: the fault that does it.
LOST = "its answer lost"
AT_A_CALL = {"killed before the call": "holdBefore", "killed after the call": "holdAfter", LOST: "resetAfter"}
BEFORE_A_WRITE, IN_A_LINE = "killed before the write", "killed in the line"
# A run that lost an answer may say that something failed, or that it is partly done.
FAILED_OR_PARTLY = (1, 6)
# More of the cells than that must not be missed; one may be, of a small sample.
MOST_MISSED = 0.03
# The lock is renewed as often as a run's time allows; that it is renewed at all is certain of its first two writes.
SURE_LOCKS = 2
LINES = ("journal intent ", "journal made ", "journal done ", "journal failed ")
# `region` and `object` (a key in S3) are a call's, and empty for a write to the state's folder.
Cell = collections.namedtuple("Cell", "store scenario what region object nth moment")


class Cells(Site):
    """A site with its state in a folder or in S3 that goes round a chain."""

    def __init__(self, front, program, folder, store):
        super().__init__(front, program, folder)
        self.store, self.bucket, self.server = store, f"state-{self.account}", None
        self.s3 = self.eye.client("s3", STATE_REGION)
        if store == "s3":
            self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": STATE_REGION})
            versions = {"Status": "Enabled"}
            self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration=versions)

    def begin(self, arguments):
        place = ["--state", f"s3://{self.bucket}/runs?region={STATE_REGION}"] if self.store == "s3" else []
        return super().begin([*arguments, *place])

    def prepare(self, scenario):
        """All that comes before the command."""
        self.write(environment(self.account, scenario.file))
        scenario.before(self)

    def command(self, scenario):
        return [word.format(account=self.account, server=self.server) for word in scenario.command]

    @property
    def records(self):
        return self.folder / ".sftpctl/state"

    def document(self, name):
        if self.store == "s3":
            return self.s3.get_object(Bucket=self.bucket, Key=f"runs/{name}")["Body"].read().decode()
        return (self.records / name).read_text()

    def documents(self, buckets):
        """Names of what the state's place has. What a killed run wrote beside its place is swept after an hour."""
        if self.store == "s3":
            there = buckets.pop("state-ACCOUNT")
            return sorted(key.removeprefix("runs/") for key in there["objects"] + there["versions"]["deleted"])
        return sorted(path.name for path in self.records.iterdir() if not path.name.startswith("."))

    def dump(self):
        """What is in the account; the records must be as an undisturbed run leaves them."""
        state, lock = json.loads(self.document("99.json")), json.loads(self.document("99.lock"))
        # An import is no run that the state tells of.
        outcome = (state["lastRun"] or {"outcome": "done"})["outcome"]
        if not lock["released"] or outcome != "done" or "\n{" in self.document("99.journal"):
            raise Failure(f"the records are not closed: {lock} {state['lastRun']} {self.document('99.journal')}")
        found = self.eye.dump({name: state.get(name) for name in ("identities", "adoptedTags", "unverified")})
        documents = self.documents(found["buckets"])
        if documents != DOCUMENTS:
            raise Failure(f"the state's place has {documents}")
        return found

    def end(self):
        """A whole teardown, after which only the hosted zone is there."""
        self.run(TEARDOWN)
        found = self.dump()
        for region in REGIONS:
            found[region] = {what: there for what, there in found[region].items() if there}
        left = {what: there for what, there in found.items() if there and what != "remembered"}
        if left != {"zones": {f"{ZONE}.": []}}:
            raise Failure("a teardown leaves:\n" + json.dumps(left)[:2000])

    def calls(self, since):
        return [call for call in self.front.log(self.account, since) if call["mutating"]]

    def writes(self, scenario):
        """An undisturbed run, and the names of the writes to its folder."""
        gate = Gate(self.records, self.account)
        process = self.begin(self.command(scenario))
        gate.walk(self.goes_on(process))
        gate.close()
        process.kill()
        if process.wait() != 0:
            raise Failure(f"{scenario.name} ended with {process.returncode}:\n{self.output()[-3000:]}")
        return gate.labels

    @staticmethod
    def goes_on(process):
        end = time.monotonic() + DEADLINE
        return lambda: process.poll() is None and time.monotonic() < end

    def disturb(self, cell, scenario, missed):
        """Whether the run came to what disturbs it, and whether one more has to make it good. A write of the state's
        that was `missed` once is met earlier: how many there are hangs on the moment."""
        if cell.moment not in AT_A_CALL:
            came = self.kill_at_a_write(cell, scenario)
            return came, came
        where = {"object": cell.object} if cell.object else {}
        skip = cell.nth // 2 if missed and cell.region == STATE_REGION else cell.nth
        rule = {"call": cell.what, "region": cell.region, **where, "only": "mutating", "skip": skip, "count": 1,
                "fault": AT_A_CALL[cell.moment]}
        if cell.moment == LOST:
            call, ended = self.lose_an_answer(self.command(scenario), rule)
            if ended != 0 and (ended not in FAILED_OR_PARTLY or not call):
                raise Failure(f"after a lost answer it ended with {ended}:\n{self.output()[-3000:]}")
            return self.is_of(call, cell), ended != 0
        call = self.kill(self.command(scenario), rule)
        if self.store == "s3" and call:
            self.die_elsewhere()
        return self.is_of(call, cell), call is not None

    @staticmethod
    def is_of(call, cell):
        """Whether it is the cell's own call that met the fault."""
        return call is not None and label(call)[:2] == (cell.what, cell.region) and fnmatch.fnmatchcase(
            call.get("object", ""), cell.object)

    def kill_at_a_write(self, cell, scenario):
        gate = Gate(self.records, self.account)
        process = self.begin(self.command(scenario))
        try:
            waits = gate.walk(self.goes_on(process), (cell.what, cell.nth))
        finally:
            process.kill()
            ended = process.wait()
        if not waits and ended != 0:
            raise Failure(f"{scenario.name}, undisturbed, ended with {ended}:\n{self.output()[-3000:]}")
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


def label(call):
    """What a call is named, with its place; accounts differ from run to run."""
    key = call.get("object", "").replace(call["account"], "*")
    return f"{call['service']}.{call['operation']}", call["region"], key


def record(front, program, folder, groups):
    """Undisturbed runs: what each does, by store and scenario, and what each leaves, which must be what the scenario
    says, and the same wherever the state is."""
    seen, left = {}, {}
    for store, chain in groups:
        site = Cells(front, program, folder, store)
        for scenario in CHAINS[chain]:
            site.prepare(scenario)
            since, start = front.number(), time.monotonic()
            writes = []
            if store == "folder":
                writes = site.writes(scenario)
            else:
                site.run(site.command(scenario))
            took = time.monotonic() - start
            seen[store, scenario.name] = calls = site.calls(since), writes
            if not calls[0]:
                raise Failure(f"{scenario.name} changes nothing")
            dump = site.dump()
            wrong = differences(stands(dump), scenario.there)
            wrong += differences(dump, left.setdefault(scenario.name, dump))
            if wrong:
                raise Failure(f"after an undisturbed {scenario.name}, state in {store}:\n" + "\n".join(wrong[:20]))
            print(f"{scenario.name}, state in {store}: {len(calls[0])} changing calls, {len(writes)} writes, "
                  f"{took:.1f} s", flush=True)
        site.end()
    return seen, left


def matrix(seen):
    cells = []
    for (store, scenario), (calls, writes) in seen.items():
        count = collections.Counter()
        for call in calls:
            key = label(call)
            if not (key[2].endswith("/99.lock") and SURE_LOCKS <= count[key]):
                cells += [Cell(store, scenario, *key, count[key], moment) for moment in AT_A_CALL]
            count[key] += 1
        for what, nth in dict.fromkeys(writes):
            if what.startswith("lock taken") and nth >= SURE_LOCKS:
                continue
            moments = [BEFORE_A_WRITE, IN_A_LINE] if what.startswith(LINES) else [BEFORE_A_WRITE]
            cells += [Cell(store, scenario, what, "", "", nth, moment) for moment in moments]
    return cells


class Board:
    """What is to be done, and what came of it; shared by the workers."""

    def __init__(self, cells, names):
        self.start, self.lock, self.planned = time.monotonic(), threading.Lock(), len(cells)
        self.todo = {name: collections.deque(c for c in cells if (c.store, c.scenario) == name) for name in names}
        self.tries, self.failures, self.missed = collections.Counter(), [], []
        self.done, self.alive, self.stuck = collections.Counter(), 0, collections.Counter()

    def take(self, name):
        with self.lock:
            return self.todo[name].popleft() if self.todo[name] else None

    def came(self, cell, came, again):
        with self.lock:
            self.tries[cell] += 1
            if not came and self.tries[cell] == 1:
                self.todo[cell.store, cell.scenario].append(cell)
                return
            if not came:
                self.missed.append(cell)
            lost = "lost an answer" if cell.moment == LOST else "killed"
            self.done[lost if came else "over before it came"] += 1
            self.alive += came and not again
            if sum(self.done.values()) % 10 == 0:
                print(f"{sum(self.done.values())} of {self.planned}, {time.monotonic() - self.start:.0f} s", flush=True)

    def failed(self, what, site, group, error):
        with self.lock:
            self.failures.append((what, site.account, f"{type(error).__name__}: {error}"))
            print(f"FAILED {what} (account {site.account})\n{error}", flush=True)
            # What fails without being disturbed would fail for ever.
            self.stuck[group] += not isinstance(what, Cell)
            if self.stuck[group] == 3:
                for scenario in CHAINS[group[1]]:
                    self.todo[group[0], scenario.name].clear()

    def verdict(self, size):
        broken = sum(isinstance(what, Cell) for what, _, _ in self.failures)
        done = sum(self.done.values()) + broken
        print(f"matrix of {sum(size.values())} cells {dict(size)}; done {done}: {dict(self.done)}, {self.alive} needed "
              f"no other run, {len(self.failures)} failed, {time.monotonic() - self.start:.0f} s")
        for cell in self.missed:
            print(f"  over before it came: {cell}")
        for what, account, error in self.failures:
            print(f"- {what} (account {account}): {error.splitlines()[0]}")
        if not done or done != self.planned:
            print(f"{done} cells were run of {self.planned}")
        too_many = len(self.missed) > max(1, MOST_MISSED * self.planned)
        if too_many:
            print(f"{len(self.missed)} cells were missed, too many of {self.planned}")
        return not self.failures and 0 < done == self.planned and not too_many


def main():
    parser = arguments(argparse.ArgumentParser(), seed=0, jobs=2)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--only", default="", help="cells whose name has this text: s3, deploy, 99.journal, lost")
    parser.add_argument("--chain", action="append", choices=CHAINS, help="only these chains")
    parser.add_argument("--draw", type=int, help="so many of the chains for each store, drawn by the seed")
    args = parser.parse_args()
    front, dice, chains = Front(args.endpoint), random.Random(args.seed), args.chain or list(CHAINS)
    groups = [(store, chain) for store in STORES for chain in dice.sample(chains, args.draw or len(chains))]
    seen, left = record(front, args.program, args.folder, groups)
    cells = [cell for cell in matrix(seen) if args.only in " ".join(map(str, cell))]
    size = collections.Counter(f"{cell.store}, {cell.scenario}" for cell in cells)
    dice.shuffle(cells)
    if args.sample:
        # As many of each store and scenario as there are: a worker goes round all of a chain anyway.
        rounds = [[cell for cell in cells if (cell.store, cell.scenario) == name] for name in seen]
        cells = [c for turn in itertools.zip_longest(*rounds) for c in turn if c][: args.sample]
    board = Board(cells, seen)

    def one(site, group, scenario):
        cell, again = board.take((site.store, scenario.name)), True
        try:
            site.prepare(scenario)
            if cell:
                came, again = site.disturb(cell, scenario, board.tries[cell])
            if again:
                site.run(site.command(scenario))
            found = differences(site.dump(), left[scenario.name])
            if found:
                raise Failure("it does not end as an undisturbed run:\n" + "\n".join(found[:20]))
        except Exception as error:  # A worker that falls silent would look like success.
            board.failed(cell or f"undisturbed {scenario.name}", site, group, error)
            return False
        if cell:
            board.came(cell, came, again)
        return True

    def through(site, group):
        if not all(one(site, group, scenario) for scenario in CHAINS[group[1]]):
            return False
        try:
            site.end()
        except Exception as error:
            board.failed(f"the end of {group[1]}", site, group, error)
            return False
        return True

    def work():
        sites = {}
        while any(board.todo.values()):
            for group in groups:
                if any(board.todo[group[0], scenario.name] for scenario in CHAINS[group[1]]):
                    site = sites.pop(group, None) or Cells(front, args.program, args.folder, group[0])
                    if through(site, group):
                        sites[group] = site

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for worker in [pool.submit(work) for _ in range(args.jobs)]:
            worker.result()
    raise SystemExit(0 if board.verdict(size) else 1)


if __name__ == "__main__":
    main()
