//! Parses a template into a tree.

use super::VtlError;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Text(String),
    Reference(Reference),
    Set(Reference, Expression, usize),
    If(Vec<(Expression, Vec<Node>)>, Vec<Node>),
    For { variable: String, list: Expression, body: Vec<Node> },
}

/// `$!{name.step[0].method(x)}`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) steps: Vec<Step>,
    pub(super) quiet: bool,
    /// The source text, which is printed if the reference has no value.
    pub(super) source: String,
    pub(super) line: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Property(String),
    Index(Expression),
    Call(String, Vec<Expression>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Reference(Reference),
    Text(String),
    /// A string in double quotes that contains references.
    Template(Vec<Node>),
    Number(i64),
    Bool(bool),
    Null,
    List(Vec<Expression>),
    Map(Vec<(Expression, Expression)>),
    Not(Box<Expression>),
    Binary(&'static str, Box<Expression>, Box<Expression>),
}

/// Operators by precedence, the lowest first.
const LEVELS: [&[&str]; 6] =
    [&["||", "or"], &["&&", "and"], &["==", "!=", "eq", "ne"], &["<=", ">=", "<", ">"], &["+", "-"], &["*", "/", "%"]];

/// Maximum nesting of expressions and blocks, so that a template cannot overflow the stack.
const MAX_DEPTH: usize = 64;

pub(super) fn template(text: &str) -> Result<Vec<Node>, VtlError> {
    let mut parser = Parser { text, at: 0, first_line: 1, depth: 0 };
    let (nodes, end) = parser.nodes()?;
    match end {
        None => Ok(nodes),
        Some(word) => Err(parser.error(format!("#{word} without an opening directive"))),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    first_line: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn line(&self) -> usize {
        self.first_line + self.text[..self.at].matches('\n').count()
    }

    fn error(&self, what: impl Into<String>) -> VtlError {
        VtlError { line: self.line(), what: what.into() }
    }

    fn take(&mut self, prefix: &str) -> bool {
        let found = self.rest().starts_with(prefix);
        if found {
            self.at += prefix.len();
        }
        found
    }

    fn spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn must(&mut self, token: &str) -> Result<(), VtlError> {
        self.spaces();
        if self.take(token) { Ok(()) } else { Err(self.error(format!("`{token}` is missing"))) }
    }

    fn deeper(&mut self) -> Result<(), VtlError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.error("too deeply nested")) } else { Ok(()) }
    }

    /// Parses nodes up to the end, or up to a directive that ends a block, which is returned.
    fn nodes(&mut self) -> Result<(Vec<Node>, Option<&'static str>), VtlError> {
        self.deeper()?;
        let mut nodes = Vec::new();
        let mut text = String::new();
        let end = loop {
            let Some(special) = self.rest().find(['$', '#', '\\']) else {
                text += self.rest();
                self.at = self.text.len();
                break None;
            };
            text += &self.rest()[..special];
            self.at += special;
            if self.escaped(&mut text) || self.comment()? {
                continue;
            }
            if self.rest().starts_with('$') {
                match self.reference()? {
                    Some(reference) => {
                        nodes.extend(flush(&mut text));
                        nodes.push(Node::Reference(reference));
                    }
                    None => {
                        text.push('$');
                        self.at += 1;
                    }
                }
                continue;
            }
            let Some(word) = self.directive()? else {
                text.push_str(self.char());
                continue;
            };
            nodes.extend(flush(&mut text));
            match word {
                "set" => nodes.push(self.set()?),
                "if" => nodes.push(self.condition()?),
                "foreach" => nodes.push(self.each()?),
                word => break Some(word),
            }
        };
        nodes.extend(flush(&mut text));
        self.depth -= 1;
        Ok((nodes, end))
    }

    /// Takes the next character.
    fn char(&mut self) -> &'a str {
        let length = self.rest().chars().next().map_or(0, char::len_utf8);
        let (one, _) = self.rest().split_at(length);
        self.at += length;
        one
    }

    /// `\$` and `\#` are the characters themselves; any other backslash is text.
    fn escaped(&mut self, text: &mut String) -> bool {
        if !self.rest().starts_with('\\') {
            return false;
        }
        self.at += 1;
        match self.rest().chars().next() {
            Some(c @ ('$' | '#')) => {
                text.push(c);
                self.at += 1;
            }
            _ => text.push('\\'),
        }
        true
    }

    fn comment(&mut self) -> Result<bool, VtlError> {
        if self.rest().starts_with("##") {
            self.at += self.rest().find('\n').map_or(self.rest().len(), |end| end + 1);
            return Ok(true);
        }
        if self.rest().starts_with("#*") {
            let end = self.rest().find("*#").ok_or_else(|| self.error("unterminated comment"))?;
            self.at += end + 2;
            return Ok(true);
        }
        Ok(false)
    }

    /// The directive that begins here. A `#` before anything but a letter is text.
    fn directive(&mut self) -> Result<Option<&'static str>, VtlError> {
        const WORDS: [&str; 6] = ["set", "if", "elseif", "else", "end", "foreach"];
        let rest = &self.rest()[1..];
        let (braces, rest) = rest.strip_prefix('{').map_or((false, rest), |rest| (true, rest));
        let length = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let word = &rest[..length];
        if word.is_empty() {
            return Ok(None);
        }
        // `#else` may be followed by letters: `#elsetext` is text after `#else`, as in Velocity.
        let known = WORDS.into_iter().find(|known| *known == word).or_else(|| {
            WORDS.into_iter().filter(|known| matches!(*known, "else" | "end")).find(|known| word.starts_with(known))
        });
        let Some(known) = known else { return Err(self.error(format!("the directive #{word} is not modelled"))) };
        self.at += 1 + usize::from(braces) + known.len();
        if braces && !self.take("}") {
            return Err(self.error(format!("`}}` is missing after #{{{known}")));
        }
        if matches!(known, "else" | "end") {
            self.newline();
        }
        Ok(Some(known))
    }

    /// Skips the end of the line, which belongs to the directive before it.
    fn newline(&mut self) {
        let rest = self.rest();
        let after = rest.trim_start_matches([' ', '\t', '\r']);
        if let Some(after) = after.strip_prefix('\n') {
            self.at += rest.len() - after.len();
        }
    }

    fn set(&mut self) -> Result<Node, VtlError> {
        let line = self.line();
        self.must("(")?;
        self.spaces();
        let target = self.reference()?.ok_or_else(|| self.error("#set needs a variable"))?;
        self.must("=")?;
        let value = self.expression()?;
        self.must(")")?;
        self.newline();
        Ok(Node::Set(target, value, line))
    }

    fn parenthesis(&mut self) -> Result<Expression, VtlError> {
        self.must("(")?;
        let expression = self.expression()?;
        self.must(")")?;
        self.newline();
        Ok(expression)
    }

    fn condition(&mut self) -> Result<Node, VtlError> {
        let mut branches = Vec::new();
        let mut condition = self.parenthesis()?;
        loop {
            let (body, end) = self.nodes()?;
            branches.push((condition, body));
            match end {
                Some("elseif") => condition = self.parenthesis()?,
                Some("else") => {
                    let (body, end) = self.nodes()?;
                    if end != Some("end") {
                        return Err(self.error("#else without #end"));
                    }
                    return Ok(Node::If(branches, body));
                }
                Some("end") => return Ok(Node::If(branches, Vec::new())),
                _ => return Err(self.error("#if without #end")),
            }
        }
    }

    fn each(&mut self) -> Result<Node, VtlError> {
        self.must("(")?;
        self.spaces();
        let variable = self.reference()?.filter(|reference| reference.steps.is_empty());
        let variable = variable.ok_or_else(|| self.error("#foreach needs a variable"))?.name;
        self.must("in")?;
        let list = self.expression()?;
        self.must(")")?;
        self.newline();
        let (body, end) = self.nodes()?;
        if end != Some("end") {
            return Err(self.error("#foreach without #end"));
        }
        Ok(Node::For { variable, list, body })
    }

    fn identifier(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let length = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        let word = &rest[..length];
        let begins = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        begins.then(|| {
            self.at += length;
            word
        })
    }

    /// Parses the reference at the `$` here; `None` if it is just a dollar sign.
    fn reference(&mut self) -> Result<Option<Reference>, VtlError> {
        let (start, line) = (self.at, self.line());
        if !self.take("$") {
            return Ok(None);
        }
        let quiet = self.take("!");
        let braces = self.take("{");
        let Some(name) = self.identifier() else {
            self.at = start;
            return Ok(None);
        };
        let mut steps = Vec::new();
        loop {
            let before = self.at;
            if self.take("[") {
                let index = self.expression()?;
                self.must("]")?;
                steps.push(Step::Index(index));
            } else if self.take(".") {
                match self.identifier() {
                    // The dot is text, for example the end of a sentence.
                    None => {
                        self.at = before;
                        break;
                    }
                    Some(name) if self.take("(") => steps.push(Step::Call(name.to_owned(), self.list(")")?)),
                    Some(name) => steps.push(Step::Property(name.to_owned())),
                }
            } else {
                break;
            }
        }
        if braces && !self.take("}") {
            return Err(self.error("`}` is missing after a reference"));
        }
        let source = self.text[start..self.at].to_owned();
        Ok(Some(Reference { name: name.to_owned(), steps, quiet, source, line }))
    }

    /// Parses comma-separated expressions up to `end`.
    fn list(&mut self, end: &str) -> Result<Vec<Expression>, VtlError> {
        let mut items = Vec::new();
        self.spaces();
        if self.take(end) {
            return Ok(items);
        }
        loop {
            items.push(self.expression()?);
            self.spaces();
            if self.take(end) {
                return Ok(items);
            }
            self.must(",")?;
        }
    }

    fn expression(&mut self) -> Result<Expression, VtlError> {
        self.deeper()?;
        let expression = self.level(0)?;
        self.depth -= 1;
        Ok(expression)
    }

    fn level(&mut self, level: usize) -> Result<Expression, VtlError> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.level(level + 1)?;
        loop {
            self.spaces();
            let found = operators.iter().find(|operator| {
                let Some(after) = self.rest().strip_prefix(**operator) else { return false };
                // A word must end where the operator does.
                !operator.starts_with(char::is_alphabetic) || !after.starts_with(|c: char| c.is_alphanumeric())
            });
            let Some(operator) = found else { return Ok(left) };
            self.at += operator.len();
            let right = self.level(level + 1)?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
    }

    fn unary(&mut self) -> Result<Expression, VtlError> {
        self.spaces();
        if self.take("!") {
            self.deeper()?;
            let inner = self.unary()?;
            self.depth -= 1;
            return Ok(Expression::Not(Box::new(inner)));
        }
        self.primary()
    }

    fn primary(&mut self) -> Result<Expression, VtlError> {
        let rest = self.rest();
        match rest.chars().next() {
            Some('$') => match self.reference()? {
                Some(reference) => Ok(Expression::Reference(reference)),
                None => Err(self.error("a `$` without a name")),
            },
            Some('(') => {
                self.at += 1;
                let inner = self.expression()?;
                self.must(")")?;
                Ok(inner)
            }
            Some('[') => {
                self.at += 1;
                Ok(Expression::List(self.list("]")?))
            }
            Some('{') => {
                self.at += 1;
                self.map()
            }
            Some(quote @ ('\'' | '"')) => {
                let line = self.line();
                let inside = rest[1..].find(quote).ok_or_else(|| self.error("unterminated string"))?;
                let text = &rest[1..=inside];
                self.at += inside + 2;
                // A backslash is an ordinary character in Velocity's strings.
                if quote == '\'' || !text.contains(['$', '#']) {
                    return Ok(Expression::Text(text.to_owned()));
                }
                let mut parser = Parser { text, at: 0, first_line: line, depth: self.depth };
                let (nodes, end) = parser.nodes()?;
                if end.is_some() {
                    return Err(self.error("a block ends inside a string"));
                }
                Ok(Expression::Template(nodes))
            }
            Some(c) if c.is_ascii_digit() || c == '-' => {
                let digits = rest[1..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |end| end + 1);
                let number =
                    rest[..digits].parse().map_err(|_| self.error(format!("`{}` is not a number", &rest[..digits])))?;
                if rest[digits..].starts_with('.') && rest[digits + 1..].starts_with(|c: char| c.is_ascii_digit()) {
                    return Err(self.error("numbers with a fraction are not modelled"));
                }
                self.at += digits;
                Ok(Expression::Number(number))
            }
            _ => match self.identifier() {
                Some("true") => Ok(Expression::Bool(true)),
                Some("false") => Ok(Expression::Bool(false)),
                Some("null") => Ok(Expression::Null),
                _ => Err(self.error("an expression is missing")),
            },
        }
    }

    fn map(&mut self) -> Result<Expression, VtlError> {
        let mut pairs = Vec::new();
        self.spaces();
        if self.take("}") {
            return Ok(Expression::Map(pairs));
        }
        loop {
            let key = self.expression()?;
            self.must(":")?;
            pairs.push((key, self.expression()?));
            self.spaces();
            if self.take("}") {
                return Ok(Expression::Map(pairs));
            }
            self.must(",")?;
        }
    }
}

fn flush(text: &mut String) -> Option<Node> {
    (!text.is_empty()).then(|| Node::Text(std::mem::take(text)))
}
