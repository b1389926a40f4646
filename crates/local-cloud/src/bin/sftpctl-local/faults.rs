//! `sftpctl local faults`: makes calls fail on purpose.

use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::commands::seconds;
use super::output::{self, Output, data};
use sftpctl_local_cloud::{self as local, Fault, LocalError, Only, Rule};

#[derive(Debug, Args)]
pub(super) struct FaultsArgs {
    #[command(subcommand)]
    command: FaultsCommand,
}

#[derive(Debug, Subcommand)]
enum FaultsCommand {
    /// List the rules, how often each has applied, and the held calls
    #[command(after_help = "Example:\n  sftpctl local faults list --output json")]
    List,
    /// Add a rule after the existing ones; the first rule that applies to a call decides
    #[command(after_help = "Faults:\n  \
        throttle, error500         refuse the call with the service's own error\n  \
        error=STATUS:CODE:MESSAGE  refuse the call with this error\n  \
        reset-before               close the connection before the call takes effect\n  \
        reset-after                close the connection instead of answering\n  \
        delay=TIME                 delay the call by this time\n  \
        hold-before, hold-after    hold the call, or its answer, until `faults clear`\n  \
        roll-back                  fail a CreateStack or UpdateStack at its very end, and roll it back\n  \
        partly                     throttle half of a BatchExecuteStatement or BatchWriteItem, with status 200\n  \
        stale=TIME                 repeat the last answer to the same read if it is younger than this\n  \
        hide-new=TIME              omit resources younger than this from ListServers and GetRole\n\n\
        Examples:\n  \
        sftpctl local faults add '*' throttle --probability 0.3\n  \
        sftpctl local faults add transfer.CreateServer reset-after --count 1\n  \
        sftpctl local faults add '*' error=400:ExpiredTokenException:expired --skip 40\n  \
        sftpctl local faults add 'cloudformation.Describe*' delay=2s --region us-west-2\n  \
        sftpctl local faults add s3.PutObject error500 --object '*.journal'")]
    Add(AddArgs),
    /// Remove all rules and release held calls, or remove one rule
    #[command(after_help = "Examples:\n  sftpctl local faults clear\n  sftpctl local faults clear 2")]
    Clear {
        /// Remove only this rule; held calls stay held
        id: Option<u64>,
    },
}

#[derive(Debug, Args)]
struct AddArgs {
    /// service.Operation, as `GET /_sftpctl/calls` names it; * matches any text
    call: String,
    /// Fault to apply, see below
    #[arg(value_parser = fault)]
    fault: Fault,
    /// Match only calls in this region
    #[arg(long)]
    region: Option<String>,
    /// Match only calls in this account
    #[arg(long)]
    account: Option<String>,
    /// Match only S3 calls about objects with this key; * matches any text
    #[arg(long, value_name = "KEY")]
    object: Option<String>,
    /// Match only calls that change something, or only reads
    #[arg(long)]
    only: Option<Only>,
    /// Number of matching calls that pass first
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: u64,
    /// Maximum number of calls that the fault applies to
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Probability for a matching call, from 0 to 1
    #[arg(long, value_name = "P")]
    probability: Option<f64>,
    /// Seed of the random numbers
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// Parses `throttle`, `delay=500ms`, `error=400:Code:message`.
fn fault(text: &str) -> Result<Fault, String> {
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    let time = || {
        let value = value.ok_or_else(|| format!("`{name}` needs a time: {name}=2s"))?;
        let duration = std::time::Duration::from_secs_f64(seconds(value)?);
        u64::try_from(duration.as_millis()).map_err(|error| error.to_string())
    };
    let plain = |fault| match value {
        None => Ok(fault),
        Some(_) => Err(format!("`{name}` takes no value")),
    };
    match name {
        "throttle" => plain(Fault::Throttle),
        "error500" => plain(Fault::Error500),
        "reset-before" => plain(Fault::ResetBefore),
        "reset-after" => plain(Fault::ResetAfter),
        "hold-before" => plain(Fault::HoldBefore),
        "hold-after" => plain(Fault::HoldAfter),
        "roll-back" => plain(Fault::RollBack),
        "partly" => plain(Fault::Partly),
        "delay" => time().map(Fault::Delay),
        "stale" => time().map(Fault::Stale),
        "hide-new" => time().map(Fault::HideNew),
        "error" => {
            let mut words = value.unwrap_or_default().splitn(3, ':');
            let status = words.next().and_then(|status| status.parse().ok());
            match (status, words.next(), words.next()) {
                (Some(status), Some(code), message) => Ok(Fault::Error {
                    status,
                    code: code.to_owned(),
                    message: message.unwrap_or("injected fault").to_owned(),
                }),
                _ => {
                    Err("use error=STATUS:CODE:MESSAGE, for example error=400:ExpiredTokenException:expired".to_owned())
                }
            }
        }
        _ => Err(format!("unknown fault `{name}`; see `sftpctl local faults add --help`")),
    }
}

impl FaultsArgs {
    pub(super) async fn run(&self, dir: &Path, output: Output) -> Result<(), LocalError> {
        let answer = match &self.command {
            FaultsCommand::List => local::manage(dir, "GET", "faults", "").await?,
            FaultsCommand::Add(args) => {
                let rule = Rule {
                    call: args.call.clone(),
                    region: args.region.clone(),
                    account: args.account.clone(),
                    object: args.object.clone(),
                    only: args.only,
                    skip: args.skip,
                    count: args.count,
                    probability: args.probability,
                    seed: args.seed,
                    fault: args.fault.clone(),
                };
                local::manage(dir, "POST", "faults", &serde_json::to_string(&rule).unwrap_or_default()).await?
            }
            FaultsCommand::Clear { id: None } => local::manage(dir, "DELETE", "faults", "").await?,
            FaultsCommand::Clear { id: Some(id) } => local::manage(dir, "DELETE", &format!("faults/{id}"), "").await?,
        };
        let value: Value = serde_json::from_str(&answer).unwrap_or_default();
        match output {
            Output::Json if value["rules"].is_array() => output::json("faults/1", &value),
            Output::Json => output::json("fault/1", &value),
            Output::Human | Output::Plain => human(&value),
        }
        Ok(())
    }
}

fn human(value: &Value) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let line = |rule: &Value| {
        let (call, fault) = (text(&rule["call"]), text(&rule["fault"]));
        data(format!("{:>3}  {call}  {fault}  applied to {} of {}", rule["id"], rule["applied"], rule["matched"]));
    };
    let (Some(rules), Some(holds)) = (value["rules"].as_array(), value["holds"].as_array()) else {
        return line(value);
    };
    if rules.is_empty() && holds.is_empty() {
        data("no faults");
    }
    rules.iter().for_each(line);
    for hold in holds {
        let (service, operation) = (text(&hold["service"]), text(&hold["operation"]));
        data(format!("held {} its effect: {service}.{operation} in {}", text(&hold["stage"]), text(&hold["region"])));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_arguments_are_parsed() {
        assert_eq!(fault("delay=500ms"), Ok(Fault::Delay(500)));
        assert_eq!(fault("reset-after"), Ok(Fault::ResetAfter));
        let expired = Fault::Error { status: 400, code: "Expired".to_owned(), message: "a: b".to_owned() };
        assert_eq!(fault("error=400:Expired:a: b"), Ok(expired));
        for wrong in ["delay", "throttle=1", "error=x:Y", "nothing", ""] {
            assert!(fault(wrong).is_err(), "{wrong}");
        }
    }
}
