//! `$filter`, `$select`, `$top`: as much of `OData` 4 as the tenant's resources take.
//!
//! Pure. Cannot see resources: the caller looks up the properties. Bounded in length and depth.

use chrono::{DateTime, Utc};

use super::super::answer::Answer;
use super::super::call::Call;

const LONGEST: usize = 8 * 1024;
const DEEPEST: u32 = 16;

/// A filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// All of them.
    And(Vec<Filter>),
    /// One of them.
    Or(Vec<Filter>),
    /// Not that.
    Not(Box<Filter>),
    /// `subject eq 'x'`
    Compare(String, Op, Literal),
    /// `startswith(subject,'x')`: the function in lower case.
    Call(String, String, String),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Later or larger.
    Gt,
    /// Not earlier or smaller.
    Ge,
    /// Earlier or smaller.
    Lt,
    /// Not later or larger.
    Le,
}

/// A value in a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// Quoted.
    Text(String),
    /// Unquoted: a time, a number, a boolean, null.
    Bare(String),
}

/// A value of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text, compared without regard to case as Exchange does.
    Text(String),
    /// A time.
    Time(DateTime<Utc>),
    /// Yes or no.
    Bool(bool),
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// 400 when it is none.
    pub fn parse(text: &str) -> Result<Self, Answer> {
        let wrong = || Answer::bad_request("Invalid filter clause");
        if text.len() > LONGEST {
            return Err(wrong());
        }
        let mut parser = Parser {
            tokens: tokens(text).ok_or_else(wrong)?,
            at: 0,
        };
        let filter = parser.or(0).filter(|_| parser.at == parser.tokens.len());
        filter.ok_or_else(wrong)
    }

    /// Whether a resource passes; `get` gives its properties, `None` for one it has not.
    ///
    /// # Errors
    /// 400 when a property is unknown or compared with something of another kind.
    pub fn passes(&self, get: &dyn Fn(&str) -> Option<Value>) -> Result<bool, Answer> {
        let value = |path: &str| get(path).ok_or_else(|| Answer::bad_request(&format!("Could not find a property named '{path}'.")));
        match self {
            Self::And(all) => all.iter().try_fold(true, |so, f| Ok(so & f.passes(get)?)),
            Self::Or(any) => any.iter().try_fold(false, |so, f| Ok(so | f.passes(get)?)),
            Self::Not(filter) => Ok(!filter.passes(get)?),
            Self::Compare(path, op, literal) => compare(&value(path)?, *op, literal),
            Self::Call(function, path, part) => match value(path)? {
                Value::Text(text) => contains(function, &text, part),
                _ => Err(Answer::bad_request("The function needs a text.")),
            },
        }
    }

    /// The paths it names, in order.
    pub fn paths(&self) -> Vec<&str> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::paths).collect(),
            Self::Not(part) => part.paths(),
            Self::Compare(path, ..) | Self::Call(_, path, _) => vec![path],
        }
    }
}

fn compare(value: &Value, op: Op, literal: &Literal) -> Result<bool, Answer> {
    let incompatible = || Answer::bad_request("A binary operator with incompatible types was detected.");
    let order = match (value, literal) {
        (Value::Text(text), Literal::Text(other)) => text.to_lowercase().cmp(&other.to_lowercase()),
        // Texts here are never null.
        (Value::Text(_), Literal::Bare(null)) if null == "null" => std::cmp::Ordering::Greater,
        (Value::Time(time), Literal::Bare(other)) => time.cmp(&time_of(other).ok_or_else(incompatible)?),
        (Value::Bool(value), Literal::Bare(other)) => value.cmp(&other.parse().map_err(|_| incompatible())?),
        _ => return Err(incompatible()),
    };
    Ok(match op {
        Op::Eq => order.is_eq(),
        Op::Ne => order.is_ne(),
        Op::Gt => order.is_gt(),
        Op::Ge => order.is_ge(),
        Op::Lt => order.is_lt(),
        Op::Le => order.is_le(),
    })
}

/// `contains`, `startswith` and `endswith`.
pub fn contains(function: &str, text: &str, part: &str) -> Result<bool, Answer> {
    let (text, part) = (text.to_lowercase(), part.to_lowercase());
    match function {
        "contains" => Ok(text.contains(&part)),
        "startswith" => Ok(text.starts_with(&part)),
        "endswith" => Ok(text.ends_with(&part)),
        other => Err(Answer::bad_request(&format!("An unknown function with name '{other}' was found."))),
    }
}

/// A time as `OData` writes it, with its zone.
pub fn time_of(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

/// `$top`, or what holds without it; refused outside 1 to `most`.
pub fn top(call: &Call, default: usize, most: usize) -> Result<usize, Answer> {
    let Some(text) = call.option("$top") else {
        return Ok(default);
    };
    match text.parse() {
        Ok(top) if (1..=most).contains(&top) => Ok(top),
        _ => Err(Answer::bad_request(&format!(
            "The limit of '{most}' for Top query has been exceeded, or it is no number."
        ))),
    }
}

/// `$select`: the properties asked for, `None` for the usual ones; one that the type has not is refused.
pub fn select<'a>(call: &'a Call, known: &[&str], kind: &str) -> Result<Option<Vec<&'a str>>, Answer> {
    let Some(text) = call.option("$select") else {
        return Ok(None);
    };
    let names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    match names.iter().find(|name| !known.contains(name)) {
        Some(name) => Err(Answer::bad_request(&format!(
            "Could not find a property named '{name}' on type 'microsoft.graph.{kind}'."
        ))),
        None => Ok(Some(names)),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Open,
    Close,
    Comma,
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' => push(&mut tokens, Token::Open),
            ')' => push(&mut tokens, Token::Close),
            ',' => push(&mut tokens, Token::Comma),
            '\'' => {
                let (text, length) = quoted(&rest[1..])?;
                tokens.push(Token::Text(text));
                length + 1
            }
            _ => {
                let end = rest.find([' ', '(', ')', ',', '\'']).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_owned()));
                end
            }
        };
        rest = rest[length..].trim_start();
    }
    Some(tokens)
}

