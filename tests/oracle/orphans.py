"""Creates a second server that carries environment 99's tag, with botocore alone. Usage: orphans.py ENDPOINT"""

import sys

import front_secret
import late

SESSION = late.session()
SESSION.set_credentials("111111111111", front_secret.SECRET)
TRANSFER = SESSION.create_client("transfer", region_name="us-west-2", endpoint_url=sys.argv[1])
FIRST = TRANSFER.describe_server(ServerId=TRANSFER.list_servers()["Servers"][0]["ServerId"])["Server"]
print(TRANSFER.create_server(
    IdentityProviderType="API_GATEWAY", IdentityProviderDetails={
        name: FIRST["IdentityProviderDetails"][name] for name in ("Url", "InvocationRole")},
    Tags=[{"Key": "sftpctl:environment", "Value": "99"}])["ServerId"])
