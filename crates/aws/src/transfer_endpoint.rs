//! The endpoint of a Transfer server: public, or in a VPC with fixed addresses.
//!
//! AWS's order (Transfer Family API reference, `EndpointDetails` and `UpdateServer`): the type and the addresses change
//! only while the server is OFFLINE; the addresses never in the same call as the type or the subnets; the security
//! groups only with the change to a VPC, and by EC2's ModifyVpcEndpoint after it.

use aws_sdk_transfer::types::{DescribedServer, EndpointDetails, EndpointType};

use super::error::Call as _;
use super::{AwsError, Transfer};

/// Where an endpoint in a VPC is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VpcPlace {
    /// `vpc-…`.
    pub vpc: String,
    pub subnets: Vec<String>,
    pub security_groups: Vec<String>,
}

/// The endpoint of a server as it is described.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointFacts {
    /// `vpc-…`; empty for a public server.
    pub vpc: String,
    /// `vpce-…`; empty for a public server.
    pub vpc_endpoint: String,
    pub subnets: Vec<String>,
    /// Allocation IDs of its Elastic IP addresses.
    pub addresses: Vec<String>,
    /// Whether it also has IPv6 addresses, which excludes Elastic IP addresses.
    pub is_dual_stack: bool,
}

impl EndpointFacts {
    pub(super) fn of(server: &DescribedServer) -> Self {
        let details = server.endpoint_details();
        Self {
            vpc: details.and_then(|details| details.vpc_id()).unwrap_or_default().to_owned(),
            vpc_endpoint: details.and_then(|details| details.vpc_endpoint_id()).unwrap_or_default().to_owned(),
            subnets: details.map(|details| details.subnet_ids().to_vec()).unwrap_or_default(),
            addresses: details.map(|details| details.address_allocation_ids().to_vec()).unwrap_or_default(),
            is_dual_stack: server.ip_address_type().is_some_and(|kind| kind.as_str() == "DUALSTACK"),
        }
    }
}

pub(super) fn details(place: &VpcPlace) -> EndpointDetails {
    EndpointDetails::builder()
        .vpc_id(&place.vpc)
        .set_subnet_ids(Some(place.subnets.clone()))
        .set_security_group_ids(Some(place.security_groups.clone()))
        .build()
}

impl Transfer {
    /// Stops a server: nobody can log in until it is started.
    ///
    /// # Errors
    /// AWS's.
    pub async fn stop(&self, id: &str) -> Result<(), AwsError> {
        self.0.stop_server().server_id(id).send().await.call("transfer:StopServer", id).map(drop)
    }

    /// Puts the endpoint of a stopped server into a VPC, without addresses.
    ///
    /// # Errors
    /// AWS's.
    pub async fn move_into_vpc(&self, id: &str, place: &VpcPlace) -> Result<(), AwsError> {
        self.change(id, Some(EndpointType::Vpc), Some(details(place))).await
    }

    /// Gives a stopped server AWS's own addresses.
    ///
    /// # Errors
    /// AWS's.
    pub async fn make_public(&self, id: &str) -> Result<(), AwsError> {
        self.change(id, Some(EndpointType::Public), None).await
    }

    /// Changes the subnets of an endpoint that has no addresses.
    ///
    /// # Errors
    /// AWS's.
    pub async fn set_subnets(&self, id: &str, subnets: &[String]) -> Result<(), AwsError> {
        let details = EndpointDetails::builder().set_subnet_ids(Some(subnets.to_vec())).build();
        self.change(id, None, Some(details)).await
    }

    /// Changes the addresses of a stopped server, by their allocation IDs: one for each subnet, or none.
    ///
    /// # Errors
    /// AWS's.
    pub async fn set_addresses(&self, id: &str, addresses: &[String]) -> Result<(), AwsError> {
        let details = EndpointDetails::builder().set_address_allocation_ids(Some(addresses.to_vec())).build();
        self.change(id, None, Some(details)).await
    }

    async fn change(
        &self,
        id: &str,
        kind: Option<EndpointType>,
        details: Option<EndpointDetails>,
    ) -> Result<(), AwsError> {
        let call = self.0.update_server().server_id(id).set_endpoint_type(kind).set_endpoint_details(details);
        call.send().await.call("transfer:UpdateServer", id).map(drop)
    }
}
