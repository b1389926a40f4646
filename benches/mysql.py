"""Reading a table of MySQL, as an import does, compared with mariadb-dump: both whole, in one snapshot, on one server."""
import getpass
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

ROWS = 1_000_000
ROUNDS = 5
TABLE = f"""CREATE DATABASE sftp; USE sftp;
    CREATE TABLE customers (nr INT PRIMARY KEY, login VARCHAR(64) UNIQUE, secret VARCHAR(64), folder VARCHAR(255),
                            active TINYINT(1));
    INSERT INTO customers SELECT seq, CONCAT('user', seq, '@example.com'),
                                 TO_BASE64(UNHEX(SHA2(seq, 224))), CONCAT('/home/', seq), 1
    FROM seq_1_to_{ROWS};"""


class Server:
    """A server with a data folder and a socket of its own, and no port."""

    def __init__(self, folder):
        self.socket = folder / "socket"
        user = f"--user={getpass.getuser()}"
        data = f"--datadir={folder}/data"
        subprocess.run(["mariadb-install-db", "--no-defaults", data, user, "--skip-test-db",
                        "--auth-root-authentication-method=normal"], check=True, stdout=subprocess.DEVNULL)
        self.process = subprocess.Popen(
            ["/usr/sbin/mariadbd", "--no-defaults", data, user, f"--socket={self.socket}", f"--log-error={folder}/log",
             "--skip-networking", "--skip-log-bin", "--innodb-buffer-pool-size=512M"])
        while subprocess.run(self.client("SELECT 1"), capture_output=True).returncode != 0:
            time.sleep(0.1)

    def client(self, statements):
        return ["mariadb", "--no-defaults", "--user=root", f"--socket={self.socket}", f"--execute={statements}"]

    def stop(self):
        self.process.terminate()
        self.process.wait()


def seconds(command, **options):
    begun = time.perf_counter()
    result = subprocess.run(command, check=True, capture_output=True, text=True, **options)
    return time.perf_counter() - begun, result.stdout


def run(report, program):
    """`program`: the example mysql-rows."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(pathlib.Path(folder))
        try:
            subprocess.run(server.client(TABLE), check=True)
            ours = [program, f"mysql://root@/sftp?socket={server.socket}", "customers"]
            dump = (f"mariadb-dump --no-defaults --user=root --socket={server.socket} --single-transaction --quick "
                    "sftp customers | wc -l")
            times = {"ours": [], "theirs": []}
            for _ in range(ROUNDS):
                # In turns, so that both meet the same load.
                took, rows = seconds(ours)
                assert int(rows) == ROWS, rows
                times["ours"].append(took)
                times["theirs"].append(seconds(["bash", "-o", "pipefail", "-c", dump])[0])
            ours_rate, their_rate = (ROWS / statistics.median(times[who]) for who in ("ours", "theirs"))
            report("rows of MySQL a second, against mariadb-dump", ours_rate, their_rate, "/s", ours_rate / their_rate, 1.0)
            process = subprocess.Popen(ours, stdout=subprocess.DEVNULL)
            peak = os.wait4(process.pid, 0)[2].ru_maxrss / 1024
            report("memory for a million rows of MySQL", peak, None, "MB", peak, (0, 100))
        finally:
            server.stop()
