//! The bucket in the host of a request to S3 (S3 user guide, "Virtual hosting of general purpose buckets").

/// The bucket of a host name, `None` for a host without one.
///
/// Known are S3's own names with and without a region, and those of this machine, `BUCKET.localhost`,
/// `BUCKET.s3.localhost` and `BUCKET.127.0.0.1`.
///
/// # Errors
/// The host belongs to something else than S3.
pub(super) fn bucket_of_host(host: &str) -> Result<Option<String>, &'static str> {
    const OTHER: &str = "the host does not belong to S3: send the bucket in the path";
    let host = host.to_ascii_lowercase();
    let name = if host.starts_with('[') { "localhost" } else { host.split(':').next().unwrap_or_default() };
    let of_aws = name.strip_suffix(".amazonaws.com").or_else(|| name.strip_suffix(".amazonaws.com.cn"));
    if let Some(name) = of_aws {
        let (bucket, service) = name.rfind(".s3.").or_else(|| name.rfind(".s3-")).map_or_else(
            || name.strip_suffix(".s3").map_or((None, name), |bucket| (Some(bucket), "s3")),
            |at| (name.get(..at), name.get(at + 1..).unwrap_or_default()),
        );
        return match (bucket, is_s3(service)) {
            (Some(bucket), true) => bucket_name(bucket).map(Some),
            (None, true) => Ok(None),
            (_, false) => Err(OTHER),
        };
    }
    let Some(own) = [".localhost", ".127.0.0.1"].iter().find_map(|base| name.strip_suffix(base)) else {
        return Ok(None);
    };
    match own.strip_suffix(".s3").unwrap_or(own) {
        "s3" => Ok(None),
        bucket => bucket_name(bucket).map(Some),
    }
}

/// `s3`, `s3.REGION`, `s3-REGION` or `s3.dualstack.REGION`.
fn is_s3(service: &str) -> bool {
    let service = service.replace(".dualstack", "");
    let region =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') && text.contains('-');
    let rest = service.strip_prefix("s3");
    rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix(['.', '-']).is_some_and(region))
}

/// S3 user guide, "General purpose bucket naming rules".
fn bucket_name(text: &str) -> Result<String, &'static str> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let is_bucket = (3..=63).contains(&text.len()) && text.bytes().all(plain) && !text.contains("..");
    if is_bucket { Ok(text.to_owned()) } else { Err("the host does not begin with the name of a bucket") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_is_read_from_hosts_of_s3_alone() {
        for (host, expected) in [
            ("127.0.0.1:4570", None),
            ("localhost:4570", None),
            ("[::1]:4570", None),
            ("s3.localhost:4570", None),
            ("s3.us-west-2.amazonaws.com", None),
            ("s3-us-west-2.amazonaws.com", None),
            ("s3.amazonaws.com", None),
            ("mine.s3.us-west-2.amazonaws.com", Some("mine")),
            ("Mine.S3-us-west-2.amazonaws.com", Some("mine")),
            ("my.bucket.s3.dualstack.us-west-2.amazonaws.com", Some("my.bucket")),
            ("mine.s3.amazonaws.com", Some("mine")),
            ("mine.s3.cn-north-1.amazonaws.com.cn", Some("mine")),
            ("mine.localhost:4570", Some("mine")),
            ("my.bucket.s3.localhost:4570", Some("my.bucket")),
            ("mine.127.0.0.1:4570", Some("mine")),
        ] {
            assert_eq!(bucket_of_host(host).unwrap().as_deref(), expected, "{host}");
        }
        for host in [
            "mine.amazonaws.com",
            "mine.elb.amazonaws.com",
            "mine.lambda.us-west-2.amazonaws.com",
            "mine.s3.elb.us-west-2.amazonaws.com",
            "mine.s3-control.us-west-2.amazonaws.com",
            "iam.amazonaws.com",
            "mi_ne.localhost",
            "x.localhost",
        ] {
            assert!(bucket_of_host(host).is_err(), "{host}");
        }
    }
}
