//! PROPFIND and PROPPATCH: live and dead properties, preferences, rights.

use super::*;

fn propfind(inside: &str) -> String {
    format!("<D:propfind {NS}>{inside}</D:propfind>")
}

#[tokio::test]
async fn unknown_properties_are_404_and_left_out_when_minimal() {
    let dav = Dav::new().await;
    let answer = dav
        .propfind(
            WORK,
            "0",
            "<D:displayname/><X:unknown/><CS:pushkey/><C:calendar-data/>",
        )
        .await;
    assert_eq!(answer.status_of(WORK, "displayname"), Some(200));
    for absent in ["unknown", "pushkey", "calendar-data"] {
        assert_eq!(answer.status_of(WORK, absent), Some(404), "{absent}");
    }
    for header in [("Prefer", "return=minimal"), ("Brief", "t")] {
        let body = propfind("<D:prop><X:unknown/></D:prop>");
        let answer = dav
            .ok("PROPFIND", WORK, &[("Depth", "0"), header], &body, 207)
            .await;
        assert_eq!(answer.status_of(WORK, "unknown"), None);
        assert!(
            answer.text().contains("200 OK"),
            "one propstat stays (RFC 8144 §2.1)"
        );
    }
}

#[tokio::test]
async fn an_empty_body_is_allprop_and_allprop_leaves_caldav_out() {
    let dav = Dav::new().await;
    dav.proppatch(WORK, "<X:mine>1</X:mine>").await;
    for body in [String::new(), propfind("<D:allprop/>")] {
        let answer = dav
            .ok("PROPFIND", WORK, &[("Depth", "0")], &body, 207)
            .await;
        for there in ["resourcetype", "displayname", "creationdate", "mine"] {
            assert_eq!(answer.status_of(WORK, there), Some(200), "{there}");
        }
        assert_eq!(
            answer.status_of(WORK, "supported-calendar-component-set"),
            None
        );
        assert_eq!(answer.status_of(WORK, "acl"), None);
    }
    let body = propfind(
        "<D:allprop/><D:include><C:supported-calendar-component-set/><D:displayname/></D:include>",
    );
    let answer = dav
        .ok("PROPFIND", WORK, &[("Depth", "0")], &body, 207)
        .await;
    assert_eq!(
        answer.status_of(WORK, "supported-calendar-component-set"),
        Some(200)
    );
    assert_eq!(answer.text().matches("<D:displayname>").count(), 1);
}

#[tokio::test]
async fn propname_lists_names_without_values() {
    let dav = Dav::new().await;
    dav.proppatch(WORK, "<X:mine>1</X:mine>").await;
    let answer = dav
        .ok(
            "PROPFIND",
            WORK,
            &[("Depth", "0")],
            &propfind("<D:propname/>"),
            207,
        )
        .await;
    for there in [
        "resourcetype",
        "sync-token",
        "getctag",
        "mine",
        "supported-calendar-component-set",
    ] {
        let element = answer
            .prop(WORK, there)
            .unwrap_or_else(|| panic!("{there}"));
        assert!(element.children.is_empty(), "{there}");
    }
}

#[tokio::test]
async fn malformed_bodies_are_400() {
    let dav = Dav::new().await;
    for body in [
        "<",
        "<a/>",
        "<D:propfind xmlns:D=\"DAV:\"/>",
        "<D:propfind xmlns:D=\"DAV:\"><D:propname/><D:allprop/></D:propfind>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><D:propfind xmlns:D=\"DAV:\"><D:allprop/></D:propfind>",
        "<D:propfind xmlns:D=\"DAV:\"><D:prop><bar:x/></D:prop></D:propfind>",
    ] {
        dav.ok("PROPFIND", WORK, &[("Depth", "0")], body, 400).await;
    }
    dav.ok("PROPFIND", WORK, &[("Depth", "5")], "", 400).await;
    let deep = format!("{}{}", "<a>".repeat(5000), "</a>".repeat(5000));
    dav.ok("PROPFIND", WORK, &[("Depth", "0")], &deep, 400)
        .await;
    let large = format!("<a>{}</a>", "x".repeat(5 << 20));
    let answer = dav
        .ok("PROPFIND", WORK, &[("Depth", "0")], &large, 413)
        .await;
    assert!(answer.text().contains("limits.xml_bytes"));
    dav.ok(
        "PROPFIND",
        WORK,
        &[("Depth", "0"), ("Content-Type", "image/png")],
        "x",
        415,
    )
    .await;
}

