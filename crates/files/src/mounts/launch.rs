//! The command line that mounts a bucket, by kind and installed version. Pure.
//!
//! Sources: s3fs(1) of 1.90 and the changelog of s3fs-fuse; `mount-s3 --help` and CONFIGURATION.md of Mountpoint;
//! `rclone mount` and the S3 backend in rclone's documentation; mount.s3files(8) of amazon-efs-utils 3.2.

use sftpctl_core::spec::mounts::{Mount, MountKind};

use super::record::Record;
use super::tool::{RCLONE_KEEPS_FREE, S3FS_REGION, S3FS_SIGV4};

/// A command line, and the variables that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The program first. It stays in the foreground, except for `mount.s3files`.
    pub arguments: Vec<String>,
    pub environment: Vec<(&'static str, String)>,
}

/// Seconds that a mount may show an old state of the bucket. s3fs's own default of 900 hides uploads for a quarter of an
/// hour.
pub const FRESH_SECONDS: u32 = 10;

/// The command line of a mount; `None` for one of Amazon S3 Files whose file system is not known.
pub fn launch(record: &Record) -> Option<Launch> {
    let mount = &record.mount;
    let mut arguments = vec![record.tool.program.to_string_lossy().into_owned()];
    arguments.extend(match mount.kind {
        MountKind::S3fs => s3fs(record),
        MountKind::Mountpoint => mountpoint(record),
        MountKind::Rclone => rclone(record),
        MountKind::S3files => s3_files(record)?,
    });
    // s3fs has an option for its file; the others read the file that the AWS CLI uses.
    let file = mount.credentials.clone().filter(|_| mount.kind != MountKind::S3fs);
    let environment = file.map(|path| ("AWS_SHARED_CREDENTIALS_FILE", path)).into_iter().collect();
    Some(Launch { arguments, environment })
}

fn s3fs(record: &Record) -> Vec<String> {
    let Mount { at, cache, keep_free_mb, .. } = &record.mount;
    let url = record.mount.endpoint.clone().unwrap_or_else(|| format!("https://s3.{}.amazonaws.com", record.region));
    let region = if record.tool.version < S3FS_REGION { "endpoint" } else { "region" };
    let mut options = vec![format!("url={url}"), format!("{region}={}", record.region)];
    if record.tool.version >= S3FS_SIGV4 {
        // It would try again with the older signature, which S3 refuses, and hide the first error.
        options.push("sigv4".into());
    }
    if record.mount.endpoint.is_some() {
        options.push("use_path_request_style".into());
    }
    options.push(match &record.mount.credentials {
        Some(file) => format!("passwd_file={file}"),
        None => "iam_role=auto".into(),
    });
    options.push("allow_other".into());
    options.extend(record.mount.uid.map(|uid| format!("uid={uid}")));
    options.extend(record.mount.gid.map(|gid| format!("gid={gid}")));
    if let Some(umask) = record.mount.umask {
        options.extend([format!("umask={umask:04o}"), format!("mp_umask={umask:04o}")]);
    }
    if record.mount.read_only {
        options.push("ro".into());
    }
    // Files that are written go through `tmpdir` (/tmp by default), also without `use_cache`, which is left out: it keeps
    // what was read, without a limit.
    options.extend([format!("tmpdir={cache}"), format!("ensure_diskfree={keep_free_mb}")]);
    options.extend([
        format!("stat_cache_expire={FRESH_SECONDS}"),
        "connect_timeout=10".into(),
        "readwrite_timeout=30".into(),
        "retries=5".into(),
        "dbglevel=err".into(),
    ]);
    let words = [record.bucket.as_str(), at, "-f", "-o", &options.join(",")];
    words.map(str::to_owned).into()
}

fn mountpoint(record: &Record) -> Vec<String> {
    let Mount { at, .. } = &record.mount;
    let mut words = vec![record.bucket.clone(), at.clone(), "--foreground".into(), "--allow-other".into()];
    let mut option = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            words.extend([name.to_owned(), value]);
        }
    };
    option("--region", Some(record.region.clone()));
    option("--endpoint-url", record.mount.endpoint.clone());
    option("--metadata-ttl", Some(FRESH_SECONDS.to_string()));
    // It takes numbers from 1, and without one its own user's, which is root.
    option("--uid", record.mount.uid.filter(|uid| *uid > 0).map(|uid| uid.to_string()));
    option("--gid", record.mount.gid.filter(|gid| *gid > 0).map(|gid| gid.to_string()));
    option("--dir-mode", record.mount.umask.map(|umask| format!("{:04o}", 0o777 & !umask)));
    option("--file-mode", record.mount.umask.map(|umask| format!("{:04o}", 0o666 & !umask)));
    if record.mount.endpoint.is_some() {
        words.push("--force-path-style".into());
    }
    let more: &[&str] =
        if record.mount.read_only { &["--read-only"] } else { &["--allow-delete", "--allow-overwrite"] };
    words.extend(more.iter().map(|word| (*word).to_owned()));
    words
}

