//! sync-collection (RFC 6578) on calendars and homes.

use super::*;

fn sync(token: &str, more: &str) -> String {
    format!(
        "<D:sync-collection {NS}><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>{more}\
         <D:prop><D:getetag/></D:prop></D:sync-collection>"
    )
}

fn limited(token: &str, limit: usize) -> String {
    sync(
        token,
        &format!("<D:limit><D:nresults>{limit}</D:nresults></D:limit>"),
    )
}

#[tokio::test]
async fn initial_then_changes_rfc_6578_3_8_and_3_9() {
    let dav = Dav::new().await;
    for name in ["a", "b", "c"] {
        dav.put(&format!("{name}.ics"), &event(name, 1)).await;
    }
    let first = dav.report(WORK, "0", &sync("", "")).await;
    assert_eq!(first.names(), ["a.ics", "b.ics", "c.ics"]);
    let token = first.sync_token();
    assert_eq!(token, dav.token(WORK).await);
    let nothing = dav.report(WORK, "1", &sync(&token, "")).await;
    assert!(nothing.names().is_empty() && nothing.sync_token() == token);
    dav.put("b.ics", &event("b", 2)).await;
    dav.ok("DELETE", &format!("{WORK}c.ics"), &[], "", 204)
        .await;
    dav.put("d.ics", &event("d", 1)).await;
    dav.put("brief.ics", &event("brief", 1)).await;
    dav.ok("DELETE", &format!("{WORK}brief.ics"), &[], "", 204)
        .await;
    let second = dav.report(WORK, "0", &sync(&token, "")).await;
    assert_eq!(
        second.names(),
        ["b.ics", "-c.ics", "d.ics"],
        "what came and went is not mentioned"
    );
    assert_ne!(second.sync_token(), token);
}

#[tokio::test]
async fn an_answer_that_holds_everything_is_not_called_truncated() {
    let dav = Dav::new().await;
    for name in ["a", "b", "brief"] {
        dav.put(&format!("{name}.ics"), &event(name, 1)).await;
    }
    dav.ok("DELETE", &format!("{WORK}brief.ics"), &[], "", 204)
        .await;
    let whole = dav.report(WORK, "0", &limited("", 2)).await;
    assert_eq!(whole.names(), ["a.ics", "b.ics"], "no 507");
    assert_eq!(whole.sync_token(), dav.token(WORK).await);
}

#[tokio::test]
async fn a_truncated_answer_goes_on_from_its_token_rfc_6578_3_10() {
    let dav = Dav::new().await;
    for n in 0..7 {
        dav.put(&format!("{n}.ics"), &event(&n.to_string(), 1))
            .await;
    }
    dav.ok("DELETE", &format!("{WORK}3.ics"), &[], "", 204)
        .await;
    let (mut token, mut seen, mut rounds) = (String::new(), Vec::new(), 0);
    loop {
        let answer = dav.report(WORK, "0", &limited(&token, 2)).await;
        token = answer.sync_token();
        let truncated = answer.text().contains("507 Insufficient Storage");
        let gone = format!("{WORK}3.ics");
        let names: Vec<String> = answer
            .hrefs()
            .into_iter()
            .filter(|href| href != WORK)
            .collect();
        assert!(names.len() <= 2);
        // A removal may be told to a client that never saw the object: it might have, between two pages.
        seen.extend(names.into_iter().filter(|name| *name != gone));
        rounds += 1;
        assert!(rounds < 9, "it comes to an end");
        if !truncated {
            break;
        }
        assert!(answer.text().contains("number-of-matches-within-limits"));
    }
    let want: Vec<String> = [0, 1, 2, 4, 5, 6]
        .iter()
        .map(|n| format!("{WORK}{n}.ics"))
        .collect();
    assert_eq!(seen, want);
    assert_eq!(token, dav.token(WORK).await);
    dav.ok("REPORT", WORK, &[], &limited("", 0), 400).await;
}

#[tokio::test]
async fn changes_come_with_data_and_dead_properties_when_asked() {
    let dav = Dav::new().await;
    let token = dav.token(WORK).await;
    dav.put("a.ics", &event("a", 1)).await;
    dav.proppatch(&format!("{WORK}a.ics"), "<X:note>n</X:note>")
        .await;
    let body = sync(&token, "").replace("<D:getetag/>", "<C:calendar-data/><X:note/>");
    let answer = dav.report(WORK, "0", &body).await;
    let at = format!("{WORK}a.ics");
    assert_eq!(answer.value(&at, "calendar-data").unwrap(), event("a", 1));
    assert_eq!(answer.value(&at, "note").unwrap(), "n");
}

#[tokio::test]
async fn tokens_of_others_are_refused_by_name() {
    let dav = Dav::new().await;
    dav.put("a.ics", &event("a", 1)).await;
    let old = dav.token(WORK).await;
    let other = dav.token("/dav/calendars/anna/calendar/").await;
    for token in [
        "nonsense",
        "data:,999_1",
        &other,
        &format!("{old}9"),
        &dav.token(ANNA).await,
    ] {
        let answer = dav
            .ok("REPORT", WORK, &[("Depth", "0")], &sync(token, ""), 403)
            .await;
        assert_eq!(answer.precondition(), "valid-sync-token", "{token}");
    }
    dav.ok("DELETE", WORK, &[], "", 204).await;
    dav.ok("MKCALENDAR", WORK, &[], "", 201).await;
    let answer = dav
        .ok("REPORT", WORK, &[("Depth", "0")], &sync(&old, ""), 403)
        .await;
    assert_eq!(
        answer.precondition(),
        "valid-sync-token",
        "a calendar made anew refuses the old one's tokens"
    );
}

