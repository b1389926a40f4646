"""`sftpctl bench` on a folder and fio with the same load, in turn: MB/s of both, and processor time of both.

The same load: a new file for each put, written 1 MiB at a time through the page cache, then one fsync (`--end_fsync=1`,
which fio counts as part of its run time) without space reserved before (`--fallocate=none`, `--create_on_open=1`); a get after
the kernel was told to forget the pages (`--invalidate=1`), a cached one without that, both without a hint of how the file is
read (`--fadvise_hint=0`); the same bytes for each block, without work on them in between (`--scramble_buffers=0`), from and to
memory of its own pages (`--mem=mmap`: fio's default reads the page cache at half the speed). What fio does not do: check what
comes back, and read the size of what was put.
"""
import json
import math
import os
import pathlib
import subprocess
import tempfile

SIZE, ROUNDS = 1 << 30, 15
THREADS, EACH = (2, 4), 256 << 20
FIO = ["--bs=1M", "--ioengine=sync", "--direct=0", "--fallocate=none", "--fadvise_hint=0", "--scramble_buffers=0", "--mem=mmap",
       "--group_reporting", "--output-format=json", "--eta=never", "--filename_format=f.$jobnum"]
OPERATIONS = {
    "put": ["--rw=write", "--create_on_open=1", "--end_fsync=1"],
    "get": ["--rw=read", "--invalidate=1"],
    "get-cached": ["--rw=read", "--invalidate=0"],
}


def started(command, **more):
    """What a command prints, and the processor seconds of it and its processes: of the user, and of the kernel."""
    child = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, **more)
    text = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {os.waitstatus_to_exitcode(status)}")
    return text, (used.ru_utime, used.ru_stime)


def of_bench(program, folder, verb, *arguments):
    """MB/s and the processor seconds of the workers for 100 MB, by operation; those of all processes of the run."""
    target = folder / "bench"
    target.mkdir(exist_ok=True)
    results = folder / "results.jsonl"
    results.unlink(missing_ok=True)
    _, used = started([program, "bench", verb, target, "--content", "binary", "--warmup", "0", *arguments, "--results", results],
                      stderr=subprocess.DEVNULL)
    samples = {}
    for line in map(json.loads, results.read_text().splitlines()):
        # What comes before the first iteration puts the files that are read.
        if line["type"] == "sample" and line["iteration"] > 0:
            samples.setdefault(line["action"], []).append(line)
    taken = {}
    for action, of in samples.items():
        total = sum(sample["bytes"] for sample in of)
        # As fio has it of several jobs: by the longest of them, whenever each has begun.
        speed = total / max(sample["seconds"] for sample in of) / 1e6
        taken[action] = speed, sum(sample["cpu"] for sample in of) / (total / 1e8)
    return taken, used


def of_fio(folder, threads, size, operations):
    """The same of fio. In a new folder each time, as `bench` does: ext4 places the files of another folder in another part of
    the disk, and a disk of a virtual machine is slower where nothing was written before."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="fio-") as target:
        taken, used = {}, (0, 0)
        for operation in operations:
            text, spent = started(["fio", f"--name={operation}", f"--directory={target}", f"--size={size}", f"--numjobs={threads}",
                                   *FIO, *OPERATIONS[operation]])
            job = json.loads(text)["jobs"][0]
            done = job["write" if operation == "put" else "read"]
            if done["io_bytes"] != size * threads:
                raise SystemExit(f"fio moved {done['io_bytes']} bytes")
            cpu = (job["usr_cpu"] + job["sys_cpu"]) / 100 * job["job_runtime"] / 1000
            taken[operation] = done["io_bytes"] / done["runtime"] / 1000, cpu / (done["io_bytes"] / 1e8)
            used = tuple(map(sum, zip(used, spent)))
        return taken, used


def median(values):
    ordered, at = sorted(values), len(values) // 2
    return ordered[at] if len(values) % 2 else (ordered[at - 1] + ordered[at]) / 2


def interval(values):
    """The values between which the median lies with 95 % confidence, whatever the distribution is; as `bench` has it."""
    ordered, count, below, low = sorted(values), len(values), 0, None
    for at in range(count // 2):
        below += math.comb(count, at) / 2**count
        if below > 0.025:
            break
        low = at
    if low is None:
        raise SystemExit(f"{count} rounds are too few for an interval")
    return ordered[low], ordered[count - 1 - low]


def compare(report, folder, what, threads, size, operations, ours):
    """Runs both `ROUNDS` times, and each first as often as the other."""
    speeds, cpus, spent = {}, {}, {}
    for number in range(ROUNDS):
        both = [("sftpctl", ours), ("fio", lambda: of_fio(folder, threads, size, operations))]
        for who, run in both if number % 2 == 0 else reversed(both):
            taken, used = run()
            spent[who] = tuple(map(sum, zip(spent.get(who, (0, 0)), used)))
            for operation in operations:
                speed, cpu = taken[operation]
                speeds.setdefault((operation, who), []).append(speed)
                cpus.setdefault((operation, who), []).append(cpu)
    for operation in operations:
        pairs = list(zip(speeds[operation, "sftpctl"], speeds[operation, "fio"]))
        ratios = [mine / theirs for mine, theirs in pairs]
        low, high = interval(ratios)
        report(f"{operation}, {what}; the median of the ratios is in {low:.2f} to {high:.2f}", *(median(each) for each in zip(*pairs)),
               "MB/s", median(ratios), None)
        if threads == 1:
            report(f"  processor seconds for 100 MB, kernel included: {operation}", median(cpus[operation, "sftpctl"]),
                   median(cpus[operation, "fio"]), "s", None, None)
    hundreds = ROUNDS * len(operations) * threads * size / 1e8
    for at, of in enumerate(("the user", "the kernel")):
        mine, theirs = (spent[who][at] / hundreds for who in ("sftpctl", "fio"))
        # Less than 5 % of a core at 100 MB/s.
        report(f"  all processes, for 100 MB, of {of}: {what}", mine, theirs, "s", mine if at == 0 else None,
               (0, 0.05) if at == 0 else None)


def run(report, program, below):
    """In `below`, and in memory, where the disk has no part in the noise and nothing is read but from memory."""
    below.mkdir(parents=True, exist_ok=True)
    every = list(OPERATIONS)
    for where, place, operations in (("on the disk", below.resolve(), every), ("in memory", "/dev/shm", every[:2])):
        with tempfile.TemporaryDirectory(dir=place, prefix="sftpctl-fio-") as name:
            folder = pathlib.Path(name)
            one = lambda: of_bench(program, folder, "sizes", "--sizes", f"{SIZE}B", "--repeat", "1")
            compare(report, folder, f"{SIZE >> 20} MiB {where}", 1, SIZE, operations, one)
            for threads in THREADS:
                several = lambda: of_bench(program, folder, "threads", "--sizes", f"{EACH}B", "--threads", threads, "--iterations", "1",
                                           "--operations", "put,get")
                compare(report, folder, f"{EACH >> 20} MiB each {where}, {threads} threads", threads, EACH, every[:2], several)
