"""`sftpctl homes copy` and `sftpctl pull` compared with the usual tools for S3, all with one S3 server, one after the
other. sftpctl does more meanwhile: conditional writes, checksums, a manifest and a ledger, files synchronised to the disk. A
download is also measured until the files are on the disk, for all tools, since the others leave that to the system."""
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import time

from cloud import Cloud
from s3 import KEYS, Server, Tools, measured

ROOT = pathlib.Path(__file__).parent.parent
BUCKET, ORGID = "pl-pt99-5-uploads", "17578"
ROUNDS = 2
# Not 100 folders: a listing of SeaweedFS 4.48 ends with a page that ends with the marker of a folder, though more follows.
SETS = {"10,000 files of 50 KB": (10_000, 50_000, 97), "2 files of 1 GB": (2, 1 << 30, 1)}
ENTRIES = 1_000_000


def run(report, program, venv, target):
    tools = Tools(target / "bench/s3-tools")
    with tempfile.TemporaryDirectory(prefix="sftpctl-bench-", dir=target) as folder, Cloud(program, venv) as cloud:
        folder = pathlib.Path(folder)
        inventory(report, cloud, folder)
        for name, form in SETS.items():
            home = folder / "homes" / ORGID
            fill(home, *form)
            with Server(tools, folder / "s3") as server:
                compare(report, name, tools, cloud, server, folder, home, is_small=form[0] > 100)
            shutil.rmtree(folder / "s3")
            shutil.rmtree(home)


def fill(home, count, size, folders):
    """Files that no one can compress or deduplicate."""
    random.seed(17)
    for number in range(count):
        path = home / f"d{number % folders:03}" / f"file-{number:05}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as file:
            for _ in range(0, size, 1 << 24):
                file.write(random.randbytes(min(size, 1 << 24)))


def compare(report, name, tools, cloud, server, folder, home, is_small):
    at = ["--endpoint-url", server.endpoint]
    rclone = [tools.rclone, "--config", "/dev/null", "--s3-provider", "SeaweedFS", "--s3-endpoint", server.endpoint, "--s3-env-auth",
              "--transfers", "32", "--checkers", "32", "--fast-list", "copy"]
    keys = {**os.environ, **KEYS}
    ours = {**cloud.environment_of_aws(), "AWS_ENDPOINT_URL_S3": server.endpoint}
    ups = {
        "sftpctl": lambda to: [cloud.program, "homes", "copy", "--env", "99", "--orgid", ORGID, "--cluster", "99-5", "--root", home.parent,
                               "--manifest", folder / "manifest"],
        "s5cmd": lambda to: [tools.s5cmd, *at, "--log", "error", "cp", f"{home}/", f"s3://{to}/{ORGID}/"],
        "rclone": lambda to: [*rclone, home, f":s3:{to}/{ORGID}"],
        "aws": lambda to: [tools.aws, *at, "s3", "sync", "--quiet", home, f"s3://{to}/{ORGID}"],
    }
    downs = {
        "sftpctl": lambda of, to: [cloud.program, "pull", "--env", "99", "--cluster", "99-5", "--to", to],
        "s5cmd": lambda of, to: [tools.s5cmd, *at, "--log", "error", "cp", f"s3://{of}/*", f"{to}/"],
        "rclone": lambda of, to: [*rclone, f":s3:{of}", to],
        "aws": lambda of, to: [tools.aws, *at, "s3", "sync", "--quiet", f"s3://{of}", to],
    }
    up, down, kept = {tool: [] for tool in ups}, {tool: [] for tool in downs}, {tool: [] for tool in downs}
    for turn in range(ROUNDS):
        # Who begins changes: the server is slower at first.
        order = list(ups) if turn % 2 == 0 else list(reversed(ups))
        for tool in order:
            bucket = server.bucket(BUCKET if tool == "sftpctl" else f"of-{tool}")
            (folder / "manifest").mkdir()
            up[tool].append(succeeded(measured(ups[tool](bucket), ours if tool == "sftpctl" else keys, cloud.path)))
            shutil.rmtree(folder / "manifest")
        for tool in order:
            to = folder / "pulled"
            to.mkdir()
            bucket = BUCKET if tool == "sftpctl" else f"of-{tool}"
            os.sync()
            result = succeeded(measured(downs[tool](bucket, to), ours if tool == "sftpctl" else keys, cloud.path))
            begun = time.perf_counter()
            subprocess.run(["sync", "--file-system", to], check=True)
            down[tool].append(result)
            kept[tool].append((result[0] + time.perf_counter() - begun, *result[1:]))
            same(tool, home, to / ORGID)
            shutil.rmtree(to)
    if is_small:
        verified(report, tools, cloud, server, folder, home, ours, ups["sftpctl"])
    for what, results in (("upload", up), ("download until it is on the disk", kept), ("download", down)):
        best = {tool: min(result[0] for result in runs) for tool, runs in results.items()}
        others = ", ".join(f"{tool} {seconds:.1f} s" for tool, seconds in best.items() if tool != "sftpctl")
        fastest = min(seconds for tool, seconds in best.items() if tool != "sftpctl")
        # The others have not finished then.
        target = None if what == "download" else 1
        report(f"{what}, {name} ({others})", best["sftpctl"], fastest, "s", fastest / best["sftpctl"], target)
        if what == "download":
            continue
        memory = max(result[1] for result in results["sftpctl"])
        report(f"the same, peak memory (MB; bound: 100 MB)", memory, 100, "", 100 / memory, 1)
        work = {tool: min(result[2] for result in runs) for tool, runs in results.items()}
        report("the same, processor time of the program", work["sftpctl"], work["s5cmd"], "s", work["s5cmd"] / work["sftpctl"], None)


