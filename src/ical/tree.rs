//! A calendar stream as a flat, lossless tree over its own bytes. RFC 5545 §3.1, §3.4, §3.6.
//!
//! Nothing is copied and nothing is normalised: a [`Tree`] is the source, a table of content lines and a table of
//! components, both in source order. Folding, quoting and escaping are undone when a value is asked for.
//! Edits are spans replaced in the source: see [`super::write::Patch`]. Reading is [`Tree::parse`] in `parse`.

use std::fmt;
use std::ops::Range;

pub use super::property::{Param, Params, Property};

/// How much a stream may hold. Beyond it parsing fails, so memory and time are bounded by these.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Octets of the whole stream.
    pub bytes: usize,
    /// Content lines (unfolded) of the whole stream.
    pub lines: usize,
    /// Components inside components; a VCALENDAR's own depth is 1.
    pub depth: usize,
    /// How many faults are kept; further ones are dropped.
    pub faults: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            bytes: 10 << 20,
            lines: 500_000,
            depth: 32,
            faults: 32,
        }
    }
}

/// How bad a [`Fault`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Not as the RFC says, but every reader copes: taken as it is.
    Odd,
    /// The structure or a line is lost on some readers: not to be stored.
    Broken,
}

/// Something in the stream that is not as the RFC says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The physical line, counted from 1.
    pub line: u32,
    /// What is wrong, in words.
    pub reason: String,
    /// Whether it may be stored nonetheless.
    pub severity: Severity,
    /// [`Component::index`] of the innermost component that it lies in.
    pub within: Option<usize>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for Fault {}

/// One content line: a property, or the BEGIN of a component. Offsets into the source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub start: u32,
    pub name_end: u32,
    /// One past the colon.
    pub value_start: u32,
    /// Before the line ending.
    pub text_end: u32,
    /// After the line ending.
    pub end: u32,
    pub number: u32,
    /// The component that this line begins, or [`NONE`].
    pub begins: u32,
    pub folded: Folded,
}

/// Where a content line is folded, which decides what can be borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folded {
    No,
    Value,
    /// In the parameters, and perhaps in the value.
    Params,
    /// In the name, and perhaps further on.
    Name,
}

/// One component. Lines and nodes are indices, offsets are into the source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub parent: u32,
    pub first_child: u32,
    pub next: u32,
    /// Its BEGIN line.
    pub line: u32,
    /// One past its last line.
    pub lines_end: u32,
    /// Where its END line starts; equal to `end` where that is missing.
    pub close: u32,
    /// After its END line.
    pub end: u32,
}

/// No such line or component.
pub(super) const NONE: u32 = u32::MAX;

/// A parsed stream: the source and two tables.
#[derive(Debug, Clone)]
pub struct Tree<'a> {
    pub(super) source: &'a [u8],
    /// The source as text where all of it is UTF-8.
    pub(super) text: Option<&'a str>,
    pub(super) lines: Vec<Line>,
    pub(super) nodes: Vec<Node>,
    pub(super) faults: Vec<Fault>,
    /// Names that cannot be borrowed because a fold lies in them, by line; sorted, nearly always empty.
    pub(super) names: Vec<(u32, String)>,
}

impl<'a> Tree<'a> {
    /// The bytes that were parsed.
    pub fn source(&self) -> &'a [u8] {
        self.source
    }

    /// What is odd about it, in source order, up to [`Limits::faults`].
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The components that lie in no other: normally one VCALENDAR.
    pub fn roots(&self) -> Components<'_> {
        Components {
            tree: self,
            next: if self.nodes.is_empty() { NONE } else { 0 },
        }
    }

    /// Every component at every depth, in source order.
    pub fn components(&self) -> impl Iterator<Item = Component<'_>> {
        (0u32..)
            .zip(&self.nodes)
            .map(|(node, _)| Component { tree: self, node })
    }

    /// The component with this [`Component::index`].
    pub fn component(&self, index: usize) -> Option<Component<'_>> {
        let node = u32::try_from(index)
            .ok()
            .filter(|_| index < self.nodes.len())?;
        Some(Component { tree: self, node })
    }

    pub(super) fn line(&self, line: u32) -> &Line {
        &self.lines[line as usize]
    }

    /// A name or a component's name that had to be copied.
    pub(super) fn copied_name(&self, line: u32) -> &str {
        self.names
            .binary_search_by_key(&line, |(line, _)| *line)
            .map_or("", |found| &self.names[found].1)
    }

    /// Source bytes as text, empty where they are not UTF-8.
    pub(super) fn str(&self, range: Range<usize>) -> &'a str {
        match self.text {
            Some(text) => text.get(range).unwrap_or_default(),
            None => std::str::from_utf8(&self.source[range]).unwrap_or_default(),
        }
    }
}

