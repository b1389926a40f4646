//! How much an environment is used in a month: assumed, given in a file, or measured. Pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use super::money::Quantity;
use crate::yaml::{self, Checker, Faults, Words};

const WORDS: Words = Words {
    what: "a usage file",
    is_one: "the usage of one environment",
    schema: "environments/cost-usage.schema.json",
    example: "\"Usage\" in docs/cost.md",
    settings: schema,
    columns: &[],
};

/// Where a quantity comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// The environment file fixes it.
    Fixed,
    /// CloudWatch measured it.
    Measured,
    /// The usage file says it.
    Given,
    /// Nothing is known: the range is that of [`Field::assumed`].
    Assumed,
}

/// A quantity between two limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Estimate {
    pub low: Quantity,
    pub high: Quantity,
    pub basis: Basis,
}

impl Estimate {
    pub fn exactly(quantity: Quantity, basis: Basis) -> Self {
        Self { low: quantity, high: quantity, basis }
    }

    /// Both limits changed in the same way.
    #[must_use]
    pub fn map(self, change: impl Fn(Quantity) -> Quantity) -> Self {
        Self { low: change(self.low), high: change(self.high), basis: self.basis }
    }

    /// Combined with another; the basis is the weaker one.
    #[must_use]
    pub fn with(self, other: Self, combine: impl Fn(Quantity, Quantity) -> Quantity) -> Self {
        let basis = self.basis.max(other.basis);
        Self { low: combine(self.low, other.low), high: combine(self.high, other.high), basis }
    }
}

/// Defines [`Field`] and the settings of a usage file.
macro_rules! fields {
    ($($(#[doc = $doc:literal])+ $field:ident = $name:ident, [$($low:literal to $high:literal)?], $unit:literal, $spread:ident;)*) => {
        /// What is used.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Field {
            $($(#[doc = $doc])* $field,)*
        }

        impl Field {
            pub const ALL: &[Self] = &[$(Self::$field),*];

            /// Its setting in a usage file.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$field => stringify!($name),)*
                }
            }

            pub const fn unit(self) -> &'static str {
                match self {
                    $(Self::$field => $unit,)*
                }
            }

            /// What it means.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$field => concat!($($doc),*),)*
                }
            }

            /// What is assumed of an environment of which nothing is known; `None` if it follows from something else.
            pub fn assumed(self) -> Option<Estimate> {
                let known: &[(f64, f64)] = match self {
                    $(Self::$field => &[$(($low, $high))?],)*
                };
                let number = |number| Quantity::from_number(number).unwrap_or_default();
                let range = known.first();
                range.map(|(low, high)| Estimate { low: number(*low), high: number(*high), basis: Basis::Assumed })
            }

            /// How the whole is divided among the regions.
            pub const fn spread(self) -> Spread {
                match self {
                    $(Self::$field => Spread::$spread,)*
                }
            }
        }

        /// What is used, of the whole environment or in a region.
        #[derive(Debug, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        struct RawFields {
            $($(#[doc = $doc])* #[schemars(with = "Option<Amount>")] $name: Option<Spanned<Amount>>,)*
        }

        /// How much an environment is used in a month.
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        struct RawFile {
            /// Version of this format.
            #[schemars(with = "u32", range(min = 1, max = 1))]
            version: Option<Spanned<u32>>,
            $($(#[doc = $doc])* #[schemars(with = "Option<Amount>")] $name: Option<Spanned<Amount>>,)*
            /// Usage in single regions, in place of the same settings of the whole environment.
            #[serde(default)]
            regions: BTreeMap<String, RawFields>,
        }

        impl RawFields {
            fn all(&self) -> Vec<(Field, &Spanned<Amount>)> {
                [$((Field::$field, self.$name.as_ref())),*].into_iter().filter_map(|(field, raw)| Some((field, raw?))).collect()
            }
        }

        impl RawFile {
            fn all(&self) -> Vec<(Field, &Spanned<Amount>)> {
                [$((Field::$field, self.$name.as_ref())),*].into_iter().filter_map(|(field, raw)| Some((field, raw?))).collect()
            }
        }
    };
}

/// How a quantity of the whole environment is divided among its regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// Evenly among the servers.
    Servers,
    /// Evenly among the upload buckets.
    Buckets,
    /// It is the same in each region.
    Same,
}

