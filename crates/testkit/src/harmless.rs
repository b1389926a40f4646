//! Text that does harm where it is shown as it is, and what must not be left of it. Written without the program's own rules,
//! which it is held against.

/// What a terminal, a log, a pipeline, a spreadsheet or a page would follow or misread, and some that nothing would.
pub const HOSTILE: [&str; 40] = [
    "\u{1b}]0;owned\u{7}",
    "\u{1b}[31m",
    "\u{1b}[2J",
    "\u{9b}31m",
    "\u{7f}",
    "\n",
    "\r",
    "\r\n",
    "\t",
    "\u{8}",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{202e}",
    "\u{2066}",
    "\u{61c}",
    "\u{feff}",
    "\u{200b}",
    "\u{e0041}",
    "::",
    "::error::",
    "\n::add-mask::x",
    "##[",
    "##[error]",
    "##vso[task.setvariable]",
    "\u{1b}[0Ksection_start:1:x\r",
    "#1",
    "[",
    " ",
    "=1+1",
    "@team",
    "a@b.c",
    "https://x.y",
    "www.x.y",
    "<img src=x>",
    "</details>",
    "| ` * _ ~~",
    "\"",
    ",",
    "jan Müller 日本",
];

/// The first thing in an output that does harm, if there is any. `color`: colors may be there.
pub fn harm(output: &[u8], color: bool) -> Option<String> {
    let Ok(text) = std::str::from_utf8(output) else { return Some("not UTF-8".to_owned()) };
    let mut plain = String::new();
    for (at, part) in text.split("\u{1b}[").enumerate() {
        match part.split_once('m') {
            Some((style, after)) if at > 0 && color && style.chars().all(|c| c.is_ascii_digit() || c == ';') => {
                plain.push_str(after);
            }
            _ if at > 0 => return Some(format!("an escape sequence before {part:?}")),
            _ => plain.push_str(part),
        }
    }
    let is_harmful = |c: char| {
        matches!(u32::from(c),
            0..=9 | 11..=31 | 127..=159 | 0xad | 0x61c | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff
            | 0xfff9..=0xfffb | 0xe0000..=0xe007f)
    };
    if let Some(c) = plain.chars().find(|c| is_harmful(*c)) {
        return Some(format!("the character {:?} in {plain:?}", c.escape_unicode().to_string()));
    }
    let is_command = |line: &&str| {
        let begins = line.trim_start().starts_with("::") && !line.starts_with("::error file=");
        begins || line.contains("##[") || line.contains("##vso[")
    };
    plain.lines().find(is_command).map(|line| format!("a command: {line:?}"))
}
