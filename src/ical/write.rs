//! Writing: edits of a tree that leave every other byte alone, and content lines of our own. RFC 5545 §3.1, RFC 6868.

use std::ops::Range;

use super::text;
use super::tree::{Component, Property, Tree};

/// The longest physical line, in octets and without its ending (§3.1).
const FOLD_AT: usize = 75;

/// Edits of one tree, by span; [`Patch::apply`] gives the new bytes. Lines that go in are written with the ending that
/// the document itself uses. An edit inside of something that another edit replaces or removes is dropped.
#[derive(Debug, Clone)]
pub struct Patch<'t> {
    tree: &'t Tree<'t>,
    edits: Vec<Edit>,
}

#[derive(Debug, Clone)]
struct Edit {
    range: Range<usize>,
    text: String,
    /// Does it put in whole lines, rather than part of one?
    lines: bool,
}

impl<'t> Patch<'t> {
    /// No edits yet.
    pub fn new(tree: &'t Tree<'t>) -> Self {
        Patch {
            tree,
            edits: Vec::new(),
        }
    }

    /// Would applying it change nothing?
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Takes a property out.
    pub fn remove(&mut self, property: Property<'t>) -> &mut Self {
        self.edit(property.span(), String::new(), true)
    }

    /// Puts content lines (see [`content_line`]) in the place of a property.
    pub fn replace(&mut self, property: Property<'t>, lines: impl Into<String>) -> &mut Self {
        self.edit(property.span(), lines.into(), true)
    }

    /// Gives a property another value and keeps its name and parameters as they are. `value` is raw: TEXT must be
    /// escaped already.
    pub fn set_value(&mut self, property: Property<'t>, value: &str) -> &mut Self {
        let head = property.value_span().start - property.span().start;
        let mut line = String::with_capacity(value.len());
        push_raw(&mut line, value);
        self.edit(
            property.value_span(),
            fold_from(&line, last_line(&property.raw()[..head])),
            false,
        )
    }

    /// Adds content lines behind the last property of a component.
    pub fn insert(&mut self, component: Component<'t>, lines: impl Into<String>) -> &mut Self {
        let at = component.insertion();
        self.edit(at..at, lines.into(), true)
    }

    /// Makes `line` the component's only property of that name: in the place of the first one, or added.
    pub fn set(
        &mut self,
        component: Component<'t>,
        name: &str,
        line: impl Into<String>,
    ) -> &mut Self {
        let mut there = component.properties_named(name);
        match there.next() {
            Some(first) => self.replace(first, line),
            None => return self.insert(component, line),
        };
        for further in there {
            self.remove(further);
        }
        self
    }

    /// Takes every property of that name out of a component.
    pub fn remove_all(&mut self, component: Component<'t>, name: &str) -> &mut Self {
        for property in component.properties_named(name) {
            self.remove(property);
        }
        self
    }

    /// Takes a component out.
    pub fn remove_component(&mut self, component: Component<'t>) -> &mut Self {
        self.edit(component.span(), String::new(), true)
    }

    /// Puts lines, from BEGIN to END, in the place of a component.
    pub fn replace_component(
        &mut self,
        component: Component<'t>,
        lines: impl Into<String>,
    ) -> &mut Self {
        self.edit(component.span(), lines.into(), true)
    }

    /// Adds lines, from BEGIN to END, as the last component inside `parent`.
    pub fn insert_component(
        &mut self,
        parent: Component<'t>,
        lines: impl Into<String>,
    ) -> &mut Self {
        let at = parent.close();
        self.edit(at..at, lines.into(), true)
    }

    /// Adds lines, from BEGIN to END, in front of a component.
    pub fn insert_before(
        &mut self,
        component: Component<'t>,
        lines: impl Into<String>,
    ) -> &mut Self {
        let at = component.span().start;
        self.edit(at..at, lines.into(), true)
    }

    fn edit(&mut self, range: Range<usize>, text: String, lines: bool) -> &mut Self {
        self.edits.push(Edit { range, text, lines });
        self
    }

