//! calendar-query and calendar-multiget: RFC 4791 §7.8 and §7.9, on the data of its appendix B.

use super::*;

/// The objects of RFC 4791 appendix B that its examples find, on the same dates.
const ABCD1: &str = include_str!("../../../fixtures/rfc4791/abcd1.ics");
const ABCD2: &str = include_str!("../../../fixtures/rfc4791/abcd2.ics");
const ABCD3: &str = include_str!("../../../fixtures/rfc4791/abcd3.ics");
const ABCD4: &str = include_str!("../../../fixtures/rfc4791/abcd4.ics");
const ABCD5: &str = include_str!("../../../fixtures/rfc4791/abcd5.ics");
const ABCD6: &str = include_str!("../../../fixtures/rfc4791/abcd6.ics");
const ABCD7: &str = include_str!("../../../fixtures/rfc4791/abcd7.ics");
const ABCD8: &str = include_str!("../../../fixtures/rfc4791/abcd8.ics");

async fn appendix_b() -> Dav {
    let dav = Dav::new().await;
    let body = format!(
        "<C:mkcalendar {NS}><D:set><D:prop><C:supported-calendar-component-set><C:comp name=\"VEVENT\"/>\
         <C:comp name=\"VTODO\"/><C:comp name=\"VFREEBUSY\"/></C:supported-calendar-component-set></D:prop></D:set></C:mkcalendar>"
    );
    dav.ok("DELETE", WORK, &[], "", 204).await;
    dav.ok("MKCALENDAR", WORK, &[], &body, 201).await;
    for (n, text) in [ABCD1, ABCD2, ABCD3, ABCD4, ABCD5, ABCD6, ABCD7, ABCD8]
        .into_iter()
        .enumerate()
    {
        let answer = dav
            .put(
                &format!("abcd{}.ics", n + 1),
                &text.replace('\n', "\r\n").replace("\r\r", "\r"),
            )
            .await;
        assert_eq!(answer.status, 201, "abcd{}: {}", n + 1, answer.text());
    }
    dav
}

/// A query for `data`, filtered inside of VCALENDAR by `filter`.
fn query(data: &str, filter: &str) -> String {
    format!(
        "<C:calendar-query {NS}><D:prop><D:getetag/>{data}</D:prop><C:filter><C:comp-filter name=\"VCALENDAR\">{filter}\
         </C:comp-filter></C:filter></C:calendar-query>"
    )
}

async fn matches(dav: &Dav, filter: &str) -> Vec<String> {
    let mut names = dav.report(WORK, "1", &query("", filter)).await.names();
    names.sort();
    names
        .iter()
        .map(|name| name.trim_end_matches(".ics").to_owned())
        .collect()
}

#[tokio::test]
async fn the_filters_of_rfc_4791_7_8() {
    let dav = appendix_b().await;
    for (section, filter, want) in [
        (
            "7.8.1 and 7.8.3",
            "<C:comp-filter name=\"VEVENT\"><C:time-range start=\"20060104T000000Z\" end=\"20060105T000000Z\"/></C:comp-filter>",
            &["abcd2", "abcd3"][..],
        ),
        (
            // The RFC's own range begins after the alarm, which goes off ten minutes before the day begins.
            "7.8.5",
            "<C:comp-filter name=\"VTODO\"><C:comp-filter name=\"VALARM\">\
             <C:time-range start=\"20060105T100000Z\" end=\"20060106T100000Z\"/></C:comp-filter></C:comp-filter>",
            &["abcd5"],
        ),
        (
            "7.8.6",
            "<C:comp-filter name=\"VEVENT\"><C:prop-filter name=\"UID\"><C:text-match collation=\"i;octet\">\
             DC6C50A017428C5216A2F1CD@example.com</C:text-match></C:prop-filter></C:comp-filter>",
            &["abcd3"],
        ),
        (
            "7.8.7",
            "<C:comp-filter name=\"VEVENT\"><C:prop-filter name=\"ATTENDEE\">\
             <C:text-match collation=\"i;ascii-casemap\">mailto:lisa@example.com</C:text-match>\
             <C:param-filter name=\"PARTSTAT\"><C:text-match collation=\"i;ascii-casemap\">NEEDS-ACTION</C:text-match>\
             </C:param-filter></C:prop-filter></C:comp-filter>",
            &["abcd3"],
        ),
        (
            "7.8.8",
            "<C:comp-filter name=\"VEVENT\"/>",
            &["abcd1", "abcd2", "abcd3"],
        ),
        (
            "7.8.9",
            "<C:comp-filter name=\"VTODO\"><C:prop-filter name=\"COMPLETED\"><C:is-not-defined/></C:prop-filter>\
             <C:prop-filter name=\"STATUS\"><C:text-match negate-condition=\"yes\">CANCELLED</C:text-match></C:prop-filter>\
             </C:comp-filter>",
            &["abcd4", "abcd5"],
        ),
        (
            "everything",
            "",
            &[
                "abcd1", "abcd2", "abcd3", "abcd4", "abcd5", "abcd6", "abcd7", "abcd8",
            ],
        ),
        (
            "no events",
            "<C:comp-filter name=\"VEVENT\"><C:is-not-defined/></C:comp-filter>",
            &["abcd4", "abcd5", "abcd6", "abcd7", "abcd8"],
        ),
        (
            "start only, as iOS asks",
            "<C:comp-filter name=\"VEVENT\"><C:time-range start=\"20060106T000000Z\"/></C:comp-filter>",
            &["abcd2"],
        ),
        (
            "tasks in a range",
            "<C:comp-filter name=\"VTODO\"><C:time-range start=\"20060105T000000Z\" end=\"20060106T000000Z\"/></C:comp-filter>",
            &["abcd5"],
        ),
    ] {
        assert_eq!(matches(&dav, filter).await, want, "{section}");
    }
}

