//! Just enough XML: a small tree to read, escaped text to write.

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;

pub const DAV: &str = "DAV:";
pub const CAL: &str = "urn:ietf:params:xml:ns:caldav";
pub const CS: &str = "http://calendarserver.org/ns/";
pub const APPLE: &str = "http://apple.com/ns/ical/";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    pub ns: String,
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Node>,
    pub text: String,
}

impl Node {
    pub fn is(&self, ns: &str, name: &str) -> bool {
        self.ns == ns && self.name == name
    }
    pub fn child(&self, ns: &str, name: &str) -> Option<&Node> {
        self.children.iter().find(|child| child.is(ns, name))
    }
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name)?;
        Some(&found.1)
    }
}

/// The root of a document; `None` if it is not well-formed.
pub fn parse(bytes: &[u8]) -> Option<Node> {
    let mut reader = NsReader::from_str(std::str::from_utf8(bytes).ok()?);
    let mut open: Vec<Node> = vec![Node::default()];
    loop {
        let (resolved, event) = reader.read_resolved_event().ok()?;
        let ns = match resolved {
            ResolveResult::Bound(ns) => ns.as_ref().to_string(),
            _ => String::new(),
        };
        match event {
            Event::Start(start) => open.push(begin(&start, ns)),
            Event::Empty(start) => open.last_mut()?.children.push(begin(&start, ns)),
            Event::End(_) => {
                let node = open.pop()?;
                open.last_mut()?.children.push(node);
            }
            Event::Text(text) => open.last_mut()?.text.push_str(&text),
            Event::CData(text) => open.last_mut()?.text.push_str(&text),
            Event::GeneralRef(name) => open.last_mut()?.text.push_str(entity(&name)),
            Event::Eof => break,
            _ => {}
        }
        if open.len() > 100 {
            return None;
        }
    }
    let mut root = (open.len() == 1).then(|| open.pop())??;
    root.children.pop()
}

fn begin(start: &BytesStart, ns: String) -> Node {
    let attributes = start.attributes().flatten();
    Node {
        ns,
        name: start.local_name().as_ref().to_string(),
        attributes: attributes
            .map(|a| (a.key.local_name().as_ref().to_string(), a.value.to_string()))
            .collect(),
        ..Node::default()
    }
}

fn entity(name: &str) -> &'static str {
    match name {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        _ => "",
    }
}

pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