#[tokio::test]
async fn dead_properties_keep_every_character_rfc_4918_4_3() {
    let dav = Dav::new().await;
    let url = format!("{WORK}a.ics");
    dav.put("a.ics", &event("a", 1)).await;
    let value = "<Z:note xmlns:Z=\"urn:z\" Z:kind=\"a&amp;b\" xml:lang=\"de\">text <Z:b>mixed</Z:b> &lt;tail\u{e9}&#13;\n</Z:note>";
    for path in [WORK, &url, ANNA, "/dav/principals/anna/"] {
        let answer = dav.proppatch(path, value).await;
        assert_eq!(answer.status_of(path, "note"), Some(200), "{path}");
        let answer = dav.propfind(path, "0", "<note xmlns=\"urn:z\"/>").await;
        let note = answer.prop(path, "note").unwrap();
        assert_eq!(note.lang(), Some("de"));
        assert_eq!(note.text(), "text  <tail\u{e9}\r\n");
        assert_eq!(note.elements().next().unwrap().text(), "mixed");
        assert_eq!(note.attrs[0].value, "a&b");
    }
    let remove = format!(
        "<D:propertyupdate {NS}><D:remove><D:prop><note xmlns=\"urn:z\"/><X:never/></D:prop></D:remove></D:propertyupdate>"
    );
    let answer = dav.ok("PROPPATCH", WORK, &[], &remove, 207).await;
    assert_eq!(
        answer.status_of(WORK, "never"),
        Some(200),
        "removing what is not there is no error"
    );
    assert_eq!(
        dav.propfind(WORK, "0", "<note xmlns=\"urn:z\"/>")
            .await
            .status_of(WORK, "note"),
        Some(404)
    );
}

#[tokio::test]
async fn proppatch_is_all_or_nothing() {
    let dav = Dav::new().await;
    let answer = dav
        .proppatch(
            WORK,
            "<D:displayname>New</D:displayname><D:getetag>x</D:getetag><X:a/>",
        )
        .await;
    assert_eq!(answer.status_of(WORK, "getetag"), Some(403));
    assert_eq!(answer.status_of(WORK, "displayname"), Some(424));
    assert!(answer.text().contains("cannot-modify-protected-property"));
    assert_eq!(
        dav.propfind(WORK, "0", "<D:displayname/>")
            .await
            .value(WORK, "displayname")
            .unwrap(),
        "work"
    );
    let body = format!(
        "<D:propertyupdate {NS}><D:set><D:prop><D:displayname>New</D:displayname></D:prop></D:set></D:propertyupdate>"
    );
    let answer = dav
        .ok(
            "PROPPATCH",
            WORK,
            &[("Prefer", "return=minimal")],
            &body,
            200,
        )
        .await;
    assert!(answer.body.is_empty());
    assert_eq!(
        dav.propfind(WORK, "0", "<D:displayname/>")
            .await
            .value(WORK, "displayname")
            .unwrap(),
        "New"
    );
    dav.ok("PROPPATCH", "/dav/calendars/anna/none/", &[], &body, 404)
        .await;
    assert_eq!(
        dav.send("PROPPATCH", "/dav/", &[], &body)
            .await
            .precondition(),
        "need-privileges"
    );
}

#[tokio::test]
async fn what_apples_clients_set_is_kept() {
    let dav = Dav::new().await;
    dav.proppatch(
        WORK,
        "<A:calendar-color symbolic-color=\"orange\">#FD8208FF</A:calendar-color>",
    )
    .await;
    dav.proppatch(WORK, "<A:calendar-order>3</A:calendar-order>")
        .await;
    dav.proppatch(
        WORK,
        "<C:calendar-description xml:lang=\"en\">d</C:calendar-description>",
    )
    .await;
    dav.proppatch(
        WORK,
        "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>",
    )
    .await;
    dav.proppatch(ANNA, "<C:default-alarm-vevent-date>BEGIN:VALARM&#13;\nEND:VALARM&#13;\n</C:default-alarm-vevent-date>").await;
    dav.proppatch(
        ANNA,
        "<C:calendar-free-busy-set><C:NO/></C:calendar-free-busy-set>",
    )
    .await;
    let props = "<A:calendar-color/><A:calendar-order/><C:calendar-description/><C:schedule-calendar-transp/>";
    let answer = dav.propfind(WORK, "0", props).await;
    let color = answer.prop(WORK, "calendar-color").unwrap();
    assert_eq!(
        (color.text().as_str(), color.attr("symbolic-color")),
        ("#FD8208FF", Some("orange"))
    );
    assert_eq!(answer.value(WORK, "calendar-order").unwrap(), "3");
    assert_eq!(
        answer.prop(WORK, "calendar-description").unwrap().lang(),
        Some("en")
    );
    assert_eq!(
        locals(&answer.prop(WORK, "schedule-calendar-transp").unwrap()),
        ["transparent"]
    );
    let answer = dav
        .propfind(ANNA, "0", "<C:default-alarm-vevent-date/>")
        .await;
    assert_eq!(
        answer.value(ANNA, "default-alarm-vevent-date").unwrap(),
        "BEGIN:VALARM\r\nEND:VALARM\r\n"
    );
}

