//! Prints the region template, merged from the fragments in `templates/region/`, as JSON, for linters and for
//! deployments without sftpctl.

use std::io::Write as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let template = serde_json::to_string_pretty(sftpctl_core::template::source()?)?;
    writeln!(std::io::stdout(), "{template}")?;
    Ok(())
}
