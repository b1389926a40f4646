//! The commands that a script of the documentation would start, as far as its words say.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::iter::Peekable;
use std::str::Chars;

/// Words after which another command begins.
const BEFORE_A_COMMAND: [&str; 20] = [
    "&&", "||", "|", "&", ";", "do", "then", "else", "if", "elif", "while", "until", "{", "}", "!", "sudo", "eval",
    "exec", "nohup", "time",
];

/// The words of each command of a script, without redirections. A command in `$(…)` or `<(…)` is one of its own, and
/// the word `1` in the place of what it prints. A loop `for NAME in …` has each of its commands once for each word.
/// Fails on what a shell could not read either.
pub(crate) fn commands(script: &str) -> Vec<Vec<String>> {
    let mut found = vec![Vec::new()];
    let (line, inner) = on_one_line(script);
    let mut words = shlex::Shlex::new(&line);
    while let Some(word) = words.next() {
        match word.as_str() {
            word if BEFORE_A_COMMAND.contains(&word) => found.push(Vec::new()),
            ">" | "<" | ">>" | "2>" => drop(words.next()),
            word if word.starts_with(['>', '<']) || word.starts_with("2>") => {}
            _ => found.last_mut().unwrap().push(word),
        }
    }
    assert!(!words.had_error, "a quote is open: {script}");
    found.retain(|words: &Vec<String>| !words.is_empty());
    let mut all = Vec::new();
    let mut loops: Vec<(String, Vec<String>)> = Vec::new();
    for words in found {
        match &words[..] {
            [first, name, of, values @ ..] if first == "for" && of == "in" => {
                assert!(!values.is_empty(), "a loop over nothing: {script}");
                loops.push((name.clone(), values.to_vec()));
            }
            [first, ..] if first == "done" => drop(loops.pop()),
            _ => all.extend(loops.iter().fold(vec![words], |all, (name, values)| {
                let set = |words: &Vec<String>, value: &String| -> Vec<String> {
                    let with = |word: &String| {
                        word.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value)
                    };
                    words.iter().map(with).collect()
                };
                all.iter().flat_map(|words| values.iter().map(move |value| set(words, value))).collect()
            })),
        }
    }
    all.extend(inner.iter().flat_map(|script| commands(script)));
    all
}

/// A script with `;` for its ends of lines and blanks around its operators, without comments and documents (`<<END`);
/// and the scripts of its substitutions, each of which is `1` in it.
fn on_one_line(script: &str) -> (String, Vec<String>) {
    let (mut line, mut inner) = (String::new(), Vec::new());
    let mut chars = script.chars().peekable();
    let mut quote = None;
    let mut document: Option<String> = None;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('\''), _) => {
                line.push(c);
                if c == '\'' {
                    quote = None;
                }
            }
            (_, '\\') => match chars.next() {
                Some('\n') => line.push(' '),
                next => line.extend([Some(c), next].into_iter().flatten()),
            },
            (_, '$') if chars.peek() == Some(&'(') => {
                let _ = chars.next();
                inner.push(substituted(&mut chars));
                line.push('1');
            }
            (Some(_), _) => {
                line.push(c);
                if Some(c) == quote {
                    quote = None;
                }
            }
            (None, '\'' | '"') => {
                line.push(c);
                quote = Some(c);
            }
            (None, '`') => panic!("commands between backticks are not read: {script}"),
            (None, '<') if chars.peek() == Some(&'(') => {
                let _ = chars.next();
                inner.push(substituted(&mut chars));
                line.push('1');
            }
            (None, '<') if chars.peek() == Some(&'<') => {
                let _ = chars.next();
                document = Some(end_of_document(&mut chars));
            }
            (None, '#') if line.is_empty() || line.ends_with([' ', ';']) => {
                while chars.next_if(|c| *c != '\n').is_some() {}
            }
            (None, '\n') => {
                line.push_str(" ; ");
                if let Some(end) = document.take() {
                    while next_line(&mut chars).is_some_and(|line| line != end) {}
                }
            }
            (None, '&') if line.ends_with('>') => line.push(c),
            (None, ';' | '(' | ')') => line.push_str(" ; "),
            (None, '|' | '&') => {
                let twice = chars.next_if_eq(&c).is_some();
                line.push_str(&format!(" {} ", c.to_string().repeat(if twice { 2 } else { 1 })));
            }
            (None, _) => line.push(c),
        }
    }
    (line, inner)
}

/// The script up to the parenthesis that ends a substitution, which is passed.
fn substituted(chars: &mut Peekable<Chars<'_>>) -> String {
    let (mut script, mut depth, mut quote) = (String::new(), 0, None);
    while let Some(c) = chars.next() {
        match (quote, c) {
            // Arithmetic, `$((…))`, has no documents.
            (None, ')') if depth == 0 && script.starts_with('(') => return script.replace("<<", "+"),
            (None, ')') if depth == 0 => return script,
            (None | Some('"'), '\\') => {
                script.push(c);
                script.extend(chars.next());
                continue;
            }
            (None, ')') => depth -= 1,
            (None, '(') => depth += 1,
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if c == open => quote = None,
            _ => {}
        }
        script.push(c);
    }
    panic!("a substitution without an end: {script}");
}

/// The word that ends a document, which is passed.
fn end_of_document(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut end = String::new();
    while let Some(c) = chars.next_if(|c| !c.is_whitespace()) {
        end.push(c);
    }
    end.trim_matches(['\'', '"']).to_owned()
}

/// The next line, without its end, which is passed. `None` at the end of the script.
fn next_line(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    chars.peek()?;
    Some(chars.by_ref().take_while(|c| *c != '\n').collect())
}

#[test]
fn commands_are_found_wherever_a_shell_would_start_one() {
    let of = |script: &str| commands(script).iter().map(|words| words.join(" ")).collect::<Vec<_>>();
    assert_eq!(of("eval \"$(sftpctl local env)\" # sets variables"), ["1", "sftpctl local env"]);
    assert_eq!(of("a=\"$(one --x \"$(two)\")\" three | four > out 2>&1"), ["a=1 three", "four", "one --x 1", "two"]);
    assert_eq!(of("one '$(no command)' \\\n  --two"), ["one $(no command) --two"]);
    assert_eq!(
        of("for x in a b; do\n  one $x && two \"${x}s\"; done; three"),
        ["one a", "one b", "two as", "two bs", "three"]
    );
    assert_eq!(of("for x in $(one); do two $x; done"), ["two 1", "one"]);
    assert_eq!(of("cat > file <<'END'\nit's text; no command\nEND\none &"), ["cat", "one"]);
    assert_eq!(of("if one; then (two; three); fi"), ["one", "two", "three", "fi"]);
    assert_eq!(of("diff <(one) - # it's a comment"), ["diff 1 -", "one"]);
    let refused = std::panic::catch_unwind(|| commands("one 'two"));
    assert!(refused.is_err(), "{refused:?}");
}
