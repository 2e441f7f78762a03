//! The tree that reading makes: elements, attributes, text.

use std::sync::Arc;

use super::name::{Name, Ns};

/// An attribute that is not a namespace declaration; the value is normalized (XML 1.0 §3.3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attr {
    /// Its expanded name; no prefix means no namespace.
    pub name: Name,
    /// Its value.
    pub value: String,
    /// The prefix it was written with, a hint for writing it again.
    pub(super) prefix: Option<Arc<str>>,
}

/// What an element contains, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Characters, references resolved, line ends normalized to `\n`; never empty.
    Text(String),
}

/// An element with all that it contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its expanded name.
    pub name: Name,
    /// Its attributes in document order, without namespace declarations.
    pub attrs: Vec<Attr>,
    /// Its content.
    pub children: Vec<Node>,
    /// The prefix it was written with, a hint for writing it again.
    pub(super) prefix: Option<Arc<str>>,
    pub(super) lang: Option<Arc<str>>,
}

impl Element {
    /// An empty element.
    pub fn new(name: Name) -> Element {
        Element {
            name,
            attrs: Vec::new(),
            children: Vec::new(),
            prefix: None,
            lang: None,
        }
    }

    /// The child elements.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The first child element of this name.
    pub fn child(&self, name: &Name) -> Option<&Element> {
        self.elements().find(|element| element.name == *name)
    }

    /// The child elements of this name.
    pub fn children_named<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = &'a Element> {
        self.elements().filter(move |element| element.name == *name)
    }

    /// The characters directly inside, those within child elements left out.
    pub fn text(&self) -> String {
        match self.children.as_slice() {
            [Node::Text(text)] => text.clone(),
            nodes => nodes
                .iter()
                .filter_map(|node| match node {
                    Node::Text(text) => Some(text.as_str()),
                    Node::Element(_) => None,
                })
                .collect(),
        }
    }

    /// [`text`](Self::text) without XML white space around it.
    pub fn trimmed_text(&self) -> String {
        match self.children.as_slice() {
            [Node::Text(text)] => text.trim_matches(is_space).to_owned(),
            _ => self.text().trim_matches(is_space).to_owned(),
        }
    }

    /// Value of the attribute without namespace called `local`.
    pub fn attr(&self, local: &str) -> Option<&str> {
        self.attr_named(&Ns::None, local)
    }

    /// Value of the attribute called `local` in `ns`.
    pub fn attr_named(&self, ns: &Ns, local: &str) -> Option<&str> {
        self.attrs
            .iter()
            .find(|attr| attr.name.is(ns, local))
            .map(|attr| attr.value.as_str())
    }

    /// The `xml:lang` in scope, own or inherited (XML 1.0 §2.12).
    pub fn lang(&self) -> Option<&str> {
        self.lang.as_deref().filter(|lang| !lang.is_empty())
    }

    /// The element as text that stands on its own and can be put into any other document: with the
    /// namespace declarations it needs and the language in scope (RFC 4918 §4.3, §4.4). Characters,
    /// attributes, mixed content and prefixes are kept; prefixes inside of values are not declared.
    pub fn to_xml_string(&self) -> String {
        super::fragment::write(self)
    }
}

/// XML white space (XML 1.0 §2.3), narrower than Unicode's.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}
