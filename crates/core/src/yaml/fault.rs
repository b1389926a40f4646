//! A fault in a file and how it is shown. Pure.

use std::collections::BTreeSet;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::parse::Words;
use super::secrets::{Mask, is_of_kind};
use crate::secret::{HIDDEN, masked};
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
    /// Whether the marked text is the name of an unknown setting, whose value may be anything, and is not shown.
    #[serde(skip)]
    pub is_unknown: bool,
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
            is_unknown: false,
        }
    }
}

/// All faults of a file.
#[derive(Clone, Debug)]
pub struct Faults {
    source: String,
    /// The source without what is hidden, as many bytes in as many lines; `None` if no line of it is shown.
    shown: Option<String>,
    path: String,
    faults: Vec<Fault>,
}

impl Faults {
    /// Keeps `source` and `path` to show the lines, as far as [`secrets`](super::secrets) allows.
    pub fn new(source: &str, path: &str, words: &Words, mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| fault.start);
        let (source, path) = (source.to_owned(), path.to_owned());
        if !is_of_kind(&source, words) {
            faults.truncate(1);
            for fault in &mut faults {
                fault.message = format!("this is not {}: no line begins with one of its settings", words.what);
                fault.hint =
                    Some(format!("name another file; {} and `{}` show what belongs here", words.example, words.schema));
            }
            return Self { source, shown: None, path, faults };
        }
        let mut mask = Mask::new(&source, words);
        for fault in &faults {
            if fault.is_secret {
                mask.hide(fault.start..fault.end);
            }
            if fault.is_unknown {
                mask.hide_value(&source, fault.end);
            }
        }
        let hidden = mask.words(&source);
        for fault in &mut faults {
            let is_hidden = mask.hides(fault.start..fault.end);
            fault.message = told(&fault.message, &hidden, is_hidden);
            fault.hint = fault.hint.take().map(|hint| told(&hint, &hidden, false));
        }
        let shown = Some(mask.applied(&source));
        Self { source, shown, path, faults }
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
        let (message, path, hint) = (visible(&fault.message), visible(&self.path), fault.hint.as_deref().map(visible));
        let title = Level::ERROR.primary_title(message);
        let Some(shown) = &self.shown else {
            let mut group = title.element(Origin::path(path).line(fault.line).char_column(fault.column));
            if let Some(hint) = hint {
                group = group.element(Level::HELP.message(hint));
            }
            return renderer.render(&[group]);
        };
        let next = self.source[fault.start..].chars().next().map_or(0, char::len_utf8);
        let end = if fault.end > fault.start { fault.end } else { fault.start + next };
        // What is made visible is longer, so the mark is at another place.
        let (before, rest) = shown.split_at(fault.start);
        let (marked, after) = rest.split_at(end - fault.start);
        let [before, marked, after] = [before, marked, after].map(visible_lines);
        let (source, mark) = ([&*before, &*marked, &*after].concat(), before.len()..before.len() + marked.len());
        let snippet = Snippet::source(source).path(path).annotation(AnnotationKind::Primary.span(mark));
        let mut group = title.element(snippet);
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

/// A message without what is hidden: of its parts in quotes, those with a hidden word, or all if the marked text is hidden;
/// and whatever has the form of a secret.
fn told(message: &str, hidden: &BTreeSet<&str>, is_hidden: bool) -> String {
    let mut out = String::new();
    let mut quote = None;
    for piece in message.split_inclusive(['`', '"']) {
        let inside = piece.trim_end_matches(['`', '"']);
        let mark = &piece[inside.len()..];
        let is_quoted = quote.is_some() && quote == Some(mark);
        // A short word may be part of others by chance.
        let has_word = || hidden.iter().any(|word| inside == *word || (word.len() > 3 && inside.contains(word)));
        out.push_str(if is_quoted && (is_hidden || has_word()) { HIDDEN } else { inside });
        out.push_str(mark);
        quote = if is_quoted { None } else { Some(mark).filter(|mark| !mark.is_empty()) };
    }
    masked(&out)
}
