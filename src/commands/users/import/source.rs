//! The source of an import, as the command line names it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::database::DatabaseArgs;
use crate::commands::input_file;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::import::grouped;
use sftpctl_accounts::import::row::{Rows, RowsError};
use sftpctl_aws::Aws;
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::shown::Text;
use sftpctl_core::text::counted;
use sftpctl_sources::ahead::Ahead;
use sftpctl_sources::csv::Csv;
use sftpctl_sources::inspect::{Column, Inspection, inspect};
use sftpctl_sources::json::Json;
use sftpctl_sources::mapped::Mapped;
use sftpctl_sources::mapping::Mapping;
use sftpctl_sources::mapping_file::{self, MappingFile};
use sftpctl_sources::mysql::{self, Mysql};
use sftpctl_sources::options::{Kind, Options};
use sftpctl_sources::proftpd::ProFtpd;
use sftpctl_sources::sftpgo::{self, SftpGo};
use sftpctl_sources::source::Source;
use sftpctl_sources::source_name;
use sftpctl_sources::unix::{self, Unix};

/// Records that `--inspect` reads.
const INSPECTED: u64 = 100_000;

/// The source and its mapping.
#[derive(Debug, clap::Args)]
pub(in crate::commands::users) struct SourceArgs {
    /// Where the accounts are: csv:FILE, json:FILE, mysql://USER@HOST/DATABASE, shadow:DIR, sftpgo:FILE, proftpd:FILE
    #[arg(long, value_name = "SOURCE", value_parser = From::parse)]
    from: From,
    /// Show what the source's columns hold, and write a first mapping file to stdout
    #[arg(long)]
    inspect: bool,
    /// Name of the source, which its accounts keep [default: the kind and the place]
    #[arg(long, value_name = "NAME", value_parser = given_name)]
    source_name: Option<String>,
    #[command(flatten)]
    reading: ReadingArgs,
}

/// How a source is read.
#[derive(Debug, clap::Args)]
pub(in crate::commands::users) struct ReadingArgs {
    /// File that says which column of the source is which attribute of an account
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// shadow: also users whom sshd_config does not limit to SFTP or a folder, although it limits others
    #[arg(long)]
    everyone: bool,
    /// sftpgo: import users without the restrictions that an account cannot have
    #[arg(long)]
    drop_restrictions: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// The kind of a source, and where it is.
#[derive(Clone, Debug)]
pub(in crate::commands::users) struct From {
    kind: Kind,
    place: String,
}

impl From {
    /// Parses `csv:FILE`. A file's ending is enough for CSV and JSON.
    pub(in crate::commands::users) fn parse(text: &str) -> Result<Self, String> {
        let of = |kind, place: &str| Ok(Self { kind, place: place.to_owned() });
        if let Some((word, place)) = text.split_once(':')
            && let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.as_str() == word)
        {
            return of(kind, place);
        }
        if let Some((word, _)) = text.split_once(':')
            && !word.is_empty()
            && word.chars().all(|c| c.is_ascii_alphabetic())
        {
            let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
            return Err(format!("unknown kind of source `{word}`; the kinds are {}", kinds.join(", ")));
        }
        let ends_with = |ending| Path::new(text).extension().is_some_and(|is| is.eq_ignore_ascii_case(ending));
        match text {
            text if ends_with("csv") => of(Kind::Csv, text),
            text if ends_with("json") => of(Kind::Json, text),
            _ => {
                let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
                Err(format!("begin with the kind of the source and a colon: {}", kinds.join(", ")))
            }
        }
    }
}

fn given_name(text: &str) -> Result<String, String> {
    const LENGTH: usize = source_name::LENGTH;
    match text.chars().count() {
        1..=LENGTH if !text.contains(char::is_control) => Ok(text.to_owned()),
        _ => Err(format!("a name has 1 to {LENGTH} characters, and no control characters")),
    }
}

/// AWS, and the region whose secrets are read.
pub(in crate::commands::users) type Secrets<'a> = Option<(&'a Aws, &'a str)>;

/// A look at a source for programs.
#[derive(Serialize)]
struct View<'a> {
    #[serde(flatten)]
    inspection: &'a Inspection,
}

