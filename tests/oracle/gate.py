"""Lets the writes to a state folder pass one by one. Used by the crash matrix.

sftpctl writes a document to a temporary file, opens `.guard`, locks it, and only then replaces the document. A process
that holds that lock therefore sees each document before it is in place. To let a waiting write pass, a new `.guard`,
also locked, replaces the one that is released: the next write waits at the new one, however slow this script is.
"""

import collections
import fcntl
import json
import time

NEW = ".new-"


class Gate:
    """A closed gate for one folder. `labels` has a label for every write so far: its description, and how often that
    had occurred before."""

    def __init__(self, folder, account):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.account = folder, account
        self.seen, self.labels, self.known = collections.Counter(), [], set()
        self.guard, self.held = self.shut(), None

    def shut(self):
        beside = self.folder / ".gate"
        guard = beside.open("w")
        fcntl.flock(guard, fcntl.LOCK_EX)
        beside.rename(self.folder / ".guard")
        return guard

    def close(self):
        self.guard.close()
        if self.held:
            self.held.close()

    def journal(self):
        try:
            return (self.folder / "99.journal").read_text().splitlines()
        except FileNotFoundError:
            return []

    def walk(self, running, wanted=None):
        """Lets every write pass until the write with the label `wanted` waits, and returns that label and its file;
        returns None if the process ends first."""
        while running():
            guard = self.guard
            self.guard = self.shut()
            # A document that waits at the old guard is complete, and is read before it passes.
            for path in sorted(self.folder.glob(f"{NEW}*"), key=age):
                if path in self.known or not (content := whole(path)):
                    continue
                self.known.add(path)
                for word in words(path.name.removeprefix(NEW).rsplit("-", 1)[0], content, self.journal()):
                    label = word.replace(self.account, "ACCOUNT"), self.seen[word]
                    self.seen[word] += 1
                    self.labels.append(label)
                    if label == wanted:
                        # Kept: closed with the last reference to it, the old guard would let the write pass.
                        self.held = guard
                        return label, path
            guard.close()
            time.sleep(0.001)
        return None


def words(name, content, journal):
    if name.endswith(".lock"):
        lease = json.loads(content)
        return ["lock given back" if lease["released"] else "lock taken or renewed"]
    if name.endswith(".json"):
        return ["state"]
    lines = content.splitlines()
    if lines[0] != (journal or [""])[0]:
        return ["journal begun"]
    if len(lines) < len(journal):
        return ["journal emptied"]
    entries = [json.loads(line) for line in lines[len(journal):]]
    return [f"journal {entry['event']['is']} {entry['node']}" for entry in entries]


def whole(path):
    """The document, or None while it is incomplete."""
    try:
        text = path.read_text()
        json.loads(text.splitlines()[-1] if ".journal" in path.name else text)
        return text if text.endswith("\n") else None
    except (FileNotFoundError, IndexError, ValueError):
        return None


def age(path):
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
