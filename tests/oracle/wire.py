"""Puts answers that AWS gave to others back on the wire.

Usage: wire.py ANSWERS

ANSWERS is a file of JSON lines with `svc`, `op`, `status` and `body`, the last as an SDK parsed it: without the form of
its protocol. That form comes from AWS's own service models, as botocore has them. Prints a JSON line for each answer:
the same without `body`, plus `headers` and `wire`, the body in base64; `last`, the body without the token of a next page;
and for an error `code` and `class`, which says what botocore's retries make of it.
"""
import base64
import datetime
import email.utils
import json
import re
import sys
from xml.sax.saxutils import escape

import botocore.retries.standard as retries
import botocore.session
import cbor2

SESSION = botocore.session.Session()
MODELS = {}
# The protocols of the SDK under test, where a service speaks several.
PROTOCOLS = {"cloudwatch": "smithy-rpc-v2-cbor"}
TOKENS = {"NextToken", "nextToken", "nextContinuationToken", "NextContinuationToken", "NextMarker", "Marker",
          "NextKeyMarker", "NextVersionIdMarker", "ContinuationToken", "LastEvaluatedKey", "position", "NextRecordName"}
EPOCH = datetime.datetime(2026, 11, 28, 9, 0, tzinfo=datetime.timezone.utc)


def model(service):
    """The service model, read once."""
    if service not in MODELS:
        MODELS[service] = SESSION.get_service_model(service)
    return MODELS[service]


def moment(value):
    """A recorded time; a placeholder counts as some time."""
    if isinstance(value, dict) and value.get("__class__") == "datetime":
        parts = [value.get(part, 0) for part in ("year", "month", "day", "hour", "minute", "second", "microsecond")]
        return datetime.datetime(*parts, tzinfo=datetime.timezone.utc)
    if isinstance(value, (int, float)):
        return datetime.datetime.fromtimestamp(value, datetime.timezone.utc)
    try:
        read = datetime.datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        return read if read.tzinfo else read.replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return EPOCH


def stamp(shape, value, default):
    """A time in the form of the shape, or of the protocol's default."""
    at = moment(value)
    form = shape.serialization.get("timestampFormat", default)
    if form == "iso8601":
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")
    if form == "rfc822":
        return email.utils.format_datetime(at, usegmt=True)
    return at.timestamp()


def raw(value):
    """A body of bytes."""
    if isinstance(value, dict) and "body" in value and "__class__" in value:
        value = value["body"]
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def scalar(shape, value):
    """A value of a simple type; placeholders in the recordings have another."""
    kind = shape.type_name
    if kind in ("integer", "long"):
        return value if isinstance(value, int) and not isinstance(value, bool) else 1
    if kind in ("float", "double"):
        return float(value) if isinstance(value, (int, float)) else 1.0
    if kind == "boolean":
        return value is True or value == "true"
    return value if isinstance(value, str) else json.dumps(value)


def plain(shape, value, binary):
    """A value as the JSON protocols, or CBOR, write it. Members that the model does not know stay as they are."""
    if value is None:
        return None
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        written = {}
        for name, member in value.items():
            if name == "ResponseMetadata":
                continue
            known = shape.members.get(name)
            written[known.serialization.get("name", name) if known else name] = \
                plain(known, member, binary) if known else member
        return written
    if kind == "list" and isinstance(value, list):
        return [plain(shape.member, item, binary) for item in value]
    if kind == "map" and isinstance(value, dict):
        return {key: plain(shape.value, item, binary) for key, item in value.items()}
    if kind == "timestamp":
        return moment(value) if binary else stamp(shape, value, "unixtimestamp")
    if kind == "blob":
        return raw(value) if binary else base64.b64encode(raw(value)).decode()
    return value if kind in ("structure", "list", "map") else scalar(shape, value)


