"""Endpoints in VPCs and their addresses, by botocore alone. Usage: addresses.py ENDPOINT rules|group|show|open|disown|own|bare|gateway"""

import json
import sys
import time

import front_secret
import late
from checks import equal, refused

ENDPOINT, COMMAND, *MORE = sys.argv[1:]
ACCOUNT, REGION = "111111111111", "us-west-2"
VPC, SUBNETS, GROUP = "vpc-00000001", ["subnet-00000001", "subnet-00000002"], "sg-00000001"
SESSION = late.session()
SESSION.set_credentials(ACCOUNT, front_secret.SECRET)


def client(service, region=REGION):
    return SESSION.create_client(service, region_name=region, endpoint_url=ENDPOINT)


EC2, TRANSFER = client("ec2"), client("transfer")


def server(id):
    """The server, with its VPC endpoint, which AWS shows a while after the server is in its VPC."""
    for _ in range(4):
        found = TRANSFER.describe_server(ServerId=id)["Server"]
        if found["EndpointType"] != "VPC" or "VpcEndpointId" in found["EndpointDetails"]:
            break
    return found


def settled(id, state):
    end = time.monotonic() + 30
    while (found := server(id)["State"]) != state:
        assert time.monotonic() < end, f"{id} is {found}, not {state}"
        time.sleep(0.05)


def available(id):
    endpoint = server(id)["EndpointDetails"]["VpcEndpointId"]
    end = time.monotonic() + 30
    while (found := EC2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"][0]["State"]) != "available":
        assert time.monotonic() < end, f"{endpoint} is {found}"
        time.sleep(0.05)


def update(id, **details):
    return {"ServerId": id, "EndpointDetails": details}


def rules():
    """The order that AWS enforces, with its words."""
    invalid = "InvalidRequestException"
    tags = [{"Key": "k", "Value": "v"}]
    first, second, third = (
        EC2.allocate_address(Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": tags}])
        for _ in range(3))
    both = [first["AllocationId"], second["AllocationId"]]
    found = EC2.describe_addresses(Filters=[{"Name": "tag:k", "Values": ["v"]}])["Addresses"]
    equal("tagged", sorted(a["PublicIp"] for a in found), sorted(a["PublicIp"] for a in (first, second, third)))
    equal("tags", found[0]["Tags"], tags)
    equal("unknown", EC2.describe_addresses(Filters=[{"Name": "allocation-id", "Values": ["eipalloc-0"]}])["Addresses"], [])
    refused("unknown", "InvalidAllocationID.NotFound", "eipalloc-0", EC2.describe_addresses, AllocationIds=["eipalloc-0"])
    place = {"VpcId": VPC, "SubnetIds": SUBNETS, "SecurityGroupIds": [GROUP]}
    refused("addresses at creation", invalid, "AddressAllocationIds cannot be set in CreateServer",
            TRANSFER.create_server, EndpointType="VPC", EndpointDetails={**place, "AddressAllocationIds": both})
    refused("an unknown subnet", invalid, "subnet-0123456789abcdef0", TRANSFER.create_server, EndpointType="VPC",
            EndpointDetails={"VpcId": VPC, "SubnetIds": ["subnet-0123456789abcdef0"]})
    id = TRANSFER.create_server()["ServerId"]
    refused("while starting", "ConflictException", "STARTING", TRANSFER.update_server, ServerId=id, EndpointType="VPC",
            EndpointDetails=place)
    settled(id, "ONLINE")
    refused("the type on line", invalid, "Server must be OFFLINE to change EndpointType", TRANSFER.update_server,
            ServerId=id, EndpointType="VPC", EndpointDetails=place)
    TRANSFER.stop_server(ServerId=id)
    settled(id, "OFFLINE")
    refused("both at once", invalid, "Cannot specify AddressAllocationids when updating server to EndpointType: VPC",
            TRANSFER.update_server, ServerId=id, EndpointType="VPC", EndpointDetails={**place, "AddressAllocationIds": both})
    TRANSFER.update_server(ServerId=id, EndpointType="VPC", EndpointDetails=place)
    refused("too early", "ConflictException", "VPC Endpoint state is not yet available", TRANSFER.update_server,
            **update(id, AddressAllocationIds=both))
    available(id)
    details = server(id)["EndpointDetails"]
    equal("details", sorted(details), ["SubnetIds", "VpcEndpointId", "VpcId"])
    refused("groups", invalid, "Changing Security Group is not supported", TRANSFER.update_server,
            **update(id, SecurityGroupIds=[GROUP]))
    refused("the endpoint's ID", invalid, "VPC Endpoint ID unsupported for EndpointType: VPC", TRANSFER.update_server,
            **update(id, VpcEndpointId=details["VpcEndpointId"]))
    refused("too few", invalid, "equal in length", TRANSFER.update_server, **update(id, AddressAllocationIds=both[:1]))
    refused("subnets with addresses", invalid,
            "Specified SubnetIds must exist in the server before attaching AddressAllocationIds", TRANSFER.update_server,
            **update(id, SubnetIds=SUBNETS[:1], AddressAllocationIds=both[:1]))
    gateway("detach")
    routes = EC2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [VPC]}])["RouteTables"][0]["Routes"]
    equal("a route without its gateway", [route["State"] for route in routes if route["GatewayId"] != "local"], ["blackhole"])
    refused("no internet gateway", invalid, f"Network {VPC} is not attached to any internet gateway",
            TRANSFER.update_server, **update(id, AddressAllocationIds=both))
    gateway("attach")
    TRANSFER.update_server(**update(id, AddressAllocationIds=both))
    equal("addresses", server(id)["EndpointDetails"]["AddressAllocationIds"], both)
    refused("in use", "InvalidIPAddress.InUse", f"Address {first['PublicIp']} is in use.", EC2.release_address,
            AllocationId=both[0])
    refused("subnets under addresses", invalid, "AddressAllocationIds must be removed before SubnetIds can be modified",
            TRANSFER.update_server, **update(id, SubnetIds=SUBNETS[:1]))
    TRANSFER.start_server(ServerId=id)
    settled(id, "ONLINE")
    refused("addresses on line", invalid, "Server must be OFFLINE to change AddressAllocationIds", TRANSFER.update_server,
            **update(id, AddressAllocationIds=[]))
    endpoint = EC2.describe_vpc_endpoints(VpcEndpointIds=[details["VpcEndpointId"]])["VpcEndpoints"][0]
    equal("groups", [group["GroupId"] for group in endpoint["Groups"]], [GROUP])
    TRANSFER.delete_server(ServerId=id)
    for address in (first, second, third):
        EC2.release_address(AllocationId=address["AllocationId"])
    for _ in range(5):
        EC2.allocate_address(Domain="vpc")
    refused("the sixth", "AddressLimitExceeded", "maximum number of addresses", EC2.allocate_address, Domain="vpc")


