"""Starts MiniStack as the local cloud needs it: closed to everybody but the front and its own functions.

* It answers only the front, and only the calls of AWS's services: the paths of its own are shut. Connections of other
  users of the machine are cut before they are read, and so they hold nothing.
* Its functions call AWS as their execution role, as those of Lambda do. MiniStack runs a function with its account's
  own key, so that its calls cannot be told from others. Here each function gets a session of its role: the token
  contains its identity, and the secret is derived from the token with a key that only the front has, too
  (`function_key.rs`). The front verifies the signature and evaluates the role's policies.
* The port through which a function of its own runtime gets its events answers only that function.
* A function's environment has what Lambda gives it, and nothing of this process's.
* Listings of versions are encoded if the caller asks for it.
* Large templates are read at the addresses that AWS has for them.
* A multipart upload may have a checksum of the whole object, which MiniStack takes for one of its parts' checksums.
* A stack's table has the expiry of its items that the template says.
* Writes by PartiQL reach a table's replicas and its stream, as every other write.
* Stacks may have file systems of Amazon S3 Files (`s3_files.py`).
* Dashboards belong to no region, have tags, and are checked (`dashboards.py`).
* Stacks may have web ACLs of AWS WAF, which are checked; the front evaluates them (`waf.py`).
* Mail addresses that subscribe to a topic must confirm it (`topics.py`).
* Buckets may be scanned for malware by GuardDuty, by stacks, too (`malware.py`).
* Workflows of Transfer Family are kept, those of stacks, too; the front runs them (`workflows.py`).
* The default VPC has a route to its internet gateway, and routes end with their gateway.
* Queries of CloudWatch Logs Insights may be saved, by stacks, too (`saved_queries.py`).
"""

import asyncio
import base64
import copy
import errno
import hashlib
import hmac
import html
import http.server
import ipaddress
import json
import mmap
import os
import re
import secrets
import shutil
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
import urllib.parse

import hypercorn.asyncio.run
import hypercorn.config
from hypercorn.asyncio.tcp_server import TCPServer
from ministack.core import lambda_runtime

# Through a pipe: functions inherit the environment, and can read that of this process.
SECRET, KEY, LISTENER = (sys.stdin.buffer.readline().strip() for _ in range(3))
# What the front asks for when it starts MiniStack: the one path of MiniStack's own that is left.
READY = "/_ministack/ready"
# By the port of a Runtime API, the path that only its function knows.
RUNTIME_APIS = {}
# This process's environment is MiniStack's. Of it, functions get the endpoint.
HOST = {name: value for name, value in os.environ.items() if name != "AWS_ENDPOINT_URL"}
# linux/netlink.h, linux/sock_diag.h, and where inet_diag_msg has the owner: linux/inet_diag.h.
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, NLMSG_ERROR, UID_OFFSET = 4, 20, 1, 2, 64
# Lambda developer guide, "Working with Lambda environment variables".
LAMBDA = {"LANG": "en_US.UTF-8", "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin", "TZ": ":UTC"}


def asked(client, server):
    """The owner of the client's end of a connection, from the kernel, or None if it is gone: sock_diag(7)."""
    family = socket.AF_INET if len(client) == 2 else socket.AF_INET6
    ends = [(socket.inet_pton(family, end[0]).ljust(16, b"\0"), end[1]) for end in (client, server)]
    wanted = struct.pack("!HH16s16s", ends[0][1], ends[1][1], ends[0][0], ends[1][0]) + bytes(4) + b"\xff" * 8
    request = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, 0xffffffff) + wanted
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG) as kernel:
        kernel.setblocking(False)
        kernel.sendto(struct.pack("=IHHII", 16 + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0) + request, (0, 0))
        answer = kernel.recv(4096)
    if struct.unpack_from("=H", answer, 4)[0] == NLMSG_ERROR:
        error = -struct.unpack_from("=i", answer, 16)[0]
        if error == errno.ENOENT:
            return None
        raise OSError(error, os.strerror(error))
    owner, inode = struct.unpack_from("=II", answer, 16 + UID_OFFSET)
    # Without an inode it is closed, and some kernels name root as its owner.
    return owner if inode else None


