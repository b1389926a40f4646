//! A report as a file: CSV, JSON lines or a page for a browser, by the ending of its name.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Seek as _, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sftpctl_core::shown::{Text, csv_cell, visible};

/// Puts a text in its place, as a whole and readable by the user alone. A link there is replaced, too: it may lead to a
/// file of somebody's choice.
///
/// # Errors
/// The file cannot be written.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

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

/// A report that is being written. Its rows are on the disk, not in memory; it appears as a whole.
pub struct ReportFile {
    path: PathBuf,
    form: Form,
    columns: &'static [&'static str],
    rows: BufWriter<File>,
}

impl ReportFile {
    /// Begins a report with these columns.
    ///
    /// # Errors
    /// A temporary file cannot be created.
    pub fn begin(path: &Path, form: Form, columns: &'static [&'static str]) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), form, columns, rows: BufWriter::new(tempfile::tempfile()?) })
    }

    pub fn form(&self) -> Form {
        self.form
    }

    /// Adds a row: the cells of CSV and of a page, the object of JSON. `class` is how a page shows it.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub fn row(&mut self, class: &'static str, cells: &[&str], object: &impl Serialize) -> io::Result<()> {
        write_row(&mut self.rows, self.form, class, cells, object)
    }

    /// Puts the report in its place, readable by the user alone. A link there is replaced.
    ///
    /// # Errors
    /// The file, or a temporary one, cannot be written.
    pub fn finish(self, title: &str, summary: &Text) -> io::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::NamedTempFile::new_in(folder)?;
        let mut out = BufWriter::new(&file);
        let mut rows = self.rows.into_inner().map_err(io::IntoInnerError::into_error)?;
        rows.rewind()?;
        match self.form {
            Form::Csv => writeln!(out, "{}", self.columns.join(","))?,
            Form::Json => {}
            Form::Html => head(&mut out, title, summary, self.columns)?,
        }
        io::copy(&mut rows, &mut out)?;
        if self.form == Form::Html {
            out.write_all(b"</tbody></table></body></html>\n")?;
        }
        out.flush()?;
        drop(out);
        file.persist(&self.path)?;
        Ok(())
    }
}

fn head(out: &mut impl Write, title: &str, summary: &Text, columns: &[&str]) -> io::Result<()> {
    let (title, summary) = (html(title), html(&summary.to_string()));
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <style>body{{font:15px/1.4 system-ui,sans-serif;margin:2rem;max-width:80rem}}pre{{background:#f4f4f4;\
         padding:1rem;overflow:auto}}table{{border-collapse:collapse;width:100%}}td,th{{text-align:left;\
         padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top;overflow-wrap:anywhere}}\
         .bad{{color:#a00}}.minor{{color:#666}}</style></head>\n\
         <body><h1>{title}</h1><pre>{summary}</pre>\n<table><thead><tr>"
    )?;
    for column in columns {
        let mut letters = column.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase()).into_iter();
        write!(out, "<th>{}</th>", html(&first.chain(letters).collect::<String>()))?;
    }
    out.write_all(b"</tr></thead><tbody>\n")
}

fn write_row(out: &mut impl Write, form: Form, class: &str, cells: &[&str], object: &impl Serialize) -> io::Result<()> {
    match form {
        // A pipeline may print the file.
        Form::Csv => {
            let cells: Vec<String> = cells.iter().map(|cell| csv_cell(cell)).collect();
            writeln!(out, "{}", Text::from(cells.join(",")))
        }
        Form::Json => {
            // As on the screen: nothing in it commands a terminal.
            writeln!(out, "{}", Text::json(&serde_json::to_value(object)?))
        }
        Form::Html => {
            write!(out, "<tr class=\"{class}\">")?;
            cells.iter().try_for_each(|cell| write!(out, "<td>{}</td>", html(&Text::from(cell).to_string())))?;
            out.write_all(b"</tr>\n")
        }
    }
}

/// Text for a page: controls visible, and nothing that a browser takes for markup.
pub(super) fn html(text: &str) -> String {
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
    fn hostile_values_are_harmless_in_every_form() {
        let value = "=HYPERLINK(\"http://x\")\u{1b}[31m\u{202e}<script>##[error]";
        for form in [Form::Csv, Form::Json, Form::Html] {
            let mut out = Vec::new();
            write_row(&mut out, form, "bad", &["1", value, "invalid\nuser name"], &[value, "invalid\nuser name"])
                .unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
            assert_eq!(text.matches('\n').count(), 1, "{text}");
            assert!(!text.contains("##[error]"), "{text}");
            assert!(!text.contains("<script>") || form != Form::Html, "{text}");
            assert!(!text.contains(",=") && !text.contains(",\"="), "{text}");
        }
    }

    #[test]
    fn a_page_has_its_title_and_summary_before_the_rows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.html");
        let mut report = ReportFile::begin(&path, Form::Html, &["row", "value"]).unwrap();
        report.row("bad", &["1", "x"], &()).unwrap();
        report.finish("Import: <b>", &Text::from("two < three")).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let places = ["Import: &lt;b&gt;", "two &lt; three", "<th>Row</th><th>Value</th>", "<td>x</td>"]
            .map(|part| text.find(part));
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{text}");
    }
}
