//! Resolves a client's path to a bucket and a key, before the operation is authorized.

use crate::login::View;

/// What a path refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The root, or a folder that exists only as a prefix of entries, with the names in it.
    Virtual(Vec<String>),
    /// The root with a `PATH` home: every bucket.
    Buckets,
    /// A key in a bucket; "" is the bucket itself.
    Key {
        bucket: String,
        /// The key, without slashes at its ends.
        key: String,
    },
    /// In no entry of a logical home.
    Nowhere,
}

/// An absolute path without `.`, `..` and doubled slashes; a relative one begins at home.
pub(super) fn absolute(home: &str, path: &str) -> String {
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{home}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The folder in which a session starts.
pub(super) fn home(view: &View) -> String {
    match view {
        View::Path(home) => absolute("/", home),
        View::Logical(_) => "/".to_owned(),
    }
}

/// Resolves an absolute path in this view.
pub(super) fn place(view: &View, path: &str) -> Place {
    match view {
        View::Path(_) => target(path),
        View::Logical(entries) => logical(entries, path),
    }
}

fn target(path: &str) -> Place {
    let trimmed = path.trim_matches('/');
    if trimmed.is_empty() {
        return Place::Buckets;
    }
    let (bucket, key) = trimmed.split_once('/').unwrap_or((trimmed, ""));
    Place::Key { bucket: bucket.to_owned(), key: key.to_owned() }
}

fn logical(entries: &[(String, String)], path: &str) -> Place {
    let below = |entry: &str| {
        let entry = entry.trim_end_matches('/');
        let rest = path.strip_prefix(entry)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.to_owned())
    };
    // The longest matching entry wins.
    let best = entries
        .iter()
        .filter_map(|(entry, to)| Some((entry, below(entry)?, to)))
        .max_by_key(|(entry, _, _)| entry.len());
    if let Some((_, rest, to)) = best {
        return target(&format!("{}{rest}", absolute("/", to)));
    }
    let inside = format!("{}/", path.trim_end_matches('/'));
    let mut names: Vec<String> = entries
        .iter()
        .filter_map(|(entry, _)| entry.strip_prefix(&inside)?.split('/').next().map(str::to_owned))
        .filter(|name| !name.is_empty())
        .collect();
    names.sort();
    names.dedup();
    if names.is_empty() { Place::Nowhere } else { Place::Virtual(names) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(bucket: &str, key: &str) -> Place {
        Place::Key { bucket: bucket.into(), key: key.into() }
    }

    #[test]
    fn relative_paths_are_resolved() {
        for (path, expected) in [
            ("a", "/b/17578/a"),
            (".", "/b/17578"),
            ("../175781/x", "/b/175781/x"),
            ("/b//17578/./a/../../175781", "/b/175781"),
            ("/../../etc/passwd", "/etc/passwd"),
            ("a/", "/b/17578/a"),
            ("..//..//..//..", "/"),
            ("...", "/b/17578/..."),
        ] {
            assert_eq!(absolute("/b/17578", path), expected, "{path}");
        }
    }

    #[test]
    fn path_home_exposes_buckets() {
        let view = View::Path("/b/17578".into());
        assert_eq!(home(&view), "/b/17578");
        assert_eq!(place(&view, "/"), Place::Buckets);
        assert_eq!(place(&view, "/b"), key("b", ""));
        assert_eq!(place(&view, "/b/17578/x y"), key("b", "17578/x y"));
    }

    #[test]
    fn logical_home_hides_buckets() {
        let view = View::Logical(vec![("/".into(), "/b/17578".into())]);
        assert_eq!(home(&view), "/");
        assert_eq!(place(&view, "/"), key("b", "17578"));
        assert_eq!(place(&view, "/b/175781"), key("b", "17578/b/175781"));

        let view = View::Logical(vec![("/in".into(), "/b/in".into()), ("/out/x".into(), "/c".into())]);
        assert_eq!(place(&view, "/"), Place::Virtual(vec!["in".into(), "out".into()]));
        assert_eq!(place(&view, "/out"), Place::Virtual(vec!["x".into()]));
        assert_eq!(place(&view, "/out/x/y"), key("c", "y"));
        assert_eq!(place(&view, "/in2"), Place::Nowhere);
    }
}
