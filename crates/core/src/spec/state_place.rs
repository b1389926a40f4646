//! The place of an environment's state: a folder, or a prefix in a bucket.

use std::path::PathBuf;
use std::str::FromStr;

use super::names::is_bucket_name;

/// The place of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatePlace {
    Folder(PathBuf),
    /// `s3://BUCKET/PREFIX`, with `?region=REGION` if the bucket is not in the home region.
    Bucket {
        bucket: String,
        /// Empty, or ending with a slash.
        prefix: String,
        /// Region of the bucket; by default the environment's home region.
        region: Option<String>,
    },
}

impl FromStr for StatePlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("s3://") else {
            return match text.split_once("://") {
                Some((scheme, _)) => Err(format!("unsupported scheme {scheme}: use a folder, or s3://BUCKET/PREFIX")),
                None if text.is_empty() => Err("use a folder, or s3://BUCKET/PREFIX".to_owned()),
                None => Ok(Self::Folder(text.into())),
            };
        };
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if !is_bucket_name(bucket) {
            return Err(format!("invalid bucket name `{bucket}`"));
        }
        let region = match query.map(|query| query.strip_prefix("region=")) {
            None => None,
            Some(Some(region)) if !region.is_empty() => Some(region.to_owned()),
            Some(_) => return Err("only region=REGION is supported after the question mark".to_owned()),
        };
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self::Bucket { bucket: bucket.to_owned(), prefix, region })
    }
}

impl std::fmt::Display for StatePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::Bucket { bucket, prefix, region } => {
                write!(f, "s3://{bucket}/{prefix}")?;
                region.iter().try_for_each(|region| write!(f, "?region={region}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_folders_or_buckets() {
        assert_eq!("state".parse(), Ok(StatePlace::Folder("state".into())));
        for (text, prefix, region) in [
            ("s3://company-state", "", None),
            ("s3://company-state/", "", None),
            ("s3://company-state/a/b/", "a/b/", None),
            ("s3://company-state/a?region=eu-west-1", "a/", Some("eu-west-1")),
        ] {
            let place = StatePlace::Bucket {
                bucket: "company-state".into(),
                prefix: prefix.into(),
                region: region.map(str::to_owned),
            };
            assert_eq!(text.parse(), Ok(place.clone()), "{text}");
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for bad in [
            "",
            "gs://b/p",
            "s3://",
            "s3://UPPER/p",
            "s3://ab",
            "s3://company-state?kms=x",
            "s3://company-state?region=",
        ] {
            assert!(bad.parse::<StatePlace>().is_err(), "{bad}");
        }
    }
}
