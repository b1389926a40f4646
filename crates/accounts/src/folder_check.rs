//! What is in a folder before an account gets it: another organisation's home, or files that an organisation has left
//! behind. The table knows no folder without an account, so only S3 can tell of the latter.

use sftp_authorizer::home::Home;
use sftpctl_aws::{Aws, AwsError};

use crate::bulk::pages::Pages;
use crate::folders::Folder;
use crate::import::compare::{HOME, text};
use crate::import::wanted::org_id;
use crate::key::is_reservation;
use crate::store::Accounts;

/// What S3 has in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Nothing,
    /// The empty object that shows a folder before the first upload.
    Marker,
    /// Files.
    Files,
}

/// What S3 has in a folder, by one call that lists two keys: one of them may be the folder's marker.
pub(crate) async fn content(aws: &Aws, region: &str, home: &Home) -> Result<Content, AwsError> {
    /// Keys that are listed; `users` allows no more (`sftpctl policy users`).
    const KEYS: i32 = 2;
    let marker = format!("{}/", home.folder);
    let page = aws.s3(region).page(&home.bucket, &marker, false, KEYS, None).await?;
    let keys = page.objects.iter().map(|object| object.key.as_str());
    Ok(content_of(keys, &marker))
}

fn content_of<'a>(keys: impl Iterator<Item = &'a str>, marker: &str) -> Content {
    keys.fold(Content::Nothing, |content, key| match (content, key == marker) {
        (Content::Files, _) | (_, false) => Content::Files,
        (_, true) => Content::Marker,
    })
}

impl Accounts {
    /// Reads the table until an account of another organisation has the folder, one inside it, or one around it, and says
    /// so.
    pub(crate) async fn rival(&self, home: &Home, own: i64) -> Result<Option<String>, AwsError> {
        let folder = Folder::new(home, own, ());
        let mut pages = Pages::of(self);
        while let Some(items) = pages.next().await? {
            for item in items.iter().filter(|item| !is_reservation(item)) {
                // The canaries of `verify` have other numbers.
                let Some(org_id) = org_id(item).filter(|id| *id > 0 && *id != own) else { continue };
                let other = text(item, HOME).and_then(Home::parse).map(|home| Folder::new(&home, org_id, ()));
                if let Some(other) = other.filter(|other| other.meets(&folder)) {
                    return Ok(Some(other.words(&folder)));
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_alone_is_no_file() {
        let of = |keys: &[&str]| content_of(keys.iter().copied(), "acme/");
        assert_eq!(of(&[]), Content::Nothing);
        assert_eq!(of(&["acme/"]), Content::Marker);
        assert_eq!(of(&["acme/", "acme/a.txt"]), Content::Files);
        assert_eq!(of(&["acme/a.txt"]), Content::Files);
        // A marker of a folder inside it is somebody's, too.
        assert_eq!(of(&["acme/in/"]), Content::Files);
    }
}
