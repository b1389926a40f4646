//! Files that are in the folder of a new account before it: those of an organisation that is gone, whose files no command
//! deletes. Looked for where the source names a folder that is not the organisation's own.

use std::io;
use std::sync::Arc;

use sftp_authorizer::home::Home;
use sftpctl_aws::Aws;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;
use sftpctl_core::text::{counted, either};
use tokio::task::JoinSet;

use super::compare::{HOME, text};
use super::moves::{Form, Step};
use super::rejected::Whose;
use super::review::Review;
use super::row::Remark;
use super::wanted::{Wanted, label};
use crate::folder_check::{Content, content};
use crate::spill::PARTS;

/// Folders that are looked into: one call each.
const MOST: usize = 1_000;
/// Calls at once.
const AT_ONCE: usize = 16;
/// Accounts that the remark names.
const NAMED: usize = 5;

/// A new account's folder.
#[derive(Debug, PartialEq, Eq)]
struct Chosen {
    row: u64,
    place: String,
    whose: Whose,
    label: String,
    home: Home,
}

/// The folder of a new account, if the source names one that is not the organisation's own.
fn chosen(wanted: &Wanted) -> Option<Chosen> {
    let item = wanted.item.as_ref()?;
    let home = text(item, HOME).and_then(Home::parse).filter(|home| home.folder != wanted.org_id.to_string())?;
    let whose = Whose::new(Some(wanted.org_id), wanted.name());
    Some(Chosen { row: wanted.row, place: wanted.place.clone(), whose, label: label(item), home })
}

/// The folders to look into; `None` if they are too many. One that passes on in this run is named by another remark.
fn all_chosen(review: &mut Review) -> io::Result<Option<Vec<Chosen>>> {
    let mut all = Vec::new();
    let chains = review.chains.iter().filter(|chain| chain.form != Form::Folders);
    for step in chains.chain(&review.after_deletions).flat_map(|chain| &chain.steps) {
        if let Step::New(wanted) = step {
            all.extend(chosen(wanted));
        }
    }
    for part in 0..PARTS {
        for wanted in review.new.read(part)? {
            all.extend(chosen(&wanted?));
            if all.len() > MOST {
                return Ok(None);
            }
        }
    }
    Ok(Some(all))
}

/// Adds a note to each row whose new account gets a folder with files, and a remark with their number.
///
/// # Errors
/// A temporary file could not be used. What S3 refuses is a remark.
pub async fn note(review: &mut Review, aws: &Arc<Aws>, environment: &Environment) -> io::Result<()> {
    let Some(mut waiting) = all_chosen(review)? else {
        review.remarks.push(format!(
            "more than {MOST} new accounts get a folder that the source names: whether files of others are in them \
             already was not looked up"
        ));
        return Ok(());
    };
    let (mut calls, mut found, mut unknown) = (JoinSet::new(), Vec::new(), None);
    loop {
        while calls.len() < AT_ONCE
            && let Some(chosen) = waiting.pop()
        {
            let Some((_, cluster)) = names::cluster_of(environment, &chosen.home.bucket) else { continue };
            let aws = Arc::clone(aws);
            let region = cluster.region.clone();
            calls.spawn(async move { (content(&aws, &region, &chosen.home).await, chosen) });
        }
        match calls.join_next().await {
            None => break,
            Some(Ok((Ok(Content::Files), chosen))) => found.push(chosen),
            Some(Ok((Ok(_), _))) => {}
            Some(Ok((Err(error), _))) => {
                // The next calls would be refused alike.
                if error.is_access_denied() || error.is_credentials() {
                    waiting.clear();
                }
                unknown = Some(error.to_string());
            }
            Some(Err(error)) => return Err(io::Error::other(error)),
        }
    }
    if let Some(error) = unknown {
        let remark =
            format!("whether files of others are in the folders of new accounts could not be looked up: {error}");
        review.remarks.push(remark);
    }
    keep(review, found)
}

/// Keeps the notes, in the order of the source.
fn keep(review: &mut Review, mut found: Vec<Chosen>) -> io::Result<()> {
    found.sort_by_key(|chosen| chosen.row);
    let count = found.len() as u64;
    let named: Vec<String> =
        found.iter().take(NAMED).map(|chosen| format!("{}: {}", chosen.label, chosen.home.path())).collect();
    for Chosen { row, place, whose, home, .. } in found {
        let why = "the folder has files already, which the new account sees: decide whose they are first".to_owned();
        let before = super::rejected::shown(&home.path());
        let remark = Remark { column: "home".to_owned(), before, after: String::new(), why };
        review.note((row, &place), whose, remark)?;
    }
    if count > 0 {
        review.remarks.push(format!(
            "{} {} a folder that has files already, and sees them: {}. Decide whose they are before the import",
            counted(count, "new account"),
            either(count, "gets", "get"),
            named.join("; ")
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sftp_authorizer::{Attribute, Item};

    use super::*;

    #[test]
    fn only_a_folder_that_the_source_names_is_looked_into() {
        let wanted = |folder: &str| Wanted {
            row: 2,
            place: "line 3".into(),
            org_id: 7,
            written: None,
            key: "7".into(),
            item: Some(Item::from([(HOME.to_owned(), Attribute::Text(format!("/bkt/{folder}")))])),
        };
        assert_eq!(chosen(&wanted("7")), None);
        assert_eq!(chosen(&wanted("acme")).unwrap().home.path(), "/bkt/acme");
        assert_eq!(chosen(&wanted("7/in")).unwrap().home.path(), "/bkt/7/in");
        assert_eq!(chosen(&Wanted { item: None, ..wanted("acme") }), None);
    }
}
