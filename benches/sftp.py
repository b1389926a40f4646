"""The SFTP endpoint compared with OpenSSH's sshd, with one client for both; then S3, many log-ins, many uploads."""
import concurrent.futures
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from cloud import Cloud, free_port, peak_of

CIPHER = "aes256-gcm@openssh.com"
SIZE = 1 << 30
ROUNDS = 3
SESSIONS, EACH = 50, 32 << 20
# For the memory that an upload needs, whatever the file's size. A 32 MB upload ends before its session has reached its
# peak, so two larger sizes are compared.
FEW, TIMES = 6, 3
LOGINS = 200
REGION = "us-west-2"
HOME = "pl-pt99-5-uploads/175781"


class Client:
    """OpenSSH's sftp, with a password or a key."""

    def __init__(self, folder, port, user, key=None):
        self.folder, self.port, self.user, self.key = folder, port, user, key
        askpass = folder / "askpass"
        askpass.write_text("#!/bin/sh\necho secret\n")
        askpass.chmod(0o700)
        self.environment = {**os.environ, "SSH_ASKPASS": str(askpass), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"}

    def start(self, *commands):
        batch = tempfile.NamedTemporaryFile("w", dir=self.folder, delete=False)
        batch.write("\n".join(commands) + "\n")
        batch.close()
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=no",
                   f"Ciphers={CIPHER}", "IdentitiesOnly=yes",
                   "PreferredAuthentications=" + ("publickey" if self.key else "password")]
        identity = ["-i", str(self.key)] if self.key else []
        command = ["sftp", "-F", "/dev/null", *identity, *(part for option in options for part in ("-o", option)),
                   "-P", str(self.port), "-b", batch.name, f"{self.user}@127.0.0.1"]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, *commands):
        begun = time.perf_counter()
        child = self.start(*commands)
        text = child.communicate()[0]
        if child.returncode != 0:
            raise SystemExit(f"sftp ended with {child.returncode}:\n{text}")
        return time.perf_counter() - begun