def admit(id=None):
    """Admits everybody to port 22."""
    EC2.authorize_security_group_ingress(GroupId=id or GROUP, IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])


def group():
    """Creates a security group that admits everybody, and prints its ID."""
    id = EC2.create_security_group(GroupName="customers", Description="port 22", VpcId=VPC)["GroupId"]
    admit(id)
    print(id)


def show():
    """Prints the server's endpoint, and the addresses of the region."""
    listed = TRANSFER.list_servers()["Servers"]
    found = server(listed[0]["ServerId"]) if listed else {}
    details = found.get("EndpointDetails", {})
    groups = []
    if details:
        endpoint = EC2.describe_vpc_endpoints(VpcEndpointIds=[details["VpcEndpointId"]])["VpcEndpoints"][0]
        groups = sorted(group["GroupId"] for group in endpoint["Groups"])
    allocated = EC2.describe_addresses()["Addresses"]
    owned = EC2.describe_security_groups(Filters=[{"Name": "tag:sftpctl:environment", "Values": ["99"]}])["SecurityGroups"]
    rules = [rule for group in owned for rule in group["IpPermissions"] if rule.get("FromPort") == rule.get("ToPort") == 22]
    print(json.dumps({
        "id": found.get("ServerId"), "state": found.get("State"), "type": found.get("EndpointType"), "groups": groups,
        "subnets": sorted(details.get("SubnetIds", [])), "used": sorted(details.get("AddressAllocationIds", [])),
        "owned": sorted(group["GroupId"] for group in owned),
        "admitted": sorted(one["CidrIp"] for rule in rules for one in rule["IpRanges"]),
        "allocated": sorted(a["AllocationId"] for a in allocated), "ips": sorted(a["PublicIp"] for a in allocated),
    }))


def gateway(what):
    """Detaches the internet gateway of the VPC (`detach`), attaches it again (`attach`), or takes the routes to it away
    (`unroute`) and gives them back (`route`)."""
    found = EC2.describe_internet_gateways(Filters=[{"Name": "internet-gateway-id", "Values": ["igw-00000001"]}])
    id = found["InternetGateways"][0]["InternetGatewayId"]
    table = EC2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [VPC]}])["RouteTables"][0]["RouteTableId"]
    everywhere = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}
    {
        "detach": lambda: EC2.detach_internet_gateway(InternetGatewayId=id, VpcId=VPC),
        "attach": lambda: EC2.attach_internet_gateway(InternetGatewayId=id, VpcId=VPC),
        "unroute": lambda: EC2.delete_route(**everywhere),
        "route": lambda: EC2.create_route(GatewayId=id, **everywhere),
    }[what]()


def open_all():
    """Opens the environment's group to everything, as somebody may by hand."""
    owned = EC2.describe_security_groups(Filters=[{"Name": "tag:sftpctl:environment", "Values": ["99"]}])["SecurityGroups"]
    EC2.authorize_security_group_ingress(
        GroupId=owned[0]["GroupId"], IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])


def disown():
    """Removes the environment's tag from all addresses."""
    ids = [address["AllocationId"] for address in EC2.describe_addresses()["Addresses"]]
    EC2.delete_tags(Resources=ids, Tags=[{"Key": "sftpctl:environment"}])


def own():
    """Gives it back."""
    ids = [address["AllocationId"] for address in EC2.describe_addresses()["Addresses"]]
    EC2.create_tags(Resources=ids, Tags=[{"Key": "sftpctl:environment", "Value": "99"}])


def bare():
    """Takes the addresses off the server, as somebody may by hand."""
    id = TRANSFER.list_servers()["Servers"][0]["ServerId"]
    TRANSFER.stop_server(ServerId=id)
    settled(id, "OFFLINE")
    TRANSFER.update_server(**update(id, AddressAllocationIds=[]))


{"rules": rules, "group": group, "admit": admit, "show": show, "open": open_all, "disown": disown, "own": own, "bare": bare,
 "gateway": gateway}[COMMAND](*MORE)
