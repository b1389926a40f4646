"""The secret key of the local cloud that a script works on, from the environment, and requests to its own paths. Other
emulators take any."""
import os
import urllib.request

SECRET = os.environ.get("SFTPCTL_LOCAL_SECRET", "fake-secret")


def request(url, data=None, method=None, headers=None):
    """A request to one of the paths `/_sftpctl/…`."""
    return urllib.request.Request(url, data, {"x-sftpctl-secret": SECRET, **(headers or {})}, method=method)
