//! A plan as a graph: each step in its place, with an arrow from what it waits for. In the languages of Graphviz (`dot`)
//! and of Mermaid, which GitHub and GitLab draw. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::plan_view::sign;
use sftpctl_core::model::Action;
use sftpctl_core::plan::model::Plan;
use sftpctl_core::shown::{Text, visible};

/// The steps of each place by their numbers, and what waits for what.
struct Graph<'a> {
    places: BTreeMap<&'a str, Vec<usize>>,
    /// From a step to one that waits for it.
    arrows: Vec<(usize, usize)>,
}

impl<'a> Graph<'a> {
    fn of(plan: &'a Plan) -> Self {
        let mut places = BTreeMap::<&str, Vec<usize>>::new();
        for (number, step) in plan.steps.iter().enumerate() {
            places.entry(step.id.place()).or_default().push(number);
        }
        let numbers: BTreeMap<_, _> = plan.steps.iter().enumerate().map(|(number, step)| (&step.id, number)).collect();
        let arrows = plan.steps.iter().enumerate().flat_map(|(number, step)| {
            step.needs.iter().filter_map(|need| Some((*numbers.get(need)?, number))).collect::<Vec<_>>()
        });
        let arrows = arrows.collect();
        Self { places, arrows }
    }
}

fn label(plan: &Plan, number: usize) -> String {
    let step = &plan.steps[number];
    format!("{} {}", sign(step.change.action), step.title)
}

/// That nothing is to be done, in words.
fn nothing(plan: &Plan) -> Option<String> {
    plan.is_empty().then(|| format!("Nothing to do: environment {} matches its file.", plan.environment))
}

/// The border of a step, by what it does.
fn color(action: Action) -> &'static str {
    match action {
        Action::Create | Action::Import => "#2a7f3f",
        Action::Update | Action::Recover => "#1f6f8b",
        Action::Recreate => "#b36b00",
        Action::Delete => "#b3261e",
        Action::Keep => "#777777",
    }
}

/// In the language of Graphviz.
pub fn dot(plan: &Plan) -> Text {
    let graph = Graph::of(plan);
    let mut text = Text::from(format!("digraph {} {{", dot_string(&format!("environment {}", plan.environment))));
    text.line("  rankdir = LR;");
    text.line("  node [shape = box, fontname = \"sans-serif\"];");
    if let Some(nothing) = nothing(plan) {
        text.line(format!("  label = {};", dot_string(&nothing)));
    }
    for (cluster, (place, steps)) in graph.places.iter().enumerate() {
        text.line(format!("  subgraph cluster_{cluster} {{"));
        text.line(format!("    label = {};", dot_string(place)));
        for &number in steps {
            let (label, color) = (dot_string(&label(plan, number)), color(plan.steps[number].change.action));
            text.line(format!("    n{number} [label = {label}, color = \"{color}\"];"));
        }
        text.line("  }");
    }
    for (from, to) in &graph.arrows {
        text.line(format!("  n{from} -> n{to};"));
    }
    text.line("}");
    text
}

