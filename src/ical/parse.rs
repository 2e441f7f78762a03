//! Bytes to [`Tree`]: one pass, linear, never panics. RFC 5545 §3.1, §3.6.
//!
//! Line endings are CRLF, LF or CR, mixed at will; a byte order mark is skipped; a fold may lie anywhere, even inside a
//! name or a character. What cannot be part of a tree (text without a colon, an END that closes nothing) stays in the
//! source, is told as a [`Fault`], and is no property of anything. Only the [`Limits`] end the parse.

use super::property::unfold_bytes;
use super::text::unquoted;
use super::tree::{Fault, Folded, Limits, Line, NONE, Node, Severity, Tree};

impl<'a> Tree<'a> {
    /// Reads a stream. Fails only where it exceeds `limits`; see [`Tree::faults`] for everything else.
    pub fn parse(source: &'a [u8], limits: &Limits) -> Result<Tree<'a>, Fault> {
        let most = limits.bytes.min(NONE as usize - 1);
        if source.len() > most {
            return Err(broken(
                1,
                format!("{} octets, the limit is {most}", source.len()),
            ));
        }
        let mut parser = Parser {
            tree: Tree {
                source,
                text: std::str::from_utf8(source).ok(),
                lines: Vec::with_capacity((source.len() / 24 + 4).min(limits.lines)),
                nodes: Vec::with_capacity((source.len() / 256 + 4).min(limits.lines)),
                faults: Vec::new(),
                names: Vec::new(),
            },
            open: vec![Level {
                node: NONE,
                last_child: NONE,
            }],
            number: 1,
            limits,
        };
        let mut at = if source.starts_with(b"\xEF\xBB\xBF") {
            3
        } else {
            0
        };
        while at < source.len() {
            let extent = Extent::of(source, at);
            parser.line(&extent)?;
            parser.number += extent.endings;
            at = extent.end;
        }
        parser.finish();
        Ok(parser.tree)
    }
}

/// What names are made of: letters, digits and `-`.
static IN_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || byte == b'-';
        byte += 1;
    }
    table
};

fn broken(line: u32, reason: String) -> Fault {
    Fault {
        line,
        reason,
        severity: Severity::Broken,
        within: None,
    }
}

/// Where one unfolded content line lies.
struct Extent {
    start: usize,
    /// The ending of its first physical line where more follow, else `text_end`.
    fold: usize,
    text_end: usize,
    end: usize,
    /// How many physical lines it spans.
    endings: u32,
}

impl Extent {
    fn of(source: &[u8], start: usize) -> Extent {
        let (mut from, mut fold, mut endings) = (start, None, 0);
        loop {
            let Some(length) = memchr::memchr2(b'\r', b'\n', &source[from..]) else {
                let end = source.len();
                return Extent {
                    start,
                    fold: fold.unwrap_or(end),
                    text_end: end,
                    end,
                    endings,
                };
            };
            let stop = from + length;
            let (end, count) = ending(source, stop);
            endings += count;
            match source.get(end) {
                Some(b' ' | b'\t') if stop > start => {
                    fold.get_or_insert(stop);
                    from = end + 1;
                }
                _ => {
                    return Extent {
                        start,
                        fold: fold.unwrap_or(stop),
                        text_end: stop,
                        end,
                        endings,
                    };
                }
            }
        }
    }
}

/// The end of the line ending at `at`, and how many lines it ends: LF, CRs with an LF (some mailers double the CR),
/// or CRs alone, each of which ends a line.
fn ending(source: &[u8], at: usize) -> (usize, u32) {
    if source[at] == b'\n' {
        return (at + 1, 1);
    }
    if source.get(at + 1) == Some(&b'\n') {
        return (at + 2, 1);
    }
    let crs = source[at..]
        .iter()
        .take_while(|byte| **byte == b'\r')
        .count();
    match source.get(at + crs) {
        Some(b'\n') => (at + crs + 1, 1),
        _ => (at + crs, u32::try_from(crs).unwrap_or(1)),
    }
}

/// An open component and the last one closed inside it.
struct Level {
    node: u32,
    last_child: u32,
}

struct Parser<'a, 'l> {
    tree: Tree<'a>,
    /// The open components, outermost first, below a level for the stream itself.
    open: Vec<Level>,
    number: u32,
    limits: &'l Limits,
}

