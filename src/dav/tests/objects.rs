//! PUT, GET, DELETE, COPY, MOVE, POST of objects, and their conditions.

use super::*;

#[tokio::test]
async fn an_object_comes_back_as_it_was_sent() {
    let dav = Dav::new().await;
    let text = event("a", 1).replace(
        "SUMMARY:a",
        "SUMMARY:\u{fc}\r\n X-FOLDED\r\nX-ODD;P=\"q\":v",
    );
    let put = dav.put("a.ics", &text).await;
    assert_eq!(put.status, 201);
    let get = dav
        .ok("GET", "/dav/calendars/anna/work/a.ics", &[], "", 200)
        .await;
    assert_eq!(get.text(), text);
    assert_eq!(get.header("etag"), put.header("etag"));
    assert_eq!(get.header("content-type"), "text/calendar; charset=utf-8");
    assert!(get.header("last-modified").ends_with("GMT"));
    let again = dav
        .put("a.ics", &text.replace("SUMMARY:", "SUMMARY:B "))
        .await;
    assert_eq!(again.status, 204);
    assert_ne!(again.header("etag"), put.header("etag"));
}

#[tokio::test]
async fn conditions_on_put() {
    let dav = Dav::new().await;
    let url = "/dav/calendars/anna/work/a.ics";
    dav.ok("PUT", url, &[("If-Match", "*")], &event("a", 1), 412)
        .await;
    let first = dav
        .ok("PUT", url, &[("If-None-Match", "*")], &event("a", 1), 201)
        .await;
    let tag = first.header("etag").to_owned();
    dav.ok("PUT", url, &[("If-None-Match", "*")], &event("a", 2), 412)
        .await;
    dav.ok(
        "PUT",
        url,
        &[("If-Match", "\"other\"")],
        &event("a", 2),
        412,
    )
    .await;
    let second = dav
        .ok(
            "PUT",
            url,
            &[("If-Match", &format!("\"other\", {tag}"))],
            &event("a", 2),
            204,
        )
        .await;
    dav.ok("PUT", url, &[("If-Match", &tag)], &event("a", 3), 412)
        .await;
    let tag = second.header("etag").to_owned();
    dav.ok("PUT", url, &[("If", "([\"other\"])")], &event("a", 3), 412)
        .await;
    dav.ok(
        "PUT",
        url,
        &[("If", "(<opaquelocktoken:1>)")],
        &event("a", 3),
        412,
    )
    .await;
    dav.ok(
        "PUT",
        url,
        &[(
            "If",
            &format!("(<opaquelocktoken:1>) (Not <DAV:no-lock> [{tag}])"),
        )],
        &event("a", 3),
        204,
    )
    .await;
    dav.ok("PUT", url, &[("If", "malformed")], &event("a", 4), 400)
        .await;
    dav.ok(
        "PUT",
        url,
        &[("If-Unmodified-Since", "Sat, 01 Jan 2000 00:00:00 GMT")],
        &event("a", 4),
        412,
    )
    .await;
    let get = dav.ok("GET", url, &[], "", 200).await;
    assert!(
        get.text().contains("DTSTART:20270103"),
        "refused writes change nothing"
    );
}

#[tokio::test]
async fn a_condition_on_a_collections_sync_token_rfc_6578_5() {
    let dav = Dav::new().await;
    let token = dav.token(WORK).await;
    let header = format!("<{WORK}> (<{token}>)");
    dav.ok(
        "PUT",
        &format!("{WORK}a.ics"),
        &[("If", &header)],
        &event("a", 1),
        201,
    )
    .await;
    dav.ok(
        "PUT",
        &format!("{WORK}b.ics"),
        &[("If", &header)],
        &event("b", 1),
        412,
    )
    .await;
}

#[tokio::test]
async fn conditional_get_and_head() {
    let dav = Dav::new().await;
    let tag = dav
        .put("a.ics", &event("a", 1))
        .await
        .header("etag")
        .to_owned();
    let url = "/dav/calendars/anna/work/a.ics";
    let same = dav
        .ok("GET", url, &[("If-None-Match", &tag)], "", 304)
        .await;
    assert!(same.body.is_empty() && same.header("etag") == tag);
    dav.ok("GET", url, &[("If-None-Match", "\"x\"")], "", 200)
        .await;
    dav.ok("GET", url, &[("If-Match", "\"x\"")], "", 412).await;
    let modified = dav
        .ok("HEAD", url, &[], "", 200)
        .await
        .header("last-modified")
        .to_owned();
    dav.ok("GET", url, &[("If-Modified-Since", &modified)], "", 304)
        .await;
    dav.ok("GET", "/dav/calendars/anna/work/b.ics", &[], "", 404)
        .await;
}

