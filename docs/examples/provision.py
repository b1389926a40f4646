"""Adds a customer's account to the account table, as docs/provisioning.md says. Needs boto3 and nothing else.

Usage: provision.py TABLE BUCKET ORGID USERNAME < password
"""

import base64
import datetime
import hashlib
import re
import secrets
import sys

import boto3
from botocore.exceptions import ClientError

# What the authorizer refuses before any look-up: `authorizer.block_list` of the environment file, here its default.
BLOCKED = """
    admin administrator centos debian ec2-user ec2_user ftp ftpuser guest mysql oracle pi postgres root solr
    support test tomcat ubuntu user user1
""".split()


def name_fault(username: str) -> str | None:
    """Why a user name is refused. Where `accounts.usernames` is `case-insensitive`, pass it in lower case."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_@.-]{2,99}", username):
        return "has not 3 to 100 letters, digits, _, @, . or -, or begins with another than a letter, a digit or _"
    if username.lower() in BLOCKED:
        return "is on the block list"
    return None


def org_id_fault(org_id: str) -> str | None:
    """Why an organisation's ID is refused. It is the name of the folder as well, so that it has one form only."""
    if not re.fullmatch(r"[1-9][0-9]{0,18}", org_id) or int(org_id) > 2**63 - 1:
        return "is not a whole number from 1 to 9223372036854775807 without leading zeros"
    return None


def stored(password: str) -> str:
    """The password as the table keeps it: PBKDF2 of Python's own library. With argon2-cffi, Argon2id is better:

    argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1).hash(password)
    """
    salt, iterations = secrets.token_hex(16), 210_000
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt.encode(), iterations)
    return f"$pbkdf2-sha512${iterations}${salt}${base64.b64encode(digest).decode()}"


def reservation_key(username: str) -> int:
    """The key of the item that reserves a user name."""
    first = int.from_bytes(hashlib.sha256(username.encode()).digest()[:8], "big")
    return -(1 << 62) - (first >> 2)


def refused(error: ClientError) -> list[str]:
    """Which items of a transaction were there already."""
    if error.response["Error"]["Code"] != "TransactionCanceledException":
        raise error
    reasons = error.response.get("CancellationReasons", [])
    items = ["organisation", "user name"]
    return [item for item, reason in zip(items, reasons) if reason.get("Code") == "ConditionalCheckFailed"]


def left_over(dynamodb, table: str, reservation: dict) -> dict | None:
    """Who has reserved the name, if that organisation has no account with it; the query has found none."""
    key = {"orgid": reservation["orgid"]}
    found = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
    if "reservedBy" not in found:
        return None
    owner = dynamodb.get_item(TableName=table, Key={"orgid": found["reservedBy"]}, ConsistentRead=True).get("Item", {})
    return None if owner.get("username") == reservation["reserves"] else found["reservedBy"]


def main() -> int:
    table, bucket, org_id, username = sys.argv[1:]
    for what, value, fault in [
        ("organisation", org_id, org_id_fault(org_id)),
        ("user name", username, name_fault(username)),
    ]:
        if fault:
            print(f"the {what} {value} {fault}", file=sys.stderr)
            return 1
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        print("the password is empty", file=sys.stderr)
        return 1
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    account = {
        "orgid": {"N": org_id},
        "username": {"S": username},
        "password": {"S": stored(password)},
        "HomeDirectory": {"S": f"/{bucket}/{org_id}"},
        "status": {"S": "active"},
        "createdAt": {"S": now},
        "updatedAt": {"S": now},
    }
    reservation = {
        "orgid": {"N": str(reservation_key(username))},
        "reserves": {"S": username},
        "reservedBy": {"N": org_id},
    }
    dynamodb = boto3.client("dynamodb")
    # An account that is older than the reservations is found by its name alone.
    found = dynamodb.query(
        TableName=table,
        IndexName="username-index",
        KeyConditionExpression="username = :name",
        ExpressionAttributeValues={":name": {"S": username}},
    )
    if found["Items"]:
        print(f"the user name {username} is taken", file=sys.stderr)
        return 1
    free = "attribute_not_exists(orgid)"

    def write(owner: dict) -> None:
        """Writes both items; the reservation also over one of this organisation."""
        put = {"TableName": table, "Item": account, "ConditionExpression": free}
        reserve = {
            "TableName": table,
            "Item": reservation,
            "ConditionExpression": f"{free} OR reservedBy = :org",
            "ExpressionAttributeValues": {":org": owner},
        }
        items = [{"Put": put}, {"Put": reserve}]
        if owner != account["orgid"]:
            # As long as that organisation has no account with the name.
            check = {
                "TableName": table,
                "Key": {"orgid": owner},
                "ConditionExpression": f"{free} OR username <> :name",
                "ExpressionAttributeValues": {":name": account["username"]},
            }
            items.append({"ConditionCheck": check})
        dynamodb.transact_write_items(TransactItems=items)

    try:
        try:
            write(account["orgid"])
        except ClientError as error:
            owner = left_over(dynamodb, table, reservation) if refused(error) == ["user name"] else None
            if owner is None:
                raise
            write(owner)
    except ClientError as error:
        print(f"the {(refused(error) or ['user name'])[0]} is taken", file=sys.stderr)
        return 1
    boto3.client("s3").put_object(Bucket=bucket, Key=f"{org_id}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
