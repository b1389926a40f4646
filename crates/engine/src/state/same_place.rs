//! Compares two names of places for state.

use std::path::{Component, Path, PathBuf};

use sftpctl_core::spec::state_place::StatePlace;

/// Whether two names mean the same place, as `state`, `./state` and the absolute path do.
pub fn is_same_place(one: &StatePlace, other: &StatePlace) -> bool {
    match (one, other) {
        (StatePlace::Folder(one), StatePlace::Folder(two)) => {
            one == two || real(one).is_some_and(|one| Some(one) == real(two))
        }
        // A bucket's name is unique across all regions, so the region does not matter.
        (StatePlace::Bucket { bucket, prefix, .. }, StatePlace::Bucket { bucket: other, prefix: other_prefix, .. }) => {
            (bucket, prefix) == (other, other_prefix)
        }
        (StatePlace::Folder(_), StatePlace::Bucket { .. }) | (StatePlace::Bucket { .. }, StatePlace::Folder(_)) => {
            false
        }
    }
}

/// The absolute path with symbolic links resolved as far as the path exists.
fn real(path: &Path) -> Option<PathBuf> {
    let mut real = PathBuf::new();
    for component in std::path::absolute(path).ok()?.components() {
        if component == Component::ParentDir {
            real.pop();
            continue;
        }
        real.push(component);
        if let Ok(existing) = real.canonicalize() {
            real = existing;
        }
    }
    Some(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_the_same_in_other_words() {
        let here = std::env::current_dir().unwrap().join("state").display().to_string();
        for (one, two, same) in [
            ("state", "./state", true),
            ("state", "state/", true),
            ("state", here.as_str(), true),
            ("src", "src/../src", true),
            ("state", "missing/../state", true),
            ("state", "states", false),
            ("state", "s3://company-state/", false),
            ("s3://company-state/a", "s3://company-state/a/?region=eu-west-1", true),
            ("s3://company-state/a", "s3://company-state/b", false),
        ] {
            let (one, two) = (one.parse::<StatePlace>().unwrap(), two.parse::<StatePlace>().unwrap());
            assert_eq!((is_same_place(&one, &two), is_same_place(&two, &one)), (same, same), "{one} {two}");
        }
    }
}
