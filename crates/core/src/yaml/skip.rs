//! Leaving out one setting of a file, with every byte after it in its place. Pure.

/// What a scan of YAML is inside of.
#[derive(Default)]
struct Scan {
    /// Where each bracket of a flow collection is open, and where its present entry begins.
    open: Vec<usize>,
    quote: Option<char>,
    in_comment: bool,
    /// The character before, as far as it is not the end of a quoted text.
    before: Option<char>,
}

impl Scan {
    /// Goes on by a character.
    fn step(&mut self, at: usize, c: char) {
        let may_begin = self.before.is_none_or(|before| before.is_whitespace() || "[{,:".contains(before));
        match (self.quote, c) {
            (_, '\n') => self.in_comment = false,
            _ if self.in_comment => {}
            (Some('"'), _) if self.before == Some('\\') => {
                self.before = None;
                return;
            }
            (Some(quote), _) if c == quote => self.quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if may_begin => self.quote = Some(c),
            (None, '#') if self.before.is_none_or(char::is_whitespace) => self.in_comment = true,
            (None, '{' | '[') if may_begin || !self.open.is_empty() => self.open.push(at + 1),
            (None, '}' | ']') => drop(self.open.pop()),
            (None, ',') => {
                if let Some(entry) = self.open.last_mut() {
                    *entry = at + 1;
                }
            }
            _ => {}
        }
        self.before = Some(c);
    }
}

/// The text with the innermost setting around a byte as spaces. `None` if there is none, or it is an element of a list.
pub(super) fn without_setting(text: &str, at: usize) -> Option<String> {
    let mut scan = Scan::default();
    for (place, c) in text.char_indices().take_while(|(place, _)| *place < at) {
        scan.step(place, c);
    }
    let (start, end) = match scan.open.last() {
        Some(start) => (*start, end_in_flow(text, *start)),
        None => in_block(text, at)?,
    };
    let setting = text.get(start..end)?;
    if setting.trim().is_empty() {
        return None;
    }
    let blank: String = setting.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    Some([text.get(..start)?, &blank, text.get(end..)?].concat())
}

/// The end of an entry of a flow collection, with its comma.
fn end_in_flow(text: &str, start: usize) -> usize {
    let mut scan = Scan::default();
    for (place, c) in text.get(start..).unwrap_or_default().char_indices() {
        let is_plain = scan.quote.is_none() && !scan.in_comment && scan.open.is_empty();
        match c {
            ',' if is_plain => return start + place + 1,
            '}' | ']' if is_plain => return start + place,
            _ => scan.step(start + place, c),
        }
    }
    text.len()
}

/// A setting that begins with its line: up to the next line that is indented no more than it.
fn in_block(text: &str, at: usize) -> Option<(usize, usize)> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let mut lines = text.get(start..)?.split_inclusive('\n');
    let first = lines.next()?;
    let own = indent(first);
    if first.trim_start().starts_with("- ") {
        return None;
    }
    let (mut scan, mut end) = (Scan::default(), start);
    for line in std::iter::once(first).chain(lines) {
        let is_listed = line.trim_start().starts_with("- ") && indent(line) == own;
        let goes_on =
            end == start || !scan.open.is_empty() || line.trim().is_empty() || indent(line) > own || is_listed;
        if !goes_on {
            break;
        }
        line.char_indices().for_each(|(place, c)| scan.step(end + place, c));
        end += line.len();
    }
    Some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(text: &str, part: &str) -> Option<String> {
        let rest = without_setting(text, text.find(part).unwrap())?;
        assert_eq!(rest.len(), text.len(), "{rest}");
        let lines = rest.lines().map(str::trim_end).filter(|line| !line.is_empty());
        Some(lines.collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn one_setting_is_left_out_and_the_others_stay() {
        let block = "a: 1\nb:\n  c: 2\n  d:\n  - x\n\n  e: 3\nf: {\n  g: 1\n}\nh: 4\n";
        for (part, expected) in [
            ("a:", "b:\n  c: 2\n  d:\n  - x\n  e: 3\nf: {\n  g: 1\n}\nh: 4"),
            ("b:", "a: 1\nf: {\n  g: 1\n}\nh: 4"),
            ("d:", "a: 1\nb:\n  c: 2\n  e: 3\nf: {\n  g: 1\n}\nh: 4"),
            ("f:", "a: 1\nb:\n  c: 2\n  d:\n  - x\n  e: 3\nh: 4"),
            ("g:", "a: 1\nb:\n  c: 2\n  d:\n  - x\n  e: 3\nf: {\n}\nh: 4"),
        ] {
            assert_eq!(without(block, part).as_deref(), Some(expected), "{part}");
        }
        assert_eq!(without(block, "x"), None, "an element of a list");
        let flow = "r: { column: 'a, }', colour: \"x\\\"}\", m: {n: [1, 2]} } # it's {";
        let parts = |part: &str| without(flow, part).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(parts("column"), "r: { colour: \"x\\\"}\", m: {n: [1, 2]} } # it's {");
        assert_eq!(parts("colour"), "r: { column: 'a, }', m: {n: [1, 2]} } # it's {");
        assert_eq!(parts("m:"), "r: { column: 'a, }', colour: \"x\\\"}\", } # it's {");
        assert_eq!(without("# it's {\nü: 1\nb: 2", "ü").as_deref(), Some("# it's {\nb: 2"));
    }
}
