"""What tools for S3 make of a home directory with entries of every kind: what arrived, what was said, how they ended. All copy
the same home into empty buckets of the local cloud, which refuses what S3 refuses."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

from cloud import Cloud
from s3 import Tools, measured

ORGID = "17578"
# A tool that follows a link in circles would go on for ever.
DEADLINE = 120
# Prints the objects of a bucket: key, size, digest of the content, metadata.
OBJECTS = """
import hashlib, json, sys
import awscli.botocore.session as session
from urllib.parse import unquote
s3 = session.get_session().create_client("s3", endpoint_url=sys.argv[1])
for page in s3.get_paginator("list_objects_v2").paginate(Bucket=sys.argv[2], EncodingType="url"):
    for found in page.get("Contents", []):
        key = unquote(found["Key"])
        got = s3.get_object(Bucket=sys.argv[2], Key=key)
        print(json.dumps([key, hashlib.sha256(got["Body"].read()).hexdigest(), got["Metadata"]]))
"""


def create(home):
    """The home. Every file has a content of its own, so that it is recognised under any name. Returns the files' names."""
    home = os.fsencode(home)
    files = [b"plain.txt", b"empty", b"space at end ", b"-rf", "NFC-\u00e4".encode(), "NFC-a\u0308".encode(), b"Case.txt", b"case.txt",
             b"latin-\xe4\xf6.txt", "twice-\u00e4".encode(), b"twice-\xe4",
             b"new\nline", b"return\r", b"bell-\x07", b"quote\"'`$(x) & %2B+=?#;\\", b"link-in.rclonelink", b"sub/file", b"sub/deep/er/file",
             b"sparse", b"setuid", b"yesterday", b"2100", b"#sharp", b"percent%41", b"star*", b"emoji-\xf0\x9f\x98\x80", b"trailing.",
             b"/".join([b"l" * 255] * 3 + [b"l" * 255])]
    for name in files:
        path = home + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"" if name == b"empty" else b"content of " + name.replace(b"\n", b" ")[-40:])
    os.makedirs(home + b"/sub/empty")
    os.link(home + b"/plain.txt", home + b"/sub/hard")
    links = {b"link-in": "plain.txt", b"link-folder": "sub", b"link-out": "/etc/hostname", b"link-nothing": "missing",
             b"link-self": "link-self", b"sub/loop": ".."}
    for name, target in links.items():
        os.symlink(target, home + b"/" + name)
    os.mkfifo(home + b"/fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.fsdecode(home + b"/socket"))
    os.truncate(home + b"/sparse", 300_000)
    os.chmod(home + b"/setuid", 0o4750)
    os.utime(home + b"/yesterday", (-86_400, -86_400))
    os.utime(home + b"/2100", (4_102_444_800, 4_102_444_800))
    return [*files, b"sub/hard"], [*links, b"fifo", b"socket", b"sub/empty"]


def run(program, venv, target):
    tools = Tools(target / "bench/s3-tools")
    # A bucket can be used at once, other than on AWS.
    options = ["--without-manner", "bucket-propagation"]
    with tempfile.TemporaryDirectory(prefix="sftpctl-bench-", dir=target) as folder, Cloud(program, venv, *options) as cloud:
        folder = pathlib.Path(folder)
        home = folder / "homes" / ORGID
        home.mkdir(parents=True)
        files, others = create(home)
        env = cloud.environment_of_aws()
        print(f"The home has {len(files)} files and {len(others)} other entries: six links, a FIFO, a socket, an empty folder.\n")
        columns = ["tool", "files under their names", "under other names", "content that is no file of the home", "other entries",
                   "neither stored nor named", "exit code"]
        print("| " + " | ".join(columns) + " |")
        print("|---|---|---|---|---|---|---|")
        for number, (name, command) in enumerate(ways(tools, cloud, home, folder)):
            bucket = f"pl-pt99-{number}-uploads"
            aws(tools, cloud, env, "s3", "mb", f"s3://{bucket}")
            code, said = ended(command(bucket), env, cloud.path)
            # What an option skips is counted on the screen, and named in the report.
            if (folder / "report.csv").exists():
                said += (folder / "report.csv").read_text()
                (folder / "report.csv").unlink()
            print(row(name, home, files, others, objects(tools, cloud, env, bucket), code, said), flush=True)
            shutil.rmtree(folder / "manifest", ignore_errors=True)


def ways(tools, cloud, home, folder):
    at = ["--endpoint-url", cloud.endpoint]
    rclone = [tools.rclone, "--config", "/dev/null", "--s3-provider", "Other", "--s3-endpoint", cloud.endpoint, "--s3-env-auth",
              "--s3-region", "us-west-2", "--s3-no-check-bucket", "--retries", "1", "copy"]
    ours = [cloud.program, "homes", "copy", "--env", "99", "--orgid", ORGID, "--report", folder / "report.csv", "--root", home.parent, "--manifest",
            folder / "manifest"]
    (folder / "manifest").mkdir(exist_ok=True)
    choices = ["--name-charset", "cp1252", "--links", "marker", "--skip", "fifo,socket,control,too-long,same-key"]
    return [
        ("`sftpctl homes copy`", lambda to: [*ours, "--cluster", "99-0"]),
        (f"`sftpctl homes copy {' '.join(choices)}`", lambda to: [*ours, "--cluster", "99-1", *choices]),
        ("`s5cmd cp`", lambda to: [tools.s5cmd, *at, "--log", "error", "cp", f"{home}/", f"s3://{to}/{ORGID}/"]),
        ("`s5cmd sync`", lambda to: [tools.s5cmd, *at, "--log", "error", "sync", f"{home}/", f"s3://{to}/{ORGID}/"]),
        ("`rclone copy -M --s3-directory-markers`",
         lambda to: [*rclone, "-M", "--s3-directory-markers", home, f":s3:{to}/{ORGID}"]),
        ("`rclone copy -l`", lambda to: [*rclone, "-l", home, f":s3:{to}/{ORGID}"]),
        ("`aws s3 sync`", lambda to: [tools.aws, *at, "s3", "sync", "--only-show-errors", home, f"s3://{to}/{ORGID}"]),
        ("`aws s3 sync --no-follow-symlinks`",
         lambda to: [tools.aws, *at, "s3", "sync", "--only-show-errors", "--no-follow-symlinks", home, f"s3://{to}/{ORGID}"]),
        ("`cp -a` into an s3fs mount", lambda to: mounted(cloud, home, folder, to)),
    ]


def mounted(cloud, home, folder, bucket):
    """A script that mounts, copies and unmounts."""
    script = folder / "through-s3fs"
    script.write_text(f"""#!/bin/sh
mkdir -p {folder}/mount
umask 077
echo "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" > {folder}/keys
s3fs {bucket} {folder}/mount -o url={cloud.endpoint},endpoint=us-west-2,sigv4,use_path_request_style,passwd_file={folder}/keys || exit 90
mkdir {folder}/mount/{ORGID}
cp -a {home}/. {folder}/mount/{ORGID}/
code=$?
fusermount -u {folder}/mount
exit $code
""")
    script.chmod(0o755)
    return [script]


def ended(command, environment, folder):
    """The exit code, or that it had to be stopped, and all that was said."""
    took, _, _, code, said = measured(["timeout", "--signal=KILL", str(DEADLINE), *command], environment, folder)
    return ("stopped after two minutes" if code in (-9, 137) else str(code)), said


def aws(tools, cloud, environment, *arguments):
    command = [tools.aws, "--endpoint-url", cloud.endpoint, *arguments]
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{arguments}: {done.stdout}{done.stderr}")


def objects(tools, cloud, environment, bucket):
    python = tools.folder / "python/bin/python"
    listed = subprocess.run([python, "-c", OBJECTS, cloud.endpoint, bucket], env=environment, capture_output=True, text=True)
    if listed.returncode != 0:
        raise SystemExit(f"the objects of {bucket} cannot be read:\n{listed.stderr[-3000:]}")
    return [json.loads(line) for line in listed.stdout.splitlines()]


def row(name, home, files, others, found, code, said):
    digest = lambda path: hashlib.sha256(pathlib.Path(os.fsdecode(path)).read_bytes()).hexdigest()
    root = os.fsencode(home)
    wanted = {file: digest(root + b"/" + file) for file in files}
    stored = {os.fsencode(key).removeprefix(f"{ORGID}/".encode()): (content, facts) for key, content, facts in found}
    right = [file for file in files if stored.get(file, ("",))[0] == wanted[file]]
    elsewhere = {content for key, (content, _) in stored.items() if key not in right}
    moved = [file for file in files if file not in right and wanted[file] in elsewhere and file != b"empty"]
    contents = set(wanted.values()) | {hashlib.sha256(b"").hexdigest()}
    of_links = {hashlib.sha256(os.readlink(root + b"/" + link)).hexdigest() for link in others if os.path.islink(root + b"/" + link)}
    foreign = [key for key, (content, _) in stored.items() if content not in contents and content not in of_links]
    # A link is there as an object with its target, an empty folder as a marker.
    kept = [entry for entry in others if is_kept(root + b"/" + entry, entry, stored)]
    silent = [entry for entry in [*files, *others] if entry not in right and entry not in moved and entry not in kept
              and not is_named(entry, said)]
    names = ", ".join(shown(entry) for entry in silent[:3]) + (", …" if len(silent) > 3 else "")
    return (f"| {name} | {len(right)} | {len(moved)} | {len(foreign)} | {len(kept)} | "
            f"{len(silent)}{f' ({names})' if silent else ''} | {code} |")


def is_kept(path, entry, stored):
    if os.path.islink(path):
        target = hashlib.sha256(os.readlink(path)).hexdigest()
        return any(stored.get(name, ("",))[0] == target for name in (entry, entry + b".rclonelink"))
    # A FIFO by its mode, as s3fs has it.
    is_special = entry in stored and int(stored[entry][1].get("mode", "0")) & 0o170000 not in (0, 0o100000)
    return entry + b"/" in stored or is_special


def is_named(entry, said):
    """Whether the last part of a name stands in what was said, in any way of writing odd bytes."""
    plain = entry.rsplit(b"/")[-1].decode("utf-8", "backslashreplace")
    if len(plain) == 255:
        return plain[:40] in said or "1,024" in said
    octal = lambda odd: "'$'" + re.sub(r"\\x(..)", lambda x: f"\\{int(x[1], 16):o}", odd[1])
    forms = {
        plain, plain.encode("unicode_escape").decode(), entry.decode("latin-1"), repr(plain)[1:-1], json.dumps(plain)[1:-1],
        plain.replace("\n", "\u240a"),
        # Python, as the AWS CLI: \udce4.
        os.fsdecode(entry.rsplit(b"/")[-1]).encode("utf-8", "backslashreplace").decode(),
        plain.replace("\\xe4", "\ufffd"),
        "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in plain),
        # coreutils: latin-'$'\344\366'.txt'.
        re.sub(r"((?:\\x[0-9a-f]{2})+)", octal, plain).split(".")[0],
    }
    return any(form in said for form in forms)


def shown(entry):
    name = entry if entry.startswith(b"sub/") else entry.rsplit(b"/")[-1]
    text = name.decode("utf-8", "backslashreplace")
    return "`" + "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)[:20] + "`"
