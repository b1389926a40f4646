//! The strays of every kind, in one list.

use sftpctl_core::kind::Kind;

use super::stray::Stray;
use super::{address, bucket, dashboard, log_group, record, replica, security_group, server, stack};

/// How orphans of this kind are found; `None` for kinds without a search.
pub fn of(kind: Kind) -> Option<&'static dyn Stray> {
    match kind {
        Kind::Server => Some(&server::Strays),
        Kind::SecurityGroup => Some(&security_group::Strays),
        Kind::Address => Some(&address::Strays),
        Kind::Record => Some(&record::Strays),
        Kind::Stack => Some(&stack::Strays),
        Kind::LogGroup => Some(&log_group::Strays),
        Kind::Bucket => Some(&bucket::Strays),
        Kind::Dashboard => Some(&dashboard::Strays),
        Kind::Replica => Some(&replica::Strays),
        // There is one of each, with a name that depends only on the environment's name.
        Kind::Table | Kind::UserRole | Kind::UserPolicy => None,
        // It belongs to the AWS account, and other APIs may need it: only a whole teardown may delete it.
        Kind::ApiAccount => None,
        // It is found by the state, and the next deployment deletes the package of a dropped region.
        Kind::Package => None,
        // Parts of the stack's function, which are deleted with it.
        Kind::ServerId | Kind::Trigger => None,
    }
}
