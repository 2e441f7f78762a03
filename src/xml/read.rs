//! Bytes to a small owned tree: well-formed XML 1.0 with namespaces, within limits, without DTDs.
//!
//! quick-xml splits the text into events and matches end tags; what it does not check is checked
//! here: one root and nothing but white space beside it, declared prefixes, names, characters,
//! attributes unique by expanded name, depth and counts. A DOCTYPE is refused, so that no entity
//! exists beyond the five predefined ones. Comments and processing instructions are dropped
//! (RFC 4918 §4.3 does not list them among what a property value keeps).

use std::borrow::Cow;

use std::sync::Arc;

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, Prefix, PrefixDeclaration, QName, ResolveResult};
use quick_xml::reader::NsReader;

use super::element::{Attr, Element, Node, is_space};
use super::error::{Fault, XmlError, XmlErrorKind};
use super::name::{Name, Ns, is_ncname};

/// What a document may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Length of the document, and of unusually long namespaces written out wherever one is used.
    pub bytes: usize,
    /// Elements inside each other; the root is at depth 1.
    pub depth: usize,
    /// Elements altogether.
    pub elements: usize,
    /// Attributes on one element, namespace declarations included.
    pub attributes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            bytes: 8 << 20,
            depth: 64,
            elements: 200_000,
            attributes: 64,
        }
    }
}

/// Reads a document.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Element, XmlError> {
    let text = decode(bytes, limits)?;
    let is_utf16 = matches!(text, Cow::Owned(_));
    let text = text.as_ref();
    let mut reader = NsReader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut builder = Builder {
        limits,
        seen: 0,
        spelled: 0,
        open: Vec::new(),
        root: None,
        names: Vec::new(),
        prefixes: Vec::new(),
    };
    loop {
        let before = reader.buffer_position() as usize;
        let event = reader
            .read_event()
            .map_err(|error| Fault::from(error).at(text, reader.error_position() as usize))?;
        let step = match event {
            Event::Start(tag) => builder.start(&reader, &tag),
            Event::Empty(tag) => builder.start(&reader, &tag).and_then(|()| builder.end()),
            Event::End(_) => builder.end(),
            Event::Text(chars) => builder.text(&chars.xml10_content(), &chars),
            Event::CData(chars) => builder.cdata(&chars.xml10_content()),
            Event::GeneralRef(reference) => builder.reference(&reference),
            Event::Decl(decl) => declaration(&decl, before, is_utf16),
            Event::PI(pi) if pi.target().eq_ignore_ascii_case("xml") => {
                Err(Fault::malformed("misplaced XML declaration"))
            }
            Event::PI(_) | Event::Comment(_) => Ok(()),
            Event::DocType(_) => Err(Fault::new(
                XmlErrorKind::Doctype,
                "a DOCTYPE is not accepted",
            )),
            Event::Eof => return builder.finish().map_err(|fault| fault.at(text, text.len())),
        };
        step.map_err(|fault| fault.at(text, before))?;
    }
}