impl ReadingArgs {
    /// The options that were given, each with the kind of source that it is for, and its value.
    fn given(&self) -> impl Iterator<Item = (&'static str, Kind, Option<String>)> {
        let everyone = self.everyone.then_some(("--everyone", Kind::Shadow, None));
        let drops = self.drop_restrictions.then_some(("--drop-restrictions", Kind::Sftpgo, None));
        let database = self.database.given().map(|(name, value)| (name, Kind::Mysql, value));
        everyone.into_iter().chain(drops).chain(database)
    }

    /// Refuses options of a source where there is none.
    pub(in crate::commands::users) fn check_none(&self) -> Result<(), CliError> {
        let mapping = self.mapping.as_ref().map(|_| "--mapping");
        let Some(name) = mapping.or_else(|| self.given().map(|(name, ..)| name).next()) else { return Ok(()) };
        Err(CliError::new(Exit::Usage, format!("{name} is an option of a source, and there is none"))
            .hint(format!("pass --from SOURCE, or leave {name} out")))
    }
}

impl SourceArgs {
    /// A source that is only read.
    pub(in crate::commands::users) fn of(from: From, reading: ReadingArgs) -> Self {
        Self { from, inspect: false, source_name: None, reading }
    }

    /// Refuses options of another kind of source: without effect, they would be taken for what they say.
    pub(in crate::commands::users) fn check_options(&self) -> Result<(), CliError> {
        let mut given = self.reading.given();
        let Some((name, kind, _)) = given.find(|(_, kind, _)| *kind != self.from.kind) else { return Ok(()) };
        let (kind, from) = (kind.as_str(), self.from.kind.as_str());
        Err(CliError::new(Exit::Usage, format!("{name} is an option of {kind}: sources, and has no effect on {from}:"))
            .hint(format!("leave {name} out")))
    }

    /// The name of the source: its kind and place, `csv:/srv/customers.csv`, unless one is given.
    pub(super) fn name(&self, file: Option<&MappingFile>) -> String {
        if let Some(name) = &self.source_name {
            return name.clone();
        }
        let From { kind, place } = &self.from;
        let options = file.map(|file| file.options.clone()).unwrap_or_default();
        if *kind == Kind::Mysql {
            return source_name::of_database(&format!("mysql:{place}"), &self.reading.database.options(&options, None));
        }
        source_name::of_file(*kind, place, &options, self.reading.everyone)
    }

    /// The name that earlier versions gave to the source, which its accounts may have.
    pub(super) fn former_name(&self, file: Option<&MappingFile>) -> Option<String> {
        if self.source_name.is_some() {
            return None;
        }
        let table = self.reading.database.table().or_else(|| file.and_then(|file| file.options.table.as_deref()));
        Some(source_name::former(self.from.kind, &self.from.place, table))
    }

    /// Refuses to conclude that accounts are gone from a source that has no name of its own, such as a pipe.
    pub(super) fn check_name(&self) -> Result<(), CliError> {
        let From { kind, place } = &self.from;
        if self.source_name.is_some() || *kind == Kind::Mysql || source_name::is_lasting(place) {
            return Ok(());
        }
        let shown = format!("{}:{place}", kind.as_str());
        let message = format!("--delete needs the name of the source: `{shown}` may be another one each time");
        Err(CliError::new(Exit::Usage, message).hint("pass --source-name NAME, always the same for this source"))
    }

