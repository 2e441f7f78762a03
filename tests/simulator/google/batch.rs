//! Batch requests: `multipart/mixed` of HTTP requests (FACTS §2.7).

use super::super::faults::Twist;
use super::super::web::{self, Answer, Call};
use super::{Google, errors};
use bytes::Bytes;
use http::Request;

const MOST: usize = 1000;

impl Google {
    pub(super) fn batch(&self, call: &Call, twist: Twist) -> Answer {
        let kind = call.header("content-type").unwrap_or("");
        let boundary = kind
            .split(';')
            .find_map(|part| part.trim().strip_prefix("boundary="));
        let Some(boundary) = boundary.map(|text| text.trim_matches('"')) else {
            return errors::error("badRequest");
        };
        let text = String::from_utf8_lossy(&call.body).replace("\r\n", "\n");
        let mark = format!("--{boundary}");
        let parts: Vec<&str> = text
            .split(&mark)
            .skip(1)
            .take_while(|part| !part.starts_with("--"))
            .collect();
        if parts.len() > MOST {
            return errors::saying("badRequest", "Batch size too large.");
        }
        let mut out = String::new();
        for part in parts {
            let (head, inner) = part
                .trim_start_matches('\n')
                .split_once("\n\n")
                .unwrap_or((part, ""));
            let id = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-id")
                    .then(|| value.trim().to_string())
            });
            let answer = match read(inner, call) {
                Some(inner) => self.one(&inner, twist).unwrap_or_else(|answer| answer),
                None => errors::error("badRequest"),
            };
            out.push_str("--batch_simulator\r\nContent-Type: application/http\r\n");
            if let Some(id) = id {
                let id = match id.strip_prefix('<') {
                    Some(rest) => format!("<response-{rest}"),
                    None => format!("response-{id}"),
                };
                out.push_str(&format!("Content-ID: {id}\r\n"));
            }
            out.push_str(&write(&answer));
        }
        out.push_str("--batch_simulator--\r\n");
        web::text(200, "multipart/mixed; boundary=batch_simulator", out)
    }
}

/// An inner request; it inherits the outer authorization. Full addresses are refused.
fn read(text: &str, outer: &Call) -> Option<Call> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.trim_start().lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?, first.next()?);
    if !target.starts_with('/') {
        return None;
    }
    // The path of the service without this simulator's prefix is what a client of the real service writes.
    let target = match target.starts_with("/calendar/v3") {
        true => format!("/google{target}"),
        false => target.to_string(),
    };
    let mut request = Request::builder().method(method).uri(target);
    let mut authorized = false;
    for line in lines {
        let (name, value) = line.split_once(':')?;
        authorized |= name.eq_ignore_ascii_case("authorization");
        request = request.header(name.trim(), value.trim());
    }
    if !authorized && let Some(token) = outer.header("authorization") {
        request = request.header("authorization", token);
    }
    let body = Bytes::copy_from_slice(body.trim_end_matches('\n').as_bytes());
    Some(Call::new(request.body(body).ok()?))
}

fn write(answer: &Answer) -> String {
    let status = answer.status();
    let mut out = format!(
        "\r\nHTTP/1.1 {} {}\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or("")
    );
    for (name, value) in answer.headers() {
        out.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap_or("")));
    }
    let body = String::from_utf8_lossy(answer.body());
    out.push_str(&format!("content-length: {}\r\n\r\n{body}\r\n", body.len()));
    out
}
