//! Text from outside in a form that does no harm where it is shown: on a terminal, in a log, in the log of a pipeline, in
//! a spreadsheet. Pure.
//!
//! AWS's answers, items of the table, environment files of others, saved plans, names of files: anybody may have written
//! what is in them. [`Text`] is what all output goes through, and makes every line harmless when it is added.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::text::{is_invisible, is_odd_space, is_variation_selector};

/// The start of a color or of another style of text; a number, `;` and an `m` follow.
const STYLE: &str = "\u{1b}[";

/// The start of a harmful character's form; a number in base 16 and `}` follow.
const ESCAPE: &str = "\\u{";

/// Whether a character can change what is shown of others, or cannot be told from another: controls, those of the writing
/// direction too, line separators, characters without a glyph, and spaces that are not the ordinary one.
fn is_harmful(c: char) -> bool {
    c.is_control() || is_invisible(c) || is_odd_space(c)
}

/// Whether a character that chooses the look of the one before is not to be seen there: it only is as the style of a symbol,
/// such as U+FE0F behind a heart.
fn is_unseen(before: Option<char>, c: char) -> bool {
    let is_style = matches!(c, '\u{fe0e}' | '\u{fe0f}');
    is_variation_selector(c) && !(is_style && before.is_some_and(has_styles))
}

/// Whether a character is of the blocks whose symbols have a style as text and one as emoji (Unicode,
/// `emoji-variation-sequences.txt`); digits do, too, but nobody sees it.
fn has_styles(c: char) -> bool {
    matches!(c,
        '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2194}'..='\u{21aa}'
        | '\u{231a}'..='\u{23ff}' | '\u{24c2}' | '\u{25aa}'..='\u{27bf}' | '\u{2934}'..='\u{2935}'
        | '\u{2b05}'..='\u{2b55}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' | '\u{1f004}'..='\u{1faff}')
}

/// The characters of a text, with whether each is to be shown as its number. It decides for every form of output.
fn judged(text: &str) -> impl Iterator<Item = (char, bool)> {
    let mut before = None;
    text.chars().map(move |c| {
        let is_unseen = is_unseen(before.replace(c), c);
        (c, is_unseen || is_harmful(c))
    })
}

