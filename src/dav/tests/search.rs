//! Reports about principals: RFC 3744 §9, expand-property, Apple's type-ahead.

use super::*;

const PEOPLE: &str = "/dav/principals/";

async fn people() -> Dav {
    let dav = Dav::new().await;
    dav.user("ben").await;
    dav.user("benedict").await;
    dav
}

#[tokio::test]
async fn principal_property_search_rfc_3744_9_4() {
    let dav = people().await;
    let search = |prop: &str, text: &str| {
        format!(
            "<D:principal-property-search {NS}><D:property-search><D:prop>{prop}</D:prop><D:match>{text}</D:match>\
             </D:property-search><D:prop><D:displayname/><C:calendar-user-address-set/></D:prop></D:principal-property-search>"
        )
    };
    for (prop, text, want) in [
        (
            "<D:displayname/>",
            "BEN",
            &["/dav/principals/ben/", "/dav/principals/benedict/"][..],
        ),
        (
            "<CS:email-address-set/>",
            "anna@",
            &["/dav/principals/anna/"],
        ),
        (
            "<C:calendar-user-address-set/>",
            "mailto:ben@example.org",
            &["/dav/principals/ben/"],
        ),
        ("<C:calendar-user-type/>", "RESOURCE", &[]),
        (
            "<D:displayname/><CS:email-address-set/>",
            "dict",
            &["/dav/principals/benedict/"],
        ),
        ("<X:unknown/>", "a", &[]),
    ] {
        let answer = dav.report(PEOPLE, "0", &search(prop, text)).await;
        assert_eq!(answer.hrefs(), want, "{prop} {text}");
    }
    for (how, text, count) in [
        ("equals", "ben", 1),
        ("starts-with", "be", 2),
        ("ends-with", "dict", 1),
    ] {
        let body = search("<D:displayname/>", text)
            .replace("<D:match>", &format!("<D:match match-type=\"{how}\">"));
        assert_eq!(
            dav.report(PEOPLE, "0", &body).await.hrefs().len(),
            count,
            "{how}"
        );
    }
    dav.ok(
        "REPORT",
        PEOPLE,
        &[],
        &format!("<D:principal-property-search {NS}/>"),
        400,
    )
    .await;
}

#[tokio::test]
async fn the_searchable_properties_are_listed() {
    let dav = Dav::new().await;
    let answer = dav
        .ok(
            "REPORT",
            PEOPLE,
            &[("Depth", "0")],
            "<A:principal-search-property-set xmlns:A=\"DAV:\"/>",
            200,
        )
        .await;
    let root = answer.xml();
    assert_eq!(root.name, Name::dav("principal-search-property-set"));
    assert!(root.elements().count() >= 3);
}

#[tokio::test]
async fn apples_type_ahead() {
    let dav = people().await;
    let search = |context: &str, tokens: &[&str], more: &str| {
        let tokens: String = tokens
            .iter()
            .map(|token| format!("<CS:search-token>{token}</CS:search-token>"))
            .collect();
        format!(
            "<CS:calendarserver-principal-search {NS} context=\"{context}\">{tokens}{more}<D:prop><D:principal-URL/>\
             <CS:record-type/></D:prop></CS:calendarserver-principal-search>"
        )
    };
    let both = dav
        .report(PEOPLE, "0", &search("attendee", &["ben", "example"], ""))
        .await;
    assert_eq!(both.hrefs().len(), 2);
    assert_eq!(
        both.value("/dav/principals/ben/", "record-type").unwrap(),
        "users"
    );
    assert!(
        dav.report(PEOPLE, "0", &search("location", &["ben"], ""))
            .await
            .hrefs()
            .is_empty()
    );
    let limited = search(
        "attendee",
        &["ben"],
        "<D:limit><D:nresults>1</D:nresults></D:limit>",
    );
    assert!(
        dav.report(PEOPLE, "0", &limited)
            .await
            .text()
            .contains("507")
    );
}

#[tokio::test]
async fn principal_match_finds_oneself_and_what_one_owns() {
    let dav = people().await;
    let body = |inside: &str| {
        format!(
            "<D:principal-match {NS}>{inside}<D:prop><D:displayname/></D:prop></D:principal-match>"
        )
    };
    assert_eq!(
        dav.report(PEOPLE, "0", &body("<D:self/>")).await.hrefs(),
        ["/dav/principals/anna/"]
    );
    dav.ok("REPORT", PEOPLE, &[], &body(""), 400).await;
    let nothing = body("<D:principal-property/>");
    dav.ok("REPORT", PEOPLE, &[], &nothing, 400).await;
}

