"""A folder and an account of a local cloud, in which sftpctl runs, is killed, and is looked at. Used by the crash matrix and
by the random sequences."""

import itertools
import json
import os
import pathlib
import subprocess
import threading
import time
import urllib.request

from dump import Account

ZONE = "xx.net"
DEADLINE = 120


class Failure(Exception):
    """Something that sftpctl promises did not come true."""


def arguments(parser, **defaults):
    """Adds what every script takes that works in accounts of a local cloud."""
    for name in ("endpoint", "program", "folder"):
        parser.add_argument(name)
    for name in ("seed", "jobs"):
        parser.add_argument(f"--{name}", type=int, default=defaults[name])
    return parser


class Front:
    """The local cloud's own paths."""

    def __init__(self, endpoint):
        self.endpoint = endpoint

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint}/_sftpctl/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def held(self, account):
        return [hold for hold in self.ask("GET", "faults")["holds"] if hold["account"] == account]


class Site:
    """An account with a folder of its own, and the hosted zone in it."""

    numbers = itertools.count(700000000001)
    lock = threading.Lock()

    def __init__(self, front, program, folder):
        with Site.lock:
            self.account = str(next(Site.numbers))
        self.front, self.program, self.folder = front, program, pathlib.Path(folder) / self.account
        (self.folder / "environments").mkdir(parents=True)
        self.eye = Account(front.endpoint, self.account)
        self.eye.client("route53").create_hosted_zone(Name=ZONE, CallerReference=self.account)

    def write(self, text):
        (self.folder / "environments/99.yaml").write_text(text)

    def begin(self, arguments):
        out = (self.folder / "output").open("w")
        keys = {"AWS_ACCESS_KEY_ID": self.account, "AWS_SECRET_ACCESS_KEY": "fake-secret"}
        command = [self.program, *arguments, "--env", "99", "--endpoint-url", self.front.endpoint]
        return subprocess.Popen(command, cwd=self.folder, env={**os.environ, **keys}, stdout=out, stderr=out,
                                stdin=subprocess.DEVNULL)

    def output(self):
        return (self.folder / "output").read_text()

    def run(self, arguments, code=0):
        """An undisturbed run, which must end so."""
        process = self.begin(arguments)
        try:
            ended = process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            ended = f"no end within {DEADLINE} s"
        if ended != code:
            raise Failure(f"{arguments} ended with {ended} instead of {code}:\n{self.output()[-3000:]}")
        return self.output()

    def kill(self, arguments, rule):
        """Runs until a call that the rule holds, and kills it there; whether it came so far."""
        rule_id = self.front.ask("POST", "faults", {**rule, "account": self.account})["id"]
        process, end = self.begin(arguments), time.monotonic() + DEADLINE
        try:
            while not self.front.held(self.account) and process.poll() is None:
                if time.monotonic() > end:
                    raise Failure(f"{rule}: the call was never made")
                time.sleep(0.02)
            came = process.poll() is None
        finally:
            process.kill()
            process.wait()
        # The front lets go of the call when it sees that its caller is gone.
        while self.front.held(self.account):
            if time.monotonic() > end:
                raise Failure(f"{rule}: the call is still held")
            time.sleep(0.01)
        self.front.ask("DELETE", f"faults/{rule_id}")
        return came
