class SavedQueries(Kept):
    """Saved queries of CloudWatch Logs Insights, and their type for CloudFormation, which MiniStack does not have.

    Sources: CloudWatch Logs API reference, PutQueryDefinition, DescribeQueryDefinitions and DeleteQueryDefinition; the
    schema of `AWS::Logs::QueryDefinition` in CloudFormation's registry. The query is not understood, and not checked.
    """

    TYPE = "AWS::Logs::QueryDefinition"
    # The members of the API, by the template's properties.
    MEMBERS = {"Name": "name", "QueryString": "queryString", "LogGroupNames": "logGroupNames",
               "QueryLanguage": "queryLanguage", "Parameters": "parameters"}
    # CloudWatch Logs user guide, "CloudWatch Logs quotas".
    MOST = 1_000

    def __init__(self, logs, responses):
        super().__init__(logs, "query_definitions", responses, {
            "PutQueryDefinition": self.put, "DescribeQueryDefinitions": self.describe,
            "DeleteQueryDefinition": self.delete})
        self.logs, self.saved = logs, self.kept

    # The API.

    def put(self, data):
        for name, most in (("name", 255), ("queryString", 10_000)):
            if not 1 <= len(data.get(name) or "") <= most:
                return self.refused("InvalidParameterException", f"{name} must have 1 to {most} characters")
        identifier = data.get("queryDefinitionId")
        if identifier is not None and identifier not in self.saved:
            return self.refused("ResourceNotFoundException", "The specified query definition does not exist.")
        if identifier is None and len(self.saved) >= self.MOST:
            return self.refused("LimitExceededException", "Resource limit exceeded.")
        identifier = identifier or self.responses.new_uuid()
        # What is left out is taken away.
        kept = {name: data[name] for name in self.MEMBERS.values() if data.get(name)}
        self.saved[identifier] = {"queryLanguage": "CWLI", **kept, "queryDefinitionId": identifier,
                                  "lastModified": int(time.time() * 1_000)}
        return self.responses.json_response({"queryDefinitionId": identifier})

    def describe(self, data):
        prefix, most = data.get("queryDefinitionNamePrefix", ""), min(data.get("maxResults", self.MOST), self.MOST)
        found = sorted((one for one in self.saved.values() if one["name"].startswith(prefix)),
                       key=lambda one: (one["name"], one["queryDefinitionId"]))
        start = int(data.get("nextToken") or 0)
        answer = {"queryDefinitions": found[start:start + most]}
        if start + most < len(found):
            answer["nextToken"] = str(start + most)
        return self.responses.json_response(answer)

    def delete(self, data):
        if self.saved.pop(data.get("queryDefinitionId"), None) is None:
            return self.refused("ResourceNotFoundException", "The specified query definition does not exist.")
        return self.responses.json_response({"success": True})

    # The type.

    def register(self, provisioners, drift):
        provisioners._RESOURCE_HANDLERS[self.TYPE] = {
            "create": lambda logical, given, stack: self.written(given, {}),
            "update": lambda physical, old, new, stack: self.written(new, {"queryDefinitionId": physical}),
            # What is gone already is deleted.
            "delete": lambda physical, given: self.saved.pop(physical, None),
        }
        drift._DRIFT_READERS[self.TYPE] = (lambda physical, given: self.current(physical), frozenset(self.MEMBERS))

    def written(self, given, more):
        for name in given:
            if name not in self.MEMBERS:
                raise ValueError(f"Properties validation failed: extraneous key [{name}] is not permitted")
        data = {self.MEMBERS[name]: value for name, value in given.items()}
        if "parameters" in data:
            data["parameters"] = [lowered(one) for one in data["parameters"]]
        status, _, body = self.put({**data, **more})
        content = json.loads(body)
        if status >= 400:
            raise ValueError(f"{content.get('message', content)} (Service: CloudWatchLogs, Status Code: {status})")
        identifier = content["queryDefinitionId"]
        return identifier, {"QueryDefinitionId": identifier}

    def current(self, physical):
        """The query's properties now, in the template's words."""
        found = self.saved.get(physical)
        if found is None:
            return None
        shown = {name: found[member] for name, member in self.MEMBERS.items() if member in found}
        if "Parameters" in shown:
            shown["Parameters"] = [{name[:1].upper() + name[1:]: value for name, value in one.items()}
                                   for one in shown["Parameters"]]
        return shown
