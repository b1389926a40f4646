//! Home folders that several organisations would share, or of which one is inside another's: each customer sees the
//! files of the other. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sftp_authorizer::home::Home;

/// An organisation's folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Folder<T> {
    /// `bucket/folder/folder`.
    pub(crate) path: String,
    pub(crate) org_id: i64,
    /// Who has it.
    pub(crate) of: T,
}

impl<T> Folder<T> {
    pub(crate) fn new(home: &Home, org_id: i64, of: T) -> Self {
        let parts: Vec<&str> = home.folder.split('/').filter(|part| !part.is_empty()).collect();
        Self { path: format!("{}/{}", home.bucket, parts.join("/")), org_id, of }
    }

    /// Bucket and first folder: folders of which one is inside the other have them in common.
    pub(crate) fn group(&self) -> &str {
        let end = self.path.match_indices('/').nth(1).map_or(self.path.len(), |(at, _)| at);
        self.path.get(..end).unwrap_or(&self.path)
    }

    /// `organisation 7 has the folder /b/7, too`, about this folder of another one.
    pub(crate) fn words(&self, own: &Self) -> String {
        let Self { org_id, path, .. } = self;
        if *path == own.path {
            format!("organisation {org_id} has the folder /{path}, too: each sees the files of the other")
        } else if path.len() < own.path.len() {
            format!("the folder is inside /{path} of organisation {org_id}, which sees its files")
        } else {
            format!("the folder /{path} of organisation {org_id} is inside it, whose files it sees")
        }
    }
}

/// Calls `found` once for each folder that another organisation's meets, with that one. All of a group are given;
/// `counts` says whether a folder of another organisation counts for the first.
pub(crate) fn shared<T, E>(
    folders: &[Folder<T>],
    counts: impl Fn(&Folder<T>, &Folder<T>) -> bool,
    mut found: impl FnMut(&Folder<T>, &Folder<T>) -> Result<(), E>,
) -> Result<(), E> {
    let mut by_path: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, folder) in folders.iter().enumerate() {
        by_path.entry(&folder.path).or_default().push(index);
    }
    // For each folder the first that it meets.
    let mut rivals: BTreeMap<usize, &Folder<T>> = BTreeMap::new();
    let other = |among: &[usize], own: &Folder<T>| {
        let others = among.iter().filter_map(|index| folders.get(*index));
        others.into_iter().find(|folder| folder.org_id != own.org_id && counts(own, folder))
    };
    for (path, owners) in &by_path {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for above in ends.filter_map(|end| by_path.get(path.get(..end)?)) {
            for (own, among) in [(owners, above), (above, owners)] {
                for index in own {
                    let Some(folder) = folders.get(*index).filter(|_| !rivals.contains_key(index)) else { continue };
                    rivals.extend(other(among, folder).map(|rival| (*index, rival)));
                }
            }
        }
    }
    for (index, rival) in rivals {
        if let Some(folder) = folders.get(index) {
            found(folder, rival)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_meet_are_found_on_both_sides() {
        let homes = [
            (1, "/bkt/x"),
            (2, "/bkt/x"),
            (3, "/bkt/y"),
            (4, "/bkt/y/in/deep"),
            (5, "/bkt/ya"),
            (6, "/cup/x"),
            (7, "/bkt/own"),
            (7, "/bkt/own/in"),
        ];
        let folders: Vec<Folder<()>> =
            homes.iter().map(|(org_id, path)| Folder::new(&Home::parse(path).unwrap(), *org_id, ())).collect();
        let mut all = Vec::new();
        shared::<_, ()>(
            &folders,
            |_, _| true,
            |folder, rival| {
                all.push((folder.org_id, rival.org_id));
                assert_eq!(folder.group(), rival.group());
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(all, [(1, 2), (2, 1), (3, 4), (4, 3)]);
        assert!(folders[3].words(&folders[2]).contains("/bkt/y/in/deep of organisation 4 is inside it"));
        assert!(folders[2].words(&folders[3]).contains("is inside /bkt/y of organisation 3"));
    }
}
