"""Ten thousand bad log-ins from 200 addresses through the local cloud, and a customer beside them."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Of 200 addresses every fifth stops after six tries with a blocked name: 160 * 61 + 40 * 6 = 10,000.
ADDRESSES, TRIES = 200, 61
PASSWORD = "correct horse"
GUARD = "guard: { address_threshold: 8, login_threshold: 3 }\n"


def called(program, folder, environment, *arguments, text=None):
    finished = subprocess.run([program, *arguments], cwd=folder, env=environment, input=text, capture_output=True,
                              text=True)
    if finished.returncode:
        sys.exit(f"{arguments}: {finished.stdout}{finished.stderr}")
    return finished.stdout


def flood(program, venv, target, guard):
    """What `tests/oracle/bots.py` reports, with or without the guard."""
    with tempfile.TemporaryDirectory() as folder:
        environments = pathlib.Path(folder, "environments")
        environments.mkdir()
        text = (ROOT / "environments/99.yaml").read_text()
        (environments / "99.yaml").write_text(text + (GUARD if guard else ""))
        environment = {**os.environ, "SFTPCTL_LOCAL_VENV": str(venv), "SFTP_PASSWORD": PASSWORD}
        sftpctl = lambda *arguments, text=None: called(program, folder, environment, *arguments, text=text)
        sftpctl("local", "start", "--port", "4620", "--server-start-time", "200ms")
        try:
            sftpctl("deploy", "--env", "99", "--local", "--yes")
            sftpctl("users", "add", "--env", "99", "--local", "--orgid", "17578", "--username", "jan",
                    "--cluster", "99-5", "--password-stdin", text=PASSWORD)
            servers = json.loads(sftpctl("local", "status", "--output", "json"))["servers"]
            [port] = [str(server["port"]) for server in servers if server["region"] == "us-west-2"]
            bots = [str(ROOT / "tests/oracle/bots.py"), port, "jan", "flood", str(ADDRESSES), str(TRIES)]
            return json.loads(called(target / "tools/bin/python", folder, environment, *bots))
        finally:
            sftpctl("local", "stop")


def run(report, program, venv, target):
    for guard in (False, True):
        found = flood(program, venv, target, guard)
        how = "with a guard" if guard else "without"
        before, meanwhile = found["before"], found["meanwhile"]
        assert found["tried"] == 10_000 and not found["admitted"] and not found["faults"], found
        # The customer's log-in meanwhile, against before: no customer is refused.
        report(f"a customer's log-in during 10,000 bad ones, {how}: median, against before", meanwhile["medianMs"],
               before["medianMs"], "ms", meanwhile["medianMs"] / before["medianMs"], None)
        report(f"customers' log-ins refused meanwhile, {how}", meanwhile["refused"], before["refused"], "",
               meanwhile["refused"], (0, 0) if guard else None)
        report(f"the 10,000, {how}", found["seconds"], None, "s", None, None)
