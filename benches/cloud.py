"""A local cloud of its own in a temporary folder, and `sftpctl` in it."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cloud:
    def __init__(self, program, venv, *arguments):
        self.program, self.venv = program, venv
        self.folder = tempfile.TemporaryDirectory(prefix="sftpctl-bench-", dir=TARGET)
        self.path = pathlib.Path(self.folder.name)
        shutil.copytree(ROOT / "environments", self.path / "environments")
        self.run("local", "start", "--port", str(free_port()), *arguments)
        self.endpoint = self.status()["endpoint"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.run("local", "stop")
        self.folder.cleanup()

    def environment(self):
        return {**os.environ, "SFTPCTL_LOCAL_VENV": str(self.venv),
                "SFTPCTL_PACKAGE": str(TARGET / "lambda/sftp-authorizer")}

    def run(self, *arguments, stdin=None):
        """Runs sftpctl to the end; returns its output, the seconds, and the peak resident memory in MB."""
        begun, peak = time.perf_counter(), 0
        with tempfile.TemporaryFile("w+") as out:
            child = subprocess.Popen([str(self.program), *arguments], cwd=self.path, env=self.environment(),
                                     stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, stdout=out, stderr=out, text=True)
            if stdin:
                child.stdin.write(stdin)
                child.stdin.close()
            # The kernel keeps the peak, so reading it now and then misses at most the last moment.
            while child.poll() is None:
                peak = max(peak, peak_of(child.pid))
                time.sleep(0.005)
            took = time.perf_counter() - begun
            out.seek(0)
            text = out.read()
        if child.returncode != 0:
            raise SystemExit(f"sftpctl {' '.join(arguments)} ended with {child.returncode}:\n{text}")
        return text, took, peak

    def environment_of_aws(self):
        """What `sftpctl local env` sets, for other programs."""
        lines = self.run("local", "env")[0].splitlines()
        pairs = dict(line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export "))
        return {**self.environment(), **pairs, "AWS_CONFIG_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true"}

    def secret(self):
        return (self.path / ".sftpctl/local/secret").read_text().strip()

    def status(self):
        return json.loads(self.run("local", "status", "--output", "json")[0])

    def calls(self):
        """The number of AWS calls since the last time this was called."""
        counted = self.ask("calls")
        self.ask("calls/reset", b"")
        return counted["total"]

    def ask(self, path, body=None):
        headers = {"x-sftpctl-secret": self.secret()}
        request = urllib.request.Request(f"{self.endpoint}/_sftpctl/{path}", body, headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


def peak_of(process):
    try:
        with open(f"/proc/{process}/status") as file:
            return next((int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM")), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0
