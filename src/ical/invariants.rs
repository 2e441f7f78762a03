//! What must hold for any bytes whatever: for tests and for fuzzing, and compiled for nothing else. A panic here is the
//! finding.

use super::charset::as_text;
use super::join::Join;
use super::object::{Object, Rules, validate};
use super::split::split;
use super::tree::{Component, Limits, Tree};
use super::write::{Patch, content_line};

/// Parses, reads, edits, judges, splits and joins a stream, and checks each against what it promises.
pub fn hold(bytes: &[u8]) {
    let limits = Limits::default();
    if let Ok(tree) = Tree::parse(bytes, &limits) {
        the_tree_covers_its_source(&tree);
        every_value_can_be_read(&tree);
        an_edit_changes_nothing_else(&tree);
        a_split_loses_nothing(&tree);
    }
    what_is_valid_can_be_joined(bytes);
}

/// Components nest, properties lie in them in order, and all of it is the source.
fn the_tree_covers_its_source(tree: &Tree<'_>) {
    let mut end = 0;
    for root in tree.roots() {
        assert!(root.span().start >= end && root.parent().is_none());
        end = root.span().end;
    }
    assert!(end <= tree.source().len());
    for component in tree.components() {
        let around = component.span();
        let mut end = around.start;
        for child in component.children() {
            assert_eq!(
                child.parent().map(Component::index),
                Some(component.index())
            );
            assert!(child.span().start >= end && child.span().end <= around.end);
            assert!(child.line() > component.line());
            end = child.span().end;
        }
        let mut end = around.start;
        for property in component.properties() {
            let span = property.span();
            assert!(
                span.start > end.saturating_sub(1)
                    && span.end <= around.end
                    && span.start < span.end
            );
            assert!(tree.source()[span.clone()].starts_with(property.raw()));
            assert!(
                property.value_span().end <= span.end && property.value_span().start > span.start
            );
            assert!(property.line() > component.line());
            end = span.end;
        }
    }
    assert!(tree.faults().len() <= Limits::default().faults);
}

fn every_value_can_be_read(tree: &Tree<'_>) {
    for property in tree.components().flat_map(Component::properties) {
        assert!(
            !property.value().contains(['\r', '\n']),
            "{:?}",
            property.value()
        );
        let (text, texts) = (property.text(), property.texts());
        assert!(text.len() <= property.value().len() && !texts.is_empty());
        for param in property.params() {
            assert!(!param.values().is_empty());
            assert!(property.param(param.name()).is_some());
            assert!(param.name().len() + param.raw().len() < property.span().len() * 3);
        }
    }
}

fn an_edit_changes_nothing_else(tree: &Tree<'_>) {
    assert_eq!(Patch::new(tree).apply(), tree.source());
    let Some(component) = tree.components().last() else {
        return;
    };
    let line = content_line("X-FUZZ", &[("P", "a\"b\n,")], "x");
    let mut patch = Patch::new(tree);
    let before = component.properties().count();
    patch.insert(component, line.as_str());
    let edited = patch.apply();
    let limits = Limits {
        bytes: edited.len(),
        lines: edited.len(),
        depth: 64,
        faults: 32,
    };
    let again = Tree::parse(&edited, &limits).expect("within limits that are wide enough");
    let found = again
        .component(component.index())
        .expect("the same components");
    assert_eq!(found.properties().count(), before + 1);
    let added = found.properties().last().expect("one was added");
    assert_eq!(
        (added.name(), &*added.value(), added.param("P").as_deref()),
        ("X-FUZZ", "x", Some("a\"b\n,"))
    );
    let mut back = Patch::new(&again);
    back.remove(added);
    let back = back.apply();
    // An ending is added first where the source stops in mid line.
    assert!(
        back == tree.source()
            || back.len() <= tree.source().len() + 2 && back.starts_with(tree.source())
    );
}

fn a_split_loses_nothing(tree: &Tree<'_>) {
    let split = split(tree);
    for group in &split.groups {
        let document = split.document(group, "uid");
        for component in group.components.iter().filter(|_| group.uid.is_some()) {
            let raw = component.raw();
            assert!(memchr::memmem::find(&document, raw).is_some());
        }
    }
}

fn what_is_valid_can_be_joined(bytes: &[u8]) {
    let mut out = Vec::new();
    let mut join = Join::begin("", &mut out);
    join.push(bytes, &mut out);
    join.end(&mut out);
    let Ok(tree) = validate(bytes, &Rules::default()) else {
        return;
    };
    let object = Object::read(&tree).expect("what is valid is an object");
    its_text_says_the_same(&tree);
    let limits = Limits {
        bytes: out.len(),
        lines: out.len(),
        ..Limits::default()
    };
    let joined = Tree::parse(&out, &limits).expect("no deeper than before");
    let calendar = joined.roots().next().expect("a calendar was written");
    let kind = object.kind.name();
    assert_eq!(
        calendar.children_named(kind).count(),
        object.components().count()
    );
}

/// What XML carries of an object has the same values in it.
fn its_text_says_the_same(tree: &Tree<'_>) {
    let text = as_text(tree.source());
    let again = Tree::parse(text.as_bytes(), &Limits::default()).expect("not longer than before");
    let mut before = tree.components().flat_map(Component::properties);
    let mut after = again.components().flat_map(Component::properties);
    loop {
        let pair = (before.next(), after.next());
        let (Some(before), Some(after)) = pair else {
            assert!(pair.0.is_none() && pair.1.is_none());
            return;
        };
        assert_eq!(
            (before.name(), before.value()),
            (after.name(), after.value())
        );
    }
}

#[cfg(test)]
mod tests;