#[tokio::test]
async fn put_refuses_with_the_precondition_by_name() {
    let dav = Dav::new().await;
    dav.put("a.ics", &event("a", 1)).await;
    let no_uid = event("b", 1).replace("UID:b\r\n", "");
    let two = event("b", 1).replace("END:VCALENDAR\r\n", "")
        + "BEGIN:VEVENT\r\nUID:c\r\nDTSTAMP:20270101T000000Z\r\nDTSTART:20270101T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let method = event("b", 1).replace("VERSION:2.0", "VERSION:2.0\r\nMETHOD:REQUEST");
    for (name, body, status, want) in [
        ("b.ics", "no calendar", 403, "valid-calendar-data"),
        ("b.ics", &no_uid, 403, "valid-calendar-object-resource"),
        ("b.ics", &two, 403, "valid-calendar-object-resource"),
        ("b.ics", &method, 403, "valid-calendar-object-resource"),
        ("b.ics", &event("a", 1), 409, "no-uid-conflict"),
        ("a.ics", &event("other", 1), 409, "no-uid-conflict"),
    ] {
        let answer = dav.put(name, body).await;
        assert_eq!(
            (answer.status, answer.precondition().as_str()),
            (status, want),
            "{}",
            answer.text()
        );
    }
    let conflict = dav.put("b.ics", &event("a", 1)).await;
    assert!(
        conflict
            .text()
            .contains("<D:href>/dav/calendars/anna/work/a.ics</D:href>"),
        "{}",
        conflict.text()
    );
    let plain = dav
        .send(
            "PUT",
            &format!("{WORK}c.ics"),
            &[("Content-Type", "text/plain")],
            &event("c", 1),
        )
        .await;
    assert_eq!(plain.precondition(), "supported-calendar-data");
    let html = dav
        .send(
            "PUT",
            &format!("{WORK}c.ics"),
            &[("Content-Type", "text/html")],
            &event("c", 1),
        )
        .await;
    assert_eq!(html.precondition(), "supported-calendar-data");
    let nowhere = dav
        .send(
            "PUT",
            "/dav/calendars/anna/absent/c.ics",
            &[],
            &event("c", 1),
        )
        .await;
    assert_eq!(nowhere.status, 409);
}

#[tokio::test]
async fn too_large_an_object_names_the_limit() {
    let dav = Dav::new().await;
    let large = event("a", 1).replace("SUMMARY:a", &format!("SUMMARY:{}", "a".repeat(11 << 20)));
    let answer = dav.put("a.ics", &large).await;
    assert_eq!(answer.precondition(), "max-resource-size");
    assert!(answer.text().contains("limits.object_bytes"));
}

#[tokio::test]
async fn a_calendar_takes_its_components_only() {
    let dav = Dav::new().await;
    let body = format!(
        "<C:mkcalendar {NS}><D:set><D:prop><C:supported-calendar-component-set><C:comp name=\"VTODO\"/>\
         </C:supported-calendar-component-set></D:prop></D:set></C:mkcalendar>"
    );
    dav.ok(
        "MKCALENDAR",
        "/dav/calendars/anna/errands/",
        &[],
        &body,
        201,
    )
    .await;
    let answer = dav
        .send(
            "PUT",
            "/dav/calendars/anna/errands/a.ics",
            &[],
            &event("a", 1),
        )
        .await;
    assert_eq!(
        (answer.status, answer.precondition().as_str()),
        (403, "supported-calendar-component")
    );
    dav.ok(
        "PUT",
        "/dav/calendars/anna/errands/t.ics",
        &[],
        &todo("t"),
        201,
    )
    .await;
}

#[tokio::test]
async fn prefer_representation_returns_the_object_rfc_8144_3() {
    let dav = Dav::new().await;
    let url = "/dav/calendars/anna/work/a.ics";
    let prefer = ("Prefer", "return=representation");
    let first = dav.ok("PUT", url, &[prefer], &event("a", 1), 201).await;
    assert_eq!(first.text(), event("a", 1));
    let stale = dav
        .ok(
            "PUT",
            url,
            &[prefer, ("If-Match", "\"x\"")],
            &event("a", 2),
            412,
        )
        .await;
    assert_eq!(
        (stale.text(), stale.header("etag")),
        (event("a", 1), first.header("etag"))
    );
    let second = dav.ok("PUT", url, &[prefer], &event("a", 2), 200).await;
    assert_eq!(second.text(), event("a", 2));
}

