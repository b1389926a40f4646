"""Compares the local cloud's Transfer Family API with AWS's own service model, as botocore has it.

Usage: transfer_model.py ENDPOINT

- every response fits the output shape of its operation, without additional members;
- every error code is one that the operation lists (or one of the few that every AWS JSON service has);
- every constraint of every input shape, violated one at a time, is refused: ValidationException for lengths, ranges,
  patterns, enums and missing members (terraform-provider-aws#44110), SerializationException for wrong types.

Prints one line of counts; on a difference, one line each, and exits 1.
"""
import json
import re
import sys
import urllib.error
import urllib.request

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.session

import front_secret

ENDPOINT = sys.argv[1].rstrip("/")
OPERATIONS = """CreateServer DeleteHostKey DeleteServer DescribeHostKey DescribeSecurityPolicy DescribeServer
ImportHostKey ListHostKeys ListSecurityPolicies ListServers ListTagsForResource StartServer StopServer TagResource
UntagResource UpdateHostKey UpdateServer""".split()
COMMON = {"SerializationException", "ValidationException"}
ACCOUNT, REGION = "111122223333", "eu-central-1"
MODEL = botocore.session.Session().get_service_model("transfer")
faults, counts = [], {"answers": 0, "errors": 0, "violations": 0}


def call(operation, body):
    """Sends a body unchecked: botocore's own client would refuse most of them."""
    data = json.dumps(body).encode()
    headers = {"X-Amz-Target": f"TransferService.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    request = botocore.awsrequest.AWSRequest("POST", ENDPOINT + "/", headers=headers, data=data)
    credentials = botocore.credentials.Credentials(ACCOUNT, front_secret.SECRET)
    botocore.auth.SigV4Auth(credentials, "transfer", REGION).add_auth(request)
    request = urllib.request.Request(ENDPOINT + "/", data=data, headers=dict(request.headers.items()), method="POST")
    try:
        with urllib.request.urlopen(request) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    return status, json.loads(text) if text else None


def matches(pattern, text):
    """Whether a text matches a pattern of the service model; these are Java's regular expressions."""
    return re.fullmatch(pattern.replace(r"\p{Print}", r"\x20-\x7e"), text)


def fits(shape, value, path):
    """Yields what is wrong with a value of a response."""
    kinds = {"structure": dict, "list": list, "string": str, "integer": int, "boolean": bool,
             "timestamp": (int, float)}
    if not isinstance(value, kinds[shape.type_name]):
        yield f"{path}: {value!r} is no {shape.type_name}"
    elif shape.type_name == "structure":
        for name in shape.required_members:
            if name not in value:
                yield f"{path}.{name} is missing"
        for name, member in value.items():
            if name in shape.members:
                yield from fits(shape.members[name], member, f"{path}.{name}")
            elif name != "__type":
                yield f"{path}.{name} is not in the model"
    else:
        unsized = ("boolean", "timestamp")
        size = value if shape.type_name == "integer" else len(value) if shape.type_name not in unsized else None
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if size is not None and (low is not None and size < low or high is not None and size > high):
            yield f"{path}: {size} is not in {low}..{high}"
        pattern = shape.metadata.get("pattern")
        if pattern and not matches(pattern, value):
            yield f"{path}: {value!r} does not match {pattern}"
        if shape.type_name == "string" and shape.enum and value not in shape.enum:
            yield f"{path}: {value!r} is not one of {shape.enum}"
        if shape.type_name == "list":
            for index, item in enumerate(value):
                yield from fits(shape.member, item, f"{path}[{index}]")


def check(operation, body, expect=None):
    """Makes one call and checks its response against the model; `expect` is the error code of a required refusal."""
    status, answer = call(operation, body)
    model = MODEL.operation_model(operation)
    where = f"{operation} {json.dumps(body)[:160]}"
    if status == 200:
        counts["answers"] += 1
        if expect:
            faults.append(f"{where}: accepted, should be {expect}")
        if model.output_shape is None:
            if answer:
                faults.append(f"{where}: answered {answer}, the model has no output")
        else:
            faults.extend(f"{where}: {fault}" for fault in fits(model.output_shape, answer, "answer"))
        return answer
    counts["errors"] += 1
    code = answer.get("__type")
    shapes = {shape.name: shape for shape in model.error_shapes}
    if code in shapes:
        faults.extend(f"{where}: {fault}" for fault in fits(shapes[code], answer, code))
    elif code not in COMMON:
        faults.append(f"{where}: {code} is not listed by the operation")
    if code != expect:
        faults.append(f"{where}: {code} ({answer.get('Message') or answer.get('message')}), should be {expect}")
    return None


def violations(shape):
    """Yields (value, error code) for values that break one rule of the shape."""
    metadata, kind = shape.metadata, shape.type_name
    invalid = "ValidationException"
    yield (["x"] if kind != "list" else "x"), "SerializationException"
    if kind == "string":
        if metadata.get("min", 0) > 0:
            yield "a" * (metadata["min"] - 1), invalid
        if "max" in metadata:
            yield "a" * (metadata["max"] + 1), invalid
        if shape.enum:
            yield "NO_SUCH_VALUE", invalid
            yield shape.enum[0].lower(), invalid
        if "pattern" in metadata and not matches(metadata["pattern"], "\u00e9" * max(metadata.get("min", 1), 1)):
            yield "\u00e9" * max(metadata.get("min", 1), 1), invalid
    elif kind == "integer":
        for bound, step in (("min", -1), ("max", 1)):
            if bound in metadata:
                yield metadata[bound] + step, invalid
        yield 1.5, "SerializationException"
    elif kind == "list":
        good = valid(shape.member)
        if metadata.get("min", 0) > 0:
            yield [good] * (metadata["min"] - 1), invalid
        if "max" in metadata:
            yield [good] * (metadata["max"] + 1), invalid
        for value, code in violations(shape.member):
            yield [value], code
    elif kind == "structure":
        whole = {name: valid(shape.members[name]) for name in shape.required_members}
        for name in shape.required_members:
            yield {key: value for key, value in whole.items() if key != name}, invalid
        for name, member in shape.members.items():
            for value, code in violations(member):
                yield {**whole, name: value}, code


def valid(shape):
    """A value that breaks no rule of the shape."""
    samples = {
        "ServerId": "s-0123456789abcdef0", "Arn": "arn:aws:transfer:x:1:server/s-1", "Role": "arn:aws:iam::1:role/name",
        "SecurityPolicyName": "TransferSecurityPolicy-2024-01", "HostKeyId": "hostkey-0123456789abcdef0", "WorkflowId": "w-0123456789abcdef0",
    }
    if shape.name in samples:
        return samples[shape.name]
    if shape.type_name == "structure":
        return {name: valid(shape.members[name]) for name in shape.required_members}
    if shape.type_name == "list":
        return [valid(shape.member)] * max(shape.metadata.get("min", 0), 1)
    if shape.type_name == "integer":
        return shape.metadata.get("min", 1)
    return shape.enum[0] if shape.enum else "a" * max(shape.metadata.get("min", 1), 1)


def lifetime():
    """A server's life cycle, and every refusal that depends on existing resources."""
    provider = {"Url": "https://a.execute-api.eu-central-1.amazonaws.com/prod", "InvocationRole": "arn:aws:iam::1:role/r"}
    tags = [{"Key": f"k{n}", "Value": "v"} for n in range(5)]
    made = [check("CreateServer", {})["ServerId"] for _ in range(3)]
    server = check("CreateServer", {
        "Domain": "S3", "EndpointType": "PUBLIC", "IdentityProviderType": "API_GATEWAY",
        "IdentityProviderDetails": provider, "Protocols": ["SFTP"], "Tags": tags, "PreAuthenticationLoginBanner": "hi",
        "PostAuthenticationLoginBanner": "hi", "LoggingRole": "arn:aws:iam::111122223333:role/sftp-log-role",
        "ProtocolDetails": {"SetStatOption": "ENABLE_NO_OP"}, "SecurityPolicyName": "TransferSecurityPolicy-2025-03",
        "S3StorageOptions": {"DirectoryListingOptimization": "ENABLED"}, "IpAddressType": "IPV4",
    })["ServerId"]
    described = check("DescribeServer", {"ServerId": server})["Server"]
    expected = {**provider, "SftpAuthenticationMethods": "PUBLIC_KEY_OR_PASSWORD"}
    if described["IdentityProviderDetails"] != expected:
        faults.append(f"identity provider: {described['IdentityProviderDetails']}")
    if described["ProtocolDetails"]["SetStatOption"] != "ENABLE_NO_OP" or described["Tags"] != tags:
        faults.append(f"settings are not kept: {described}")
    if described["State"] == "STARTING":
        check("UpdateServer", {"ServerId": server, "SecurityPolicyName": "TransferSecurityPolicy-2024-01"},
              "ConflictException")
        check("StopServer", {"ServerId": server}, "InvalidRequestException")
    else:
        faults.append("the oracle needs a server start time of some seconds")
    request = front_secret.request(ENDPOINT + "/_sftpctl/settings", b'{"serverStartSeconds":0}', "POST")
    urllib.request.urlopen(request).read()
    for body in ({}, {"LoggingRole": "arn:aws:iam::111122223333:role/other"}):
        fresh = check("CreateServer", body)["ServerId"]
        made.append(fresh)
        check("UpdateServer", {"ServerId": fresh, "LoggingRole": "", "ProtocolDetails": {"PassiveIp": "1.2.3.4"}})
        after = check("DescribeServer", {"ServerId": fresh})["Server"]
        if "LoggingRole" in after or after["ProtocolDetails"]["TlsSessionResumptionMode"] != "ENFORCED":
            faults.append(f"UpdateServer: {after}")
    check("UpdateServer", {"ServerId": fresh, "IpAddressType": "DUALSTACK"}, "ConflictException")
    check("StopServer", {"ServerId": fresh})
    check("StopServer", {"ServerId": fresh})
    check("UpdateServer", {"ServerId": fresh, "IpAddressType": "DUALSTACK"})
    check("StartServer", {"ServerId": fresh})

    for operation in ("ListServers", "ListSecurityPolicies", "ListTagsForResource"):
        arn = {"Arn": described["Arn"]} if operation == "ListTagsForResource" else {}
        member = {"ListServers": "Servers", "ListSecurityPolicies": "SecurityPolicyNames"}.get(operation, "Tags")
        whole = check(operation, arn)[member]
        pages, token = [], {}
        while True:
            page = check(operation, {**arn, "MaxResults": 2, **token})
            pages += page[member]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        if pages != whole or len(whole) < 4:
            faults.append(f"{operation}: pages give {len(pages)}, the whole is {len(whole)}")
        check(operation, {**arn, "NextToken": "made-up"}, "InvalidNextTokenException")
    for name in check("ListSecurityPolicies", {})["SecurityPolicyNames"]:
        check("DescribeSecurityPolicy", {"SecurityPolicyName": name})
    check("DescribeSecurityPolicy", {"SecurityPolicyName": "TransferSecurityPolicy-1999-01"}, "ResourceNotFoundException")

    arn = described["Arn"]
    check("TagResource", {"Arn": arn, "Tags": [{"Key": "k0", "Value": "new"}, {"Key": "more", "Value": ""}]})
    check("UntagResource", {"Arn": arn, "TagKeys": ["k1", "not there"]})
    left = {tag["Key"]: tag["Value"] for tag in check("ListTagsForResource", {"Arn": arn})["Tags"]}
    if left != {"k0": "new", "k2": "v", "k3": "v", "k4": "v", "more": ""}:
        faults.append(f"tags: {left}")
    many = [{"Key": f"m{n}", "Value": ""} for n in range(46)]
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    for body in (many, twice, [{"Key": "aws:x", "Value": ""}], [{"Key": "", "Value": ""}]):
        check("TagResource", {"Arn": arn, "Tags": body}, "InvalidRequestException")

    of = {"ServerId": server}
    keys = check("ListHostKeys", of)["HostKeys"]
    paged = check("ListHostKeys", {**of, "MaxResults": 1})
    paged = paged["HostKeys"] + check("ListHostKeys", {**of, "NextToken": paged["NextToken"]})["HostKeys"]
    if paged != keys or len(keys) < 2:
        faults.append(f"ListHostKeys: pages give {paged}, the whole is {keys}")
    key = {**of, "HostKeyId": keys[0]["HostKeyId"]}
    check("UpdateHostKey", {**key, "Description": "ours"})
    if check("DescribeHostKey", key)["HostKey"]["Description"] != "ours":
        faults.append("UpdateHostKey: the description is not kept")
    check("ImportHostKey", {**of, "HostKeyBody": "not a key"}, "InvalidRequestException")
    check("DeleteHostKey", key)
    for operation, more in (("DescribeHostKey", {}), ("UpdateHostKey", {"Description": ""}), ("DeleteHostKey", {})):
        check(operation, {**key, **more}, "ResourceNotFoundException")
    for last in keys[1:]:
        code = "InvalidRequestException" if last is keys[-1] else None
        check("DeleteHostKey", {**of, "HostKeyId": last["HostKeyId"]}, code)

    unknown = "s-" + "0" * 17
    for operation in ("DescribeServer", "UpdateServer", "StartServer", "StopServer", "DeleteServer"):
        check(operation, {"ServerId": unknown}, "ResourceNotFoundException")
    no_arn = arn.replace(server, unknown)
    check("TagResource", {"Arn": no_arn, "Tags": tags}, "ResourceNotFoundException")
    check("UntagResource", {"Arn": no_arn, "TagKeys": ["a"]}, "ResourceNotFoundException")
    check("ListTagsForResource", {"Arn": no_arn}, "InvalidRequestException")

    gateway = {"IdentityProviderType": "API_GATEWAY"}
    for body in (
        gateway, {**gateway, "IdentityProviderDetails": {"Url": provider["Url"]}}, {"IdentityProviderDetails": provider},
        {**gateway, "IdentityProviderDetails": {"InvocationRole": provider["InvocationRole"]}},
        {**gateway, "IdentityProviderDetails": {**provider, "DirectoryId": "d-0123456789"}},
        {"IdentityProviderType": "AWS_LAMBDA", "IdentityProviderDetails": provider},
        {"IdentityProviderType": "AWS_DIRECTORY_SERVICE"}, {"EndpointType": "VPC"}, {"EndpointType": "VPC_ENDPOINT"},
        {"EndpointDetails": {"VpcId": "vpc-1"}}, {"Protocols": ["FTPS"]}, {"Protocols": ["FTP"]},
        {"Protocols": ["SFTP", "SFTP"]}, {"SecurityPolicyName": "TransferSecurityPolicy-1999-01"}, {"Tags": twice},
        {"StructuredLogDestinations": ["arn:aws:logs:eu-central-1:111122223333:log-group:/none:*"]},
        {"StructuredLogDestinations": ["arn:aws:s3:::not-a-log-group"]}, {"HostKey": "not a key"},
    ):
        check("CreateServer", body, "InvalidRequestException")
    for identifier in [server, *made]:
        check("DeleteServer", {"ServerId": identifier})
        check("DescribeServer", {"ServerId": identifier}, "ResourceNotFoundException")
    if check("ListServers", {})["Servers"]:
        faults.append("servers are left, or a refused CreateServer made one")


for operation in OPERATIONS:
    for body, code in violations(MODEL.operation_model(operation).input_shape):
        counts["violations"] += 1
        if isinstance(body, dict):
            check(operation, body, code)
lifetime()
for fault in faults:
    print(fault)
print(", ".join(f"{count} {name}" for name, count in counts.items()), f"{len(faults)} faults", sep=", ")
sys.exit(bool(faults))