def verified(report, tools, cloud, server, folder, home, ours, copy):
    """Verifying by the listing, against a mere listing of the same objects."""
    bucket = server.bucket(BUCKET)
    (folder / "manifest").mkdir()
    succeeded(measured(copy(bucket), ours, cloud.path))
    verify = [cloud.program, "homes", "verify", "--env", "99", "--orgid", ORGID, "--cluster", "99-5", "--root", home.parent, "--manifest",
              folder / "manifest", "--quick"]
    listing = [tools.s5cmd, "--endpoint-url", server.endpoint, "ls", f"s3://{bucket}/*"]
    took = [min(succeeded(measured(command, environment, cloud.path))[0] for _ in range(ROUNDS))
            for command, environment in ((verify, ours), (listing, {**os.environ, **KEYS}))]
    shutil.rmtree(folder / "manifest")
    report("homes verify --quick of 10,000 objects, against s5cmd ls of them", took[0], took[1], "s", took[1] / took[0], 0.5)


def succeeded(result):
    if result[3] != 0:
        raise SystemExit(f"ended with {result[3]}:\n{result[4][-3000:]}")
    return result


def same(tool, ours, theirs):
    """That all arrived, by names and sizes; the content of every tenth file."""
    files = sorted(path.relative_to(ours) for path in ours.rglob("*") if path.is_file())
    arrived = sorted(path.relative_to(theirs) for path in theirs.rglob("*") if path.is_file())
    if files != arrived:
        lost = sorted(set(files) - set(arrived))
        raise SystemExit(f"{tool}: {len(arrived)} of {len(files)} files arrived; not: {', '.join(map(str, lost[:5]))}")
    for number, path in enumerate(files):
        one, other = ours / path, theirs / path
        if one.stat().st_size != other.stat().st_size or (number % 10 == 0 and one.read_bytes() != other.read_bytes()):
            raise SystemExit(f"{other} is not as {one}")


def inventory(report, cloud, folder):
    """A million entries, and a tenth of them for the growth of the memory."""
    peaks, took = [], 0
    for count in (ENTRIES // 10, ENTRIES):
        root = folder / "many"
        for number in range(count // 1000):
            place = root / ORGID / f"d{number:04}"
            place.mkdir(parents=True)
            for file in range(999):
                os.close(os.open(place / f"f{file:03}", os.O_CREAT | os.O_WRONLY))
        result = succeeded(measured([cloud.program, "homes", "inventory", "--env", "99", "--orgid", ORGID, "--root", root],
                                    cloud.environment(), cloud.path))
        took, peak = result[:2]
        peaks.append(peak)
        shutil.rmtree(root)
    report(f"inventory of {ENTRIES:,} entries (bound: 60 s)", took, 60, "s", 60 / took, 1)
    report("the same, peak memory, against a tenth of the entries", peaks[1], peaks[0], "MB", peaks[1] / peaks[0], (0, 1.2))