#[tokio::test]
async fn partial_and_expanded_data_of_rfc_4791_7_8_1_to_7_8_4() {
    let dav = appendix_b().await;
    let range = "<C:comp-filter name=\"VEVENT\"><C:time-range start=\"20060104T000000Z\" end=\"20060105T000000Z\"/></C:comp-filter>";
    let partial = "<C:calendar-data><C:comp name=\"VCALENDAR\"><C:prop name=\"VERSION\"/><C:comp name=\"VEVENT\">\
        <C:prop name=\"SUMMARY\"/><C:prop name=\"UID\"/></C:comp></C:comp></C:calendar-data>";
    let at = format!("{WORK}abcd2.ics");
    let text = dav
        .report(WORK, "1", &query(partial, range))
        .await
        .value(&at, "calendar-data")
        .unwrap();
    assert!(
        text.contains("SUMMARY:") && !text.contains("DTSTART") && !text.contains("VTIMEZONE"),
        "{text}"
    );
    let expand = "<C:calendar-data><C:expand start=\"20060103T000000Z\" end=\"20060105T000000Z\"/></C:calendar-data>";
    let text = dav
        .report(WORK, "1", &query(expand, range))
        .await
        .value(&at, "calendar-data")
        .unwrap();
    assert!(
        !text.contains("RRULE") && !text.contains("VTIMEZONE"),
        "{text}"
    );
    assert!(
        text.contains("DTSTART:20060103T170000Z") && text.contains("DTSTART:20060104T190000Z"),
        "{text}"
    );
    let limit = "<C:calendar-data><C:limit-recurrence-set start=\"20060103T000000Z\" end=\"20060105T000000Z\"/></C:calendar-data>";
    let text = dav
        .report(WORK, "1", &query(limit, range))
        .await
        .value(&at, "calendar-data")
        .unwrap();
    assert!(
        text.contains("RRULE") && text.contains("RECURRENCE-ID"),
        "{text}"
    );
    let whole = dav
        .report(WORK, "1", &query("<C:calendar-data/>", range))
        .await
        .value(&at, "calendar-data")
        .unwrap();
    assert_eq!(whole, dav.ok("GET", &at, &[], "", 200).await.text());
}

