//! Where clients look first: OPTIONS, principals, homes, and the addresses that Apple's clients try.

use super::*;

#[tokio::test]
async fn options_says_what_can_be_done_and_nothing_else() {
    let dav = Dav::new().await;
    for path in ["/dav/", "/dav/principals/anna/", ANNA, WORK] {
        let answer = dav.ok("OPTIONS", path, &[], "", 200).await;
        let features: Vec<&str> = answer.header("dav").split(", ").collect();
        for there in [
            "1",
            "3",
            "access-control",
            "calendar-access",
            "extended-mkcol",
        ] {
            assert!(features.contains(&there), "{there}");
        }
        for absent in ["2", "calendar-auto-schedule", "calendar-schedule"] {
            assert!(!features.contains(&absent), "{absent}");
        }
        assert!(answer.header("allow").contains("PROPFIND"));
    }
    assert!(
        dav.ok("OPTIONS", WORK, &[], "", 200)
            .await
            .header("allow")
            .contains("MKCALENDAR")
    );
}

#[tokio::test]
async fn every_address_that_apples_clients_try_leads_to_the_principal() {
    let dav = Dav::new().await;
    for path in [
        "/",
        "/principals/",
        "/dav/",
        "/dav/principals/",
        "/calendar/dav/anna%40example.org/user/",
    ] {
        let answer = dav
            .propfind(
                path,
                "0",
                "<D:current-user-principal/><D:principal-URL/><D:resourcetype/>",
            )
            .await;
        let principal = answer.prop(path, "current-user-principal").expect(path);
        assert_eq!(
            principal.elements().next().unwrap().text(),
            "/dav/principals/anna/"
        );
        assert!(
            locals(&answer.prop(path, "resourcetype").unwrap()).contains(&"collection".to_string())
        );
    }
}

#[tokio::test]
async fn a_principal_leads_to_its_home_and_says_who_it_is() {
    let dav = Dav::new().await;
    let at = "/dav/principals/anna/";
    let props = "<C:calendar-home-set/><C:calendar-user-address-set/><D:displayname/><CS:email-address-set/>\
        <D:principal-URL/><D:resource-id/><D:supported-report-set/><C:calendar-user-type/><D:group-membership/>\
        <C:schedule-inbox-URL/><D:principal-collection-set/>";
    let answer = dav.propfind(at, "0", props).await;
    let href = |local: &str| {
        answer
            .prop(at, local)
            .unwrap()
            .elements()
            .next()
            .unwrap()
            .text()
    };
    assert_eq!(href("calendar-home-set"), ANNA);
    assert_eq!(href("calendar-user-address-set"), "mailto:anna@example.org");
    assert_eq!(href("principal-URL"), at);
    assert_eq!(href("principal-collection-set"), "/dav/principals/");
    assert!(href("resource-id").starts_with("urn:uuid:"));
    assert_eq!(
        answer.value(at, "calendar-user-type").unwrap(),
        "INDIVIDUAL"
    );
    assert_eq!(answer.status_of(at, "schedule-inbox-URL"), Some(404));
    let reports = answer
        .prop(at, "supported-report-set")
        .unwrap()
        .to_xml_string();
    for report in [
        "principal-match",
        "principal-property-search",
        "expand-property",
        "calendarserver-principal-search",
    ] {
        assert!(reports.contains(report), "{report}");
    }
}

#[tokio::test]
async fn a_home_lists_its_calendars_once_each() {
    let dav = Dav::new().await;
    let answer = dav
        .propfind(ANNA, "1", "<D:resourcetype/><D:displayname/>")
        .await;
    let mut hrefs = answer.hrefs();
    hrefs.sort();
    assert!(hrefs.contains(&ANNA.to_string()) && hrefs.contains(&WORK.to_string()));
    assert_eq!(answer.value(WORK, "displayname").as_deref(), Some("work"));
    assert_eq!(
        locals(&answer.prop(WORK, "resourcetype").unwrap()),
        ["collection", "calendar"]
    );
    assert_eq!(
        locals(&answer.prop(ANNA, "resourcetype").unwrap()),
        ["collection"]
    );
    let noroot = format!("<D:propfind {NS}><D:prop><D:displayname/></D:prop></D:propfind>");
    let answer = dav
        .ok(
            "PROPFIND",
            ANNA,
            &[("Depth", "1"), ("Prefer", "depth-noroot")],
            &noroot,
            207,
        )
        .await;
    assert!(!answer.hrefs().contains(&ANNA.to_string()));
    assert_eq!(answer.header("preference-applied"), "depth-noroot");
}

#[tokio::test]
async fn another_persons_home_and_calendars_are_not_there() {
    let dav = Dav::new().await;
    let ben = dav.user("ben").await;
    dav.put("a.ics", &event("a", 1)).await;
    for (method, path) in [
        ("PROPFIND", ANNA),
        ("PROPFIND", WORK),
        ("PROPFIND", "/dav/calendars/nobody/"),
        ("GET", "/dav/calendars/anna/work/a.ics"),
        ("DELETE", "/dav/calendars/anna/work/a.ics"),
        ("DELETE", WORK),
        ("MKCALENDAR", "/dav/calendars/anna/new/"),
        ("PROPFIND", "/dav/calendars/anna/inbox/"),
    ] {
        let answer = dav
            .send_as(&ben, method, path, &[("Depth", "infinity")], "")
            .await;
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text());
    }
    let answer = dav
        .send_as(
            &ben,
            "PUT",
            "/dav/calendars/anna/work/b.ics",
            &[],
            &event("b", 1),
        )
        .await;
    assert_eq!(answer.status, 404);
    let answer = dav
        .send_as(
            &ben,
            "PROPFIND",
            "/dav/principals/anna/",
            &[("Depth", "0")],
            "",
        )
        .await;
    assert_eq!(answer.status, 207, "people may be found");
}