def is_in_tables(client, server):
    known = False
    # A table that changes while it is read may lack a row.
    for _ in range(5):
        for table, prefix in (("/proc/net/tcp", ""), ("/proc/net/tcp6", "0000000000000000FFFF0000")):
            # Addresses are in the order of the machine's bytes.
            ends = [prefix + "%08X:%04X" % (*struct.unpack("=I", socket.inet_aton(host)), port)
                    for host, port in (client[:2], server[:2])]
            try:
                with open(table) as lines:
                    owners = [row[7] for row in map(str.split, lines) if row[1:3] == ends]
            except OSError:
                continue
            known = True
            if owners:
                return str(os.geteuid()) in owners
    return not known


def is_ours(client, server):
    """Whether a process of this user has connected, where the system says so; by both ends of the connection."""
    # A kernel without these messages, as of some containers, may still have the tables. They take milliseconds each.
    try:
        return asked(client, server) == os.geteuid()
    except OSError:
        return is_in_tables(client, server)


class Own(TCPServer):
    """MiniStack's port, for this user's processes alone."""

    async def run(self):
        peer = self.writer.get_extra_info("socket")
        try:
            admitted = is_ours(peer.getpeername(), peer.getsockname())
        except OSError:
            admitted = False
        if admitted:
            await super().run()
        else:
            self.writer.transport.abort()


def guarded(app):
    """The application, for the front alone: any program on the machine, and any web page, could ask otherwise."""
    async def answer(scope, receive, send):
        if scope["type"] != "lifespan":
            given = dict(scope["headers"]).get(b"x-sftpctl-secret", b"")
            is_front = bool(SECRET) and hmac.compare_digest(given, SECRET)
            is_call = scope["type"] == "http" and (scope["path"] == READY or not scope["path"].startswith("/_"))
            if not is_front or not is_call:
                if scope["type"] == "http":
                    await send({"type": "http.response.start", "status": 403, "headers": []})
                    words = b"only the local cloud's front may call MiniStack"
                    await send({"type": "http.response.body", "body": words})
                return
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"x-sftpctl-secret"]}
        await app(scope, receive, send)
    return answer


def shut(app):
    """Shuts MiniStack's doors beside its services: control, deployed APIs, function URLs, websites, Cognito's pages, …

    They are found by host, path or header before the service of the signature is, so that what the front has allowed
    would not be what is done. What is left is the way by the signature's service.
    """
    is_ready = app._handle_ready_request

    async def before(method, path, headers, query, request_id):
        return is_ready(path, request_id)

    async def none(*_, **__):
        return None

    names = ["_handle_pre_body_request", "_handle_post_body_shortcuts", "_handle_special_data_plane_request"]
    for name, door in zip(names, [before, none, none]):
        assert callable(getattr(app, name))
        setattr(app, name, door)


def session(config):
    claims = json.dumps({"function": config["FunctionArn"], "role": config["Role"]}).encode()
    token = "sftpctl." + base64.urlsafe_b64encode(claims).decode().rstrip("=")
    return {
        "AWS_ACCESS_KEY_ID": "ASIA" + hashlib.sha256(token.encode()).hexdigest()[:16].upper(),
        "AWS_SECRET_ACCESS_KEY": hmac.new(KEY, token.encode(), "sha256").hexdigest(),
        "AWS_SESSION_TOKEN": token,
    }


def is_rust(code_dir):
    """Whether a function is built with Lambda's runtime for Rust, whose user agent is in it."""
    with open(os.path.join(code_dir, "bootstrap"), "rb") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(b"aws-lambda-rust/") >= 0


def with_own_runtime_api(environment):
    """The environment of a function, with a path in the address of its Runtime API that nobody else knows.

    Runtimes put `http://` before `AWS_LAMBDA_RUNTIME_API`, except the one for Rust, which reads it as a URL; that has
    to have a scheme if it has a path.
    """
    def build(config, code_dir, port):
        RUNTIME_APIS[port] = "/" + secrets.token_urlsafe(32)
        scheme = "http://" if is_rust(code_dir) else ""
        address = f"{scheme}127.0.0.1:{port}{RUNTIME_APIS[port]}"
        return {**environment(config, code_dir, port), "AWS_LAMBDA_RUNTIME_API": address}
    return build


