//! What an environment costs, as a page for a browser: one file with its charts, which loads nothing. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sftpctl_core::cost::bill::{Amount, Bill};
use sftpctl_core::cost::money::Usd;
use sftpctl_core::cost::old_way::Comparison;

use super::cost::{
    CostView, amount, basis, conclusions, mark, name, product, quantity, signed_sum, sources, total, usage,
};
use super::report_file::html;

/// Width of a chart's longest bar.
const WIDTH: f64 = 520.0;
/// Height of a bar with its gap.
const ROW: usize = 26;
/// Where the bars begin, right of their names.
const LEFT: usize = 170;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:2rem;max-width:72rem;color:#1a1a1a}\
table{border-collapse:collapse;width:100%;margin:0 0 1.5rem}td,th{text-align:left;padding:.25rem .6rem;\
border-bottom:1px solid #ddd;vertical-align:top}td.n,th.n{text-align:right;white-space:nowrap;\
font-variant-numeric:tabular-nums}tr.sum td{font-weight:600;border-top:2px solid #888}.total{font-size:1.6rem}\
.note{color:#555}svg text{font:13px system-ui,sans-serif;fill:#1a1a1a}.low{fill:#1f6f8b}.high{fill:#9cc8d6}";

/// The page of an environment.
pub fn page(view: &CostView<'_>) -> String {
    let bill = view.bill;
    let mut out = String::new();
    head(&mut out, &format!("Costs of environment {}", bill.environment), &total(bill));
    chart(&mut out, "By service", &bill.by_service());
    chart(&mut out, "By region", &bill.by_place());
    lines(&mut out, bill);
    out.push_str("<h2>Usage of a month</h2><table><thead><tr><th>What</th><th class=\"n\">Quantity</th><th>Basis</th></tr></thead><tbody>\n");
    for (what, field, estimate) in usage(view) {
        let _ = writeln!(
            out,
            "<tr><td>{}: {}</td><td class=\"n\">{} {}</td><td>{}</td></tr>",
            html(&what),
            html(field.meaning().trim()),
            html(&quantity(estimate)),
            html(field.unit()),
            basis(estimate.basis)
        );
    }
    out.push_str("</tbody></table>\n");
    end(&mut out, sources(view))
}

/// The page of an environment beside the old way.
pub fn comparison_page(comparison: &Comparison, bill: &Bill) -> String {
    let mut out = String::new();
    let title = format!("Environment {} and the old way", comparison.environment);
    head(&mut out, &title, &amount(comparison.new));
    let exactly = |usd: Usd| Amount { low: usd, high: usd };
    let mut sides =
        BTreeMap::from([("the environment", comparison.new), ("the old way", exactly(comparison.old.total))]);
    if comparison.old.on_demand != comparison.old.total {
        sides.insert("… without reservation", exactly(comparison.old.on_demand));
    }
    chart(&mut out, "Beside each other", &sides);
    chart(&mut out, "The environment by service", &bill.by_service());
    out.push_str("<h2>The old way</h2><table><thead><tr><th>What</th><th>Quantity × price</th><th class=\"n\">USD a month</th></tr></thead><tbody>\n");
    for line in &comparison.old.lines {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td></tr>",
            html(&line.item),
            html(&line.product),
            signed_sum(line.amount)
        );
    }
    let _ = writeln!(
        out,
        "<tr class=\"sum\"><td>Total</td><td></td><td class=\"n\">{}</td></tr></tbody></table>",
        comparison.old.total
    );
    lines(&mut out, bill);
    end(&mut out, conclusions(comparison))
}

fn head(out: &mut String, title: &str, total: &str) {
    let (title, total) = (html(title), html(total));
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n<p class=\"total\">{total} USD a month</p>\n"
    );
}

fn end(out: &mut String, remarks: Vec<String>) -> String {
    for remark in remarks {
        let _ = writeln!(out, "<p class=\"note\">{}</p>", html(&remark));
    }
    out.push_str("</body></html>\n");
    std::mem::take(out)
}

