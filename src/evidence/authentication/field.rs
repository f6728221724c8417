//! One `Authentication-Results` or `Received-SPF` field, taken apart: statements with their properties and comments (RFC 8601 section 2.2).

/// The longest field that is read, in octets; the most statements that are kept of it, and properties of each.
const LONGEST: usize = 16 * 1024;
const MOST_RESULTS: usize = 64;
const MOST_PROPERTIES: usize = 24;
/// Stand for a blank and an equals sign inside a quoted string, which separate nothing there.
const QUOTED_BLANK: char = '\u{1}';
const QUOTED_EQUALS: char = '\u{2}';

/// One field, taken apart; everything in lower case.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    /// The authserv-id. Exchange Online leaves it out.
    pub service: Option<String>,
    pub statements: Vec<Statement>,
}

/// What one method says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Statement {
    pub method: String,
    pub result: String,
    properties: Vec<(String, String)>,
    /// Its comments: Google and `OpenDMARC` state there what others state as properties.
    remark: String,
}

impl Statement {
    /// The first property of this name, such as `header.d`, that has a value.
    pub fn property(&self, name: &str) -> Option<&str> {
        let value = self.properties.iter().find(|(known, _)| known == name);
        value.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// What stands as `name=VALUE` in its comments.
    pub fn remarked(&self, name: &str) -> Option<&str> {
        let mut words = self.remark.split(|character: char| character.is_whitespace() || character == ',');
        let value = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        value.filter(|value| !value.is_empty())
    }
}

/// `authserv-id [version] *( ; method [/version] = result [propspec …] )`.
pub(super) fn parse(raw: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    for (number, (text, remark)) in split(raw).into_iter().enumerate() {
        let Some((method, rest)) = text.split_once('=') else {
            if number == 0 {
                parsed.service = text.split_whitespace().next().map(unquoted);
            }
            continue;
        };
        let method = method.split('/').next().unwrap_or_default().trim();
        let mut words = rest.split_whitespace();
        let result = words.next().unwrap_or_default();
        if is_word(method) && is_word(result) && parsed.statements.len() < MOST_RESULTS {
            parsed.statements.push(Statement {
                method: method.to_owned(),
                result: result.to_owned(),
                properties: properties(words),
                remark,
            });
        }
    }
    parsed
}

/// `Received-SPF` (RFC 7208 section 9.1): `result [comment] *( key=value )`, as a statement of `spf`, and the host that wrote it if it says so.
pub(super) fn parse_received_spf(raw: &[u8]) -> Option<(Statement, Option<String>)> {
    let parts = split(raw);
    let result = parts.first()?.0.split_whitespace().next()?.to_owned();
    let results = ["pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"];
    if !results.contains(&result.as_str()) {
        return None;
    }
    let statement = Statement {
        method: "spf".to_owned(),
        result,
        properties: properties(parts.iter().flat_map(|(text, _)| text.split_whitespace())),
        remark: String::new(),
    };
    let receiver = statement.property("receiver").map(str::to_owned);
    Some((statement, receiver))
}

fn properties<'a>(words: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    let pairs = words.filter_map(|word| word.split_once('='));
    pairs
        .take(MOST_PROPERTIES)
        .map(|(name, value)| (name.to_owned(), unquoted(value)))
        .collect()
}

fn unquoted(text: &str) -> String {
    text.replace(QUOTED_BLANK, " ").replace(QUOTED_EQUALS, "=")
}

/// Whether it is a plain word, as methods and results are.
fn is_word(word: &str) -> bool {
    !word.is_empty() && word.len() <= 40 && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// What stands between the semicolons, in lower case: the text, a quoted string in it kept as one word without its quotes, and apart from it the
/// comments (which nest).
fn split(raw: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(raw.get(..LONGEST).unwrap_or(raw)).to_lowercase();
    let mut parts = vec![(String::new(), String::new())];
    let (mut comments, mut quoted, mut escaped) = (0_u32, false, false);
    for character in text.chars() {
        let plain = comments == 0 && !quoted && !escaped;
        let character = if character.is_control() { ' ' } else { character };
        match character {
            '\\' if (quoted || comments > 0) && !escaped => {
                escaped = true;
                continue;
            }
            '"' if comments == 0 && !escaped => quoted = !quoted,
            '(' if !quoted && !escaped => comments += 1,
            ')' if comments > 0 && !escaped => {
                comments -= 1;
                push(&mut parts, true, ' ');
            }
            ';' if plain => parts.push(Default::default()),
            ' ' if quoted => push(&mut parts, false, QUOTED_BLANK),
            '=' if quoted => push(&mut parts, false, QUOTED_EQUALS),
            _ => push(&mut parts, comments > 0, character),
        }
        escaped = false;
    }
    parts
}

fn push(parts: &mut [(String, String)], into_remark: bool, character: char) {
    if let Some((text, remark)) = parts.last_mut() {
        if into_remark { remark } else { text }.push(character);
    }
}
