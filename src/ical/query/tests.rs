use super::*;
use crate::dav::filter::FilterError;
use crate::xml;

/// A filter with `inner` inside of its comp-filter for VCALENDAR.
pub(super) fn filter(inner: &str) -> Result<Filter, FilterError> {
    let text = format!(
        "<C:filter xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><C:comp-filter name=\"VCALENDAR\">{inner}\
         </C:comp-filter></C:filter>"
    );
    let element = xml::read(text.as_bytes(), &xml::Limits::default()).expect("well-formed");
    Filter::from_xml(&element)
}

const RANGE: &str = "<C:time-range start=\"20060104T000000Z\" end=\"20060105T000000Z\"/>";
const DAY: TimeRange = TimeRange {
    start: 1_136_332_800,
    end: 1_136_419_200,
};

#[test]
fn a_filter_is_read_as_data() {
    let read = filter(&format!(
        "<C:comp-filter name=\"vevent\">{RANGE}<C:prop-filter name=\"ATTENDEE\">\
         <C:text-match collation=\"i;ascii-casemap\" negate-condition=\"yes\">Mailto:Lisa</C:text-match>\
         <C:param-filter name=\"PARTSTAT\"><C:is-not-defined/></C:param-filter></C:prop-filter>\
         <C:comp-filter name=\"VALARM\"><C:is-not-defined/></C:comp-filter></C:comp-filter>"
    ));
    let text = TextMatch::new("mailto:lisa", Collation::AsciiCasemap, true);
    let params = vec![ParamFilter {
        name: "PARTSTAT".into(),
        test: ParamTest::NotDefined,
    }];
    let attendee = PropFilter {
        name: "ATTENDEE".into(),
        test: PropTest::Defined {
            range: None,
            text: Some(text),
            params,
        },
    };
    let alarm = CompFilter {
        name: "VALARM".into(),
        test: CompTest::NotDefined,
    };
    let event = CompFilter {
        name: "VEVENT".into(),
        test: CompTest::Defined {
            range: Some(DAY),
            props: vec![attendee],
            comps: vec![alarm],
        },
    };
    let calendar = CompFilter {
        name: "VCALENDAR".into(),
        test: CompTest::Defined {
            range: None,
            props: vec![],
            comps: vec![event],
        },
    };
    assert_eq!(read, Ok(Filter { calendar }));
}

#[test]
fn what_is_no_filter_is_refused_with_its_precondition() {
    let event = |inner: &str| format!("<C:comp-filter name=\"VEVENT\">{inner}</C:comp-filter>");
    let range = |attrs: &str| event(&format!("<C:time-range {attrs}/>"));
    let summary = |inner: &str| {
        event(&format!(
            "<C:prop-filter name=\"SUMMARY\">{inner}</C:prop-filter>"
        ))
    };
    for (inner, expected) in [
        ("<C:comp-filter/>".to_owned(), "valid-filter"),
        ("<C:comp-filter name=\" \"/>".to_owned(), "valid-filter"),
        ("<C:text-match>x</C:text-match>".to_owned(), "valid-filter"),
        (
            event("<C:is-not-defined/><C:prop-filter name=\"UID\"/>"),
            "valid-filter",
        ),
        (range(""), "valid-filter"),
        (range("start=\"20060104\""), "valid-filter"),
        (range("start=\"20060104T000000\""), "valid-filter"),
        (
            range("start=\"20060105T000000Z\" end=\"20060105T000000Z\""),
            "valid-filter",
        ),
        (event(&format!("{RANGE}{RANGE}")), "valid-filter"),
        (
            summary("<C:text-match negate-condition=\"maybe\">x</C:text-match>"),
            "valid-filter",
        ),
        (RANGE.to_owned(), "supported-filter"),
        (summary(RANGE), "supported-filter"),
        (
            event(&format!(
                "<C:comp-filter name=\"X\">{RANGE}</C:comp-filter>"
            )),
            "supported-filter",
        ),
        (
            summary("<C:text-match collation=\"i;ascii-numeric\">x</C:text-match>"),
            "supported-collation",
        ),
        (
            "<C:comp-filter name=\"A\">".repeat(20) + &"</C:comp-filter>".repeat(20),
            "supported-filter",
        ),
        (
            event(&"<C:prop-filter name=\"X\"/>".repeat(2000)),
            "supported-filter",
        ),
    ] {
        let found = match filter(&inner) {
            Ok(read) => panic!("{inner} was read as {read:?}"),
            Err(FilterError::Invalid(_)) => "valid-filter",
            Err(FilterError::Unsupported(_)) => "supported-filter",
            Err(FilterError::Collation(_)) => "supported-collation",
        };
        assert_eq!(found, expected, "{inner}");
    }
    for text in [
        "<C:filter xmlns:C=\"urn:ietf:params:xml:ns:caldav\"/>",
        "<C:filter xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><C:comp-filter name=\"VEVENT\"/></C:filter>",
    ] {
        let element = xml::read(text.as_bytes(), &xml::Limits::default()).expect("well-formed");
        assert!(
            matches!(Filter::from_xml(&element), Err(FilterError::Invalid(_))),
            "{text}"
        );
    }
}

