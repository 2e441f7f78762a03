use super::*;

fn parse(text: &str) -> Tree<'_> {
    Tree::parse(text.as_bytes(), &Limits::default()).unwrap()
}

const EVENT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTIMEZONE\r\nTZID:X\r\nEND:VTIMEZONE\r\n\
    BEGIN:VEVENT\r\nUID:1\r\nSUMMARY;LANGUAGE=en:One\\, two\\nthr\r\n ee\r\nBEGIN:VALARM\r\nACTION:AUDIO\r\n\
    END:VALARM\r\nX-AFTER:1\r\nEND:VEVENT\r\nCALSCALE:GREGORIAN\r\nEND:VCALENDAR\r\n";

#[test]
fn components_and_properties_are_found_where_they_are() {
    let tree = parse(EVENT);
    assert_eq!(tree.faults(), []);
    let calendar = tree.roots().next().unwrap();
    assert!(calendar.is("vcalendar"));
    let names = |component: Component<'_>| {
        component
            .properties()
            .map(|p| p.name().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(calendar), ["VERSION", "CALSCALE"]);
    let children: Vec<_> = calendar
        .children()
        .map(|c| (c.name(), c.line(), c.index()))
        .collect();
    assert_eq!(children, [("VTIMEZONE", 3, 1), ("VEVENT", 6, 2)]);
    let event = calendar.child("vevent").unwrap();
    assert_eq!(names(event), ["UID", "SUMMARY", "X-AFTER"]);
    let summary = event.property("Summary").unwrap();
    assert_eq!(summary.value(), "One\\, two\\nthree");
    assert_eq!(summary.text(), "One, two\nthree");
    assert_eq!(summary.param("language").as_deref(), Some("en"));
    assert_eq!(summary.line(), 8);
    assert_eq!(
        summary.raw(),
        b"SUMMARY;LANGUAGE=en:One\\, two\\nthr\r\n ee"
    );
    let alarm = event.child("VALARM").unwrap();
    assert_eq!(alarm.line(), 10);
    assert_eq!(
        alarm.raw(),
        b"BEGIN:VALARM\r\nACTION:AUDIO\r\nEND:VALARM\r\n"
    );
    assert_eq!(alarm.parent().unwrap().index(), event.index());
    assert_eq!(calendar.span(), 0..EVENT.len());
    assert_eq!(tree.roots().count(), 1);
}

#[test]
fn every_line_ending_and_a_byte_order_mark_are_read() {
    for ending in ["\n", "\r", "\r\r\n"] {
        let text = format!("\u{feff}{}", EVENT.replace("\r\n", ending));
        let tree = parse(&text);
        assert_eq!(tree.faults(), [], "{ending:?}");
        let event = tree.roots().next().unwrap().child("VEVENT").unwrap();
        assert_eq!(
            event.property("SUMMARY").unwrap().value(),
            "One\\, two\\nthree"
        );
        assert_eq!(event.line(), 6, "{ending:?}");
    }
}

#[test]
fn folds_may_lie_anywhere() {
    let text = "BEGIN:VCA\r\n LENDAR\r\nSUM\n\tMARY;LAN\r\n GUAGE=\r e\r\n n:a\r\n b\r\nDESC\r\n RIPTION:\r\n  x\r\nE\r\n ND:VCALENDAR\r\n";
    let tree = parse(text);
    assert_eq!(tree.faults(), []);
    let calendar = tree.roots().next().unwrap();
    assert_eq!(calendar.name(), "VCALENDAR");
    let summary = calendar.property("SUMMARY").unwrap();
    assert_eq!(
        (
            summary.value().as_ref(),
            summary.param("LANGUAGE").as_deref()
        ),
        ("ab", Some("en"))
    );
    assert_eq!(calendar.property("DESCRIPTION").unwrap().value(), " x");
}

#[test]
fn a_fold_inside_a_character_does_no_harm() {
    let text = b"BEGIN:VCALENDAR\r\nSUMMARY:caf\xC3\r\n \xA9!\r\nEND:VCALENDAR\r\n";
    let tree = Tree::parse(text, &Limits::default()).unwrap();
    assert_eq!(tree.faults(), []);
    assert_eq!(
        tree.roots()
            .next()
            .unwrap()
            .property("SUMMARY")
            .unwrap()
            .text(),
        "café!"
    );
}

