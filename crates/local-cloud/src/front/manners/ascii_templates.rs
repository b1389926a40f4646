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
        // A text may be written in the XML itself, or as a JSON escape in a template's JSON.
        let mut text: String = answer.text.chars().map(|one| if one.is_ascii() { one } else { '?' }).collect();
        while let Some(at) = text.find("&#").filter(|_| text.contains(';')) {
            let Some(length) = text[at..].find(';') else { break };
            let number = text[at + 2..at + length].trim_start_matches('x');
            let radix = if text[at + 2..].starts_with('x') { 16 } else { 10 };
            match u32::from_str_radix(number, radix) {
                Ok(code) if code >= 0x80 => text.replace_range(at..=at + length, "?"),
                _ => break,
            }
        }
        answer.text = text;
    }
}