    /// The source with the edits done.
    pub fn apply(mut self) -> Vec<u8> {
        let source = self.tree.source();
        let ending = line_ending(source);
        // At one place, what is put in comes before what is taken out, in the order it was asked for; of two edits
        // that overlap the wider one comes first and hides the other.
        self.edits.sort_by_key(|edit| {
            (
                edit.range.start,
                !edit.range.is_empty(),
                usize::MAX - edit.range.end,
            )
        });
        let added: usize = self.edits.iter().map(|edit| edit.text.len()).sum();
        let mut out = Vec::with_capacity(source.len() + added);
        let mut done = 0;
        for edit in &self.edits {
            if edit.range.start < done {
                continue;
            }
            out.extend_from_slice(&source[done..edit.range.start]);
            done = edit.range.end;
            push_text(&mut out, edit, ending);
        }
        out.extend_from_slice(&source[done..]);
        out
    }
}

fn push_text(out: &mut Vec<u8>, edit: &Edit, ending: &str) {
    if edit.lines && !edit.text.is_empty() && !matches!(out.last(), None | Some(b'\r' | b'\n')) {
        out.extend_from_slice(ending.as_bytes());
    }
    if ending == "\r\n" {
        out.extend_from_slice(edit.text.as_bytes());
    } else {
        out.extend_from_slice(edit.text.replace("\r\n", ending).as_bytes());
    }
}

/// The ending of a document's first line. A lone CR counts only where there is no LF at all: put in front of one, it
/// would become half of a CRLF.
fn line_ending(source: &[u8]) -> &'static str {
    match memchr::memchr2(b'\r', b'\n', source) {
        Some(at) if source[at] == b'\n' => "\n",
        Some(_) if memchr::memchr(b'\n', source).is_none() => "\r",
        _ => "\r\n",
    }
}

/// The part of a raw content line behind its last fold.
fn last_line(raw: &[u8]) -> usize {
    raw.iter()
        .rev()
        .take_while(|byte| !matches!(byte, b'\r' | b'\n'))
        .count()
}

/// One content line, folded, with its ending. Parameter values are quoted and encoded (RFC 6868); `value` is taken as
/// it is (see [`text::escape`]), but for control characters: a line break becomes `\n`, the others are dropped, so no
/// input can end the line.
pub fn content_line(name: &str, params: &[(&str, &str)], value: &str) -> String {
    let mut line = String::with_capacity(name.len() + value.len() + 8);
    push_name(&mut line, name);
    for (name, value) in params {
        line.push(';');
        push_name(&mut line, name);
        line.push('=');
        line.push_str(&text::encode_param(value));
    }
    line.push(':');
    push_raw(&mut line, value);
    let mut line = fold(&line);
    line.push_str("\r\n");
    line
}

/// A property of another text as a content line of ours: as it is, folded anew.
pub fn line_of(property: Property<'_>) -> String {
    let mut line = property.name().to_owned();
    for param in property.params() {
        line.extend([";", param.name(), "=", param.raw()]);
    }
    line.push(':');
    line.push_str(&property.value());
    fold(&line) + "\r\n"
}

/// A content line whose value is TEXT: escaped, then as [`content_line`].
pub fn text_line(name: &str, params: &[(&str, &str)], value: &str) -> String {
    content_line(name, params, &text::escape(value))
}

fn push_name(line: &mut String, name: &str) {
    line.extend(
        name.chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')),
    );
}

fn push_raw(line: &mut String, value: &str) {
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' | '\n' => line.push_str("\\n"),
            c if c.is_ascii_control() && c != '\t' => {}
            c => line.push(c),
        }
    }
}

/// Folds one content line (without its ending) so that no physical line has more than 75 octets, never inside a
/// character (§3.1).
pub fn fold(line: &str) -> String {
    fold_from(line, 0)
}

/// Folds what follows `used` octets on the same physical line.
fn fold_from(line: &str, used: usize) -> String {
    let mut folded = String::with_capacity(line.len() + line.len() / FOLD_AT * 3 + 3);
    let mut rest = line;
    let mut room = FOLD_AT.saturating_sub(used);
    while rest.len() > room {
        let at = rest.floor_char_boundary(room);
        folded.push_str(&rest[..at]);
        folded.push_str("\r\n ");
        rest = &rest[at..];
        room = FOLD_AT - 1;
    }
    folded.push_str(rest);
    folded
}

#[cfg(test)]
mod tests;