fields! {
    /// Log-ins in a month, admitted and refused.
    LogIns = log_ins, [10_000.0 to 1_000_000.0], "log-ins", Servers;
    /// Log-ins in a month that are refused.
    RefusedLogIns = refused_log_ins, [1_000.0 to 500_000.0], "log-ins", Servers;
    /// GB that customers upload in a month.
    UploadedGb = uploaded_gb, [10.0 to 1_000.0], "GB", Servers;
    /// GB that customers download in a month.
    DownloadedGb = downloaded_gb, [1.0 to 1_000.0], "GB", Servers;
    /// Files that customers upload in a month.
    UploadedFiles = uploaded_files, [10_000.0 to 1_000_000.0], "files", Servers;
    /// Files that customers download in a month.
    DownloadedFiles = downloaded_files, [1_000.0 to 1_000_000.0], "files", Servers;
    /// GB that the upload buckets hold, without replaced and deleted versions.
    StoredGb = stored_gb, [100.0 to 3_000.0], "GB", Buckets;
    /// Percent of the uploaded GB that replace or delete other files, whose old versions are kept.
    OverwrittenPercent = overwritten_percent, [0.0 to 30.0], "%", Same;
    /// Percent of the GB whose bucket is in another region than the server.
    OtherRegionPercent = other_region_percent, [0.0 to 100.0], "%", Same;
    /// Accounts in the table.
    Accounts = accounts, [1_000.0 to 10_000.0], "accounts", Same;
    /// Accounts that are added, changed or removed in a month.
    ChangedAccounts = changed_accounts, [10.0 to 1_000.0], "accounts", Same;
    /// Milliseconds that the authorizer takes for a log-in, in place of what follows from its memory.
    AuthorizerMs = authorizer_ms, [], "ms", Same;
    /// Milliseconds of a whole vCPU that the authorizer takes for a log-in: Argon2id as `users` writes it.
    AuthorizerVcpuMs = authorizer_vcpu_ms, [40.0 to 60.0], "ms", Same;
    /// Read request units of the table for a log-in.
    ReadUnits = read_units, [0.5 to 1.5], "units", Same;
    /// KB of log lines for a log-in: of the authorizer, the API and the server.
    LogKbPerLogIn = log_kb_per_log_in, [1.5 to 2.5], "KB", Same;
    /// KB of log lines for a file.
    LogKbPerFile = log_kb_per_file, [0.5 to 1.0], "KB", Same;
    /// DNS queries in a month that Route 53 answers.
    DnsQueries = dns_queries, [10_000.0 to 1_000_000.0], "queries", Servers;
}

/// A number, or a range.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number, or a range such as { low: 10, high: 20 }")]
enum Amount {
    Exactly(f64),
    Range(Range),
}

/// The lowest and the highest number.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Range {
    low: f64,
    high: f64,
}

/// The usage of an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    whole: BTreeMap<Field, Estimate>,
    regions: BTreeMap<String, BTreeMap<Field, Estimate>>,
}

