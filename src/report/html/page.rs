//! The frame of every page: its head with a strict Content-Security-Policy, the one style, the way through the page, header and footer.
//!
//! A page brings all it needs: neither script nor style, font or picture comes from elsewhere, and what is inline is allowed by its hash
//! alone. So nothing that came with a mail can run, even if it should slip through the escaper. Without script a page is whole, only not filtered.
//!
//! What it cannot do: `frame-ancestors` does not work from within a page. Whoever serves one sends [`Page::csp`] as a header too.

use askama::Template;
use data_encoding::BASE64;
use ring::digest::{SHA256, digest};

/// The style of all pages.
const STYLE: &str = concat!(
    include_str!("style/tokens.css"),
    include_str!("style/frame.css"),
    include_str!("style/parts.css"),
    include_str!("style/report.css"),
    include_str!("style/comparison.css"),
    include_str!("style/print.css"),
    include_str!("style/attestation.css")
);

/// A way onwards, in the page's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it leads: `#id` within the page, or a path on the same server. Never anything that came with mail.
    pub to: String,
    /// What it is called.
    pub text: String,
    /// Whether it leads to the page that is shown.
    pub here: bool,
}

impl Link {
    /// A link to a part of the same page.
    pub fn within(id: &str, text: &str) -> Self {
        Self {
            to: format!("#{id}"),
            text: text.to_owned(),
            here: false,
        }
    }
}

/// What a page may ask of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nothing at all: a file, a mail's attachment.
    Alone,
    /// Plain requests and forms to the server it came from.
    OwnServer,
}

/// All of a page but its content.
#[derive(Debug, Clone)]
pub struct Frame<'a> {
    /// The title of the window, and of the file when it is printed or saved.
    pub title: &'a str,
    /// What kind of page it is, in a word or two, beside the product's name.
    pub kind: &'a str,
    /// The ways onwards. With one or none there is no list of them.
    pub links: &'a [Link],
    /// What made it and when, in the footer; a paragraph each.
    pub footer: &'a [String],
    /// The page's script, which must be a constant of the crate; empty for none.
    pub script: &'static str,
    /// What it may ask of the network.
    pub reach: Reach,
}

/// A page, ready to be written or sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The whole document, in UTF-8.
    pub html: String,
    /// The `Content-Security-Policy` header to be sent with it: what stands in the page, and that no other page may frame it.
    pub csp: String,
}

#[derive(Template)]
#[template(path = "page.html", config = "src/report/html/askama.toml")]
struct Document<'a> {
    frame: &'a Frame<'a>,
    csp: &'a str,
    style: &'static str,
    script: &'static str,
    content: &'a str,
}

/// The page with `content` in its frame. The content begins with an `h1`, and everything in it stands in sections of the style.
///
/// # Errors
/// If the content's template fails.
pub fn page(frame: &Frame<'_>, content: &impl Template) -> Result<Page, askama::Error> {
    let csp = policy(frame);
    let html = Document {
        frame,
        csp: &csp,
        style: STYLE,
        script: frame.script,
        content: &content.render()?,
    }
    .render()?;
    Ok(Page {
        html,
        csp: format!("{csp}; frame-ancestors 'none'"),
    })
}

/// The policy (Content Security Policy Level 3, W3C): nothing but the page's own style and script, known by their hashes.
fn policy(frame: &Frame<'_>) -> String {
    let mut policy = format!("default-src 'none'; style-src {}", hash(STYLE));
    if !frame.script.is_empty() {
        policy.push_str("; script-src ");
        policy.push_str(&hash(frame.script));
    }
    policy.push_str(match frame.reach {
        Reach::Alone => "; base-uri 'none'; form-action 'none'",
        Reach::OwnServer => "; connect-src 'self'; base-uri 'none'; form-action 'self'",
    });
    policy
}

/// The source expression that allows this very text, inline.
fn hash(inline: &str) -> String {
    format!("'sha256-{}'", BASE64.encode(digest(&SHA256, inline.as_bytes()).as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Template)]
    #[template(source = "<h1>{{ title }}</h1>", ext = "html", config = "src/report/html/askama.toml")]
    struct Content {
        title: &'static str,
    }

    fn frame(reach: Reach) -> Frame<'static> {
        Frame {
            title: "</title><script>1</script>",
            kind: "report",
            links: &[],
            footer: &[],
            script: "go()",
            reach,
        }
    }

    #[test]
    fn the_policy_allows_the_pages_own_text_and_nothing_else() {
        let page = page(&frame(Reach::Alone), &Content { title: "<b>" }).unwrap();
        // printf 'go()' | openssl dgst -sha256 -binary | base64
        let script = "'sha256-5KYv+PUboo5h+0+YAtGRPbwv5d/QxzHslP4YGnUaxRw='";
        assert!(
            page.csp.contains(&format!(
                "script-src {script}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            )),
            "{}",
            page.csp
        );
        assert!(page.csp.starts_with("default-src 'none'; style-src 'sha256-"));
        assert!(page.html.contains("<script>go()</script>"));
        assert!(
            page.html.contains(&format!("<style>{STYLE}</style>")),
            "the hash is that of the whole element"
        );
        assert!(page.html.contains("&#60;/title&#62;&#60;script&#62;") && page.html.contains("<h1>&#60;b&#62;</h1>"));
        assert!(!STYLE.contains("</") && !STYLE.contains("url(") && !STYLE.contains("@import"));
    }

    #[test]
    fn a_page_of_a_server_may_ask_that_server_only() {
        let page = page(&frame(Reach::OwnServer), &Content { title: "" }).unwrap();
        assert!(page.csp.contains("; connect-src 'self'; base-uri 'none'; form-action 'self'; "));
        let silent = Frame {
            script: "",
            ..frame(Reach::Alone)
        };
        let page = super::page(&silent, &Content { title: "" }).unwrap();
        assert!(!page.csp.contains("script-src") && !page.html.contains("<script"));
    }
}
