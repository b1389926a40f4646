"""Checks commands of the AWS CLI by botocore's models. Reads `[[place, [word, …]], …]` as JSON from standard input, and
prints a line for each fault. The CLI names operations and options after the models' names (awscli/clidriver.py)."""

import json
import sys

import botocore.session
from botocore import xform_name

# Commands and options of the CLI itself (`aws help`), and commands that have no model since the CLI implements them.
GLOBAL = {"region", "query", "output", "profile", "endpoint-url", "cli-input-json", "max-items", "page-size",
          "no-paginate", "starting-token", "no-cli-pager", "cli-binary-format"}
OWN = {"s3", "configure", "sso"}
RENAMED = {"s3api": "s3"}
session = botocore.session.get_session()
models = {}


def model(service):
    if service not in models:
        models[service] = session.get_service_model(service)
    return models[service]


def option(member):
    return xform_name(member, "-")


def fault(words):
    """What is wrong with a command, or None."""
    service, operation, *rest = words[1:]
    if service in OWN:
        return None
    if operation == "wait":
        waiters = session.create_client(service, region_name="us-west-2").waiter_names
        return None if rest and rest[0].replace("-", "_") in waiters else f"no waiter {rest[:1]}"
    service = RENAMED.get(service, service)
    if service not in session.get_available_services():
        return f"no service {service}"
    names = {option(name): name for name in model(service).operation_names}
    if operation not in names:
        return f"no operation {operation}"
    shape = model(service).operation_model(names[operation]).input_shape
    members = dict(shape.members) if shape else {}
    options = {option(name): name for name in members}
    given = {word[2:].split("=")[0] for word in rest if word.startswith("--")}
    for name in given - GLOBAL:
        positive = name[3:] if name.startswith("no-") else None
        if name not in options and not (positive in options and members[options[positive]].type_name == "boolean"):
            return f"no option --{name}"
    missing = {option(name) for name in (shape.required_members if shape else [])} - given
    if missing and "cli-input-json" not in given:
        return f"required, and not given: {sorted(missing)}"
    return None


for place, words in json.load(sys.stdin):
    if found := fault(words):
        print(f"{place}: {' '.join(words)}: {found}")
