//! A property of a component and its parameters: views that undo folding, quoting and escaping on demand.
//! RFC 5545 §3.1, §3.2; RFC 6868.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::text;
use super::tree::{Folded, Line, Tree};

/// A property: a view into a [`Tree`].
#[derive(Clone, Copy)]
pub struct Property<'t> {
    pub(super) tree: &'t Tree<'t>,
    pub(super) line: u32,
}

impl<'t> Property<'t> {
    fn at(self) -> &'t Line {
        self.tree.line(self.line)
    }

    /// Its name as written.
    pub fn name(self) -> &'t str {
        let line = self.at();
        if line.folded == Folded::Name {
            return self.tree.copied_name(self.line);
        }
        self.tree.str(line.start as usize..line.name_end as usize)
    }

    /// Is this its name, whatever the case?
    #[inline]
    pub fn is(self, name: &str) -> bool {
        let line = self.at();
        if line.folded == Folded::Name {
            return self.name().eq_ignore_ascii_case(name);
        }
        let (own, name) = (
            &self.tree.source[line.start as usize..line.name_end as usize],
            name.as_bytes(),
        );
        // Most names differ in length, and most of the others (DTSTART, DTSTAMP, SUMMARY) in their last letter.
        let last = |text: &[u8]| text.last().map(|byte| byte | 0x20);
        own.len() == name.len() && last(own) == last(name) && own.eq_ignore_ascii_case(name)
    }

    /// Its value, unfolded but otherwise as written. Bytes that are not UTF-8 become U+FFFD.
    pub fn value(self) -> Cow<'t, str> {
        let line = self.at();
        self.unfolded(
            line.value_start as usize..line.text_end as usize,
            line.folded != Folded::No,
        )
    }

    /// Its value read as one TEXT: unfolded and unescaped (§3.3.11).
    pub fn text(self) -> Cow<'t, str> {
        match self.value() {
            Cow::Borrowed(value) => text::unescape(value),
            Cow::Owned(value) => Cow::Owned(text::unescape(&value).into_owned()),
        }
    }

    /// Its value read as a list of TEXT, such as that of CATEGORIES.
    pub fn texts(self) -> Vec<String> {
        text::split(&self.value(), b',')
            .map(|item| text::unescape(item).into_owned())
            .collect()
    }

    /// The first value of the first parameter with this name, unquoted and decoded.
    pub fn param(self, name: &str) -> Option<Cow<'t, str>> {
        let line = self.at();
        if line.name_end + 1 >= line.value_start {
            return None;
        }
        self.params()
            .find(|param| param.is(name))
            .map(|param| param.value())
    }

    /// Its parameters, in order.
    pub fn params(self) -> Params<'t> {
        let line = self.at();
        let range = line.name_end as usize..(line.value_start as usize).saturating_sub(1);
        Params {
            rest: self.unfolded(range, matches!(line.folded, Folded::Name | Folded::Params)),
            at: 0,
        }
    }

    /// The physical line where it starts.
    pub fn line(self) -> u32 {
        self.at().number
    }

    /// Its bytes in the source, with folds and the line ending.
    pub fn span(self) -> Range<usize> {
        self.at().start as usize..self.at().end as usize
    }

    /// Its bytes in the source without the final line ending.
    pub fn raw(self) -> &'t [u8] {
        &self.tree.source[self.at().start as usize..self.at().text_end as usize]
    }

    /// The bytes of its value in the source, folds included.
    pub fn value_span(self) -> Range<usize> {
        self.at().value_start as usize..self.at().text_end as usize
    }

    fn unfolded(self, range: Range<usize>, folded: bool) -> Cow<'t, str> {
        let source: &'t [u8] = self.tree.source;
        match (self.tree.text, folded) {
            (Some(text), false) => Cow::Borrowed(text.get(range).unwrap_or_default()),
            (Some(text), true) => Cow::Owned(unfold(text.get(range).unwrap_or_default())),
            (None, false) => String::from_utf8_lossy(&source[range]),
            (None, true) => {
                Cow::Owned(String::from_utf8_lossy(&unfold_bytes(&source[range])).into_owned())
            }
        }
    }
}

impl fmt::Debug for Property<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {}", self.name(), self.line())
    }
}

/// Takes the folds out of text: line endings, each run followed by one blank that goes too.
fn unfold(folded: &str) -> String {
    let mut whole = String::with_capacity(folded.len());
    let mut rest = folded;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest.as_bytes()) {
        whole.push_str(&rest[..at]);
        let next = rest[at..].trim_start_matches(['\r', '\n']);
        rest = next.strip_prefix([' ', '\t']).unwrap_or(next);
    }
    whole.push_str(rest);
    whole
}

/// The same on bytes, for a fold in the middle of a character.
pub(super) fn unfold_bytes(folded: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(folded.len());
    let mut rest = folded;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        whole.extend_from_slice(&rest[..at]);
        let ending = rest[at..]
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        rest = &rest[at + ending..];
        rest = rest
            .strip_prefix(b" ")
            .or_else(|| rest.strip_prefix(b"\t"))
            .unwrap_or(rest);
    }
    whole.extend_from_slice(rest);
    whole
}

/// The parameters of one property.
#[derive(Clone)]
pub struct Params<'t> {
    /// From the semicolon after the name up to the colon before the value, unfolded.
    rest: Cow<'t, str>,
    at: usize,
}

impl<'t> Params<'t> {
    fn piece(&self, range: Range<usize>) -> Cow<'t, str> {
        match &self.rest {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(range).unwrap_or_default()),
            Cow::Owned(text) => Cow::Owned(text.get(range).unwrap_or_default().to_owned()),
        }
    }
}

impl<'t> Iterator for Params<'t> {
    type Item = Param<'t>;

    fn next(&mut self) -> Option<Param<'t>> {
        let bytes = self.rest.as_bytes();
        let start = self.at + 1;
        if start > bytes.len() {
            return None;
        }
        let end = start + text::unquoted(&bytes[start..], b';').unwrap_or(bytes.len() - start);
        let name_end = memchr::memchr(b'=', &bytes[start..end]).map_or(end, |at| start + at);
        let (name, raw) = (
            self.piece(start..name_end),
            self.piece((name_end + 1).min(end)..end),
        );
        self.at = end;
        Some(Param { name, raw })
    }
}

/// One parameter.
#[derive(Clone)]
pub struct Param<'t> {
    name: Cow<'t, str>,
    raw: Cow<'t, str>,
}

impl<'t> Param<'t> {
    /// Its name as written.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Is this its name, whatever the case?
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// What stands behind the equals sign, quotes and all.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// Its first value, unquoted and decoded.
    pub fn value(self) -> Cow<'t, str> {
        match self.raw {
            Cow::Borrowed(raw) => first(raw),
            Cow::Owned(raw) => Cow::Owned(first(&raw).into_owned()),
        }
    }

    /// Its values, unquoted and decoded.
    pub fn values(&self) -> Vec<Cow<'_, str>> {
        let mut values = Vec::new();
        let mut rest = &*self.raw;
        while let Some(at) = text::unquoted(rest.as_bytes(), b',') {
            values.push(text::decode_param(&rest[..at]));
            rest = &rest[at + 1..];
        }
        values.push(text::decode_param(rest));
        values
    }
}

fn first(raw: &str) -> Cow<'_, str> {
    let end = text::unquoted(raw.as_bytes(), b',').unwrap_or(raw.len());
    text::decode_param(&raw[..end])
}
