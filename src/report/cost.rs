//! What an environment costs, and what a plan changes of it, as text and as Markdown. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use sftpctl_core::clients::change::PolicyChange;
use sftpctl_core::cost::bill::{Amount, Bill, Line};
use sftpctl_core::cost::change::CostChange;
use sftpctl_core::cost::money::{Quantity, Usd};
use sftpctl_core::cost::old_way::{Comparison, OldLine, Table2019};
use sftpctl_core::cost::prices::Confidence;
use sftpctl_core::cost::usage::{Basis, Estimate, Field, Usage};
use sftpctl_core::plan::model::Plan;
use sftpctl_core::shown::Text;

use super::markdown::cell;

/// Differences that are listed below a plan for people; programs get all.
const LISTED: usize = 8;

/// A bill, as `cost/1`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CostView<'a> {
    #[serde(flatten)]
    pub bill: &'a Bill,
    pub currency: &'static str,
    /// By setting of a usage file: of the whole environment, where it is not given by region.
    pub usage: BTreeMap<&'static str, Estimate>,
    /// By region, and by setting: what is given or measured of single regions.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub usage_by_region: BTreeMap<String, BTreeMap<&'static str, Estimate>>,
    /// The dates of the oldest and the newest file of AWS that a price of the bill is of.
    pub prices_published: Option<(String, String)>,
}

impl<'a> CostView<'a> {
    pub fn new(bill: &'a Bill, usage: &Usage) -> Self {
        let whole = Field::ALL.iter().filter_map(|field| Some((field.name(), usage.whole(*field)?)));
        let of_region = |fields: &BTreeMap<Field, Estimate>| {
            fields.iter().map(|(field, estimate)| (field.name(), *estimate)).collect::<BTreeMap<_, _>>()
        };
        let by_region = usage.regions().iter().map(|(region, fields)| (region.clone(), of_region(fields)));
        Self {
            bill,
            currency: "USD",
            usage: whole.collect(),
            usage_by_region: by_region.collect(),
            prices_published: published(bill),
        }
    }
}

/// A plan with what it costs, as `plan/1`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanView<'a> {
    #[serde(flatten)]
    pub plan: &'a Plan,
    pub cost: &'a CostChange,
    /// Security policies that servers get, and whom they shut out.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub security_policies: &'a [PolicyChange],
}

fn published(bill: &Bill) -> Option<(String, String)> {
    let dates = || bill.lines.iter().filter_map(|line| line.published.clone());
    Some((dates().min()?, dates().max()?))
}

/// `219.00`, or `1.50 to 3.00`.
pub fn amount(amount: Amount) -> String {
    if amount.is_exact() { amount.low.to_string() } else { format!("{} to {}", amount.low, amount.high) }
}

/// What stands before a sum that lacks something without a price.
fn at_least(is_part: bool) -> &'static str {
    if is_part { "at least " } else { "" }
}

/// The total of a bill: `at least 222.07` if something in it has no price.
pub(super) fn total(bill: &Bill) -> String {
    format!("{}{}", at_least(!bill.unpriced.is_empty()), amount(bill.total))
}

/// `+ 219.00`, or `- 1.50 to + 3.00`.
fn signed(amount: Amount) -> String {
    if amount.is_exact() {
        return amount.low.signed();
    }
    format!("{} to {}", amount.low.signed(), amount.high.signed())
}

pub(super) fn quantity(quantity: Estimate) -> String {
    let Estimate { low, high, .. } = quantity;
    if low == high { rounded(low) } else { format!("{} to {}", rounded(low), rounded(high)) }
}

/// With at most three digits after the point, unless nothing would be left of it.
fn rounded(quantity: Quantity) -> String {
    let text = quantity.to_string();
    match text.split_once('.') {
        Some((whole, fraction)) if fraction.len() > 3 && whole != "0" => format!("{whole}.{}", &fraction[..3]),
        _ => text,
    }
}

