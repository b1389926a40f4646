class FileSystems:
    """What Amazon S3 Files refuses, and its types for CloudFormation, which MiniStack does not have.

    Sources: the API reference of S3 Files; the schemas of `AWS::S3Files::*` in CloudFormation's registry; the S3 user
    guide, "Prerequisites for S3 Files". The types call the service's own API, so that both refuse the same.

    AWS refuses more than this:
    - subnets and security groups that do not exist: here any ID of the right form will do, since an environment file
      names those of AWS;
    - a second mount target in an availability zone: here in a subnet, since the zones of subnets are not known;
    - the deletion of a file system with files that are not exported yet: there is no NFS here, and so no such files;
    - a role whose trust has conditions that do not hold: here its policy only has to name the service.
    """

    REQUIRED = {
        "FileSystem": ["Bucket", "RoleArn"],
        "MountTarget": ["FileSystemId", "SubnetId"],
        "AccessPoint": ["FileSystemId"],
    }
    # Those that replace the resource, and others.
    PROPERTIES = {
        "FileSystem": (["AcceptBucketWarning", "Bucket", "ClientToken", "KmsKeyId", "Prefix", "RoleArn"],
                       ["SynchronizationConfiguration", "Tags"]),
        "MountTarget": (["FileSystemId", "IpAddressType", "Ipv4Address", "Ipv6Address", "SubnetId"], ["SecurityGroups"]),
        "AccessPoint": (["ClientToken", "FileSystemId", "PosixUser", "RootDirectory"], ["Tags"]),
    }
    # The attributes, beside the ID that `Ref` returns.
    ATTRIBUTES = {
        "FileSystem": ["CreationTime", "FileSystemArn", "FileSystemId", "OwnerId", "Status", "StatusMessage"],
        "MountTarget": ["AvailabilityZoneId", "MountTargetId", "NetworkInterfaceId", "OwnerId", "Status", "StatusMessage",
                        "VpcId"],
        "AccessPoint": ["AccessPointArn", "AccessPointId", "OwnerId", "Status"],
    }
    IDENTIFIER = {"FileSystem": "FileSystemArn", "MountTarget": "MountTargetId", "AccessPoint": "AccessPointId"}
    RULE, MANAGER = "DO-NOT-DELETE-S3-Files-", "elasticfilesystem.amazonaws.com"

    def __init__(self, service, s3, iam, rules):
        self.service, self.s3, self.iam, self.rules = service, s3, iam, rules
        self.plain = {name: getattr(service, name) for name in (
            "_create_file_system", "_delete_file_system", "_create_mount_target", "_create_access_point")}
        for name in self.plain:
            setattr(service, name, getattr(self, name[1:]))

    # The API.

    def create_file_system(self, data):
        problem = self.bucket_problem(data.get("bucket", "")) or self.role_problem(data.get("roleArn", ""))
        if problem:
            return self.service._VALIDATION(problem)
        if any(one["bucket"] == data["bucket"] and one.get("prefix", "") == data.get("prefix", "")
               for one in self.service._file_systems.values()):
            return self.service._CONFLICT("A file system for this bucket and prefix exists already")
        answer = self.plain["_create_file_system"](data)
        system = json.loads(answer[2])
        bucket = data["bucket"].split(":::")[1]
        # By the bucket's events, which have to be on already (the template turns them on), it learns of changes.
        self.rules._ensure_default_bus()
        name = self.RULE + system["fileSystemId"]
        pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}
        self.rules._put_rule({"Name": name, "EventPattern": json.dumps(pattern)})
        self.rules._rules[self.rules._rule_key(name, "default")]["ManagedBy"] = self.MANAGER
        return answer

    def bucket_problem(self, arn):
        if not re.fullmatch(r"arn:aws[a-zA-Z0-9-]*:s3:::.+", arn):
            return f"{arn} is not the ARN of a bucket"
        name = arn.split(":::")[1]
        if name not in self.s3._buckets:
            return f"The bucket {name} does not exist"
        if self.s3._bucket_versioning.get(name) != "Enabled":
            return f"The bucket {name} must have versioning enabled"
        return None

    def role_problem(self, arn):
        role = self.iam._roles.get(arn.rsplit("/", 1)[-1])
        if role is None or role["Arn"] != arn:
            return f"The role {arn} does not exist"
        if self.MANAGER not in role["AssumeRolePolicyDocument"]:
            return f"{self.MANAGER} cannot assume the role {arn}"
        return None

    def delete_file_system(self, identifier):
        of = [one for store in (self.service._mount_targets, self.service._access_points) for one in store.values()
              if one["fileSystemId"] == identifier]
        if of:
            return self.service._CONFLICT(f"File system {identifier} has mount targets or access points")
        answer = self.plain["_delete_file_system"](identifier)
        if answer[0] < 300:
            self.rules._delete_rule({"Name": self.RULE + identifier})
        return answer

    def create_mount_target(self, data):
        identifier, subnet = self.service._resolve_id(data.get("fileSystemId")), data.get("subnetId", "")
        if not re.fullmatch("subnet-[0-9a-f]{8,40}", subnet):
            return self.service._VALIDATION(f"{subnet} is not the ID of a subnet")
        groups = data.get("securityGroups") or []
        if not all(re.fullmatch("sg-[0-9a-f]{8,40}", group) for group in groups):
            return self.service._VALIDATION(f"{groups} are not the IDs of security groups")
        if any(one["fileSystemId"] == identifier and one["subnetId"] == subnet
               for one in self.service._mount_targets.values()):
            return self.service._CONFLICT(f"File system {identifier} has a mount target in {subnet} already")
        return self.plain["_create_mount_target"](data)

    def create_access_point(self, data):
        user = data.get("posixUser")
        if user is not None and not {"uid", "gid"} <= user.keys():
            return self.service._VALIDATION("posixUser needs uid and gid")
        return self.plain["_create_access_point"](data)

    # The types.

    def register(self, provisioners, drift):
        for kind, (replacing, _) in self.PROPERTIES.items():
            name = f"AWS::S3Files::{kind}"
            provisioners._RESOURCE_HANDLERS[name] = {
                "create": lambda logical, given, stack, kind=kind: self.created(kind, given),
                "update": lambda physical, old, new, stack, kind=kind: self.updated(kind, physical, new),
                "delete": lambda physical, given, kind=kind: self.deleted(kind, physical),
            }
            provisioners._REPLACING_PROPERTIES[name] = tuple(replacing)
            readable = {"Bucket", "RoleArn", "FileSystemId", "SubnetId", "SecurityGroups", "PosixUser", "Tags"}
            drift._DRIFT_READERS[name] = (
                lambda physical, given, kind=kind: self.current(kind, physical),
                frozenset(readable & {*replacing, *self.PROPERTIES[kind][1]}))
            if "Tags" in self.PROPERTIES[kind][1]:
                provisioners._STACK_TAG_PROPERTY[name] = ("Tags", "list")

    def created(self, kind, given):
        known = [name for list in self.PROPERTIES[kind] for name in list]
        for name in self.REQUIRED[kind]:
            if name not in given:
                raise ValueError(f"Properties validation failed: required key [{name}] not found")
        for name in given:
            if name not in known:
                raise ValueError(f"Properties validation failed: extraneous key [{name}] is not permitted")
        make = {"FileSystem": self.service._create_file_system, "MountTarget": self.service._create_mount_target,
                "AccessPoint": self.service._create_access_point}[kind]
        data = {lower(name): value for name, value in given.items()}
        if "tags" in data:
            data["tags"] = [lowered(tag) for tag in data["tags"]]
        if "posixUser" in data:
            user = lowered(data["posixUser"])
            data["posixUser"] = {name: [int(one) for one in value] if isinstance(value, list) else int(value)
                                 for name, value in user.items()}
        found = {name[:1].upper() + name[1:]: value for name, value in self.answered(make(data)).items()}
        return found[self.IDENTIFIER[kind]], {name: str(found.get(name, "")) for name in self.ATTRIBUTES[kind]}

    def updated(self, kind, physical, new):
        if kind == "MountTarget":
            self.answered(self.service._update_mount_target(physical, {"securityGroups": new.get("SecurityGroups", [])}))
        else:
            identifier = self.service._resolve_id(physical, prefer="any")
            self.service._tags[identifier] = [lowered(tag) for tag in new.get("Tags", [])]
        found = {name[:1].upper() + name[1:]: value for name, value in self.got(kind, physical).items()}
        return physical, {name: str(found.get(name, "")) for name in self.ATTRIBUTES[kind]}

    def deleted(self, kind, physical):
        drop = {"FileSystem": self.service._delete_file_system, "MountTarget": self.service._delete_mount_target,
                "AccessPoint": self.service._delete_access_point}[kind]
        answer = drop(self.service._resolve_id(physical, prefer="any"))
        # What is gone already is deleted.
        if answer[0] != 404:
            self.answered(answer)

    def got(self, kind, physical):
        get = {"FileSystem": self.service._get_file_system, "MountTarget": self.service._get_mount_target,
               "AccessPoint": self.service._get_access_point}[kind]
        answer = get(self.service._resolve_id(physical, prefer="any"))
        return None if answer[0] == 404 else self.answered(answer)

    def current(self, kind, physical):
        """The resource's properties now, in the template's words."""
        found = self.got(kind, physical)
        if found is None:
            return None
        shown = {name[:1].upper() + name[1:]: value for name, value in found.items() if value not in ("", {}, [])}
        shown["Tags"] = {tag["key"]: tag["value"] for tag in found.get("tags", [])}
        if "PosixUser" in shown:
            shown["PosixUser"] = {name[:1].upper() + name[1:]: value for name, value in shown["PosixUser"].items()}
        return shown

    @staticmethod
    def answered(answer):
        status, _, body = answer
        content = json.loads(body) if body else {}
        if status >= 400:
            raise ValueError(f"{content.get('message', content)} (Service: S3Files, Status Code: {status})")
        return content


def lower(name):
    return name[:1].lower() + name[1:]


def lowered(members):
    return {lower(name): value for name, value in members.items()}
