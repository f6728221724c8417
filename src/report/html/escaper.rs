//! What stands between a value and the page: every value that a template shows goes through here.
//!
//! What it cannot do: make a value safe as a script, a style or an address of a link. No template puts one there.

use crate::report::escape;
use askama::filters::{Escaper, Html};
use std::fmt::{self, Write};

/// Shows text as what it is: markup as its characters, control and bidirectional characters as `\x1b` or `\u{202e}`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown;

impl Escaper for Shown {
    fn write_escaped_str<W: Write>(&self, dest: W, text: &str) -> fmt::Result {
        Html.write_escaped_str(dest, &escape(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_markup_and_nothing_hides() {
        for (hostile, shown) in [
            ("<script>alert(1)</script>", "&#60;script&#62;alert(1)&#60;/script&#62;"),
            ("\"' onload=x", "&#34;&#39; onload=x"),
            ("&lt;", "&#38;lt;"),
            ("exe\u{202e}gnp.\u{1b}[2J\0", "exe\\u{202e}gnp.\\x1b[2J\\x00"),
            ("550 no\r\n250 yes", "550 no 250 yes"),
            ("収件箱", "収件箱"),
        ] {
            let mut out = String::new();
            Shown.write_escaped_str(&mut out, hostile).unwrap();
            assert_eq!(out, shown);
        }
    }
}
