//! free-busy-query (RFC 4791 §7.10).

use super::*;

fn body(from: &str, to: &str) -> String {
    format!(
        "<C:free-busy-query {NS}><C:time-range start=\"{from}\" end=\"{to}\"/></C:free-busy-query>"
    )
}

#[tokio::test]
async fn a_calendars_busy_time() {
    let dav = Dav::new().await;
    dav.put("a.ics", &event("a", 4)).await;
    dav.put(
        "b.ics",
        &event("b", 4).replace("SUMMARY", "TRANSP:TRANSPARENT\r\nSUMMARY"),
    )
    .await;
    dav.put(
        "c.ics",
        &event("c", 5).replace("SUMMARY", "STATUS:TENTATIVE\r\nSUMMARY"),
    )
    .await;
    let ask = body("20270104T000000Z", "20270106T000000Z");
    for path in [WORK, ANNA, "/dav/principals/anna/"] {
        let answer = dav.ok("REPORT", path, &[("Depth", "1")], &ask, 200).await;
        assert_eq!(
            answer.header("content-type"),
            "text/calendar; charset=utf-8"
        );
        let text = answer.text();
        let busy: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("FREEBUSY"))
            .collect();
        assert_eq!(
            busy,
            [
                "FREEBUSY;FBTYPE=BUSY:20270104T100000Z/PT1H",
                "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20270105T100000Z/PT1H"
            ],
            "{path}"
        );
    }
}

#[tokio::test]
async fn open_ranges_are_refused_and_rights_are_asked() {
    let dav = Dav::new().await;
    let open = format!(
        "<C:free-busy-query {NS}><C:time-range start=\"20270104T000000Z\"/></C:free-busy-query>"
    );
    assert_eq!(
        dav.send("REPORT", WORK, &[], &open).await.precondition(),
        "valid-filter"
    );
    let ben = dav.user("ben").await;
    let ask = body("20270104T000000Z", "20270106T000000Z");
    for path in [WORK, ANNA, "/dav/principals/anna/"] {
        assert_eq!(
            dav.send_as(&ben, "REPORT", path, &[], &ask).await.status,
            404,
            "{path}"
        );
    }
    super::objects::share(&dav, &ben, 1).await;
    let at = "/dav/calendars/ben/from-anna/";
    assert_eq!(dav.send_as(&ben, "REPORT", at, &[], &ask).await.status, 200);
    let read = dav
        .send_as(&ben, "PROPFIND", at, &[("Depth", "1")], "")
        .await;
    assert_eq!(
        (read.status, read.precondition().as_str()),
        (403, "need-privileges")
    );
}
