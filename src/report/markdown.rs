//! A plan as Markdown, for a pull request: a table of the steps, and below it the properties, folded. Pure.

use std::fmt::Write as _;

use serde_json::Value;

use super::plan_view;
use sftpctl_core::model::{Action, PropertyChange};
use sftpctl_core::plan::model::{Plan, Step};
use sftpctl_core::shown::{Text, visible};

/// Characters of a value that are shown.
const MAX_CHARS: usize = 200;

/// The plan, and what is left out of it.
pub fn render(plan: &Plan, left_out: &[Step]) -> Text {
    let mut text = steps(plan, left_out);
    if let Some(line) = plan_view::left_out_line(left_out) {
        text.line("");
        text.line(cell(&line));
    }
    text
}

fn steps(plan: &Plan, left_out: &[Step]) -> Text {
    let mut text = Text::default();
    text.line(format!("### sftpctl: environment {} in account {}", code(&plan.environment), code(&plan.account)));
    text.line("");
    if plan.is_empty() {
        text.line(match left_out.is_empty() {
            true => "Nothing to do: the environment matches its file.",
            false => "Nothing to do in what is selected.",
        });
        return text;
    }
    text.line("| | where | what | properties |");
    text.line("|---|---|---|---|");
    for step in &plan.steps {
        let (word, count) = (word(step.change.action), step.change.properties.len());
        text.line(format!("| {word} | {} | {} | {count} |", cell(step.id.place()), cell(&step.title)));
    }
    text.line("");
    text.line(totals(plan));
    let replacing: Vec<String> = plan
        .steps
        .iter()
        .flat_map(|step| &step.change.properties)
        .filter_map(|property| Some(format!("- {}: {}", code(&property.name), cell(property.replaces.as_ref()?))))
        .collect();
    if !replacing.is_empty() {
        ["", "**Replaced, not changed in place:**", ""].iter().for_each(|line| text.line(line));
        replacing.iter().for_each(|line| text.line(line));
    }
    ["", "<details><summary>Changed properties</summary>", ""].iter().for_each(|line| text.line(line));
    for step in &plan.steps {
        details(&mut text, step);
    }
    text.line("</details>");
    text
}

fn totals(plan: &Plan) -> String {
    let count = |actions: &[Action]| plan.steps.iter().filter(|step| actions.contains(&step.change.action)).count();
    format!(
        "**{} to create, {} to change, {} to delete, {} to keep.**",
        count(&[Action::Create, Action::Import]),
        count(&[Action::Update, Action::Recreate, Action::Recover]),
        count(&[Action::Delete]),
        count(&[Action::Keep])
    )
}

fn word(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Import => "import",
        Action::Update => "change",
        Action::Recreate => "recreate",
        Action::Recover => "recover",
        Action::Delete => "**delete**",
        Action::Keep => "keep",
    }
}

fn details(text: &mut Text, step: &Step) {
    if step.change.properties.is_empty() && step.change.reason.is_none() {
        return;
    }
    text.line(code(step.id.as_str()));
    text.line("");
    if let Some(reason) = &step.change.reason {
        // At the beginning of a line, a dash or a number would begin a list.
        text.line(format!("<span></span>{}", cell(reason)));
        text.line("");
    }
    if step.change.properties.is_empty() {
        return;
    }
    text.line("| property | before | after |");
    text.line("|---|---|---|");
    for property in &step.change.properties {
        let (before, after) = values(property);
        text.line(format!("| {} | {before} | {after} |", code(&property.name)));
    }
    text.line("");
}

fn values(property: &PropertyChange) -> (String, String) {
    let shown = |value: Option<&Value>| value.map_or_else(|| "–".to_owned(), shown);
    let after = match (&property.after, &property.after_node) {
        (None, Some(node)) => format!("known after {}", code(node.as_str())),
        (after, _) => shown(after.as_ref()),
    };
    (shown(property.before.as_ref()), after)
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let cut = text.chars().count() > MAX_CHARS;
    let text: String = text.chars().take(MAX_CHARS).chain(if cut { "…" } else { "" }.chars()).collect();
    code(&text)
}

