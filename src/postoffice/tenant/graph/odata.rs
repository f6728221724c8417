//! `$filter`, `$select`, `$top`: as much of `OData` 4 as the tenant's resources take.
//!
//! Pure. Cannot see resources: the caller looks up the properties; `grammar` reads the text.

use chrono::{DateTime, Utc};

use super::super::answer::Answer;
use super::super::call::Call;
use super::grammar;

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
    /// Several texts, of which any may be meant.
    Texts(Vec<String>),
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
        grammar::read(text).ok_or_else(|| Answer::bad_request("Invalid filter clause"))
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
    if let (Value::Texts(texts), Op::Eq, Literal::Text(other)) = (value, op, literal) {
        return Ok(texts.iter().any(|text| text.eq_ignore_ascii_case(other)));
    }
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
