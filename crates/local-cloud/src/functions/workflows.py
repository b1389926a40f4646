class Workflows(Kept):
    """Workflows of Transfer Family, and their type for CloudFormation, which MiniStack does not have.

    Sources: Transfer Family API reference, CreateWorkflow, DescribeWorkflow, ListWorkflows and DeleteWorkflow; the
    schema of `AWS::Transfer::Workflow` in CloudFormation's registry. The front checks a call by the service's model,
    and what a step needs, before it passes it on; what a stack creates is checked here.

    AWS does not document what becomes of a server whose workflow is deleted. Here it goes, and the server starts
    nothing.
    """

    TYPE = "AWS::Transfer::Workflow"
    # All replace it but the tags.
    PROPERTIES = ["Description", "OnExceptionSteps", "Steps", "Tags"]
    REPLACING = ("Description", "OnExceptionSteps", "Steps")
    # In an account and region (user guide, "Managed workflows restrictions and limitations"). Of the errors that the
    # API reference has for CreateWorkflow, one fits; its words are not documented.
    MOST = 10
    # What the front runs.
    RUN = "DECRYPT"

    def __init__(self, transfer, responses):
        super().__init__(transfer, "workflows", responses, {
            "CreateWorkflow": self.create, "DescribeWorkflow": self.describe, "ListWorkflows": self.list,
            "DeleteWorkflow": self.delete})
        self.transfer, self.all = transfer, self.kept

    # The API.

    def create(self, data):
        for step in data.get("Steps", []) + data.get("OnExceptionSteps", []):
            problem = self.problem(step)
            if problem:
                return self.refused("InvalidRequestException", problem)
        if len(self.all) >= self.MOST:
            return self.refused("InvalidRequestException", f"The account has {self.MOST} workflows in this region")
        identifier = "w-" + secrets.token_hex(9)[:17]
        self.all[identifier] = {name: data[name] for name in self.PROPERTIES if data.get(name)}
        return self.responses.json_response({"WorkflowId": identifier})

    def problem(self, step):
        if step.get("Type") != self.RUN:
            return f"the local cloud runs steps of the type {self.RUN} only, not {step.get('Type')}"
        details = step.get("DecryptStepDetails") or {}
        place = (details.get("DestinationFileLocation") or {}).get("S3FileLocation") or {}
        if details.get("Type") != "PGP" or not place.get("Bucket") or not place.get("Key"):
            return "a DECRYPT step needs DecryptStepDetails with Type PGP, and a bucket and a key as its destination"
        return None

    def arn(self, identifier):
        region, account = self.responses.get_region(), self.responses.get_account_id()
        return f"arn:aws:transfer:{region}:{account}:workflow/{identifier}"

    def describe(self, data):
        found = self.all.get(data["WorkflowId"])
        if found is None:
            return self.refused("ResourceNotFoundException", "Unknown workflow")
        shown = {**found, "WorkflowId": data["WorkflowId"], "Arn": self.arn(data["WorkflowId"])}
        return self.responses.json_response({"Workflow": shown})

    def list(self, data):
        found = [{"WorkflowId": identifier, "Arn": self.arn(identifier),
                  **{name: one[name] for name in ["Description"] if name in one}}
                 for identifier, one in sorted(self.all.items())]
        return self.responses.json_response({"Workflows": found[:data.get("MaxResults", 1_000)]})

    def delete(self, data):
        if self.all.pop(data["WorkflowId"], None) is None:
            return self.refused("ResourceNotFoundException", "Unknown workflow")
        return self.responses.json_response({})

    # The type.

    def register(self, provisioners, drift):
        provisioners._RESOURCE_HANDLERS[self.TYPE] = {
            "create": lambda logical, given, stack: self.created(given),
            "update": lambda physical, old, new, stack: self.updated(physical, new),
            # What is gone already is deleted.
            "delete": lambda physical, given: self.all.pop(physical, None),
        }
        provisioners._REPLACING_PROPERTIES[self.TYPE] = self.REPLACING
        provisioners._STACK_TAG_PROPERTY[self.TYPE] = ("Tags", "list")
        drift._DRIFT_READERS[self.TYPE] = (lambda physical, given: self.current(physical), frozenset(self.PROPERTIES))

    def created(self, given):
        for name in given:
            if name not in self.PROPERTIES:
                raise ValueError(f"Properties validation failed: extraneous key [{name}] is not permitted")
        if not given.get("Steps"):
            raise ValueError("Properties validation failed: required key [Steps] not found")
        status, _, body = self.create(given)
        content = json.loads(body)
        if status >= 400:
            raise ValueError(f"{content.get('message', content)} (Service: Transfer, Status Code: {status})")
        return self.attributes(content["WorkflowId"])

    def updated(self, physical, new):
        self.all[physical]["Tags"] = new.get("Tags", [])
        return self.attributes(physical)

    def attributes(self, identifier):
        return identifier, {"WorkflowId": identifier, "Arn": self.arn(identifier)}

    def current(self, physical):
        """The workflow's properties now, in the template's words."""
        found = self.all.get(physical)
        if found is None:
            return None
        return {**found, "Tags": {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}}
