class Dashboards:
    """CloudWatch dashboards: MiniStack keeps one of each name a region, without tags, and takes any body.

    Sources: CloudWatch API reference, PutDashboard ("All dashboards in your account are global, not region-specific"; tags only
    at creation); CloudWatch user guide, "Dashboard body structure and syntax"; the messages as users of Terraform, the CDK and
    CloudFormation have reported them. Checked are names, the grid, the types of widgets and the form of metrics.
    """

    NAME = re.compile(r"[A-Za-z0-9_-]{1,255}\Z")
    # The type, and what its properties must have.
    WIDGETS = {"alarm": ["alarms"], "explorer": [], "log": ["query", "region"], "metric": ["region"], "text": ["markdown"]}

    def __init__(self, cloudwatch, responses):
        self.cloudwatch = cloudwatch

        self.put, self.check_tagged = cloudwatch._put_dashboard, cloudwatch._validate_alarm_tag_arn
        cloudwatch._dashboards = responses.AccountScopedDict()
        assert type(cloudwatch._resource_tags) is responses.AccountScopedDict
        cloudwatch._put_dashboard = self.put_dashboard
        cloudwatch._get_dashboard = self.known(cloudwatch._get_dashboard)
        cloudwatch._validate_alarm_tag_arn = self.taggable

    def refused(self, code, shape, message, status, cbor, json_=False):
        status, headers, body = self.cloudwatch._error(code, message, status, use_json=json_, use_cbor=cbor)
        if cbor or json_:
            # The shape, and the code of the query protocol beside it, which SDKs take.
            error = {"__type": f"com.amazonaws.cloudwatch#{shape}", "message": message}
            headers = {**headers, "x-amzn-query-error": f"{code};Sender"}
            if cbor:
                import cbor2
            body = cbor2.dumps(error) if cbor else json.dumps(error).encode()
        return status, headers, body

    def known(self, get):
        def known_only(params, data, cbor, json_=False):
            name = data.get("DashboardName", "") if cbor or json_ else self.cloudwatch._p(params, "DashboardName")
            if name not in self.cloudwatch._dashboards:
                message = f"Dashboard {name} does not exist"
                return self.refused("ResourceNotFound", "DashboardNotFoundError", message, 404, cbor, json_)
            return get(params, data, cbor, json_)

        return known_only

    def put_dashboard(self, params, data, cbor, json_=False):
        if not (cbor or json_):
            data = {name: self.cloudwatch._p(params, name) for name in ("DashboardName", "DashboardBody")}
        name, body = data.get("DashboardName", ""), data.get("DashboardBody", "")
        if not self.NAME.match(name):
            message = f"The value {name} for parameter DashboardName does not match the required pattern"
            return self.refused("InvalidParameterValue", "InvalidParameterValueException", message, 400, cbor, json_)
        faults = self.faults(body)
        if faults:
            message = f"The dashboard body is invalid, there are {len(faults)} validation errors:\n{json.dumps(faults, indent=2)}"
            return self.refused("InvalidParameterInput", "DashboardInvalidInputError", message, 400, cbor, json_)
        is_new = name not in self.cloudwatch._dashboards
        answer = self.put(params, data, cbor, json_)
        if is_new:
            tags = {tag["Key"]: tag.get("Value", "") for tag in data.get("Tags") or []}
            self.cloudwatch._resource_tags[self.cloudwatch._dashboards[name]["DashboardArn"]] = tags
        return answer

    def faults(self, body):
        def fault(path, message):
            return {"dataPath": path, "message": message}

        try:
            whole = json.loads(body)
        except ValueError:
            return [fault("", "The field DashboardBody must be a valid JSON object")]
        if not isinstance(whole, dict) or not isinstance(whole.get("widgets"), list):
            return [fault("", "Should have required property 'widgets'")]
        faults = []
        for index, widget in enumerate(whole["widgets"]):
            path, properties = f"/widgets/{index}", widget.get("properties", {})
            if widget.get("type") not in self.WIDGETS:
                faults.append(fault(f"{path}/type", "Should be equal to one of the allowed values"))
                continue
            for name, most in (("x", 23), ("y", None), ("width", 24), ("height", 1000)):
                value = widget.get(name)
                if value is not None and not (isinstance(value, int) and 0 <= value <= (most or value)):
                    faults.append(fault(f"{path}/{name}", f"Should be <= {most}"))
            for name in self.WIDGETS[widget["type"]]:
                if name not in properties:
                    faults.append(fault(f"{path}/properties", f"Should have required property '{name}'"))
            for number, metric in enumerate(properties.get("metrics", [])):
                faults += [fault(f"{path}/properties/metrics/{number}{at}", text) for at, text in self.metric(metric)]
        return faults

    @staticmethod
    def metric(metric):
        """The faults of one line of a chart."""
        strings = metric[:-1] if metric and isinstance(metric[-1], dict) else metric
        wrong = [at for at, part in enumerate(strings) if not isinstance(part, str)]
        for at in wrong:
            yield f"/{at}", "Invalid metric field type, only 'String' type is allowed"
        # Namespace and name, and then names and values of dimensions: an odd one is taken for too much.
        if len(strings) % 2 and not wrong:
            yield "", f"Should NOT have more than {len(metric) - 1} items"

    def taggable(self, arn, is_json=False, is_cbor=False):
        if ":dashboard/" not in arn:
            return self.check_tagged(arn, is_json=is_json, is_cbor=is_cbor)
        if any(found["DashboardArn"] == arn for found in self.cloudwatch._dashboards.values()):
            return None
        return self.refused("ResourceNotFound", "ResourceNotFoundException", f"{arn} does not exist", 404, is_cbor, is_json)
