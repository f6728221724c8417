//! The fields of one stretch of the header, and the forms that several products share: numbers, `key=value` lists, points before the names of rules.

use super::super::mime::{Field, Header};

/// The longest value that is read, in octets.
const LONGEST: usize = 8 * 1024;
/// The most words of one list.
const MOST_WORDS: usize = 400;

/// The fields that one filter may have written.
pub(super) struct Words<'a> {
    fields: &'a [(usize, &'a Field<'a>)],
    header: &'a Header<'a>,
    sent: Option<&'a Header<'a>>,
    /// Where a filter that ran twice wrote twice: which of them is read.
    turn: usize,
}

impl<'a> Words<'a> {
    pub fn new(fields: &'a [(usize, &'a Field<'a>)], header: &'a Header<'a>, sent: Option<&'a Header<'a>>, turn: usize) -> Self {
        Self {
            fields,
            header,
            sent,
            turn,
        }
    }

    /// The value of a field, if it is there and not empty.
    pub fn get(&self, name: &str) -> Option<String> {
        self.find(name, |_| true)
    }

    /// The value of a field that reads in a certain way.
    pub fn find(&self, name: &str, fits: impl Fn(&str) -> bool) -> Option<String> {
        self.all(name).filter(|text| fits(text)).nth(self.turn)
    }

    /// Whether a field of that name is there, be it empty.
    pub fn has(&self, name: &str) -> bool {
        self.fields
            .iter()
            .filter(|(_, field)| field.name.eq_ignore_ascii_case(name))
            .nth(self.turn)
            .is_some()
    }

    /// Whether any field is there whose name begins so; `prefix` in lower case.
    pub fn has_any(&self, prefix: &str) -> bool {
        self.starting(prefix).next().is_some()
    }

    /// The fields whose names begin so, names in lower case: all of them, whichever turn it is.
    pub fn starting(&self, prefix: &str) -> impl Iterator<Item = (String, String)> {
        self.fields.iter().filter_map(move |(_, field)| {
            let name = field.name.to_ascii_lowercase();
            name.starts_with(prefix).then(|| (name, text(field)))
        })
    }

    fn all(&self, name: &str) -> impl Iterator<Item = String> {
        let fields = self.fields.iter().filter(move |(_, field)| field.name.eq_ignore_ascii_case(name));
        fields.map(|(_, field)| text(field)).filter(|text| !text.is_empty())
    }

    /// What the arriving side says of the sender's authentication: the topmost field, if a hop stands below it.
    pub fn authentication(&self) -> Option<String> {
        let place = self
            .header
            .fields
            .iter()
            .position(|field| field.name.eq_ignore_ascii_case("Authentication-Results"))?;
        let below = self
            .header
            .fields
            .get(place..)?
            .iter()
            .any(|field| field.name.eq_ignore_ascii_case("Received"));
        below.then(|| text(&self.header.fields[place]))
    }

    /// What was put before our subject, in upper case: `[SUSPECTED SPAM]`. Without the original, nobody can say.
    pub fn subject_tag(&self) -> Option<String> {
        let arrived = self.header.text("Subject");
        let ours = self.sent?.text("Subject");
        let before = arrived.trim().strip_suffix(ours.trim())?.trim();
        (!before.is_empty() && !ours.trim().is_empty()).then(|| before.chars().take(80).collect::<String>().to_uppercase())
    }
}

/// A value, bounded, its folds turned into blanks.
pub(super) fn text(field: &Field) -> String {
    let mut text = field.text();
    text.truncate(text.floor_char_boundary(LONGEST));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A decimal number, finite and of a sane size.
pub(super) fn number(text: &str) -> Option<f64> {
    let plain = !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte));
    let number: f64 = if plain { text.parse().ok()? } else { return None };
    (number.is_finite() && number.abs() <= 1e9).then_some(number)
}

/// A number as it is shown: without needless digits, two of them behind the point.
pub(super) fn shown(number: f64) -> String {
    let text = format!("{number:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// The value behind `key` and a separator (`=` or `:`), up to a blank, comma, semicolon or closing bracket; the key at the start of a word, in
/// any case.
pub(super) fn after<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let lower = text.to_ascii_lowercase();
    let key = key.to_ascii_lowercase();
    let mut from = 0;
    while let Some(found) = lower.get(from..)?.find(&key) {
        let start = from + found;
        let end = start + key.len();
        let begins = start == 0 || !lower.as_bytes()[start - 1].is_ascii_alphanumeric() && lower.as_bytes()[start - 1] != b'_';
        if begins {
            let value = text.get(end..)?.trim_start();
            return value
                .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ')' | ']'))
                .next();
        }
        from = end;
    }
    None
}

