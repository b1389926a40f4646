//! Transfer tells the API the customer's address in a header, too: [`crate::login`] sends it.

use super::{Description, Manner};

/// Its name; turned off, web ACLs see no customer's address.
pub(in super::super) const NAME: &str = "source-header";

pub(super) struct SourceHeader;

impl Manner for SourceHeader {
    fn description(&self) -> &'static Description {
        &Description {
            name: NAME,
            aws: "Transfer Family sends the customer's address to the API of an identity provider in the header SourceIP, \
                  beside the query: AWS WAF reads it there",
            source: "Transfer Family user guide, \"Add a web application firewall\"; AWS Storage Blog, \"Securing AWS Transfer \
                     Family with AWS Web Application Firewall and Amazon API Gateway\" (2020)",
        }
    }
}
