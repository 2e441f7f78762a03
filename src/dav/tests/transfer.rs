//! COPY and MOVE of whole calendars (RFC 4918 §9.8.3, §9.9.2).

use super::*;
use crate::model::{CalendarId, Privileges};
use crate::store::calendars;
use crate::store::verify::verify;

const THERE: &str = "/dav/calendars/anna/there/";
const OTHER: &str = "/dav/calendars/anna/calendar/";

fn to(path: &str) -> [(&str, &str); 1] {
    [("Destination", path)]
}

/// Two events, one with a property, a removed third one, and what a calendar looks like.
async fn furnished() -> Dav {
    let dav = Dav::new().await;
    dav.proppatch(
        WORK,
        "<D:displayname>Work</D:displayname><A:calendar-color>#112233FF</A:calendar-color><X:dead>kept</X:dead>\
         <C:calendar-timezone-id>Europe/Berlin</C:calendar-timezone-id>\
         <C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>",
    )
    .await;
    for (name, day) in [("a.ics", 1), ("gone.ics", 2), ("b.ics", 3)] {
        assert_eq!(dav.put(name, event(name, day)).await.status, 201);
    }
    dav.ok("DELETE", &format!("{WORK}gone.ics"), &[], "", 204)
        .await;
    dav.proppatch(&format!("{WORK}a.ics"), "<X:note>mine</X:note>")
        .await;
    dav
}

async fn sound(dav: &Dav) {
    assert_eq!(verify(&dav.world.app.store).await.unwrap(), vec![]);
}

const FACE: &str = "<D:displayname/><A:calendar-color/><X:dead/><C:calendar-timezone-id/><C:schedule-calendar-transp/>\
    <C:supported-calendar-component-set/>";

/// Names of what is in a collection, and the properties of the collection itself.
async fn seen(dav: &Dav, path: &str) -> (Vec<String>, Vec<String>) {
    let listed = dav.propfind(path, "1", "<D:getetag/>").await.hrefs();
    let mut names: Vec<String> = listed
        .iter()
        .filter_map(|href| href.strip_prefix(path))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    names.sort();
    let face = dav.propfind(path, "0", FACE).await;
    let prop = &face.responses()[0];
    let props: Vec<String> = prop
        .elements()
        .filter(|e| e.name == Name::dav("propstat"))
        .map(Element::to_xml_string)
        .collect();
    (names, props)
}

#[tokio::test]
async fn a_copy_has_the_objects_their_index_and_all_properties() {
    let dav = furnished().await;
    let (before, token) = (seen(&dav, WORK).await, dav.token(WORK).await);
    let made = dav.ok("COPY", WORK, &to(THERE), "", 201).await;
    assert_eq!(made.header("location"), THERE);
    assert_eq!(seen(&dav, THERE).await, before);
    assert_eq!(before.0, ["a.ics", "b.ics"]);
    assert_eq!(dav.token(WORK).await, token, "the original is untouched");
    for (name, day) in [("a.ics", 1), ("b.ics", 3)] {
        let got = dav.ok("GET", &format!("{THERE}{name}"), &[], "", 200).await;
        assert_eq!(got.text(), event(name, day));
    }
    let note = dav
        .propfind(&format!("{THERE}a.ics"), "0", "<X:note/>")
        .await;
    assert!(note.text().contains("mine"), "{}", note.text());
    let query = format!(
        "<C:calendar-query {NS}><D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name=\"VCALENDAR\">\
         <C:comp-filter name=\"VEVENT\"><C:time-range start=\"20270103T000000Z\" end=\"20270104T000000Z\"/>\
         </C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
    );
    let found = dav.report(THERE, "1", &query).await.hrefs();
    assert_eq!(found, [format!("{THERE}b.ics")]);
    sound(&dav).await;
}

#[tokio::test]
async fn a_copy_lives_its_own_life() {
    let dav = furnished().await;
    dav.ok("COPY", WORK, &to(THERE), "", 201).await;
    let (here, there) = (dav.token(WORK).await, dav.token(THERE).await);
    assert_ne!(here, there);
    dav.ok("DELETE", &format!("{THERE}a.ics"), &[], "", 204)
        .await;
    assert_eq!(dav.put("b.ics", event("b.ics", 9)).await.status, 204);
    dav.ok("GET", &format!("{WORK}a.ics"), &[], "", 200).await;
    let copied = dav.ok("GET", &format!("{THERE}b.ics"), &[], "", 200).await;
    assert_eq!(copied.text(), event("b.ics", 3));
    for (path, token, want) in [(WORK, here, "b.ics"), (THERE, there, "a.ics")] {
        let body = format!(
            "<D:sync-collection {NS}><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>\
             <D:prop/></D:sync-collection>"
        );
        let changed = dav.report(path, "1", &body).await.hrefs();
        assert_eq!(changed, [format!("{path}{want}")]);
    }
    // The first sync of a copy hears of each object once, and of nothing else.
    let body = format!(
        "<D:sync-collection {NS}><D:sync-token/><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>"
    );
    assert_eq!(
        dav.report(THERE, "1", &body).await.hrefs(),
        [format!("{THERE}b.ics")]
    );
    sound(&dav).await;
}