#[tokio::test]
async fn delete_and_make_again() {
    let dav = Dav::new().await;
    let url = "/dav/calendars/anna/work/a.ics";
    let tag = dav
        .put("a.ics", &event("a", 1))
        .await
        .header("etag")
        .to_owned();
    dav.ok("DELETE", url, &[("If-Match", "\"x\"")], "", 412)
        .await;
    dav.ok("DELETE", url, &[("If-Match", &tag)], "", 204).await;
    dav.ok("DELETE", url, &[], "", 404).await;
    dav.ok("GET", url, &[], "", 404).await;
    assert_eq!(
        dav.put("b.ics", &event("a", 1)).await.status,
        201,
        "a deleted UID can be used at once"
    );
    dav.ok("DELETE", WORK, &[], "", 204).await;
    dav.ok("PROPFIND", WORK, &[("Depth", "0")], "", 404).await;
    dav.ok("MKCALENDAR", WORK, &[], "", 201).await;
    assert!(
        dav.propfind(WORK, "1", "<D:getetag/>").await.hrefs() == [WORK],
        "a new calendar is empty"
    );
}

#[tokio::test]
async fn copy_and_move() {
    let dav = Dav::new().await;
    dav.ok("MKCALENDAR", "/dav/calendars/anna/other/", &[], "", 201)
        .await;
    let (a, b, there) = (
        "/dav/calendars/anna/work/a.ics",
        "/dav/calendars/anna/work/b.ics",
        "/dav/calendars/anna/other/a.ics",
    );
    dav.put("a.ics", &event("a", 1)).await;
    let to = |path| [("Destination", path)];
    let copy = dav.send("COPY", a, &to(b), "").await;
    assert_eq!(
        copy.precondition(),
        "no-uid-conflict",
        "two objects of one UID in a calendar"
    );
    dav.ok("COPY", a, &to(there), "", 201).await;
    dav.ok(
        "COPY",
        a,
        &[("Destination", there), ("Overwrite", "F")],
        "",
        412,
    )
    .await;
    dav.ok("COPY", a, &to(there), "", 204).await;
    dav.ok(
        "MOVE",
        a,
        &to("http://localhost/dav/calendars/anna/work/b.ics"),
        "",
        201,
    )
    .await;
    dav.ok("GET", a, &[], "", 404).await;
    assert_eq!(dav.ok("GET", b, &[], "", 200).await.text(), event("a", 1));
    dav.ok("MOVE", b, &to(there), "", 204).await;
    dav.ok("GET", b, &[], "", 404).await;
    dav.ok("MOVE", there, &[], "", 400).await;
    dav.ok(
        "MOVE",
        there,
        &to("/dav/calendars/anna/absent/a.ics"),
        "",
        409,
    )
    .await;
    dav.ok("MOVE", there, &to(there), "", 403).await;
    dav.ok(
        "MOVE",
        "/dav/calendars/anna/work/none.ics",
        &to(there),
        "",
        404,
    )
    .await;
}

#[tokio::test]
async fn post_adds_a_member_rfc_5995() {
    let dav = Dav::new().await;
    let props = dav.propfind(WORK, "0", "<D:add-member/>").await;
    let url = props
        .prop(WORK, "add-member")
        .unwrap()
        .elements()
        .next()
        .unwrap()
        .text();
    let made = dav
        .ok(
            "POST",
            &url,
            &[("Content-Type", "text/calendar")],
            &event("a", 1),
            201,
        )
        .await;
    let location = made.header("location").to_owned();
    assert_eq!(
        dav.ok("GET", &location, &[], "", 200).await.text(),
        event("a", 1)
    );
    let again = dav.send("POST", &url, &[], &event("a", 1)).await;
    assert!(
        again.status == 412 || again.precondition() == "no-uid-conflict",
        "{}",
        again.status
    );
    dav.ok(
        "POST",
        &format!("{WORK}?action=else"),
        &[],
        &event("b", 1),
        400,
    )
    .await;
}

#[tokio::test]
async fn get_on_a_calendar_exports_it() {
    let dav = Dav::new().await;
    for n in 1..=3 {
        dav.put(&format!("{n}.ics"), &event(&format!("u{n}"), n))
            .await;
    }
    let all = dav.ok("GET", WORK, &[], "", 200).await;
    assert_eq!(all.text().matches("BEGIN:VEVENT").count(), 3);
    assert_eq!(all.text().matches("BEGIN:VCALENDAR").count(), 1);
    let tag = all.header("etag").to_owned();
    dav.ok("GET", WORK, &[("If-None-Match", &tag)], "", 304)
        .await;
    dav.put("4.ics", &event("u4", 4)).await;
    dav.ok("GET", WORK, &[("If-None-Match", &tag)], "", 200)
        .await;
}