class RuntimeApi:
    """Who may use a Runtime API, the only servers of MiniStack that are built on Python's own."""

    parse = http.server.BaseHTTPRequestHandler.parse_request

    def parse_request(self):
        """Takes the secret off the path. Whoever does not know it gets 403, and so does a web page."""
        if not RuntimeApi.parse(self):
            return False
        port = self.server.server_address[1]
        secret = RUNTIME_APIS.get(port)
        given = self.path[:len(secret)] if secret else ""
        page = "Origin" in self.headers or "Sec-Fetch-Site" in self.headers
        if page or not secret or self.headers.get_all("Host") != [f"127.0.0.1:{port}"] \
                or not hmac.compare_digest(given.encode(), secret.encode()):
            self.send_error(403)
            return False
        self.path = self.path[len(secret):]
        return True

    def verify_request(self, request, client_address):
        """Whether a process of this user has connected: others get no thread at all."""
        return is_ours(client_address, request.getsockname())


def with_whole_checksums(s3):
    """Multipart uploads of the type FULL_OBJECT: the checksum of the object is that of its bytes, not of its parts'
    checksums, and one that the caller declares is compared with it (S3 user guide, "Checking object integrity")."""
    begin, complete, copy, headers_of, composite, uploads_of = (
        s3._create_multipart_upload, s3._complete_multipart_upload, s3._upload_part_copy, s3._object_response_headers,
        s3._composite_checksum, s3._list_multipart_uploads)
    current, whole = threading.local(), set()
    kinds = b"<ChecksumType>COMPOSITE", b"<ChecksumType>FULL_OBJECT"

    def begun(bucket, key, headers):
        status, sent, body = begin(bucket, key, headers)
        if status == 200 and headers.get("x-amz-checksum-type", "").upper() == "FULL_OBJECT":
            whole.add(re.search(rb"<UploadId>([^<]*)<", body)[1].decode())
            sent = {**sent, "x-amz-checksum-type": "FULL_OBJECT"}
        return status, sent, body

    def completed(bucket, key, body, query, headers=None):
        if s3._qp(query, "uploadId") not in whole:
            return complete(bucket, key, body, query, headers)
        # A call that is repeated, since its answer was lost, gets that answer again, without the upload.
        upload = s3._multipart_uploads.get(s3._qp(query, "uploadId")) or {"parts": {}, "checksum_algorithm": "CRC64NVME"}
        numbers = sorted(int(number) for number in re.findall(rb"<PartNumber>([0-9]+)<", body))
        parts = [upload["parts"][number]["body"] for number in numbers if number in upload["parts"]]
        current.checksum = s3._compute_s3_checksum(upload["checksum_algorithm"], b"".join(parts))
        try:
            status, sent, answer = complete(bucket, key, body, query, headers)
        finally:
            current.checksum = None
        return status, sent, answer.replace(*kinds) if isinstance(answer, bytes) else answer

    def copied(bucket, key, query, headers):
        # Of an upload with checksums, S3 tells that of a copied part, too (API reference, CopyPartResult).
        status, sent, body = copy(bucket, key, query, headers)
        upload = s3._multipart_uploads.get(s3._qp(query, "uploadId"))
        part = upload["parts"].get(int(s3._qp(query, "partNumber", "1"))) if status == 200 and upload else None
        algorithm = upload.get("checksum_algorithm") if part else None
        if algorithm:
            checksum = s3._compute_s3_checksum(algorithm, part["body"])
            part["checksums"] = {algorithm: checksum}
            name = b"Checksum" + algorithm.encode()
            body = body.replace(b"</CopyPartResult>", b"<%s>%s</%s></CopyPartResult>" % (name, checksum.encode(), name))
        return status, sent, body

    def kind_of(found):
        upload = s3._multipart_uploads.get(found[1].decode())
        if upload is None or found[1].decode() not in whole:
            return found[0]
        algorithm = upload["checksum_algorithm"].encode()
        return found[0] + b"<ChecksumAlgorithm>%s</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>" % algorithm

    def listed(*arguments):
        status, sent, body = uploads_of(*arguments)
        return status, sent, re.sub(rb"<UploadId>([^<]*)</UploadId>", kind_of, body)

    def shown(*arguments, **options):
        headers = headers_of(*arguments, **options)
        checksums = [value for name, value in headers.items() if re.fullmatch("x-amz-checksum-(crc|sha).*", name)]
        if checksums and not any("-" in value for value in checksums):
            headers["x-amz-checksum-type"] = "FULL_OBJECT"
        return headers

    s3._create_multipart_upload, s3._complete_multipart_upload, s3._object_response_headers = begun, completed, shown
    s3._list_multipart_uploads, s3._upload_part_copy = listed, copied
    s3._composite_checksum = lambda *of: getattr(current, "checksum", None) or composite(*of)


