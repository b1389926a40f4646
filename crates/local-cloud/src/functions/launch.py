"""Starts MiniStack with functions that call AWS as their execution role, as those of Lambda do.

MiniStack runs a function with its account's own key, so that its calls cannot be told from others. Here each function gets a
session of its role: the token contains its identity, and the secret is derived from the token with a key that only the
front has, too (`function_key.rs`). The front verifies the signature and evaluates the role's policies.
"""

import base64
import hashlib
import hmac
import json
import sys

from ministack.core import lambda_runtime

# Through a pipe: functions inherit the environment, and can read that of this process.
SECRET, KEY = sys.stdin.buffer.readline().strip(), sys.stdin.buffer.readline().strip()


def guarded(app):
    """The application, for the front alone: any program on the machine, and any web page, could ask otherwise."""
    async def answer(scope, receive, send):
        if scope["type"] != "lifespan":
            given = dict(scope["headers"]).get(b"x-sftpctl-secret", b"")
            if not SECRET or not hmac.compare_digest(given, SECRET):
                if scope["type"] == "http":
                    await send({"type": "http.response.start", "status": 403, "headers": []})
                    await send({"type": "http.response.body", "body": b"only the local cloud's front may call MiniStack"})
                return
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"x-sftpctl-secret"]}
        await app(scope, receive, send)
    return answer


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
    import ministack.app
    from ministack.services import lambda_svc

    assert lambda_svc.execution_credentials is session
    assert callable(ministack.app.app)
    ministack.app.app = guarded(ministack.app.app)
    ministack.app.main()
