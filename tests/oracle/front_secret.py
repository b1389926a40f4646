"""The secret key of the local cloud that a script works on, from the environment, and requests to its own paths."""
import os
import urllib.request

SECRET = os.environ["SFTPCTL_LOCAL_SECRET"]


def request(url, data=None, method=None, headers=None):
    """A request to one of the paths `/_sftpctl/…`."""
    return urllib.request.Request(url, data, {"x-sftpctl-secret": SECRET, **(headers or {})}, method=method)