/// The text with its harmful characters as `\u{1b}`. Text that is already in this form stays as it is.
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.is_ascii() && !text.contains(is_harmful) || !judged(text).any(|(_, is_numbered)| is_numbered) {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    for (c, is_numbered) in judged(text) {
        if is_numbered { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// The line with the commands broken up that a pipeline would follow: `::name` at its beginning, and `##[name]` or
/// `##vso[name]` anywhere (actions/runner, `ActionCommand.cs`; Azure Pipelines, "Logging commands").
fn without_commands(line: Cow<'_, str>) -> Cow<'_, str> {
    let start = line.len() - line.trim_start().len();
    let has_command = line[start..].starts_with("::");
    if !has_command && hash_commands(&line).next().is_none() {
        return line;
    }
    let mut out = String::new();
    let mut from = 0;
    for at in has_command.then_some(start).into_iter().chain(hash_commands(&line)) {
        out.push_str(&line[from..at]);
        out.extend(line[at..].chars().take(1).flat_map(char::escape_unicode));
        from = at + 1;
    }
    out.push_str(&line[from..]);
    Cow::Owned(out)
}

/// The places of the second `#` of every `##[` and `##name[`.
fn hash_commands(line: &str) -> impl Iterator<Item = usize> {
    line.match_indices('#').map(|(at, _)| at).filter(|at| {
        let rest = line[at + 1..].trim_start_matches(|c: char| c.is_ascii_alphabetic());
        line[..*at].ends_with('#') && rest.starts_with('[')
    })
}

/// Lines for a terminal, a file or a pipe, which nobody but this program has divided or styled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(Vec<String>);

impl Text {
    /// Adds one line, in which everything is visible, line ends too.
    pub fn line(&mut self, line: impl AsRef<str>) {
        self.0.push(without_commands(visible(line.as_ref())).into_owned());
    }

    /// Adds all lines of another text.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The text with the lines that `change` makes of each of its lines.
    #[must_use]
    pub fn flat_map<L: AsRef<str>, I: IntoIterator<Item = L>>(&self, change: impl Fn(&str) -> I) -> Self {
        self.0.iter().flat_map(|line| change(line)).collect()
    }

    /// Text that another library divided and styled, of strings in which everything was [`visible`]. Of what is left,
    /// only the ends of its lines and colors get through.
    pub fn styled(text: &str) -> Self {
        let mut lines = Vec::new();
        for line in text.lines() {
            let mut parts = line.split(STYLE);
            let mut out = visible(parts.next().unwrap_or_default()).into_owned();
            for part in parts {
                let (numbers, after) = part.split_once('m').unwrap_or(("?", part));
                if numbers.bytes().all(|c| c.is_ascii_digit() || c == b';') {
                    let _ = write!(out, "{STYLE}{numbers}m{}", visible(after));
                } else {
                    out.push_str(&visible(&format!("{STYLE}{part}")));
                }
            }
            lines.push(without_commands(out.into()).into_owned());
        }
        Self(lines)
    }

    /// Text as it is: nothing in it comes from outside, or what does was encoded for its reader.
    pub fn verbatim(text: impl Into<String>) -> Self {
        Self(vec![text.into()])
    }

    /// A value as JSON in one line. It is the same value, with escapes for what is harmful.
    pub fn json(value: &impl Serialize) -> Self {
        Self(vec![json_escaped(&serde_json::to_string(value).unwrap_or_default())])
    }

    /// As [`Text::json`], in several lines.
    pub fn pretty_json(value: &impl Serialize) -> Self {
        Self(serde_json::to_string_pretty(value).unwrap_or_default().lines().map(json_escaped).collect())
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(String::is_empty)
    }
}

impl<T: AsRef<str>> From<T> for Text {
    fn from(line: T) -> Self {
        Self::from_iter([line])
    }
}

/// One line of each.
impl<T: AsRef<str>> FromIterator<T> for Text {
    fn from_iter<I: IntoIterator<Item = T>>(lines: I) -> Self {
        let mut text = Self::default();
        lines.into_iter().for_each(|line| text.line(line));
        text
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// JSON has what is harmful inside its strings alone, where each character may be an escape of four digits.
fn json_escaped(line: &str) -> String {
    let commands: Vec<usize> = hash_commands(line).collect();
    let mut out = String::new();
    for ((at, _), (c, is_numbered)) in line.char_indices().zip(judged(line)) {
        if is_numbered || commands.contains(&at) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// The signs with which a formula begins, where a spreadsheet would compute it: at the start, and after what divides
/// cells for some reader, since Excel's separator is that of the system's language, `;` in most of Europe, and such a
/// reader divides a text that is quoted for commas. Quotes and blanks do not hide a sign: whether a quote counts is the
/// reader's.
fn formula_signs(text: &str) -> impl Iterator<Item = usize> {
    let mut begins = true;
    text.char_indices().filter_map(move |(at, c)| {
        let is_sign = begins && matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠');
        begins = matches!(c, ',' | ';' | '\t' | '\n' | '\r') || begins && (c == '"' || c.is_whitespace());
        is_sign.then_some(at)
    })
}

/// Whether only quotes and blanks are before a sign, so that the cell itself is computed.
fn is_first(text: &str, at: usize) -> bool {
    text[..at].chars().all(|c| c == '"' || c.is_whitespace() && c != '\n')
}

/// Text as a cell of comma-separated values (RFC 4180). A spreadsheet would compute a cell that begins as a formula does;
/// an apostrophe before it makes it text (OWASP, "CSV Injection"). Inside a text it is before the sign itself.
pub fn csv_cell(text: &str) -> String {
    csv_lines([text])
}

/// As [`csv_cell`], of several lines.
pub fn csv_lines<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let lines: Vec<_> = lines.into_iter().map(visible).collect();
    let text = lines.join("\n");
    let (mut marked, mut from) = (String::new(), 0);
    for at in formula_signs(&text) {
        let at = if is_first(&text, at) { 0 } else { at };
        marked.push_str(&text[from..at]);
        marked.push('\'');
        from = at;
    }
    marked.push_str(&text[from..]);
    let text = marked;
    if text.contains([',', ';', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// Text as a cell that a program reads back as it was ([`of_exact_cell`]), and that does no harm in a spreadsheet or on a
/// terminal: harmful characters, line ends among them, have the form of [`visible`], and so has the backslash of a text
/// that looks like that form; one apostrophe is before what begins as a formula or with an apostrophe, and a sign
/// inside that another reader could take for the beginning of one has its number, too.
pub fn exact_cell(text: &str) -> String {
    exact_lines([text])
}

/// As [`exact_cell`], of several texts on a line each.
pub fn exact_lines<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let exact = |line: &str| visible(&line.replace(ESCAPE, &format!("{ESCAPE}5c}}u{{"))).into_owned();
    let lines: Vec<String> = lines.into_iter().map(exact).collect();
    let text = lines.join("\n");
    let (mut marked, mut from) = (String::new(), 0);
    if text.starts_with('\'') {
        marked.push('\'');
    }
    for at in formula_signs(&text) {
        if is_first(&text, at) {
            marked.push('\'');
            continue;
        }
        marked.push_str(&text[from..at]);
        let sign = text[at..].chars().next();
        marked.extend(sign.into_iter().flat_map(char::escape_unicode));
        from = at + sign.map_or(0, char::len_utf8);
    }
    marked.push_str(&text[from..]);
    let text = marked;
    let is_quoted = text.contains([',', ';', '"', '\n']) || text.starts_with(' ') || text.ends_with(' ');
    if is_quoted { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// The text of an [`exact_cell`], without the quotes around it.
pub fn of_exact_cell(cell: &str) -> Cow<'_, str> {
    let cell = cell.strip_prefix('\'').unwrap_or(cell);
    if !cell.contains(ESCAPE) {
        return Cow::Borrowed(cell);
    }
    let (mut out, mut rest) = (String::new(), cell);
    while let Some((before, after)) = rest.split_once(ESCAPE) {
        out.push_str(before);
        let escaped = after.split_once('}').and_then(|(number, rest)| {
            let number = u32::from_str_radix(number, 16).ok()?;
            Some((char::from_u32(number)?, rest))
        });
        if let Some((c, after)) = escaped {
            out.push(c);
            rest = after;
        } else {
            out.push_str(ESCAPE);
            rest = after;
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Writes a field of an event as the log shows it; the message has no name.
///
/// # Errors
/// The writer's.
pub fn log_field(out: &mut impl fmt::Write, name: &str, value: &dyn fmt::Debug) -> fmt::Result {
    let value = format!("{value:?}");
    let value = without_commands(visible(&value));
    if name == "message" { write!(out, "{value}") } else { write!(out, "{name}={value}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// What others would follow or misread, and some plain text.
    const HOSTILE: &[&str] = &[
        "\u{1b}]0;owned\u{7}",
        "\u{1b}[31m",
        "\u{1b}[2J",
        "\u{9b}31m",
        "\u{7f}",
        "\n",
        "\r",
        "\r\n",
        "\t",
        "\0",
        "\u{85}",
        "\u{2028}",
        "\u{2029}",
        "\u{202e}",
        "\u{2066}",
        "\u{61c}",
        "\u{feff}",
        "\u{200b}",
        "\u{a0}",
        "\u{e0041}",
        "\u{fe0e}",
        "\u{fe0f}",
        "\u{fe00}",
        "\u{180b}",
        "\u{e0100}",
        "❤",
        "–",
        "'",
        "\\",
        "\\u{",
        "\\u{1b}",
        "}",
        "5c",
        "::",
        "::error::",
        "##[",
        "##[error]",
        "##vso[task.setvariable]",
        "#",
        "[",
        " ",
        "=1+1",
        "-2",
        "＝1",
        "@",
        "\"",
        ",",
        ";",
        ";=1",
        "ä",
        "日本",
        "m",
    ];

    fn hostile() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(HOSTILE), 0..12).prop_map(|parts| parts.concat())
    }

    fn has_command(line: &str) -> bool {
        line.trim_start().starts_with("::") || line.contains("##[") || line.contains("##vso[")
    }

    /// Whether some spreadsheet computes a part of a record, however it divides and unquotes it.
    fn has_formula(record: &str) -> bool {
        let cells = record.split([';', ',', '\t', '\n', '\r']);
        let mut begun = cells.map(|cell| cell.trim_start_matches(|c: char| c == '"' || c.is_whitespace()));
        begun.any(|cell| cell.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']))
    }

    fn is_harmless(line: &str) -> bool {
        !has_command(line) && !judged(line).any(|(_, is_numbered)| is_numbered)
    }

    proptest! {
        #[test]
        fn every_line_is_harmless(outside in hostile()) {
            let mut text = Text::from(&outside);
            text.line(format!("user {outside}: {outside}"));
            let shown = text.to_string();
            prop_assert_eq!(shown.lines().count().max(2), 2, "{:?}", shown);
            prop_assert!(shown.lines().all(is_harmless), "{:?}", shown);
            prop_assert_eq!(Text::from_iter(shown.split('\n')), text);
        }

        #[test]
        fn json_is_harmless_and_the_same(outside in hostile()) {
            for text in [Text::json(&[&outside]), Text::pretty_json(&[&outside])] {
                let shown = text.to_string();
                prop_assert!(shown.lines().all(is_harmless), "{:?}", shown);
                prop_assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), serde_json::json!([outside]));
            }
        }

        #[test]
        fn styled_text_has_colors_alone(outside in hostile()) {
            let shown = Text::styled(&format!("\u{1b}[1;31merror\u{1b}[0m: {outside}\n  more")).to_string();
            prop_assert!(shown.starts_with("\u{1b}[1;31merror\u{1b}[0m: "), "{:?}", shown);
            let plain = shown.replace("\u{1b}[1;31m", "").replace("\u{1b}[0m", "").replace("\u{1b}[31m", "");
            prop_assert!(!judged(&plain.replace('\n', "")).any(|(_, is_numbered)| is_numbered), "{:?}", shown);
            prop_assert!(!shown.lines().any(has_command), "{:?}", shown);
        }

        #[test]
        fn cells_are_no_formulas(outside in hostile()) {
            let cell = csv_cell(&outside);
            let inside = cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"'));
            if inside.is_none() {
                prop_assert!(!cell.contains([',', '"']), "{}", cell);
            }
            let value = inside.map_or_else(|| cell.clone(), |inside| inside.replace("\"\"", "\u{1}"));
            prop_assert!(!value.contains('"') && !judged(&cell).any(|(_, is_numbered)| is_numbered), "{}", cell);
            prop_assert!(!has_formula(&value), "{}", cell);
            for record in [format!("{cell},{cell}"), csv_lines([&*outside, "", &*outside])] {
                prop_assert!(!has_formula(&record), "{}", record);
            }
        }

        #[test]
        fn exact_cells_are_harmless_and_read_back(outside in hostile(), other in hostile()) {
            for texts in [vec![outside.as_str()], vec![&*other, &*outside]] {
                let cell = exact_lines(texts.iter().copied());
                let lines: Text = format!("7,{cell}").split('\n').collect();
                let shown = lines.to_string();
                prop_assert!(shown.lines().all(is_harmless), "{:?}", shown);
                let cell = shown.strip_prefix("7,").unwrap();
                let inside = cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"'));
                prop_assert!(inside.is_some() || !cell.contains([',', '"', '\n']), "{}", cell);
                let value = inside.map_or_else(|| cell.to_owned(), |inside| inside.replace("\"\"", "\""));
                prop_assert!(!has_formula(&value) && !has_formula(&shown), "{}", cell);
                prop_assert_eq!(of_exact_cell(&value), texts.join("\n"));
            }
        }

        #[test]
        fn log_fields_are_harmless(outside in hostile()) {
            let (mut message, mut field) = (String::new(), String::new());
            log_field(&mut message, "message", &format_args!("{outside}")).unwrap();
            log_field(&mut field, "name", &format_args!("{outside}")).unwrap();
            prop_assert!(is_harmless(&message) && is_harmless(&field), "{:?} {:?}", message, field);
        }
    }

    #[test]
    fn harmful_characters_have_their_numbers() {
        for (text, expected) in [
            ("jan\u{1b}[31m\u{7}", r"jan\u{1b}[31m\u{7}"),
            ("a\nb\u{2028}c\u{202e}d\u{a0}e", r"a\u{a}b\u{2028}c\u{202e}d\u{a0}e"),
            ("\u{feff}", r"\u{feff}"),
            ("  ::error::x", r"  \u{3a}:error::x"),
            ("x ##[group]y ###[a] ##vso[b]", r"x #\u{23}[group]y ##\u{23}[a] #\u{23}vso[b]"),
            ("arn:aws:iam::1:role/x #1 ##", "arn:aws:iam::1:role/x #1 ##"),
            ("Müller 日本 ❤\u{fe0f}", "Müller 日本 ❤\u{fe0f}"),
            ("v v\u{fe0f} 日\u{fe00} 1\u{fe0f} \u{fe0f}", r"v v\u{fe0f} 日\u{fe00} 1\u{fe0f} \u{fe0f}"),
        ] {
            assert_eq!(Text::from(text).to_string(), expected);
        }
    }

    /// Unicode 16, `DerivedCoreProperties.txt`, `Default_Ignorable_Code_Point`: what is shown as nothing at all.
    const IGNORABLE: [std::ops::RangeInclusive<u32>; 17] = [
        0xad..=0xad,
        0x34f..=0x34f,
        0x61c..=0x61c,
        0x115f..=0x1160,
        0x17b4..=0x17b5,
        0x180b..=0x180f,
        0x200b..=0x200f,
        0x202a..=0x202e,
        0x2060..=0x206f,
        0x3164..=0x3164,
        0xfe00..=0xfe0f,
        0xfeff..=0xfeff,
        0xffa0..=0xffa0,
        0xfff0..=0xfff8,
        0x1bca0..=0x1bca3,
        0x1d173..=0x1d17a,
        0xe0000..=0xe0fff,
    ];

    #[test]
    fn ignorable_characters_are_seen_in_every_form() {
        let all = IGNORABLE.into_iter().flatten().filter_map(char::from_u32);
        for (c, before) in
            all.flat_map(|c| ["", "v", "ß", "日", "–", "1", "❤\u{fe0f}", "\u{feff}"].map(|text| (c, text)))
        {
            let name = format!("{before}{c}x");
            let mut log = String::new();
            log_field(&mut log, "name", &format_args!("{name}")).unwrap();
            for shown in [
                Text::from(&name).to_string(),
                Text::json(&[&name]).to_string(),
                Text::pretty_json(&[&name]).to_string(),
                Text::styled(&name).to_string(),
                csv_cell(&name),
                exact_cell(&name),
                log,
            ] {
                let rest = shown.replacen("❤\u{fe0f}", "", 1);
                assert!(!rest.contains(c), "U+{:04X} behind {before:?}: {shown:?}", u32::from(c));
            }
            assert_eq!(serde_json::from_str::<Value>(&Text::json(&[&name]).to_string()).unwrap()[0], *name);
        }
    }

    #[test]
    fn only_styles_are_styles() {
        for (text, expected) in [
            ("\u{1b}[1;38;5;9merror\u{1b}[0m", "\u{1b}[1;38;5;9merror\u{1b}[0m"),
            ("\u{1b}[m", "\u{1b}[m"),
            ("\u{1b}[2J m", r"\u{1b}[2J m"),
            ("\u{1b}[?25lm", r"\u{1b}[?25lm"),
            ("\u{1b}[1", r"\u{1b}[1"),
            ("\u{1b}[", r"\u{1b}["),
            ("a\n::b", "a\n\\u{3a}:b"),
        ] {
            assert_eq!(Text::styled(text).to_string(), expected);
        }
    }

    #[test]
    fn cells_are_quoted_and_marked() {
        for (text, cell) in [
            ("jan", "jan"),
            ("/bucket/7", "/bucket/7"),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
            ("-2+3", "'-2+3"),
            (" @SUM(1)", "' @SUM(1)"),
            ("＝1", "'＝1"),
            ("\t=1", r"\u{9}=1"),
            ("a,b", "\"a,b\""),
            ("x;=HYPERLINK(1);y", "\"x;'=HYPERLINK(1);y\""),
            ("x; \"-1", "\"x; \"\"'-1\""),
            ("=1;+2,@3", "\"'=1;'+2,'@3\""),
            ("a-b; c=d", "\"a-b; c=d\""),
        ] {
            assert_eq!(csv_cell(text), cell);
        }
    }

    #[test]
    fn exact_cells_have_one_mark() {
        for (text, cell) in [
            ("jan", "jan"),
            ("=1", "'=1"),
            ("'s", "''s"),
            (" late ", "\" late \""),
            ("a\r\nb", r"a\u{d}\u{a}b"),
            (r"C:\u{a}", r"C:\u{5c}u{a}"),
            (r"C:\users", r"C:\users"),
            ("=1;=2", r#""'=1;\u{3d}2""#),
            ("'a,@b", r#""''a,\u{40}b""#),
        ] {
            assert_eq!(exact_cell(text), cell);
        }
        assert_eq!(of_exact_cell(r"\u{110000}\u{x}\u{"), r"\u{110000}\u{x}\u{", "no characters");
    }
}