/// A string of one line. A backslash would begin a sequence such as `\N`, the name of the node.
fn dot_string(text: &str) -> String {
    let text = visible(text).replace(['\n', '\r'], " ");
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// In the language of Mermaid.
pub fn mermaid(plan: &Plan) -> Text {
    let graph = Graph::of(plan);
    let mut text = Text::from("flowchart LR");
    if let Some(nothing) = nothing(plan) {
        text.line(format!("  nothing[{}]", mermaid_string(&nothing)));
    }
    for (cluster, (place, steps)) in graph.places.iter().enumerate() {
        text.line(format!("  subgraph p{cluster}[{}]", mermaid_string(place)));
        for &number in steps {
            text.line(format!("    n{number}[{}]", mermaid_string(&label(plan, number))));
        }
        text.line("  end");
    }
    for (from, to) in &graph.arrows {
        text.line(format!("  n{from} --> n{to}"));
    }
    for (number, step) in plan.steps.iter().enumerate() {
        text.line(format!("  style n{number} stroke:{}", color(step.change.action)));
    }
    text
}

/// A string of which nothing is Markdown, HTML or a sign of the language: what could be is written by its number.
fn mermaid_string(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in visible(text).chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            c if c.is_alphanumeric() || " -.,:/()+~±↻←=".contains(c) => out.push(c),
            c => _ = write!(out, "#{};", u32::from(c)),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use sftpctl_core::kind::{Kind, NodeId};
    use sftpctl_core::model::Change;
    use sftpctl_core::plan::model::{Step, VERSION};

    fn step(place: &str, kind: Kind, action: Action, title: &str, needs: &[NodeId]) -> Step {
        let change = Change { action, reason: None, properties: Vec::new() };
        Step { id: NodeId::new(place, kind), kind, title: title.to_owned(), change, needs: needs.to_vec() }
    }

    fn plan(steps: Vec<Step>) -> Plan {
        Plan { version: VERSION, environment: "99".into(), account: "1".into(), steps }
    }

    fn example() -> Plan {
        let (stack, gone) = (NodeId::new("us-west-2", Kind::Stack), NodeId::new("eu-west-1", Kind::Table));
        plan(vec![
            step("us-west-2", Kind::Stack, Action::Update, "stack", &[]),
            step("us-west-2", Kind::Server, Action::Create, "server \"a\\b\"", &[stack.clone(), gone]),
            step("us-east-1", Kind::Stack, Action::Delete, "stack <b>", &[stack]),
        ])
    }

    #[test]
    fn a_plan_for_graphviz() {
        let wanted = r##"digraph "environment 99" {
  rankdir = LR;
  node [shape = box, fontname = "sans-serif"];
  subgraph cluster_0 {
    label = "us-east-1";
    n2 [label = "- stack <b>", color = "#b3261e"];
  }
  subgraph cluster_1 {
    label = "us-west-2";
    n0 [label = "~ stack", color = "#1f6f8b"];
    n1 [label = "+ server \"a\\b\"", color = "#2a7f3f"];
  }
  n0 -> n1;
  n0 -> n2;
}"##;
        assert_eq!(dot(&example()).to_string(), wanted);
    }

    #[test]
    fn a_plan_for_mermaid() {
        let wanted = "flowchart LR
  subgraph p0[\"us-east-1\"]
    n2[\"- stack #60;b#62;\"]
  end
  subgraph p1[\"us-west-2\"]
    n0[\"~ stack\"]
    n1[\"+ server #34;a#92;b#34;\"]
  end
  n0 --> n1
  n0 --> n2
  style n0 stroke:#1f6f8b
  style n1 stroke:#2a7f3f
  style n2 stroke:#b3261e";
        assert_eq!(mermaid(&example()).to_string(), wanted);
    }

    #[test]
    fn nothing_to_do_is_a_graph_too() {
        assert!(
            dot(&plan(Vec::new())).to_string().contains("label = \"Nothing to do: environment 99 matches its file.\";")
        );
        assert!(mermaid(&plan(Vec::new())).to_string().contains("nothing[\"Nothing to do: environment 99"));
    }

    #[test]
    fn every_string_is_one_string() {
        let hostile = "\"]\n  n0 --> x\\\" end; `a` <img src=x> %%{init: {}}%% &quot; #quot; \u{1b}[31m";
        let plan = plan(vec![step(hostile, Kind::Stack, Action::Create, hostile, &[])]);
        for line in dot(&plan).to_string().lines() {
            let bare = line.replace("\\\\", "").replace("\\\"", "");
            assert!(bare.matches('"').count() % 2 == 0 && !line.trim_start().starts_with("n0 -->"), "{line}");
        }
        let text = mermaid(&plan).to_string();
        assert!(text.lines().all(|line| line.matches('"').count() % 2 == 0), "{text}");
        assert!(
            !text.contains('<') && !text.contains('`') && !text.contains('%') && !text.contains(" n0 -->"),
            "{text}"
        );
    }
}
