"""A third-party SFTP client (paramiko), for checks that OpenSSH's client cannot make.

Usage: sftp_client.py PORT USER COMMAND [ARGUMENT…]; the password is in SFTP_PASSWORD, a private key's path in SFTP_KEY.
"""

import hashlib
import os
import socket
import stat
import struct
import sys
import threading
import time

import paramiko
from paramiko.sftp import CMD_CLOSE, CMD_HANDLE, CMD_OPEN

PORT, USER, COMMAND = int(sys.argv[1]), sys.argv[2], sys.argv[3]
ARGUMENTS = sys.argv[4:]


def connect():
    transport = paramiko.Transport(("127.0.0.1", PORT))
    transport.banner_timeout = transport.auth_timeout = 60
    transport.start_client(timeout=60)
    if "SFTP_KEY" in os.environ:
        transport.auth_publickey(USER, paramiko.Ed25519Key.from_private_key_file(os.environ["SFTP_KEY"]))
    else:
        transport.auth_password(USER, os.environ["SFTP_PASSWORD"])
    return transport


def session(transport):
    return paramiko.SFTPClient.from_transport(transport)


def equal(what, have, want):
    assert have == want, f"{what}: {have!r} instead of {want!r}"


def refused(what, call):
    try:
        call()
    except (OSError, EOFError, paramiko.SSHException) as error:
        return str(error)
    raise AssertionError(f"{what} was not refused")


READ, WRITE, APPEND, CREATE, TRUNCATE, EXCLUSIVE = 1, 2, 4, 8, 16, 32


def opened(client, name, flags):
    """A file opened with exactly these flags, which paramiko's own modes do not offer."""
    kind, answer = client._request(CMD_OPEN, name, flags, paramiko.SFTPAttributes())
    equal("answer to OPEN", kind, CMD_HANDLE)
    return paramiko.SFTPFile(client, answer.get_binary(), "wb", -1)


def noise(size, seed=b"seed"):
    """Reproducible bytes without repetition."""
    out, block = bytearray(), hashlib.sha256(seed).digest()
    while len(out) < size:
        block = hashlib.sha256(block).digest()
        out += block * 256
    return bytes(out[:size])


def round_trip():
    """Files of awkward sizes are unchanged after upload and download, with several ways of reading."""
    client = session(connect())
    for size in (0, 1, 32_768, 261_121, 5 << 20, (10 << 20) + 1):
        content = noise(size)
        with client.open("round trip.bin", "wb") as file:
            file.set_pipelined(True)
            file.write(content)
        equal("size", client.stat("round trip.bin").st_size, size)
        with client.open("round trip.bin", "rb") as file:
            file.prefetch(size)
            assert file.read() == content, f"{size} bytes came back changed"
        with client.open("round trip.bin", "rb") as file:
            file.seek(max(0, size - 7))
            equal("end", file.read(), content[-7:])
    client.remove("round trip.bin")


