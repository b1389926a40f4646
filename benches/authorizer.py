"""The authorizer against an equivalent Python handler, one harness for both."""
import base64
import os
import pathlib
import random
import statistics
import subprocess
import tempfile

from harness import Harness, legacy

COLD, ROUNDS, WARM, COSTS = 25, 7, 400, 60
REFUSALS = 15
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
    one's quietest round, its seconds of processor time for a log-in in the cheapest, and its peak. Most of a 99th
    percentile is other work on the machine, which adds as much to each; processor time has little of it."""
    running = []
    for command, more in contestants:
        harness = Harness(ACCOUNTS)
        harness.start(command, core, **more)
        for _ in range(100):
            harness.call("my1sftp", "secret")
        running.append(harness)
    rounds, busy = [[] for _ in running], [[] for _ in running]
    for _ in range(ROUNDS):
        for harness, of, busy_of in zip(running, rounds, busy):
            before = harness.cpu()
            of.append([harness.call("my1sftp", "secret")[1] for _ in range(WARM)])
            busy_of.append((harness.cpu() - before) / WARM)
    peaks = [harness.peak() for harness in running]
    for harness in running:
        harness.stop()
    shares = {share: [min(percentile(times, share) * 1000 for times in of) for of in rounds]
              for share in (0.5, 0.99)}
    return shares, [min(of) for of in busy], peaks


def argon2_costs(command, core, stored):
    """Seconds of a grant, seconds of processor time of it, and the peak of memory."""
    harness = Harness({"hard": stored})
    harness.start(command, core)
    times, busy = [], []
    for _ in range(COSTS):
        before = harness.cpu()
        answer, took = harness.call("hard", "secret")
        assert "Role" in answer, answer
        times.append(took)
        busy.append(harness.cpu() - before)
    peak = harness.peak()
    harness.stop()
    return times, busy, peak


def forms(stored):
    """A stored string of each form, by what it is called; no password fits most of them. With each, whether its refusal
    takes the one time: the dearest that are allowed take longer, by a number of half seconds."""
    zeros = lambda size: base64.b64encode(bytes(size)).decode()
    return {
        "argon2id": (stored, True),
        "sha224": (legacy("another"), True),
        "argon2id over sha224": ("{sha224}" + stored, True),
        "sha512-crypt": ("$6$saltsalt$" + 86 * ".", True),
        "argon2id over sha512-crypt": ("{$6$saltsalt}" + stored, True),
        "sha256-crypt": ("$5$saltsalt$" + 43 * ".", True),
        "yescrypt, 16 MiB (the usual)": ("$y$j9T$saltsalt$" + 43 * ".", True),
        "bcrypt, cost 10": ("$2b$10$" + 53 * ".", True),
        "md5-crypt": ("$1$saltsalt$" + 22 * ".", True),
        "mysql": ("*" + 40 * "0", True),
        "{SHA512}": ("{SHA512}" + 128 * "0", True),
        "{SSHA}": ("{SSHA}" + zeros(28), True),
        "pbkdf2-sha256, 150,000": ("$pbkdf2-sha256$150000$salt$" + zeros(32), True),
        "unknown form": ("secret", True),
        "bcrypt, cost 12 (the most)": ("$2b$12$" + 53 * ".", False),
        "yescrypt, 64 MiB (the most)": ("$y$jBT$saltsalt$" + 43 * ".", False),
        "sha512-crypt, 1,000,000 rounds (the most)": ("$6$rounds=1000000$saltsalt$" + 86 * ".", False),
        "argon2id, 64 MiB, ten passes (the most)":
            ("$argon2id$v=19$m=65536,t=10,p=1$" + 22 * "A" + "$" + 43 * "A", False),
    }


def refusals(command, core, stored):
    """Seconds until the answer, and seconds of processor time, of the refusal in each form and of an unknown user, in
    random order, so that noise affects all of them equally."""
    kinds = [text for text, _ in forms(stored).values()]
    names = {kind: f"user{index}" for index, kind in enumerate([*forms(stored), "unknown user"])}
    harness = Harness(dict(zip(names.values(), kinds)))
    harness.start(command, core)
    harness.call("nobody", "wrong")
    taken = {kind: [] for kind in names}
    order = list(taken) * REFUSALS
    random.Random(1).shuffle(order)
    for kind in order:
        before = harness.cpu()
        answer, took = harness.call(names[kind], "wrong")
        taken[kind].append((took, harness.cpu() - before))
        assert "Role" not in answer, (kind, answer)
    harness.stop()
    # Other work on the machine can only add time: the lower quartile is the most stable.
    return {kind: [percentile(values, 0.25) for values in zip(*pairs)] for kind, pairs in taken.items()}


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
    shares, busy, peaks = warm([(rust, {}), (handler, path)], core)
    for share, least in ((0.99, 4), (0.5, None)):
        ours, theirs = shares[share]
        report(f"warm, old hash, p{share * 100:.0f}", ours, theirs, "ms", theirs / ours, least)
    ours, theirs = (seconds * 1000 for seconds in busy)
    report("warm, old hash, processor time", ours, theirs, "ms", theirs / ours, 4)
    report("peak resident memory", *peaks, "MB", peaks[1] / peaks[0], 8)

    size = zipped(program, rust[0])
    report("package, zipped", size, None, "MB", size, (0, 2))

    times, busy, peak = argon2_costs(rust, core, stored)
    report("  right password, Argon2id, lower quartile", percentile(times, 0.25) * 1000, None, "ms", None, None)
    # On Lambda a log-in takes as much of a vCPU, of which a function has a part by its memory: docs/cost.md.
    report("  of it, processor time", percentile(busy, 0.25) * 1000, None, "ms", None, None)
    report("  peak with Argon2id", peak, None, "MB", None, None)
    taken = refusals(rust, core, stored)
    unknown = taken["unknown user"]
    report("refusal of an unknown user: until the answer; processor time", unknown[0] * 1000, unknown[1] * 1000, "ms",
           None, None)
    for kind, (text, alike) in forms(stored).items():
        answered, busy = taken[kind]
        report(f"  {kind}: the same; time ÷ an unknown user's", answered * 1000, busy * 1000, "ms", answered / unknown[0],
               (0.98, 1.02) if alike else None)