fn rclone(record: &Record) -> Vec<String> {
    let Mount { at, cache, keep_free_mb, .. } = &record.mount;
    let provider = if record.mount.endpoint.is_some() { "Other" } else { "AWS" };
    let mut words = vec!["mount".into(), format!(":s3:{}", record.bucket), at.clone()];
    words.extend([
        format!("--s3-provider={provider}"),
        "--s3-env-auth".into(),
        format!("--s3-region={}", record.region),
        "--s3-no-check-bucket".into(),
    ]);
    words.extend(record.mount.endpoint.iter().map(|url| format!("--s3-endpoint={url}")));
    words.extend([
        "--allow-other".into(),
        format!("--cache-dir={cache}"),
        "--vfs-cache-mode=full".into(),
        format!("--dir-cache-time={FRESH_SECONDS}s"),
    ]);
    if record.tool.version >= RCLONE_KEEPS_FREE {
        words.push(format!("--vfs-cache-min-free-space={keep_free_mb}M"));
    }
    words.extend(record.mount.uid.map(|uid| format!("--uid={uid}")));
    words.extend(record.mount.gid.map(|gid| format!("--gid={gid}")));
    words.extend(record.mount.umask.map(|umask| format!("--umask={umask:04o}")));
    if record.mount.read_only {
        words.push("--read-only".into());
    }
    words
}

/// Encrypted and as the machine's role without further options. Hard, as the program has it: with `soft`, NFS would lose
/// writes while the file system does not answer.
fn s3_files(record: &Record) -> Option<Vec<String>> {
    let file_system = record.file_system.as_ref()?;
    let mut options = vec![format!("region={}", record.region)];
    options.extend(file_system.access_point.iter().map(|point| format!("accesspoint={point}")));
    if record.mount.read_only {
        options.push("ro".into());
    }
    Some([file_system.id.as_str(), &record.mount.at, "-o", &options.join(",")].map(str::to_owned).into())
}

/// Whether a kind writes data to the disk of `cache`.
pub fn uses_disk(kind: MountKind) -> bool {
    matches!(kind, MountKind::S3fs | MountKind::Rclone)
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    fn line(record: &Record) -> String {
        launch(record).unwrap().arguments.join(" ")
    }

    #[test]
    fn options_of_s3fs_are_those_of_its_version() {
        let mut of_s3fs = record(MountKind::S3fs, "1.90");
        assert_eq!(
            line(&of_s3fs),
            "/usr/bin/tool pl-pt99-5-uploads /sftp -f -o url=https://s3.us-west-2.amazonaws.com,endpoint=us-west-2,sigv4,\
             iam_role=auto,allow_other,tmpdir=/var/cache/sftpctl/sftp,ensure_diskfree=1024,stat_cache_expire=10,\
             connect_timeout=10,readwrite_timeout=30,retries=5,dbglevel=err"
        );
        of_s3fs.tool.version = "1.96".parse().unwrap();
        of_s3fs.mount.credentials = Some("/etc/keys".into());
        (of_s3fs.mount.uid, of_s3fs.mount.gid, of_s3fs.mount.umask) = (Some(0), Some(48), Some(0o27));
        (of_s3fs.mount.read_only, of_s3fs.mount.endpoint) = (true, Some("http://s3.local:90".into()));
        let shown = line(&of_s3fs);
        assert!(
            shown.contains(
                "url=http://s3.local:90,region=us-west-2,sigv4,use_path_request_style,passwd_file=/etc/keys,allow_other,\
                 uid=0,gid=48,umask=0027,mp_umask=0027,ro,tmpdir="
            ),
            "{shown}"
        );
        assert!(!shown.contains("endpoint="), "{shown}");
    }

    #[test]
    fn options_of_the_others() {
        let mut of_mountpoint = record(MountKind::Mountpoint, "1.23.0");
        of_mountpoint.mount.credentials = Some("/etc/keys".into());
        (of_mountpoint.mount.uid, of_mountpoint.mount.umask) = (Some(0), Some(0o27));
        assert_eq!(
            line(&of_mountpoint),
            "/usr/bin/tool pl-pt99-5-uploads /sftp --foreground --allow-other --region us-west-2 --metadata-ttl 10 \
             --dir-mode 0750 --file-mode 0640 --allow-delete --allow-overwrite"
        );
        let file = ("AWS_SHARED_CREDENTIALS_FILE", "/etc/keys".to_owned());
        assert_eq!(launch(&of_mountpoint).unwrap().environment, [file]);
        let guard = "--vfs-cache-min-free-space=1024M";
        let (old, new) = (record(MountKind::Rclone, "1.60"), record(MountKind::Rclone, "1.75"));
        assert!(!line(&old).contains(guard) && line(&new).contains(guard), "{}", line(&new));
        assert!(
            line(&new).starts_with("/usr/bin/tool mount :s3:pl-pt99-5-uploads /sftp --s3-provider=AWS --s3-env-auth")
        );
        let mut of_s3_files = record(MountKind::S3files, "3.2.0");
        assert_eq!(line(&of_s3_files), "/usr/bin/tool fs-0123456789abcdef0 /sftp -o region=us-west-2");
        of_s3_files.mount.read_only = true;
        of_s3_files.file_system.as_mut().unwrap().access_point = Some("fsap-0123456789abcdef0".into());
        assert!(line(&of_s3_files).ends_with("-o region=us-west-2,accesspoint=fsap-0123456789abcdef0,ro"));
        of_s3_files.file_system = None;
        assert_eq!(launch(&of_s3_files), None);
    }
}