#[tokio::test]
async fn queries_that_cannot_be_answered_say_why() {
    let dav = Dav::new().await;
    for (filter, want) in [
        ("<C:comp-filter/>", "valid-filter"),
        (
            "<C:comp-filter name=\"VEVENT\"><C:time-range/></C:comp-filter>",
            "valid-filter",
        ),
        (
            "<C:comp-filter name=\"VEVENT\"><C:time-range start=\"20060104\"/></C:comp-filter>",
            "valid-filter",
        ),
        (
            "<C:comp-filter name=\"VTIMEZONE\"><C:time-range start=\"20060104T000000Z\"/></C:comp-filter>",
            "supported-filter",
        ),
        (
            "<C:comp-filter name=\"VEVENT\"><C:prop-filter name=\"SUMMARY\"><C:text-match collation=\"i;x\">a</C:text-match></C:prop-filter></C:comp-filter>",
            "supported-collation",
        ),
    ] {
        let answer = dav
            .ok("REPORT", WORK, &[("Depth", "1")], &query("", filter), 403)
            .await;
        assert_eq!(answer.precondition(), want, "{filter}");
    }
    let jcal = query(
        "<C:calendar-data content-type=\"application/calendar+json\"/>",
        "",
    );
    assert_eq!(
        dav.send("REPORT", WORK, &[], &jcal).await.precondition(),
        "supported-calendar-data"
    );
    let none = format!("<C:calendar-query {NS}><D:prop/></C:calendar-query>");
    assert_eq!(
        dav.send("REPORT", WORK, &[], &none).await.precondition(),
        "valid-filter"
    );
    let unknown = format!("<X:report {NS}/>");
    assert_eq!(
        dav.send("REPORT", WORK, &[], &unknown).await.precondition(),
        "supported-report"
    );
}

#[tokio::test]
async fn floating_times_and_dates_are_read_in_the_calendars_zone_or_the_querys() {
    let dav = Dav::new().await;
    let day = event("day", 10).replace(
        "DTSTART:20270110T100000Z\r\nDTEND:20270110T110000Z",
        "DTSTART;VALUE=DATE:20270110",
    );
    let floating = event("float", 10)
        .replace("T100000Z", "T003000")
        .replace("T110000Z", "T013000");
    dav.put("day.ics", &day).await;
    dav.put("float.ics", &floating).await;
    let range = |from: &str, to: &str| {
        format!(
            "<C:comp-filter name=\"VEVENT\"><C:time-range start=\"202701{from}00Z\" end=\"202701{to}00Z\"/></C:comp-filter>"
        )
    };
    let evening = range("09T2200", "09T2330");
    assert!(
        matches(&dav, &evening).await.is_empty(),
        "in UTC the tenth has not begun"
    );
    let berlin = "<C:calendar-timezone-id>Europe/Berlin</C:calendar-timezone-id>";
    dav.proppatch(WORK, berlin).await;
    assert_eq!(matches(&dav, &range("09T2300", "09T2330")).await, ["day"]);
    assert_eq!(
        matches(&dav, &range("09T2330", "10T0030")).await,
        ["day", "float"]
    );
    let tokyo = query("", &range("09T1500", "09T1501")).replace(
        "</C:calendar-query>",
        "<C:timezone-id>Asia/Tokyo</C:timezone-id></C:calendar-query>",
    );
    assert_eq!(dav.report(WORK, "1", &tokyo).await.names(), ["day.ics"]);
}

#[tokio::test]
async fn recurrences_are_found_however_far_away() {
    let dav = Dav::new().await;
    dav.put(
        "r.ics",
        &event("r", 4).replace("SUMMARY", "RRULE:FREQ=WEEKLY\r\nSUMMARY"),
    )
    .await;
    for (from, to, found) in [
        ("20270111T100000Z", "20270111T110000Z", true),
        ("20270112T100000Z", "20270112T110000Z", false),
        ("20990105T000000Z", "20990106T000000Z", true),
        ("20990106T000000Z", "20990107T000000Z", false),
        ("20200101T000000Z", "20210101T000000Z", false),
    ] {
        let filter = format!(
            "<C:comp-filter name=\"VEVENT\"><C:time-range start=\"{from}\" end=\"{to}\"/></C:comp-filter>"
        );
        assert_eq!(!matches(&dav, &filter).await.is_empty(), found, "{from}");
    }
}

#[tokio::test]
async fn the_scope_of_a_query_follows_depth() {
    let dav = Dav::new().await;
    dav.put("a.ics", &event("a", 1)).await;
    let body = query("", "<C:comp-filter name=\"VEVENT\"/>");
    let url = format!("{WORK}a.ics");
    assert!(dav.report(WORK, "0", &body).await.responses().is_empty());
    assert_eq!(dav.report(WORK, "infinity", &body).await.names(), ["a.ics"]);
    assert_eq!(dav.report(&url, "0", &body).await.names(), ["a.ics"]);
    assert_eq!(dav.report(ANNA, "infinity", &body).await.hrefs(), [url]);
    assert!(dav.report(ANNA, "1", &body).await.responses().is_empty());
    dav.ok(
        "REPORT",
        "/dav/calendars/anna/work/none.ics",
        &[],
        &body,
        404,
    )
    .await;
}

