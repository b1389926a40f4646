//! The prices and the usage that a command counts with, and the limit that a plan is held to.

use std::path::{Path, PathBuf};

use jiff::civil::Date;

use crate::commands::input_file;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::cost::refusal;
use crate::report::{Printer, streams};
use sftpctl_core::cost::bill::Bill;
use sftpctl_core::cost::change::CostChange;
use sftpctl_core::cost::inventory::Inventory;
use sftpctl_core::cost::money::Usd;
use sftpctl_core::cost::prices::{Prices, PricesError};
use sftpctl_core::cost::usage::Usage;
use sftpctl_core::plan::model::{Plan, Step};
use sftpctl_core::spec::model::Environment;
use sftpctl_engine::run::error::RunError;

/// Days after which a price is called old.
const OLD_DAYS: i32 = 180;

/// The files of usage and prices.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Cost")]
pub(crate) struct CostInputs {
    /// The usage of a month, in YAML; what it does not have is assumed
    #[arg(long, value_name = "FILE")]
    usage: Option<PathBuf>,
    /// Prices that win over the built-in ones, in the form of prices/aws.toml
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
}

impl CostInputs {
    /// Reads the files.
    pub(crate) fn read(&self, environment: &Environment, printer: Printer) -> Result<(Usage, Prices), CliError> {
        let mut prices = Prices::built_in().map_err(|error| {
            let message = format!("cannot use the built-in table of prices: {error}");
            CliError::new(Exit::Usage, message).hint("this is a fault of the build; report it")
        })?;
        if let Some(path) = &self.prices {
            prices.extend(prices_of(path)?);
        }
        let usage = self.usage.as_deref().map(|path| usage_of(path, environment, printer)).transpose()?;
        Ok((usage.unwrap_or_default(), prices))
    }
}

pub(super) fn today() -> Date {
    jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date()
}

fn prices_of(path: &Path) -> Result<Prices, CliError> {
    Prices::parse(&input_file::named(path, input_file::SMALL)?).map_err(|error| {
        let hint = match error {
            PricesError::Version(_) => "upgrade sftpctl for a newer file",
            PricesError::Syntax { .. } | PricesError::Row { .. } => {
                "the form is that of prices/aws.toml, which docs/cost.md describes"
            }
        };
        CliError::new(Exit::Usage, format!("cannot use {} as a table of prices: {error}", path.display())).hint(hint)
    })
}

fn usage_of(path: &Path, environment: &Environment, printer: Printer) -> Result<Usage, CliError> {
    let regions: Vec<&str> = environment.regions.keys().map(String::as_str).collect();
    Usage::load(&input_file::named(path, input_file::SMALL)?, &path.display().to_string(), &regions)
        .map_err(|faults| CliError::from_faults(&faults, printer.has_color()))
}

/// Warns if the oldest price of what is shown is old.
pub(super) fn warn_of_old_prices(oldest: Option<&str>) {
    if let Some(warning) = warning(oldest, today()) {
        streams::progress(format!("warning: {warning}"));
    }
}

/// What to say about prices of which the oldest is of this date.
fn warning(oldest: Option<&str>, today: Date) -> Option<String> {
    let Some(oldest) = oldest else {
        return Some("no price has a date; they may be old".to_owned());
    };
    let days = today.since(oldest.parse::<Date>().ok()?).ok()?.get_days();
    (days > OLD_DAYS).then(|| {
        format!(
            "the oldest price is of {oldest}, {days} days ago: amounts may be wrong. `sftpctl cost --refresh FILE` \
             writes AWS's prices of today into a file, and `--prices FILE` takes it"
        )
    })
}

/// The cost of a plan, and its limit.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Cost")]
pub(crate) struct PlanCost {
    #[command(flatten)]
    inputs: CostInputs,
    /// Refuse a plan that may raise the costs of a month by more than this
    #[arg(long, value_name = "USD", value_parser = usd)]
    max_monthly_increase: Option<Usd>,
}

fn usd(text: &str) -> Result<Usd, String> {
    Usd::parse(text).ok_or_else(|| "expected an amount in USD such as 50 or 49.90".to_owned())
}

/// What the cost of a plan is counted with.
pub(crate) struct Counting {
    usage: Usage,
    prices: Prices,
    limit: Option<Usd>,
}

impl PlanCost {
    /// Reads the files.
    pub(crate) fn read(&self, environment: &Environment, printer: Printer) -> Result<Counting, CliError> {
        let (usage, prices) = self.inputs.read(environment, printer)?;
        Ok(Counting { usage, prices, limit: self.max_monthly_increase })
    }
}

impl Counting {
    /// What a plan changes of the bill, without the steps that are left out of it. Warns of old prices that it is
    /// computed with.
    pub(crate) fn change(
        &self,
        environment: &Environment,
        plan: &Plan,
        left_out: &[Step],
    ) -> Result<CostChange, CliError> {
        let rest = Plan { steps: left_out.to_vec(), ..plan.clone() };
        let after = Inventory::of(environment).map_err(RunError::from)?.before(&rest);
        let before = Bill::of(&after.before(plan), &self.usage, &self.prices);
        let change = CostChange::between(&before, &Bill::of(&after, &self.usage, &self.prices));
        // Without one, the change is of rounding, or of prices that the user has given.
        if change.oldest_price.is_some() {
            warn_of_old_prices(change.oldest_price.as_deref());
        }
        Ok(change)
    }

    /// Refuses a plan that may cost more than the limit, or whose cost is not known.
    pub(crate) fn check(&self, cost: &CostChange) -> Result<(), CliError> {
        let Some(limit) = self.limit else { return Ok(()) };
        if cost.exceeds(limit) {
            let hint = if cost.is_assumed && !cost.exceeds_at_least(limit) {
                "give the real usage with --usage FILE, or raise the limit"
            } else {
                "raise the limit, or change the environment file"
            };
            return Err(CliError::new(Exit::Refused, refusal(cost, limit)).hint(hint));
        }
        if !cost.unpriced.is_empty() {
            let message = "the plan cannot be held to --max-monthly-increase: some prices are not known";
            let mut error = CliError::new(Exit::Refused, message).hint("give them with --prices FILE");
            error.causes.clone_from(&cost.unpriced);
            return Err(error);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_old_after_half_a_year() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        assert_eq!(warning(Some("2026-01-01"), day("2026-06-30")), None);
        let said = warning(Some("2026-01-01"), day("2026-07-01")).unwrap();
        assert!(said.starts_with("the oldest price is of 2026-01-01, 181 days ago"), "{said}");
        assert!(warning(None, day("2026-01-01")).is_some());
    }

    #[test]
    fn amounts_of_the_command_line_are_decimal_numbers() {
        assert_eq!(usd("50"), usd("50.00"));
        for text in ["-1", "1e3", "fifty", "", "$50"] {
            assert!(usd(text).is_err(), "{text}");
        }
    }
}
