"""Bots that try passwords from many addresses of this machine, beside a customer (paramiko).

Usage: bots.py PORT USER flood ADDRESSES TRIES | try ADDRESS; the customer's password is in SFTP_PASSWORD. `flood` prints
JSON: what was tried, and how the customer fared before and meanwhile. `try` prints `admitted` or `refused`.
"""

import json
import os
import queue
import socket
import statistics
import sys
import threading
import time

import paramiko

PORT, USER, COMMAND, *ARGUMENTS = sys.argv[1:]
PASSWORD = os.environ["SFTP_PASSWORD"]
# An address of its own: every bot of the flood has another.
CUSTOMER = "127.9.0.1"
# Log-ins of the customer before the flood.
BEFORE = 8
BOTS = 24
# Attempts that a server allows for a connection.
ATTEMPTS = 6


def connected(address):
    stream = socket.create_connection(("127.0.0.1", int(PORT)), 60, (address, 0))
    # The plain one asks for the service with every attempt, which OpenSSH refuses, too.
    transport = paramiko.transport.ServiceRequestingTransport(stream)
    transport.banner_timeout = transport.auth_timeout = 60
    transport.start_client(timeout=60)
    return transport


def admits(transport, name, password):
    try:
        transport.auth_password(name, password)
        return True
    except (paramiko.SSHException, EOFError, OSError):
        return False


def logs_in(address):
    """Whether the customer is admitted, and the milliseconds that it took."""
    begun = time.monotonic()
    transport = connected(address)
    try:
        return admits(transport, USER, PASSWORD), (time.monotonic() - begun) * 1000
    finally:
        transport.close()


def bot(number, tries):
    """One address: a name that no account has, or, of every fifth, a name that is on the block list."""
    address = f"127.1.{number // 250}.{number % 250 + 1}"
    name, tries = ("root", ATTEMPTS) if number % 5 == 0 else (f"bot{number}", tries)
    admitted = 0
    for begun in range(0, tries, ATTEMPTS):
        transport = connected(address)
        try:
            for attempt in range(begun, min(tries, begun + ATTEMPTS)):
                admitted += admits(transport, name, f"guess {attempt}")
        finally:
            transport.close()
    return tries, admitted


def flood(addresses, tries):
    before = [logs_in(CUSTOMER) for _ in range(BEFORE)]
    work, counts, over, meanwhile, faults = queue.Queue(), [], threading.Event(), [], []
    for number in range(int(addresses)):
        work.put(number)

    def bots():
        while True:
            try:
                counts.append(bot(work.get_nowait(), int(tries)))
            except queue.Empty:
                return
            except Exception as error:
                faults.append(repr(error))

    def customer():
        while not over.is_set():
            meanwhile.append(logs_in(CUSTOMER))

    threads = [threading.Thread(target=bots) for _ in range(BOTS)]
    beside = threading.Thread(target=customer)
    begun = time.monotonic()
    for thread in [beside, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    beside.join()

    def fared(all):
        return {"logIns": len(all), "refused": sum(not admitted for admitted, _ in all),
                "medianMs": round(statistics.median(took for _, took in all))}

    print(json.dumps({
        "tried": sum(tried for tried, _ in counts), "admitted": sum(admitted for _, admitted in counts),
        "faults": faults, "seconds": round(time.monotonic() - begun, 1),
        "before": fared(before), "meanwhile": fared(meanwhile),
    }))


if COMMAND == "flood":
    flood(*ARGUMENTS)
else:
    print("admitted" if logs_in(ARGUMENTS[0])[0] else "refused")