pub const BERLIN: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\n\
    BEGIN:DAYLIGHT\r\nTZOFFSETFROM:+0100\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nDTSTART:19810329T020000\r\n\
    TZNAME:CEST\r\nTZOFFSETTO:+0200\r\nEND:DAYLIGHT\r\nBEGIN:STANDARD\r\nTZOFFSETFROM:+0200\r\n\
    RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nDTSTART:19961027T030000\r\nTZNAME:CET\r\nTZOFFSETTO:+0100\r\n\
    END:STANDARD\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n";

#[tokio::test]
async fn the_time_zone_is_checked_and_known_by_name_and_by_text() {
    let dav = Dav::new().await;
    for bad in ["nonsense", "BEGIN:VCALENDAR\nEND:VCALENDAR"] {
        let answer = dav
            .proppatch(
                WORK,
                &format!("<C:calendar-timezone>{bad}</C:calendar-timezone>"),
            )
            .await;
        assert_eq!(answer.status_of(WORK, "calendar-timezone"), Some(403));
        assert!(answer.text().contains("valid-calendar-data"));
    }
    let text = BERLIN.replace("\r\n", "&#13;\n");
    let answer = dav
        .proppatch(
            WORK,
            &format!("<C:calendar-timezone>{text}</C:calendar-timezone>"),
        )
        .await;
    assert_eq!(
        answer.status_of(WORK, "calendar-timezone"),
        Some(200),
        "{}",
        answer.text()
    );
    let answer = dav
        .propfind(WORK, "0", "<C:calendar-timezone/><C:calendar-timezone-id/>")
        .await;
    assert_eq!(answer.value(WORK, "calendar-timezone").unwrap(), BERLIN);
    assert_eq!(
        answer.value(WORK, "calendar-timezone-id").unwrap(),
        "Europe/Berlin"
    );
    dav.proppatch(
        WORK,
        "<C:calendar-timezone-id>America/New_York</C:calendar-timezone-id>",
    )
    .await;
    let answer = dav
        .propfind(WORK, "0", "<C:calendar-timezone/><C:calendar-timezone-id/>")
        .await;
    assert_eq!(
        answer.value(WORK, "calendar-timezone-id").unwrap(),
        "America/New_York"
    );
    let text = answer.value(WORK, "calendar-timezone").unwrap();
    assert!(text.contains("TZID:America/New_York\r\n"), "{text}");
    let answer = dav
        .proppatch(
            WORK,
            "<C:calendar-timezone-id>Mars/Olympus</C:calendar-timezone-id>",
        )
        .await;
    assert!(answer.text().contains("valid-timezone"));
}

#[tokio::test]
async fn calendars_describe_themselves() {
    let dav = Dav::new().await;
    let props = "<C:supported-calendar-component-set/><C:supported-calendar-data/><C:supported-collation-set/>\
        <C:max-resource-size/><C:min-date-time/><C:max-date-time/><C:max-attendees-per-instance/><D:owner/>\
        <D:current-user-privilege-set/><D:supported-privilege-set/><D:acl/><D:acl-restrictions/><D:sync-token/>\
        <CS:getctag/><D:resource-id/><D:quota-used-bytes/><D:supported-report-set/><D:getlastmodified/>";
    let answer = dav.propfind(WORK, "0", props).await;
    assert!(!answer.text().contains("404"), "{}", answer.text());
    assert_eq!(answer.value(WORK, "max-resource-size").unwrap(), "10485760");
    let rights = answer
        .prop(WORK, "current-user-privilege-set")
        .unwrap()
        .to_xml_string();
    for right in [
        "D:all",
        "D:read",
        "D:write",
        "D:write-content",
        "D:bind",
        "D:unbind",
    ] {
        assert!(rights.contains(&format!("<{right}")), "{right}");
    }
    let reports = answer
        .prop(WORK, "supported-report-set")
        .unwrap()
        .to_xml_string();
    for report in [
        "calendar-query",
        "calendar-multiget",
        "free-busy-query",
        "sync-collection",
        "expand-property",
    ] {
        assert!(reports.contains(report), "{report}");
    }
    assert!(
        answer
            .prop(WORK, "acl")
            .unwrap()
            .to_xml_string()
            .contains("/dav/principals/anna/")
    );
}

#[tokio::test]
async fn quota_and_ctag_follow_the_contents() {
    let dav = Dav::new().await;
    let look = async || {
        let answer = dav
            .propfind(WORK, "0", "<D:quota-used-bytes/><CS:getctag/>")
            .await;
        (
            answer.value(WORK, "quota-used-bytes").unwrap(),
            answer.value(WORK, "getctag").unwrap(),
        )
    };
    let (bytes, before) = look().await;
    assert_eq!(bytes, "0");
    dav.put("a.ics", &event("a", 1)).await;
    let (bytes, after) = look().await;
    assert_eq!(bytes, event("a", 1).len().to_string());
    assert_ne!(before, after);
    dav.proppatch(WORK, "<X:a/>").await;
    assert_eq!(look().await.1, after, "properties are not contents");
    assert_eq!(
        dav.propfind(ANNA, "0", "<D:quota-used-bytes/>")
            .await
            .value(ANNA, "quota-used-bytes")
            .unwrap(),
        bytes
    );
}

