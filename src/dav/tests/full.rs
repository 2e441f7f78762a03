//! A full disk as clients see it: 507 and a sentence (RFC 4918 §11.5), while everything can be read.

use super::*;
use crate::store::DatabaseUrl;

#[tokio::test]
async fn a_full_disk_is_507_and_reading_goes_on() {
    let dav = Dav::new().await;
    if matches!(dav.world.fresh.url, DatabaseUrl::Postgres(_)) {
        eprintln!("not run: PostgreSQL's disk is not ours to fill");
        return;
    }
    let old = event("old", 4);
    assert_eq!(dav.put("old.ics", &old).await.status, 201);
    dav.world.fresh.full(true).await;

    let large = |uid: &str| {
        let description = format!("DESCRIPTION:{}\r\nEND:VEVENT", "x".repeat(200_000));
        event(uid, 5).replace("END:VEVENT", &description)
    };
    let token = dav.token(WORK).await;
    for (name, body) in [("new.ics", large("new")), ("old.ics", large("old"))] {
        let refused = dav.put(name, body).await;
        assert_eq!(refused.status, 507, "{name}: {}", refused.text());
        assert!(refused.text().contains("no room"), "{}", refused.text());
        assert_eq!(refused.header("etag"), "");
    }
    let comment = format!("<X:long>{}</X:long>", "y".repeat(50_000));
    let body = format!(
        "<D:propertyupdate {NS}><D:set><D:prop>{comment}</D:prop></D:set></D:propertyupdate>"
    );
    dav.ok("PROPPATCH", WORK, &[], &body, 507).await;

    let got = dav.ok("GET", &format!("{WORK}old.ics"), &[], "", 200).await;
    assert_eq!(got.text(), old);
    assert_eq!(
        dav.propfind(WORK, "1", "<D:getetag/>").await.names(),
        ["", "old.ics"]
    );
    assert_eq!(dav.token(WORK).await, token, "nothing has changed");

    dav.world.fresh.full(false).await;
    assert_eq!(dav.put("new.ics", large("new")).await.status, 201);
    assert_eq!(
        crate::store::verify::verify(&dav.world.app.store)
            .await
            .unwrap(),
        vec![]
    );
}
