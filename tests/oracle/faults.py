"""Shows the front's faults as an SDK sees them, one attempt per call.

Usage: faults.py ENDPOINT SERVICE OPERATION [JSON]
"""

import json
import sys

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

import front_secret

ENDPOINT, SERVICE, OPERATION = sys.argv[1:4]
SESSION = botocore.session.Session()
SESSION.set_credentials("222222222222", front_secret.SECRET)
CONFIG = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
CLIENT = SESSION.create_client(SERVICE, region_name="us-west-2", endpoint_url=ENDPOINT, config=CONFIG)

try:
    answer = getattr(CLIENT, OPERATION)(**json.loads(sys.argv[4] if len(sys.argv) > 4 else "{}"))
    answer.pop("ResponseMetadata")
    print(json.dumps(answer, default=str, sort_keys=True))
except ClientError as error:
    print(error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"])
except BotoCoreError as error:
    print(type(error).__name__)
