class Kept:
    """What a service keeps beside what MiniStack's does: it is saved, loaded and forgotten together with that."""

    def __init__(self, module, name, responses, calls=None):
        """`calls`: operations of the service that MiniStack does not have, by their names in `x-amz-target`."""
        self.responses, self.saved_as, self.kept = responses, name, responses.AccountRegionScopedDict()
        self.calls = calls or {}
        wrapped = ["get_state", "load_persisted_state", "reset"] + (["handle_request"] if calls else [])
        self.plain = {name: getattr(module, name) for name in wrapped}
        for name in self.plain:
            setattr(module, name, getattr(self, name))

    async def handle_request(self, method, path, headers, body, query_params):
        call = self.calls.get(headers.get("x-amz-target", "").split(".")[-1])
        if call is None:
            return await self.plain["handle_request"](method, path, headers, body, query_params)
        return call(json.loads(body) if body else {})

    def get_state(self):
        return {**self.plain["get_state"](), self.saved_as: copy.deepcopy(self.kept)}

    def load_persisted_state(self, data):
        self.plain["load_persisted_state"](data)
        saved = (data or {}).get(self.saved_as)
        # Its length is that of one account and region.
        if saved is not None:
            self.kept.update(saved)

    def reset(self):
        self.plain["reset"]()
        self.kept.clear()

    def refused(self, code, message, status=400):
        return self.responses.error_response_json(code, message, status)
