"""What oracles of AWS's answers check alike."""

from botocore.exceptions import ClientError


def equal(what, have, want):
    assert have == want, f"{what}: {have!r} instead of {want!r}"


def refused(what, code, words, call, **arguments):
    """One call, which must be refused with this code and a message with these words."""
    try:
        call(**arguments)
    except ClientError as error:
        found = error.response["Error"]
        assert found["Code"] == code and words in found["Message"], f"{what}: {found}"
    else:
        raise AssertionError(f"{what} was not refused")