def with_encoded_versions(s3):
    """Listings of versions take `encoding-type`, as those of objects do: XML has no form for control characters (API
    reference, ListObjectVersions)."""
    plain = s3._list_object_versions
    text = re.compile(rb"<(Key|Prefix|Delimiter|KeyMarker|NextKeyMarker)>([^<]+)</", re.DOTALL)

    def encoded(found):
        return b"<%s>%s</" % (found[1], s3._url_encode(html.unescape(found[2].decode())).encode())

    def listed(bucket, query):
        status, sent, body = plain(bucket, query)
        if status == 200 and s3._qp(query, "encoding-type", "") == "url":
            body = text.sub(encoded, body).replace(b"<MaxKeys>", b"<EncodingType>url</EncodingType><MaxKeys>", 1)
        return status, sent, body

    s3._list_object_versions = listed


def with_template_addresses(helpers, s3):
    """A template over 51,200 bytes is read where AWS says it is, in its version: MiniStack knows paths only."""
    plain = helpers._resolve_document
    ours = re.compile(r"(.+)\.s3[.-][a-z0-9-]+\.amazonaws\.com")

    def resolved(params, body_key, url_key, label):
        url = urllib.parse.urlparse(helpers._p(params, url_key) or "")
        bucket = ours.fullmatch(url.netloc)
        if not bucket:
            return plain(params, body_key, url_key, label)
        version = urllib.parse.parse_qs(url.query).get("versionId", [None])[0]
        data = s3._get_object_data(bucket[1], urllib.parse.unquote(url.path.lstrip("/")), version)
        if data is None:
            # As users of AWS have quoted it.
            return None, helpers._error("ValidationError", "S3 error: The specified key does not exist.")
        if len(data) > helpers.TEMPLATE_URL_MAX_BYTES:
            message = f"Template may not exceed {helpers.TEMPLATE_URL_MAX_BYTES} bytes in size."
            return None, helpers._error("ValidationError", message)
        return data.decode(), None

    helpers._resolve_document = resolved


class Child(subprocess.Popen):
    """A process with the environment of a function instead of this process's."""

    def __init__(self, args, *more, env=None, **options):
        if env is not None:
            own = {name: value for name, value in env.items() if HOST.get(name) != value}
            # Programs are found by this process's path.
            options.setdefault("executable", shutil.which(args[0]) if isinstance(args, list) else None)
            env = {**LAMBDA, **own}
        super().__init__(args, *more, env=env, **options)


# KEPT


# FILE SYSTEMS


# DASHBOARDS


# WEB ACLS


# SAVED QUERIES


# MALWARE


# TOPICS


# WORKFLOWS


def serve(app, log_level):
    """Serves on the socket that the front has bound, as MiniStack's `main` does on a port of its own."""
    listener = int(LISTENER)
    os.set_inheritable(listener, False)
    config = hypercorn.config.Config()
    config.bind, config.keep_alive_timeout, config.loglevel = [f"fd://{listener}"], 75, log_level.upper()
    asyncio.run(hypercorn.asyncio.serve(app, config))


