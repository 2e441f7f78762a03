//! Making calendars: MKCALENDAR (RFC 4791 §5.3.1) and MKCOL (RFC 5689).

use super::properties::BERLIN;
use super::*;

#[tokio::test]
async fn the_example_of_rfc_4791_5_3_1_2() {
    let dav = Dav::new().await;
    let body = format!(
        "<C:mkcalendar {NS}><D:set><D:prop><D:displayname>Lisa's Events</D:displayname>\
         <C:calendar-description xml:lang=\"en\">Calendar restricted to events.</C:calendar-description>\
         <C:supported-calendar-component-set><C:comp name=\"VEVENT\"/></C:supported-calendar-component-set>\
         <C:calendar-timezone><![CDATA[{BERLIN}]]></C:calendar-timezone></D:prop></D:set></C:mkcalendar>"
    );
    let at = "/dav/calendars/anna/events/";
    let made = dav.ok("MKCALENDAR", at, &[], &body, 201).await;
    assert_eq!(made.header("cache-control"), "no-cache");
    let props = "<D:displayname/><C:calendar-description/><C:supported-calendar-component-set/><C:calendar-timezone-id/><D:resourcetype/>";
    let answer = dav.propfind(at, "0", props).await;
    assert_eq!(answer.value(at, "displayname").unwrap(), "Lisa's Events");
    assert_eq!(
        answer.prop(at, "calendar-description").unwrap().lang(),
        Some("en")
    );
    let set = answer.prop(at, "supported-calendar-component-set").unwrap();
    assert_eq!(
        set.elements()
            .map(|comp| comp.attr("name").unwrap().to_owned())
            .collect::<Vec<_>>(),
        ["VEVENT"]
    );
    assert_eq!(
        answer.value(at, "calendar-timezone-id").unwrap(),
        "Europe/Berlin"
    );
}

#[tokio::test]
async fn extended_mkcol_of_rfc_5689() {
    let dav = Dav::new().await;
    let body = |kind: &str, more: &str| {
        format!(
            "<D:mkcol {NS}><D:set><D:prop><D:resourcetype><D:collection/>{kind}</D:resourcetype>\
             <D:displayname>Special</D:displayname>{more}</D:prop></D:set></D:mkcol>"
        )
    };
    let at = "/dav/calendars/anna/special/";
    let wrong = dav
        .ok("MKCOL", at, &[], &body("<X:special/>", ""), 403)
        .await;
    let root = wrong.xml();
    assert_eq!(root.name, Name::dav("mkcol-response"));
    assert!(
        wrong.text().contains("valid-resourcetype")
            && wrong.text().contains("424 Failed Dependency")
    );
    dav.ok("PROPFIND", at, &[("Depth", "0")], "", 404).await;
    dav.ok(
        "MKCOL",
        at,
        &[],
        &body("<C:calendar/>", "<D:getetag>x</D:getetag>"),
        403,
    )
    .await;
    dav.ok(
        "MKCOL",
        at,
        &[],
        &body("<C:calendar/>", "<X:own>1</X:own>"),
        201,
    )
    .await;
    let answer = dav
        .propfind(at, "0", "<D:displayname/><X:own/><D:resourcetype/>")
        .await;
    assert_eq!(answer.value(at, "displayname").unwrap(), "Special");
    assert_eq!(answer.value(at, "own").unwrap(), "1");
    dav.ok("MKCOL", at, &[], &body("<C:calendar/>", ""), 405)
        .await;
    dav.ok(
        "MKCOL",
        "/dav/calendars/anna/x/",
        &[("Content-Type", "text/xml")],
        "<a/>",
        415,
    )
    .await;
}

#[tokio::test]
async fn a_plain_mkcol_in_a_home_makes_a_calendar() {
    let dav = Dav::new().await;
    let at = "/dav/calendars/anna/outlook/";
    dav.ok("MKCOL", at, &[], "", 201).await;
    dav.proppatch(at, "<D:displayname>Outlook</D:displayname>")
        .await;
    let answer = dav.propfind(at, "0", "<D:resourcetype/>").await;
    assert_eq!(
        locals(&answer.prop(at, "resourcetype").unwrap()),
        ["collection", "calendar"]
    );
}

#[tokio::test]
async fn mkcalendar_where_it_cannot_be() {
    let dav = Dav::new().await;
    for (path, want) in [
        (WORK, "resource-must-be-null"),
        ("/dav/calendars/anna/inbox/", "resource-must-be-null"),
        (
            "/dav/calendars/anna/work/inner",
            "calendar-collection-location-ok",
        ),
        ("/dav/principals/", "resource-must-be-null"),
    ] {
        let answer = dav.ok("MKCALENDAR", path, &[], "", 403).await;
        assert_eq!(answer.precondition(), want, "{path}");
    }
    dav.ok("MKCALENDAR", "/dav/calendars/anna/x/", &[], "<a/>", 400)
        .await;
}

#[tokio::test]
async fn a_failed_mkcalendar_makes_nothing_and_says_which_property() {
    let dav = Dav::new().await;
    let at = "/dav/calendars/anna/new/";
    let body = |props: &str| {
        format!("<C:mkcalendar {NS}><D:set><D:prop>{props}</D:prop></D:set></C:mkcalendar>")
    };
    let answer = dav
        .ok(
            "MKCALENDAR",
            at,
            &[],
            &body("<D:displayname>a</D:displayname><D:getetag>x</D:getetag>"),
            207,
        )
        .await;
    assert_eq!(answer.status_of(at, "getetag"), Some(403));
    assert_eq!(answer.status_of(at, "displayname"), Some(424));
    let answer = dav
        .ok(
            "MKCALENDAR",
            at,
            &[],
            &body("<C:calendar-timezone>bad</C:calendar-timezone>"),
            207,
        )
        .await;
    assert!(answer.text().contains("valid-calendar-data"));
    dav.ok("PROPFIND", at, &[("Depth", "0")], "", 404).await;
}

#[tokio::test]
async fn apples_odd_free_busy_set_does_no_harm() {
    let dav = Dav::new().await;
    let body = format!(
        "<C:mkcalendar {NS}><D:set><D:prop><C:calendar-free-busy-set><C:NO/></C:calendar-free-busy-set>\
         <A:calendar-color symbolic-color=\"custom\">#123456FF</A:calendar-color></D:prop></D:set></C:mkcalendar>"
    );
    dav.ok("MKCALENDAR", "/dav/calendars/anna/apple/", &[], &body, 201)
        .await;
}
