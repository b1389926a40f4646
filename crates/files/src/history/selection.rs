//! Which files a command is about. Pure.

/// A file or a folder of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    pub bucket: String,
    /// Region of the bucket.
    pub region: String,
    /// The customer's folder, with a slash at its end; empty for the whole bucket.
    pub home: String,
    /// Below that: a file; with a slash at its end a folder; empty for everything.
    pub path: String,
}

impl Selection {
    /// The prefix of the keys to list.
    pub fn prefix(&self) -> String {
        format!("{}{}", self.home, self.path)
    }

    /// Whether a key is meant: the file itself, or anything in the folder.
    pub fn includes(&self, key: &str) -> bool {
        match key.strip_prefix(&self.home) {
            Some(rest) if self.is_folder() => rest.starts_with(&self.path),
            Some(rest) => rest == self.path,
            None => false,
        }
    }

    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.path.is_empty() || self.path.ends_with('/')
    }

    /// A key as the customer sees it, without the folder.
    pub fn path_of<'a>(&self, key: &'a str) -> &'a str {
        key.strip_prefix(&self.home).unwrap_or(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_not_its_neighbor() {
        let of = |path: &str| Selection {
            bucket: "b".into(),
            region: "us-west-2".into(),
            home: "17578/".into(),
            path: path.into(),
        };
        for (path, key, included) in [
            ("a.csv", "17578/a.csv", true),
            ("a.csv", "17578/a.csv.old", false),
            ("in/", "17578/in/a.csv", true),
            ("in/", "17578/in", false),
            ("", "17578/in/a.csv", true),
            ("", "175781/in/a.csv", false),
        ] {
            assert_eq!(of(path).includes(key), included, "{path} {key}");
        }
        assert_eq!(of("in/").path_of("17578/in/a.csv"), "in/a.csv");
    }
}
