//! CloudFormation forgets every character that is not ASCII.

use super::{Answer, Description, Inquiry, Manner};

pub(super) struct AsciiTemplates;

impl Manner for AsciiTemplates {
    fn description(&self) -> &'static Description {
        &Description {
            name: "ascii-templates",
            aws: "GetTemplate and DescribeStacks return `?` for each character that is not ASCII",
            source: "aws-cloudformation/cloudformation-coverage-roadmap#814 and #1220, aws/aws-cdk#38708",
        }
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("cloudformation", &["GetTemplate", "DescribeStacks"])
    }

    fn rewrite(&self, _request: &Inquiry<'_>, answer: &mut Answer) {
        answer.text = ascii(&answer.text);
    }
}

/// The text with `?` for each character that is not ASCII, written as itself or as a character reference of XML.
fn ascii(xml: &str) -> String {
    let mut parts = xml.split("&#");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let number = part.split_once(';').and_then(|(number, rest)| {
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            code.ok().filter(|code| *code >= 0x80).map(|_| rest)
        });
        match number {
            Some(rest) => out = out + "?" + rest,
            None => out = out + "&#" + part,
        }
    }
    out.chars().map(|one| if one.is_ascii() { one } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::ascii;

    #[test]
    fn characters_and_references_beyond_ascii_are_forgotten() {
        assert_eq!(ascii("a\u{2026}b &#34;c&#34; &#8230;&#x2026; &amp;"), "a?b &#34;c&#34; ?? &amp;");
    }
}