pub(super) fn name(line: &Line) -> String {
    format!("{}: {}", line.service, line.item)
}

pub(super) fn product(line: &Line) -> String {
    format!("{} {} × {}", quantity(line.quantity), line.unit, line.price.exact())
}

/// The mark of a line whose price is less sure than one that AWS published.
pub(super) fn mark(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Published => "",
        Confidence::Derived => " ¹",
        Confidence::Assumed => " ²",
    }
}

fn marks(bill: &Bill) -> Vec<&'static str> {
    let has = |confidence| bill.lines.iter().any(|line| line.confidence == confidence);
    let mut marks = Vec::new();
    if has(Confidence::Derived) {
        marks.push("¹ The price is from another program's data, not from a file of AWS.");
    }
    if has(Confidence::Assumed) {
        marks.push("² The price is assumed.");
    }
    marks
}

pub(super) fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Fixed => "fixed",
        Basis::Measured => "measured",
        Basis::Given => "given",
        Basis::Assumed => "assumed",
    }
}

const LEFT_OUT: &str = "Not counted: taxes, support, AWS's free tiers, and what is not the environment's.";

pub(super) fn sources(view: &CostView<'_>) -> Vec<String> {
    let mut lines: Vec<String> = marks(view.bill).into_iter().map(str::to_owned).collect();
    lines.extend(view.bill.unpriced.iter().map(|what| format!("Not in the total: {what}.")));
    if let Some((oldest, newest)) = &view.prices_published {
        let dates = if oldest == newest { oldest.clone() } else { format!("{oldest} to {newest}") };
        lines.push(format!("Prices: AWS's price files of {dates}; each line is rounded to a cent."));
    }
    lines.push(LEFT_OUT.to_owned());
    lines
}

/// The bill for people.
pub fn render(view: &CostView<'_>) -> Text {
    let bill = view.bill;
    let mut text = Text::from(format!("Environment {}, USD a month:", bill.environment));
    let wide = |of: &dyn Fn(&Line) -> String| bill.lines.iter().map(|line| of(line).chars().count()).max().unwrap_or(0);
    let (names, products) = (wide(&|line| name(line)), wide(&product));
    let mut place = "";
    for line in &bill.lines {
        if line.place != place {
            place = &line.place;
            text.line("");
            let sum = bill.by_place().get(place).copied().unwrap_or_default();
            let is_part = bill.unpriced.iter().any(|what| what.place == place);
            text.line(format!("{place}: {}{}", at_least(is_part), amount(sum)));
        }
        let note = line.note.as_ref().map(|note| format!("  ({note})")).unwrap_or_default();
        text.line(format!(
            "  {:names$}  {:products$} = {}{}{note}",
            name(line),
            product(line),
            amount(line.amount),
            mark(line.confidence)
        ));
    }
    text.line("");
    text.line(format!("Total: {}", total(bill)));
    for (service, sum) in bill.by_service() {
        text.line(format!("  {service:16} {}", amount(sum)));
    }
    text.line("");
    text.line("Usage of a month:");
    for (what, field, estimate) in usage(view) {
        text.line(format!(
            "  {what:32} {:26} {:9} {}",
            format!("{} {}", quantity(estimate), field.unit()),
            basis(estimate.basis),
            field.meaning().trim()
        ));
    }
    text.line("");
    sources(view).into_iter().for_each(|line| text.line(line));
    text
}

/// The usage of the whole environment, and that of single regions, each with its setting.
pub(super) fn usage(view: &CostView<'_>) -> Vec<(String, Field, Estimate)> {
    let whole = Field::ALL.iter().filter_map(|field| {
        let estimate = *view.usage.get(field.name())?;
        Some((field.name().to_owned(), *field, estimate))
    });
    let of_regions = view.usage_by_region.iter().flat_map(|(region, fields)| {
        Field::ALL.iter().filter_map(move |field| {
            let estimate = *fields.get(field.name())?;
            Some((format!("{} {region}", field.name()), *field, estimate))
        })
    });
    whole.chain(of_regions).collect()
}