def semantics():
    """What Transfer Family does for each operation on S3."""
    client = session(connect())
    home = client.normalize(".")
    client.mkdir("sub")
    assert stat.S_ISDIR(client.stat("sub").st_mode)
    refused("mkdir twice", lambda: client.mkdir("sub"))
    with client.open("sub/a", "w") as file:
        file.write("first")
    refused("rmdir of a full folder", lambda: client.rmdir("sub"))
    refused("rename of a folder", lambda: client.rename("sub", "other"))
    refused("a link", lambda: client.symlink("sub/a", "link"))
    refused("reading a link", lambda: client.readlink("sub/a"))
    refused("appending", lambda: client.open("sub/a", "a"))
    refused("opening what is not there", lambda: client.open("none", "r"))
    refused("opening a folder to write", lambda: client.open("sub", "w"))
    refused("exclusive creation over a file", lambda: client.open("sub/a", "wx"))

    # paramiko does not report a failed close; what exists afterwards decides. OpenSSH's scp opens files like this.
    def written_over():
        return opened(client, "sub/a", WRITE | CREATE)

    with written_over() as file:
        file.seek(2)
        file.write("X")
    with client.open("sub/a") as file:
        equal("a file of which a part was to be changed", file.read(), b"first")
    with written_over() as file:
        file.write("X")
    with client.open("sub/a") as file:
        equal("a file of which the beginning was to be changed", file.read(), b"first")
    with written_over() as file:
        file.write("FIRST")
    with client.open("sub/a") as file:
        equal("a file that was written over", file.read(), b"FIRST")
    with written_over() as file:
        file.write("fir")
        file.truncate(3)
    with client.open("sub/a") as file:
        equal("a file that was written over and cut", file.read(), b"fir")
    with written_over() as file:
        equal("size of a file that was only opened", file.stat().st_size, 3)
        assert file.stat().st_mtime > 1
    with client.open("sub/a") as file:
        equal("a file that was only opened", file.read(), b"fir")
    refused("cutting a file", lambda: client.truncate("sub/a", 2))
    refused("lengthening a file", lambda: client.truncate("sub/a", 4))
    client.truncate("sub/a", 3)
    # SETSTAT succeeds without effect (WinSCP and FileZilla set times after an upload).
    client.utime("sub/a", (1, 1))
    client.chmod("sub/a", 0o600)
    assert client.stat("sub/a").st_mtime > 1
    client.rename("sub/a", "sub/b")
    with client.open("sub/c", "w") as file:
        file.write("second")
    refused("rename over a file", lambda: client.rename("sub/c", "sub/b"))
    client.posix_rename("sub/c", "sub/b")
    equal("names", client.listdir("sub"), ["b"])
    with client.open("sub/b") as file:
        equal("content", file.read(), b"second")
    for name in ("ñandú/emoji 😀.txt", "with 'quotes' and \\ back.txt"):
        folder = name.rpartition("/")[0]
        if folder:
            client.mkdir(folder)
        with client.open(name, "w") as file:
            file.write(name)
        equal("name", name.rpartition("/")[2] in client.listdir(folder or "."), True)
        client.remove(name)
    client.rmdir("ñandú")
    client.remove("sub/b")
    client.rmdir("sub")
    equal("what is left", client.listdir("."), [])
    equal("the way home", client.normalize("sub/../x/./y/.."), f"{home}/x")


def opens():
    """Reading and writing at once is refused, as AWS does; so is opening for neither."""
    client = session(connect())
    with client.open("opens", "w") as file:
        file.write("first")
    for flags in (WRITE | CREATE | TRUNCATE, WRITE | CREATE, WRITE, READ):
        opened(client, "opens", flags).close()
    equal("size", client.stat("opens").st_size, 0)
    for flags in (READ | WRITE, READ | WRITE | CREATE | TRUNCATE, READ | WRITE | CREATE | EXCLUSIVE, 0, CREATE,
                  WRITE | APPEND, WRITE | APPEND | CREATE, READ | TRUNCATE):
        words = refused(f"flags {flags}", lambda: opened(client, "opens", flags))
        assert "S3" in words or "read" in words, words
    client.remove("opens")


def odd_keys():
    """The bucket has keys that are no file names, and one name twice: see the caller."""
    client = session(connect())
    equal("names", sorted(client.listdir(".")), ["a", "ctl", "ok.txt", "report"])
    equal("names below a", client.listdir("a"), [])
    equal("names with control characters", sorted(client.listdir("ctl")), ["b\x01c", "esc\x1b[31m", "plain.txt"])
    with client.open("ctl/b\x01c") as file:
        equal("content", file.read(), b"odd")
    # The folder is what is shown; the object can still be read and removed.
    assert stat.S_ISDIR(client.stat("report").st_mode)
    equal("below report", client.listdir("report"), ["2026.csv"])
    with client.open("report") as file:
        equal("the object", file.read(), b"object")
    client.remove("report")
    refused("removing the folder as a file", lambda: client.remove("report"))
    with client.open("report/2026.csv") as file:
        equal("the file in the folder", file.read(), b"in the folder")
    # A folder without a marker vanishes with its last file, and rmdir then finds nothing to do, once.
    client.remove("report/2026.csv")
    client.rmdir("report")
    refused("removing a folder that is not there", lambda: client.rmdir("report"))