fn push(tokens: &mut Vec<Token>, token: Token) -> usize {
    tokens.push(token);
    1
}

/// The text up to its closing quote, doubled ones undone, and how long it was with that quote.
fn quoted(rest: &str) -> Option<(String, usize)> {
    let mut from = 0;
    loop {
        let quote = from + rest[from..].find('\'')?;
        if rest[quote + 1..].starts_with('\'') {
            from = quote + 2;
        } else {
            return Some((rest[..quote].replace("''", "'"), quote + 1));
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn expects(&mut self, token: &Token) -> Option<()> {
        (self.next()? == *token).then_some(())
    }

    fn or(&mut self, depth: u32) -> Option<Filter> {
        let mut parts = vec![self.and(depth)?];
        while self.takes("or") {
            parts.push(self.and(depth)?);
        }
        Some(if parts.len() == 1 { parts.remove(0) } else { Filter::Or(parts) })
    }

    fn and(&mut self, depth: u32) -> Option<Filter> {
        let mut parts = vec![self.one(depth)?];
        while self.takes("and") {
            parts.push(self.one(depth)?);
        }
        Some(if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) })
    }

    fn one(&mut self, depth: u32) -> Option<Filter> {
        if depth > DEEPEST {
            return None;
        }
        if self.takes("not") {
            return Some(Filter::Not(Box::new(self.one(depth + 1)?)));
        }
        match self.next()? {
            Token::Open => {
                let inner = self.or(depth + 1)?;
                self.expects(&Token::Close)?;
                Some(inner)
            }
            Token::Word(name) if self.tokens.get(self.at) == Some(&Token::Open) => self.function(&name),
            Token::Word(path) => self.comparison(path),
            _ => None,
        }
    }

    fn function(&mut self, name: &str) -> Option<Filter> {
        self.expects(&Token::Open)?;
        let Token::Word(path) = self.next()? else { return None };
        self.expects(&Token::Comma)?;
        let Token::Text(part) = self.next()? else { return None };
        self.expects(&Token::Close)?;
        Some(Filter::Call(name.to_ascii_lowercase(), path, part))
    }

    fn comparison(&mut self, path: String) -> Option<Filter> {
        let Token::Word(operator) = self.next()? else { return None };
        let op = match operator.to_ascii_lowercase().as_str() {
            "eq" => Op::Eq,
            "ne" => Op::Ne,
            "gt" => Op::Gt,
            "ge" => Op::Ge,
            "lt" => Op::Lt,
            "le" => Op::Le,
            "in" => return self.list(&path),
            _ => return None,
        };
        Some(Filter::Compare(path, op, self.literal()?))
    }

    fn list(&mut self, path: &str) -> Option<Filter> {
        self.expects(&Token::Open)?;
        let mut any = Vec::new();
        loop {
            any.push(Filter::Compare(path.to_owned(), Op::Eq, self.literal()?));
            match self.next()? {
                Token::Comma => {}
                Token::Close => return Some(Filter::Or(any)),
                _ => return None,
            }
        }
    }

    fn literal(&mut self) -> Option<Literal> {
        match self.next()? {
            Token::Text(text) => Some(Literal::Text(text)),
            Token::Word(word) => Some(Literal::Bare(word)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(filter: &str) -> bool {
        let get = |path: &str| match path {
            "subject" => Some(Value::Text("O'Brien's probe (1)".to_owned())),
            "receivedDateTime" => Some(Value::Time(DateTime::UNIX_EPOCH)),
            "isRead" => Some(Value::Bool(false)),
            _ => None,
        };
        Filter::parse(filter).unwrap().passes(&get).unwrap()
    }

    #[test]
    fn comparisons_functions_and_brackets() {
        assert!(passes("subject eq 'o''brien''s probe (1)' and isRead eq false"));
        assert!(passes(
            "receivedDateTime ge 1970-01-01T00:00:00Z and receivedDateTime le 1970-01-01T00:00:00Z"
        ));
        assert!(!passes("receivedDateTime gt 1970-01-01T00:00:00Z"));
        assert!(passes(
            "(startswith(subject,'O''B') or isRead eq true) and not contains(subject, 'zebra')"
        ));
        assert!(passes("subject in ('a', 'O''Brien''s probe (1)')"));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        let deep = "(".repeat(5000);
        for text in [
            "",
            "subject",
            "subject eq",
            "subject eq 'x",
            "eq eq eq eq",
            "a eq 'b' c",
            &deep,
            "f(a)",
            "a in ('b'",
            "'é",
        ] {
            assert!(Filter::parse(text).is_err(), "{text:.20}");
        }
        let nothing = |_: &str| None;
        assert!(Filter::parse("recievedDateTime eq 'x'").unwrap().passes(&nothing).is_err());
        assert!(passes("isRead eq false"));
        let get = |_: &str| Some(Value::Time(DateTime::UNIX_EPOCH));
        assert!(
            Filter::parse("t ge '2026-01-01T00:00:00Z'").unwrap().passes(&get).is_err(),
            "times are not quoted"
        );
    }
}