/// The bill as Markdown.
pub fn markdown(view: &CostView<'_>) -> Text {
    let bill = view.bill;
    let mut text =
        Text::from(format!("### sftpctl: environment {} costs {} USD a month", cell(&bill.environment), total(bill)));
    text.line("");
    text.line("| where | what | quantity × price | USD |");
    text.line("|---|---|---|---:|");
    for line in &bill.lines {
        let note = line.note.as_ref().map(|note| format!(" ({})", cell(note))).unwrap_or_default();
        text.line(format!(
            "| {} | {}{note} | {} | {}{} |",
            cell(&line.place),
            cell(&name(line)),
            cell(&product(line)),
            amount(line.amount),
            mark(line.confidence)
        ));
    }
    text.line(format!("| | **total** | | **{}** |", total(bill)));
    for line in ["", "<details><summary>Usage of a month</summary>", "", "| | | |", "|---|---|---|"] {
        text.line(line);
    }
    for (what, field, estimate) in usage(view) {
        text.line(format!(
            "| {}: {} | {} {} | {} |",
            cell(&what),
            cell(field.meaning().trim()),
            quantity(estimate),
            field.unit(),
            basis(estimate.basis)
        ));
    }
    for line in ["", "</details>", ""] {
        text.line(line);
    }
    for line in sources(view) {
        text.line(cell(&line));
        text.line("");
    }
    text
}

fn verdict(cost: &CostChange) -> String {
    let from_to = format!("from {} to {}", amount_range(cost.before), amount_range(cost.after));
    format!("{} USD a month, {from_to}", signed(cost.change))
}

fn amount_range(range: Amount) -> String {
    if range.is_exact() { range.low.to_string() } else { format!("{}–{}", range.low, range.high) }
}

/// What a plan changes, for people; nothing if there is no change.
pub fn change(cost: &CostChange) -> Text {
    let mut text = Text::default();
    if cost.lines.is_empty() && cost.unpriced.is_empty() {
        text.line("Cost: no change.");
        return text;
    }
    text.line(format!("Cost: {}.", verdict(cost)));
    for line in cost.lines.iter().take(LISTED) {
        text.line(format!("  {:12} {}: {}  {}", line.place, line.service, line.item, signed(line.change)));
    }
    if let Some(rest) = cost.lines.len().checked_sub(LISTED).filter(|rest| *rest > 0) {
        text.line(format!("  and {rest} more"));
    }
    remarks(cost).into_iter().for_each(|line| text.line(line));
    text
}

/// What a plan changes, as Markdown for a pull request.
pub fn change_markdown(cost: &CostChange) -> Text {
    let mut text = Text::default();
    text.line("");
    if cost.lines.is_empty() && cost.unpriced.is_empty() {
        text.line("**Cost: no change.**");
        return text;
    }
    text.line(format!("**Cost: {}.**", verdict(cost)));
    if !cost.lines.is_empty() {
        for line in
            ["", "<details><summary>Changed costs</summary>", "", "| where | what | USD a month |", "|---|---|---:|"]
        {
            text.line(line);
        }
        for line in &cost.lines {
            let what = format!("{}: {}", line.service, line.item);
            text.line(format!("| {} | {} | {} |", cell(&line.place), cell(&what), signed(line.change)));
        }
        for line in ["", "</details>"] {
            text.line(line);
        }
    }
    for line in remarks(cost) {
        text.line("");
        text.line(cell(&line));
    }
    text
}

fn remarks(cost: &CostChange) -> Vec<String> {
    let mut remarks: Vec<String> = cost.unpriced.iter().map(|what| format!("Not counted: {what}.")).collect();
    if cost.is_assumed && !cost.change.is_exact() {
        remarks.push("The usage is assumed; `--usage FILE` gives yours.".to_owned());
    }
    remarks
}

