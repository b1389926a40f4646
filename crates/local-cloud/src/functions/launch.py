"""Starts MiniStack with functions that call AWS as their execution role, as those of Lambda do.

MiniStack runs a function with its account's own key, so that its calls cannot be told from others. Here each function gets a
session of its role: the token contains its identity, and the secret is derived from the token with a key that only the
front has, too (`function_key.rs`). The front verifies the signature and evaluates the role's policies.
"""

import base64
import hashlib
import hmac
import json
import os

from ministack.core import lambda_runtime

# Removed from the environment, because functions inherit it.
KEY = os.environ.pop("SFTPCTL_FUNCTION_KEY").encode()


def session(config):
    claims = json.dumps({"function": config["FunctionArn"], "role": config["Role"]}).encode()
    token = "sftpctl." + base64.urlsafe_b64encode(claims).decode().rstrip("=")
    return {
        "AWS_ACCESS_KEY_ID": "ASIA" + hashlib.sha256(token.encode()).hexdigest()[:16].upper(),
        "AWS_SECRET_ACCESS_KEY": hmac.new(KEY, token.encode(), "sha256").hexdigest(),
        "AWS_SESSION_TOKEN": token,
    }


if __name__ == "__main__":
    # A MiniStack other than the pinned one must not start with functions that are allowed everything.
    assert callable(lambda_runtime.execution_credentials)
    # Before the services are imported, because they bind the function by name.
    lambda_runtime.execution_credentials = session
    from ministack.app import main
    from ministack.services import lambda_svc

    assert lambda_svc.execution_credentials is session
    main()
