//! The kinds of resources, and their names in plans, state and settings. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Names one resource of an environment: `us-west-2/stack`, `global/user-role`, `us-west-2/bucket/pl-pt99-5-uploads`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(String);

impl NodeId {
    /// `place` is a region, or `global`.
    pub fn new(place: &str, kind: Kind) -> Self {
        Self(format!("{place}/{}", kind.word()))
    }

    /// A node of a kind that has several per place.
    pub fn named(place: &str, kind: Kind, name: &str) -> Self {
        Self(format!("{place}/{}/{name}", kind.word()))
    }

    /// The region, or `global`.
    pub fn place(&self) -> &str {
        self.parts().0
    }

    /// Everything after the place: `stack`, `bucket/pl-pt99-5-uploads`.
    pub fn local_name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }

    /// The kind; `None` if it is unknown, since users may type node names.
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_word(self.parts().1?)
    }

    /// The part that distinguishes it from others of its kind and place: `pl-pt99-5-uploads`.
    pub fn name(&self) -> Option<&str> {
        self.parts().2
    }

    fn parts(&self) -> (&str, Option<&str>, Option<&str>) {
        let mut parts = self.0.splitn(3, '/');
        (parts.next().unwrap_or_default(), parts.next(), parts.next())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for NodeId {
    type Err = std::convert::Infallible;

    /// Accepts any text; only an environment can tell whether it has the node.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Defines [`Kind`] with each kind's word and deadline.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $word:literal, $deadline:literal $minutes:literal min;)*) => {
        /// Every kind of resource that is deployed; the order is that of a first deployment.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// All kinds, in the order of a first deployment.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The word used in node names, plans and settings.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)*
                }
            }

            /// The setting below `deadlines` in the environment file that is its deadline, and the default in minutes.
            pub const fn deadline(self) -> (&'static str, u64) {
                match self {
                    $(Self::$kind => ($deadline, $minutes),)*
                }
            }
        }
    };
}

// Kind = word in node names, setting of its deadline and the default.
kinds! {
    /// The account table in its home region.
    Table = "table", "table" 20 min;
    /// A replica of the table in another region.
    Replica = "replica", "replica" 60 min;
    /// The role that Transfer assumes for a customer.
    UserRole = "user-role", "role" 5 min;
    /// The user role's managed policy.
    UserPolicy = "user-policy", "role" 5 min;
    /// API Gateway's account-wide role for logs.
    ApiAccount = "api-account", "api" 5 min;
    /// The authorizer's code in the region's code bucket.
    Package = "package", "bucket" 10 min;
    /// The CloudFormation stack of a region.
    Stack = "stack", "stack" 45 min;
    /// The settings of an upload bucket that the stack does not manage.
    Bucket = "bucket", "bucket" 10 min;
    /// The security group of a server's endpoint. A deletion waits until no endpoint has it.
    SecurityGroup = "security-group", "server" 30 min;
    /// An Elastic IP address of a region's server.
    Address = "address", "server" 5 min;
    /// The Transfer Family server. Creating one took ten to fifteen minutes in 2019, and takes a few today.
    Server = "server", "server" 30 min;
    /// The server ID in the Lambda's environment.
    ServerId = "server-id", "function" 5 min;
    /// The permission for API Gateway to invoke the Lambda.
    Trigger = "trigger", "function" 5 min;
    /// A Route 53 record.
    Record = "record", "record" 5 min;
    /// The CloudWatch dashboard of all regions.
    Dashboard = "dashboard", "dashboard" 5 min;
    /// A log group that AWS services recreate after its removal.
    LogGroup = "log-group", "api" 5 min;
}

impl Kind {
    /// The kind with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_names_have_place_kind_and_name() {
        for kind in Kind::ALL.iter().copied() {
            assert_eq!(NodeId::new("us-west-2", kind).kind(), Some(kind));
            let named = NodeId::named("global", kind, "a.b/c");
            assert_eq!((named.place(), named.kind(), named.name()), ("global", Some(kind), Some("a.b/c")));
        }
        let typed: NodeId = "us-west-2/serve".parse().unwrap();
        assert_eq!((typed.place(), typed.kind(), typed.name()), ("us-west-2", None, None));
    }

    #[test]
    fn serialized_kinds_are_their_words() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
    }
}
