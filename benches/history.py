"""Exporting a history into a git repository. The versions are in memory, so that S3 is not the bottleneck."""
import json
import subprocess

VERSIONS = 200_000
# Versions a minute that an export should reach at least, unless S3 is slower.
TARGET = 10_000


def run(report, example):
    result = json.loads(subprocess.run([example, str(VERSIONS)], check=True, capture_output=True, text=True).stdout)
    rate = result["versions"] / result["seconds"] * 60
    report(f"history export, {VERSIONS:,} versions of 4 KiB from memory, checked by git fsck (versions a minute)",
           rate, TARGET, "", rate / TARGET, 1)
    report(f"the same, peak of the memory ({result['commits']:,} commits)",
           int(result["peak"].split()[0]) / 1024, None, "MB", None, None)