#[tokio::test]
async fn inbox_outbox_and_notifications_are_there_and_empty() {
    let dav = Dav::new().await;
    for place in ["inbox", "outbox", "notifications"] {
        let path = format!("{ANNA}{place}/");
        let answer = dav
            .propfind(&path, "1", "<D:getetag/><D:getcontenttype/>")
            .await;
        assert_eq!(answer.hrefs(), [path]);
    }
    let path = format!("{ANNA}notifications/");
    let body = format!(
        "<D:sync-collection {NS}><D:sync-token/><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>"
    );
    let first = dav.report(&path, "1", &body).await.sync_token();
    let again = body.replace(
        "<D:sync-token/>",
        &format!("<D:sync-token>{first}</D:sync-token>"),
    );
    assert_eq!(dav.report(&path, "1", &again).await.sync_token(), first);
}

#[tokio::test]
async fn depth_infinity_ends_in_a_home_and_is_refused_above() {
    let dav = Dav::new().await;
    dav.put("a.ics", &event("a", 1)).await;
    let answer = dav.propfind(ANNA, "infinity", "<D:getetag/>").await;
    assert!(answer.hrefs().contains(&format!("{WORK}a.ics")));
    for path in ["/dav/", "/dav/principals/", "/dav/calendars/"] {
        assert_eq!(
            dav.send("PROPFIND", path, &[("Depth", "infinity")], "")
                .await
                .precondition(),
            "propfind-finite-depth"
        );
    }
}

#[tokio::test]
async fn methods_that_do_not_apply_are_405_with_allow() {
    let dav = Dav::new().await;
    for (method, path) in [
        ("PUT", WORK),
        ("DELETE", ANNA),
        ("BREW", WORK),
        ("MKCOL", WORK),
        ("POST", ANNA),
    ] {
        let answer = dav.send(method, path, &[], "").await;
        assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text());
        assert!(
            answer.header("allow").contains("PROPFIND"),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn a_former_name_redirects_by_path() {
    let dav = Dav::new().await;
    let id = dav.who.id;
    dav.world
        .store
        .write(move |tx| Box::pin(crate::store::principals::rename(tx, id, "anne@x")))
        .await
        .unwrap();
    for (old, new) in [
        (WORK, "/dav/calendars/anne%40x/work/"),
        ("/dav/principals/anna/", "/dav/principals/anne%40x/"),
        (
            "/dav/calendars/anna/work/a%20b.ics",
            "/dav/calendars/anne%40x/work/a%20b.ics",
        ),
    ] {
        let answer = dav.ok("PROPFIND", old, &[("Depth", "0")], "", 301).await;
        assert_eq!(answer.header("location"), new);
    }
}

#[tokio::test]
async fn tokens_do_what_their_scopes_say() {
    use crate::model::access::Scopes;
    let dav = Dav::new().await;
    dav.put("a.ics", &event("a", 1)).await;
    let url = format!("{WORK}a.ics");
    let reader = Who {
        scopes: Scopes::READ,
        ..dav.who.clone()
    };
    let update =
        format!("<D:propertyupdate {NS}><D:set><D:prop><X:a/></D:prop></D:set></D:propertyupdate>");
    for (method, path, body, status) in [
        ("GET", url.as_str(), String::new(), 200),
        ("PROPFIND", WORK, String::new(), 207),
        ("PUT", &url, event("a", 2), 403),
        ("DELETE", &url, String::new(), 403),
        ("DELETE", WORK, String::new(), 403),
        ("PROPPATCH", WORK, update, 403),
        ("MKCALENDAR", "/dav/calendars/anna/new/", String::new(), 403),
    ] {
        let answer = dav.send_as(&reader, method, path, &[], &body).await;
        assert_eq!(answer.status, status, "{method} {path}");
    }
    let nothing = Who {
        scopes: Scopes::BOOK,
        ..dav.who.clone()
    };
    for (method, path) in [("GET", url.as_str()), ("GET", WORK), ("PROPFIND", ANNA)] {
        let answer = dav.send_as(&nothing, method, path, &[], "").await;
        assert_eq!(answer.status, 403, "{method} {path}");
    }
}

#[tokio::test]
async fn everything_lives_below_the_prefix_of_the_public_address() {
    let config = crate::config::Config {
        public_url: "https://example.org/cal".into(),
        ..Default::default()
    };
    let world = World::with(config).await;
    let who = who(world.user("anna").await, "anna");
    let dav = Dav { world, who };
    for asked in ["/cal/dav/calendars/anna/", "/dav/calendars/anna/"] {
        let answer = dav.propfind(asked, "1", "<D:owner/>").await;
        assert!(
            answer
                .hrefs()
                .iter()
                .all(|href| href.starts_with("/cal/dav/calendars/anna/"))
        );
        assert!(answer.text().contains("/cal/dav/principals/anna/"));
    }
}

#[tokio::test]
async fn who_opens_an_address_in_a_browser_is_told_what_it_is_for() {
    let dav = Dav::new().await;
    for path in ["/dav/", "/dav/principals/anna/", ANNA] {
        let answer = dav.ok("GET", path, &[], "", 200).await;
        assert!(answer.text().contains("CalDAV address"), "{path}");
    }
    dav.ok("GET", "/dav/calendars/nobody/", &[], "", 404).await;
}
