//! A `Received` field taken apart: what follows each of its words `from`, `by`, `via`, `with`, `id` and `for`, comments apart, and the date.

/// A word of a clause, or a comment in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// A word, without a comma or semicolon at its end.
    Word(&'a str),
    /// What stands between two parentheses; those inside it are left as they are.
    Comment(&'a str),
}

impl<'a> Part<'a> {
    pub(super) fn word(&self) -> Option<&'a str> {
        match self {
            Self::Word(word) => Some(word),
            Self::Comment(_) => None,
        }
    }

    pub(super) fn comment(&self) -> Option<&'a str> {
        match self {
            Self::Comment(comment) => Some(comment),
            Self::Word(_) => None,
        }
    }
}

/// The clauses of a field.
#[derive(Debug, Default)]
pub(super) struct Clauses<'a> {
    /// What stands before any clause: qmail has its whole say there.
    pub before: Vec<Part<'a>>,
    /// Who handed it over.
    pub from: Vec<Part<'a>>,
    /// Who took it.
    pub by: Vec<Part<'a>>,
    /// How, with the network or step that some products name after `via`.
    pub with: Vec<Part<'a>>,
    /// After `via`.
    pub via: Vec<Part<'a>>,
    /// After `id` and `for`: some products say there how it was protected.
    pub rest: Vec<Part<'a>>,
    /// After the last semicolon.
    pub date: Option<&'a str>,
}

impl<'a> Clauses<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        let mut clauses = Self::default();
        let (parts, date) = parts(text);
        clauses.date = date;
        let (mut place, mut seen_from, mut seen_by) = (Place::Before, false, false);
        for part in parts {
            let next = match part.word().map(str::to_ascii_lowercase).as_deref() {
                Some("from") if !seen_from && !seen_by => Some(Place::From),
                Some("by") if !seen_by => Some(Place::By),
                Some("with") => Some(Place::With),
                Some("via") => Some(Place::Via),
                Some("id" | "for") => Some(Place::Rest),
                _ => None,
            };
            if let Some(next) = next {
                seen_from |= next == Place::From;
                seen_by |= next == Place::By;
                place = next;
            } else {
                clauses.at(place).push(part);
            }
        }
        clauses
    }

    fn at(&mut self, place: Place) -> &mut Vec<Part<'a>> {
        match place {
            Place::Before => &mut self.before,
            Place::From => &mut self.from,
            Place::By => &mut self.by,
            Place::With => &mut self.with,
            Place::Via => &mut self.via,
            Place::Rest => &mut self.rest,
        }
    }

    /// Everything but what says who it came from and who took it, and all comments: where a product says how it was protected.
    pub(super) fn remarks(&self) -> impl Iterator<Item = &'a str> {
        let comments = self.before.iter().chain(&self.from).chain(&self.by).filter_map(Part::comment);
        let others = self.with.iter().chain(&self.via).chain(&self.rest).map(|part| match part {
            Part::Word(text) | Part::Comment(text) => *text,
        });
        comments.chain(others)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    From,
    By,
    With,
    Via,
    Rest,
}

/// The words and comments up to the last semicolon outside of comments, and what follows it. A parenthesis that is never closed opens nothing.
fn parts(text: &str) -> (Vec<Part<'_>>, Option<&str>) {
    let mut parts = Vec::new();
    let mut date = None;
    let mut before_date = 0;
    let mut start: Option<usize> = None;
    let mut comment: Option<(usize, usize)> = None;
    let mut unclosed = false;
    let mut position = 0;
    loop {
        let Some(&byte) = text.as_bytes().get(position) else {
            // What seemed to be a comment to the end was none: read on behind its parenthesis.
            if let Some((opened, _)) = comment.take() {
                unclosed = true;
                position = opened + 1;
                continue;
            }
            break;
        };
        match (byte, &mut comment) {
            (b'\\', _) => position += 1,
            (b'(', Some((_, depth))) => *depth += 1,
            (b')', Some((opened, 0))) => {
                parts.push(Part::Comment(text.get(*opened + 1..position).unwrap_or_default()));
                comment = None;
            }
            (b')', Some((_, depth))) => *depth -= 1,
            (_, Some(_)) => {}
            (b'(', None) if !unclosed => {
                close(text, &mut parts, start.take(), position);
                comment = Some((position, 0));
            }
            (b'(' | b')' | b' ' | b'\t' | b'\r' | b'\n', None) => close(text, &mut parts, start.take(), position),
            (b';', None) => {
                close(text, &mut parts, start.take(), position);
                before_date = parts.len();
                date = text.get(position + 1..);
            }
            (_, None) => {
                start.get_or_insert(position);
            }
        }
        position += 1;
    }
    if date.is_some() {
        parts.truncate(before_date);
    } else {
        close(text, &mut parts, start, text.len());
    }
    (parts, date)
}

fn close<'a>(text: &'a str, parts: &mut Vec<Part<'a>>, start: Option<usize>, end: usize) {
    let word = start
        .and_then(|start| text.get(start..end))
        .unwrap_or_default()
        .trim_end_matches(',');
    if !word.is_empty() {
        parts.push(Part::Word(word));
    }
}
