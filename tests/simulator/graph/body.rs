//! What Exchange makes of a body (FACTS §4.4): text becomes HTML, HTML is wrapped, lines end in CRLF.

use super::Json;
use serde_json::{Value, json};

const HEAD: &str = "<html><head>\r\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\"></head><body>\r\n";
const TAIL: &str = "\r\n</body></html>\r\n";

fn crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The stored form of a body: always HTML.
pub fn normal(body: &Value) -> Value {
    let content = body["content"].as_str().unwrap_or("");
    let html = body["contentType"]
        .as_str()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("html"));
    let inner = match html {
        _ if content.is_empty() => return json!({"contentType": "html", "content": ""}),
        true if content.contains("<body") => {
            return json!({"contentType": "html", "content": crlf(content)});
        }
        true => crlf(content),
        false => {
            let lines = escape(content)
                .replace("\r\n", "\n")
                .replace('\n', "<br>\r\n");
            format!("<div class=\"PlainText\">{lines}</div>")
        }
    };
    json!({"contentType": "html", "content": format!("{HEAD}{inner}{TAIL}")})
}

/// The stored body as text: tags dropped, entities read, CRLF at the end.
pub fn text(stored: &Value) -> String {
    let html = stored["content"].as_str().unwrap_or("");
    let inner = html
        .split_once("<body")
        .and_then(|(_, rest)| rest.split_once('>'))
        .map_or(html, |(_, rest)| rest);
    let inner = inner.replace("\r\n", "");
    let (mut out, mut tag) = (String::new(), None::<String>);
    for letter in inner.chars() {
        match (&mut tag, letter) {
            (None, '<') => tag = Some(String::new()),
            (None, other) => out.push(other),
            (Some(name), '>') => {
                let name = name.trim_end_matches('/').trim().to_ascii_lowercase();
                if matches!(name.as_str(), "br" | "/p") {
                    out.push_str("\r\n");
                }
                tag = None;
            }
            (Some(name), other) => name.push(other),
        }
    }
    let out = out
        .replace("&nbsp;", " ")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&");
    match out.is_empty() {
        true => out,
        false => out + "\r\n",
    }
}

/// The body as an answer has it.
pub fn shown(stored: &Value, as_text: bool) -> Value {
    match as_text {
        true => json!({"contentType": "text", "content": text(stored)}),
        false => stored.clone(),
    }
}

/// The first 255 characters, as text.
pub fn preview(stored: &Value) -> String {
    text(stored).trim_end().chars().take(255).collect()
}

/// Adds the invitation of an online meeting to a body.
pub fn with_meeting(json: &mut Json, link: &str) {
    let old = json
        .get("body")
        .cloned()
        .unwrap_or_else(|| json!({"contentType": "html", "content": ""}));
    let content = old["content"]
        .as_str()
        .unwrap_or("")
        .replace(TAIL, "")
        .replace(HEAD, "");
    let blob = format!(
        "<div>________________________________________________________________________________<br>\r\nMicrosoft Teams meeting<br>\r\n<a href=\"{link}\">Join</a></div>"
    );
    json.insert(
        "body".into(),
        json!({"contentType": "html", "content": format!("{HEAD}{content}\r\n{blob}{TAIL}")}),
    );
}
