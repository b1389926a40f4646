"""Lets the writes of a state folder through one by one. Used by the crash matrix.

sftpctl writes a document beside its place, opens `.guard`, takes the lock on it, and only then replaces the document. So
whoever holds that lock sees each document before it is there. To let through what waits, another `.guard`, held as well,
takes the place of the one that is let go: whatever comes next waits there, however slow this script is.
"""

import collections
import fcntl
import json
import time

NEW = ".new-"


class Gate:
    """The gate of one folder, of which it is shut. `labels` names every write that came: its words, and how often these
    had come before."""

    def __init__(self, folder, account):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.account = folder, account
        self.seen, self.labels, self.known = collections.Counter(), [], set()
        self.guard = self.shut()

    def shut(self):
        beside = self.folder / ".gate"
        guard = beside.open("w")
        fcntl.flock(guard, fcntl.LOCK_EX)
        beside.rename(self.folder / ".guard")
        return guard

    def close(self):
        self.guard.close()

    def journal(self):
        try:
            return (self.folder / "99.journal").read_text().splitlines()
        except FileNotFoundError:
            return []

    def walk(self, running, wanted=None):
        """Lets everything through until the write of that label waits, which is told with its file, or the process has
        ended."""
        while running():
            guard = self.guard
            self.guard = self.shut()
            # What waits at the old guard is whole, and looked at before it goes on.
            for path in sorted(self.folder.glob(f"{NEW}*"), key=age):
                if path in self.known or not (content := whole(path)):
                    continue
                self.known.add(path)
                for word in words(path.name.removeprefix(NEW).rsplit("-", 1)[0], content, self.journal()):
                    label = word.replace(self.account, "ACCOUNT"), self.seen[word]
                    self.seen[word] += 1
                    self.labels.append(label)
                    if label == wanted:
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
    """The document, once it is written to its end."""
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
