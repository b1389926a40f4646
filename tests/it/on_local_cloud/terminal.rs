//! Output on a terminal, and Ctrl-C: a real pseudo-terminal and the contents of its screen.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZero;
use std::process::Command;

use crate::site::{Site, shown, tool};

const ROWS: u16 = 24;
const DEPLOY: [&str; 5] = ["deploy", "--env", "99", "--local", "--no-verify"];

/// What a command wrote to its terminal, and its exit code.
pub(crate) struct Terminal {
    columns: u16,
    pub(crate) code: Option<i32>,
    pub(crate) written: Vec<u8>,
}

impl Terminal {
    /// Runs a command on a terminal; `talk` has pairs of a text to wait for and an answer to type then.
    pub(crate) fn run(command: &Command, columns: u16, talk: &[(&str, &str)]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/person.exp");
        let mut person = tool("expect", "expect");
        person.args([script, &columns.to_string()]);
        for (words, answer) in talk {
            person.args([words, answer]);
        }
        person.arg("--").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => person.env(name, value),
                None => person.env_remove(name),
            };
        }
        let output =
            person.current_dir(command.get_current_dir().unwrap()).env("TERM", "xterm-256color").output().unwrap();
        assert!(!matches!(output.status.code(), None | Some(97..=99)), "{}", shown(&output));
        Self { columns, code: output.status.code(), written: output.stdout }
    }

    fn terminal(&self) -> vt100::Parser {
        let size = |cells: u16| NonZero::new(cells).unwrap();
        vt100::Parser::new(size(ROWS), size(self.columns), 2_000)
    }

    /// Every state of the screen, taken whenever the cursor was about to move.
    fn screens(&self) -> Vec<String> {
        let mut terminal = self.terminal();
        let mut screens: Vec<String> = Vec::new();
        for piece in self.written.split_inclusive(|byte| *byte == b'\x1b') {
            terminal.process(piece);
            let rows = terminal.screen().rows(0, self.columns);
            let screen = rows.map(|row| row.trim_end().to_owned()).collect::<Vec<_>>().join("\n");
            if screens.last() != Some(&screen) {
                screens.push(screen);
            }
        }
        screens
    }

    /// All lines at the end, including those that were scrolled away, and whether the cursor is visible.
    fn left(&self) -> (Vec<String>, bool) {
        let mut terminal = self.terminal();
        terminal.process(&self.written);
        let shown = !terminal.screen().hide_cursor();
        terminal.screen_mut().set_scrollback(usize::MAX);
        let mut lines = Vec::new();
        for above in (1..=terminal.screen().scrollback()).rev() {
            terminal.screen_mut().set_scrollback(above);
            lines.extend(terminal.screen().rows(0, self.columns).next());
        }
        terminal.screen_mut().set_scrollback(0);
        lines.extend(terminal.screen().rows(0, self.columns));
        (lines.into_iter().map(|line| line.trim_end().to_owned()).collect(), shown)
    }
}

fn position(lines: &[&str], is: impl Fn(&str) -> bool) -> Option<usize> {
    lines.iter().position(|line| is(line))
}

#[test]
fn live_tree_leaves_only_finished_steps() {
    let site = Site::with_times(&["--server-start-time", "2s", "--stack-time", "3s"]);
    let run = Terminal::run(&site.command(&DEPLOY), 60, &[("[y/N]", "y")]);
    let (left, cursor) = run.left();
    assert_eq!(run.code, Some(0), "{left:#?}");
    assert!(cursor, "the cursor is hidden");

    // A region, a step in flight with its time, and below it the events of CloudFormation.
    let tree = |screen: &&String| {
        let lines: Vec<&str> = screen.lines().collect();
        let Some(region) = position(&lines, |line| line == "us-west-2") else { return false };
        let below = &lines[region + 1..];
        let Some(stack) = position(below, |line| line.contains("stack sftp-99-upload-us-wes…: CREATE_IN_PROGRESS"))
        else {
            return false;
        };
        let timed = below[stack].ends_with('s');
        timed && below.get(stack + 1).is_some_and(|line| line.starts_with("      ") && line.contains("CREATE_"))
    };
    let screens = run.screens();
    assert!(screens.iter().any(|screen| tree(&screen)), "{screens:#?}");
    // Two regions at once.
    let both =
        |screen: &&String| ["us-west-2", "us-east-2"].iter().all(|place| screen.lines().any(|line| line == *place));
    assert!(screens.iter().any(|screen| both(&screen)));

    // No line of the tree is left above the summary, and every step is reported once.
    let last = left.iter().rposition(|line| line.starts_with('✓')).unwrap();
    let names = ["us-west-2", "us-east-2", "us-east-1", "global"];
    assert_eq!(left[..last].iter().filter(|line| names.contains(&line.as_str())).count(), 0, "{left:#?}");
    for step in ["✓ us-west-2  Transfer server: done", "✓ us-east-2  stack sftp-99-upload-us-east-2: done"] {
        assert_eq!(left.iter().filter(|line| line.starts_with(step)).count(), 1, "{step}: {left:#?}");
    }
}

#[test]
fn first_ctrl_c_is_acknowledged_and_the_second_exits_at_once() {
    let site = Site::new();
    site.ok(&["local", "faults", "add", "transfer.CreateServer", "hold-after", "--region", "us-west-2"]);
    // The call is in flight: the first Ctrl-C is acknowledged, the second does not wait for the response.
    let talk = [("[y/N]", "y"), ("Transfer server: creating", "^C"), ("to exit now", "^C")];
    let run = Terminal::run(&site.command(&DEPLOY), 80, &talk);
    let (left, cursor) = run.left();
    assert_eq!(run.code, Some(130), "{left:#?}");
    assert!(cursor, "the cursor is hidden");

    // The server whose creation got no response is found, not created again.
    site.ok(&["local", "faults", "clear"]);
    site.ok(&["deploy", "--env", "99", "--local", "--yes", "--lock-timeout", "60"]);
    assert_eq!(site.ports().len(), 2);
    assert_eq!(site.planned(), Vec::<String>::new());
}
