use super::*;
use crate::ical::tree::Limits;

const DOC: &str = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY;LANGUAGE=de:Ei\r\n ns\r\nX-KEEP : odd\r\n\
    X-DUP:1\r\nBEGIN:VALARM\r\nEND:VALARM\r\nX-DUP:2\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

/// Applies edits to the VEVENT of a document.
fn edited(doc: &str, edit: impl for<'t> Fn(&mut Patch<'t>, Component<'t>)) -> String {
    let tree = Tree::parse(doc.as_bytes(), &Limits::default()).unwrap();
    let event = tree.roots().next().unwrap().child("VEVENT").unwrap();
    let mut patch = Patch::new(&tree);
    edit(&mut patch, event);
    String::from_utf8(patch.apply()).unwrap()
}

#[test]
fn no_edit_changes_no_byte() {
    assert_eq!(edited(DOC, |_, _| {}), DOC);
}

#[test]
fn an_edit_leaves_every_other_byte_alone() {
    let new = content_line("SUMMARY", &[("LANGUAGE", "en")], "One");
    let cases: [(String, String); 6] = [
        (
            edited(DOC, |p, e| {
                p.set(e, "summary", new.clone());
            }),
            DOC.replace("SUMMARY;LANGUAGE=de:Ei\r\n ns", "SUMMARY;LANGUAGE=en:One"),
        ),
        (
            edited(DOC, |p, e| {
                p.set_value(e.property("SUMMARY").unwrap(), "Zwei");
            }),
            DOC.replace("Ei\r\n ns", "Zwei"),
        ),
        (
            edited(DOC, |p, e| {
                p.set(e, "X-DUP", content_line("X-DUP", &[], "3"));
            }),
            DOC.replace("X-DUP:1", "X-DUP:3").replace("X-DUP:2\r\n", ""),
        ),
        (
            edited(DOC, |p, e| {
                p.insert(e, content_line("LOCATION", &[], "here"));
            }),
            DOC.replace("X-DUP:2\r\n", "X-DUP:2\r\nLOCATION:here\r\n"),
        ),
        (
            edited(DOC, |p, e| {
                p.remove_component(e.child("VALARM").unwrap());
            }),
            DOC.replace("BEGIN:VALARM\r\nEND:VALARM\r\n", ""),
        ),
        (
            edited(DOC, |p, e| {
                p.insert_component(e, "BEGIN:X-Y\r\nEND:X-Y\r\n");
            }),
            DOC.replace("END:VEVENT", "BEGIN:X-Y\r\nEND:X-Y\r\nEND:VEVENT"),
        ),
    ];
    for (found, wanted) in cases {
        assert_eq!(found, wanted);
    }
}

#[test]
fn lines_that_go_in_have_the_documents_own_ending() {
    for ending in ["\n", "\r"] {
        let doc = DOC.replace("\r\n", ending);
        let line = content_line("DESCRIPTION", &[], &"x".repeat(80));
        let found = edited(&doc, |patch, event| {
            patch.insert(event, line.clone());
        });
        let wanted = DOC
            .replace("X-DUP:2\r\n", &format!("X-DUP:2\r\n{line}"))
            .replace("\r\n", ending);
        assert_eq!(found, wanted);
    }
}

#[test]
fn a_document_that_ends_in_mid_line_gets_an_ending_first() {
    let doc = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1";
    let found = edited(doc, |patch, event| {
        patch.insert(event, content_line("X", &[], "1"));
    });
    assert_eq!(found, "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nX:1\n");
}

#[test]
fn an_edit_inside_of_what_goes_away_is_dropped() {
    let found = edited(DOC, |patch, event| {
        patch.remove(event.property("UID").unwrap());
        patch.insert(event, content_line("X", &[], "1"));
        patch.remove_component(event);
    });
    assert_eq!(found, "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n");
}

/// §3.1: 75 octets, and never inside a character.
#[test]
fn lines_are_folded_on_character_boundaries() {
    let line = content_line("SUMMARY", &[], &"é€😀x".repeat(50));
    assert!(line.ends_with("\r\n"));
    let lines: Vec<&str> = line.trim_end().split("\r\n").collect();
    assert!(lines.iter().all(|line| line.len() <= 75));
    assert!(lines[..lines.len() - 1].iter().all(|line| line.len() > 71));
    assert!(lines[1..].iter().all(|line| line.starts_with(' ')));
    assert_eq!(
        line.replace("\r\n ", ""),
        format!("SUMMARY:{}\r\n", "é€😀x".repeat(50))
    );
    assert_eq!(fold(&"x".repeat(75)).len(), 75);
    assert_eq!(fold(&"x".repeat(76)), format!("{}\r\n x", "x".repeat(75)));
}

#[test]
fn no_value_can_end_its_line() {
    let line = content_line(
        "SUM\r\nMARY",
        &[("X\n:", "a\r\nb\"c")],
        "one\r\ntwo\u{0}\nEND:VEVENT\r",
    );
    assert_eq!(line, "SUMMARY;X=a^nb^'c:one\\ntwo\\nEND:VEVENT\\n\r\n");
    assert_eq!(
        text_line("SUMMARY", &[("CN", "A:B")], "a;b,c\\d\ne"),
        "SUMMARY;CN=\"A:B\":a\\;b\\,c\\\\d\\ne\r\n"
    );
}
