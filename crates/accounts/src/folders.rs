//! Home folders that several organisations would share, or of which one is inside another's: each customer sees the
//! files of the other.
//!
//! Folders are sorted, so that one follows those that it is in. Whether it meets another one is then known from these, and
//! from what follows it immediately: a million folders in one take no more memory than one.

use std::cmp::Ordering;
use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sftp_authorizer::home::Home;
use sftpctl_sorter::Sorter;

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
    pub(crate) fn words<U>(&self, own: &Folder<U>) -> String {
        let Self { org_id, path, .. } = self;
        if *path == own.path {
            format!("organisation {org_id} has the folder /{path}, too: each sees the files of the other")
        } else if path.len() < own.path.len() {
            format!("the folder is inside /{path} of organisation {org_id}, which sees its files")
        } else {
            format!("the folder /{path} of organisation {org_id} is inside it, whose files it sees")
        }
    }

    /// Whether one of two folders is the other, or inside it.
    pub(crate) fn meets<U>(&self, other: &Folder<U>) -> bool {
        self.is_above(&other.path) || other.is_above(&self.path)
    }

    /// Whether a folder is this one, or inside it.
    fn is_above(&self, path: &str) -> bool {
        path.strip_prefix(&self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn bare(&self) -> Folder<()> {
        Folder { path: self.path.clone(), org_id: self.org_id, of: () }
    }
}

/// Folders sort so that one is followed by all that are inside it; those of one organisation are together.
impl<T> Ord for Folder<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.path.split('/').cmp(other.path.split('/')).then(self.org_id.cmp(&other.org_id))
    }
}

impl<T> PartialOrd for Folder<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Folder<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Folder<T> {}

/// How a folder counts for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    /// Whether anybody asks which folder it meets.
    pub(crate) is_asked: bool,
    /// Whether it does not meet those that are left.
    pub(crate) ignores_left: bool,
    /// Whether its account leaves it.
    pub(crate) is_left: bool,
}

/// A folder that the present one is in, or the present one.
struct Level<T> {
    path: Folder<()>,
    /// Two organisations that have it, of those that leave it and of the others.
    owners: [Vec<Folder<()>>; 2],
    /// Folders that have met none: all are of one organisation, or ignore those that are left.
    open: Vec<Folder<T>>,
}

/// Finds the folders that another organisation's meets.
pub(crate) struct Shared<T> {
    folders: Sorter<Folder<T>>,
}

