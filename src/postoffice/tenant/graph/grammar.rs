//! The grammar of `$filter`: text in, [`Filter`] out. Bounded in length and depth.
//!
//! Pure. Cannot see which properties exist.

use super::odata::{Filter, Literal, Op};

const LONGEST: usize = 8 * 1024;
const DEEPEST: u32 = 16;

/// Reads a filter; `None` when it is none.
pub fn read(text: &str) -> Option<Filter> {
    if text.len() > LONGEST {
        return None;
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
    };
    parser.or(0).filter(|_| parser.at == parser.tokens.len())
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
        if let Some(path) = name.strip_suffix("/any") {
            return self.any(path);
        }
        let Token::Word(path) = self.next()? else { return None };
        self.expects(&Token::Comma)?;
        let Token::Text(part) = self.next()? else { return None };
        self.expects(&Token::Close)?;
        Some(Filter::Call(name.to_ascii_lowercase(), path, part))
    }

    /// `proxyAddresses/any(p:p eq 'smtp:x@y')`
    fn any(&mut self, path: &str) -> Option<Filter> {
        let Token::Word(lambda) = self.next()? else { return None };
        let (variable, one) = lambda.split_once(':')?;
        if variable != one || !matches!(self.next()?, Token::Word(word) if word.eq_ignore_ascii_case("eq")) {
            return None;
        }
        let literal = self.literal()?;
        self.expects(&Token::Close)?;
        Some(Filter::Compare(path.to_owned(), Op::Eq, literal))
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