/// The number behind `key`.
pub(super) fn number_after(text: &str, key: &str) -> Option<f64> {
    number(after(text, key)?)
}

/// Rules with their points, the heaviest first. Points of rules that are named without are not known.
pub(super) type Rules = Vec<(String, Option<f64>)>;

/// Sorts rules by their weight and leaves out what weighs nothing.
pub(super) fn heaviest(mut rules: Rules, against: bool) -> Rules {
    rules.retain(|(_, points)| points.is_none_or(|points| if against { points >= 0.01 } else { points.abs() >= 0.01 }));
    rules.sort_by(|(_, one), (_, other)| weight(*other).total_cmp(&weight(*one)));
    rules
}

fn weight(points: Option<f64>) -> f64 {
    points.map_or(0.0, f64::abs)
}

/// `GTUBE (1000)`.
pub(super) fn named(rules: &Rules) -> Vec<String> {
    let one = |(name, points): &(String, Option<f64>)| points.map_or_else(|| name.clone(), |points| format!("{name} ({})", shown(points)));
    rules.iter().map(one).collect()
}

/// The rules of a report that writes the points before the name: `* 1.2 RULE_NAME What it means`, with or without the star.
pub(super) fn points_before_names(text: &str) -> Rules {
    let words: Vec<&str> = text.split_whitespace().take(4 * MOST_WORDS).collect();
    let pairs = words.windows(2).enumerate().filter_map(|(at, pair)| {
        // Whole numbers stand in descriptions, too; as points only behind a star, or as those of the test string.
        let starred = at.checked_sub(1).is_some_and(|before| words[before] == "*");
        let points = number(pair[0]).filter(|_| pair[0].contains('.') || starred || pair[1] == "GTUBE")?;
        is_rule(pair[1]).then(|| (pair[1].to_owned(), Some(points)))
    });
    pairs.take(MOST_WORDS).collect()
}

/// The rules behind `tests=`: `A,B`, `A=1.2,B=-0.1`, `[A=1.2, B]`, up to the next word that is none.
pub(super) fn tests(text: &str) -> Rules {
    let Some((_, list)) = text.split_once("tests=") else {
        return Rules::new();
    };
    let words = list
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']'))
        .filter(|word| !word.is_empty());
    words
        .take(MOST_WORDS)
        .map_while(|word| {
            let (name, points) = word.split_once('=').map_or((word, None), |(name, points)| (name, number(points)));
            is_rule(name).then(|| (name.to_owned(), points))
        })
        .collect()
}

/// Whether a word has the form of a rule's name.
pub(super) fn is_rule(word: &str) -> bool {
    let form = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    (3..=60).contains(&word.len()) && word.bytes().all(form) && word.bytes().any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::{after, is_rule, number, number_after, points_before_names, shown, tests};

    #[test]
    fn numbers_are_finite_and_shown_short() {
        for text in ["", "inf", "NaN", "1e999", "--1", "1.2.3", "999999999999", "0x10", "1,5"] {
            assert_eq!(number(text), None, "{text}");
        }
        assert_eq!(
            (number("-2.80"), number("+5"), number("1000")),
            (Some(-2.8), Some(5.0), Some(1000.0))
        );
        assert_eq!(
            (shown(1000.0), shown(-0.001), shown(5.25)),
            ("1000".into(), "0".into(), "5.25".into())
        );
    }

    #[test]
    fn values_stand_behind_their_keys() {
        let text = "Yes, SCORE=5.3 required=5.0 tests=A tagged_score=9";
        assert_eq!(
            (number_after(text, "score="), number_after(text, "required=")),
            (Some(5.3), Some(5.0))
        );
        assert_eq!(
            (after("ucf:0;dest:J;x", "dest:"), after("x", "dest:"), after("dest:", "dest:")),
            (Some("J"), None, Some(""))
        );
    }

    #[test]
    fn rules_are_read_from_lists_and_reports() {
        let list = "No, score=1 tests=BAYES_00,DKIM_SIGNED,\tSPF_PASS autolearn=ham version=4.0.0";
        assert_eq!(tests(list).len(), 3);
        assert_eq!(
            tests("tests=[ALL_TRUSTED=-1, URIBL_BLOCKED=0.001] autolearn=ham")[0],
            ("ALL_TRUSTED".to_owned(), Some(-1.0))
        );
        assert!(tests("tests=none").is_empty() && tests("no list").is_empty() && !is_rule("BODY:"));
        let report = "* 1000 GTUBE BODY * 3.5 BAYES_99 BODY: Bayes spam probability is 99 to 100% * -0.1 DKIM_VALID Message has";
        let names: Vec<_> = points_before_names(report).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["GTUBE", "BAYES_99", "DKIM_VALID"]);
    }
}
