"""Kills runs around every mutation and every write of state, journal and lock, or loses the response to the mutation;
one more run must complete the work.

Usage: crash_matrix.py ENDPOINT PROGRAM FOLDER [--chain NAME] [--draw N] [--only TEXT] [--sample N] [--seed N]
[--jobs N]

The disturbed commands are in `scenarios.py`. The cells are derived from the calls and writes of undisturbed runs, so
that a new kind of resource is covered automatically. For each call the run is killed before it takes effect or after
it, or the response is lost; then the same run or one more must reach the same result. With the state in a folder, the
run is also killed before each line of the journal (intent or outcome) is written, in the middle of it, and before each
write of the lock, the state, and the journal's head and end. "After a write" equals "before the next one". With the
state in S3, its writes are calls as well, in a region of their own, so that no rule meant for a package matches them;
the dead run's lock is then assigned to another machine, so that only the missing renewals show that its holder is dead.

A cell counts as done only if the disturbed call is its own. A cell that the run did not reach (how often the journal is
written depends on timing) is retried once; then it is missed, and only a few cells may be missed.

Each worker has an account for each store and chain, and repeats the chain: a cell of each scenario, then a whole
teardown. The account of a failed cell is not used again; its contents are kept for inspection.
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
# Nothing is deployed in this region: every call to it concerns the state.
STATE_REGION = "us-west-1"
DOCUMENTS = ["99.journal", "99.json", "99.lock"]
# How a call is disturbed: the fault that does it.
LOST = "its response lost"
AT_A_CALL = {"killed before the call": "holdBefore", "killed after the call": "holdAfter", LOST: "resetAfter"}
BEFORE_A_WRITE, IN_A_LINE = "killed before the write", "killed in the line"
# Exit codes of a run that lost a response: something failed, or the work is partly done.
FAILED_OR_PARTLY = (1, 6)
# The largest share of cells that may be missed; in a small sample, one cell may be.
MOST_MISSED = 0.03
# How often the lock is renewed depends on a run's duration; only its first two writes are certain.
SURE_LOCKS = 2
LINES = ("journal intent ", "journal made ", "journal done ", "journal failed ")
# `region` and `object` (a key in S3) belong to a call, and are empty for a write to the state folder.
Cell = collections.namedtuple("Cell", "store scenario what region object nth moment")


class Cells(Site):
    """A site with its state in a folder or in S3, in which a chain is repeated."""

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
        """Does everything that precedes the command."""
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
        """The names of the documents at the state's location. Temporary files of a killed run are deleted after an
        hour."""
        if self.store == "s3":
            there = buckets.pop("state-ACCOUNT")
            return sorted(key.removeprefix("runs/") for key in there["objects"] + there["versions"]["deleted"])
        return sorted(path.name for path in self.records.iterdir() if not path.name.startswith("."))

    def dump(self):
        """The contents of the account; state, lock and journal must be as an undisturbed run leaves them."""
        state, lock = json.loads(self.document("99.json")), json.loads(self.document("99.lock"))
        # The state does not record an import as a run.
        outcome = (state["lastRun"] or {"outcome": "done"})["outcome"]
        if not lock["released"] or outcome != "done" or "\n{" in self.document("99.journal"):
            raise Failure(f"state, lock or journal is not closed: {lock} {state['lastRun']} {self.document('99.journal')}")
        found = self.eye.dump({name: state.get(name) for name in ("identities", "adoptedTags", "unverified")})
        documents = self.documents(found["buckets"])
        if documents != DOCUMENTS:
            raise Failure(f"unexpected documents at the state's location: {documents}")
        return found

    def end(self):
        """A whole teardown, which must leave only the hosted zone."""
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
        """Runs undisturbed, and returns the labels of the writes to the state folder."""
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
        """Whether the run reached the cell's call or write, and whether one more run must complete the work. A write of
        the state that was `missed` once is disturbed earlier, because the number of writes depends on timing."""
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
                raise Failure(f"after a lost response it ended with {ended}:\n{self.output()[-3000:]}")
            return self.is_of(call, cell), ended != 0
        call = self.kill(self.command(scenario), rule)
        if self.store == "s3" and call:
            self.die_elsewhere()
        return self.is_of(call, cell), call is not None

    @staticmethod
    def is_of(call, cell):
        """Whether the disturbed call is the cell's own."""
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
        """Assigns the lock to another machine, so that nothing shows that the holder's process has ended."""
        try:
            lock = json.loads(self.document("99.lock"))
        except self.s3.exceptions.NoSuchKey:
            return
        lock["holder"]["machine"] = "elsewhere"
        self.s3.put_object(Bucket=self.bucket, Key="runs/99.lock", Body=json.dumps(lock).encode())


