//! What an environment is compared with: servers of one's own, with their disks and reservations. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use super::bill::{Amount, Bill, HOURS};
use super::money::{Quantity, Usd};
use super::prices::{Prices, id};
use crate::yaml::{self, Checker, Faults, Words};

const WORDS: Words = Words {
    what: "a file of inputs for a comparison",
    is_one: "one comparison",
    schema: "environments/cost-compare.schema.json",
    example: "`sftpctl cost compare --write-inputs FILE`",
    settings: schema,
    columns: &[],
};

/// The inputs that a comparison has without a file, and that `--write-inputs` writes: the servers of the design of 2019.
pub const INPUTS: &str = "\
# yaml-language-server: $schema=cost-compare.schema.json
# The old way: what the servers cost that sftpctl replaces. `sftpctl cost compare --inputs FILE` computes with it.
# These are the figures of the design of 2019: a main server with a stand-by in each of six clusters. Put in yours.
version: 1
region: us-east-1 # the region of the prices

servers:
  - name: main, with a stand-by
    count: 12
    type: m4.large # a row ec2.TYPE of the table of prices; or give `hourly`, in USD

disks:
  - name: data
    count: 6
    gb: 500
    type: gp2 # a row ebs.TYPE of the table of prices; or give `gb_month`, in USD

# What a reservation or a savings plan takes off the hours of the servers, in percent.
reserved_percent: 40

# Public IPv4 addresses, which AWS charges for since February 2024.
addresses: 12

# Everything else, in USD a month: licences, backups, a load balancer.
other: []
";

/// The old way of an environment: servers of one's own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawFile {
    /// Version of this format.
    #[schemars(with = "u32", range(min = 1, max = 1))]
    version: Option<Spanned<u32>>,
    /// The region whose prices are taken.
    region: String,
    /// Hours of a month. Default: 730.
    #[schemars(with = "Option<u32>")]
    hours: Option<Spanned<u32>>,
    #[serde(default)]
    #[schemars(with = "Vec<RawServer>")]
    servers: Vec<Spanned<RawServer>>,
    #[serde(default)]
    #[schemars(with = "Vec<RawDisk>")]
    disks: Vec<Spanned<RawDisk>>,
    /// Percent that a reservation or a savings plan takes off the hours of the servers. Default: 0.
    #[schemars(with = "Option<f64>")]
    reserved_percent: Option<Spanned<f64>>,
    /// Public IPv4 addresses. Default: 0.
    #[serde(default)]
    addresses: u32,
    /// Everything else.
    #[serde(default)]
    #[schemars(with = "Vec<RawOther>")]
    other: Vec<Spanned<RawOther>>,
}

/// Servers of one type.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawServer {
    name: String,
    count: u32,
    /// Type of the instance, `m7g.large`.
    #[serde(rename = "type")]
    instance: Option<String>,
    /// USD for an hour, in place of the price of the type.
    hourly: Option<f64>,
}

/// Disks of one size.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawDisk {
    name: String,
    count: u32,
    gb: u32,
    /// Type of the volume, `gp3`.
    #[serde(rename = "type")]
    volume: Option<String>,
    /// USD for a GB and month, in place of the price of the type.
    gb_month: Option<f64>,
}

/// A cost of its own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawOther {
    name: String,
    /// USD a month.
    monthly: f64,
}

/// The old way, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldWay {
    region: String,
    hours: u64,
    servers: Vec<Part>,
    disks: Vec<Part>,
    reserved_percent: Quantity,
    addresses: u64,
    other: Vec<(String, Usd)>,
}

/// Servers or disks of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    name: String,
    count: u64,
    /// GB of each, of disks.
    gb: u64,
    price: Price,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Price {
    Given(Usd),
    /// The ID of a row.
    OfRow(String),
}

/// One line of the old way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OldLine {
    pub item: String,
    /// Quantity × price.
    pub product: String,
    /// Rounded to a cent; below zero for a reservation.
    pub amount: Usd,
}

/// What the old way costs in a month.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OldBill {
    pub lines: Vec<OldLine>,
    /// Without the reservation.
    pub on_demand: Usd,
    pub total: Usd,
    /// What could not be priced, one sentence each; not in the total.
    pub unpriced: Vec<String>,
}

/// The old way beside an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    pub environment: String,
    pub new: Amount,
    pub old: OldBill,
    /// What the environment costs more than the old way; below zero if less.
    pub difference: Amount,
    /// The table of the design of 2019.
    pub of_2019: Table2019,
}

/// The totals of the design of 2019, each computed from its parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Table2019 {
    pub new: Usd,
    pub old: Usd,
    pub old_reserved: Usd,
}

