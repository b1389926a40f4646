"""The authorizer against an equivalent Python handler, one harness for both."""
import os
import pathlib
import random
import statistics
import subprocess
import tempfile

from harness import Harness, legacy

COLD, ROUNDS, WARM, COSTS = 25, 7, 400, 60
ACCOUNTS = {"my1sftp": legacy("secret")}


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def cold(command, core, **more):
    times = []
    for _ in range(COLD):
        harness = Harness(ACCOUNTS)
        harness.start(command, core, **more)
        answer, _ = harness.call("my1sftp", "secret")
        assert "Role" in answer, answer
        times.append(harness.answered - harness.started)
        harness.stop()
    return times


def warm(contestants, core):
    """Runs the candidates in alternating rounds, so that noise affects all of them; returns the percentiles of each
    one's quietest round, and its peak."""
    running = []
    for command, more in contestants:
        harness = Harness(ACCOUNTS)
        harness.start(command, core, **more)
        for _ in range(100):
            harness.call("my1sftp", "secret")
        running.append(harness)
    rounds = [[] for _ in running]
    for _ in range(ROUNDS):
        for harness, of in zip(running, rounds):
            of.append([harness.call("my1sftp", "secret")[1] for _ in range(WARM)])
    peaks = [harness.peak() for harness in running]
    for harness in running:
        harness.stop()
    shares = {share: [min(percentile(times, share) * 1000 for times in of) for of in rounds]
              for share in (0.5, 0.99)}
    return shares, peaks


def argon2_costs(command, core, stored):
    """Seconds of each kind of refusal and of a grant, in random order, so that noise affects all of them equally."""
    harness = Harness({"my1sftp": legacy("secret"), "hard": stored})
    harness.start(command, core)
    kinds = {
        "right password, Argon2id": ("hard", "secret"),
        "wrong password, Argon2id": ("hard", "wrong"),
        "wrong password, old hash": ("my1sftp", "wrong"),
        "unknown user": ("nobody", "wrong"),
    }
    times = {kind: [] for kind in kinds}
    order = list(kinds) * COSTS
    random.Random(1).shuffle(order)
    harness.call("hard", "secret")
    for kind in order:
        answer, took = harness.call(*kinds[kind])
        assert ("Role" in answer) == kind.startswith("right"), (kind, answer)
        times[kind].append(took)
    peak = harness.peak()
    harness.stop()
    return times, peak


def zipped(program, binary):
    """The size of the uploaded package in MB."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "package.zip"
        subprocess.run([program, "package", "--binary", binary, "--out", out], check=True, stdout=subprocess.DEVNULL)
        return out.stat().st_size / 1e6


def run(report, target, program, python, stored):
    rust = [str(target / "lambda/sftp-authorizer")]
    handler = [str(python), "-m", "awslambdaric", "handler.handler"]
    path = {"PYTHONPATH": str(pathlib.Path(__file__).parent)}
    core = max(os.sched_getaffinity(0))

    colds = cold(rust, core), cold(handler, core, **path)
    p50 = [statistics.median(times) * 1000 for times in colds]
    report("cold start, first answer, p50", p50[0], p50[1], "ms", p50[1] / p50[0], 30)
    shares, peaks = warm([(rust, {}), (handler, path)], core)
    for share, least in ((0.99, 4), (0.5, None)):
        ours, theirs = shares[share]
        report(f"warm, old hash, p{share * 100:.0f}", ours, theirs, "ms", theirs / ours, least)
    report("peak resident memory", *peaks, "MB", peaks[1] / peaks[0], 8)

    size = zipped(program, rust[0])
    report("package, zipped", size, None, "MB", size, (0, 2))

    costs, peak = argon2_costs(rust, core, stored)
    # Other work on the machine can only add time: the lower quartile is the most stable.
    quartile = {kind: percentile(values, 0.25) for kind, values in costs.items()}
    for kind, seconds in quartile.items():
        report(f"  {kind}, lower quartile", seconds * 1000, None, "ms", None, None)
    report("  peak with Argon2id", peak, None, "MB", None, None)
    wrong = quartile["wrong password, Argon2id"]
    for kind in ("unknown user", "wrong password, old hash"):
        report(f"  {kind} ÷ wrong password, Argon2id", None, None, "", quartile[kind] / wrong, (0.95, 1.05))
