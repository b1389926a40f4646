"""Many uploads at once: the memory of the local cloud's front, and their speed together, of two programs in turn."""
import os
import pathlib
import tempfile
import time

from cloud import peak_of
from sftp import HOME, Client, cpu_seconds, deployed, endpoint, resident

SESSIONS, EACH, ROUNDS = 50, 64 << 20, 3


def measure(program, venv, folder, source):
    """MB that the front has before and at its peak, MB/s of all uploads together, processor seconds of the front."""
    with deployed(program, venv) as cloud:
        status = cloud.status()
        front = status["pid"]
        client = Client(folder, endpoint(cloud), "my1sftp")
        client.run("pwd")
        before, spent, begun = resident(front), cpu_seconds(front), time.perf_counter()
        children = [client.start(f"put {source} /{HOME}/many-{at}") for at in range(SESSIONS)]
        texts = [child.communicate()[0] for child in children]
        took = time.perf_counter() - begun
        # The kernel keeps the peak: nothing of it is missed between two looks.
        peak, spent = peak_of(front), cpu_seconds(front) - spent
        failed = [text for child, text in zip(children, texts) if child.returncode != 0]
        if failed:
            raise SystemExit(f"{len(failed)} of {SESSIONS} uploads failed: {failed[0]}")
        client.run(f"get /{HOME}/many-{SESSIONS - 1} {folder}/back")
        if (folder / "back").read_bytes() != source.read_bytes():
            raise SystemExit("an upload is not what was sent")
        (folder / "back").unlink()
    return before, peak, SESSIONS * source.stat().st_size / took / 1e6, spent


def run(report, program, other, venv):
    """`other` is a program to compare with, or `None`."""
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="sftpctl-bench-") as name:
        folder = pathlib.Path(name)
        source = folder / "source"
        source.write_bytes(os.urandom(EACH))
        programs = [program, *([other] if other else [])]
        taken = {each: [] for each in programs}
        for number in range(ROUNDS):
            # In turn, and each first as often as the other, so that what else the machine does strikes both alike.
            for each in programs if number % 2 == 0 else reversed(programs):
                taken[each].append(measure(each, venv, folder, source))
        # The most memory of any round, and the best speed: other work on the machine can only slow it down.
        best = {each: tuple(choose(values) for choose, values in zip((max, max, max, min), zip(*of)))
                for each, of in taken.items()}
        ours, theirs = best[program], best.get(other, (None,) * 4)
        ratio = lambda at: theirs[at] / ours[at] if other else None
        what = f"{SESSIONS} uploads of {EACH >> 20} MB at once"
        report(f"{what}: front's resident memory before", ours[0], theirs[0], "MB", ratio(0), None)
        report(f"{what}: its peak", ours[1], theirs[1], "MB", ours[1], (0, 300))
        faster = ours[2] / theirs[2] if other else None
        report(f"{what}: together", ours[2], theirs[2], "MB/s", faster, 0.97 if other else None)
        report(f"{what}: processor time of the front", ours[3], theirs[3], "s", ratio(3), None)
        for each, of in taken.items():
            rates, peaks = ([f"{values[at]:.0f}" for values in of] for at in (2, 1))
            print(f"\n{each}: {', '.join(rates)} MB/s; peaks {', '.join(peaks)} MB")