impl OldWay {
    /// Reads a file of inputs.
    ///
    /// # Errors
    /// All faults, each in its line.
    pub fn load(text: &str, path: &str) -> Result<Self, Faults> {
        let file: RawFile = yaml::parse(text, path, &WORDS)?;
        let mut checker = Checker::new(text);
        checker.version(file.version.as_ref(), &WORDS);
        let old = Self::checked(&file, &mut checker);
        match checker.into_faults() {
            faults if faults.is_empty() => Ok(old),
            faults => Err(Faults::new(text, path, &WORDS, faults)),
        }
    }

    fn checked(file: &RawFile, checker: &mut Checker<'_>) -> Self {
        let servers = file.servers.iter().map(|raw| {
            let RawServer { name, count, instance, hourly } = raw.value.clone();
            let price = price(checker, raw, (instance, "ec2", "type"), (hourly, "hourly"));
            Part { name, count: count.into(), gb: 1, price }
        });
        let servers = servers.collect();
        let disks = file.disks.iter().map(|raw| {
            let RawDisk { name, count, gb, volume, gb_month } = raw.value.clone();
            let price = price(checker, raw, (volume, "ebs", "type"), (gb_month, "gb_month"));
            Part { name, count: count.into(), gb: gb.into(), price }
        });
        let disks = disks.collect();
        let other = file.other.iter().map(|raw| (raw.value.name.clone(), usd(checker, raw, raw.value.monthly)));
        let other = other.collect();
        let reserved_percent = file.reserved_percent.as_ref().map_or(Quantity::ZERO, |raw| {
            let percent = Quantity::from_number(raw.value).filter(|percent| *percent <= Quantity::whole(100));
            percent.unwrap_or_else(|| {
                checker.fault(raw, "`reserved_percent` is out of range").hint =
                    Some("give a number from 0 to 100".into());
                Quantity::ZERO
            })
        });
        let hours = file.hours.as_ref().map_or(HOURS, |raw| {
            checker.within(Some(raw), "`hours`", 1, 744);
            raw.value.into()
        });
        let addresses = file.addresses.into();
        Self { region: file.region.clone(), hours, servers, disks, reserved_percent, addresses, other }
    }

    /// What it costs in a month.
    pub fn bill(&self, prices: &Prices) -> OldBill {
        let mut bill = OldBill::default();
        let hours = |part: &Part| part.count * self.hours;
        let servers = self.add(&mut bill, prices, &self.servers, (&hours, "hours"));
        self.add(&mut bill, prices, &self.disks, (&|part: &Part| part.count * part.gb, "GB"));
        if self.addresses > 0 {
            let part = Part {
                name: "public IPv4 addresses".to_owned(),
                count: self.addresses,
                gb: 1,
                price: Price::OfRow(id::IPV4_HOUR.to_owned()),
            };
            self.add(&mut bill, prices, &[part], (&hours, "hours"));
        }
        for (name, monthly) in &self.other {
            bill.push(name.clone(), "1 month".to_owned(), monthly.rounded());
        }
        bill.on_demand = bill.total;
        if self.reserved_percent > Quantity::ZERO {
            let saved = servers - servers.less_percent(self.reserved_percent);
            let product = format!("{} % of {servers}", self.reserved_percent);
            bill.push("reservation of the servers".to_owned(), product, (Usd::ZERO - saved).rounded());
        }
        bill
    }

    /// Adds the lines of some parts; returns their sum.
    fn add(
        &self,
        bill: &mut OldBill,
        prices: &Prices,
        parts: &[Part],
        (quantity, unit): (&dyn Fn(&Part) -> u64, &str),
    ) -> Usd {
        let mut sum = Usd::ZERO;
        for part in parts {
            let (price, kind) = match &part.price {
                Price::Given(price) => (Some(*price), String::new()),
                Price::OfRow(row) => {
                    let price = prices.row(row).and_then(|row| row.in_region(&self.region)?.first().copied());
                    (price, row.split_once('.').map(|(_, kind)| format!(" ({kind})")).unwrap_or_default())
                }
            };
            let Some(price) = price else {
                let Price::OfRow(row) = &part.price else { continue };
                bill.unpriced.push(format!("{}: there is no price `{row}` in {}", part.name, self.region));
                continue;
            };
            let quantity = Quantity::whole(quantity(part));
            let amount = price.of(quantity, 1).rounded();
            let kind = if part.price == Price::OfRow(id::IPV4_HOUR.to_owned()) { String::new() } else { kind };
            bill.push(
                format!("{} × {}{kind}", part.count, part.name),
                format!("{quantity} {unit} × {}", price.exact()),
                amount,
            );
            sum = sum + amount;
        }
        sum
    }
}

impl OldBill {
    fn push(&mut self, item: String, product: String, amount: Usd) {
        self.total = self.total + amount;
        self.lines.push(OldLine { item, product, amount });
    }
}

impl Comparison {
    pub fn of(bill: &Bill, old: OldBill) -> Self {
        let difference = Amount { low: bill.total.low - old.total, high: bill.total.high - old.total };
        Self { environment: bill.environment.clone(), new: bill.total, old, difference, of_2019: Table2019::computed() }
    }
}

