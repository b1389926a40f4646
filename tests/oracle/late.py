"""Sessions that ask again where AWS learns late, as its own tools and Terraform do.

Right after a creation, IAM does not know the role, S3 does not know the bucket, and a name that was just given up is not
free: the local cloud answers so for a few calls (`sftpctl local manners`).
"""

import botocore.session

# By service: codes of errors that pass.
LATE = {
    # Tags of a new table are not found.
    "dynamodb": {"ResourceNotFoundException"},
    "iam": {"NoSuchEntity", "DeleteConflict"},
    "s3": {"NoSuchBucket", "OperationAborted"},
}
# More than any manner takes.
ATTEMPTS = 4


def asks_again(codes):
    """A handler of botocore's event `needs-retry`: the seconds to wait before the next attempt, or None."""

    def handler(response, attempts, **_):
        code = response[1].get("Error", {}).get("Code") if response else None
        return 0 if code in codes and attempts < ATTEMPTS else None

    return handler


def session():
    """A session of botocore whose clients ask again."""
    made = botocore.session.Session()
    for service, codes in LATE.items():
        made.register(f"needs-retry.{service}", asks_again(codes))
    return made


def wait_for_table(dynamodb, name):
    """Asks until a new table is ACTIVE."""
    while dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] != "ACTIVE":
        pass