/// A bar for each amount, the largest first: dark up to the lower limit, light up to the higher one.
fn chart(out: &mut String, title: &str, amounts: &BTreeMap<&str, Amount>) {
    let mut bars: Vec<_> = amounts.iter().collect();
    bars.sort_by_key(|(_, amount)| std::cmp::Reverse(amount.high));
    let most = bars.first().map_or(Usd::ZERO, |(_, amount)| amount.high);
    let height = bars.len() * ROW + 6;
    let title = html(title);
    let _ = writeln!(
        out,
        "<h2>{title}</h2><svg role=\"img\" aria-label=\"{title}, USD a month\" width=\"900\" height=\"{height}\" \
         viewBox=\"0 0 900 {height}\">"
    );
    for (at, (name, sum)) in bars.into_iter().enumerate() {
        let (top, text) = (at * ROW + 3, at * ROW + 18);
        let (low, high) = (WIDTH * sum.low.share_of(most), WIDTH * sum.high.share_of(most));
        let label = html(&amount(*sum));
        #[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
        let after = LEFT as f64 + high + 8.0;
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{}</text>\
             <rect class=\"high\" x=\"{LEFT}\" y=\"{top}\" width=\"{high:.1}\" height=\"20\"/>\
             <rect class=\"low\" x=\"{LEFT}\" y=\"{top}\" width=\"{low:.1}\" height=\"20\"/>\
             <text x=\"{after:.1}\" y=\"{text}\">{label}</text>",
            LEFT - 8,
            html(name)
        );
    }
    out.push_str("</svg>\n");
}

fn lines(out: &mut String, bill: &Bill) {
    out.push_str("<h2>Every line</h2><table><thead><tr><th>Where</th><th>What</th><th>Quantity × price</th><th class=\"n\">USD a month</th></tr></thead><tbody>\n");
    for line in &bill.lines {
        let note = line.note.as_ref().map(|note| format!(" <span class=\"note\">({})</span>", html(note)));
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}{}</td><td>{}</td><td class=\"n\">{}{}</td></tr>",
            html(&line.place),
            html(&name(line)),
            note.unwrap_or_default(),
            html(&product(line)),
            html(&amount(line.amount)),
            mark(line.confidence)
        );
    }
    let _ = writeln!(
        out,
        "<tr class=\"sum\"><td></td><td>Total</td><td></td><td class=\"n\">{}</td></tr></tbody></table>",
        html(&total(bill))
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use sftpctl_core::cost::bill::Unpriced;
    use sftpctl_core::cost::inventory::Inventory;
    use sftpctl_core::cost::money::Quantity;
    use sftpctl_core::cost::old_way::{INPUTS, OldWay};
    use sftpctl_core::cost::prices::Prices;
    use sftpctl_core::cost::usage::Usage;
    use sftpctl_core::spec;

    const HOSTILE: &str = "<script src=//x>\"'&\u{202e}\u{1b}";

    fn bill() -> (Bill, Prices) {
        let environment = spec::load(include_str!("../../environments/99.yaml"), "99.yaml").unwrap();
        let inventory = Inventory::of(&environment).unwrap();
        let prices = Prices::built_in().unwrap();
        (Bill::of(&inventory, &Usage::default(), &prices), prices)
    }

    fn is_harmless(page: &str) {
        for part in ["<script", "src=", "href=", "url(", "@import", "\u{202e}", "\u{1b}", "http://", "https://"] {
            assert!(!page.contains(part), "{part}: {page}");
        }
        for name in ["svg", "table", "tr", "td", "text", "h2"] {
            let (begun, ended) =
                (page.matches(&format!("<{name}")).count(), page.matches(&format!("</{name}>")).count());
            assert!(ended > 0 && begun == ended, "{name}: {begun} {ended}");
        }
    }

    #[test]
    fn a_page_has_charts_and_every_line_and_loads_nothing() {
        let (bill, _) = bill();
        let page = page(&CostView::new(&bill, &Usage::default()));
        is_harmless(&page);
        assert_eq!(page.matches("<svg").count(), 2);
        assert_eq!(page.matches("<rect class=\"high\"").count(), bill.by_service().len() + bill.by_place().len());
        assert!(page.contains("width=\"520.0\""), "the longest bar has the whole width");
        for line in &bill.lines {
            assert!(page.contains(&html(&name(line))), "{line:?}");
        }
    }

    #[test]
    fn names_from_outside_are_text() {
        let (mut bill, prices) = bill();
        bill.environment = HOSTILE.to_owned();
        for line in &mut bill.lines {
            (line.place, line.service, line.item) = (HOSTILE.into(), HOSTILE.into(), HOSTILE.into());
            (line.unit, line.note) = (HOSTILE.into(), Some(HOSTILE.into()));
        }
        bill.unpriced.push(Unpriced {
            place: HOSTILE.to_owned(),
            what: HOSTILE.to_owned(),
            quantity: Quantity::ZERO,
            sentence: HOSTILE.to_owned(),
        });
        let view = CostView::new(&bill, &Usage::default());
        let text = page(&view).replace("src=//x", "");
        is_harmless(&text);
        let inputs = INPUTS.replace("main, with a stand-by", "'<script src=//x>'");
        let old = OldWay::load(&inputs, "i").unwrap().bill(&prices);
        let compared = Comparison::of(&bill, old);
        let text = comparison_page(&compared, &bill).replace("src=//x", "");
        is_harmless(&text);
        assert_eq!(text.matches("<svg").count(), 2);
    }
}