def long_keys():
    """Keys have at most 1,024 bytes, and a longer one is refused before anything is uploaded."""
    client = session(connect())
    home = client.normalize(".").lstrip("/").partition("/")[2] + "/"
    for letter in ("d", "ä"):
        room = 1024 - len(home)
        fits = letter * (room // len(letter.encode())) + "x" * (room % len(letter.encode()))
        with client.open(fits, "w") as file:
            file.write("x")
        equal("size", client.stat(fits).st_size, 1)
        for what, call in (("open", lambda: client.open(fits + "x", "w")), ("mkdir", lambda: client.mkdir(fits)),
                           ("rename", lambda: client.rename(fits, fits + "x"))):
            refused(what, call)
        refused("stat", lambda: client.stat(fits + "x"))
        client.remove(fits)
    equal("what is left", client.listdir("."), [])


def replaced():
    """A handle reads one version of a file, or fails; it never mixes two."""
    one, two = session(connect()), session(connect())
    size = 12 << 20

    def put(letter, more=0):
        with two.open("replaced", "wb") as file:
            file.set_pipelined(True)
            file.write(letter * (size + more))

    for before in (0, 1 << 20):
        put(b"A")
        with one.open("replaced", "rb") as file:
            have = file.read(before)
            put(b"B", 5 << 20)
            try:
                have += file.read()
                file.seek(0)
                have += file.read(100)
            except OSError as error:
                assert "replaced" in str(error), error
        assert set(have) <= set(b"A"), f"after {before} bytes: {set(have)}"
        assert before == 0 or have, before
    two.remove("replaced")


def long_names():
    """READDIR's lines have nine columns; FSTAT says what STAT says."""
    client = session(connect())
    with client.open("two words", "w") as file:
        file.write("12345678901")
    client.mkdir("folder")
    for entry in client.listdir_attr("."):
        columns = entry.longname.split(None, 8)
        equal("columns", len(columns), 9)
        equal("name", columns[8], entry.filename)
        equal("size", columns[4], str(entry.st_size))
        equal("mode", columns[0], "drwxr-xr-x" if entry.filename == "folder" else "-rw-r--r--")
    with client.open("two words") as file:
        equal("time", file.stat().st_mtime, client.stat("two words").st_mtime)
    assert client.stat("folder").st_mtime > 1
    client.remove("two words")
    client.rmdir("folder")


def set_stat(quiet):
    """Whether setting times and modes is silently ignored or refused."""
    client = session(connect())
    with client.open("stat", "w") as file:
        file.write("x")
    for name, call in (("utime", lambda: client.utime("stat", (1, 1))), ("chmod", lambda: client.chmod("stat", 0o600))):
        if quiet == "quiet":
            call()
        else:
            refused(name, call)
    assert client.stat("stat").st_mtime > 1
    client.remove("stat")


def outside(paths):
    """Nothing outside the home folder can be read, listed, written, moved to, or even seen."""
    client = session(connect())
    with client.open("mine", "w") as file:
        file.write("mine")
    for path in paths:
        refused(f"list {path}", lambda: client.listdir(path))
        refused(f"stat {path}", lambda: client.stat(path))
        inside = path.rstrip("/") + "/victim"
        refused(f"read {inside}", lambda: client.open(inside, "r"))
        refused(f"write {inside}", lambda: client.open(inside, "w"))
        refused(f"write {inside} anew", lambda: client.open(inside + "-2", "w"))
        refused(f"rename to {inside}", lambda: client.rename("mine", inside))
        refused(f"posix-rename to {inside}", lambda: client.posix_rename("mine", inside))
        refused(f"rename from {inside}", lambda: client.rename(inside, "theirs"))
        refused(f"remove {inside}", lambda: client.remove(inside))
        refused(f"mkdir {inside}", lambda: client.mkdir(inside + "-3"))
        refused(f"rmdir {path}", lambda: client.rmdir(path))
    equal("what is there", client.listdir("."), ["mine"])
    client.remove("mine")


def sessions():
    """A connection may have ten sessions, and a closed session makes room for another."""
    transport = connect()
    open_ones = [session(transport) for _ in range(10)]
    for client in open_ones:
        client.listdir(".")
    refused("the eleventh session", lambda: session(transport))
    for client in open_ones:
        client.close()
    deadline = time.monotonic() + 20
    while True:
        try:
            session(transport).listdir(".")
            return
        except paramiko.SSHException:
            assert time.monotonic() < deadline, "closed sessions still count"


def only_sftp():
    """No shell, no command, no terminal, no other subsystem, no forwarding, in any direction."""
    transport = connect()
    refused("a shell", lambda: transport.open_session().invoke_shell())
    refused("a terminal", lambda: transport.open_session().get_pty())
    refused("a command", lambda: transport.open_session().exec_command("scp -t ."))
    refused("another subsystem", lambda: transport.open_session().invoke_subsystem("netconf"))
    refused("forwarding", lambda: transport.open_channel("direct-tcpip", ("127.0.0.1", PORT), ("127.0.0.1", 1)))
    refused("forwarding back", lambda: transport.request_port_forward("127.0.0.1", 0))
    refused("forwarding X11", lambda: transport.open_session().request_x11())


def listing(folder, names):
    """A large folder, with many READDIR requests in flight at once and with one after the other."""
    client = session(connect())
    want = sorted(open(names).read().split())
    equal("at once", sorted(entry.filename for entry in client.listdir_iter(folder, read_aheads=50)), want)
    equal("one by one", sorted(client.listdir(folder)), want)


def breaks_off(name, size):
    """Sends a part of a file and exits without closing it."""
    transport = connect()
    client = session(transport)
    file = client.open(name, "wb")
    file.set_pipelined(True)
    file.write(noise(int(size)))
    # The response shows that the earlier writes have arrived.
    equal("so far", file.stat().st_size, int(size))
    transport.sock.shutdown(socket.SHUT_RDWR)
    os._exit(0)


def crowd(count):
    """Many concurrent connections, each with a file of its own."""
    gate, faults = threading.Barrier(int(count)), []

    def one(number):
        try:
            client = session(connect())
            gate.wait(120)
            content = noise(200_000, str(number).encode())
            with client.open(f"crowd-{number}", "wb") as file:
                file.set_pipelined(True)
                file.write(content)
            gate.wait(120)
            with client.open(f"crowd-{number}", "rb") as file:
                assert file.read() == content, f"file {number} is another"
            client.remove(f"crowd-{number}")
        except Exception as error:
            gate.abort()
            faults.append(f"{number}: {error!r}")

    threads = [threading.Thread(target=one, args=(number,)) for number in range(int(count))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults


def stays(control):
    """Opens a session, prints `open`, and continues after a line on standard input."""
    client = session(connect())
    client.listdir(".")
    print("open", flush=True)
    sys.stdin.readline()
    with client.open(control, "w") as file:
        file.write("still here")
    print("wrote", flush=True)


def hoards():
    """Opens as many files as it may, prints `open`, and after a line on standard input finishes those it writes."""
    client = session(connect())
    with client.open("big", "w") as file:
        file.set_pipelined(True)
        file.write(b"x" * (9 << 20))

    def while_allowed(mode, use):
        files = []
        while len(files) < 1000:
            try:
                file = client.open(f"hoard-{len(files)}" if mode == "w" else "big", mode)
            except OSError as error:
                return files, str(error)
            use(file)
            files.append(file)
        raise AssertionError("no limit")

    read, words = while_allowed("r", lambda file: equal("content", file.read(32768), b"x" * 32768))
    equal("files to read", (len(read), words), (256, "too many open handles on this connection"))
    for file in read[100:]:
        file.close()
    written, words = while_allowed("w", lambda file: file.write(b"first"))
    equal("files to write", (len(written), words), (14, "too many files are being written on this connection"))
    print("open", flush=True)
    sys.stdin.readline()
    for file in written:
        file.write(b", second")
        file.close()
    # The first has read ahead, the last has no memory left for that.
    for file in (read[0], read[99]):
        equal("the rest", len(file.read()), (9 << 20) - 32768)
    for file in read[:100]:
        file.seek((9 << 20) - 5)
        equal("the end", file.read(), b"x" * 5)
        file.close()
    for number in range(len(written)):
        with client.open(f"hoard-{number}") as file:
            equal("content", file.read(), b"first, second")
    print("finished", flush=True)


def deaf():
    """Sends requests and reads no answers, until the server takes no more for ten seconds; then hangs up."""
    transport = connect()
    channel = transport.open_session()
    channel.invoke_subsystem("sftp")
    packet = lambda body: struct.pack(">I", len(body)) + body
    channel.sendall(packet(b"\x01" + struct.pack(">I", 3)))
    channel.settimeout(10)
    path = b"a/" * 1000
    requests = b"".join(packet(b"\x10" + struct.pack(">II", number, len(path)) + path) for number in range(100))
    sent = 0
    try:
        while sent < 512 << 20:
            # Where the last one ended, so that each request is whole.
            at = sent % len(requests)
            sent += channel.send(requests[at:at + 32768])
    except (socket.timeout, EOFError, OSError):
        pass
    print(sent, flush=True)
    transport.close()


def exclusive():
    """Of two exclusive creations of one file one fails, when it is opened or when it is closed."""
    clients = [session(connect()), session(connect())]
    # In one request, and in parts.
    for size in (5, 6 << 20):
        name = f"exclusive-{size}"
        files = [opened(client, name, WRITE | CREATE | EXCLUSIVE) for client in clients]
        for number, file in enumerate(files):
            file.write(str(number).encode() * size)
        clients[0]._request(CMD_CLOSE, files[0].handle)
        words = refused("the second", lambda: clients[1]._request(CMD_CLOSE, files[1].handle))
        equal("words", words, "the file exists")
        with clients[0].open(name) as file:
            file.prefetch()
            equal("content", file.read(), b"0" * size)
        refused("a third", lambda: opened(clients[0], name, WRITE | CREATE | EXCLUSIVE))


def two_steps(other, password):
    """Offers the user's key, then, on the same connection, the password of any user."""
    transport = paramiko.ServiceRequestingTransport(("127.0.0.1", PORT))
    transport.banner_timeout = transport.auth_timeout = 60
    transport.start_client(timeout=60)
    try:
        equal("what is left to do", transport.auth_publickey(USER, paramiko.Ed25519Key.from_private_key_file(
            os.environ["SFTP_KEY"])), ["password"])
        equal("what is left after that", transport.auth_password(other, password, fallback=False), [])
        session(transport).listdir(".")
    except paramiko.SSHException as error:
        print(f"refused: {error}")
        return
    print("admitted")


def attempt(transport, password):
    try:
        transport.auth_password(USER, password, fallback=False)
        return "admitted"
    except paramiko.SSHException as error:
        return f"{type(error).__name__}: {error}"


def second_service_request():
    """paramiko requests the service again for each attempt: an answer in seconds, never its timeout."""
    transport = paramiko.Transport(("127.0.0.1", PORT))
    transport.banner_timeout = transport.auth_timeout = 60
    transport.start_client(timeout=60)
    refusal = attempt(transport, "wrong")
    assert refusal.startswith("AuthenticationException"), refusal
    begun = time.monotonic()
    answer = attempt(transport, os.environ["SFTP_PASSWORD"])
    assert time.monotonic() - begun < 30, "a hang"
    print(answer)


def attempts():
    """Six failed attempts; the request for the methods is none."""
    def transport():
        transport = paramiko.ServiceRequestingTransport(("127.0.0.1", PORT))
        transport.banner_timeout = transport.auth_timeout = 60
        transport.start_client(timeout=60)
        return transport

    def methods(transport):
        try:
            # paramiko's own `auth_none` fails in this transport.
            transport.ensure_session()
            transport.auth_handler.send_auth_request(USER, "none", lambda _: None)
        except paramiko.BadAuthenticationType as error:
            return error.allowed_types

    last_is_right = transport()
    equal("methods", methods(last_is_right), ["password"])
    for _ in range(5):
        assert attempt(last_is_right, "wrong").startswith("AuthenticationException")
    equal("the sixth", attempt(last_is_right, os.environ["SFTP_PASSWORD"]), "admitted")

    all_wrong = transport()
    for _ in range(6):
        assert attempt(all_wrong, "wrong") != "admitted"
    assert attempt(all_wrong, os.environ["SFTP_PASSWORD"]) != "admitted", "a seventh attempt"


def offered():
    """A method that is not there is refused with those that are, without a request for them first."""
    transport = paramiko.Transport(("127.0.0.1", PORT))
    transport.banner_timeout = transport.auth_timeout = 60
    transport.start_client(timeout=60)
    try:
        transport.auth_interactive(USER, lambda *_: [])
    except paramiko.BadAuthenticationType as error:
        equal("methods", error.allowed_types, ["password"])
        return
    raise AssertionError("keyboard-interactive was not refused")


def log_in():
    """Prints whether the log-in is admitted."""
    try:
        session(connect()).listdir(".")
    except paramiko.AuthenticationException as error:
        print(f"refused: {error}")
        return
    print("admitted")


{
    "round-trip": round_trip, "semantics": semantics, "outside": lambda *paths: outside(paths), "sessions": sessions,
    "only-sftp": only_sftp, "listing": listing, "breaks-off": breaks_off, "crowd": crowd, "stays": stays,
    "hoards": hoards, "deaf": deaf, "exclusive": exclusive,
    "log-in": log_in, "two-steps": two_steps, "set-stat": set_stat,
    "opens": opens, "odd-keys": odd_keys, "long-keys": long_keys, "replaced": replaced, "long-names": long_names,
    "second-service-request": second_service_request, "attempts": attempts, "offered": offered,
}[COMMAND](*ARGUMENTS)
