"""Topics and their subscriptions with botocore alone. Usage: topics.py ENDPOINT COMMAND REGION …"""

import json
import sys

import front_secret
import late

ENDPOINT, COMMAND, REGION, *MORE = sys.argv[1:]
SESSION = late.session()
SESSION.set_credentials("111111111111", front_secret.SECRET)


def client(service):
    return SESSION.create_client(service, region_name=REGION, endpoint_url=ENDPOINT)


def arn(name):
    return f"arn:aws:sns:{REGION}:111111111111:{name}"


def subscriptions(name):
    """Prints ARN, protocol and endpoint of each subscription; `no topic` if there is none."""
    sns = client("sns")
    try:
        found = sns.list_subscriptions_by_topic(TopicArn=arn(name))["Subscriptions"]
    except sns.exceptions.NotFoundException:
        return print("no topic")
    for one in found:
        print(one["SubscriptionArn"], one["Protocol"], one["Endpoint"])


def click(stack, name, logical):
    """Confirms a subscription of a stack, as its owner does by the link in the mail."""
    found = client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=logical)
    token = found["StackResourceDetail"]["PhysicalResourceId"].rsplit(":", 1)[-1]
    client("sns").confirm_subscription(TopicArn=arn(name), Token=token)


def unsubscribe(subscription):
    """Prints the error, if there is one."""
    sns = client("sns")
    try:
        sns.unsubscribe(SubscriptionArn=subscription)
    except sns.exceptions.InvalidParameterException as error:
        print(error)


def topic(name):
    """Prints what a topic is."""
    sns = client("sns")
    attributes = sns.get_topic_attributes(TopicArn=arn(name))["Attributes"]
    tags = {tag["Key"]: tag["Value"] for tag in sns.list_tags_for_resource(ResourceArn=arn(name))["Tags"]}
    print(json.dumps({"policy": json.loads(attributes["Policy"]), "tags": tags}))


def make(name):
    """Makes a topic with a queue behind it. Its policy is the one that SNS gives it."""
    queue = client("sqs").create_queue(QueueName=name)["QueueUrl"]
    sns = client("sns")
    sns.create_topic(Name=name)
    sns.subscribe(TopicArn=arn(name), Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:111111111111:{name}",
                  Attributes={"RawMessageDelivery": "false"})
    print(queue)


def admit(name, service):
    """Lets a service publish to a topic, beside those whom its policy admits."""
    sns = client("sns")
    policy = json.loads(sns.get_topic_attributes(TopicArn=arn(name))["Attributes"]["Policy"])
    policy["Statement"].append({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sns:Publish",
                                "Resource": arn(name)})
    sns.set_topic_attributes(TopicArn=arn(name), AttributeName="Policy", AttributeValue=json.dumps(policy))


def encrypt(name, key):
    """Sets a topic's key."""
    client("sns").set_topic_attributes(TopicArn=arn(name), AttributeName="KmsMasterKeyId", AttributeValue=key)


def listen(name, queue):
    """Subscribes a new queue to a topic that is there, and prints the subscription's ARN."""
    client("sqs").create_queue(QueueName=queue)
    endpoint = f"arn:aws:sqs:{REGION}:111111111111:{queue}"
    print(client("sns").subscribe(TopicArn=arn(name), Protocol="sqs", Endpoint=endpoint)["SubscriptionArn"])


def messages(queue):
    """Takes all messages of a queue, and prints what SNS said, one to a line."""
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for one in found:
            said = json.loads(one["Body"])
            print(json.dumps({"subject": said.get("Subject"), "message": said["Message"]}))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])


def resources(stack):
    """Prints the logical ID of each resource of a stack."""
    for page in client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack):
        print(*(one["LogicalResourceId"] for one in page["StackResourceSummaries"]), sep="\n")


def rules():
    """Prints the name of each rule."""
    for rule in client("events").list_rules()["Rules"]:
        print(rule["Name"])


def alarms():
    """Prints each alarm's actions."""
    for alarm in client("cloudwatch").describe_alarms()["MetricAlarms"]:
        print(alarm["AlarmName"], *alarm["AlarmActions"])


def ring(alarm):
    """Sets an alarm off, as CloudWatch does."""
    client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="test")


{function.__name__: function for function in (
    subscriptions, click, unsubscribe, topic, make, admit, encrypt, listen, messages, resources, rules, alarms, ring)}[COMMAND](*MORE)
