//! Whether a place keeps the conditions of writes. Some storages take `If-Match` or `If-None-Match` and write all the
//! same (lxc/incus#3651, stackitcloud/terraform-provider-stackit#1534), so that two runs could work at once.

use super::blob::{Blobs, Expect, Version};
use super::error::StateError;

/// A version that no document has, in the form of S3's ETags.
const OTHER: &str = "\"00000000000000000000000000000000\"";

/// Checks that the existing document `name` cannot be replaced by `probe` under conditions that it does not meet. A
/// place that only this machine uses keeps them, because the program itself compares there.
///
/// # Errors
/// [`StateError::Unfit`] if the document was replaced; or the place cannot be written.
pub(super) async fn prove(blobs: &dyn Blobs, name: &str, probe: &[u8]) -> Result<(), StateError> {
    if !blobs.is_shared() {
        return Ok(());
    }
    let other = Version(OTHER.to_owned());
    for (condition, expect) in [("If-None-Match", Expect::Absent), ("If-Match", Expect::Is(&other))] {
        match blobs.put(name, probe, expect).await {
            Err(StateError::Conflict { .. }) => {}
            Err(error) => return Err(error),
            Ok(_) => {
                return Err(StateError::Unfit {
                    address: blobs.address(name),
                    reason: format!(
                        "this storage does not keep conditional writes ({condition}), so two runs could change the \
                         environment at once"
                    ),
                    hint: "nothing was changed; keep the state in a bucket of Amazon S3, or in a folder".to_owned(),
                });
            }
        }
    }
    Ok(())
}
