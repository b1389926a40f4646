//! Charts as SVG inside a page: no script, no file beside it. Pure.

use std::fmt::Write as _;

use crate::report::report_file::html;

/// A line of a chart: its name, and its points with an interval where there is one.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<Point>,
}

/// A point: x, y, and between which y lies.
#[derive(Clone, Copy, Default)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) interval: Option<(f64, f64)>,
    /// Whether operations of it did not succeed.
    pub(super) has_failures: bool,
}

/// What a chart says beside its lines.
pub(super) struct Axes<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    /// Whether each step to the right multiplies.
    pub(super) log_x: bool,
    /// Places on the x axis that have a label.
    pub(super) ticks: Vec<(f64, String)>,
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 64.0;
/// For the names of the lines: `500MB binary get, of both (15)`.
const RIGHT: f64 = 250.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 46.0;
/// Lines of a chart that a reader can tell apart: by color, and on paper by their dashes.
const STYLES: usize = 8;

/// A scale from values to a place in the picture.
pub(super) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    is_log: bool,
}

impl Scale {
    pub(super) fn new((low, high): (f64, f64), (from, to): (f64, f64), is_log: bool) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { low, high, from, to, is_log }
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        let part = match self.is_log && self.low > 0.0 {
            true => (value / self.low).ln() / (self.high / self.low).ln(),
            false => (value - self.low) / (self.high - self.low),
        };
        self.from + part.clamp(0.0, 1.0) * (self.to - self.from)
    }
}

/// Round steps up to a value, at most six.
pub(super) fn steps(most: f64) -> Vec<f64> {
    if most <= 0.0 || !most.is_finite() {
        return vec![0.0];
    }
    let rough = most / 5.0;
    let magnitude = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * magnitude).find(|step| *step >= rough).unwrap_or(rough);
    let mut all = vec![0.0];
    let mut value = step;
    while value <= most * 1.0001 {
        all.push(value);
        value += step;
    }
    all
}

