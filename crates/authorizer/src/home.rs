//! The home folder, and the policy that narrows the user role to it.

use serde_json::json;

/// Maximum length of a session policy in characters (AWS STS API reference, AssumeRole, `Policy`).
const MAX_POLICY: usize = 2048;

/// A customer's folder in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    pub bucket: String,
    /// Without slashes at its ends; it may have some inside.
    pub folder: String,
}

impl Home {
    /// Reads `/<bucket>/<folder>`, with or without a slash at the end.
    ///
    /// Everything else is `None`: a home that is a whole bucket would open the folders of all customers, and a path
    /// with `.`, `..` or empty parts is misleading.
    pub fn parse(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let (bucket, folder) = path.split_once('/')?;
        let bucket_fits = (3..=63).contains(&bucket.len())
            && bucket.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
            && bucket.starts_with(|c: char| c.is_ascii_alphanumeric());
        let part_fits = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(char::is_control);
        // S3's limit on a key is 1,024 bytes; the rest is for the customer's file names.
        let folder_fits = folder.len() <= 512 && folder.split('/').all(part_fits);
        let home = Self { bucket: bucket.to_owned(), folder: folder.to_owned() };
        // Escaping makes some names four times as long, and AWS refuses a log-in with a longer policy.
        let policy_fits = || home.policy().chars().count() <= MAX_POLICY;
        (bucket_fits && folder_fits && policy_fits()).then_some(home)
    }

    /// `/<bucket>/<folder>`.
    pub fn path(&self) -> String {
        format!("/{}/{}", self.bucket, self.folder)
    }

    /// The session policy, which allows access to this folder only.
    ///
    /// The slash after the folder keeps `17578` out of `175781`. Bucket and folder are written out, since Transfer fills
    /// in its variables only where there is no logical home, and a name with `*`, `?` or `$` is escaped as IAM asks.
    ///
    /// A rename copies an object with its tags (a virus scanner's, or those of a lifecycle rule), so the policy has the
    /// actions for tags too, unless the folder's name is so long that it would no longer fit.
    pub fn policy(&self) -> String {
        let policy = self.policy_with(&["s3:GetObject*Tagging", "s3:PutObject*Tagging"]);
        if policy.chars().count() <= MAX_POLICY { policy } else { self.policy_with(&[]) }
    }

    fn policy_with(&self, tagging: &[&str]) -> String {
        let files =
            ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"];
        let actions = [&files[..], tagging].concat();
        let bucket = format!("arn:aws:s3:::{}", self.bucket);
        let prefix = format!("{}/", escaped(&self.folder));
        json!({
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "s3:ListBucket",
                    "Resource": bucket,
                    "Condition": { "StringLike": { "s3:prefix": [prefix, format!("{prefix}*")] } },
                },
                {
                    "Effect": "Allow",
                    "Action": actions,
                    "Resource": format!("{bucket}/{prefix}*"),
                },
            ],
        })
        .to_string()
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '*' | '?' | '$' => out.extend(["${", c.encode_utf8(&mut [0; 4]), "}"]),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_a_folder_in_a_bucket() {
        for (path, folder) in [
            ("/pl-pt99-5-uploads/175781", "175781"),
            ("/pl-pt99-5-uploads/175781/", "175781"),
            ("/pl-pt99-5-uploads/a b/ñ", "a b/ñ"),
        ] {
            let home = Home::parse(path).unwrap();
            assert_eq!((home.bucket.as_str(), home.folder.as_str()), ("pl-pt99-5-uploads", folder));
        }
        for path in [
            "",
            "/",
            "bucket/a",
            "/bucket",
            "/bucket/",
            "//bucket/a",
            "/bucket//a",
            "/bucket/a//",
            "/bucket/../a",
            "/bucket/a/..",
            "/bucket/./a",
            "/bucket/a\n",
            "/Bucket/a",
            "/b/a",
            "/buc*et/a",
            "/-bucket/a",
        ] {
            assert_eq!(Home::parse(path), None, "{path}");
        }
    }

    #[test]
    fn the_policy_names_the_folder_with_its_slash() {
        let policy: serde_json::Value = serde_json::from_str(&Home::parse("/bucket/a*${x}").unwrap().policy()).unwrap();
        assert_eq!(policy["Statement"][1]["Resource"], "arn:aws:s3:::bucket/a${*}${$}{x}/*");
        assert_eq!(
            policy["Statement"][0]["Condition"]["StringLike"]["s3:prefix"],
            json!(["a${*}${$}{x}/", "a${*}${$}{x}/*"])
        );
    }

    #[test]
    fn every_home_has_a_policy_that_aws_accepts() {
        let bucket = "b".repeat(63);
        assert!(Home::parse(&format!("/{bucket}/{}", "f".repeat(512))).is_some());
        assert!(Home::parse(&format!("/{bucket}/{}", "ñ".repeat(256))).is_some());
        for folder in ["*", "$", "\"", "\\"].map(|odd| odd.repeat(512)) {
            let home = Home { bucket: bucket.clone(), folder: folder.clone() };
            let fits = home.policy().chars().count() <= MAX_POLICY;
            assert_eq!(Home::parse(&home.path()).is_some(), fits, "{folder}");
        }
        assert_eq!(Home::parse(&format!("/{bucket}/{}", "*".repeat(512))), None);
    }

    #[test]
    fn actions_for_tags_are_left_out_only_where_they_do_not_fit() {
        let has_tagging = |folder: &str| {
            Home::parse(&format!("/{}/{folder}", "b".repeat(63))).map(|home| home.policy().contains("Tagging"))
        };
        assert_eq!(has_tagging("175781"), Some(true));
        // Each is escaped as four characters, and the folder's name is in the policy three times.
        let longest = (1..512).map(|count| has_tagging(&"*".repeat(count))).take_while(Option::is_some).last();
        assert_eq!(longest, Some(Some(false)));
    }
}
