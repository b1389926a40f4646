"""A proxy that changes answers as AWS may change them without notice, and in nothing that has a meaning; or as somebody
would who can write into what is read.

Usage: changed_answers.py ENDPOINT

Prints its port, then a line for each word on its standard input, which is what it does from then on:

- `plain`: nothing;
- `reversed`: lists and the members of structures and maps in the opposite order;
- `unknown`: members, elements and headers that no model has;
- `empty`: an empty list or map wherever an answer has none, by the service models of botocore;
- `absent`: no member at all instead of an empty list, map or text;
- `nulls`: null entries in the maps and lists of JSON answers, as API Gateway has been recorded to answer;
- `hostile`: every text of every answer and error has something behind it that a terminal or a pipeline would follow,
  apart from numbers, times, tokens and the answers of STS; `hostile 0` and `hostile 1`: of one half of the members alone,
  so that the other half is read as before.

Otherwise, documents inside answers, as bucket policies and templates, stay as they are, and so do lists whose order has a meaning.
"""
import datetime
import http.client
import http.server
import json
import re
import sys
import threading
import urllib.parse
import zlib
import xml.etree.ElementTree as ElementTree

import botocore.session
import cbor2

UPSTREAM = urllib.parse.urlsplit(sys.argv[1])
SESSION = botocore.session.Session()
MODELS, MANNER, COUNTS = {}, ["plain"], {"changed": 0}
# The hash key is the first; the newest event is the first.
ORDERED = {"KeySchema", "StackEvents", "OperationEvents"}
NAMES = {"monitoring": "cloudwatch"}
CBOR = "application/cbor"
JSON = {"apigateway", "dynamodb", "lambda", "logs", "servicequotas", "transfer"}


ORDINARY = re.compile(r"[\d.:TZ+-]*|true|false")
# XML has no way to write most control characters.
IN_XML = "\n::error::owned ##[error]owned \u202e\u2028\x7f\x9b31m"
HOSTILE = IN_XML + "\x1b]0;owned\x07\x1b[31m\r\b"


def poisoned(text, name, hostile):
    """A text of an answer with hostile text behind it, if it is this member's turn."""
    half = MANNER[0].partition(" ")[2]
    is_turn = not half or zlib.crc32(name.encode()) % 2 == int(half)
    kept = ORDINARY.fullmatch(text) or not is_turn or re.search("token|marker|LastEvaluated", name, re.IGNORECASE)
    return text if kept else text + hostile


def operation(service, method, path, headers, body):
    """The operation's model; None where it is not found."""
    name = NAMES.get(service, service)
    if name not in MODELS:
        try:
            MODELS[name] = SESSION.get_service_model(name)
        except botocore.exceptions.UnknownServiceError:
            MODELS[name] = None
    model = MODELS[name]
    if model is None:
        return None
    target = headers.get("X-Amz-Target", "").rpartition(".")[2]
    action = urllib.parse.parse_qs(body.decode("latin-1")).get("Action", [""])[0] if b"Action=" in body else ""
    rpc = path.rpartition("/operation/")[2] if "/operation/" in path else ""
    for found in filter(None, (target, action, rpc)):
        return model.operation_model(found) if found in model.operation_names else None
    if name == "s3":
        return None
    for found in model.operation_names:
        one = model.operation_model(found).http
        pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(one["requestUri"].split("?")[0]))
        if one["method"] == method and re.fullmatch(pattern, path.split("?")[0].rstrip("/")):
            return model.operation_model(found)
    return None


def is_empty(value):
    """Whether a member says nothing."""
    return value in ([], {}, "")


def changed(value, shape, name, service):
    """A value of a JSON or CBOR answer, changed."""
    manner = MANNER[0]
    if isinstance(value, dict):
        known = getattr(shape, "members", {}) if shape is not None and shape.type_name == "structure" else {}
        inner = shape.value if shape is not None and shape.type_name == "map" else None
        by_name = {member.serialization.get("name", key): member for key, member in known.items()}
        # The attributes of an item are in maps of one member, which has the name of their type.
        names = {key: name if service == "dynamodb" and len(key) == 1 else key for key in value}
        members = {key: changed(one, by_name.get(key, inner), names[key], service) for key, one in value.items()}
        is_structure = shape is not None and shape.type_name == "structure"
        if manner == "reversed":
            members = dict(reversed(members.items()))
        elif manner == "unknown" and is_structure:
            members["anUnknownMember"] = {"of": ["AWS"]}
        elif manner == "empty" and is_structure:
            for key, member in by_name.items():
                if key not in members and member.type_name in ("list", "map"):
                    members[key] = [] if member.type_name == "list" else {}
        elif manner == "absent" and is_structure:
            members = {key: one for key, one in members.items() if not is_empty(one)}
        elif manner == "nulls" and service in JSON and inner is not None:
            members["application/null"] = None
        return members
    if isinstance(value, list):
        item = shape.member if shape is not None and shape.type_name == "list" else None
        items = [changed(one, item, name, service) for one in value]
        if manner == "reversed" and name not in ORDERED:
            items.reverse()
        if manner == "nulls" and service in JSON:
            items.append(None)
        return items
    if isinstance(value, str) and manner.startswith("hostile"):
        return poisoned(value, name, HOSTILE)
    return value