#[tokio::test]
async fn a_sharee_has_an_own_name_and_colour_and_nothing_else() {
    let dav = Dav::new().await;
    let ben = dav.user("ben").await;
    super::objects::share(&dav, &ben, 2).await;
    dav.proppatch(
        WORK,
        "<D:displayname>Anna's</D:displayname><A:calendar-color>#111111</A:calendar-color>",
    )
    .await;
    let at = "/dav/calendars/ben/from-anna/";
    let look = async |who: &Who, path: &str| {
        let body = propfind("<D:prop><D:displayname/><A:calendar-color/></D:prop>");
        let answer = dav
            .send_as(who, "PROPFIND", path, &[("Depth", "0")], &body)
            .await;
        (
            answer.value(path, "displayname").unwrap(),
            answer.value(path, "calendar-color").unwrap(),
        )
    };
    assert_eq!(look(&ben, at).await, ("Anna's".into(), "#111111".into()));
    let set = |inside: &str| {
        format!(
            "<D:propertyupdate {NS}><D:set><D:prop>{inside}</D:prop></D:set></D:propertyupdate>"
        )
    };
    let color = set("<A:calendar-color>#222222</A:calendar-color>");
    assert_eq!(
        dav.send_as(&ben, "PROPPATCH", at, &[], &color).await.status,
        207
    );
    assert_eq!(look(&ben, at).await, ("Anna's".into(), "#222222".into()));
    assert_eq!(
        look(&dav.who, WORK).await,
        ("Anna's".into(), "#111111".into())
    );
    let refused = dav
        .send_as(&ben, "PROPPATCH", at, &[], &set("<X:shared>1</X:shared>"))
        .await;
    assert_eq!(
        (refused.status, refused.precondition().as_str()),
        (403, "need-privileges")
    );
    let acl = dav
        .send_as(
            &ben,
            "PROPFIND",
            at,
            &[("Depth", "0")],
            &propfind("<D:prop><D:acl/></D:prop>"),
        )
        .await;
    assert_eq!(
        acl.status_of(at, "acl"),
        Some(403),
        "who may only read does not see who else may"
    );
}

#[tokio::test]
async fn hrefs_have_one_spelling() {
    let dav = Dav::new().await;
    let odd = "/dav/calendars/anna/caf%c3%a9%20@(1)/";
    dav.ok("MKCALENDAR", odd, &[], "", 201).await;
    let spelled = "/dav/calendars/anna/caf%C3%A9%20%40%281%29/";
    for asked in [odd, spelled, "/dav/calendars/anna/caf%C3%A9%20%40(1)"] {
        assert_eq!(
            dav.propfind(asked, "0", "<D:displayname/>").await.hrefs(),
            [spelled]
        );
    }
    dav.ok("PUT", &format!("{odd}a@b;c.ics"), &[], &event("a", 1), 201)
        .await;
    let names = dav.propfind(odd, "1", "<D:getetag/>").await.hrefs();
    assert!(
        names.contains(&format!("{spelled}a%40b%3Bc.ics")),
        "{names:?}"
    );
    dav.ok("GET", &format!("{spelled}a%40b%3Bc.ics"), &[], "", 200)
        .await;
}

#[tokio::test]
async fn the_acl_method_changes_nothing() {
    let dav = Dav::new().await;
    let body = format!("<D:acl {NS}/>");
    assert_eq!(
        dav.send("ACL", WORK, &[], &body).await.precondition(),
        "no-protected-ace-conflict"
    );
}

#[tokio::test]
async fn nobody_asks_for_a_thousand_properties() {
    let dav = Dav::new().await;
    let many: String = (0..1001).map(|n| format!("<X:p{n}/>")).collect();
    let body = propfind(&format!("<D:prop>{many}</D:prop>"));
    dav.ok("PROPFIND", WORK, &[("Depth", "0")], &body, 400)
        .await;
    let body =
        format!("<D:propertyupdate {NS}><D:set><D:prop>{many}</D:prop></D:set></D:propertyupdate>");
    dav.ok("PROPPATCH", WORK, &[], &body, 400).await;
    let many = many
        .replace("<X:p", "<D:property name=\"p")
        .replace("/>", "\"/>");
    let body = format!("<D:expand-property {NS}>{many}</D:expand-property>");
    dav.ok("REPORT", WORK, &[], &body, 400).await;
}