/// The bytes as text: within the limit, UTF-8 (borrowed) or UTF-16 with a byte order mark, which RFC 4918 §19 asks for,
/// and only characters that XML 1.0 §2.2 allows.
fn decode<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Cow<'a, str>, XmlError> {
    if bytes.len() > limits.bytes {
        let message = format!(
            "XML document too large: {} bytes, limit {}",
            bytes.len(),
            limits.bytes
        );
        return Err(Fault::new(XmlErrorKind::TooLarge, message).nowhere());
    }
    let text = match bytes {
        [0xFE, 0xFF, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)?),
        [0xFF, 0xFE, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)?),
        [0, b'<', ..] | [b'<', 0, ..] => {
            let message = "UTF-16 without a byte order mark is not accepted";
            return Err(Fault::new(XmlErrorKind::Encoding, message).nowhere());
        }
        _ => Cow::Borrowed(utf8(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes))?),
    };
    match forbidden(&text) {
        Some(at) => Err(Fault::malformed("a character that XML does not allow").at(&text, at)),
        None => Ok(text),
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, XmlError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let place = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        Fault::new(XmlErrorKind::Encoding, "not valid UTF-8").at(&place, place.len())
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, XmlError> {
    let invalid = || Fault::new(XmlErrorKind::Encoding, "not valid UTF-16").nowhere();
    let (pairs, []) = bytes.as_chunks::<2>() else {
        return Err(invalid());
    };
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .collect::<Result<String, _>>()
        .map_err(|_| invalid())
}

/// Where the first character stands that XML 1.0 §2.2 forbids.
fn forbidden(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let controls = bytes.iter().fold(false, |found, &b| {
        found | (b < 0x20 && b != b'\t' && b != b'\n' && b != b'\r')
    });
    let nonchars = memchr::memchr_iter(0xEF, bytes)
        .any(|at| matches!(bytes[at..], [0xEF, 0xBF, 0xBE | 0xBF, ..]));
    match controls || nonchars {
        true => text.find(|c| !is_xml_char(c)),
        false => None,
    }
}

/// Whether XML 1.0 §2.2 allows the character.
pub(super) fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// XML 1.0 §2.8: first in the document, a version 1.x, and the encoding that it is in.
fn declaration(decl: &BytesDecl, position: usize, is_utf16: bool) -> Result<(), Fault> {
    if position != 0 {
        return Err(Fault::malformed("misplaced XML declaration"));
    }
    if !decl.version()?.starts_with("1.") {
        return Err(Fault::malformed("unknown XML version"));
    }
    let encoding = decl
        .encoding()
        .transpose()
        .map_err(quick_xml::Error::from)?;
    let accepted: &[&str] = match is_utf16 {
        true => &["utf-16", "utf-16le", "utf-16be"],
        false => &["utf-8", "utf8", "us-ascii"],
    };
    match encoding {
        Some(name)
            if !accepted
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known)) =>
        {
            let message = format!("encoding {name} is not accepted: send UTF-8");
            Err(Fault::new(XmlErrorKind::Encoding, message))
        }
        _ => Ok(()),
    }
}

/// How many distinct names of a document are shared between elements; more are kept one by one.
const SHARED: usize = 32;

/// A longer xml:lang is no language (RFC 5646 §4.4.1 asks for 35 characters): it would go with each property below it.
const LONGEST_LANGUAGE: usize = 255;

/// No namespace in use is longer; what is, counts.
const USUAL: usize = 128;

/// The tree under construction.
struct Builder<'a> {
    limits: &'a Limits,
    seen: usize,
    /// What the namespaces of all names until now are longer than usual: a namespace of megabytes may cost them with
    /// each element, in the tree and when it is written.
    spelled: usize,
    open: Vec<Element>,
    root: Option<Element>,
    names: Vec<Name>,
    prefixes: Vec<Arc<str>>,
}