def tag(element):
    """The name of an element without its name space."""
    return element.tag.rpartition("}")[2]


def changed_element(element):
    """An element and what is in it, changed in place."""
    manner, children = MANNER[0], list(element)
    for child in children:
        changed_element(child)
    if not children:
        if manner.startswith("hostile"):
            element.text = poisoned(element.text or "", tag(element), IN_XML)
        return
    # The order in the envelope of the query protocol is fixed.
    if manner == "reversed" and tag(element) not in ORDERED and not tag(element).endswith("Response"):
        element[:] = list(reversed(children))
    elif manner == "absent":
        for child in children:
            if len(child) == 0 and not (child.text or "").strip() and tag(child) != "member":
                element.remove(child)
    elif manner == "unknown" and not tag(element).endswith(("Response", "Result")):
        # Not in a list, whose elements have all the same name.
        if len({tag(child) for child in children}) > 1 or len(children) == 1 and tag(children[0]) != "member":
            space = element.tag.rpartition("}")[0]
            ElementTree.SubElement(element, f"{space}}}AnUnknownElement" if space else "AnUnknownElement").text = "x"


def with_empty(element, shape):
    """Empty elements for the lists and maps that a structure has none of."""
    if shape is None or shape.type_name != "structure":
        return
    space = element.tag.rpartition("}")[0]
    for name, member in shape.members.items():
        name = member.serialization.get("name", name)
        children = [child for child in element if tag(child) == name]
        flat = member.serialization.get("flattened")
        if not children and member.type_name in ("list", "map") and not flat:
            ElementTree.SubElement(element, f"{space}}}{name}" if space else name)
        for child in children:
            if member.type_name == "structure":
                with_empty(child, member)
            elif member.type_name == "list":
                for item in child:
                    with_empty(item, member.member)


def rewritten(service, found, kind, body):
    """The body of an answer, changed."""
    shape = found.output_shape if found is not None else None
    if kind.startswith(CBOR):
        value = cbor2.loads(body)
        return cbor2.dumps(changed(value, shape, "", service), datetime_as_timestamp=True,
                           timezone=datetime.timezone.utc)
    if body[:1] in b"{[" and service not in ("s3", "execute-api"):
        return json.dumps(changed(json.loads(body), shape, "", service)).encode()
    if body[:1] == b"<":
        try:
            root = ElementTree.fromstring(body)
        except ElementTree.ParseError:  # It repeats a hostile text that it was sent.
            return body
        changed_element(root)
        if MANNER[0] == "empty" and shape is not None:
            wrapper = shape.serialization.get("resultWrapper", f"{found.name}Result")
            top = next((child for child in root if tag(child) == wrapper), root)
            with_empty(top, shape)
        return ElementTree.tostring(root)
    return body


class Proxy(http.server.BaseHTTPRequestHandler):
    """Passes requests on, and their answers back."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments):
        """Nothing is logged."""

    def answer(self):
        """One request."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        upstream = http.client.HTTPConnection(UPSTREAM.hostname, UPSTREAM.port)
        sent = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "expect")}
        upstream.request(self.command, self.path, body, sent)
        reply = upstream.getresponse()
        content = reply.read()
        scope = self.headers.get("Authorization", "").split("/")
        service = scope[3] if len(scope) > 3 else ""
        is_hostile = MANNER[0].startswith("hostile")
        is_changed = is_hostile and service != "sts" or MANNER[0] != "plain" and not is_hostile and reply.status == 200
        if is_changed and content and self.command != "HEAD":
            found = operation(service, self.command, self.path, self.headers, body)
            after = rewritten(service, found, reply.headers.get("Content-Type", ""), content)
            COUNTS["changed"] += after != content
            content = after
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        if MANNER[0] == "unknown":
            self.send_header("x-amz-unknown", "x")
        length = reply.headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        upstream.close()

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_PATCH = answer


class Server(http.server.ThreadingHTTPServer):
    """As many connections at once as the program opens."""
    daemon_threads, request_queue_size = True, 128


SERVER = Server(("127.0.0.1", 0), Proxy)
threading.Thread(target=SERVER.serve_forever, daemon=True).start()
print(SERVER.server_port, flush=True)
for line in sys.stdin:
    print(COUNTS["changed"], flush=True)
    MANNER[0], COUNTS["changed"] = line.strip(), 0