def xml(shape, name, value, query):
    """An element and what is in it."""
    if value is None:
        return ""
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        return f"<{name}{attributes(shape, value)}>{members(shape, value, query)}</{name}>"
    if kind == "list" and isinstance(value, list):
        item = shape.member.serialization.get("name", "member")
        if shape.serialization.get("flattened"):
            item = name if not shape.member.serialization.get("name") else item
            return "".join(xml(shape.member, item, one, query) for one in value)
        return f"<{name}>{''.join(xml(shape.member, item, one, query) for one in value)}</{name}>"
    if kind == "map" and isinstance(value, dict):
        pairs = "".join(f"<entry>{xml(shape.key, 'key', key, query)}{xml(shape.value, 'value', one, query)}</entry>"
                        for key, one in value.items())
        return f"<{name}>{pairs}</{name}>"
    if kind == "timestamp":
        text = stamp(shape, value, "iso8601")
    elif kind == "blob":
        text = base64.b64encode(raw(value)).decode()
    else:
        text = scalar(shape, value)
        text = json.dumps(text) if isinstance(text, bool) else str(text)
    return f"<{name}>{escape(text)}</{name}>"


def attributes(shape, value):
    """Members that are attributes of their element."""
    found = ""
    for name, member in shape.members.items():
        if member.serialization.get("xmlAttribute") and value.get(name) is not None:
            form = member.serialization["name"]
            space = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"' if form.startswith("xsi:") else ""
            found += f'{space} {form}="{escape(str(value[name]))}"'
    return found


def members(shape, value, query):
    """The elements of a structure; those that the model does not know are texts."""
    found = ""
    for name, member in value.items():
        known = shape.members.get(name)
        if name == "ResponseMetadata" or (known and known.serialization.get("xmlAttribute")):
            continue
        if known is None:
            found += f"<{name}>{escape(str(member))}</{name}>" if not isinstance(member, (dict, list)) else ""
        elif not known.serialization.get("location"):
            found += xml(known, known.serialization.get("name", name), member, query)
    return found


def headers(shape, value):
    """The members of an answer that are headers."""
    found = {}
    for name, member in shape.members.items():
        place, content = member.serialization.get("location"), value.get(name)
        if content is None:
            continue
        if place == "header" and member.type_name != "list":
            text = stamp(member, content, "rfc822") if member.type_name == "timestamp" else scalar(member, content)
            text = json.dumps(text) if isinstance(text, bool) else str(text)
            found[member.serialization["name"]] = text
        elif place == "headers" and isinstance(content, dict):
            found.update({member.serialization["name"] + key: str(one) for key, one in content.items()})
    # Its length is that of the body, and checksums are of other bytes than the placeholders.
    return {name: text for name, text in found.items()
            if name.lower() != "content-length" and "checksum" not in name.lower() and text.isascii()}


def rest(service, operation, body):
    """Headers and body of an answer of a REST service."""
    shape = operation.output_shape
    if shape is None:
        return {}, b""
    sent = headers(shape, body)
    payload = shape.serialization.get("payload")
    where = {name: member for name, member in shape.members.items() if not member.serialization.get("location")}
    inside = {name: one for name, one in body.items()
              if name in where or (name not in shape.members and name != "ResponseMetadata")}
    as_json = service.metadata["protocol"] == "rest-json"
    if payload:
        content, member = body.get(payload), shape.members[payload]
        if content is None:
            return sent, b""
        if member.type_name in ("blob", "string"):
            return sent, raw(content)
        if as_json:
            return sent, json.dumps(plain(member, content, False)).encode()
        return sent, xml(member, member.serialization.get("name", payload), content, False).encode()
    if as_json:
        return sent, json.dumps(plain(shape, inside, False)).encode()
    if service.service_name == "s3" and operation.name == "GetBucketLocation":
        return sent, f"<LocationConstraint>{inside.get('LocationConstraint') or ''}</LocationConstraint>".encode()
    root = ROOTS.get(operation.name) or shape.serialization.get("name") or shape.name
    return sent, f"<{root}>{members(shape, inside, False)}</{root}>".encode() if where else b""


# Names that S3 gives to its answers, where the model has others.
ROOTS = {"ListBuckets": "ListAllMyBucketsResult", "ListObjectsV2": "ListBucketResult", "DeleteObjects": "DeleteResult",
         "ListObjectVersions": "ListVersionsResult", "GetBucketVersioning": "VersioningConfiguration",
         "GetBucketTagging": "Tagging", "CopyObject": "CopyObjectResult",
         "CreateMultipartUpload": "InitiateMultipartUploadResult",
         "CompleteMultipartUpload": "CompleteMultipartUploadResult"}