/// An offset or an index; both are below the limit on bytes, which is below [`NONE`].
fn offset(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(NONE)
}

impl Parser<'_, '_> {
    fn fault(&mut self, severity: Severity, reason: impl FnOnce() -> String) {
        let faults = &mut self.tree.faults;
        if faults.len() >= self.limits.faults {
            // The first thing that is broken is told even where many odd ones come before it.
            if severity == Severity::Odd
                || faults
                    .iter()
                    .any(|fault| fault.severity == Severity::Broken)
            {
                return;
            }
            faults.pop();
        }
        let open = self.open.last().filter(|level| level.node != NONE);
        faults.push(Fault {
            line: self.number,
            reason: reason(),
            severity,
            within: open.map(|level| level.node as usize),
        });
    }

    fn line(&mut self, extent: &Extent) -> Result<(), Fault> {
        let text = &self.tree.source[extent.start..extent.text_end];
        if self.tree.text.is_none() && std::str::from_utf8(&unfold_bytes(text)).is_err() {
            self.fault(Severity::Broken, || "text that is not UTF-8".to_owned());
        }
        let Some((name_end, value_start)) = self.divide(text) else {
            return Ok(());
        };
        let (fold, start) = (extent.fold - extent.start, extent.start);
        let line = Line {
            start: offset(start),
            name_end: offset(start + name_end),
            value_start: offset(start + value_start),
            text_end: offset(extent.text_end),
            end: offset(extent.end),
            number: self.number,
            begins: NONE,
            folded: match fold {
                fold if fold == text.len() => Folded::No,
                fold if fold < name_end => Folded::Name,
                fold if fold < value_start => Folded::Params,
                _ => Folded::Value,
            },
        };
        if line.folded == Folded::Name {
            let name = unfold_bytes(&text[..name_end]);
            return self.named(line, &name, &text[value_start..], true);
        }
        self.named(line, &text[..name_end], &text[value_start..], false)
    }

    /// Where the name of a content line ends and its value starts; nothing for a line that is none.
    fn divide(&mut self, text: &[u8]) -> Option<(usize, usize)> {
        let plain = text.iter().position(|byte| !IN_NAME[usize::from(*byte)]);
        let name_end = match plain.map(|at| (at, text[at])) {
            Some((at, b':' | b';')) => Some(at),
            _ => memchr::memchr2(b':', b';', text),
        };
        let value_start = name_end.and_then(|at| match text[at] {
            b':' => Some(at + 1),
            _ => self.colon(text, at),
        });
        if let (Some(name_end), Some(value_start)) = (name_end, value_start) {
            return Some((name_end, value_start));
        }
        let blank = text.trim_ascii().is_empty();
        let severity = if blank {
            Severity::Odd
        } else {
            Severity::Broken
        };
        self.fault(severity, || {
            if blank {
                "blank line".to_owned()
            } else {
                format!("no colon in {}", excerpt(text))
            }
        });
        None
    }

    /// One past the colon before the value, behind parameters that start at `at`.
    fn colon(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let head = &text[at..];
        let colon = unquoted(head, b':').or_else(|| memchr::memchr(b':', head))?;
        if memchr::memchr_iter(b'"', &head[..colon]).count() % 2 == 1 {
            self.fault(Severity::Broken, || {
                format!("quotes without an end in {}", excerpt(text))
            });
        }
        Some(at + colon + 1)
    }

    /// Puts a line where it belongs, now that its name is known.
    fn named(&mut self, line: Line, name: &[u8], value: &[u8], folded: bool) -> Result<(), Fault> {
        if name.eq_ignore_ascii_case(b"BEGIN") {
            return self.begin(line, value);
        }
        if name.eq_ignore_ascii_case(b"END") {
            self.end(&line, value);
            return Ok(());
        }
        self.check_name(name);
        if self.open.len() == 1 {
            self.fault(Severity::Broken, || {
                format!("{} lies outside of a component", excerpt(name))
            });
            return Ok(());
        }
        if folded {
            let name = String::from_utf8_lossy(name).into_owned();
            self.tree.names.push((offset(self.tree.lines.len()), name));
        }
        self.push(line)
    }