/// Text for a table cell or a line, of which nothing is Markdown, HTML, a link or a mention.
///
/// An entity is a plain character for Markdown. What makes a link, a mention, a reference or a formula is found later, in
/// the text of the page, and ends at an element: `<span>`, as GitHub's documentation has it for dollar signs.
pub(super) fn cell(text: &str) -> String {
    let text = visible(text);
    let mut out = String::new();
    for (at, letter) in text.char_indices() {
        let (before, after) = (&text[..at], &text[at + letter.len_utf8()..]);
        match letter {
            '<' | '>' | '&' | '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '~' => {
                let _ = write!(out, "&#{};", u32::from(letter));
            }
            '@' | '#' | '$' => apart(&mut out, letter),
            ':' if after.starts_with('/') => apart(&mut out, letter),
            '.' if before.to_ascii_lowercase().ends_with("www") => apart(&mut out, letter),
            '-' if before.to_ascii_lowercase().ends_with("gh") => apart(&mut out, letter),
            other => out.push(other),
        }
    }
    out
}

fn apart(out: &mut String, letter: char) {
    let _ = write!(out, "<span>{letter}</span>");
}

/// Text as code: an HTML element, because a backtick or a bar in the text would end Markdown's code.
pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", cell(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use sftpctl_core::kind::{Kind, NodeId};
    use sftpctl_core::model::Change;
    use sftpctl_core::plan::model::VERSION;

    fn plan(name: &str, before: Value, after: Value) -> Plan {
        let properties = vec![PropertyChange::new(name, Some(before), Some(after))];
        let change = Change { action: Action::Update, reason: None, properties };
        let id = NodeId::new("us-west-2", Kind::Server);
        let step = Step { id, kind: Kind::Server, title: "Transfer server".into(), change, needs: Vec::new() };
        Plan { version: VERSION, environment: "99".into(), account: "1".into(), steps: vec![step] }
    }

    #[test]
    fn a_table_of_steps_and_folded_properties() {
        assert_eq!(
            render(&plan("SETSTAT", Value::Null, json!("a|b")), &[]).to_string(),
            "### sftpctl: environment <code>99</code> in account <code>1</code>\n\n\
             | | where | what | properties |\n|---|---|---|---|\n| change | us-west-2 | Transfer server | 1 |\n\n\
             **0 to create, 1 to change, 0 to delete, 0 to keep.**\n\n\
             <details><summary>Changed properties</summary>\n\n<code>us-west-2/server</code>\n\n\
             | property | before | after |\n|---|---|---|\n\
             | <code>SETSTAT</code> | <code>null</code> | <code>a&#124;b</code> |\n\n</details>"
        );
    }

    #[test]
    fn secrets_and_markup_are_not_shown() {
        let variables = plan("variables", json!({ "DB_PASSWORD": "hunter2" }), json!({ "x": "</details>`@team`" }));
        let text = render(&variables, &[]).to_string();
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(text.matches("</details>").count(), 1, "{text}");
        assert!(!text.contains("@team"), "{text}");
    }

    #[test]
    fn nothing_in_a_cell_is_markdown() {
        for (text, expected) in [
            ("https://x.y", "https<span>:</span>//x.y"),
            ("WWW.x.y", "WWW<span>.</span>x.y"),
            ("a@b.c #1 gh-2 $x$", "a<span>@</span>b.c <span>#</span>1 gh<span>-</span>2 <span>$</span>x<span>$</span>"),
            ("![x](y) ~~z~~", "!&#91;x&#93;(y) &#126;&#126;z&#126;&#126;"),
            ("<img src=x>", "&#60;img src=x&#62;"),
            ("arn:aws:iam::1:role/sftp-x", "arn:aws:iam::1:role/sftp-x"),
            ("a\n| b", "a&#92;u{a}&#124; b"),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