#[tokio::test]
async fn depth_0_copies_the_properties_alone() {
    let dav = furnished().await;
    let (_, face) = seen(&dav, WORK).await;
    let headers = [("Destination", THERE), ("Depth", "0")];
    dav.ok("COPY", WORK, &headers, "", 201).await;
    assert_eq!(seen(&dav, THERE).await, (vec![], face));
    for (method, depth) in [("COPY", "1"), ("MOVE", "0"), ("MOVE", "1")] {
        let headers = [("Destination", "/dav/calendars/anna/x/"), ("Depth", depth)];
        dav.ok(method, WORK, &headers, "", 400).await;
    }
    sound(&dav).await;
}

#[tokio::test]
async fn what_is_there_is_replaced_only_when_it_may_be_rfc_4918_9_8_4() {
    for method in ["COPY", "MOVE"] {
        let dav = furnished().await;
        let old = format!("{OTHER}old.ics");
        let ics = [("Content-Type", "text/calendar")];
        dav.ok("PUT", &old, &ics, event("old", 5), 201).await;
        let keep = [("Destination", OTHER), ("Overwrite", "F")];
        dav.ok(method, WORK, &keep, "", 412).await;
        dav.ok("GET", &old, &[], "", 200).await;
        dav.ok(method, WORK, &to(OTHER), "", 204).await;
        dav.ok("GET", &old, &[], "", 404).await;
        dav.ok("GET", &format!("{OTHER}a.ics"), &[], "", 200).await;
        let still = if method == "COPY" { 200 } else { 404 };
        dav.ok("GET", &format!("{WORK}a.ics"), &[], "", still).await;
        sound(&dav).await;
    }
}

#[tokio::test]
async fn calendars_go_to_ones_own_home_only() {
    let dav = furnished().await;
    let ben = dav.user("ben").await;
    for method in ["COPY", "MOVE"] {
        for path in [
            "/dav/calendars/ben/x/",
            "/dav/calendars/anna/work/x.ics",
            "/dav/calendars/anna/inbox/",
            "/dav/calendars/anna/",
        ] {
            let refused = dav.ok(method, WORK, &to(path), "", 403).await;
            assert_eq!(
                refused.precondition(),
                "calendar-collection-location-ok",
                "{method} to {path}"
            );
        }
        dav.ok(method, WORK, &to(WORK), "", 403).await;
        dav.ok(method, WORK, &[], "", 400).await;
        dav.ok(method, "/dav/calendars/anna/none/", &to(THERE), "", 404)
            .await;
        dav.ok(method, ANNA, &to(THERE), "", 405).await;
        let headers = [("Destination", THERE), ("If-Match", "\"other\"")];
        dav.ok(method, WORK, &headers, "", 412).await;
        let stranger = dav
            .send_as(&ben, method, WORK, &to("/dav/calendars/ben/x/"), "")
            .await;
        assert_eq!(stranger.status, 404, "{method}");
    }
}

#[tokio::test]
async fn a_reader_may_copy_a_shared_calendar_but_not_move_it() {
    let dav = furnished().await;
    let ben = dav.user("ben").await;
    let work: CalendarId = share(&dav, ben.id).await;
    let mine = "/dav/calendars/ben/mine/";
    let moved = dav.send_as(&ben, "MOVE", WORK, &to(mine), "").await;
    assert_eq!(moved.precondition(), "need-privileges");
    let copied = dav.send_as(&ben, "COPY", WORK, &to(mine), "").await;
    assert_eq!(copied.status, 201, "{}", copied.text());
    let object = format!("{mine}a.ics");
    let got = dav.send_as(&ben, "GET", &object, &[], "").await;
    assert_eq!(got.text(), event("a.ics", 1));
    let gone = dav.send_as(&ben, "DELETE", &object, &[], "").await;
    assert_eq!(gone.status, 204, "it is ben's own");
    assert_eq!(dav.send("GET", mine, &[], "").await.status, 404);
    let grants = dav
        .world
        .app
        .store
        .peek(|tx| Box::pin(calendars::grants(tx, work)))
        .await
        .unwrap();
    assert_eq!(grants.len(), 1, "rights are not copied");
    sound(&dav).await;
}

/// Ben may read what Anna has in `work`.
async fn share(dav: &Dav, ben: PrincipalId) -> CalendarId {
    let anna = dav.who.id;
    dav.world
        .app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let work = calendars::find(tx, anna, "anna", "work").await?.unwrap();
                assert_eq!(work.privileges, Privileges::ALL);
                calendars::set_grant(tx, work.calendar.id, ben, 2, 0).await?;
                Ok(work.calendar.id)
            })
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn a_moved_calendar_stays_itself() {
    let dav = furnished().await;
    let (token, home) = (dav.token(WORK).await, dav.token(ANNA).await);
    let made = dav.ok("MOVE", WORK, &to(THERE), "", 201).await;
    assert_eq!(made.header("location"), THERE);
    dav.ok("GET", &format!("{THERE}a.ics"), &[], "", 200).await;
    dav.ok("GET", &format!("{WORK}a.ics"), &[], "", 404).await;
    assert_eq!(dav.token(THERE).await, token, "it is the same calendar");
    let body = format!(
        "<D:sync-collection {NS}><D:sync-token>{home}</D:sync-token><D:sync-level>1</D:sync-level>\
         <D:prop/></D:sync-collection>"
    );
    let mut seen = dav.report(ANNA, "1", &body).await.hrefs();
    seen.sort();
    assert_eq!(seen, [THERE, WORK]);
    sound(&dav).await;
}
