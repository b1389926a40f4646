//! The source of an import, as the command line names it.

use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftpctl_accounts::import::row::{Rows, RowsError};
use sftpctl_sources::mapped::Mapped;
use sftpctl_sources::mapping::{Mapping, Rule};
use sftpctl_sources::source::{Record, Source, Value};

#[derive(Debug, clap::Args)]
pub(super) struct SourceArgs {
    /// Where the accounts come from: csv:FILE
    #[arg(long, value_name = "SOURCE")]
    from: String,
    /// Look at the source, and write a first mapping file to stdout
    #[arg(long)]
    inspect: bool,
}

struct Simple {
    columns: Vec<String>,
    lines: std::io::Lines<std::io::BufReader<std::fs::File>>,
    n: u64,
}
#[async_trait::async_trait]
impl Source for Simple {
    fn columns(&self) -> &[String] {
        &self.columns
    }
    fn default_mapping(&self) -> Option<Mapping> {
        let c = |n: &str| self.columns.iter().any(|x| x == n).then(|| Rule::column(n));
        Some(Mapping {
            org_id: c("orgid"),
            username: c("username"),
            password: c("password"),
            cluster: c("cluster"),
            home: c("home"),
            ..Mapping::default()
        })
    }
    async fn next(&mut self) -> Result<Vec<Record>, RowsError> {
        Ok(self
            .lines
            .by_ref()
            .take(5000)
            .map(|l| {
                self.n += 1;
                Record {
                    place: format!("line {}", self.n + 1),
                    values: l.unwrap_or_default().split(',').map(|v| Value::Text(v.to_owned())).collect(),
                    ..Record::default()
                }
            })
            .collect())
    }
}

impl SourceArgs {
    pub(super) fn inspects(&self) -> bool {
        self.inspect
    }
    pub(super) async fn inspect(&self, _p: Printer) -> Result<Exit, CliError> {
        Ok(Exit::Ok)
    }
    pub(super) async fn open(&self) -> Result<Box<dyn Rows>, CliError> {
        use std::io::BufRead as _;
        let path = self.from.strip_prefix("csv:").unwrap_or(&self.from);
        let f = std::fs::File::open(path).map_err(|e| CliError::new(Exit::Usage, e.to_string()))?;
        let mut lines = std::io::BufReader::new(f).lines();
        let columns = lines.next().and_then(Result::ok).unwrap_or_default().split(',').map(str::to_owned).collect();
        let s = Simple { columns, lines, n: 0 };
        let m = s.default_mapping().unwrap_or_default();
        Ok(Box::new(Mapped::new(Box::new(s), &m).map_err(|e| CliError::new(Exit::Usage, e.to_string()))?))
    }
}