pub(super) fn signed_sum(amount: Usd) -> String {
    if amount < Usd::ZERO { amount.signed() } else { amount.to_string() }
}

/// The old way beside an environment, for people.
pub fn comparison(comparison: &Comparison, bill: &Bill) -> Text {
    let old = &comparison.old;
    let mut text = Text::from("The old way, USD a month:");
    let wide = |of: fn(&OldLine) -> &str| old.lines.iter().map(|line| of(line).chars().count()).max().unwrap_or(0);
    let (items, products) = (wide(|line| &line.item), wide(|line| &line.product));
    for line in &old.lines {
        text.line(format!("  {:items$}  {:products$} = {}", line.item, line.product, signed_sum(line.amount)));
    }
    let without = if old.on_demand == old.total {
        String::new()
    } else {
        format!(" ({} without the reservation)", old.on_demand)
    };
    text.line(format!("  Total: {}{without}", old.total));
    text.line("");
    text.line(format!("Environment {}, USD a month:", comparison.environment));
    for (service, sum) in bill.by_service() {
        text.line(format!("  {service:16} {}", amount(sum)));
    }
    text.line(format!("  Total: {}", amount(comparison.new)));
    text.line("");
    conclusions(comparison).into_iter().for_each(|line| text.line(line));
    text
}

pub(super) fn conclusions(comparison: &Comparison) -> Vec<String> {
    let Comparison { difference, of_2019, .. } = comparison;
    let verdict = match (difference.low < Usd::ZERO, difference.high < Usd::ZERO) {
        (true, true) => "the environment costs less",
        (false, false) => "the environment costs more",
        _ => "which costs less depends on the usage",
    };
    let mut lines = vec![format!("Difference: {} USD a month: {verdict}.", signed(*difference))];
    lines.extend(comparison.old.unpriced.iter().map(|what| format!("Not in the total of the old way: {what}.")));
    let Table2019 { new, old, old_reserved } = of_2019;
    lines.push(format!("The design of 2019 computed {new} against {old}, or {old_reserved} with reservations."));
    lines
        .push("Not counted on either side: people, snapshots, and for the old way traffic to the internet.".to_owned());
    lines
}

/// The old way beside an environment, as Markdown.
pub fn comparison_markdown(comparison: &Comparison, bill: &Bill) -> Text {
    let old = &comparison.old;
    let mut text = Text::from(format!("### sftpctl: environment {} and the old way", cell(&comparison.environment)));
    for line in ["", "| | what | quantity × price | USD a month |", "|---|---|---|---:|"] {
        text.line(line);
    }
    for line in &old.lines {
        text.line(format!("| old | {} | {} | {} |", cell(&line.item), cell(&line.product), signed_sum(line.amount)));
    }
    text.line(format!("| old | **total** | | **{}** |", old.total));
    for (service, sum) in bill.by_service() {
        text.line(format!("| new | {} | | {} |", cell(service), amount(sum)));
    }
    text.line(format!("| new | **total** | | **{}** |", amount(comparison.new)));
    for line in conclusions(comparison) {
        text.line("");
        text.line(cell(&line));
    }
    text
}

