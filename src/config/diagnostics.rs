//! The mistakes of a file as people see them: file, line, column, the line itself with a caret, what was expected, and what to do.
//!
//! Everything here is already masked and bounded: no value of this module holds a secret of the file.

use super::{
    mask::{self, Masks},
    mistakes::{Mistake, Mistakes, shown},
    source::{Source, Span},
    tree::Node,
};
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use std::{fmt, path::Path};

/// How many bytes of a line are kept on each side of the caret.
const AROUND: usize = 200;

/// Everything that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    /// The file, as the user named it.
    pub file: String,
    /// Its mistakes, in the order of the file; never empty, and at most a hundred.
    pub mistakes: Vec<Diagnostic>,
    /// How many there are beyond those.
    pub more: usize,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, in one line.
    pub title: String,
    /// The line, from 1; `None` if the file could not be read at all.
    pub line: Option<u32>,
    /// The character in that line, from 1.
    pub column: u32,
    /// Where that is, such as `routes.internet.smtp`; empty at the top.
    pub path: String,
    /// What to do about it.
    pub help: Option<String>,
    label: Option<String>,
    excerpt: String,
    caret: Span,
}

impl Diagnostics {
    /// One mistake of a file as a whole.
    pub(super) fn of_file(path: &Path, title: impl Into<String>, help: Option<&str>) -> Self {
        let mistake = Diagnostic {
            title: title.into(),
            line: None,
            column: 1,
            path: String::new(),
            help: help.map(str::to_owned),
            label: None,
            excerpt: String::new(),
            caret: 0..0,
        };
        Self {
            file: path.display().to_string(),
            mistakes: vec![mistake],
            more: 0,
        }
    }

    /// The mistakes found in a text; `tree` is what it came to, if it is YAML.
    pub(super) fn of_text(path: &Path, source: &Source<'_>, tree: Option<&Node>, mistakes: Mistakes) -> Self {
        let masks = tree.map_or_else(|| mask::of_text(source), |tree| mask::of_tree(source, tree));
        let all = mistakes.count();
        let kept = mistakes.into_sorted().into_iter();
        let mistakes: Vec<_> = kept.map(|mistake| Diagnostic::new(source, tree, &masks, mistake)).collect();
        Self {
            file: path.display().to_string(),
            more: all - mistakes.len(),
            mistakes,
        }
    }

    /// The mistakes in the style of a compiler. Pure: `color` says whether to add ANSI styles.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let file = shown_path(&self.file);
        let mut text = String::new();
        for mistake in &self.mistakes {
            text.push_str(&mistake.render(&renderer, &file));
            text.push_str("\n\n");
        }
        let all = self.mistakes.len() + self.more;
        let count = if all == 1 {
            "1 mistake".to_owned()
        } else {
            format!("{all} mistakes")
        };
        let rest = if self.more == 0 {
            String::new()
        } else {
            format!(", {} of them not shown", self.more)
        };
        text + &format!("{count} in {file}{rest}\n")
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// A file name may hold anything; what could act on a terminal is escaped.
fn shown_path(file: &str) -> String {
    file.chars()
        .flat_map(|character| {
            if character.is_control() {
                character.escape_unicode().collect::<Vec<_>>()
            } else {
                vec![character]
            }
        })
        .collect()
}

impl Diagnostic {
    fn new(source: &Source<'_>, tree: Option<&Node>, masks: &Masks, mistake: Mistake) -> Self {
        let number = source.line_of(mistake.span.start);
        let line = source.line(number);
        let start = mistake.span.start.min(line.end);
        let caret = start..mistake.span.end.clamp(start, line.end);
        let window = window(source, &line, &caret);
        let (excerpt, caret) = masks.apply(source, &window, &caret);
        let path = tree.and_then(|tree| tree.path_to(&mistake.span)).unwrap_or_default();
        Self {
            title: mistake.title,
            line: Some(u32::try_from(number + 1).unwrap_or(u32::MAX)),
            column: u32::try_from(source.slice(&(line.start..start)).chars().count() + 1).unwrap_or(u32::MAX),
            path: shown(&path),
            help: mistake.help,
            label: mistake.label,
            excerpt,
            caret,
        }
    }

    fn render(&self, renderer: &Renderer, file: &str) -> String {
        let title = Level::ERROR.primary_title(self.title.as_str());
        let Some(line) = self.line else {
            let group = title
                .element(Origin::path(file))
                .elements(self.help.as_deref().map(|help| Level::HELP.message(help)));
            return renderer.render(&[group]);
        };
        let number = usize::try_from(line).unwrap_or(usize::MAX);
        let caret = AnnotationKind::Primary.span(self.caret.clone()).label(self.label.as_deref());
        let group = title
            .element(
                Snippet::source(self.excerpt.as_str())
                    .path(file)
                    .line_start(number)
                    .annotation(caret),
            )
            .elements((!self.path.is_empty()).then(|| Level::NOTE.with_name(Some("in")).message(self.path.as_str())))
            .elements(self.help.as_deref().map(|help| Level::HELP.message(help)));
        let drawn = renderer.render(&[group]);
        // Where something is masked or cut off before the caret, the column of the drawing is not that of the file.
        let column = self.excerpt.get(..self.caret.start).unwrap_or_default().chars().count() + 1;
        let (title, drawing) = drawn.split_once('\n').unwrap_or((&drawn, ""));
        let drawing = drawing.replacen(&format!("{file}:{line}:{column}"), &format!("{file}:{line}:{}", self.column), 1);
        format!("{title}\n{drawing}")
    }
}

/// The part of a line that is kept: a line may be as long as the file.
fn window(source: &Source<'_>, line: &Span, caret: &Span) -> Span {
    let mut start = caret.start.saturating_sub(AROUND).max(line.start);
    let mut end = caret.end.min(caret.start + AROUND).saturating_add(AROUND).min(line.end);
    while !source.text.is_char_boundary(start) {
        start += 1;
    }
    while !source.text.is_char_boundary(end) {
        end -= 1;
    }
    start..end
}
