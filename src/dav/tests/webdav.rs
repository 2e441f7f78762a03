//! RFC 4918 (and its kin) beyond what calendar clients send: what conformance suites look at.

use super::*;

const ICS: (&str, &str) = ("Content-Type", "text/calendar");

#[tokio::test]
async fn what_has_no_collection_to_be_made_in_is_409_rfc_4918_9_3_1() {
    let dav = Dav::new().await;
    dav.put("a.ics", &event("a", 1)).await;
    let deep = format!("{WORK}x/y.ics");
    for method in ["MKCOL", "MKCALENDAR"] {
        for path in ["/dav/calendars/anna/none/x/", "/dav/calendars/anna/a/b/c/"] {
            dav.ok(method, path, &[], "", 409).await;
        }
        dav.ok(method, "/dav/calendars/nobody/a/b/c/", &[], "", 404)
            .await;
        let inside = dav.ok(method, &format!("{WORK}x/"), &[], "", 403).await;
        assert!(inside.text().contains("calendar-collection-location-ok"));
    }
    dav.ok("PUT", &deep, &[ICS], &event("y", 1), 409).await;
    dav.ok("GET", &deep, &[], "", 404).await;
    let from = format!("{WORK}a.ics");
    for method in ["COPY", "MOVE"] {
        dav.ok(method, &from, &[("Destination", &deep)], "", 409)
            .await;
        dav.ok(method, &from, &[("Destination", "/elsewhere/x")], "", 403)
            .await;
    }
}

#[tokio::test]
async fn a_body_that_mkcol_does_not_understand_is_415_rfc_4918_9_3_1() {
    let dav = Dav::new().await;
    for media in ["text/plain", "xzy-foo/bar-512", "application/octet-stream"] {
        dav.ok(
            "MKCOL",
            "/dav/calendars/anna/new/",
            &[("Content-Type", media)],
            "afafaf",
            415,
        )
        .await;
    }
    dav.ok(
        "MKCOL",
        "/dav/calendars/anna/new/",
        &[("Content-Type", "text/xml")],
        "<a",
        400,
    )
    .await;
}

#[tokio::test]
async fn a_copy_has_the_dead_properties_of_its_source_rfc_4918_9_8_2() {
    let dav = Dav::new().await;
    dav.ok("MKCALENDAR", "/dav/calendars/anna/b/", &[], "", 201)
        .await;
    dav.put("a.ics", &event("a", 1)).await;
    let (from, to) = (format!("{WORK}a.ics"), "/dav/calendars/anna/b/a.ics");
    dav.proppatch(&from, "<X:one>1</X:one>").await;
    dav.ok("COPY", &from, &[("Destination", to)], "", 201).await;
    let of = async |path| {
        let found = dav.propfind(path, "0", "<X:one/><X:two/>").await;
        (found.value(path, "one"), found.value(path, "two"))
    };
    assert_eq!(of(to).await, (Some("1".into()), None));
    // What is overwritten is gone with its properties.
    dav.proppatch(to, "<X:two>2</X:two>").await;
    dav.proppatch(&from, "<X:one>3</X:one>").await;
    dav.ok("COPY", &from, &[("Destination", to)], "", 204).await;
    assert_eq!(of(to).await, (Some("3".into()), None));
    assert_eq!(of(from.as_str()).await, (Some("3".into()), None));
}

#[tokio::test]
async fn conditions_hold_for_every_write_rfc_9110_13_1() {
    let dav = Dav::new().await;
    dav.put("a.ics", &event("a", 1)).await;
    let a = format!("{WORK}a.ics");
    let update = format!(
        "<D:propertyupdate {NS}><D:set><D:prop><X:a>1</X:a></D:prop></D:set></D:propertyupdate>"
    );
    let etag = dav.send("GET", &a, &[], "").await.header("etag").to_owned();
    let export = dav
        .send("GET", WORK, &[], "")
        .await
        .header("etag")
        .to_owned();
    for (path, good) in [(a.as_str(), etag.as_str()), (WORK, export.as_str())] {
        for (header, value, status) in [
            ("If-Match", "\"other\"", 412),
            ("If-None-Match", "*", 412),
            ("If-None-Match", good, 412),
            ("If-Match", good, 207),
        ] {
            dav.ok("PROPPATCH", path, &[(header, value)], &update, status)
                .await;
        }
    }
    dav.ok("DELETE", WORK, &[("If-Match", "\"other\"")], "", 412)
        .await;
    // Without the condition it would be 404: the condition is not looked at (§13.2.1).
    let none = format!("{WORK}none.ics");
    dav.ok("DELETE", &none, &[("If-Match", "\"other\"")], "", 404)
        .await;
    dav.ok("DELETE", WORK, &[("If-Match", "*")], "", 204).await;
}

#[tokio::test]
async fn a_part_of_an_object_is_not_taken_for_the_object_rfc_9110_14_5() {
    let dav = Dav::new().await;
    let headers = [ICS, ("Content-Range", "bytes 0-9/100")];
    let a = format!("{WORK}a.ics");
    dav.ok("PUT", &a, &headers, &event("a", 1), 400).await;
    dav.ok("GET", &a, &[], "", 404).await;
}