def label(call):
    """The name of a call, with its region and object; the account, which differs between runs, is replaced."""
    key = call.get("object", "").replace(call["account"], "*")
    return f"{call['service']}.{call['operation']}", call["region"], key


def record(front, program, folder, groups):
    """Runs everything undisturbed. Returns the calls and writes of each run, by store and scenario, and what each
    leaves, which must be what the scenario says, and the same for every store."""
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
                raise Failure(f"{scenario.name} makes no mutation")
            dump = site.dump()
            wrong = differences(stands(dump), scenario.there)
            wrong += differences(dump, left.setdefault(scenario.name, dump))
            if wrong:
                raise Failure(f"after an undisturbed {scenario.name}, state in {store}:\n" + "\n".join(wrong[:20]))
            print(f"{scenario.name}, state in {store}: {len(calls[0])} mutations, {len(writes)} writes, "
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
    """The open cells and the results, shared by the workers."""

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
            lost = "lost a response" if cell.moment == LOST else "killed"
            self.done[lost if came else "ended undisturbed"] += 1
            self.alive += came and not again
            if sum(self.done.values()) % 10 == 0:
                print(f"{sum(self.done.values())} of {self.planned}, {time.monotonic() - self.start:.0f} s", flush=True)

    def failed(self, what, site, group, error):
        with self.lock:
            self.failures.append((what, site.account, f"{type(error).__name__}: {error}"))
            print(f"FAILED {what} (account {site.account})\n{error}", flush=True)
            # A scenario that fails undisturbed would fail forever.
            self.stuck[group] += not isinstance(what, Cell)
            if self.stuck[group] == 3:
                for scenario in CHAINS[group[1]]:
                    self.todo[group[0], scenario.name].clear()

    def verdict(self, size):
        broken = sum(isinstance(what, Cell) for what, _, _ in self.failures)
        done = sum(self.done.values()) + broken
        print(f"matrix of {sum(size.values())} cells {dict(size)}; done {done}: {dict(self.done)}, {self.alive} needed "
              f"no second run, {len(self.failures)} failed, {time.monotonic() - self.start:.0f} s")
        for cell in self.missed:
            print(f"  ended undisturbed: {cell}")
        for what, account, error in self.failures:
            print(f"- {what} (account {account}): {error.splitlines()[0]}")
        if not done or done != self.planned:
            print(f"{done} of {self.planned} cells were run")
        too_many = len(self.missed) > max(1, MOST_MISSED * self.planned)
        if too_many:
            print(f"{len(self.missed)} of {self.planned} cells were missed, which is too many")
        return not self.failures and 0 < done == self.planned and not too_many


def main():
    parser = arguments(argparse.ArgumentParser(), seed=0, jobs=2)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--only", default="", help="only cells whose name contains this text: s3, deploy, 99.journal, lost")
    parser.add_argument("--chain", action="append", choices=CHAINS, help="only these chains")
    parser.add_argument("--draw", type=int, help="draw this number of chains for each store, with the seed")
    args = parser.parse_args()
    front, dice, chains = Front(args.endpoint), random.Random(args.seed), args.chain or list(CHAINS)
    groups = [(store, chain) for store in STORES for chain in dice.sample(chains, args.draw or len(chains))]
    seen, left = record(front, args.program, args.folder, groups)
    cells = [cell for cell in matrix(seen) if args.only in " ".join(map(str, cell))]
    size = collections.Counter(f"{cell.store}, {cell.scenario}" for cell in cells)
    dice.shuffle(cells)
    if args.sample:
        # Evenly from each store and scenario: a worker runs whole chains anyway.
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
                raise Failure("the result differs from that of an undisturbed run:\n" + "\n".join(found[:20]))
        except Exception as error:  # A worker that ends silently would look like success.
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
            board.failed(f"the teardown after chain {group[1]}", site, group, error)
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
