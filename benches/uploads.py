"""Many uploads at once: the memory of the local cloud's front, and their speed together, of two programs in turn."""
import os
import pathlib
import tempfile

from sftp import HOME, SESSIONS, Client, deployed, endpoint, uploads

EACH, ROUNDS = 64 << 20, 3


def measure(program, venv, folder, source):
    """What `sftp.uploads` says of a new front."""
    with deployed(program, venv) as cloud:
        client = Client(folder, endpoint(cloud), "my1sftp")
        client.run("pwd")
        measured = uploads(client, cloud.status()["pid"], source, SESSIONS)
        client.run(f"get /{HOME}/many-{SESSIONS - 1} {folder}/back")
        if (folder / "back").read_bytes() != source.read_bytes():
            raise SystemExit("an upload is not what was sent")
        (folder / "back").unlink()
    return measured


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