def with_expiry(provisioners, dynamodb):
    """Tables of stacks get their time to live, which MiniStack leaves out."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]
    create, update = handlers["create"], handlers["update"]

    def expire(answer, properties, before):
        wanted = properties.get("TimeToLiveSpecification")
        if wanted != before.get("TimeToLiveSpecification"):
            dynamodb._update_ttl({
                "TableName": answer[0],
                "TimeToLiveSpecification": wanted or {**before["TimeToLiveSpecification"], "Enabled": False},
            })
        return answer

    handlers["create"] = lambda logical, properties, *more: expire(create(logical, properties, *more), properties, {})
    handlers["update"] = lambda physical, before, properties, *more, **named: expire(
        update(physical, before, properties, *more, **named), properties, before)


def with_replicated_statements(dynamodb):
    """Writes by PartiQL reach the other replicas and the stream, which MiniStack leaves out."""

    def place(table, parsed):
        item = parsed.get("item") or {attribute: value for attribute, op, value in parsed.get("conditions") or [] if op == "="}
        item = item["M"] if set(item) == {"M"} else item
        key = [dynamodb._extract_key_val(item.get(name)) if name else "__no_sort__" for name in (table["pk_name"], table["sk_name"])]
        return table["items"].get(key[0], {}).get(key[1])

    def replicated(write):
        def written(table, parsed, *more):
            before = place(table, parsed)
            answer = write(table, parsed, *more)
            after = place(table, parsed)
            # A write replaces the item, also by an equal one.
            if after is not before:
                event = "REMOVE" if after is None else "INSERT" if before is None else "MODIFY"
                dynamodb._emit_stream_event(table["TableName"], event, before, after)
            return answer

        return written

    for name in ("_partiql_insert", "_partiql_update", "_partiql_delete"):
        setattr(dynamodb, name, replicated(getattr(dynamodb, name)))


def with_internet(ec2):
    """A default VPC whose subnets have a route to its internet gateway, and routes that end with their gateway.

    Sources: VPC user guide, "How default VPCs work" (the main route table sends 0.0.0.0/0 to the gateway) and "Route table
    concepts"; EC2 API reference, Route (`blackhole`: the target is not attached to the VPC).
    """
    make, attach, detach = ec2._init_defaults, ec2._attach_internet_gateway, ec2._detach_internet_gateway

    def made():
        is_new = ec2._DEFAULT_RTB_ID not in ec2._route_tables
        make()
        if is_new:
            ec2._route_tables[ec2._DEFAULT_RTB_ID]["Routes"].append({
                "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": ec2._DEFAULT_IGW_ID, "State": "active",
                "Origin": "CreateRoute"})

    def changed(handler):
        def handle(params):
            answer = handler(params)
            for table in ec2._route_tables.values():
                for route in table["Routes"]:
                    gateway = ec2._internet_gateways.get(route.get("GatewayId"))
                    if gateway:
                        there = any(one["VpcId"] == table["VpcId"] for one in gateway["Attachments"])
                        route["State"] = "active" if there else "blackhole"
            return answer
        return handle

    ec2._init_defaults = made
    for name, handler in (("AttachInternetGateway", attach), ("DetachInternetGateway", detach)):
        ec2._ACTION_MAP[name] = changed(handler)


if __name__ == "__main__":
    # A MiniStack other than the pinned one must not start with functions that are allowed everything.
    assert callable(lambda_runtime.execution_credentials)
    assert lambda_runtime.subprocess is subprocess
    # Before the services are imported, because they bind the function by name.
    lambda_runtime.execution_credentials = session
    import ministack.app
    from ministack.core import iam_evaluator, responses
    from ministack.services import (
        apigateway_v1, cloudwatch, cloudwatch_logs, dynamodb, ec2, eventbridge, iam, lambda_svc, s3, s3files, sns,
        transfer, waf)
    from ministack.services.cloudformation import drift, helpers, provisioners

    assert lambda_svc.execution_credentials is session
    assert lambda_svc.subprocess is subprocess
    assert callable(lambda_svc._provided_worker_env)
    assert callable(lambda_runtime.ProvidedWorker._build_handler_class)
    assert callable(ministack.app.app)
    assert hypercorn.asyncio.run.TCPServer is TCPServer
    lambda_svc._provided_worker_env = with_own_runtime_api(lambda_svc._provided_worker_env)
    http.server.BaseHTTPRequestHandler.parse_request = RuntimeApi.parse_request
    socketserver.BaseServer.verify_request = RuntimeApi.verify_request
    hypercorn.asyncio.run.TCPServer = Own
    subprocess.Popen = Child
    shut(ministack.app)
    with_whole_checksums(s3)
    with_encoded_versions(s3)
    with_template_addresses(helpers, s3)
    with_expiry(provisioners, dynamodb)
    with_replicated_statements(dynamodb)
    with_internet(ec2)
    FileSystems(s3files, s3, iam, eventbridge).register(provisioners, drift)
    Dashboards(cloudwatch, responses)
    WebAcls(waf, apigateway_v1, responses).register(provisioners, drift)
    SavedQueries(cloudwatch_logs, responses).register(provisioners, drift)
    Topics(sns, eventbridge, iam_evaluator).register(provisioners)
    MalwareProtection(ministack.app, s3, iam, eventbridge, responses).register(provisioners, drift)
    Workflows(transfer, responses).register(provisioners, drift)
    serve(guarded(ministack.app.app), ministack.app.LOG_LEVEL)