impl<T: Serialize + DeserializeOwned + 'static> Shared<T> {
    pub(crate) fn new() -> Self {
        Self { folders: Sorter::new() }
    }

    #[cfg(test)]
    fn with_runs_of(run: usize) -> Self {
        Self { folders: Sorter::with_runs_of(run) }
    }

    /// Adds a folder. All of a group are compared.
    pub(crate) fn add(&mut self, folder: Folder<T>) -> io::Result<()> {
        self.folders.push(folder)
    }

    /// Calls `found` once for each folder that another organisation's meets, with one that it meets.
    pub(crate) fn find(
        self,
        manner: impl Fn(&T) -> Manner,
        mut found: impl FnMut(&Folder<T>, &Folder<()>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut levels: Vec<Level<T>> = Vec::new();
        for folder in self.folders.sorted()? {
            let folder = folder?;
            let Manner { is_asked, ignores_left, is_left } = manner(&folder.of);
            levels.truncate(levels.iter().take_while(|level| level.path.is_above(&folder.path)).count());
            // It is what those above it meet.
            for level in &mut levels {
                let mut open = Vec::new();
                for own in level.open.drain(..) {
                    if own.org_id != folder.org_id && !(is_left && manner(&own.of).ignores_left) {
                        found(&own, &folder.bare())?;
                    } else {
                        open.push(own);
                    }
                }
                level.open = open;
            }
            let counts = levels.iter().flat_map(|level| {
                let [staying, leaving] = &level.owners;
                staying.iter().chain(leaving.iter().filter(|_| !ignores_left))
            });
            let rival = counts.into_iter().find(|owner| owner.org_id != folder.org_id).cloned();
            if levels.last().is_none_or(|level| level.path.path != folder.path) {
                levels.push(Level { path: folder.bare(), owners: [Vec::new(), Vec::new()], open: Vec::new() });
            }
            let Some(level) = levels.last_mut() else { continue };
            let [staying, leaving] = &mut level.owners;
            let owners = if is_left { leaving } else { staying };
            if owners.len() < 2 && owners.iter().all(|owner| owner.org_id != folder.org_id) {
                owners.push(folder.bare());
            }
            match rival {
                Some(rival) if is_asked => found(&folder, &rival)?,
                None if is_asked => level.open.push(folder),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Organisations and their rivals.
    fn met<T: Serialize + DeserializeOwned + Clone + 'static>(
        folders: &[Folder<T>],
        run: usize,
        manner: impl Fn(&T) -> Manner,
    ) -> Vec<(i64, i64)> {
        let mut shared = Shared::with_runs_of(run);
        folders.iter().for_each(|folder| shared.add(folder.clone()).unwrap());
        let mut all = Vec::new();
        shared
            .find(manner, |folder, rival| {
                all.push((folder.org_id, rival.org_id));
                assert_eq!(folder.group(), rival.group());
                Ok(())
            })
            .unwrap();
        all.sort_unstable();
        all
    }

    const PLAIN: Manner = Manner { is_asked: true, ignores_left: false, is_left: false };

    #[test]
    fn folders_that_meet_are_found_on_both_sides() {
        let homes = [
            (1, "/bkt/x"),
            (2, "/bkt/x"),
            (3, "/bkt/y"),
            (4, "/bkt/y/in/deep"),
            (5, "/bkt/ya"),
            (5, "/bkt/y-"),
            (6, "/cup/x"),
            (7, "/bkt/own"),
            (7, "/bkt/own/in"),
        ];
        let folders: Vec<Folder<()>> =
            homes.iter().map(|(org_id, path)| Folder::new(&Home::parse(path).unwrap(), *org_id, ())).collect();
        for run in [1, 3, 100] {
            assert_eq!(met(&folders, run, |()| PLAIN), [(1, 2), (2, 1), (3, 4), (4, 3)]);
        }
        let meet = |one: usize, other: usize| folders[one].meets(&folders[other]);
        assert!(meet(0, 1) && meet(2, 3) && meet(3, 2) && !meet(2, 4) && !meet(0, 6));
        assert!(folders[3].words(&folders[2]).contains("/bkt/y/in/deep of organisation 4 is inside it"));
        assert!(folders[2].words(&folders[3]).contains("is inside /bkt/y of organisation 3"));
    }

    /// Compared with a search of every pair, in every manner.
    #[test]
    fn every_pair_that_meets_is_found_once() {
        let paths = ["a/x", "a/x/y", "a/x/y/z", "a/x/z", "a/x-", "a/y"];
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let folders: Vec<Folder<(bool, bool, bool)>> = (0..random.usize(1..8))
                .map(|_| {
                    let of = (random.bool(), random.bool(), random.bool());
                    let path = paths[random.usize(..paths.len())].to_owned();
                    Folder { path, org_id: random.i64(1..4), of }
                })
                .collect();
            let manner = |of: &(bool, bool, bool)| Manner { is_asked: of.0, ignores_left: of.1, is_left: of.2 };
            let meets = |own: &Folder<(bool, bool, bool)>, rival: &Folder<(bool, bool, bool)>| {
                own.org_id != rival.org_id
                    && (own.is_above(&rival.path) || rival.is_above(&own.path))
                    && !(manner(&own.of).ignores_left && manner(&rival.of).is_left)
            };
            let asked = folders.iter().filter(|own| own.of.0 && folders.iter().any(|rival| meets(own, rival)));
            let mut expected: Vec<i64> = asked.map(|own| own.org_id).collect();
            expected.sort_unstable();
            let found: Vec<i64> = met(&folders, 3, manner).into_iter().map(|(own, _)| own).collect();
            assert_eq!(found, expected, "{folders:?}");
        }
    }

    /// Nested folders in one group wait for nothing: what is open is at most one organisation's.
    #[test]
    fn nested_folders_are_not_gathered() {
        let mut shared = Shared::with_runs_of(1_000);
        for org_id in 1..=50_000 {
            let path = if org_id == 1 { "b/all".to_owned() } else { format!("b/all/{org_id}") };
            shared.add(Folder { path, org_id, of: () }).unwrap();
        }
        assert!(shared.folders.in_memory() <= 1_000);
        let mut count = 0;
        shared
            .find(
                |()| PLAIN,
                |_, _| {
                    count += 1;
                    Ok(())
                },
            )
            .unwrap();
        assert_eq!(count, 50_000);
    }
}