    /// The files that are read.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let place = (self.from.kind != Kind::Mysql).then(|| Path::new(&self.from.place));
        place.into_iter().chain(self.reading.mapping.as_deref()).chain(self.reading.database.files())
    }

    /// Whether the source is only looked at.
    pub(super) fn inspects(&self) -> bool {
        self.inspect
    }

    /// Shows what the columns hold on stderr, and writes a first mapping file to stdout.
    pub(super) async fn inspect(&self, secrets: Secrets<'_>, printer: Printer) -> Result<Exit, CliError> {
        let file = self.mapping_file(printer)?;
        let mapping = file.as_ref().and_then(|file| file.rules().cloned());
        let options = Options { inspects: true, ..file.map(|file| file.options).unwrap_or_default() };
        let mut source = self.source(&options, mapping, secrets).await?;
        let found = inspect(source.as_mut(), INSPECTED, self.from.kind, &options).await.map_err(unreadable)?;
        printer.note(|| columns(&found));
        printer.emit("inspection/1", &View { inspection: &found }, || Text::from_iter(found.mapping.lines()));
        Ok(Exit::Ok)
    }

    /// The rows of the source under its mapping, for an environment. Where something is waited for, other tasks go on.
    pub(in crate::commands::users) async fn open(
        &self,
        (environment, secrets): (&str, Secrets<'_>),
        file: Option<&MappingFile>,
        printer: Printer,
    ) -> Result<Box<dyn Rows>, CliError> {
        let options = file.map(|file| file.options.clone()).unwrap_or_default();
        let mapping = file.and_then(|file| file.rules().cloned());
        let source = self.source(&options, mapping, secrets).await?;
        let mapping = match file.filter(|file| file.rules().is_some()) {
            Some(file) => {
                let checked = file.check_columns(source.columns());
                checked.map_err(|faults| CliError::from_faults(&faults, printer.has_color()))?;
                file.mapping.clone()
            }
            None => {
                let mapping = source.default_mapping();
                let mapping = mapping.ok_or_else(|| self.unmapped(source.columns(), environment))?;
                let double_encoded = file.map(|file| file.mapping.double_encoded).unwrap_or_default();
                Mapping { double_encoded, ..mapping }
            }
        };
        Ok(Box::new(Ahead::of(Box::new(Mapped::new(source, &mapping).map_err(unreadable)?))))
    }

    /// A command with this source, which can be copied.
    pub(super) fn command(&self, command: &str, environment: &str) -> String {
        let mut words = vec![format!("sftpctl users {command} --env"), shell_word(environment), "--from".to_owned()];
        words.push(shell_word(&format!("{}:{}", self.from.kind.as_str(), self.from.place)));
        for (name, _, value) in self.reading.given() {
            words.push(name.to_owned());
            words.extend(value.map(|value| shell_word(&value)));
        }
        let mapping = self.reading.mapping.as_ref().map(|path| path.display().to_string());
        for (name, value) in [("--mapping", mapping.as_ref()), ("--source-name", self.source_name.as_ref())] {
            words.extend(value.into_iter().flat_map(|value| [name.to_owned(), shell_word(value)]));
        }
        words.join(" ")
    }

    fn unmapped(&self, columns: &[String], environment: &str) -> CliError {
        let message = "the source's columns are not named after the attributes of an account";
        let mut error = CliError::new(Exit::Usage, message)
            .hint(format!("write a mapping file: {} --inspect > mapping.yaml", self.command("import", environment)));
        error.causes = vec![format!("its columns are {}", columns.join(", "))];
        error
    }

    /// The mapping file. It may be a pipe, which can be read only once, and is waited for.
    pub(in crate::commands::users) fn mapping_file(&self, printer: Printer) -> Result<Option<MappingFile>, CliError> {
        let Some(path) = &self.reading.mapping else { return Ok(None) };
        let shown = path.display().to_string();
        let text = input_file::named(path, input_file::SMALL)?;
        let read = mapping_file::load(&text, &shown, self.from.kind);
        read.map(Some).map_err(|faults| CliError::from_faults(&faults, printer.has_color()))
    }

    /// Whether the source needs a secret of AWS.
    pub(super) fn needs_aws(&self) -> bool {
        self.reading.database.needs_aws()
    }

    async fn source(
        &self,
        options: &Options,
        mapping: Option<Mapping>,
        secrets: Secrets<'_>,
    ) -> Result<Box<dyn Source>, CliError> {
        let From { kind, place } = self.from.clone();
        if kind == Kind::Mysql {
            let url = format!("mysql:{place}");
            mysql::check_url(&url).map_err(unreadable)?;
            let password = self.reading.database.password(secrets).await?;
            let options = self.reading.database.options(options, mapping);
            return Mysql::connect(&url, password.as_ref(), &options).await.map(boxed).map_err(unreadable);
        }
        let (options, everyone, drops_restrictions) =
            (options.clone(), self.reading.everyone, self.reading.drop_restrictions);
        let open = move || -> Result<Box<dyn Source>, RowsError> {
            let path = Path::new(&place);
            match kind {
                Kind::Csv | Kind::Mysql => Csv::open(path, &options).map(boxed),
                Kind::Json => Json::open(path, &options).map(boxed),
                Kind::Shadow => Unix::open(path, unix::Options { everyone, ..unix::Options::default() }).map(boxed),
                Kind::Sftpgo => SftpGo::open(path, sftpgo::Options { drops_restrictions }).map(boxed),
                Kind::Proftpd => ProFtpd::open(path).map(boxed),
            }
        };
        // A pipe is waited for.
        let opened = tokio::task::spawn_blocking(open).await;
        opened.map_err(|error| CliError::new(Exit::Failed, format!("the source: {error}")))?.map_err(unreadable)
    }
}