/// A value beside an axis, without zeros that say nothing.
fn label(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A chart of lines. Without a point: nothing.
pub(super) fn lines(out: &mut String, axes: &Axes<'_>, series: &[Series]) {
    let points = || series.iter().flat_map(|series| &series.points);
    let Some(first) = points().next() else { return };
    let (mut low, mut high, mut most) = (first.x, first.x, 0.0_f64);
    for point in points() {
        (low, high) = (low.min(point.x), high.max(point.x));
        most = most.max(point.interval.map_or(point.y, |(_, high)| high.max(point.y)));
    }
    let x = Scale::new((low, high), (LEFT, WIDTH - RIGHT), axes.log_x);
    let y = Scale::new((0.0, most * 1.05), (HEIGHT - BOTTOM, TOP), false);
    let title = match points().any(|point| point.has_failures) {
        true => format!("{}; red: some operations did not succeed, and are not counted", axes.title),
        false => axes.title.to_owned(),
    };
    begin(out, &title, HEIGHT);
    for value in steps(most) {
        let at = y.at(value);
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 4.0,
            label(value)
        );
    }
    let mut last = f64::NEG_INFINITY;
    for (value, label) in &axes.ticks {
        let at = x.at(*value);
        // Labels that would lie on each other are left out.
        if at - last < 30.0 {
            continue;
        }
        last = at;
        let _ = writeln!(
            out,
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            HEIGHT - BOTTOM + 18.0,
            html(label)
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" class=\"axis\">{}</text>\
         <text x=\"14\" y=\"{:.1}\" text-anchor=\"middle\" class=\"axis\" transform=\"rotate(-90 14 {:.1})\">{}</text>",
        f64::midpoint(LEFT, WIDTH - RIGHT),
        HEIGHT - 8.0,
        html(axes.x),
        HEIGHT / 2.0,
        HEIGHT / 2.0,
        html(axes.y)
    );
    for (number, series) in series.iter().enumerate() {
        let style = number % STYLES;
        for point in &series.points {
            if let Some((low, high)) = point.interval {
                let (at, from, to) = (x.at(point.x), y.at(low), y.at(high));
                let _ = writeln!(
                    out,
                    "<line class=\"s{style} range\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{from:.1}\" y2=\"{to:.1}\"/>"
                );
            }
        }
        let path: Vec<String> =
            series.points.iter().map(|point| format!("{:.1},{:.1}", x.at(point.x), y.at(point.y))).collect();
        let _ = writeln!(out, "<polyline class=\"s{style}\" points=\"{}\"/>", path.join(" "));
        for point in &series.points {
            let (class, radius) = if point.has_failures { (" bad", 5) } else { ("", 3) };
            let _ = writeln!(
                out,
                "<circle class=\"s{style}{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\"/>",
                x.at(point.x),
                y.at(point.y)
            );
        }
        #[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
        let at = TOP + 8.0 + number as f64 * 18.0;
        let _ = writeln!(
            out,
            "<line class=\"s{style}\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            WIDTH - RIGHT + 12.0,
            WIDTH - RIGHT + 40.0,
            WIDTH - RIGHT + 46.0,
            at + 4.0,
            html(&series.name)
        );
    }
    out.push_str("</svg></figure>\n");
}

/// Begins a picture under its title.
pub(super) fn begin(out: &mut String, title: &str, height: f64) {
    let title = html(title);
    let _ = writeln!(
        out,
        "<figure><figcaption>{title}</figcaption><svg role=\"img\" aria-label=\"{title}\" width=\"{WIDTH}\" \
         height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\">"
    );
}

/// What happened when: a line for each machine and target, a mark for each operation, those that did not succeed in
/// red.
pub(super) struct Event {
    /// Seconds.
    pub(super) at: f64,
    pub(super) seconds: f64,
    pub(super) lane: usize,
    /// What it was, if it did not succeed.
    pub(super) problem: Option<String>,
}

/// The lanes of a time line.
pub(super) fn time_line(out: &mut String, title: &str, lanes: &[String], events: &[Event]) {
    let Some(most) = events.iter().map(|event| event.at + event.seconds).reduce(f64::max) else { return };
    /// A lane has its name above it, as wide as the picture: those of machines and targets are as long as they are.
    const LANE: f64 = 42.0;
    const NAME: f64 = 16.0;
    /// Characters of a name that fit beside each other.
    const LONGEST: usize = 100;
    #[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
    let top = |lane: usize| TOP + lane as f64 * LANE;
    let height = top(lanes.len()) + BOTTOM;
    let x = Scale::new((0.0, most), (16.0, WIDTH - 30.0), false);
    begin(out, title, height);
    for (number, lane) in lanes.iter().enumerate() {
        let name = match lane.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", lane.get(..end).unwrap_or_default()),
            None => lane.clone(),
        };
        let _ = writeln!(out, "<text x=\"16\" y=\"{:.1}\">{}</text>", top(number) + NAME - 3.0, html(&name));
    }
    for value in steps(most) {
        let at = x.at(value);
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{} s</text>",
            top(lanes.len()),
            top(lanes.len()) + 18.0,
            label(value)
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" class=\"axis\">since the run began</text>",
        WIDTH / 2.0,
        top(lanes.len()) + 36.0
    );
    let (good, bad): (Vec<&Event>, Vec<&Event>) = events.iter().partition(|event| event.problem.is_none());
    // One rectangle for operations that follow each other without a visible gap.
    let mut spans: Vec<(usize, f64, f64)> = Vec::new();
    for event in good {
        let (from, to) = (x.at(event.at), x.at(event.at + event.seconds));
        match spans.iter_mut().rev().find(|(lane, ..)| *lane == event.lane) {
            Some((_, _, end)) if from <= *end + 0.5 => *end = end.max(to),
            _ => spans.push((event.lane, from, to)),
        }
    }
    for (lane, from, to) in spans {
        let width = (to - from).max(0.6);
        let _ = writeln!(
            out,
            "<rect class=\"good\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"18\"/>",
            top(lane) + NAME + 2.0
        );
    }
    for event in bad {
        let (from, to) = (x.at(event.at), x.at(event.at + event.seconds));
        let width = (to - from).max(3.0);
        let _ = writeln!(
            out,
            "<rect class=\"bad\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"22\"><title>{}</title></rect>",
            top(event.lane) + NAME,
            html(event.problem.as_deref().unwrap_or_default())
        );
    }
    out.push_str("</svg></figure>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        for (most, last, count) in [(10.0, 10.0, 6), (188.7, 150.0, 4), (0.7, 0.6, 4), (1.0, 1.0, 6), (0.0, 0.0, 1)] {
            let steps = steps(most);
            assert!((steps.last().unwrap() - last).abs() < 1e-9, "{most}: {steps:?}");
            assert_eq!(steps.len(), count, "{most}: {steps:?}");
        }
    }

    #[test]
    fn labels_keep_the_zeros_that_count() {
        for (value, shown) in [(100.0, "100"), (150.0, "150"), (0.0, "0"), (0.005, "0.005"), (2.5, "2.5")] {
            assert_eq!(label(value), shown);
        }
    }

    #[test]
    fn a_scale_maps_its_ends() {
        let linear = Scale::new((0.0, 10.0), (100.0, 0.0), false);
        assert!((linear.at(5.0) - 50.0).abs() < 1e-9 && (linear.at(20.0)).abs() < 1e-9);
        let log = Scale::new((1.0, 100.0), (0.0, 100.0), true);
        assert!((log.at(10.0) - 50.0).abs() < 1e-9);
        // A single value does not divide by zero.
        assert!(Scale::new((3.0, 3.0), (0.0, 1.0), true).at(3.0).is_finite());
    }
}
