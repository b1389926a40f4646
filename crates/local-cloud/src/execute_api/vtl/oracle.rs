//! Oracle: `airspeed-ext`, Velocity for Python. The deployed templates and others, with generated requests, must
//! yield the same text and the same status.
//!
//! Not compared, because the oracle differs from Java: `length()` of strings with characters outside the basic plane,
//! `size()` of a map, an empty string as a condition (Velocity 1.7, "Conditionals": everything but null is true).

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::json;

use super::tests::{deployed, ours, request};
use super::{Inputs, Template};

#[derive(Debug, Deserialize)]
struct Answer {
    text: Option<String>,
    status: Option<u16>,
    error: Option<String>,
}

fn consult(cases: &[(String, Inputs)]) -> Vec<Answer> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // scripts/test installs its tools here.
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let python = target.join("tools/bin/python");
    let mut child = Command::new(&python)
        .arg(root.join("tests/oracle/velocity.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} cannot be started ({error}): run scripts/test", python.display()));
    let line = |(template, inputs): &(String, Inputs)| {
        let Inputs { body, path, query, headers, context, .. } = inputs;
        let inputs = json!({ "body": body, "path": path, "query": query, "headers": headers, "context": context });
        format!("{}\n", json!({ "template": template, "inputs": inputs }))
    };
    let lines: String = cases.iter().map(line).collect();
    let mut stdin = child.stdin.take().unwrap();
    // Written on another thread while the output is read: both pipes are smaller than the cases.
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "the oracle ended with {}: run scripts/test, which installs it", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn agree(cases: &[(String, Inputs)]) {
    let answers = consult(cases);
    assert_eq!(answers.len(), cases.len());
    for ((template, inputs), answer) in cases.iter().zip(answers) {
        assert_eq!(answer.error, None, "{template} {inputs:?}");
        let rendered = Template::parse(template).unwrap().render(inputs).unwrap();
        assert_eq!(Some(rendered.text), answer.text, "{template} {inputs:?}");
        assert_eq!(rendered.status, answer.status, "{template} {inputs:?}");
    }
}

/// Random strings, long or short, with characters that are special to VTL, JSON, JavaScript or URLs.
fn odd(rng: &mut fastrand::Rng) -> String {
    const PARTS: &[&str] = &[
        "a",
        "B",
        "7",
        " ",
        "'",
        "\"",
        "\\",
        "\\'",
        "\\\\",
        "/",
        "$",
        "${x}",
        "$input",
        "$util.urlDecode('a')",
        "#",
        "#if(1)",
        "#end",
        "##",
        "#*",
        "{",
        "}",
        "\u{0}",
        "\n",
        "\t",
        "\u{8}",
        "\u{c}",
        "\r",
        "\u{7f}",
        "\u{80}",
        "ñ",
        "😀",
        "%41",
        "+",
        "&",
        "<",
        "</script>",
        "\u{2028}",
        "@",
        ".",
        "-",
        "_",
        "*",
        "(",
        ")",
        "`",
        "|",
        ";",
        "\u{e000}",
    ];
    let length = if rng.u8(..10) == 0 { 200 } else { rng.usize(..12) };
    (0..length).map(|_| PARTS[rng.usize(..PARTS.len())]).collect()
}

#[test]
fn deployed_request_template_matches_the_oracle() {
    let mut rng = fastrand::Rng::with_seed(1);
    let cases: Vec<(String, Inputs)> = (0..3_000)
        .map(|_| {
            let mut inputs = request(&odd(&mut rng), &odd(&mut rng));
            match rng.u8(..6) {
                0 => inputs.headers.clear(),
                1 => drop(inputs.query.remove("protocol")),
                2 => drop(inputs.query.insert("sourceIp".into(), odd(&mut rng))),
                3 => {
                    let password = inputs.headers.remove("passwordbase64").unwrap_or_default();
                    inputs.headers.insert("PasswordBase64".into(), password);
                }
                _ => {}
            }
            (ours(), inputs)
        })
        .collect();
    agree(&cases);
}

#[test]
fn deployed_response_template_matches_the_oracle() {
    let template = deployed("/IntegrationResponses/0/ResponseTemplates/application~1json");
    let mut rng = fastrand::Rng::with_seed(2);
    let cases: Vec<(String, Inputs)> = (0..300)
        .map(|_| {
            let mut answer = BTreeMap::from([("Role", json!(odd(&mut rng))), ("n", json!(rng.u32(..)))]);
            if rng.bool() {
                answer.insert("status", json!(200 + rng.u16(..400)));
            }
            let body = serde_json::to_string(&answer).unwrap();
            (template.clone(), Inputs { body, ..Inputs::default() })
        })
        .collect();
    agree(&cases);
}

#[test]
fn language_matches_the_oracle() {
    const TEMPLATES: &[&str] = &[
        "#set($a = $input.params('a'))#if($a == 'x')one\
         #elseif($a == 'y' && $input.params('b') != '')two#{else}three#end",
        "#foreach($i in [1, 2, 3])$i$input.params('a')#if($foreach.hasNext),#end#end",
        "#set($m = {'k': $input.params('a'), 'l': 2})$m.k|$m.get('l')",
        "#set($s = $input.params('a'))$s.replaceAll('[0-9]+', '<n>')|$s.contains('a')",
        "#set($n = 3)#set($n = $n * 2 + 1)#if($n >= 7)$n#end ${n}x $!none|",
        "#if(!($input.params('a') != ''))empty#else$input.params('a')#end ## a comment\nnext",
        "#set($x = 'a$input')$x|#set($y = \"<$input.params('b')>\")$y",
        "a #* b *# c\\$x $5 #1 {$util.urlEncode($input.params('b'))}",
    ];
    let mut rng = fastrand::Rng::with_seed(3);
    let mut cases = Vec::new();
    for template in TEMPLATES {
        for _ in 0..60 {
            let mut value = || match rng.u8(..4) {
                0 => ["", "x", "y", "12a"][rng.usize(..4)].to_owned(),
                _ => odd(&mut rng),
            };
            let query = BTreeMap::from([("a".to_owned(), value()), ("b".to_owned(), value())]);
            cases.push(((*template).to_owned(), Inputs { query, ..Inputs::default() }));
        }
    }
    agree(&cases);
}
