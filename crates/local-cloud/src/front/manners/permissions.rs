//! Every call needs a permission. [`super::super::grants`] holds sftpctl to those that its policies give.

use super::{Description, Manner};

/// Its name; `grants` asks whether it is on.
pub(in super::super) const NAME: &str = "permissions";

pub(super) struct Permissions;

impl Manner for Permissions {
    fn description(&self) -> &'static Description {
        &Description {
            name: NAME,
            aws: "A call without a permission is refused: each command of sftpctl has those of the policies that \
                  `sftpctl policy` prints for it, and no others",
            source: "IAM user guide, \"Policy evaluation logic\"; Service Authorization Reference",
        }
    }
}