def answer(service, operation, body):
    """Headers and body of an answer."""
    protocol = PROTOCOLS.get(service.service_name, service.metadata["protocol"])
    shape = operation.output_shape
    if protocol == "json":
        kind = f"application/x-amz-json-{service.metadata.get('jsonVersion', '1.1')}"
        return {"content-type": kind}, json.dumps(plain(shape, body, False) if shape else {}).encode()
    if protocol == "smithy-rpc-v2-cbor":
        return CBOR, cbor2.dumps(plain(shape, body, True) if shape else {}, datetime_as_timestamp=True)
    if protocol == "query":
        inside = members(shape, body, True) if shape else ""
        wrapper = shape.serialization.get("resultWrapper", f"{operation.name}Result") if shape else None
        inside = f"<{wrapper}>{inside}</{wrapper}>" if wrapper else ""
        name = f"{operation.name}Response"
        return {"content-type": "text/xml"}, f"<{name}>{inside}</{name}>".encode()
    return rest(service, operation, body)


CBOR = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}


def error(service, status, body):
    """Headers and body of an error."""
    code, message = body["Error"]["Code"], body["Error"].get("Message") or ""
    protocol = PROTOCOLS.get(service.service_name, service.metadata["protocol"])
    # The SDKs wait as long as this before they try again, in milliseconds.
    sent = {"x-amz-retry-after": "1"}
    if protocol in ("json", "rest-json"):
        rest_of_it = {name: value for name, value in body.items() if name not in ("Error", "ResponseMetadata")}
        content = {**rest_of_it, "message": message}
        if protocol == "json":
            return {**sent, "content-type": "application/x-amz-json-1.1"}, json.dumps({"__type": code, **content}).encode()
        return {**sent, "x-amzn-errortype": code, "content-type": "application/json"}, json.dumps(content).encode()
    if protocol == "smithy-rpc-v2-cbor":
        named = {"x-amzn-query-error": f"{code};Sender"}
        return {**sent, **CBOR, **named}, cbor2.dumps({"__type": code, "message": message})
    inside = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if service.service_name != "s3":
        return sent, f"<ErrorResponse><Error><Type>Sender</Type>{inside}</Error></ErrorResponse>".encode()
    # Answers to HEAD have no body; SDKs then report the status as the code.
    return sent, b"" if re.fullmatch(r"\d+", code) else f"<Error>{inside}</Error>".encode()


def classed(code, status):
    """What botocore's retries make of an error."""
    if code in retries.ThrottledRetryableChecker._THROTTLED_ERROR_CODES:
        return "throttle"
    checker = retries.TransientRetryableChecker
    if code in checker._TRANSIENT_ERROR_CODES or status in checker._TRANSIENT_STATUS_CODES:
        return "transient"
    return "final"


def written(recorded):
    """One recorded answer on the wire; None where no service is known."""
    body = recorded.get("body")
    if recorded.get("svc") is None or not isinstance(body, dict):
        return None
    service = model(recorded["svc"])
    result = {name: recorded.get(name) for name in ("src", "file", "label", "svc", "op", "status")}
    fault = body.get("Error")
    if isinstance(fault, dict) and "Code" in fault and recorded["status"] >= 300:
        sent, wire = error(service, recorded["status"], body)
        result.update(code=fault["Code"], message=fault.get("Message"), **{"class": classed(fault["Code"], recorded["status"])})
    else:
        operation = service.operation_model(recorded["op"])
        sent, wire = answer(service, operation, body)
        whole = {name: value for name, value in body.items() if name not in TOKENS}
        if "IsTruncated" in whole:
            whole["IsTruncated"] = False
        result["last"] = base64.b64encode(answer(service, operation, whole)[1]).decode()
    return {**result, "headers": sent, "wire": base64.b64encode(wire).decode()}


def main():
    """Writes every answer of the file."""
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in lines:
            result = written(json.loads(line))
            if result is not None:
                print(json.dumps(result))


main()