impl Builder<'_> {
    fn start(&mut self, reader: &NsReader<&[u8]>, tag: &BytesStart) -> Result<(), Fault> {
        self.seen += 1;
        if self.root.is_some() {
            return Err(Fault::malformed("a second root element"));
        }
        if self.open.len() >= self.limits.depth {
            let message = format!("elements nested deeper than {}", self.limits.depth);
            return Err(Fault::new(XmlErrorKind::TooDeep, message));
        }
        if self.seen > self.limits.elements {
            let message = format!("more than {} elements", self.limits.elements);
            return Err(Fault::new(XmlErrorKind::TooLarge, message));
        }
        let (name, prefix) = self.resolve(reader, tag.name(), true)?;
        let mut element = Element::new(name);
        element.prefix = prefix;
        if !tag.attributes_raw().is_empty() {
            self.attributes(reader, tag, &mut element)?;
        }
        element.lang = match element.attr_named(&Ns::Xml, "lang") {
            Some(lang) if lang.len() <= LONGEST_LANGUAGE => Some(lang.into()),
            Some(_) => None,
            None => self.open.last().and_then(|parent| parent.lang.clone()),
        };
        self.open.push(element);
        Ok(())
    }

    fn attributes(
        &mut self,
        reader: &NsReader<&[u8]>,
        tag: &BytesStart,
        element: &mut Element,
    ) -> Result<(), Fault> {
        let raw = tag.attributes_raw();
        for (count, attribute) in tag.attributes().enumerate() {
            let attribute = attribute.map_err(quick_xml::Error::from)?;
            if count >= self.limits.attributes {
                let message = format!(
                    "more than {} attributes on one element",
                    self.limits.attributes
                );
                return Err(Fault::new(XmlErrorKind::TooLarge, message));
            }
            if !follows_space(raw, attribute.key.0) {
                return Err(Fault::malformed(
                    "attributes must be separated by white space",
                ));
            }
            let value = attribute_value(&attribute)?;
            if let Some(declared) = attribute.key.as_namespace_binding() {
                check_binding(declared, &value)?;
                continue;
            }
            let (name, prefix) = self.resolve(reader, attribute.key, false)?;
            if element.attrs.iter().any(|other| other.name == name) {
                return Err(Fault::malformed(format!(
                    "attribute {name} twice on one element"
                )));
            }
            element.attrs.push(Attr {
                name,
                value,
                prefix,
            });
        }
        Ok(())
    }

    /// The expanded form of a qualified name, and its prefix.
    fn resolve(
        &mut self,
        reader: &NsReader<&[u8]>,
        qname: QName,
        is_element: bool,
    ) -> Result<(Name, Option<Arc<str>>), Fault> {
        let (resolved, local) = reader.resolver().resolve(qname, is_element);
        let uri = match resolved {
            ResolveResult::Bound(Namespace(uri)) => uri,
            ResolveResult::Unbound => "",
            ResolveResult::Unknown(prefix) => {
                return Err(Fault::malformed(format!(
                    "namespace prefix {prefix} is not declared"
                )));
            }
        };
        if qname.prefix().is_some_and(|prefix| prefix.is_xmlns()) {
            return Err(Fault::malformed("the prefix xmlns is reserved"));
        }
        self.spelled += uri.len().saturating_sub(USUAL);
        if self.spelled > self.limits.bytes {
            let message = "long namespaces on too many elements";
            return Err(Fault::new(XmlErrorKind::TooLarge, message));
        }
        let name = self.share(uri, local.into_inner())?;
        let prefix = qname.prefix().map(|prefix| self.share_prefix(prefix));
        Ok((name, prefix))
    }

    fn share(&mut self, raw_uri: &str, local: &str) -> Result<Name, Fault> {
        let ns = match Ns::known(raw_uri) {
            Some(ns) => ns,
            None => match self.names.iter().find(|name| name.ns.uri() == raw_uri) {
                Some(name) => name.ns.clone(),
                // quick-xml hands out the URI as written: resolve references first.
                None => Ns::from_uri(&unescape(raw_uri)?),
            },
        };
        if let Some(name) = self.names.iter().find(|name| name.is(&ns, local)) {
            return Ok(name.clone());
        }
        if !is_ncname(local) {
            return Err(Fault::malformed(format!(
                "{:?} is not an XML name",
                excerpt(local)
            )));
        }
        let name = Name {
            ns,
            local: local.into(),
        };
        if self.names.len() < SHARED {
            self.names.push(name.clone());
        }
        Ok(name)
    }

    fn share_prefix(&mut self, prefix: Prefix) -> Arc<str> {
        let prefix = prefix.into_inner();
        if let Some(shared) = self.prefixes.iter().find(|shared| &***shared == prefix) {
            return shared.clone();
        }
        let shared: Arc<str> = prefix.into();
        if self.prefixes.len() < SHARED {
            self.prefixes.push(shared.clone());
        }
        shared
    }

    fn end(&mut self) -> Result<(), Fault> {
        if let Some(element) = self.open.pop() {
            match self.open.last_mut() {
                Some(parent) => push(&mut parent.children, Node::Element(element)),
                None => self.root = Some(element),
            }
        }
        Ok(())
    }

    fn text(&mut self, chars: &str, raw: &str) -> Result<(), Fault> {
        if raw.contains("]]>") {
            return Err(Fault::malformed("]]> in text"));
        }
        match self.open.is_empty() && chars.chars().all(is_space) {
            true => Ok(()),
            false => self.cdata(chars),
        }
    }

    fn cdata(&mut self, chars: &str) -> Result<(), Fault> {
        let Some(parent) = self.open.last_mut() else {
            return Err(Fault::malformed("text outside of the root element"));
        };
        match parent.children.last_mut() {
            _ if chars.is_empty() => {}
            Some(Node::Text(text)) => text.push_str(chars),
            _ => push(&mut parent.children, Node::Text(chars.to_owned())),
        }
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef) -> Result<(), Fault> {
        match reference.resolve_char_ref()? {
            Some(c) if is_xml_char(c) => self.cdata(c.encode_utf8(&mut [0; 4])),
            Some(_) => Err(Fault::malformed(
                "reference to a character that XML does not allow",
            )),
            None => match resolve_predefined_entity(reference) {
                Some(chars) => self.cdata(chars),
                None => {
                    let message = format!("unknown entity &{};", excerpt(reference));
                    Err(Fault::new(XmlErrorKind::Entity, message))
                }
            },
        }
    }

    fn finish(self) -> Result<Element, Fault> {
        match (self.open.last(), self.root) {
            (Some(open), _) => Err(Fault::malformed(format!(
                "element {} is not closed",
                open.name
            ))),
            (None, Some(root)) => Ok(root),
            (None, None) => Err(Fault::malformed("no root element")),
        }
    }
}