class Sshd:
    """OpenSSH's server with a configuration, port and keys of its own."""

    def __init__(self, folder):
        self.port = free_port()
        for name in ("host", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        self.key = folder / "client"
        shutil.copy(folder / "client.pub", folder / "authorized_keys")
        (folder / "sshd_config").write_text("\n".join([
            f"Port {self.port}", "ListenAddress 127.0.0.1", f"HostKey {folder}/host", f"AuthorizedKeysFile {folder}/authorized_keys",
            "StrictModes no", "UsePAM no", "PasswordAuthentication no", "PermitRootLogin yes", f"Ciphers {CIPHER}",
            f"PidFile {folder}/pid", "Subsystem sftp internal-sftp", "MaxStartups 100",
        ]) + "\n")
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        self.child = subprocess.Popen([shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin"), "-D", "-e", "-f", folder / "sshd_config"],
                                      stderr=subprocess.DEVNULL)
        wait_for(self.port)

    def stop(self):
        self.child.terminate()
        self.child.wait()


def wait_for(port):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


def transfers(client, source, remote, back):
    """MB/s up and down."""
    up = SIZE / client.run(f"put {source} {remote}") / 1e6
    down = SIZE / client.run(f"get {remote} {back}") / 1e6
    back.unlink()
    return up, down


def endpoint(cloud):
    servers = cloud.status()["servers"]
    return next(server["port"] for server in servers if server["region"] == REGION)


def deployed(program, venv, *arguments):
    cloud = Cloud(program, venv, "--server-start-time", "100ms", *arguments)
    cloud.run("deploy", "--env", "99", "--local", "--yes")
    cloud.run("users", "add", "--env", "99", "--local", "--orgid", "175781", "--username", "my1sftp", "--cluster", "99-5",
              "--password-stdin", stdin="secret\n")
    return cloud


def cpu_seconds(process):
    with open(f"/proc/{process}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def logins(client, processes, at_once):
    """Log-ins per second, and the processor seconds per log-in of each process and of the client."""
    spent, begun = [cpu_seconds(process) for process in processes], time.perf_counter()
    clients = os.times()
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda _: client.run("pwd"), range(LOGINS)))
    took, after = time.perf_counter() - begun, os.times()
    costs = [(cpu_seconds(process) - before) / LOGINS for process, before in zip(processes, spent)]
    own = after.children_user + after.children_system - clients.children_user - clients.children_system
    return LOGINS / took, [*costs, own / LOGINS]


def uploads(client, process, source, sessions):
    """The front's memory in MB before and at its peak while all sessions upload at once, their MB/s together, and the
    processor seconds of the front."""
    # The kernel keeps the peak, and begins anew here (proc(5)): nothing of it is missed between two looks.
    pathlib.Path(f"/proc/{process}/clear_refs").write_text("5")
    before, spent, begun = resident(process), cpu_seconds(process), time.perf_counter()
    children = [client.start(f"put {source} /{HOME}/many-{at}") for at in range(sessions)]
    texts = [child.communicate()[0] for child in children]
    took = time.perf_counter() - begun
    peak, spent = peak_of(process), cpu_seconds(process) - spent
    failed = [text for child, text in zip(children, texts) if child.returncode != 0]
    if failed:
        raise SystemExit(f"{len(failed)} of {sessions} uploads failed: {failed[0]}")
    return before, peak, sessions * source.stat().st_size / took / 1e6, spent


def additional(program, venv, folder, source, sessions):
    """MB that the uploads add to a new front: memory left by earlier uploads would hide the difference."""
    with deployed(program, venv) as cloud:
        client = Client(folder, endpoint(cloud), "my1sftp")
        client.run("pwd")
        before, most, *_ = uploads(client, cloud.status()["pid"], source, sessions)
    return most - before


def flat(report, program, venv, folder, small, large, sessions=FEW):
    """Compares the memory that smaller and larger files need."""
    added = [additional(program, venv, folder, source, sessions) for source in (large, small)]
    report(f"  front: memory that {sessions} uploads at once add, files of {large.stat().st_size >> 20} and of "
           f"{small.stat().st_size >> 20} MB", *added, "MB", added[0] / added[1], (0, 1.2))


def resident(process):
    with open(f"/proc/{process}/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))


def run(report, program, venv):
    # Both servers, the source and the copies are in memory.
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="sftpctl-bench-") as name:
        folder = pathlib.Path(name)
        source, back = folder / "source", folder / "back"
        with open(source, "wb") as file:
            for _ in range(SIZE >> 20):
                file.write(os.urandom(1 << 20))
        small = folder / "small"
        with open(source, "rb") as file:
            small.write_bytes(file.read(EACH))
        middle, large = folder / "middle", folder / "large"
        for path, size in ((middle, EACH * TIMES), (large, EACH * TIMES * TIMES)):
            with open(source, "rb") as file:
                path.write_bytes(file.read(size))

        sshd = Sshd(folder)
        theirs = Client(folder, sshd.port, "root", sshd.key)
        rates = {"sshd": [], "memory": []}
        try:
            with deployed(program, venv, "--files-in-memory") as cloud:
                ours = Client(folder, endpoint(cloud), "my1sftp")
                for _ in range(ROUNDS):
                    rates["sshd"].append(transfers(theirs, source, folder / "remote", back))
                    rates["memory"].append(transfers(ours, source, f"/{HOME}/file", back))
        finally:
            sshd.stop()
        (folder / "remote").unlink()
        # The best round of each: other work on the machine can only slow it down.
        for at, way in enumerate(("up", "down")):
            ours_, theirs_ = (max(rate[at] for rate in rates[which]) for which in ("memory", "sshd"))
            report(f"SFTP {way}, 1 GB, {CIPHER}, in memory", ours_, theirs_, "MB/s", ours_ / theirs_, 1)

        with deployed(program, venv) as cloud:
            status = cloud.status()
            front, ministack = status["pid"], status["ministack"]["pid"]
            client = Client(folder, endpoint(cloud), "my1sftp")
            for at, (way, rate) in enumerate(zip(("up", "down"), s3(client, source, back, ministack, report))):
                theirs_ = max(each[at] for each in rates["sshd"])
                report(f"  {way}, 1 GB, through S3 of the local cloud", rate, theirs_, "MB/s", rate / theirs_, None)
            report("  front: peak resident after 1 GB up and down", peak_of(front), None, "MB", None, None)
            before, most, rate, _ = uploads(client, front, small, SESSIONS)
            report(f"  front: resident before {SESSIONS} uploads at once", before, None, "MB", None, None)
            report("  front: most resident during them", most, None, "MB", None, None)
            report(f"  {SESSIONS} uploads of {EACH >> 20} MB at once, together", rate, None, "MB/s", None, None)
            for at_once in (1, 8, 24):
                rate, costs = logins(client, (front, ministack), at_once)
                report(f"  log-ins a second, {at_once} at once, whole chain", rate, None, "/s", None, None)
            for who, cost in zip(("the front", "MiniStack", "the client"), costs):
                report(f"  processor time of a log-in: {who}", cost * 1000, None, "ms", None, None)
        flat(report, program, venv, folder, middle, large)


def s3(client, source, back, ministack, report):
    """Rates through S3, and the share of a core that the emulator used meanwhile, which is the bottleneck."""
    spent, begun = cpu_seconds(ministack), time.perf_counter()
    rates = transfers(client, source, f"/{HOME}/file", back)
    busy = (cpu_seconds(ministack) - spent) / (time.perf_counter() - begun)
    report("  through S3: share of a core that MiniStack used", busy * 100, None, "%", None, None)
    return rates
