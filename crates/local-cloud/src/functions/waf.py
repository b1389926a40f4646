class WebAcls:
    """What AWS WAF refuses, and its types for CloudFormation, which MiniStack has not or not whole.

    Sources: the AWS WAF API reference; the schemas of `AWS::WAFv2::*` in CloudFormation's registry; the messages as users of
    Terraform and the CDK have reported them. Checked is what a web ACL of sftpctl may have: other statements are refused, since
    the front does not evaluate them. A web ACL that is associated with a stage takes the place of another one, as on AWS.
    """

    SCOPES, FALLBACKS = ("CLOUDFRONT", "REGIONAL"), ("MATCH", "NO_MATCH")
    NAME = re.compile(r"[0-9A-Za-z_-]{1,128}\Z")
    HEADER = re.compile(r"[a-zA-Z0-9-]{1,255}\Z")
    STAGE = re.compile(r"arn:aws:apigateway:([a-z0-9-]+)::/restapis/([^/]+)/stages/([^/]+)\Z")
    RESERVED = ("All", "Default_Action")
    FIELDS = ("SINGLE_HEADER", "SINGLE_COOKIE", "SINGLE_QUERY_ARGUMENT", "QUERY_STRING", "BODY")
    ASSOCIATED = ("AWS WAF couldn\u2019t perform the operation because your resource is being used by another resource or "
                  "it\u2019s associated with another resource.")
    MISSING = "AWS WAF couldn\u2019t perform the operation because your resource doesn\u2019t exist."
    # The properties that replace a resource, and all that drift detection compares.
    TYPES = {
        "WebACL": (("Name", "Scope"), ("DataProtectionConfig", "DefaultAction", "Description", "Name", "Rules", "Scope", "Tags",
                                       "VisibilityConfig")),
        "IPSet": (("Name", "Scope"), ("Addresses", "IPAddressVersion", "Name", "Scope", "Tags")),
        "WebACLAssociation": (("ResourceArn", "WebACLArn"), ("ResourceArn", "WebACLArn")),
    }

    class Refused(Exception):
        """A call that AWS refuses: its code and its text."""

    def __init__(self, service, gateway, responses):
        self.service, self.gateway, self.responses = service, gateway, responses
        self.plain = {}
        for name in ("create_web_acl", "update_web_acl", "delete_web_acl", "associate_web_acl", "disassociate_web_acl",
                     "get_web_acl_for_resource", "create_ip_set", "update_ip_set", "delete_ip_set"):
            self.plain[name] = getattr(service, "_" + name)
            setattr(service, "_" + name, self.checked(getattr(self, name)))

    # The API.

    def checked(self, operation):
        def answer(data):
            try:
                return operation(data)
            except WebAcls.Refused as refused:
                code, message = refused.args
                return self.responses.error_response_json(code, message, 400)

        return answer

    def invalid(self, field, parameter, reason="The parameter contains formatting that is not valid."):
        message = f"Error reason: {reason}, field: {field}, parameter: {parameter}"
        raise WebAcls.Refused("WAFInvalidParameterException", message)

    def create_web_acl(self, data):
        self.check_named(data)
        self.check_acl(data)
        answer = self.plain["create_web_acl"](data)
        if answer[0] == 200:
            self.protect(json.loads(answer[2])["Summary"]["Id"], data)
        return answer

    def update_web_acl(self, data):
        self.check_acl(data)
        answer = self.plain["update_web_acl"](data)
        if answer[0] == 200:
            self.service.web_acl_record(data["Id"], data["Scope"])["Description"] = data.get("Description", "")
            self.protect(data["Id"], data)
        return answer

    def protect(self, identifier, data):
        """An update replaces the whole: what it leaves out is gone."""
        acl = self.service.web_acl_record(identifier, data["Scope"])
        acl.pop("DataProtectionConfig", None)
        if "DataProtectionConfig" in data:
            acl["DataProtectionConfig"] = data["DataProtectionConfig"]

    def delete_web_acl(self, data):
        acl = self.service.web_acl_record(data.get("Id", ""), data.get("Scope", "REGIONAL"))
        if acl and any(of == acl["ARN"] and self.stage(stage) is not None for stage, of in self.associations()):
            raise WebAcls.Refused("WAFAssociatedItemException", self.ASSOCIATED)
        return self.plain["delete_web_acl"](data)

    def associations(self):
        return list(self.service._associations.items())

    def stage(self, arn):
        found = self.STAGE.match(arn)
        if not found or found[1] != self.responses.get_region():
            return None
        return self.gateway._stages_v1.get(found[2], {}).get(found[3])

    def associate_web_acl(self, data):
        stage = self.stage(data.get("ResourceArn", ""))
        if not self.STAGE.match(data.get("ResourceArn", "")):
            self.invalid("RESOURCE_ARN", data.get("ResourceArn", ""), "The ARN isn\u2019t valid.")
        if stage is None:
            raise WebAcls.Refused("WAFNonexistentItemException", self.MISSING)
        answer = self.plain["associate_web_acl"](data)
        if answer[0] == 200:
            stage["webAclArn"] = data["WebACLArn"]
        return answer

    def disassociate_web_acl(self, data):
        stage = self.stage(data.get("ResourceArn", ""))
        if stage is None:
            raise WebAcls.Refused("WAFNonexistentItemException", self.MISSING)
        stage.pop("webAclArn", None)
        return self.plain["disassociate_web_acl"](data)

    def get_web_acl_for_resource(self, data):
        if self.stage(data.get("ResourceArn", "")) is None:
            raise WebAcls.Refused("WAFNonexistentItemException", self.MISSING)
        if data["ResourceArn"] not in self.service._associations:
            return self.responses.json_response({})
        return self.plain["get_web_acl_for_resource"](data)

    def create_ip_set(self, data):
        self.check_named(data)
        addresses = self.in_full(data.get("IPAddressVersion"), data.get("Addresses", []))
        return self.plain["create_ip_set"]({**data, "Addresses": addresses})

    def update_ip_set(self, data):
        found = self.service._resource_from_scope(self.service._ip_sets, data.get("Id", ""), data.get("Scope", "REGIONAL"))
        if found:
            self.check_lock(found, data)
            data = {**data, "Addresses": self.in_full(found["IPAddressVersion"], data.get("Addresses", []))}
        return self.plain["update_ip_set"](data)

    def delete_ip_set(self, data):
        found = self.service._resource_from_scope(self.service._ip_sets, data.get("Id", ""), data.get("Scope", "REGIONAL"))
        if found:
            self.check_lock(found, data)
            acls = self.service._values_for_scope(self.service._web_acls, found["Scope"])
            if any(found["ARN"] in json.dumps(acl["Rules"]) for acl in acls):
                raise WebAcls.Refused("WAFAssociatedItemException", self.ASSOCIATED)
        return self.plain["delete_ip_set"](data)

    def check_lock(self, found, data):
        if data.get("LockToken") != found["LockToken"]:
            message = "AWS WAF couldn\u2019t save your changes because someone changed the resource after you started to " \
                      "edit it. Reapply your changes."
            raise WebAcls.Refused("WAFOptimisticLockException", message)

    # What a web ACL and a set may be.

    def check_named(self, data):
        if not self.NAME.match(data.get("Name", "")):
            self.invalid("NAME", data.get("Name", ""))
        if data.get("Scope") not in self.SCOPES:
            self.invalid("SCOPE_VALUE", data.get("Scope"))

    def in_full(self, version, addresses):
        """The ranges as AWS WAF gives them back: all groups of IPv6 with four digits (terraform-provider-aws, issue 22797)."""
        kinds = {"IPV4": ipaddress.IPv4Network, "IPV6": ipaddress.IPv6Network}
        if version not in kinds:
            self.invalid("IP_ADDRESS_VERSION", version)
        full = []
        for address in addresses:
            try:
                # With bits after the prefix it is no network.
                network = kinds[version](address)
            except ValueError:
                self.invalid("IP_ADDRESS", address)
            if "/" not in address or network.prefixlen == 0:
                self.invalid("IP_ADDRESS", address)
            full.append(network.exploded)
        return full

    def check_acl(self, data):
        if len(data.get("DefaultAction", {})) != 1 or not {"Allow", "Block"} >= set(data["DefaultAction"]):
            self.invalid("DEFAULT_ACTION", "DefaultAction", "You have used none or multiple values for a field that requires "
                         "exactly one value.")
        self.check_visibility(data.get("VisibilityConfig"))
        names, priorities, metrics = set(), set(), set()
        for rule in data.get("Rules", []):
            if not self.NAME.match(rule.get("Name", "")):
                self.invalid("RULE", rule.get("Name", ""))
            self.check_visibility(rule.get("VisibilityConfig"))
            if not isinstance(rule.get("Priority"), int) or rule["Priority"] in priorities:
                self.invalid("RULE", "Priority", "Your statement has multiple rules with the same priority")
            if rule["Name"] in names or rule["VisibilityConfig"]["MetricName"] in metrics:
                self.invalid("RULE", "Name", "A duplicate rule name or metric name was found")
            if len({"Action", "OverrideAction"} & rule.keys()) != 1 or not {"Allow", "Block", "Count"} >= set(rule.get("Action", {})):
                self.invalid("RULE_ACTION", "RuleAction", "A rule action that is not modelled, or none")
            self.check_statement(rule.get("Statement", {}), True)
            names.add(rule["Name"])
            priorities.add(rule["Priority"])
            metrics.add(rule["VisibilityConfig"]["MetricName"])
        for protected in data.get("DataProtectionConfig", {}).get("DataProtections", []):
            kind, keys = protected["Field"].get("FieldType"), protected["Field"].get("FieldKeys", [])
            if kind not in self.FIELDS or protected.get("Action") not in ("HASH", "SUBSTITUTION"):
                self.invalid("DATA_PROTECTION_CONFIG", kind)
            if kind.startswith("SINGLE_") and not keys:
                self.invalid("DATA_PROTECTION_CONFIG", "FieldKeys")

    def check_visibility(self, config):
        needed = {"SampledRequestsEnabled", "CloudWatchMetricsEnabled", "MetricName"}
        if not config or not needed <= config.keys() or not re.fullmatch(r"[\w-]{1,128}", config["MetricName"]) \
                or config["MetricName"] in self.RESERVED:
            self.invalid("METRIC_NAME", (config or {}).get("MetricName"))

    def check_statement(self, statement, is_top):
        if len(statement) != 1:
            self.invalid("STATEMENT", "Statement", "You have used none or multiple values for a field that requires exactly one "
                         "value.")
        (kind, content), = statement.items()
        if kind == "IPSetReferenceStatement":
            _, refused = self.service._resolve_local_waf_resource_arn(content.get("ARN", ""), ("ipset",))
            if refused:
                raise WebAcls.Refused("WAFNonexistentItemException", self.MISSING)
            self.check_forwarded(content.get("IPSetForwardedIPConfig"), ("FIRST", "LAST", "ANY"))
        elif kind == "GeoMatchStatement":
            if not content.get("CountryCodes") or not all(re.fullmatch("[A-Z]{2}", code) for code in content["CountryCodes"]):
                self.invalid("GEO_MATCH_STATEMENT", content.get("CountryCodes"))
            self.check_forwarded(content.get("ForwardedIPConfig"))
        elif kind in ("AndStatement", "OrStatement"):
            if len(content.get("Statements", [])) < 2:
                self.invalid(kind[:-9].upper() + "_STATEMENT", "Statements")
            for inner in content["Statements"]:
                self.check_statement(inner, False)
        elif kind == "NotStatement":
            self.check_statement(content.get("Statement", {}), False)
        elif kind == "RateBasedStatement" and is_top:
            self.check_rate(content)
        else:
            self.invalid("STATEMENT", kind, "A statement that the local cloud does not model, or not in this place")

    def check_forwarded(self, config, positions=None):
        if config is None:
            return
        if not self.HEADER.match(config.get("HeaderName", "")) or config.get("FallbackBehavior") not in self.FALLBACKS \
                or (positions and config.get("Position") not in positions):
            self.invalid("FORWARDED_IP_CONFIG", config.get("HeaderName"))

    def check_rate(self, content):
        kind, keys, config = content.get("AggregateKeyType"), content.get("CustomKeys", []), content.get("ForwardedIPConfig")
        if not isinstance(content.get("Limit"), int) or not 10 <= content["Limit"] <= 2_000_000_000:
            self.invalid("RATE_BASED_STATEMENT", content.get("Limit"), "The limit must be between 10 and 2,000,000,000")
        if content.get("EvaluationWindowSec", 300) not in (60, 120, 300, 600):
            self.invalid("EVALUATION_WINDOW_SEC", content["EvaluationWindowSec"])
        names = [name for key in keys for name in key]
        needs_config = kind == "FORWARDED_IP" or "ForwardedIP" in names
        if kind not in ("IP", "FORWARDED_IP", "CUSTOM_KEYS", "CONSTANT") or needs_config != (config is not None):
            self.invalid("RATE_BASED_STATEMENT", "ForwardedIPConfig")
        if (kind == "CUSTOM_KEYS") != (1 <= len(keys) <= 5) or names in (["IP"], ["ForwardedIP"]):
            # An address alone is no custom key.
            self.invalid("CUSTOM_KEYS", "CustomKeys")
        for key in keys:
            if not {"ForwardedIP", "IP", "UriPath"} >= set(key) or ("UriPath" in key and not key["UriPath"].get("TextTransformations")):
                self.invalid("CUSTOM_KEYS", "CustomKeys", "A key that the local cloud does not model, or without a transformation")
        self.check_forwarded(config)
        if "ScopeDownStatement" in content:
            self.check_statement(content["ScopeDownStatement"], False)

    # The types.

    def register(self, provisioners, drift):
        for kind, (replacing, all_) in self.TYPES.items():
            name = f"AWS::WAFv2::{kind}"
            provisioners._RESOURCE_HANDLERS[name] = {
                "create": lambda logical, given, stack, kind=kind: self.created(kind, given),
                "update": lambda physical, old, new, stack, kind=kind: self.updated(kind, physical, new),
                "delete": lambda physical, given, kind=kind: self.deleted(kind, physical),
            }
            provisioners._REPLACING_PROPERTIES[name] = replacing
            drift._DRIFT_READERS[name] = (
                lambda physical, given, kind=kind: self.current(kind, physical), frozenset(all_))
            if "Tags" in all_:
                provisioners._STACK_TAG_PROPERTY[name] = ("Tags", "list")

    def created(self, kind, given):
        if kind == "WebACLAssociation":
            self.answered(self.service._associate_web_acl(given))
            return f"{given['ResourceArn']}|{given['WebACLArn']}", {}
        make = self.service._create_web_acl if kind == "WebACL" else self.service._create_ip_set
        found = self.answered(make(self.spelled(given, "ARN")))["Summary"]
        return f"{found['Name']}|{found['Id']}|{given['Scope']}", {"Arn": found["ARN"], "Id": found["Id"]}

    def updated(self, kind, physical, new):
        name, identifier, scope = physical.split("|")
        found = self.found(kind, physical)
        change = self.service._update_web_acl if kind == "WebACL" else self.service._update_ip_set
        new = self.spelled(new, "ARN")
        self.answered(change({**new, "Name": name, "Id": identifier, "Scope": scope, "LockToken": found["LockToken"]}))
        self.service._waf_tags[found["ARN"]] = new.get("Tags", [])
        return physical, {"Arn": found["ARN"], "Id": identifier}

    def deleted(self, kind, physical):
        if kind == "WebACLAssociation":
            stage, acl = physical.split("|")
            # What is gone already, or another's by now, is not touched.
            if self.service._associations.get(stage) == acl and self.stage(stage) is not None:
                self.answered(self.service._disassociate_web_acl({"ResourceArn": stage}))
            return
        found = self.found(kind, physical)
        if found:
            drop = self.service._delete_web_acl if kind == "WebACL" else self.service._delete_ip_set
            self.answered(drop({"Id": found["Id"], "Scope": found["Scope"], "LockToken": found["LockToken"]}))

    def found(self, kind, physical):
        store = self.service._web_acls if kind == "WebACL" else self.service._ip_sets
        _, identifier, scope = physical.split("|")
        return self.service._resource_from_scope(store, identifier, scope)

    def current(self, kind, physical):
        """The resource's properties now, in the template's words."""
        if kind == "WebACLAssociation":
            stage, _ = physical.split("|")
            acl = self.service._associations.get(stage)
            return None if acl is None else {"ResourceArn": stage, "WebACLArn": acl}
        found = self.found(kind, physical)
        if found is None:
            return None
        shown = {name: self.spelled(value, "Arn") for name, value in found.items() if name in self.TYPES[kind][1]}
        return {**shown, "Tags": {tag["Key"]: tag["Value"] for tag in self.service._waf_tags.get(found["ARN"], [])}}

    def spelled(self, value, name):
        """Statements with the member `ARN` as the API calls it, or `Arn` as templates do."""
        if isinstance(value, list):
            return [self.spelled(one, name) for one in value]
        if not isinstance(value, dict):
            return value
        value = {key: self.spelled(one, name) for key, one in value.items()}
        if "IPSetReferenceStatement" in value:
            value["IPSetReferenceStatement"] = {
                name if key.upper() == "ARN" else key: one for key, one in value["IPSetReferenceStatement"].items()}
        return value

    @staticmethod
    def answered(answer):
        status, _, body = answer
        content = json.loads(body) if body else {}
        if status >= 400:
            code = content.get("__type", "").rsplit("#", 1)[-1]
            raise ValueError(f"{content.get('message', content)} (Service: Wafv2, Status Code: {status}, Error Code: {code})")
        return content