#[test]
fn bytes_that_are_not_utf8_are_a_fault_and_read_lossily() {
    let text = b"BEGIN:VCALENDAR\r\nSUMMARY:caf\xE9\r\nEND:VCALENDAR\r\n";
    let tree = Tree::parse(text, &Limits::default()).unwrap();
    assert_eq!(
        tree.faults()
            .iter()
            .map(|fault| (fault.line, fault.severity))
            .collect::<Vec<_>>(),
        [(2, Severity::Broken)]
    );
    assert_eq!(
        tree.roots()
            .next()
            .unwrap()
            .property("SUMMARY")
            .unwrap()
            .value(),
        "caf\u{fffd}"
    );
}

#[test]
fn parameters_are_unquoted_and_decoded() {
    let text = "BEGIN:X\nATTENDEE;CN=\"Doe; J: \"\"\";MEMBER=\"mailto:a@x\",\"mailto:b,c@x\";X=a^^b^n^'c^d;EMPTY=;FLAG:mailto:j@x\nEND:X\n";
    let text = text.replace("J: \"\"\"", "J: D\"");
    let tree = parse(&text);
    assert_eq!(tree.faults(), []);
    let attendee = tree.roots().next().unwrap().property("ATTENDEE").unwrap();
    assert_eq!(attendee.value(), "mailto:j@x");
    let params: Vec<_> = attendee
        .params()
        .map(|p| (p.name().to_owned(), p.values().join("|")))
        .collect();
    let wanted = [
        ("CN", "Doe; J: D"),
        ("MEMBER", "mailto:a@x|mailto:b,c@x"),
        ("X", "a^b\n\"c^d"),
        ("EMPTY", ""),
        ("FLAG", ""),
    ];
    assert_eq!(
        params,
        wanted.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    assert_eq!(attendee.param("member").as_deref(), Some("mailto:a@x"));
    assert_eq!(attendee.param("NONE"), None);
}

/// What is odd is told with its line, and the rest is read.
#[test]
fn faults_tell_the_line() {
    let cases: [(&str, &[(u32, Severity)]); 12] = [
        ("BEGIN:A\nX:1\n", &[(3, Severity::Broken)]),
        ("BEGIN:A\nBEGIN:B\nEND:A\n", &[(3, Severity::Broken)]),
        ("BEGIN:A\nEND:B\nEND:A\n", &[(2, Severity::Broken)]),
        ("X:1\nBEGIN:A\nEND:A\n", &[(1, Severity::Broken)]),
        ("BEGIN:A\nno colon\nEND:A\n", &[(2, Severity::Broken)]),
        ("BEGIN:A\n\nX:1\nEND:A\n", &[(2, Severity::Odd)]),
        (
            "BEGIN:A\n\n stray\nEND:A\n",
            &[(2, Severity::Odd), (3, Severity::Broken)],
        ),
        ("BEGIN:A\nX_Y:1\nEND:A\n", &[(2, Severity::Odd)]),
        ("BEGIN:A\nX Y:1\nEND:A\n", &[(2, Severity::Broken)]),
        ("BEGIN:A\nX;P=\"a:b\nEND:A\n", &[(2, Severity::Broken)]),
        ("BEGIN:\nEND:\n", &[(1, Severity::Broken)]),
        (
            "BEGIN:A\nX:1\n a\n b\n:2\nEND:A\n",
            &[(5, Severity::Broken)],
        ),
    ];
    for (text, faults) in cases {
        let found: Vec<_> = parse(text)
            .faults()
            .iter()
            .map(|fault| (fault.line, fault.severity))
            .collect();
        assert_eq!(found, faults, "{text:?}");
    }
}

#[test]
fn components_without_an_end_last_until_their_parent_ends() {
    let tree = parse("BEGIN:A\nBEGIN:B\nX:1\nEND:A\nBEGIN:C\nY:2");
    let roots: Vec<_> = tree
        .roots()
        .map(|root| (root.name(), root.span(), root.is_closed()))
        .collect();
    assert_eq!(roots, [("A", 0..26, true), ("C", 26..37, false)]);
    let inner = tree.roots().next().unwrap().child("B").unwrap();
    assert_eq!((inner.span(), inner.is_closed()), (8..20, false));
    assert_eq!(inner.property("X").unwrap().value(), "1");
}

#[test]
fn limits_end_the_parse_by_name() {
    let limits = Limits {
        bytes: 100,
        lines: 4,
        depth: 2,
        faults: 1,
    };
    let fails = |text: &str| {
        Tree::parse(text.as_bytes(), &limits)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        fails(&"x".repeat(101)),
        "line 1: 101 octets, the limit is 100"
    );
    assert_eq!(
        fails("BEGIN:A\nB:\nB:\nB:\nB:\n"),
        "line 5: more than 4 content lines"
    );
    assert_eq!(
        fails("BEGIN:A\nBEGIN:A\nBEGIN:A\n"),
        "line 3: components nested deeper than 2"
    );
    let tree = Tree::parse(b"BEGIN:A\n\n\nnothing\nEND:A\n", &limits).unwrap();
    assert_eq!(tree.faults().len(), 1);
    assert_eq!(tree.faults()[0].severity, Severity::Broken);
}

/// RFC 5545 §3.1, §3.1.1, §3.1.3, §3.2.11; RFC 6868 §3.2: lines as printed, and what they mean.
#[test]
fn the_rfcs_own_content_lines() {
    type Params = &'static [(&'static str, &'static [&'static str])];
    let cases: [(&str, &str, Params); 6] = [
        (
            "DESCRIPTION:This is a lo\r\n ng description\r\n  that exists on a long line.",
            "This is a long description that exists on a long line.",
            &[],
        ),
        (
            "ATTENDEE;RSVP=TRUE;ROLE=REQ-PARTICIPANT:mailto:\r\n jsmith@example.com",
            "mailto:jsmith@example.com",
            &[("RSVP", &["TRUE"]), ("ROLE", &["REQ-PARTICIPANT"])],
        ),
        (
            "RDATE;VALUE=DATE:19970304,19970504,19970704,19970904",
            "19970304,19970504,19970704,19970904",
            &[("VALUE", &["DATE"])],
        ),
        (
            "ATTACH;FMTTYPE=text/plain;ENCODING=BASE64;VALUE=BINARY:VGhlIHF1aWNrIGJyb3duIGZveA==",
            "VGhlIHF1aWNrIGJyb3duIGZveA==",
            &[
                ("FMTTYPE", &["text/plain"]),
                ("ENCODING", &["BASE64"]),
                ("VALUE", &["BINARY"]),
            ],
        ),
        (
            "ATTENDEE;MEMBER=\"mailto:projectA@example.com\",\"mailto:pr\r\n ojectB@example.com\":mailto:janedoe@example.com",
            "mailto:janedoe@example.com",
            &[(
                "MEMBER",
                &["mailto:projectA@example.com", "mailto:projectB@example.com"],
            )],
        ),
        (
            "ATTENDEE;CN=George Herman ^'Babe^' Ruth:mailto:babe@example.com",
            "mailto:babe@example.com",
            &[("CN", &["George Herman \"Babe\" Ruth"])],
        ),
    ];
    for (line, value, params) in cases {
        let text = format!("BEGIN:VEVENT\r\n{line}\r\nEND:VEVENT\r\n");
        let tree = parse(&text);
        assert_eq!(tree.faults(), [], "{line}");
        let property = tree.roots().next().unwrap().properties().next().unwrap();
        assert_eq!(property.value(), value);
        let found: Vec<_> = property
            .params()
            .map(|param| (param.name().to_owned(), param.values().join("|")))
            .collect();
        let wanted: Vec<_> = params
            .iter()
            .map(|(name, values)| ((*name).to_owned(), values.join("|")))
            .collect();
        assert_eq!(found, wanted);
    }
}
