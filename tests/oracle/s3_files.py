"""Amazon S3 Files in a deployed environment 99, by botocore alone. Usage: s3_files.py ENDPOINT COMMAND"""

import json
import sys

import front_secret
import late
from checks import equal, refused

ENDPOINT, COMMAND = sys.argv[1:3]
ACCOUNT, REGION, BUCKET = "111111111111", "us-west-2", "pl-pt99-5-uploads"
SESSION = late.session()
SESSION.set_credentials(ACCOUNT, front_secret.SECRET)


def client(service):
    return SESSION.create_client(service, region_name=REGION, endpoint_url=ENDPOINT)


FILES, S3, EVENTS = client("s3files"), client("s3"), client("events")


def system():
    found = FILES.list_file_systems()["fileSystems"]
    equal("file systems", [one["bucket"] for one in found], [f"arn:aws:s3:::{BUCKET}"])
    return FILES.get_file_system(fileSystemId=found[0]["fileSystemId"])


def rules():
    return [rule["Name"] for rule in EVENTS.list_rules(NamePrefix="DO-NOT-DELETE")["Rules"]]


def deployed():
    found = system()
    identifier = found["fileSystemId"]
    tags = {tag["key"]: tag["value"] for tag in found["tags"]}
    equal("tag", tags["sftpctl:environment"], "99")
    targets = [FILES.get_mount_target(mountTargetId=one["mountTargetId"])
               for one in FILES.list_mount_targets(fileSystemId=identifier)["mountTargets"]]
    equal("mount targets", sorted((one["subnetId"], *one["securityGroups"]) for one in targets),
          [("subnet-0123456789abcdef0", "sg-0123456789abcdef0"), ("subnet-0123456789abcdef1", "sg-0123456789abcdef0")])
    points = FILES.list_access_points(fileSystemId=identifier)["accessPoints"]
    equal("access points", [(one["posixUser"]["uid"], one["posixUser"]["gid"]) for one in points], [(48, 48)])
    stack = client("cloudformation").describe_stacks(StackName=f"sftp-99-upload-{REGION}")["Stacks"][0]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    equal("output", outputs["FilesSystem99x2d5"], identifier)
    equal("output", outputs["FilesAccessPoint99x2d5u48g48"], points[0]["accessPointId"])
    equal("rules of S3 Files", rules(), [f"DO-NOT-DELETE-S3-Files-{identifier}"])
    assert "EventBridgeConfiguration" in S3.get_bucket_notification_configuration(Bucket=BUCKET)
    role = client("iam").get_role(RoleName=found["roleArn"].split("/")[-1])["Role"]
    statement = role["AssumeRolePolicyDocument"]["Statement"][0]
    equal("trust", statement["Principal"], {"Service": "elasticfilesystem.amazonaws.com"})
    equal("source", statement["Condition"], {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:s3files:{REGION}:{ACCOUNT}:file-system/*"},
    })
    print(json.dumps({"fileSystem": identifier, "accessPoint": points[0]["accessPointId"]}))


def role_of_others():
    """A role that the service cannot assume: any other of the environment."""
    roles = client("iam").list_roles()["Roles"]
    is_other = lambda role: "elasticfilesystem" not in json.dumps(role["AssumeRolePolicyDocument"])
    return next(role["Arn"] for role in roles if is_other(role))


def strict():
    """What AWS refuses."""
    found = system()
    identifier, role = found["fileSystemId"], found["roleArn"]
    S3.create_bucket(Bucket="unversioned", CreateBucketConfiguration={"LocationConstraint": REGION})
    invalid, conflict, create = "ValidationException", "ConflictException", FILES.create_file_system
    refused("an unversioned bucket", invalid, "must have versioning enabled", create, bucket="arn:aws:s3:::unversioned",
            roleArn=role)
    refused("no bucket", invalid, "bucket nowhere does not exist", create, bucket="arn:aws:s3:::nowhere", roleArn=role)
    other = f"arn:aws:s3:::{BUCKET.replace('-5-', '-0-')}"
    refused("no role", invalid, "role/nobody does not exist", create, bucket=other,
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/nobody")
    refused("a role of others", invalid, "cannot assume the role", create, bucket=other, roleArn=role_of_others())
    refused("the same bucket", conflict, "exists already", create, bucket=found["bucket"], roleArn=role)
    refused("a file system in use", conflict, "has mount targets or access points", FILES.delete_file_system,
            fileSystemId=identifier)
    refused("a second mount target", conflict, "has a mount target in", FILES.create_mount_target,
            fileSystemId=identifier, subnetId="subnet-0123456789abcdef0")
    S3.delete_bucket(Bucket="unversioned")


def meddle():
    """Another security group, by hand."""
    target = FILES.list_mount_targets(fileSystemId=system()["fileSystemId"])["mountTargets"][0]
    FILES.update_mount_target(mountTargetId=target["mountTargetId"], securityGroups=["sg-0123456789abcdef9"])


def occupy():
    """An access point of others."""
    FILES.create_access_point(fileSystemId=system()["fileSystemId"], tags=[{"key": "Name", "value": "others"}])


def vacate():
    for point in FILES.list_access_points(fileSystemId=system()["fileSystemId"])["accessPoints"]:
        FILES.delete_access_point(accessPointId=point["accessPointId"])


def left():
    equal("file systems", FILES.list_file_systems()["fileSystems"], [])
    equal("mount targets", FILES.list_mount_targets()["mountTargets"], [])
    equal("rules of S3 Files", rules(), [])


{"deployed": deployed, "strict": strict, "meddle": meddle, "occupy": occupy, "vacate": vacate,
 "left": left}[COMMAND]()
