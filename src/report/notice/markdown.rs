//! The notice as Markdown, for tickets and chats that show it.

use super::{Block, Notice};
use crate::report::markdown::{code, prose};

pub fn render(notice: &Notice) -> String {
    let mut out = format!("# {}\n", prose(&notice.title));
    for part in &notice.parts {
        if !part.title.is_empty() {
            out.push_str(&format!("\n## {}\n", part.title));
        }
        for block in &part.blocks {
            out.push('\n');
            write(block, &mut out);
        }
    }
    out
}

fn write(block: &Block, out: &mut String) {
    match block {
        Block::Text(text) => out.push_str(&format!("{}\n", prose(text))),
        Block::Facts(facts) => {
            for (name, value) in facts {
                out.push_str(&format!("- **{name}**: {}\n", prose(value)));
            }
        }
        Block::Literal(lines) => {
            for line in lines {
                out.push_str(&format!("- {}\n", code(line)));
            }
        }
        Block::List(lines) => {
            for line in lines {
                out.push_str(&format!("- {}\n", prose(line)));
            }
        }
        Block::Code(language, text) => {
            let text: Vec<String> = text.lines().map(super::indented).collect();
            let text = text.join("\n");
            // A fence longer than any in it (`CommonMark` section 4.5).
            let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or_default();
            let fence = "`".repeat(longest.max(2) + 1);
            out.push_str(&format!("{fence}{language}\n{text}\n{fence}\n"));
        }
    }
}
