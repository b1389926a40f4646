//! Password fields of passwd and shadow. Pure.

/// What the password field says.
#[derive(PartialEq, Eq)]
pub(crate) enum Stored {
    Hash(String),
    /// A hash behind `!` or `*`, as `passwd -l` and `usermod -L` leave it.
    Locked(String),
    /// No password admits; whether the field begins with `!`.
    Impossible {
        is_locked: bool,
    },
    /// No password is needed.
    Empty,
}

/// Reads a password field (shadow(5), crypt(5)).
pub(crate) fn stored(field: &str) -> Stored {
    let hash = field.trim_start_matches(['!', '*']);
    // The shortest hash is that of DES, 13 characters.
    let is_hash = hash.starts_with(['$', '_', '{']) || hash.len() >= 13;
    match (field, is_hash) {
        ("", _) => Stored::Empty,
        (_, true) if hash.len() == field.len() => Stored::Hash(hash.to_owned()),
        (_, true) => Stored::Locked(hash.to_owned()),
        (_, false) => Stored::Impossible { is_locked: field.starts_with('!') },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_locked_in_many_ways() {
        let hash = "$6$salt$hash";
        assert!(stored(hash) == Stored::Hash(hash.into()));
        assert!(stored("rl0uE0uqz7JzQ") == Stored::Hash("rl0uE0uqz7JzQ".into()));
        for locked in ["!$6$salt$hash", "!!$6$salt$hash", "*$6$salt$hash"] {
            assert!(stored(locked) == Stored::Locked(hash.into()));
        }
        for (field, is_locked) in [("!", true), ("!!", true), ("!*", true), ("*", false), ("*LK*", false), ("x", false)]
        {
            assert!(stored(field) == Stored::Impossible { is_locked });
        }
        assert!(stored("") == Stored::Empty);
    }
}