#[tokio::test]
async fn propstats_say_what_was_asked_for_and_nothing_empty() {
    let dav = Dav::new().await;
    dav.put("a.ics", &event("a", 1)).await;
    let a = format!("{WORK}a.ics");
    let find = async |body: &str, headers: &[(&str, &str)]| {
        let body = format!("<D:propfind {NS}>{body}</D:propfind>");
        let headers = [&[("Depth", "0")], headers].concat();
        let answer = dav.ok("PROPFIND", &a, &headers, &body, 207).await;
        let response = answer.responses().remove(0);
        let propstat = Name::dav("propstat");
        let statuses = response.children_named(&propstat);
        let statuses: Vec<String> = statuses
            .map(|one| {
                let inside = one.child(&Name::dav("prop")).unwrap().elements().count();
                let status = one.child(&Name::dav("status")).unwrap().text();
                format!("{} {inside}", status.split(' ').nth(1).unwrap())
            })
            .collect();
        statuses.join(", ")
    };
    assert_eq!(find("<D:prop><X:no/></D:prop>", &[]).await, "404 1");
    assert_eq!(find("<D:prop/>", &[]).await, "200 0");
    let both = "<D:prop><X:no/><D:getetag/></D:prop>";
    assert_eq!(find(both, &[]).await, "200 1, 404 1");
    let minimal = [("Prefer", "return=minimal")];
    assert_eq!(find("<D:prop><X:no/></D:prop>", &minimal).await, "200 0");
    // RFC 4918 §9.1: names in `include` are asked for like names in `prop`.
    let include = "<D:allprop/><D:include><D:owner/><X:no/></D:include>";
    assert_eq!(find(include, &[]).await, "200 7, 404 1");
    assert_eq!(find("<D:allprop/>", &[]).await, "200 6");
}

#[tokio::test]
async fn names_that_belong_to_servers_cannot_be_given_a_value() {
    let dav = Dav::new().await;
    for property in [
        "<D:lockdiscovery/>",
        "<D:supportedlock/>",
        "<D:quota-available-bytes>9</D:quota-available-bytes>",
        "<C:calendar-data>x</C:calendar-data>",
    ] {
        let answer = dav.proppatch(WORK, property).await;
        assert!(
            answer.text().contains("cannot-modify-protected-property"),
            "{}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn a_zone_set_by_name_has_a_text_rfc_7809_3_1_5() {
    let dav = Dav::new().await;
    let props = "<C:calendar-timezone/><C:calendar-timezone-id/>";
    let before = dav.propfind(WORK, "0", props).await;
    assert_eq!(before.value(WORK, "calendar-timezone"), None);
    dav.proppatch(
        WORK,
        "<C:calendar-timezone-id>America/New_York</C:calendar-timezone-id>",
    )
    .await;
    let after = dav.propfind(WORK, "0", props).await;
    let text = after.value(WORK, "calendar-timezone").unwrap();
    assert!(text.contains("\r\nTZID:America/New_York\r\n"), "{text}");
    assert!(text.contains("BEGIN:DAYLIGHT"), "{text}");
    // It is taken back as it was given.
    let again = format!("<C:calendar-timezone>{text}</C:calendar-timezone>");
    dav.proppatch(WORK, &again).await;
    let id = dav.propfind(WORK, "0", props).await;
    assert_eq!(
        id.value(WORK, "calendar-timezone-id").as_deref(),
        Some("America/New_York")
    );
}

#[tokio::test]
async fn an_export_is_called_what_its_calendar_is_called() {
    let dav = Dav::new().await;
    dav.proppatch(WORK, "<D:displayname>Büro, 2. Stock</D:displayname>")
        .await;
    let file = dav.send("GET", WORK, &[], "").await.text();
    assert!(file.contains("X-WR-CALNAME:Büro\\, 2. Stock\r\n"), "{file}");
}

#[tokio::test]
async fn reports_about_principals_need_a_resource_and_find_its_members_rfc_3744_9() {
    let dav = Dav::new().await;
    let search = |apply: &str| {
        format!(
            "<D:principal-property-search {NS}>{apply}<D:property-search><D:prop><D:displayname/></D:prop>\
             <D:match>ANN</D:match></D:property-search><D:prop><D:displayname/></D:prop></D:principal-property-search>"
        )
    };
    let apply = "<D:apply-to-principal-collection-set/>";
    for (path, more, want) in [
        ("/dav/principals/", "", 1),
        ("/dav/principals/", apply, 1),
        (WORK, "", 0),
        (WORK, apply, 1),
        (ANNA, apply, 1),
    ] {
        let found = dav.report(path, "0", &search(more)).await;
        assert_eq!(found.hrefs().len(), want, "{path} {more}");
    }
    let me = format!("<D:principal-match {NS}><D:self/></D:principal-match>");
    let nowhere = search(apply);
    for (path, body) in [
        ("/dav/calendars/nobody/", me.as_str()),
        ("/dav/principals/nobody/", me.as_str()),
        ("/dav/calendars/nobody/", nowhere.as_str()),
    ] {
        dav.ok("REPORT", path, &[("Depth", "0")], body, 404).await;
    }
    let everything = "<D:property-search><D:match>x</D:match></D:property-search>";
    let body =
        format!("<D:principal-property-search {NS}>{everything}</D:principal-property-search>");
    let found = dav.report("/dav/principals/", "0", &body).await;
    assert!(found.hrefs().is_empty(), "a search for no property");
}

#[tokio::test]
async fn discovery_without_a_depth_header_goes_on() {
    let dav = Dav::new().await;
    for path in ["/", "/principals/", "/dav/", "/dav/principals/"] {
        let body =
            format!("<D:propfind {NS}><D:prop><D:current-user-principal/></D:prop></D:propfind>");
        let answer = dav.ok("PROPFIND", path, &[], &body, 207).await;
        assert!(answer.text().contains("/dav/principals/anna/"));
        dav.ok("PROPFIND", path, &[("Depth", "infinity")], &body, 403)
            .await;
    }
}
