"""Reads and writes log groups with botocore alone. Usage: logs.py ENDPOINT COMMAND …"""

import json
import sys

import front_secret
import late

ENDPOINT, COMMAND = sys.argv[1:3]
SESSION = late.session()
SESSION.set_credentials("111111111111", front_secret.SECRET)


def client(region):
    return SESSION.create_client("logs", region_name=region, endpoint_url=ENDPOINT)


def lines(region, group):
    """Prints each line as JSON, in the order of their times, with its stream as `@stream`."""
    pages = client(region).get_paginator("filter_log_events").paginate(logGroupName=group)
    for event in (event for page in pages for event in page["events"]):
        print(json.dumps({**json.loads(event["message"]), "@stream": event["logStreamName"]}))


def write(region, group, stream):
    """Writes lines of standard input: milliseconds since 1970, a tab, and the message."""
    logs = client(region)
    try:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    except logs.exceptions.ResourceAlreadyExistsException:
        pass
    events = [line.rstrip("\n").split("\t", 1) for line in sys.stdin]
    events = [{"timestamp": int(time), "message": message} for time, message in events]
    events.sort(key=lambda event: event["timestamp"])
    for at in range(0, len(events), 5000):
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events[at : at + 5000])


def remove(region, group):
    client(region).delete_log_group(logGroupName=group)


def queries(region):
    """Prints each saved query as JSON."""
    for query in client(region).describe_query_definitions()["queryDefinitions"]:
        print(json.dumps(query))


def saved(region, end):
    """The saved query whose name ends so."""
    found = client(region).describe_query_definitions()["queryDefinitions"]
    return next(query for query in found if query["name"].endswith(end))


def meddle(region, end):
    """Changes a saved query, as a person would in the console."""
    query = saved(region, end)
    client(region).put_query_definition(
        queryDefinitionId=query["queryDefinitionId"], name=query["name"], queryString="fields @message",
        logGroupNames=query["logGroupNames"])


def unsave(region, end):
    client(region).delete_query_definition(queryDefinitionId=saved(region, end)["queryDefinitionId"])


def own(region, name):
    """Saves a query of somebody else."""
    client(region).put_query_definition(name=name, queryString="fields @message")


COMMANDS = {"lines": lines, "write": write, "remove": remove, "queries": queries, "meddle": meddle, "unsave": unsave, "own": own}
COMMANDS[COMMAND](*sys.argv[3:])
