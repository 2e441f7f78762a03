//! A tree back to text that needs nothing from its surroundings (RFC 4918 §4.3, §4.4): what dead
//! properties are stored as, and what goes verbatim into a later answer.

use super::element::{Element, Node};
use super::name::{Name, Ns};
use super::read::is_xml_char;

/// Writes `element` with the declarations it needs and the language in scope.
pub(super) fn write(element: &Element) -> String {
    let mut fragment = Fragment::default();
    fragment.element(element, true);
    fragment.out
}

#[derive(Default)]
struct Fragment {
    out: String,
    /// Bindings in scope, innermost last: prefix (empty for the default) and URI.
    scope: Vec<(String, String)>,
}

impl Fragment {
    fn element(&mut self, element: &Element, is_root: bool) {
        let outer = self.scope.len();
        let mut declared = String::new();
        let name = self.element_name(element, outer, &mut declared);
        let attrs: String = element
            .attrs
            .iter()
            .map(|attr| {
                let name = self.attr_name(&attr.name, attr.prefix.as_deref(), outer, &mut declared);
                format!(" {name}=\"{}\"", escape(&attr.value, true))
            })
            .collect();
        self.out.push('<');
        self.out.push_str(&name);
        self.out.push_str(&declared);
        self.out.push_str(&attrs);
        if let (true, Some(lang), None) = (
            is_root,
            element.lang(),
            element.attr_named(&Ns::Xml, "lang"),
        ) {
            self.out
                .push_str(&format!(" xml:lang=\"{}\"", escape(lang, true)));
        }
        if element.children.is_empty() {
            self.out.push_str("/>");
        } else {
            self.out.push('>');
            self.content(element);
            self.out.push_str(&format!("</{name}>"));
        }
        self.scope.truncate(outer);
    }

    fn content(&mut self, element: &Element) {
        for node in &element.children {
            match node {
                Node::Element(child) => self.element(child, false),
                Node::Text(text) => self.out.push_str(&escape(text, false)),
            }
        }
    }

    /// The qualified name of an element, declaring its prefix here unless it is in scope.
    fn element_name(&mut self, element: &Element, outer: usize, declared: &mut String) -> String {
        let uri = element.name.ns.uri();
        let prefix = match (&element.name.ns, element.prefix.as_deref()) {
            (Ns::None, _) => "",
            (Ns::Xml, _) => return format!("xml:{}", &*element.name.local),
            (_, Some(prefix)) => prefix,
            (_, None) => "",
        };
        self.bind(prefix, uri, outer, declared);
        qualified(prefix, &element.name)
    }

    /// The qualified name of an attribute, which never takes the default namespace.
    fn attr_name(
        &mut self,
        name: &Name,
        hint: Option<&str>,
        outer: usize,
        declared: &mut String,
    ) -> String {
        match name.ns {
            Ns::None => return name.local.to_string(),
            Ns::Xml => return format!("xml:{}", &*name.local),
            _ => {}
        }
        let mut prefix = hint.or(name.ns.prefix()).unwrap_or("ns").to_owned();
        // Another URI may hold the prefix on this very element: try others until one is free.
        while !self.bind(&prefix, name.ns.uri(), outer, declared) {
            prefix.push('_');
        }
        qualified(&prefix, name)
    }

    /// Makes `prefix` mean `uri` here. False when this element already declared it otherwise.
    fn bind(&mut self, prefix: &str, uri: &str, outer: usize, declared: &mut String) -> bool {
        let bound = self.scope.iter().rposition(|(p, _)| p == prefix);
        match bound {
            Some(at) if self.scope[at].1 == uri => return true,
            Some(at) if at >= outer => return false,
            None if prefix.is_empty() && uri.is_empty() => return true,
            _ => {}
        }
        match prefix {
            "" => declared.push_str(&format!(" xmlns=\"{}\"", escape(uri, true))),
            _ => declared.push_str(&format!(" xmlns:{prefix}=\"{}\"", escape(uri, true))),
        }
        self.scope.push((prefix.to_owned(), uri.to_owned()));
        true
    }
}

fn qualified(prefix: &str, name: &Name) -> String {
    match prefix {
        "" => name.local.to_string(),
        _ => format!("{prefix}:{}", &*name.local),
    }
}

/// Escapes so that reading gives the same characters back.
fn escape(text: &str, in_attribute: bool) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            '"' if in_attribute => out.push_str("&quot;"),
            '\n' if in_attribute => out.push_str("&#10;"),
            '\t' if in_attribute => out.push_str("&#9;"),
            c if is_xml_char(c) => out.push(c),
            _ => out.push('\u{FFFD}'),
        }
    }
    out
}