/// Most elements hold one node: do not start with room for four.
fn push(children: &mut Vec<Node>, node: Node) {
    if children.capacity() == 0 {
        children.reserve_exact(1);
    }
    children.push(node);
}

/// Whether the attribute name `key`, a part of `raw`, has white space before it.
fn follows_space(raw: &str, key: &str) -> bool {
    (key.as_ptr() as usize)
        .checked_sub(raw.as_ptr() as usize)
        .and_then(|at| at.checked_sub(1))
        .and_then(|before| raw.as_bytes().get(before))
        .is_some_and(|&byte| is_space(byte as char))
}

fn attribute_value(attribute: &Attribute) -> Result<String, Fault> {
    if attribute.value.contains('<') {
        return Err(Fault::malformed("< in an attribute value"));
    }
    let value = attribute.normalized_value(XmlVersion::Explicit1_0)?;
    match value.chars().all(is_xml_char) {
        true => Ok(value.into_owned()),
        false => Err(Fault::malformed(
            "reference to a character that XML does not allow",
        )),
    }
}

fn unescape(uri: &str) -> Result<String, Fault> {
    let attribute = Attribute {
        key: QName("xmlns"),
        value: uri.into(),
    };
    attribute_value(&attribute)
}

/// Namespaces in XML 1.0 §2.2, §3: a prefix cannot be undeclared, and must be a name. The reserved
/// prefixes are quick-xml's to check.
fn check_binding(declared: PrefixDeclaration, uri: &str) -> Result<(), Fault> {
    match declared {
        PrefixDeclaration::Named("xml") | PrefixDeclaration::Default => Ok(()),
        PrefixDeclaration::Named(prefix) if !is_ncname(prefix) => Err(Fault::malformed(format!(
            "{:?} is not a namespace prefix",
            excerpt(prefix)
        ))),
        PrefixDeclaration::Named(prefix) if uri.is_empty() => Err(Fault::malformed(format!(
            "namespace prefix {prefix} declared with an empty name"
        ))),
        PrefixDeclaration::Named(_) => Ok(()),
    }
}

/// The start of a text of any length, for a message.
fn excerpt(text: &str) -> &str {
    let end = text.char_indices().nth(40).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

#[cfg(test)]
mod tests;
