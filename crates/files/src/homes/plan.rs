//! What happens to an entry under the chosen options. Pure.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::concern::Concern;
use super::entry::{Entry, Kind, Leads};
use super::name::{self, Alike, Charset, Unnamable};

/// Bytes of one PUT, and of one copy, at most (S3 user guide, "Uploading objects", "Copying objects").
pub const MOST_PER_PUT: u64 = 5 << 30;

/// What becomes of symbolic links that lead to something in the home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// The content of the file under the link's name.
    Copy,
    /// An object whose body is the target and whose metadata says that it is a link: mounts show a link, Transfer a
    /// small file.
    Marker,
    Skip,
}

impl FromStr for Links {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "copy" => Ok(Self::Copy),
            "marker" => Ok(Self::Marker),
            "skip" => Ok(Self::Skip),
            _ => Err("expected copy, marker or skip"),
        }
    }
}

/// The decisions of the user, and where the home goes.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Of the keys; ends with a slash.
    pub prefix: String,
    pub charset: Charset,
    /// Without it, links stay behind.
    pub links: Option<Links>,
    /// What may stay behind.
    pub skip: BTreeSet<Concern>,
}

/// What happens to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// A file becomes an object.
    Object,
    /// A folder becomes an object with a slash at its end.
    Folder,
    /// A link becomes an object with its target.
    LinkMarker,
    /// A link becomes an object with the content of its target.
    LinkCopy,
    /// It stays behind, as an option says.
    Skipped(Concern),
    /// It stays behind, and nobody has decided so.
    Left(Concern),
}

impl Fate {
    /// Whether it becomes an object.
    pub fn is_object(self) -> bool {
        !matches!(self, Self::Skipped(_) | Self::Left(_))
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Folder => "folder",
            Self::LinkMarker => "link",
            Self::LinkCopy => "copy",
            Self::Skipped(_) => "skipped",
            Self::Left(_) => "left",
        }
    }
}

/// The plan for an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub fate: Fate,
    /// Of the object, if there will be one.
    pub key: Option<String>,
    pub concerns: Vec<Concern>,
}

/// Plans an entry.
pub fn plan(entry: &Entry, options: &Options) -> Planned {
    let mut concerns = remarks(entry);
    let key = name::key(&options.prefix, &entry.path, entry.kind() == Kind::Folder, options.charset);
    let obstacle = match &key {
        _ if entry.is_mount => Some(Concern::MountPoint),
        Err(Unnamable::NotUtf8) => Some(Concern::NotUtf8),
        Err(Unnamable::Control) => Some(Concern::Control),
        Err(Unnamable::TooLong) => Some(Concern::TooLong),
        Ok(_) if entry.alike == Some(Alike::Key) => Some(Concern::SameKey),
        Ok(_) if entry.unreadable.is_some() => Some(Concern::Unreadable),
        Ok(_) => None,
    };
    let fate = match (obstacle, kind(entry, options)) {
        (Some(obstacle), _) => Err(obstacle),
        (None, fate) => fate,
    };
    let fate = fate.unwrap_or_else(|concern| {
        concerns.push(concern);
        let skips_links = options.links == Some(Links::Skip) && entry.link.is_some();
        let is_skipped = options.skip.contains(&concern) || (skips_links && obstacle.is_none());
        if is_skipped { Fate::Skipped(concern) } else { Fate::Left(concern) }
    });
    let key = key.ok().filter(|_| fate.is_object());
    if key.is_some() && name::is_decoded(&entry.path) {
        concerns.push(Concern::Decoded);
    }
    concerns.sort_unstable();
    concerns.dedup();
    Planned { fate, key, concerns }
}

/// What an entry of this kind becomes, or why it cannot.
fn kind(entry: &Entry, options: &Options) -> Result<Fate, Concern> {
    match (entry.kind(), &entry.link) {
        (Kind::File, _) => Ok(Fate::Object),
        (Kind::Folder, _) => Ok(Fate::Folder),
        (Kind::Fifo, _) => Err(Concern::Fifo),
        (Kind::Socket, _) => Err(Concern::Socket),
        (Kind::Device, _) => Err(Concern::Device),
        (Kind::Link, None) => Err(Concern::Unreadable),
        (Kind::Link, Some(link)) => match (options.links, link.leads) {
            (Some(Links::Copy), Leads::File) => Ok(Fate::LinkCopy),
            // A link is only text, wherever it leads.
            (Some(Links::Marker), _) => Ok(Fate::LinkMarker),
            (_, Leads::File | Leads::Special) => Err(Concern::LinkToFile),
            (_, Leads::Folder) => Err(Concern::LinkToFolder),
            (_, Leads::Outside) => Err(Concern::LinkOutside),
            (_, Leads::Nowhere) => Err(Concern::LinkToNothing),
            (_, Leads::Loop) => Err(Concern::LinkLoop),
        },
    }
}