/// Why a plan is refused that costs more than the limit.
pub fn refusal(cost: &CostChange, limit: Usd) -> String {
    format!(
        "the plan raises the costs of a month by up to {} USD; the limit of --max-monthly-increase is {limit} USD",
        cost.change.high
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use sftp_authorizer::Refusal;
    use sftpctl_core::cost::bill::REFUSAL_REASONS;
    use sftpctl_core::cost::inventory::Inventory;
    use sftpctl_core::cost::old_way::{INPUTS, OldWay};
    use sftpctl_core::cost::prices::Prices;
    use sftpctl_core::spec;

    const TEST: &str = include_str!("../../environments/99.yaml");

    fn usd(text: &str) -> Usd {
        Usd::parse(text).unwrap()
    }

    fn bill(usage: &Usage) -> (Bill, Prices) {
        with(usage, Prices::built_in().unwrap())
    }

    fn with(usage: &Usage, prices: Prices) -> (Bill, Prices) {
        let environment = spec::load(TEST, "99.yaml").unwrap();
        let inventory = Inventory::of(&environment).unwrap();
        (Bill::of(&inventory, usage, &prices), prices)
    }

    #[test]
    fn a_line_is_quantity_times_price() {
        let usage = Usage::load("version: 1\nlog_ins: 1000000\nuploaded_gb: 500\n", "u", &[]).unwrap();
        let (bill, _) = bill(&usage);
        let text = render(&CostView::new(&bill, &usage)).to_string();
        let line = |start: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(start)).unwrap_or_default();
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            line("Transfer Family: SFTP endpoint"),
            "Transfer Family: SFTP endpoint 730 hours × 0.30 = 219.00 (also while the server is OFFLINE: AWS bills it \
             until it is deleted)"
        );
        assert_eq!(line("Transfer Family: SFTP uploads"), "Transfer Family: SFTP uploads 250 GB × 0.04 = 10.00");
        assert_eq!(line("API Gateway"), "API Gateway: REST API requests 0.5 million requests × 3.50 = 1.75");
        assert!(line("log_ins").contains("1,000,000 log-ins given"), "{text}");
        assert!(line("stored_gb").contains("100 to 3,000 GB assumed"), "{text}");
        assert!(text.contains("\nPrices: AWS's price files of 2025-06-05 to 2025-06-17;"), "{text}");
        assert!(!text.contains('¹'), "AWS published every price of it: {text}");
    }

    #[test]
    fn prices_that_are_less_sure_are_marked() {
        let row = |confidence: &str| {
            format!(
                "version = 1\n[[price]]\nid = \"transfer.sftp-hour\"\nservice = \"Transfer Family\"\nitem = \"SFTP \
                 endpoint\"\nunit = \"hours\"\nusd = [{{ usd = [\"0.3\"], regions = [\"us-west-2\"] }}]\n\
                 source = \"s\"\nretrieved = \"2026-11-02\"\nconfidence = \"{confidence}\"\n"
            )
        };
        for (confidence, mark, says) in
            [("derived", '¹', "The price is from another program's data"), ("assumed", '²', "The price is assumed")]
        {
            let (usage, mut prices) = (Usage::default(), Prices::built_in().unwrap());
            prices.extend(Prices::parse(&row(confidence)).unwrap());
            let (bill, _) = with(&usage, prices);
            let text = render(&CostView::new(&bill, &usage)).to_string();
            // The other region keeps AWS's price, with its date.
            let marked = |place: &str| {
                let lines = text.split(place).nth(1).unwrap_or_default();
                lines.lines().find(|line| line.contains("SFTP endpoint")).unwrap_or_default().contains(mark)
            };
            assert!(marked("us-west-2: ") && !marked("us-east-2: "), "{text}");
            assert!(text.contains(&format!("{mark} {says}")), "{text}");
        }
    }

    /// The authorizer's log has a reason for each, and a metric is made of each; one more where there is a guard.
    #[test]
    fn every_reason_of_a_refusal_is_billed() {
        assert_eq!(Refusal::ALL.len() as u64, REFUSAL_REASONS + 1);
    }

    #[test]
    fn sums_without_some_prices_are_at_least_what_is_priced() {
        let environment = spec::load(&TEST.replace("us-east-2", "ap-east-2"), "99.yaml").unwrap();
        let inventory = Inventory::of(&environment).unwrap();
        let (usage, prices) = (Usage::default(), Prices::built_in().unwrap());
        let bill = Bill::of(&inventory, &usage, &prices);
        let view = CostView::new(&bill, &usage);
        let text = render(&view).to_string();
        for sum in ["\nTotal: at least ", "\nap-east-2: at least "] {
            assert!(text.contains(sum), "{sum}: {text}");
        }
        assert_eq!(text.matches("at least ").count(), 2, "the other regions' sums are whole: {text}");
        let markdown = markdown(&view).to_string();
        assert_eq!(markdown.matches("at least ").count(), 2, "{markdown}");
        assert_eq!(super::super::cost_page::page(&view).matches("at least ").count(), 2);
    }

    #[test]
    fn a_bill_as_markdown_is_a_table() {
        let usage = Usage::default();
        let (bill, _) = bill(&usage);
        let text = markdown(&CostView::new(&bill, &usage)).to_string();
        assert!(text.starts_with("### sftpctl: environment 99 costs "), "{text}");
        assert!(
            text.contains("| us-west-2 | Transfer Family: SFTP endpoint (also while the server is OFFLINE:"),
            "{text}"
        );
        assert!(text.contains(" | 730 hours × 0.30 | 219.00 |\n"), "{text}");
        assert!(text.contains(&format!("| | **total** | | **{}** |", amount(bill.total))), "{text}");
    }

    #[test]
    fn json_has_exact_decimals() {
        let usage = Usage::default();
        let (bill, _) = bill(&usage);
        let view = serde_json::to_value(CostView::new(&bill, &usage)).unwrap();
        let server =
            view["lines"].as_array().unwrap().iter().find(|line| line["priceId"] == "transfer.sftp-hour").unwrap();
        assert_eq!((&server["price"], &server["amount"]["high"]), (&"0.30".into(), &"219.00".into()));
        assert_eq!(view["usage"]["log_ins"]["high"], "1000000");
        assert_eq!(view["pricesPublished"][1], "2025-06-17");
    }

    #[test]
    fn the_old_way_stands_beside_the_environment() {
        let (bill, prices) = bill(&Usage::default());
        let old = OldWay::load(INPUTS, "inputs.yaml").unwrap().bill(&prices);
        let compared = Comparison::of(&bill, old);
        let text = comparison(&compared, &bill).to_string();
        assert!(text.contains("12 × main, with a stand-by (m4.large)  8,760 hours × 0.10"), "{text}");
        assert!(text.contains("40 % of 876.00") && text.contains("= - 350.40"), "{text}");
        assert!(text.contains("  Total: 869.40 (1,219.80 without the reservation)"), "{text}");
        assert!(text.contains("The design of 2019 computed 765.50 against 1,164.00, or 818.40 with reservations."));
        let markdown = comparison_markdown(&compared, &bill).to_string();
        assert!(markdown.contains("| old | **total** | | **869.40** |"), "{markdown}");
    }

    #[test]
    fn a_change_names_its_lines() {
        let (bill, _) = bill(&Usage::default());
        let none = CostChange::between(&bill, &bill);
        assert_eq!(change(&none).to_string(), "Cost: no change.");
        assert!(change_markdown(&none).to_string().contains("**Cost: no change.**"));
        let nothing = Bill { environment: "99".into(), ..Bill::default() };
        let first = CostChange::between(&nothing, &bill);
        let text = change(&first).to_string();
        assert!(text.starts_with("Cost: + ") && text.contains(" USD a month, from 0.00 to "), "{text}");
        assert!(text.contains("Transfer Family: SFTP endpoint  + 219.00"), "{text}");
        assert!(text.contains("more\n") && text.contains("`--usage FILE`"), "{text}");
        let markdown = change_markdown(&first).to_string();
        assert!(markdown.contains("| us-west-2 | Transfer Family: SFTP endpoint | + 219.00 |"), "{markdown}");
        assert!(refusal(&first, usd("50")).ends_with("--max-monthly-increase is 50.00 USD"));
        let gone = CostChange::between(&bill, &nothing);
        assert!(change(&gone).to_string().starts_with("Cost: - "), "{}", change(&gone));
    }
}
