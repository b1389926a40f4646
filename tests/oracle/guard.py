"""The guard's tables of a deployed environment 99, by botocore alone. Usage: guard.py ENDPOINT COMMAND"""

import sys

import front_secret
import late
from checks import equal

ENDPOINT, COMMAND = sys.argv[1:3]
REGIONS, TABLE = ["us-east-1", "us-east-2", "us-west-2"], "dydb-99-guard"
SESSION = late.session()
SESSION.set_credentials("111111111111", front_secret.SECRET)


def client(region):
    return SESSION.create_client("dynamodb", region_name=region, endpoint_url=ENDPOINT)


def deployed():
    for region in REGIONS:
        dynamodb = client(region)
        table = dynamodb.describe_table(TableName=TABLE)["Table"]
        equal("key", table["KeySchema"], [{"AttributeName": "subject", "KeyType": "HASH"}])
        equal("billing", table["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST")
        equal("replicas", table.get("Replicas", []), [])
        equal("protection", table.get("DeletionProtectionEnabled", False), False)
        ttl = dynamodb.describe_time_to_live(TableName=TABLE)["TimeToLiveDescription"]
        equal("expiry", (ttl["TimeToLiveStatus"], ttl.get("AttributeName")), ("ENABLED", "expires"))
        tags = dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
        assert {"Key": "sftpctl:environment", "Value": "99"} in tags, tags


def left():
    # The local cloud shows a deleted table as DELETING for a while to those who ask for it by name.
    for region in REGIONS:
        names = client(region).list_tables()["TableNames"]
        assert TABLE not in names, f"{TABLE} is still in {region}"


def meddle():
    client("us-west-2").update_table(TableName=TABLE, DeletionProtectionEnabled=True)


def mend():
    client("us-west-2").update_table(TableName=TABLE, DeletionProtectionEnabled=False)


def fill():
    """As many entries by hand as there may be."""
    entries = [{"S": f"ban 10.0.0.{number}/32 99999999999"} for number in range(100)]
    client("us-west-2").put_item(TableName=TABLE, Item={
        "subject": {"S": "by-hand"}, "entries": {"L": entries}, "revision": {"N": "1"},
        "expires": {"N": "99999999999"},
    })


def delete_table():
    client("us-west-2").delete_table(TableName=TABLE)


{
    "deployed": deployed, "left": left, "meddle": meddle, "mend": mend, "fill": fill, "delete-table": delete_table,
}[COMMAND]()