#[tokio::test]
async fn multiget_of_rfc_4791_7_9() {
    let dav = Dav::new().await;
    dav.put("a.ics", &event("a", 1)).await;
    dav.put("b%20c.ics", &event("b", 1)).await;
    dav.ok(
        "PUT",
        "/dav/calendars/anna/calendar/x.ics",
        &[],
        &event("x", 1),
        201,
    )
    .await;
    let multiget = |hrefs: &[&str]| {
        let hrefs: String = hrefs
            .iter()
            .map(|href| format!("<D:href>{href}</D:href>"))
            .collect();
        format!(
            "<C:calendar-multiget {NS}><D:prop><D:getetag/><C:calendar-data/><C:schedule-tag/></D:prop>{hrefs}</C:calendar-multiget>"
        )
    };
    let hrefs = [
        "/dav/calendars/anna/work/mtg1.ics",
        "/dav/calendars/anna/work/a.ics",
        "http://localhost/dav/calendars/anna/work/b%20c.ics",
        "/dav/calendars/anna/calendar/x.ics",
        "/dav/calendars/ben/work/a.ics",
        "/elsewhere",
        "/dav/calendars/anna/work/a.ics",
    ];
    let answer = dav.report(WORK, "1", &multiget(&hrefs)).await;
    let fates: Vec<_> = answer
        .responses()
        .iter()
        .map(|r| (href(r), r.child(&Name::dav("status")).is_none()))
        .collect();
    let fates: Vec<(&str, bool)> = fates
        .iter()
        .map(|(href, there)| (href.as_str(), *there))
        .collect();
    assert_eq!(
        fates,
        [
            ("/dav/calendars/anna/work/mtg1.ics", false),
            ("/dav/calendars/anna/work/a.ics", true),
            ("/dav/calendars/anna/work/b%20c.ics", true),
            ("/dav/calendars/anna/calendar/x.ics", false),
            ("/dav/calendars/ben/work/a.ics", false),
            ("/elsewhere", false),
            ("/dav/calendars/anna/work/a.ics", true),
        ]
    );
    assert_eq!(
        answer.value(hrefs[1], "calendar-data").unwrap(),
        event("a", 1)
    );
    let whole_home = dav.report(ANNA, "1", &multiget(&hrefs[1..4])).await;
    assert!(
        whole_home
            .responses()
            .iter()
            .all(|r| r.child(&Name::dav("status")).is_none()),
        "{}",
        whole_home.text()
    );
    dav.ok("REPORT", WORK, &[], &multiget(&[]), 400).await;
}

/// Most of a calendar is looked up by stretches of names, a few names one by one: the answers are the same.
#[tokio::test]
async fn multiget_of_most_of_a_calendar_finds_what_is_there_and_no_more() {
    let dav = Dav::new().await;
    for i in 0..100 {
        dav.put(&format!("e{i}.ics"), &event(&format!("u{i}"), 1))
            .await;
    }
    let wanted: Vec<String> = (0..150)
        .map(|i| i * 37 % 150)
        .filter(|i| i % 9 != 0)
        .chain([5, 5])
        .map(|i| format!("/dav/calendars/anna/work/e{i}.ics"))
        .collect();
    let hrefs: String = wanted
        .iter()
        .map(|href| format!("<D:href>{href}</D:href>"))
        .collect();
    let body = format!(
        "<C:calendar-multiget {NS}><D:prop><C:calendar-data/></D:prop>{hrefs}</C:calendar-multiget>"
    );
    let answer = dav.report(WORK, "1", &body).await;
    let mut told: Vec<(String, bool)> = answer
        .responses()
        .iter()
        .map(|r| (href(r), r.child(&Name::dav("status")).is_none()))
        .collect();
    told.sort();
    let mut due: Vec<(String, bool)> = wanted
        .into_iter()
        .map(|href| {
            let number: usize = href
                .trim_end_matches(".ics")
                .rsplit_once('e')
                .unwrap()
                .1
                .parse()
                .unwrap();
            (href, number < 100)
        })
        .collect();
    due.sort();
    due.dedup();
    assert_eq!(told, due);
}
