use super::XmlErrorKind::{Doctype, Encoding, Entity, Malformed, TooDeep, TooLarge};
use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Element {
    read(text.as_bytes(), &Limits::default()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal(bytes: &[u8]) -> XmlErrorKind {
    match read(bytes, &Limits::default()) {
        Ok(root) => panic!("{} accepted as {root:?}", String::from_utf8_lossy(bytes)),
        Err(error) => error.kind,
    }
}

#[test]
fn a_propfind_body() {
    let root = parse(
        r#"<?xml version="1.0" encoding="UTF-8"?>
        <A:propfind xmlns:A="DAV:" xmlns="urn:ietf:params:xml:ns:caldav">
          <A:prop><A:getetag/><calendar-data content-type='text/calendar'/><x xmlns=""/><y xmlns="urn:y&amp;z"/></A:prop>
        </A:propfind>"#,
    );
    assert_eq!(root.name, Name::dav("propfind"));
    let prop = root.child(&Name::dav("prop")).expect("prop");
    let names: Vec<_> = prop
        .elements()
        .map(|element| element.name.clone())
        .collect();
    let expected = [
        Name::dav("getetag"),
        Name::caldav("calendar-data"),
        Name::plain("x"),
        Name::new("urn:y&z", "y"),
    ];
    assert_eq!(names, expected);
    let data = prop
        .child(&Name::caldav("calendar-data"))
        .expect("calendar-data");
    assert_eq!(data.attr("content-type"), Some("text/calendar"));
    assert_eq!(data.attr("version"), None);
}

#[test]
fn text_is_joined_across_references_comments_and_cdata() {
    let root = parse("<a>\r\n x &lt;&#x41;&#10;<!-- no --><![CDATA[<&]]>&amp;<b>in</b> z\r</a>");
    assert_eq!(root.text(), "\n x <A\n<&& z\n");
    assert_eq!(root.trimmed_text(), "x <A\n<&& z");
    assert_eq!(root.children.len(), 3);
}

#[test]
fn a_byte_order_mark_and_any_case_of_utf_8_are_accepted() {
    for text in [
        "\u{FEFF}<a/>",
        "\u{FEFF}<?xml version='1.0' encoding='Utf-8'?><a/>",
        "<?xml version='1.0' standalone='yes'?><!-- c --><?pi x?>\n<a></a >\n<!-- d -->\n",
    ] {
        assert_eq!(parse(text).name, Name::plain("a"));
    }
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for text in [
        "",
        " ",
        "text",
        "<a",
        "<a>",
        "<a></b>",
        "</a>",
        "<a/><b/>",
        "<a/>x",
        "x<a/>",
        "<a/>&amp;",
        "<![CDATA[x]]><a/>",
        "<a><b></a></b>",
        "<a b='1' b='2'/>",
        "<a b=1/>",
        "<a b/>",
        "<a b='<'/>",
        "<a b='1'c='2'/>",
        "<a>]]></a>",
        "<a>&#0;</a>",
        "<a>&#x1F;</a>",
        "<a>&#xD800;</a>",
        "<a>&#xFFFF;</a>",
        "<a b='&#8;'/>",
        "<a>\u{1}</a>",
        "<a>\u{FFFE}</a>",
        "<a>&</a>",
        "<a>&amp</a>",
        "<1/>",
        "< a/>",
        "<a><!-- -- --></a>",
        "<a/><?xml version='1.0'?>",
        " <?xml version='1.0'?><a/>",
        "<a><?XML x?></a>",
        "<?xml version='2.0'?><a/>",
        "<a:b:c xmlns:a='x'/>",
        "<:a/>",
        "<a:/>",
        // Namespaces in XML 1.0
        "<p:a/>",
        "<a p:b='1'/>",
        "<a xmlns:p=''/>",
        "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>",
        "<xmlns:a/>",
        "<a xmlns:xml='u'/>",
        "<a xmlns:xmlns='u'/>",
        "<a xmlns:1='u'/>",
        "<a><b xmlns:p='u'/><p:c/></a>",
    ] {
        assert_eq!(refusal(text.as_bytes()), Malformed, "{text}");
    }
}

#[test]
fn entities_and_document_types_are_refused() {
    for text in [
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
        "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY l 'ha'><!ENTITY k '&l;&l;&l;'>]><a>&k;</a>",
    ] {
        assert_eq!(refusal(text.as_bytes()), Doctype, "{text}");
    }
    for text in ["<a>&nbsp;</a>", "<a b='&x;'/>", "<a xmlns='&x;'/>"] {
        assert_eq!(refusal(text.as_bytes()), Entity, "{text}");
    }
}

#[test]
fn other_encodings_are_refused() {
    let declared: Vec<u8> = "\u{FEFF}<?xml version='1.0' encoding='utf-8'?><a/>"
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    for bytes in [
        declared.as_slice(),
        b"<\0a\0/\0>\0",
        b"\xFE\xFF\0<\0a\0/\0>\0",
        b"\xFE\xFF\xD8\0\0<\0a\0/\0>",
        b"<a>\xE9</a>",
        b"<?xml version='1.0' encoding='iso-8859-1'?><a/>",
        b"<?xml version='1.0' encoding='UTF-16'?><a/>",
    ] {
        assert_eq!(refusal(bytes), Encoding, "{bytes:?}");
    }
}

#[test]
fn utf_16_with_a_byte_order_mark_is_read() {
    for text in [
        "\u{FEFF}<a>é\u{1F600}</a>",
        "\u{FEFF}<?xml version='1.0' encoding='UTF-16'?><a>é\u{1F600}</a>",
    ] {
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [big, little] {
            let root = read(&bytes, &Limits::default()).unwrap();
            assert_eq!(root.text(), "é\u{1F600}");
        }
    }
}

/// A document of 60 KB was a tree of 135 MB: each element had a namespace of its own, or was written with one.
#[test]
fn a_long_namespace_is_not_used_often() {
    let document = |used: usize| {
        let others: String = (0..40).map(|n| format!("<n{n}/>")).collect();
        format!(
            "<r xmlns:x='{}'>{others}{}</r>",
            "u".repeat(10_000),
            "<x:a x:b=''/>".repeat(used)
        )
    };
    let limits = Limits {
        bytes: 100_000,
        ..Limits::default()
    };
    assert!(read(document(5).as_bytes(), &limits).is_ok());
    assert_eq!(
        read(document(6).as_bytes(), &limits).unwrap_err().kind,
        TooLarge
    );
    let known = format!("<r xmlns='DAV:'>{}</r>", "<a/>".repeat(19_000));
    assert!(read(known.as_bytes(), &limits).is_ok());
}

#[test]
fn limits_hold_exactly() {
    let limits = Limits {
        bytes: 100,
        depth: 3,
        elements: 5,
        attributes: 2,
    };
    let check = |text: &str| {
        read(text.as_bytes(), &limits)
            .map(|_| ())
            .map_err(|error| error.kind)
    };
    for (text, expected) in [
        ("<a><b><c/></b></a>", Ok(())),
        ("<a><b><c><d/></c></b></a>", Err(TooDeep)),
        ("<a><b/><b/><b/><b/></a>", Ok(())),
        ("<a><b/><b/><b/><b/><b/></a>", Err(TooLarge)),
        ("<a x='' y=''/>", Ok(())),
        ("<a x='' y='' xmlns:z='u'/>", Err(TooLarge)),
    ] {
        assert_eq!(check(text), expected, "{text}");
    }
    assert_eq!(check(&format!("<a>{}</a>", "x".repeat(93))), Ok(()));
    assert_eq!(check(&format!("<a>{}</a>", "x".repeat(94))), Err(TooLarge));
    let deep = "<a>".repeat(100_000);
    assert_eq!(refusal(deep.as_bytes()), TooDeep);
}

#[test]
fn errors_name_their_place() {
    let error = read(b"<a>\n <b>\n  &x;</b></a>", &Limits::default()).expect_err("unknown entity");
    assert_eq!(error.to_string(), "line 3, column 3: unknown entity &x;");
}

#[test]
fn what_is_too_long_for_a_language_is_not_inherited() {
    for (length, inherited) in [(255, true), (256, false)] {
        let lang = "x".repeat(length);
        let root = parse(&format!("<a xml:lang='{lang}'><b/></a>"));
        let [below] = &root.elements().collect::<Vec<_>>()[..] else {
            panic!("one element")
        };
        assert_eq!(below.lang(), Some(&*lang).filter(|_| inherited));
    }
}

#[test]
fn language_is_inherited_and_can_be_taken_away() {
    let root = parse("<a xml:lang='en'><b><c xml:lang='de'/><d xml:lang=''/></b></a>");
    let b = root.elements().next().expect("b");
    let langs: Vec<_> = b.elements().map(Element::lang).collect();
    assert_eq!(
        (root.lang(), b.lang(), langs),
        (Some("en"), Some("en"), vec![Some("de"), None])
    );
}

#[test]
fn fragments_stand_on_their_own() {
    for (document, expected) in [
        (
            "<D:p xmlns:D='DAV:'><D:x>1</D:x></D:p>",
            "<D:x xmlns:D=\"DAV:\">1</D:x>",
        ),
        (
            "<p xmlns='urn:u'><x><y xmlns=''/></x></p>",
            "<x xmlns=\"urn:u\"><y xmlns=\"\"/></x>",
        ),
        ("<p xml:lang='de'><x/></p>", "<x xml:lang=\"de\"/>"),
        (
            "<p xml:lang='de'><x xml:lang='en'>a<b/>c &amp;&#13;</x></p>",
            "<x xml:lang=\"en\">a<b/>c &amp;&#13;</x>",
        ),
        (
            "<p xmlns:q='urn:q' xmlns:r='urn:r'><q:x r:a='1' b='&lt;&quot;&#10;'><r:y q:c=''/></q:x></p>",
            "<q:x xmlns:q=\"urn:q\" xmlns:r=\"urn:r\" r:a=\"1\" b=\"&lt;&quot;&#10;\"><r:y q:c=\"\"/></q:x>",
        ),
        (
            "<p><q:x xmlns:q='urn:1'><q:y xmlns:q='urn:2'/><q:z/></q:x></p>",
            "<q:x xmlns:q=\"urn:1\"><q:y xmlns:q=\"urn:2\"/><q:z/></q:x>",
        ),
    ] {
        let root = parse(document);
        let fragment = root.elements().next().expect("a child").to_xml_string();
        assert_eq!(fragment, expected);
        assert_eq!(parse(&fragment).to_xml_string(), fragment);
    }
}

/// A document that mentions every kind of markup, for byte-level mutation.
const SEED: &str = "<?xml version='1.0' encoding='utf-8'?><!-- c --><D:a xmlns:D='DAV:' xmlns='urn:x' \
    xml:lang='en'><b c='d&amp;&#65;' D:e=\"f\"/>t&lt;x<![CDATA[<]]><?p i?><D:g xmlns:D='urn:y'>h</D:g></D:a>";

proptest! {
    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes, &Limits::default());
    }

    #[test]
    fn a_mutated_document_is_refused_or_survives_a_round_trip(
        edits in proptest::collection::vec((0..SEED.len(), prop_oneof![any::<u8>(), Just(b'<'), Just(b'>'), Just(b'&'), Just(b'"')]), 0..4)
    ) {
        let mut bytes = SEED.as_bytes().to_vec();
        for (at, byte) in edits {
            bytes[at] = byte;
        }
        if let Ok(root) = read(&bytes, &Limits::default()) {
            prop_assert_eq!(parse(&root.to_xml_string()), root);
        }
    }
}
