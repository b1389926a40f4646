//! `sftpctl local manners`: what AWS does that emulators do not.

use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output::{self, Output, data};
use sftpctl_local_cloud::{self as local, LocalError};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sftpctl local manners\n  \
    sftpctl local manners off iam-propagation\n  \
    sftpctl local manners on all")]
pub(super) struct MannersArgs {
    #[command(subcommand)]
    command: Option<MannersCommand>,
}

#[derive(Debug, Subcommand)]
enum MannersCommand {
    /// List them, with what AWS does and where that is documented or was recorded
    #[command(after_help = "Example:\n  sftpctl local manners list --output json")]
    List,
    /// Turn one on
    #[command(after_help = "Example:\n  sftpctl local manners on iam-propagation")]
    On {
        /// Name of the manner, or `all`
        name: String,
    },
    /// Turn one off until the local cloud stops
    #[command(after_help = "Example:\n  sftpctl local manners off iam-propagation")]
    Off {
        /// Name of the manner, or `all`
        name: String,
    },
}

impl MannersArgs {
    pub(super) async fn run(&self, dir: &Path, output: Output) -> Result<(), LocalError> {
        let switch = |name: &str, on: bool| json!({ "name": name, "on": on }).to_string();
        let answer = match &self.command {
            None | Some(MannersCommand::List) => local::manage(dir, "GET", "manners", "").await?,
            Some(MannersCommand::On { name }) => local::manage(dir, "POST", "manners", &switch(name, true)).await?,
            Some(MannersCommand::Off { name }) => local::manage(dir, "POST", "manners", &switch(name, false)).await?,
        };
        let manners: Value = serde_json::from_str(&answer).unwrap_or_default();
        match output {
            Output::Json => output::json("manners/1", &json!({ "manners": manners })),
            Output::Human | Output::Plain => manners.as_array().into_iter().flatten().for_each(human),
        }
        Ok(())
    }
}

fn human(manner: &Value) {
    let text = |name: &str| manner[name].as_str().unwrap_or_default().to_owned();
    let state = if manner["on"] == true { "on" } else { "off" };
    data(format!("{:<20} {state}", text("name")));
    data(format!("    {}", text("aws")));
    data(format!("    Source: {}", text("source")));
}