impl Usage {
    /// Reads a usage file. `regions` are those of the environment.
    ///
    /// # Errors
    /// All faults, each in its line.
    pub fn load(text: &str, path: &str, regions: &[&str]) -> Result<Self, Faults> {
        let (file, found): (RawFile, _) = yaml::parse_most(text, path, &WORDS)?;
        let mut checker = Checker::with(text, found);
        checker.version(file.version.as_ref(), &WORDS);
        let mut usage = Self::default();
        for (field, raw) in file.all() {
            usage.whole.insert(field, estimate(&mut checker, field, raw));
        }
        for (region, fields) in &file.regions {
            for (field, raw) in fields.all() {
                if !regions.contains(&region.as_str()) {
                    let hint = format!("its regions are {}", regions.join(", "));
                    checker.fault(raw, format!("the environment has no region {region}")).hint = Some(hint);
                } else if usage.whole.contains_key(&field) {
                    checker.fault(raw, format!("`{}` is also given for the whole environment", field.name())).hint =
                        Some("remove one of the two".into());
                }
                let estimate = estimate(&mut checker, field, raw);
                usage.regions.entry(region.clone()).or_default().insert(field, estimate);
            }
        }
        match checker.into_faults() {
            faults if faults.is_empty() => Ok(usage),
            faults => Err(Faults::new(text, path, &WORDS, faults)),
        }
    }

    /// Sets a quantity of a region. The other regions keep their part of what is given for the whole environment.
    pub fn set(&mut self, region: &str, field: Field, estimate: Estimate) {
        self.regions.entry(region.to_owned()).or_default().insert(field, estimate);
    }

    /// What is given or measured of single regions.
    pub fn regions(&self) -> &BTreeMap<String, BTreeMap<Field, Estimate>> {
        &self.regions
    }

    /// Whether a region has a quantity of its own.
    pub fn is_by_region(&self, field: Field) -> bool {
        self.regions.values().any(|fields| fields.contains_key(&field))
    }

    /// The quantity that is given for the whole environment, or else assumed; `None` if only regions have it, or if it
    /// is not assumed.
    pub fn whole(&self, field: Field) -> Option<Estimate> {
        let whole = self.whole.get(&field).copied();
        whole.or_else(|| field.assumed().filter(|_| !self.is_by_region(field)))
    }

    /// The quantity of a region: its own, or `share` of so many parts of the whole. If only other regions have one, it
    /// has none of what is divided. `None` if nothing is known of it and nothing is assumed.
    pub fn of(&self, region: &str, field: Field, share: (u64, u64)) -> Option<Estimate> {
        if let Some(own) = self.regions.get(region).and_then(|fields| fields.get(&field)) {
            return Some(*own);
        }
        match (self.whole(field), field.spread()) {
            (Some(whole), Spread::Same) => Some(whole),
            (Some(whole), _) => Some(whole.map(|quantity| quantity.part(share.0, share.1))),
            (None, Spread::Same) => field.assumed(),
            (None, Spread::Servers | Spread::Buckets) => Some(Estimate::exactly(Quantity::ZERO, Basis::Fixed)),
        }
    }
}

fn estimate(checker: &mut Checker<'_>, field: Field, raw: &Spanned<Amount>) -> Estimate {
    let (low, high) = match raw.value {
        Amount::Exactly(number) => (number, number),
        Amount::Range(Range { low, high }) => (low, high),
    };
    let most = if field.unit() == "%" { 100.0 } else { 1e15 };
    if low > high {
        checker.fault(raw, format!("the range of `{}` ends below its beginning", field.name())).hint =
            Some("write the lower number at `low`".into());
    }
    if !(0.0..=most).contains(&low) || !(0.0..=most).contains(&high) {
        let hint = if field.unit() == "%" { "give a number from 0 to 100" } else { "give a number from 0" };
        checker.fault(raw, format!("`{}` is out of range", field.name())).hint = Some(hint.into());
    }
    let number = |number| Quantity::from_number(number).unwrap_or_default();
    Estimate { low: number(low), high: number(high), basis: Basis::Given }
}

/// The JSON Schema of a usage file, for editors.
pub fn schema() -> serde_json::Value {
    let mut schema = serde_json::to_value(schemars::schema_for!(RawFile)).unwrap_or_default();
    schema["title"] = "usage of an sftpctl environment".into();
    schema
}
