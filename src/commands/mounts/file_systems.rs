//! The file system of a mount of Amazon S3 Files, which only AWS knows.

use crate::commands::args::AwsArgs;
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftpctl_core::spec::mounts::{Mount, MountKind};
use sftpctl_core::spec::names;
use sftpctl_core::spec::s3_files::PosixUser;
use sftpctl_core::template::{access_point_output, file_system_output};
use sftpctl_files::mounts::record::FileSystem;

/// The file system of a mount, and its access point for the mount's user: outputs of the stack of the cluster's region. AWS
/// is not asked for mounts of other kinds, which have none.
///
/// # Errors
/// The stack has no such file system, or cannot be read.
pub(super) async fn file_system(
    aws: &AwsArgs,
    mount: &Mount,
    printer: Printer,
) -> Result<Option<FileSystem>, CliError> {
    if mount.kind != MountKind::S3files {
        return Ok(None);
    }
    let cluster = mount.cluster.as_str();
    let (environment, connected) = aws.connect_to_cluster(Permissions::Mounts, cluster, printer).await?;
    let region = environment.clusters.get(cluster).map(|cluster| cluster.region.clone()).unwrap_or_default();
    let name = names::stack(&environment, &region);
    let outputs = connected.cloudformation(&region).stack(&name).await?.map(|stack| stack.outputs).unwrap_or_default();
    let user =
        mount.uid.zip(mount.gid).map(|(uid, gid)| access_point_output(&environment, cluster, PosixUser { uid, gid }));
    let output = |key: &str| {
        outputs.get(key).cloned().ok_or_else(|| {
            CliError::new(Exit::Refused, format!("the stack {name} in {region} has no output {key}"))
                .hint(format!("deploy the environment first: sftpctl deploy {}", aws.words()))
        })
    };
    Ok(Some(FileSystem {
        id: output(&file_system_output(&environment, cluster))?,
        access_point: user.map(|key| output(&key)).transpose()?,
    }))
}