/// A component: a view into a [`Tree`].
#[derive(Clone, Copy)]
pub struct Component<'t> {
    tree: &'t Tree<'t>,
    node: u32,
}

impl<'t> Component<'t> {
    fn node(self) -> &'t Node {
        &self.tree.nodes[self.node as usize]
    }

    /// Its name as written.
    pub fn name(self) -> &'t str {
        let line = self.tree.line(self.node().line);
        if line.folded != Folded::No {
            return self.tree.copied_name(self.node().line);
        }
        self.tree
            .str(line.value_start as usize..line.text_end as usize)
            .trim_ascii()
    }

    /// Is this its name, whatever the case?
    pub fn is(self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }

    /// The tree that it is in.
    pub fn tree(self) -> &'t Tree<'t> {
        self.tree
    }

    /// Its place among all components of the stream, in source order; for [`Tree::component`].
    pub fn index(self) -> usize {
        self.node as usize
    }

    /// The physical line of its BEGIN.
    pub fn line(self) -> u32 {
        self.tree.line(self.node().line).number
    }

    /// Its bytes in the source, from BEGIN to the end of the END line.
    pub fn span(self) -> Range<usize> {
        self.tree.line(self.node().line).start as usize..self.node().end as usize
    }

    /// Its bytes, verbatim.
    pub fn raw(self) -> &'t [u8] {
        &self.tree.source[self.span()]
    }

    /// The bytes of its BEGIN line.
    pub(super) fn begin_span(self) -> Range<usize> {
        let line = self.tree.line(self.node().line);
        line.start as usize..line.end as usize
    }

    /// Where another property can be inserted: after its last property, before its components.
    pub(super) fn insertion(self) -> usize {
        let last = self
            .properties()
            .last()
            .map_or(self.node().line, |property| property.line);
        self.tree.line(last).end as usize
    }

    /// Where another component can be inserted: before its END.
    pub(super) fn close(self) -> usize {
        self.node().close as usize
    }

    /// Has it an END of its own?
    pub fn is_closed(self) -> bool {
        self.node().close != self.node().end
    }

    /// The component around it.
    pub fn parent(self) -> Option<Component<'t>> {
        let node = self.node().parent;
        (node != NONE).then_some(Component {
            tree: self.tree,
            node,
        })
    }

    /// The components directly inside it.
    pub fn children(self) -> Components<'t> {
        Components {
            tree: self.tree,
            next: self.node().first_child,
        }
    }

    /// The components with this name directly inside it.
    pub fn children_named(self, name: &str) -> impl Iterator<Item = Component<'t>> {
        self.children().filter(move |child| child.is(name))
    }

    /// The first component with this name directly inside it.
    pub fn child(self, name: &str) -> Option<Component<'t>> {
        self.children().find(|child| child.is(name))
    }

    /// Its own properties, in order.
    pub fn properties(self) -> Properties<'t> {
        Properties {
            tree: self.tree,
            next: self.node().line + 1,
            end: self.node().lines_end,
        }
    }

    /// Its own properties with this name.
    pub fn properties_named(self, name: &str) -> impl Iterator<Item = Property<'t>> {
        self.properties().filter(move |property| property.is(name))
    }

    /// Its first property with this name.
    pub fn property(self, name: &str) -> Option<Property<'t>> {
        self.properties().find(|property| property.is(name))
    }
}

impl fmt::Debug for Component<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {}", self.name(), self.line())
    }
}

/// Components beside each other.
#[derive(Clone)]
pub struct Components<'t> {
    tree: &'t Tree<'t>,
    next: u32,
}

impl<'t> Iterator for Components<'t> {
    type Item = Component<'t>;

    fn next(&mut self) -> Option<Component<'t>> {
        let node = self.next;
        self.next = self.tree.nodes.get(node as usize)?.next;
        Some(Component {
            tree: self.tree,
            node,
        })
    }
}

/// The properties of one component.
#[derive(Clone)]
pub struct Properties<'t> {
    tree: &'t Tree<'t>,
    next: u32,
    end: u32,
}

impl<'t> Iterator for Properties<'t> {
    type Item = Property<'t>;

    fn next(&mut self) -> Option<Property<'t>> {
        while self.next < self.end {
            let line = self.next;
            match self.tree.line(line).begins {
                NONE => {
                    self.next = line + 1;
                    return Some(Property {
                        tree: self.tree,
                        line,
                    });
                }
                child => self.next = self.tree.nodes[child as usize].lines_end,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