fn boxed(source: impl Source + 'static) -> Box<dyn Source> {
    Box::new(source)
}

/// What the columns hold, for people.
fn columns(found: &Inspection) -> Text {
    let all = if found.is_complete { "" } else { "the first " };
    let mut text = Text::from(format!("{all}{}", counted(found.records, "record")));
    for column in &found.columns {
        text.line(format!("  {}", describe(column)));
    }
    for remark in &found.remarks {
        text.line(format!("note: {remark}"));
    }
    text
}

/// `login (username?): 1,203 different, 0 without a value, 3 to 20 characters; jan, piet`.
fn describe(column: &Column) -> String {
    let Column { name, nulls, empties, distinct, has_more, lengths, guess, changed, hashes, samples } = column;
    let guess = guess.map(|guess| format!(" ({guess}?)")).unwrap_or_default();
    let more = if *has_more { "more than " } else { "" };
    let mut words = format!("{name}{guess}: {more}{} different", grouped(*distinct));
    let others =
        [(nulls, "without a value"), (empties, "empty"), (changed, "changed by a spreadsheet, to be rejected")];
    for (count, what) in others {
        if *count > 0 {
            words.push_str(&format!(", {} {what}", grouped(*count)));
        }
    }
    if let Some((least, most)) = lengths {
        match least == most {
            true => words.push_str(&format!(", {}", counted(*most as u64, "character"))),
            false => words.push_str(&format!(", {least} to {most} characters")),
        }
    }
    let found = hashes.iter().map(|(kind, count)| format!("{kind} × {}", grouped(*count)));
    let found: Vec<String> = found.chain(samples.iter().cloned()).collect();
    if !found.is_empty() {
        words.push_str(&format!("; {}", found.join(", ")));
    }
    words
}

/// A source that could not be read, as the error that ends the command.
pub(in crate::commands::users) fn unreadable(error: RowsError) -> CliError {
    let exit = if error.is_usage { Exit::Usage } else { Exit::Failed };
    let mut lines = error.message.lines();
    let mut shown = CliError::new(exit, lines.next().unwrap_or_default());
    shown.causes = lines.map(str::to_owned).collect();
    shown.hint = error.hint;
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        source: SourceArgs,
    }

    #[test]
    fn a_hint_keeps_the_options_that_were_given() {
        let from = "--from mysql://reader@db/shop --table customers";
        let more = "--password-env DB --tls verify-full --ca-file ca.pem";
        let given = format!("x {from} {more}");
        let words = given.split(' ').chain(["--where", "active = 1"]);
        let source = <Command as clap::Parser>::parse_from(words).source;
        let hint = source.unmapped(&["a".into()], "99").hint.unwrap();
        let command =
            format!("sftpctl users import --env 99 {from} --where 'active = 1' {more} --inspect > mapping.yaml");
        assert_eq!(hint, format!("write a mapping file: {command}"));
    }

    #[test]
    fn a_source_has_a_kind_that_is_known() {
        for (text, kind) in [("csv:a", Kind::Csv), ("b/a.csv", Kind::Csv), ("./x:y.json", Kind::Json)] {
            assert_eq!(From::parse(text).unwrap().kind, kind, "{text}");
        }
        for text in ["xml:a.csv", "xml:a"] {
            let error = From::parse(text).unwrap_err();
            assert!(error.contains("`xml`") && error.contains("csv, json, mysql, shadow, sftpgo, proftpd"), "{error}");
        }
        assert!(From::parse("a.txt").is_err());
    }
}
