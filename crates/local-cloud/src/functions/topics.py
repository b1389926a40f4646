class Topics:
    """Subscriptions by mail as SNS has them: MiniStack takes each as confirmed. Events that MiniStack delivers reach
    the topics that admit EventBridge alone, as those do that the front delivers (`events/mod.rs` has the sources).

    Sources: SNS API reference, Subscribe, ConfirmSubscription and ListSubscriptionsByTopic; SNS developer guide,
    "Deleting an Amazon SNS topic and subscription" (one that is not confirmed cannot be deleted).
    `PendingConfirmation` in the place of its ARN: mozilla/frost, pull request 428. That CloudFormation leaves such a
    one behind: go-to-k/cdkd, pull request 1305.

    No mail is sent. The token in its link is the last part of the subscription's ARN.
    """

    TYPE = "AWS::SNS::Subscription"

    def __init__(self, sns, eventbridge, evaluator):
        self.sns, self.evaluator = sns, evaluator
        deliver = eventbridge._dispatch_to_sns
        eventbridge._dispatch_to_sns = lambda arn, event: deliver(arn, event) if self.admits_events(arn) else None
        self.plain = {name: getattr(sns, name) for name in (
            "_subscribe", "_unsubscribe", "_list_subscriptions", "_list_subscriptions_by_topic")}
        for name in self.plain:
            setattr(sns, name, getattr(self, name.lstrip("_")))

    def of_topic(self, arn):
        return (self.sns._topics.get(arn) or {}).get("subscriptions", [])

    def pend(self, subscription):
        """Takes back a confirmation that MiniStack gives by itself."""
        if subscription["protocol"] not in ("email", "email-json") or "token" in subscription and subscription["token"]:
            return
        subscription["confirmed"], subscription["token"] = False, subscription["arn"].rsplit(":", 1)[-1]
        subscription["attributes"]["PendingConfirmation"] = "true"
        self.sns._refresh_subscription_counts(self.sns._topics[subscription["topic_arn"]])

    def admits_events(self, arn):
        attributes = (self.sns._topic_by_arn_any_scope(arn) or {}).get("attributes", {})
        if attributes.get("KmsMasterKeyId", "").endswith("alias/aws/sns"):
            return False
        # Without any key of the request: EventBridge's user guide shows policies without conditions.
        asked = self.evaluator.EvalContext(principal_arn="*", principal_type="Service", principal_account="",
                                           action="sns:Publish", resource_arn=arn, region="", secure_transport=True)
        policy = attributes.get("Policy") or "{}"
        found = self.evaluator.evaluate_resource_policy(policy, asked, service="events.amazonaws.com")
        return found.decision == "Allow"

    # The API.

    def subscribe(self, params):
        arn = self.sns._p(params, "TopicArn")
        before = [one["arn"] for one in self.of_topic(arn)]
        status, headers, body = self.plain["_subscribe"](params)
        for one in self.of_topic(arn):
            if one["arn"] not in before:
                self.pend(one)
            # CloudFormation asks for the ARN; others get these words.
            if not one["confirmed"] and self.sns._p(params, "ReturnSubscriptionArn") != "true":
                body = body.replace(one["arn"].encode(), b"pending confirmation")
        return status, headers, body

    def unsubscribe(self, params):
        arn = self.sns._p(params, "SubscriptionArn")
        if arn == "PendingConfirmation" or any(not one["confirmed"] for topic in self.sns._topics.values()
                                               for one in topic["subscriptions"] if one["arn"] == arn):
            return self.sns._error("InvalidParameter", "Invalid parameter: SubscriptionArn Reason: "
                                   "This subscription is pending confirmation", 400)
        return self.plain["_unsubscribe"](params)

    def shown(self, answer):
        status, headers, body = answer
        for topic in self.sns._topics.values():
            for one in topic["subscriptions"]:
                if not one["confirmed"]:
                    body = body.replace(f"<SubscriptionArn>{one['arn']}<".encode(), b"<SubscriptionArn>PendingConfirmation<")
        return status, headers, body

    def list_subscriptions(self, params):
        return self.shown(self.plain["_list_subscriptions"](params))

    def list_subscriptions_by_topic(self, params):
        return self.shown(self.plain["_list_subscriptions_by_topic"](params))

    # The type.

    def register(self, provisioners):
        handlers = provisioners._RESOURCE_HANDLERS[self.TYPE]
        create, delete = handlers["create"], handlers["delete"]

        def created(logical, given, stack):
            physical, attributes = create(logical, given, stack)
            for one in self.of_topic(given.get("TopicArn")):
                if one["arn"] == physical:
                    self.pend(one)
            return physical, attributes

        def deleted(physical, given):
            if all(one["confirmed"] for one in self.of_topic(given.get("TopicArn")) if one["arn"] == physical):
                delete(physical, given)

        handlers["create"], handlers["delete"] = created, deleted