#[tokio::test]
async fn a_reader_of_a_shared_calendar_may_read_and_no_more() {
    let dav = Dav::new().await;
    let ben = dav.user("ben").await;
    dav.put("a.ics", &event("a", 1)).await;
    share(&dav, &ben, 2).await;
    let url = "/dav/calendars/ben/from-anna/a.ics";
    assert_eq!(
        dav.send_as(&ben, "GET", url, &[], "").await.text(),
        event("a", 1)
    );
    for (method, path, body) in [
        ("PUT", "/dav/calendars/ben/from-anna/b.ics", event("b", 1)),
        ("PUT", url, event("a", 2)),
        ("DELETE", url, String::new()),
        ("MOVE", url, String::new()),
    ] {
        let headers = [("Destination", "/dav/calendars/ben/calendar/a.ics")];
        let answer = dav.send_as(&ben, method, path, &headers, &body).await;
        assert_eq!(
            (answer.status, answer.precondition().as_str()),
            (403, "need-privileges"),
            "{method} {path}"
        );
    }
    let props = format!(
        "<D:propfind {NS}><D:prop><D:current-user-privilege-set/><D:owner/></D:prop></D:propfind>"
    );
    let at = "/dav/calendars/ben/from-anna/";
    let answer = dav
        .send_as(&ben, "PROPFIND", at, &[("Depth", "0")], &props)
        .await;
    let rights = answer
        .prop(at, "current-user-privilege-set")
        .unwrap()
        .to_xml_string();
    assert!(
        rights.contains("read-free-busy") && !rights.contains("write"),
        "{rights}"
    );
    assert_eq!(
        answer
            .prop(at, "owner")
            .unwrap()
            .elements()
            .next()
            .unwrap()
            .text(),
        "/dav/principals/anna/"
    );
}

/// Grants a level on Anna's calendar `work`, and binds it in the other's home as `from-anna`.
pub async fn share(dav: &Dav, to: &Who, level: i64) {
    use crate::store::calendars;
    let (anna, other, now) = (dav.who.id, to.id, dav.world.clock.now());
    dav.world
        .store
        .write(move |tx| {
            Box::pin(async move {
                let work = calendars::find(tx, anna, "anna", "work")
                    .await?
                    .expect("the calendar");
                calendars::set_grant(tx, work.calendar.id, other, level, now).await?;
                calendars::bind(tx, other, "from-anna", work.calendar.id).await
            })
        })
        .await
        .unwrap();
}

/// RFC 5545 §3.1 lets a fold lie inside a character. The bytes come back as they are; XML gets the whole character.
#[tokio::test]
async fn a_fold_inside_a_character_is_whole_in_calendar_data() {
    let dav = Dav::new().await;
    let text = event("a", 1);
    let (head, tail) = text.split_at(text.find("UID:").unwrap());
    let mut body = head.as_bytes().to_vec();
    body.extend_from_slice(b"LOCATION:Caf\xc3\r\n \xa9\r\n");
    body.extend_from_slice(tail.as_bytes());
    assert_eq!(dav.put("a.ics", &body).await.status, 201);
    let path = format!("{WORK}a.ics");
    assert_eq!(dav.send("GET", &path, &[], "").await.body, body);
    let asked = format!(
        "<C:calendar-multiget {NS}><D:prop><C:calendar-data/></D:prop><D:href>{path}</D:href></C:calendar-multiget>"
    );
    let answer = dav.report(WORK, "1", &asked).await;
    let data = answer.value(&path, "calendar-data").unwrap();
    assert!(data.contains("LOCATION:Café\r\n"), "{data}");
}

#[tokio::test]
async fn a_calendar_is_deleted_only_in_the_state_that_was_seen() {
    let dav = Dav::new().await;
    let tag = dav
        .ok("GET", WORK, &[], "", 200)
        .await
        .header("etag")
        .to_owned();
    dav.put("a.ics", &event("a", 1)).await;
    dav.ok("DELETE", WORK, &[("If-Match", &tag)], "", 412).await;
    dav.ok("DELETE", WORK, &[("Depth", "0")], "", 400).await;
    dav.ok("DELETE", WORK, &[("If-Match", "*")], "", 204).await;
}