#[tokio::test]
async fn principal_match_takes_any_property_that_names_somebody() {
    let dav = people().await;
    for (path, value) in [
        (WORK, "/dav/principals/anna/"),
        ("/dav/calendars/anna/tasks/", "/dav/principals/ben/"),
        ("/dav/calendars/anna/calendar/", "anna"),
    ] {
        let set = format!("<X:assigned><D:href>{value}</D:href></X:assigned>");
        dav.proppatch(path, &set).await;
    }
    let found = async |path: &str, property: &str| {
        let body = format!(
            "<D:principal-match {NS}><D:principal-property><{property}/></D:principal-property>\
             <D:prop><D:displayname/></D:prop></D:principal-match>"
        );
        dav.report(path, "0", &body).await.hrefs()
    };
    let all = [
        "/dav/calendars/anna/calendar/",
        "/dav/calendars/anna/sessions/",
        "/dav/calendars/anna/tasks/",
        WORK,
    ];
    assert_eq!(found(ANNA, "D:owner").await, all);
    assert_eq!(found(ANNA, "X:assigned").await, [WORK]);
    assert_eq!(
        found(PEOPLE, "D:principal-URL").await,
        ["/dav/principals/anna/"]
    );
    assert_eq!(found("/dav/", "X:assigned").await, [WORK]);
    for property in [
        "D:displayname",
        "X:none",
        "D:getetag",
        "C:calendar-home-set",
    ] {
        assert!(found(ANNA, property).await.is_empty(), "{property}");
        assert!(found(PEOPLE, property).await.is_empty(), "{property}");
    }
}

#[tokio::test]
async fn acl_principal_prop_set_names_who_has_rights() {
    let dav = people().await;
    let ben = Who {
        id: ben(&dav).await,
        ..dav.who.clone()
    };
    super::objects::share(&dav, &ben, 3).await;
    let body = format!(
        "<D:acl-principal-prop-set {NS}><D:prop><D:displayname/></D:prop></D:acl-principal-prop-set>"
    );
    let answer = dav.report(WORK, "0", &body).await;
    assert_eq!(
        answer.hrefs(),
        ["/dav/principals/anna/", "/dav/principals/ben/"]
    );
}

async fn ben(dav: &Dav) -> PrincipalId {
    let found = dav
        .world
        .store
        .peek(|tx| Box::pin(crate::store::principals::find(tx, "ben")))
        .await
        .unwrap();
    found.unwrap().id
}

#[tokio::test]
async fn expand_property_rfc_3253_3_8() {
    let dav = Dav::new().await;
    let body = format!(
        "<D:expand-property {NS}><D:property name=\"displayname\"/><D:property name=\"owner\">\
         <D:property name=\"displayname\"/><D:property name=\"calendar-home-set\" namespace=\"urn:ietf:params:xml:ns:caldav\">\
         <D:property name=\"resourcetype\"/></D:property></D:property><D:property name=\"nothing\"><D:property name=\"x\"/>\
         </D:property></D:expand-property>"
    );
    let answer = dav.report(WORK, "0", &body).await;
    assert_eq!(answer.value(WORK, "displayname").unwrap(), "work");
    let owner = answer.prop(WORK, "owner").unwrap();
    let response = owner
        .child(&Name::dav("response"))
        .expect("a response in the place of the href");
    assert_eq!(href(response), "/dav/principals/anna/");
    assert!(
        owner.to_xml_string().contains(ANNA),
        "{}",
        owner.to_xml_string()
    );
    assert_eq!(answer.status_of(WORK, "nothing"), Some(404));
}

#[tokio::test]
async fn delegation_answers_with_nobody() {
    let dav = Dav::new().await;
    let body = "<A:expand-property xmlns:A=\"DAV:\"><A:property name=\"calendar-proxy-read-for\" namespace=\"http://calendarserver.org/ns/\">\
         <A:property name=\"displayname\" namespace=\"DAV:\"/></A:property></A:expand-property>";
    let at = "/dav/principals/anna/";
    let answer = dav.report(at, "0", body).await;
    assert!(
        answer
            .prop(at, "calendar-proxy-read-for")
            .unwrap()
            .children
            .is_empty()
    );
    let proxies = dav
        .propfind(at, "1", "<D:resourcetype/><D:group-member-set/>")
        .await;
    let read = format!("{at}calendar-proxy-read/");
    assert!(
        locals(&proxies.prop(&read, "resourcetype").unwrap())
            .contains(&"calendar-proxy-read".to_string())
    );
    assert!(
        proxies
            .prop(&read, "group-member-set")
            .unwrap()
            .children
            .is_empty()
    );
}