#[tokio::test]
async fn a_missing_sync_level_is_taken_from_depth() {
    let dav = Dav::new().await;
    dav.put("a.ics", &event("a", 1)).await;
    let body = sync("", "").replace("<D:sync-level>1</D:sync-level>", "");
    assert_eq!(dav.report(WORK, "1", &body).await.names(), ["a.ics"]);
    let odd = sync("", "").replace("<D:sync-level>1<", "<D:sync-level>7<");
    dav.ok("REPORT", WORK, &[], &odd, 400).await;
}

#[tokio::test]
async fn large_answers_are_whole_and_in_pages() {
    let dav = Dav::new().await;
    let anna = dav.who.clone();
    for n in 0..600 {
        let name = format!("{WORK}{n:03}.ics");
        assert_eq!(
            dav.send_as(&anna, "PUT", &name, &[], &event(&format!("u{n}"), 1))
                .await
                .status,
            201
        );
    }
    let want: Vec<String> = (0..600).map(|n| format!("{n:03}.ics")).collect();
    let first = dav.report(WORK, "0", &sync("", "")).await;
    assert_eq!(first.names(), want);
    assert_eq!(
        dav.report(WORK, "0", &limited("", 599))
            .await
            .responses()
            .len(),
        600,
        "599 and the 507"
    );
    let listed = dav.propfind(WORK, "1", "<D:getetag/><X:dead/>").await;
    assert_eq!(listed.responses().len(), 601);
    let data = sync("", "").replace("<D:getetag/>", "<D:getetag/><C:calendar-data/>");
    let all = dav
        .ok("REPORT", WORK, &[("Accept-Encoding", "gzip")], &data, 207)
        .await;
    assert_eq!(all.header("content-encoding"), "gzip");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&all.body[..]), &mut text)
        .unwrap();
    assert_eq!(text.matches("BEGIN:VEVENT").count(), 600);
}

#[tokio::test]
async fn a_home_reports_the_calendars_that_changed() {
    let dav = Dav::new().await;
    let body = |token: &str| {
        format!(
            "<D:sync-collection {NS}><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>\
             <D:prop><D:displayname/><CS:getctag/><D:sync-token/></D:prop></D:sync-collection>"
        )
    };
    let first = dav.report(ANNA, "1", &body("")).await;
    assert!(first.hrefs().contains(&WORK.to_string()));
    let token = first.sync_token();
    assert_eq!(token, dav.token(ANNA).await);
    let nothing = dav.report(ANNA, "1", &body(&token)).await;
    assert!(nothing.hrefs().is_empty() && nothing.sync_token() == token);
    dav.put("a.ics", &event("a", 1)).await;
    let contents = dav.report(ANNA, "1", &body(&token)).await;
    assert_eq!(contents.hrefs(), [WORK], "contents changed");
    let token = contents.sync_token();
    dav.proppatch(WORK, "<D:displayname>New</D:displayname>")
        .await;
    let properties = dav.report(ANNA, "1", &body(&token)).await;
    assert_eq!(properties.value(WORK, "displayname").unwrap(), "New");
    let token = properties.sync_token();
    dav.ok("MKCALENDAR", "/dav/calendars/anna/fresh/", &[], "", 201)
        .await;
    dav.ok("DELETE", WORK, &[], "", 204).await;
    let moved = dav.report(ANNA, "1", &body(&token)).await;
    let fates: Vec<_> = moved
        .responses()
        .iter()
        .map(|r| (href(r), r.child(&Name::dav("status")).is_some()))
        .collect();
    assert_eq!(
        fates,
        [
            ("/dav/calendars/anna/fresh/".into(), false),
            (WORK.into(), true)
        ]
    );
    for bad in [
        "x",
        "data:,h999_1",
        &dav.token("/dav/calendars/anna/fresh/").await,
    ] {
        assert_eq!(
            dav.send("REPORT", ANNA, &[], &body(bad))
                .await
                .precondition(),
            "valid-sync-token"
        );
    }
}

#[tokio::test]
async fn a_home_reports_objects_on_level_infinite() {
    let dav = Dav::new().await;
    let body = |token: &str| sync(token, "").replace("<D:sync-level>1<", "<D:sync-level>infinite<");
    dav.put("a.ics", &event("a", 1)).await;
    let first = dav.report(ANNA, "0", &body("")).await;
    assert!(first.hrefs().contains(&format!("{WORK}a.ics")));
    let token = first.sync_token();
    dav.put("b.ics", &event("b", 1)).await;
    dav.ok("DELETE", &format!("{WORK}a.ics"), &[], "", 204)
        .await;
    let second = dav.report(ANNA, "0", &body(&token)).await;
    assert_eq!(second.names(), ["", "b.ics", "-a.ics"]);
}

#[tokio::test]
async fn a_shared_calendar_is_seen_in_both_homes() {
    let dav = Dav::new().await;
    let ben = dav.user("ben").await;
    super::objects::share(&dav, &ben, 2).await;
    let home = "/dav/calendars/ben/";
    let first = dav.send_as(&ben, "REPORT", home, &[], &sync("", "")).await;
    let at = "/dav/calendars/ben/from-anna/".to_string();
    assert!(first.hrefs().contains(&at));
    dav.put("a.ics", &event("a", 1)).await;
    let second = dav
        .send_as(&ben, "REPORT", home, &[], &sync(&first.sync_token(), ""))
        .await;
    assert_eq!(second.hrefs(), [at]);
}