impl Table2019 {
    /// The table's parts: three endpoints for 720 hours, 200 GB at each, a million calls; amounts of AWS's calculator of
    /// that year for 3 TB in S3 with DynamoDB, and for Lambda. Against it twelve m4.large for 720 hours and six disks of
    /// 500 GB, with 40 % off the servers by reservation.
    pub fn computed() -> Self {
        let usd = |cents: i128| Usd::cents(cents);
        let new = usd(30).times(3 * 720) + usd(4).times(3 * 200) + usd(8000) + usd(350) + usd(1000);
        let (servers, disks) = (usd(10).times(12 * 720), usd(10).times(6 * 500));
        let reserved = servers.less_percent(Quantity::whole(40));
        Self { new, old: servers + disks, old_reserved: reserved + disks }
    }
}

fn price<T>(
    checker: &mut Checker<'_>,
    raw: &Spanned<T>,
    (kind, service, setting): (Option<String>, &str, &str),
    (given, name): (Option<f64>, &str),
) -> Price {
    match (kind, given) {
        (_, Some(given)) => Price::Given(usd(checker, raw, given)),
        (Some(kind), None) => Price::OfRow(format!("{service}.{kind}")),
        (None, None) => {
            checker.fault(raw, "it has no price").hint = Some(format!("give `{setting}`, or `{name}` in USD"));
            Price::Given(Usd::ZERO)
        }
    }
}

fn usd<T>(checker: &mut Checker<'_>, raw: &Spanned<T>, number: f64) -> Usd {
    Usd::from_number(number).unwrap_or_else(|| {
        checker.fault(raw, format!("`{number}` is not an amount in USD")).hint = Some("give a number from 0".into());
        Usd::ZERO
    })
}

/// The JSON Schema of a file of inputs, for editors.
pub fn schema() -> serde_json::Value {
    let mut schema = serde_json::to_value(schemars::schema_for!(RawFile)).unwrap_or_default();
    schema["title"] = "inputs of sftpctl cost compare".into();
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(text: &str) -> (String, String) {
        let old = OldWay::load(text, "inputs.yaml").unwrap_or_else(|faults| panic!("{}", faults.render(false)));
        let bill = old.bill(&Prices::built_in().unwrap());
        assert_eq!(bill.unpriced, Vec::<String>::new());
        assert_eq!(bill.lines.iter().map(|line| line.amount).sum::<Usd>(), bill.total);
        (bill.on_demand.to_string(), bill.total.to_string())
    }

    #[test]
    fn the_table_of_2019() {
        let Table2019 { new, old, old_reserved } = Table2019::computed();
        let shown = [new, old, old_reserved].map(|usd| usd.to_string());
        assert_eq!(shown, ["765.50", "1,164.00", "818.40"]);
        // As inputs: 720 hours, without addresses.
        let inputs = INPUTS.replace("addresses: 12", "hours: 720");
        assert_eq!(total(&inputs), ("1,164.00".into(), "818.40".into()));
    }

    #[test]
    fn the_same_servers_today() {
        assert_eq!(total(INPUTS), ("1,219.80".into(), "869.40".into()));
        let fair = INPUTS
            .replace("m4.large", "m7g.large")
            .replace("type: gp2", "type: gp3")
            .replace("reserved_percent: 40", "reserved_percent: 28");
        assert_eq!(total(&fair), ("998.62".into(), "798.47".into()));
    }

    #[test]
    fn prices_of_ones_own() {
        let text = "version: 1\nregion: x\nservers: [{ name: a, count: 2, hourly: 0.05 }]\n\
                    disks: [{ name: b, count: 1, gb: 100, gb_month: 0.2 }]\nother: [{ name: c, monthly: 9.99 }]\n";
        assert_eq!(total(text), ("102.99".into(), "102.99".into()));
    }

    #[test]
    fn what_has_no_price_is_said() {
        let text = INPUTS.replace("m4.large", "z9.huge");
        let bill = OldWay::load(&text, "i").unwrap().bill(&Prices::built_in().unwrap());
        assert_eq!(bill.unpriced, ["main, with a stand-by: there is no price `ec2.z9.huge` in us-east-1"]);
    }

    #[test]
    fn every_fault_of_the_inputs_is_said() {
        for (from, to, says) in [
            ("version: 1\n", "", "the setting `version` is missing"),
            ("version: 1\n", "version: 2\n", "unknown format version 2"),
            ("reserved_percent: 40", "reserved_percent: 140", "`reserved_percent` is out of range"),
            ("    type: m4.large", "    hourly: -1", "is not an amount in USD"),
            ("    type: m4.large", "    #", "it has no price"),
            ("servers:", "server:", "server"),
            ("other: []", "hours: 800", "`hours` is 800"),
        ] {
            let faults = OldWay::load(&INPUTS.replace(from, to), "i").unwrap_err().render(false);
            assert!(faults.contains(says), "{to}: {faults}");
        }
    }
}
