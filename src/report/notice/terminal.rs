//! The notice as text of at most 80 columns, to be pasted into a ticket or a mail. Only what cannot be broken, such as a long address, is wider.

use super::{Block, Notice, shown};
use crate::report::{width, wrap};

const COLUMNS: usize = 80;
/// What stands before everything in a part.
const INDENT: &str = "  ";

pub fn render(notice: &Notice) -> String {
    let title = shown(&notice.title);
    let mut out = wrap(&title, COLUMNS).join("\n");
    out.push_str(&format!("\n{}\n", "=".repeat(width(&title).min(COLUMNS))));
    for part in &notice.parts {
        if !part.title.is_empty() {
            out.push_str(&format!("\n{}\n{}\n", part.title, "-".repeat(part.title.len())));
        }
        for (index, block) in part.blocks.iter().enumerate() {
            if index > 0 || part.title.is_empty() {
                out.push('\n');
            }
            write(block, &mut out);
        }
    }
    out
}

fn write(block: &Block, out: &mut String) {
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    match block {
        Block::Text(text) => wrap(&shown(text), COLUMNS).iter().for_each(|text| line(text)),
        Block::Facts(facts) => {
            let label = facts.iter().map(|(label, _)| label.len()).max().unwrap_or_default() + 2;
            for (name, value) in facts {
                for (index, text) in wrap(&shown(value), COLUMNS - label).iter().enumerate() {
                    let name = if index == 0 { name } else { "" };
                    line(&format!("{name:label$}{text}"));
                }
            }
        }
        Block::Literal(lines) => lines.iter().for_each(|text| line(&format!("{INDENT}{}", shown(text)))),
        Block::List(lines) => {
            for text in lines {
                for (index, text) in wrap(&shown(text), COLUMNS - 2).iter().enumerate() {
                    line(&format!("{} {text}", if index == 0 { "-" } else { " " }));
                }
            }
        }
        Block::Code(_, code) => code.lines().for_each(|text| line(&format!("{INDENT}{}", super::indented(text)))),
    }
}
