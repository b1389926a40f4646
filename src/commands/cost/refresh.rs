//! `sftpctl cost --refresh`: AWS's prices of today, from its public price list files.

use std::collections::BTreeSet;
use std::path::Path;

use super::inputs::today;
use crate::commands::args::AwsArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::report_file::replace;
use crate::report::streams;
use sftpctl_core::cost::offers::{OFFERS, Refreshed};
use sftpctl_core::cost::prices::Prices;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::text::counted;

const NOTHING: &str = "nothing was written; without --refresh the built-in prices are used";

/// Writes AWS's prices for the environment's regions into a file for `--prices`, and takes them into the table. What
/// AWS's files do not have with certainty stays as it is, and is said.
pub(super) async fn refresh(
    args: &AwsArgs,
    environment: &Environment,
    prices: &mut Prices,
    path: &Path,
) -> Result<(), CliError> {
    let aws = args.unchecked(environment).await?;
    let regions: BTreeSet<&String> = environment.regions.keys().chain(&environment.table.regions).collect();
    let today = today().to_string();
    let mut refreshed = Refreshed::default();
    for region in &regions {
        for offer in OFFERS {
            let text = match aws.price_list(offer, region).await {
                Ok(text) => text,
                Err(error) if matches!(error.status, Some(403 | 404)) => {
                    refreshed.kept.push(format!("{offer} in {region}: AWS has no such price list file"));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            refreshed.add(prices, (offer, region), &text, &today).map_err(|error| {
                let message = format!("cannot use AWS's price list file of {offer} in {region}: {error}");
                CliError::new(Exit::Failed, message).hint(NOTHING)
            })?;
        }
    }
    let table = refreshed.to_toml();
    let new = Prices::parse(&table)
        .map_err(|error| CliError::new(Exit::Failed, format!("AWS's prices are not a table of prices: {error}")))?;
    for kept in &refreshed.kept {
        streams::progress(format!("warning: the price is kept as it was: {kept}"));
    }
    if refreshed.count() == 0 {
        return Err(CliError::new(Exit::Failed, "AWS's price list files have none of the prices").hint(NOTHING));
    }
    replace(path, &table)
        .map_err(|error| CliError::new(Exit::Usage, format!("cannot write {}: {error}", path.display())))?;
    let (count, regions) = (counted(refreshed.count() as u64, "price"), counted(regions.len() as u64, "region"));
    streams::progress(format!("wrote {}: {count} of AWS in {regions}; pass it with --prices", path.display()));
    prices.extend(new);
    Ok(())
}
