//! An event's body: text, or HTML that Exchange made of it. FACTS §4.4: compared by a normal form, never raw; the part
//! that invites to an online meeting is never lost.

use serde_json::{Value, json};

use super::super::wire;

/// A line of so many underscores begins what Teams adds.
const RULE: &str = "____________________";

/// A body's text in its normal form.
pub fn plain(doc: &Value) -> String {
    let content = wire::text(doc, "body.content");
    if wire::text(doc, "body.contentType").eq_ignore_ascii_case("html") {
        normal(&text_of(content))
    } else {
        normal(content)
    }
}

/// Line ends, blanks at the ends of lines, no-break spaces, empty lines at both ends: what Exchange does to text.
pub fn normal(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{b}'], "\n");
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| line.replace('\u{a0}', " ").trim_end().to_owned())
        .collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// What people wrote: without what Teams adds behind its line.
pub fn own_part(text: &str) -> String {
    normal(text.split(RULE).next().unwrap_or_default())
}

/// A new body for an online meeting: our text in front of what Teams added to the stored HTML. `None` when that is not
/// found there: then the body has to stay as it is.
pub fn around_meeting(text: &str, stored_html: &str) -> Option<Value> {
    let line = stored_html.find(RULE)?;
    let begins = stored_html[..line]
        .rfind("<div")
        .or_else(|| stored_html[..line].rfind("<p"))
        .unwrap_or(line);
    let invitation = &stored_html[begins..];
    let invitation = match invitation.to_ascii_lowercase().rfind("</body") {
        Some(end) => &invitation[..end],
        None => invitation,
    };
    Some(json!({
        "contentType": "html",
        "content": format!(
            "<html><body><div>{}</div>{invitation}</body></html>",
            html_of(&own_part(&normal(text)))
        ),
    }))
}

fn html_of(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '\n' => html.push_str("<br>\n"),
            c => html.push(c),
        }
    }
    html
}

/// Elements whose content nobody reads.
const HIDDEN: [&str; 4] = ["style", "script", "head", "title"];

/// Elements that begin and end a line.
const BLOCKS: [&str; 14] = [
    "p",
    "div",
    "tr",
    "li",
    "ul",
    "ol",
    "table",
    "h1",
    "h2",
    "h3",
    "h4",
    "blockquote",
    "hr",
    "pre",
];

/// HTML as text: one pass, whatever it is.
fn text_of(html: &str) -> String {
    let mut text = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        push_text(&mut text, &rest[..open]);
        rest = &rest[open..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let Some(close) = rest.find('>') else {
            return text;
        };
        let tag = &rest[1..close];
        rest = &rest[close + 1..];
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_ascii_lowercase();
        if HIDDEN.contains(&name.as_str()) && !tag.starts_with('/') && !tag.ends_with('/') {
            rest = behind(rest, &name);
        } else {
            let block = BLOCKS.contains(&name.as_str()) && !text.is_empty();
            if name == "br" || block && !text.ends_with('\n') {
                text.push('\n');
            }
        }
    }
    push_text(&mut text, rest);
    text
}

/// What follows the end tag of an element; all of it when there is none.
fn behind<'a>(html: &'a str, name: &str) -> &'a str {
    let mut from = 0;
    while let Some(at) = html[from..].find("</") {
        let tag = &html[from + at + 2..];
        let named = tag.get(..name.len());
        if named.is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return tag.split_once('>').map_or("", |(_, after)| after);
        }
        from += at + 2;
    }
    html
}

/// Text between tags: white space is one blank, references are decoded.
fn push_text(text: &mut String, raw: &str) {
    let mut rest = raw;
    while let Some(c) = rest.chars().next() {
        if c.is_ascii_whitespace() {
            if !text.is_empty() && !text.ends_with([' ', '\n']) {
                text.push(' ');
            }
            rest = &rest[1..];
        } else if let Some((decoded, after)) = rest.strip_prefix('&').and_then(reference) {
            text.push(decoded);
            rest = after;
        } else {
            text.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
}

const NAMED: [(&str, char); 7] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{a0}'),
    ("ndash", '–'),
];

fn reference(text: &str) -> Option<(char, &str)> {
    let (name, after) = text.split_once(';')?;
    if name.len() > 8 {
        return None;
    }
    let decoded = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
        None => NAMED.iter().find(|(known, _)| *known == name)?.1,
    };
    Some((decoded, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exchange_makes_of_a_text_is_that_text() {
        let text = "Line one & <two>\n\nthree  \n";
        for (kind, content) in [
            ("text", "Line one & <two>\r\n\r\nthree\r\n".to_owned()),
            (
                "html",
                "<html>\r\n<head>\r\n<meta http-equiv=\"Content-Type\"><style>p {x}</style>\r\n</head>\r\n<body>\r\n\
                 <!-- c > d -->Line one &amp; &lt;two&gt;<br>\r\n<br>\r\nthree&nbsp;\r\n</body>\r\n</html>\r\n"
                    .to_owned(),
            ),
        ] {
            let doc = json!({"body": {"contentType": kind, "content": content}});
            assert_eq!(plain(&doc), normal(text), "{kind}");
        }
        assert_eq!(text_of("a<div>b</div>c<p"), "a\nb\nc");
        assert_eq!(text_of("<style>never closed"), "never closed");
        assert_eq!(text_of("&#8211;&#x41;&bogus;&"), "–A&bogus;&");
    }

    #[test]
    fn a_new_text_keeps_the_way_into_the_meeting() {
        let stored = "<html><body><div>old</div><br><div style=\"w\"><span>________________________________</span>\
                      <a href=\"https://teams.example/l/1\">Join</a></div></body></html>";
        let body =
            around_meeting("new & old\n________________________________\nJoin", stored).unwrap();
        let content = body["content"].as_str().unwrap();
        assert!(content.starts_with("<html><body><div>new &amp; old</div><div style=\"w\">"));
        assert_eq!(
            content.matches("________________________________").count(),
            1
        );
        assert!(content.contains("https://teams.example/l/1"));
        assert!(content.ends_with("</div></body></html>"));
        assert_eq!(around_meeting("new", "<html><body>old</body></html>"), None);
    }
}
