//! A fault in a file and how it is shown. Pure.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

use crate::shown::visible;

/// What is wrong in a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    pub message: String,
    pub hint: Option<String>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// First byte of the marked text.
    #[serde(skip)]
    pub start: usize,
    /// First byte after the marked text.
    #[serde(skip)]
    pub end: usize,
    /// Whether the marked text may be a secret, which is not shown.
    #[serde(skip)]
    pub is_secret: bool,
}

impl Fault {
    /// A fault of the bytes `start..end` of `source`.
    pub fn new(source: &str, start: usize, end: usize, message: impl Into<String>) -> Self {
        let mut start = start.min(source.len());
        while !source.is_char_boundary(start) {
            start -= 1;
        }
        let mut end = end.clamp(start, source.len());
        while !source.is_char_boundary(end) {
            end += 1;
        }
        let before = &source[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            message: message.into(),
            hint: None,
            line: before.matches('\n').count() + 1,
            column: source[line_start..start].chars().count() + 1,
            start,
            end,
            is_secret: false,
        }
    }
}

/// The places of what may be private keys: in PEM from the first line to the last, and each line of base64 that is as
/// long as theirs.
fn private_keys(source: &str) -> impl Iterator<Item = Range<usize>> {
    const END: &str = "-----END";
    const LINE: usize = 64;
    let pem = source.match_indices("-----BEGIN").map(|(start, _)| {
        let end = source[start..].find(END).map_or(source.len(), |at| start + at + END.len());
        start..end
    });
    let mut start = 0;
    let words = source.split(|c: char| !c.is_ascii_alphanumeric() && !"+/=".contains(c)).map(move |word| {
        let place = source[start..].find(word).map_or(start, |at| start + at);
        start = place + word.len();
        place..start
    });
    pem.chain(words.filter(|word| word.len() >= LINE))
}

/// The source with `*` for every byte of these places but line ends.
fn masked(source: &str, places: impl Iterator<Item = Range<usize>>) -> String {
    let mut bytes = source.as_bytes().to_vec();
    for place in places {
        for byte in bytes.get_mut(place).into_iter().flatten() {
            if !matches!(byte, b'\n' | b'\r') {
                *byte = b'*';
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// All faults of a file.
#[derive(Clone, Debug)]
pub struct Faults {
    source: String,
    /// The source without what may be a private key; as many bytes in as many lines.
    shown: String,
    path: String,
    faults: Vec<Fault>,
}

impl Faults {
    /// Keeps `source` and `path` to show the lines.
    pub fn new(source: &str, path: &str, mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| fault.start);
        let secret = faults.iter().filter(|fault| fault.is_secret).map(|fault| fault.start..fault.end);
        let shown = masked(source, secret.chain(private_keys(source)));
        Self { source: source.to_owned(), shown, path: path.to_owned(), faults }
    }

    /// The faults, in the order of the file.
    pub fn list(&self) -> &[Fault] {
        &self.faults
    }

    /// The faults as text for a person, each with its line and a mark.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let shown: Vec<String> = self.faults.iter().map(|fault| self.rendered(fault, &renderer)).collect();
        shown.join("\n\n")
    }

    fn rendered(&self, fault: &Fault, renderer: &Renderer) -> String {
        let next = self.source[fault.start..].chars().next().map_or(0, char::len_utf8);
        let end = if fault.end > fault.start { fault.end } else { fault.start + next };
        // What is made visible is longer, so the mark is at another place.
        let (before, rest) = self.shown.split_at(fault.start);
        let (marked, after) = rest.split_at(end - fault.start);
        let [before, marked, after] = [before, marked, after].map(visible_lines);
        let (source, mark) = ([&*before, &*marked, &*after].concat(), before.len()..before.len() + marked.len());
        let (message, path, hint) = (visible(&fault.message), visible(&self.path), fault.hint.as_deref().map(visible));
        let snippet = Snippet::source(source).path(path).annotation(AnnotationKind::Primary.span(mark));
        let mut group = Level::ERROR.primary_title(message).element(snippet);
        if let Some(hint) = hint {
            group = group.element(Level::HELP.message(hint));
        }
        renderer.render(&[group])
    }
}

/// Lines with everything but their ends and tabs visible.
fn visible_lines(source: &str) -> String {
    let is_layout = |c: char| matches!(c, '\n' | '\r' | '\t');
    source
        .split_inclusive(is_layout)
        .map(|piece| {
            let text = piece.trim_end_matches(is_layout);
            format!("{}{}", visible(text), &piece[text.len()..])
        })
        .collect()
}
