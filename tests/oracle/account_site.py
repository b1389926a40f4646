"""A folder and an account of a local cloud in which sftpctl runs are started, killed and inspected. Used by the crash
matrix and by the random sequences."""

import itertools
import json
import os
import pathlib
import subprocess
import threading
import time
import urllib.request

from dump import Account

import front_secret

ZONE = "xx.net"
DEADLINE = 120


class Failure(Exception):
    """sftpctl broke one of its guarantees."""


def arguments(parser, **defaults):
    """Adds the arguments of every script that works in accounts of a local cloud."""
    for name in ("endpoint", "program", "folder"):
        parser.add_argument(name)
    for name in ("seed", "jobs"):
        parser.add_argument(f"--{name}", type=int, default=defaults[name])
    return parser


class Front:
    """The local cloud's own API."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        # A whole teardown, which ends every chain, would be finished by the second run only.
        self.ask("POST", "manners", {"name": "table-source", "on": False})

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = front_secret.request(f"{self.endpoint}/_sftpctl/{path}", data, method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def held(self, account):
        return [hold for hold in self.ask("GET", "faults")["holds"] if hold["account"] == account]

    def number(self):
        """The number of the last call."""
        return self.ask("GET", "calls")["total"]

    def log(self, account, since):
        """The calls of an account after the call with number `since`."""
        return [call for call in self.ask("GET", "calls/log") if call["account"] == account and call["number"] > since]


class Site:
    """An account with a hosted zone, and a folder for it."""

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
        keys = {"AWS_ACCESS_KEY_ID": self.account, "AWS_SECRET_ACCESS_KEY": front_secret.SECRET}
        command = [self.program, *arguments, "--env", "99", "--endpoint-url", self.front.endpoint]
        return subprocess.Popen(command, cwd=self.folder, env={**os.environ, **keys}, stdout=out, stderr=out,
                                stdin=subprocess.DEVNULL)

    def output(self):
        return (self.folder / "output").read_text()

    def wait(self, process):
        """The exit code, or a text if the process did not end in time and was killed."""
        try:
            return process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return f"no end within {DEADLINE} s"

    def code(self, arguments):
        """The exit code of an undisturbed run."""
        return self.wait(self.begin(arguments))

    def run(self, arguments, code=0):
        """Runs undisturbed; raises unless the exit code is `code`. Returns the output."""
        ended = self.code(arguments)
        if ended != code:
            raise Failure(f"{arguments} ended with {ended} instead of {code}:\n{self.output()[-3000:]}")
        return self.output()

    def kill(self, arguments, rule):
        """Runs until the rule holds a call, and kills the run there. Returns the call, or None if the run ended without
        it, which must be successfully."""
        rule_id = self.front.ask("POST", "faults", {**rule, "account": self.account})["id"]
        process, end = self.begin(arguments), time.monotonic() + DEADLINE
        try:
            while not (held := self.front.held(self.account)) and process.poll() is None:
                if time.monotonic() > end:
                    raise Failure(f"{rule}: no such call was made")
                time.sleep(0.02)
            ended = process.poll()
        finally:
            process.kill()
            process.wait()
        # The front releases the call when it notices that the caller is gone.
        while self.front.held(self.account):
            if time.monotonic() > end:
                raise Failure(f"{rule}: the call is still held")
            time.sleep(0.01)
        self.front.ask("DELETE", f"faults/{rule_id}")
        if ended not in (None, 0):
            raise Failure(f"{arguments}, undisturbed, ended with {ended}:\n{self.output()[-3000:]}")
        return held[0] if ended is None else None

    def lose_an_answer(self, arguments, rule):
        """Runs to the end while the response to a call is lost. Returns the call, or None if it was not made, and the
        exit code."""
        since = self.front.number()
        rule_id = self.front.ask("POST", "faults", {**rule, "account": self.account})["id"]
        ended = self.wait(self.begin(arguments))
        self.front.ask("DELETE", f"faults/{rule_id}")
        lost = [call for call in self.front.log(self.account, since) if call.get("fault") == rule["fault"]]
        return (lost[0] if lost else None), ended