    fn check_name(&mut self, name: &[u8]) {
        if !name.is_empty() && name.iter().all(|byte| IN_NAME[usize::from(*byte)]) {
            return;
        }
        let survives = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic());
        let severity = if survives {
            Severity::Odd
        } else {
            Severity::Broken
        };
        self.fault(severity, || {
            format!("{} is not a property name", excerpt(name))
        });
    }

    fn push(&mut self, line: Line) -> Result<(), Fault> {
        if self.tree.lines.len() >= self.limits.lines {
            return Err(broken(
                self.number,
                format!("more than {} content lines", self.limits.lines),
            ));
        }
        self.tree.lines.push(line);
        Ok(())
    }

    fn begin(&mut self, line: Line, value: &[u8]) -> Result<(), Fault> {
        if self.open.len() > self.limits.depth {
            return Err(broken(
                self.number,
                format!("components nested deeper than {}", self.limits.depth),
            ));
        }
        let node = offset(self.tree.nodes.len());
        let index = offset(self.tree.lines.len());
        if line.folded != Folded::No {
            let name = String::from_utf8_lossy(&unfold_bytes(value))
                .trim_ascii()
                .to_owned();
            self.tree.names.push((index, name));
        }
        let name = value.trim_ascii();
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) && line.folded == Folded::No {
            self.fault(Severity::Broken, || {
                format!("{} is not a component name", excerpt(name))
            });
        }
        self.push(Line {
            begins: node,
            ..line
        })?;
        let parent = self.open.last_mut().map_or(NONE, |level| {
            match (level.last_child, level.node) {
                (NONE, NONE) => {}
                (NONE, parent) => self.tree.nodes[parent as usize].first_child = node,
                (before, _) => self.tree.nodes[before as usize].next = node,
            }
            level.last_child = node;
            level.node
        });
        self.tree.nodes.push(Node {
            parent,
            first_child: NONE,
            next: NONE,
            line: index,
            lines_end: 0,
            close: 0,
            end: 0,
        });
        self.open.push(Level {
            node,
            last_child: NONE,
        });
        Ok(())
    }

    fn end(&mut self, line: &Line, value: &[u8]) {
        let unfolded = unfold_bytes(value);
        let name = unfolded.trim_ascii();
        let tree = &self.tree;
        let closes = |level: &Level| {
            level.node != NONE && begun(tree, level.node).eq_ignore_ascii_case(name)
        };
        let Some(depth) = self.open.iter().rposition(closes) else {
            self.fault(Severity::Broken, || {
                format!("END:{} closes nothing", excerpt(name))
            });
            return;
        };
        while self.open.len() > depth + 1 {
            self.unclosed(line.start);
        }
        self.close(line.start, line.end);
    }

    /// Ends the innermost component although its END is missing.
    fn unclosed(&mut self, at: u32) {
        if let Some(Level { node, .. }) = self.open.last().filter(|level| level.node != NONE) {
            let node = *node;
            let begun = excerpt(begun(&self.tree, node));
            let line = self.tree.line(self.tree.nodes[node as usize].line).number;
            self.fault(Severity::Broken, || {
                format!("BEGIN:{begun} of line {line} has no END")
            });
        }
        self.close(at, at);
    }

    fn close(&mut self, close: u32, end: u32) {
        let lines_end = offset(self.tree.lines.len());
        let node = self
            .open
            .pop()
            .and_then(|level| self.tree.nodes.get_mut(level.node as usize));
        if let Some(node) = node {
            (node.lines_end, node.close, node.end) = (lines_end, close, end);
        }
    }

    /// Closes what is still open at the end of the stream.
    fn finish(&mut self) {
        let end = offset(self.tree.source.len());
        while self.open.len() > 1 {
            self.unclosed(end);
        }
    }
}

/// The name that a component was begun with.
fn begun<'t>(tree: &'t Tree<'_>, node: u32) -> &'t [u8] {
    let index = tree.nodes[node as usize].line;
    let line = tree.line(index);
    if line.folded != Folded::No {
        return tree.copied_name(index).as_bytes();
    }
    tree.source[line.value_start as usize..line.text_end as usize].trim_ascii()
}

/// A few characters of what is wrong, for the reason.
fn excerpt(text: &[u8]) -> String {
    let shown = String::from_utf8_lossy(&text[..text.len().min(160)]);
    let shown: String = shown.chars().take(40).collect();
    format!("{shown:?}")
}
