//! What is to happen to entries that S3 cannot keep as they are, as arguments.

use clap::ValueEnum;
use sftpctl_files::homes::concern::Concern;
use sftpctl_files::homes::name::Charset;
use sftpctl_files::homes::plan::{Links, Options};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Decisions {
    /// Encoding of names that are not UTF-8: cp1252 (ISO 8859-1 is a part of it), or utf8: they have none
    #[arg(long, value_name = "CHARSET", value_enum, default_value_t, hide_possible_values = true)]
    name_charset: NameCharset,
    /// Links: copy (the content of the file), marker (an object that mounts show as a link), or skip
    #[arg(long, value_name = "HOW", value_parser = clap::value_parser!(Links))]
    links: Option<Links>,
    /// What may stay behind, by its word in the inventory (comma-separated): fifo, socket, too-long, …
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = clap::value_parser!(Concern))]
    skip: Vec<Concern>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum NameCharset {
    #[default]
    Utf8,
    Cp1252,
}

impl Decisions {
    /// The encoding of names.
    pub(super) fn charset(&self) -> Charset {
        match self.name_charset {
            NameCharset::Utf8 => Charset::Utf8,
            NameCharset::Cp1252 => Charset::Cp1252,
        }
    }

    /// The options of a plan for a home whose keys have this prefix.
    pub(super) fn options(&self, prefix: String) -> Options {
        Options { prefix, charset: self.charset(), links: self.links, skip: self.skip.iter().copied().collect() }
    }
}
