//! The report of an import as a file: every rejected row with its reasons, and every remark, as CSV, JSON lines or a page
//! for a browser. By the ending of the file's name.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;
use sftpctl_accounts::import::rejected::Rejected;
use sftpctl_accounts::import::review::{Noted, Review};
use sftpctl_core::shown::{csv_cell, visible};

use super::{grouped, outcomes};

/// The forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Csv,
    Json,
    Html,
}

impl Form {
    /// The form that a file's name asks for.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "json" | "jsonl" | "ndjson" => Some(Self::Json),
            "html" | "htm" => Some(Self::Html),
            _ => None,
        }
    }
}

/// A line of the report.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    row: u64,
    place: &'a str,
    /// `rejected` or `remark`.
    what: &'static str,
    column: &'a str,
    value: &'a str,
    reason: &'a str,
}

impl<'a> From<&'a Rejected> for Line<'a> {
    fn from(from: &'a Rejected) -> Self {
        let Rejected { row, place, column, value, reason, kind: _ } = from;
        Line { row: *row, place, what: "rejected", column, value, reason }
    }
}

impl<'a> From<&'a Noted> for Line<'a> {
    fn from(from: &'a Noted) -> Self {
        let Noted { row, place, remark } = from;
        Line { row: *row, place, what: "remark", column: &remark.column, value: &remark.before, reason: &remark.why }
    }
}

/// Removes the report of an earlier run, and finds out whether the new one can be written, before the source is read.
///
/// # Errors
/// The folder cannot be written, or the report's place is a folder.
pub fn begin(path: &Path) -> io::Result<()> {
    tempfile::NamedTempFile::new_in(folder(path))?;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes the report, readable by the user alone. A link in its place is replaced.
///
/// # Errors
/// The file, or a temporary one, cannot be written.
pub fn write(path: &Path, form: Form, review: &mut Review) -> io::Result<()> {
    let file = tempfile::NamedTempFile::new_in(folder(path))?;
    let mut out = BufWriter::new(&file);
    head(&mut out, form, review)?;
    let mut result = Ok(());
    let mut put = |line: Line<'_>| {
        if result.is_ok() {
            result = write_line(&mut out, form, &line);
        }
    };
    review.rejected(|rejected| put(rejected.into()))?;
    review.noted(|noted| put(noted.into()))?;
    result?;
    if form == Form::Html {
        out.write_all(b"</tbody></table></body></html>\n")?;
    }
    out.flush()?;
    drop(out);
    file.persist(path)?;
    Ok(())
}

fn head(out: &mut impl Write, form: Form, review: &Review) -> io::Result<()> {
    match form {
        Form::Csv => out.write_all(b"row,place,what,column,value,reason\n"),
        Form::Json => Ok(()),
        Form::Html => {
            let summary = html(&outcomes(review).to_string());
            write!(
                out,
                "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Import: {} rows rejected</title>\n\
                 <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
                 <style>body{{font:15px/1.4 system-ui,sans-serif;margin:2rem;max-width:80rem}}pre{{background:#f4f4f4;\
                 padding:1rem;overflow:auto}}table{{border-collapse:collapse;width:100%}}td,th{{text-align:left;\
                 padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top;overflow-wrap:anywhere}}\
                 .rejected{{color:#a00}}.remark{{color:#666}}</style></head>\n\
                 <body><h1>Import</h1><pre>{summary}</pre>\n<table><thead><tr><th>Row</th><th>Place</th><th></th>\
                 <th>Column</th><th>Value</th><th>Reason</th></tr></thead><tbody>\n",
                grouped(review.counts.rejected)
            )
        }
    }
}

fn write_line(out: &mut impl Write, form: Form, line: &Line<'_>) -> io::Result<()> {
    let row = line.row.to_string();
    let cells = [row.as_str(), line.place, line.what, line.column, line.value, line.reason];
    match form {
        Form::Csv => writeln!(out, "{}", cells.map(csv_cell).join(",")),
        Form::Json => {
            serde_json::to_writer(&mut *out, line)?;
            out.write_all(b"\n")
        }
        Form::Html => {
            let cells = cells.map(|cell| html(&visible(cell)));
            writeln!(
                out,
                "<tr><td>{}</td><td>{}</td><td class=\"{2}\">{2}</td><td>{3}</td><td>{4}</td><td>{5}</td></tr>",
                cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]
            )
        }
    }
}

/// Text for a page: controls visible, and nothing that a browser takes for markup.
fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        for c in visible(line).chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                c => _ = out.write_char(c),
            }
        }
        out.push_str(end);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_known_by_the_files_ending() {
        for (name, form) in [
            ("a.csv", Some(Form::Csv)),
            ("A.JSON", Some(Form::Json)),
            ("x/y.html", Some(Form::Html)),
            ("report", None),
            ("a.xlsx", None),
        ] {
            assert_eq!(Form::of(Path::new(name)), form, "{name}");
        }
    }

    #[test]
    fn no_report_of_an_earlier_run_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.csv");
        begin(&path).unwrap();
        std::fs::write(&path, "old").unwrap();
        begin(&path).unwrap();
        assert!(!path.exists());
        assert!(begin(&dir.path().join("none/r.csv")).is_err());
        assert!(begin(dir.path()).is_err(), "a folder");
    }

    #[test]
    fn hostile_values_are_harmless_in_every_form() {
        let line = Line {
            row: 1,
            place: "line 2",
            what: "rejected",
            column: "username",
            value: "=HYPERLINK(\"http://x\")\u{1b}[31m\u{202e}<script>",
            reason: "invalid\nuser name",
        };
        for form in [Form::Csv, Form::Json, Form::Html] {
            let mut out = Vec::new();
            write_line(&mut out, form, &line).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') || form == Form::Json, "{text}");
            assert!(!text.contains('\u{1b}'), "{text}");
            assert_eq!(text.matches('\n').count(), 1, "{text}");
            assert!(!text.contains("<script>") || form != Form::Html, "{text}");
            assert!(!text.contains(",=") && !text.contains(",\"="), "{text}");
        }
    }
}