#[test]
fn elements_of_other_namespaces_and_open_ranges_are_accepted() {
    let read = filter(
        "<C:comp-filter name=\"VTODO\"><x/><C:time-range end=\"20060105T000000Z\"/></C:comp-filter>",
    );
    let range = read.expect("a filter").prefilter().range.expect("a range");
    assert_eq!((range.from(), range.until()), (None, Some(DAY.end)));
    assert_eq!(range.widened(10, 10).until(), Some(DAY.end + 10));
    assert_eq!(range.widened(10, 10).from(), None);
}

#[test]
fn the_index_is_told_what_it_can_answer() {
    let event = |inner: &str| format!("<C:comp-filter name=\"VEVENT\">{inner}</C:comp-filter>");
    let uid = "<C:prop-filter name=\"UID\"><C:text-match>1</C:text-match></C:prop-filter>";
    for (inner, component, range, has_uid, exact) in [
        (String::new(), None, None, false, true),
        (event(""), Some("VEVENT"), None, false, true),
        (event(RANGE), Some("VEVENT"), Some(DAY), false, true),
        (event(uid), Some("VEVENT"), None, true, false),
        (
            event(&format!("{RANGE}<C:prop-filter name=\"X\"/>")),
            Some("VEVENT"),
            Some(DAY),
            false,
            false,
        ),
        (
            event(&format!(
                "<C:comp-filter name=\"VALARM\">{RANGE}</C:comp-filter>"
            )),
            Some("VEVENT"),
            None,
            false,
            false,
        ),
        (
            format!("<C:prop-filter name=\"METHOD\"/>{}", event(RANGE)),
            Some("VEVENT"),
            Some(DAY),
            false,
            false,
        ),
        (event("<C:is-not-defined/>"), None, None, false, false),
        (
            event("") + "<C:comp-filter name=\"VTODO\"/>",
            Some("VEVENT"),
            None,
            false,
            false,
        ),
        (
            format!("<C:comp-filter name=\"VTIMEZONE\"/>{}", event(RANGE)),
            Some("VEVENT"),
            Some(DAY),
            false,
            false,
        ),
        (
            "<C:comp-filter name=\"VTIMEZONE\"/>".to_owned(),
            None,
            None,
            false,
            false,
        ),
    ] {
        let filter = filter(&inner).expect("a filter");
        let found = filter.prefilter();
        let found = (
            found.component,
            found.range,
            found.uid.is_some(),
            found.exact,
        );
        assert_eq!(found, (component, range, has_uid, exact), "{inner}");
    }
}

#[test]
fn text_matches_are_substrings() {
    for (text, value, negate, expected) in [
        ("steel", "Go Steelers!", false, true),
        ("steel", "Go Steelers!", true, false),
        ("x", "abc", false, false),
        ("x", "abc", true, true),
        ("", "abc", false, true),
    ] {
        let found = TextMatch::new(text, Collation::AsciiCasemap, negate).matches(value);
        assert_eq!(found, expected, "{text} in {value}, negated: {negate}");
    }
}