/// What is worth knowing of an entry, whatever happens to it.
fn remarks(entry: &Entry) -> Vec<Concern> {
    let is_file = entry.kind() == Kind::File;
    let writes = entry.opened.iter().any(|opened| opened.writes);
    let all = [
        (!name::unseen(&entry.path).is_empty(), Concern::Unseen),
        (entry.alike == Some(Alike::Composition), Concern::Composition),
        (entry.alike == Some(Alike::Case), Concern::Case),
        (is_file && entry.facts.names > 1, Concern::HardLink),
        (entry.facts.is_sparse(), Concern::Sparse),
        (entry.facts.is_set_id(), Concern::SetId),
        (entry.has_acl, Concern::Acl),
        (entry.has_attributes, Concern::Attributes),
        (entry.is_empty && entry.kind() == Kind::Folder, Concern::EmptyFolder),
        (is_file && writes, Concern::OpenForWriting),
        (!(entry.opened.is_empty() || is_file && writes), Concern::Open),
        (is_file && entry.facts.size > MOST_PER_PUT, Concern::LargerThanPut),
    ];
    all.into_iter().filter(|(has, _)| *has).map(|(_, concern)| concern).collect()
}

#[cfg(test)]
mod tests {
    use super::super::entry::{Facts, Link};
    use super::super::name::Raw;
    use super::*;

    fn entry(path: &[u8], mode: u32) -> Entry {
        let facts = Facts { mode, names: 1, ..Facts::default() };
        Entry { path: Raw(path.to_vec()), facts, ..Entry::default() }
    }

    fn options(links: Option<Links>, skip: &[Concern]) -> Options {
        Options { prefix: "7/".to_owned(), links, skip: skip.iter().copied().collect(), ..Options::default() }
    }

    fn fate(entry: &Entry, links: Option<Links>, skip: &[Concern]) -> Fate {
        plan(entry, &options(links, skip)).fate
    }

    #[test]
    fn nothing_stays_behind_without_a_decision() {
        let file = entry(b"a", 0o100_644);
        assert_eq!(fate(&file, None, &[]), Fate::Object);
        assert_eq!(plan(&entry(b"d", 0o040_755), &options(None, &[])).key.as_deref(), Some("7/d/"));
        for (mode, concern) in [(0o010_644, Concern::Fifo), (0o140_644, Concern::Socket), (0o020_644, Concern::Device)]
        {
            let special = entry(b"a", mode);
            assert_eq!(fate(&special, None, &[]), Fate::Left(concern));
            assert_eq!(fate(&special, Some(Links::Skip), &[]), Fate::Left(concern), "--links is about links");
            assert_eq!(fate(&special, None, &[concern]), Fate::Skipped(concern));
        }
        for (path, concern) in
            [(&b"\xe4"[..], Concern::NotUtf8), (b"a\n", Concern::Control), (&[b'a'; 1023], Concern::TooLong)]
        {
            assert_eq!(fate(&entry(path, 0o100_644), None, &[]), Fate::Left(concern));
            assert_eq!(fate(&entry(path, 0o100_644), None, &[concern]), Fate::Skipped(concern));
        }
        let alike = Entry { alike: Some(Alike::Key), ..file.clone() };
        assert_eq!(fate(&alike, None, &[]), Fate::Left(Concern::SameKey));
        let mount = Entry { is_mount: true, ..entry(b"m", 0o040_755) };
        assert_eq!(fate(&mount, None, &[]), Fate::Left(Concern::MountPoint));
        let unreadable = Entry { unreadable: Some("permission denied".to_owned()), ..file };
        assert_eq!(fate(&unreadable, None, &[]), Fate::Left(Concern::Unreadable));
    }

    #[test]
    fn links_follow_the_option_and_never_lead_out() {
        use Concern::{LinkLoop, LinkOutside, LinkToFile, LinkToFolder, LinkToNothing};
        for (leads, concern) in [
            (Leads::File, LinkToFile),
            (Leads::Folder, LinkToFolder),
            (Leads::Outside, LinkOutside),
            (Leads::Nowhere, LinkToNothing),
            (Leads::Loop, LinkLoop),
        ] {
            let link = Link { target: Raw(b"x".to_vec()), leads };
            let entry = Entry { link: Some(link), ..entry(b"l", 0o120_777) };
            assert_eq!(fate(&entry, None, &[]), Fate::Left(concern));
            assert_eq!(fate(&entry, Some(Links::Marker), &[]), Fate::LinkMarker);
            assert_eq!(fate(&entry, Some(Links::Skip), &[]), Fate::Skipped(concern));
            let copied = if leads == Leads::File { Fate::LinkCopy } else { Fate::Left(concern) };
            assert_eq!(fate(&entry, Some(Links::Copy), &[]), copied);
            let long = Entry { path: Raw(vec![b'a'; 1023]), ..entry };
            assert_eq!(fate(&long, Some(Links::Skip), &[]), Fate::Left(Concern::TooLong), "no key, not no link");
        }
    }

    #[test]
    fn what_is_lost_is_said() {
        let mut file = entry(b"a", 0o104_755);
        file.facts = Facts { size: 6 << 30, occupied: 0, names: 2, ..file.facts };
        file.has_acl = true;
        let planned = plan(&file, &options(None, &[]));
        let expected = [Concern::HardLink, Concern::Sparse, Concern::SetId, Concern::Acl, Concern::LargerThanPut];
        assert_eq!((planned.fate, planned.concerns), (Fate::Object, expected.to_vec()));
        let decoded = entry(b"\xe4", 0o100_644);
        let planned = plan(&decoded, &Options { charset: Charset::Cp1252, ..options(None, &[]) });
        assert_eq!((planned.key.as_deref(), planned.concerns), (Some("7/ä"), vec![Concern::Decoded]));
    }
}
