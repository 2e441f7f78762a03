//! Writes: what is sent, what is read back, and that nothing is sent twice.

use super::*;

/// Every property that is mapped, there and back; a second put sends nothing.
#[tokio::test]
async fn an_event_comes_back_as_it_went() {
    let table = [
        "DTSTART;TZID=Europe/Vienna:20260310T090000\nDTEND;TZID=Europe/Vienna:20260310T103000\nSUMMARY:One\\, two\n\
         DESCRIPTION:a < b\\n\\nc & d\nLOCATION:Room 1\\; left\nCATEGORIES:Red,Blue\nPRIORITY:1\nCLASS:CONFIDENTIAL\n\
         BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:One\\, two\nTRIGGER:-PT45M\nEND:VALARM",
        "DTSTART:20260310T090000Z\nDTEND:20260310T090000Z\nSUMMARY:In UTC\nTRANSP:TRANSPARENT\nCLASS:PRIVATE\nPRIORITY:9",
        "DTSTART:20260310T090000\nDURATION:PT1H\nSUMMARY:Floating\nSTATUS:TENTATIVE",
        "DTSTART;VALUE=DATE:20260310\nSUMMARY:A day",
        "DTSTART;VALUE=DATE:20260310\nDTEND;VALUE=DATE:20260313\nSUMMARY:Days\nX-MICROSOFT-CDO-BUSYSTATUS:OOF",
        "DTSTART;TZID=America/New_York:20260310T090000\nDTEND;TZID=Europe/London:20260310T220000\nSUMMARY:Flight",
        "DTSTART;TZID=Asia/Kolkata:20260310T090000\nDURATION:P1D\nSUMMARY:A day long\nGEO:48.5;16.25",
        "DTSTART;TZID=Europe/Berlin:20261025T023000\nDTEND;TZID=Europe/Berlin:20261025T033000\nSUMMARY:Twice",
    ];
    for event in table {
        let world = World::new();
        let text = object(&[event]);
        let placed = world.put(&text, &[]).await.unwrap();
        assert_eq!(placed.losses, [], "{event}");
        same(&text, &world.read(&placed.items));
        let there = world.get(&placed.items[0].id).await;
        let reading = world.read(&there);
        same(&text, &reading);
        assert_eq!(reading.marker, Some(marker()));
        assert_eq!(reading.uid, "u1@example.com");
        assert!(reading.ours_to_edit && !reading.has_guests);
        let before = world.writes();
        for known in [&placed.items, &there] {
            let again = world.put(&text, known).await.unwrap();
            assert_eq!(again.items, *known, "{event}");
        }
        assert_eq!(world.writes(), before, "{event}");
        world.clean();
    }
}

#[tokio::test]
async fn a_change_is_as_small_as_it_is() {
    let world = World::new();
    let first =
        object(&["DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nSUMMARY:A\nDESCRIPTION:d"]);
    let placed = world.put(&first, &[]).await.unwrap();
    let second = first.replace("SUMMARY:A", "SUMMARY:B");
    let placed = world.put(&second, &placed.items).await.unwrap();
    same(&second, &world.read(&placed.items));
    let log = world.simulator.world().log();
    let patch = log.iter().rfind(|one| one.method == "PATCH").unwrap();
    assert_eq!(
        super::text(&patch.body),
        json!({"subject": "B"}).to_string()
    );
    world.clean();
}

#[tokio::test]
async fn a_series_with_deleted_and_changed_dates_comes_back() {
    let world = World::new();
    let text = object(&[
        &format!("{WEEKLY}\nEXDATE;TZID=Europe/Berlin:20260316T090000,20260406T090000"),
        "RECURRENCE-ID;TZID=Europe/Berlin:20260323T090000\nDTSTART;TZID=Europe/Berlin:20260324T110000\n\
         DTEND;TZID=Europe/Berlin:20260324T120000\nSUMMARY:Team\\, moved",
        "RECURRENCE-ID;TZID=Europe/Berlin:20260330T090000\nDTSTART;TZID=Europe/Berlin:20260330T090000\n\
         DTEND;TZID=Europe/Berlin:20260330T100000\nSUMMARY:Team\\, after the clocks changed",
    ]);
    let placed = world.put(&text, &[]).await.unwrap();
    assert_eq!(placed.losses, []);
    assert_eq!(placed.items.len(), 3);
    same(&text, &world.read(&placed.items));
    let writes = world.writes();
    assert_eq!(writes, 5, "one create, two deletions, two changes");
    world.put(&text, &placed.items).await.unwrap();
    assert_eq!(world.writes(), writes);
    world.clean();

    // An override that goes is made as the series is, a deleted date that comes back is too.
    let text = object(&[
        &format!("{WEEKLY}\nEXDATE;TZID=Europe/Berlin:20260316T090000"),
        "RECURRENCE-ID;TZID=Europe/Berlin:20260330T090000\nDTSTART;TZID=Europe/Berlin:20260330T090000\n\
         DTEND;TZID=Europe/Berlin:20260330T100000\nSUMMARY:Team\\, after the clocks changed",
    ]);
    let placed = world.put(&text, &placed.items).await.unwrap();
    same(&text, &world.read(&placed.items));
    assert_eq!(
        world.there().len(),
        2,
        "the restored date stands beside the series"
    );
    let writes = world.writes();
    let placed = world.put(&text, &placed.items).await.unwrap();
    assert_eq!(world.writes(), writes);

    // It goes with the series in its changes …
    let text = text.replace("SUMMARY:Team\r\n", "SUMMARY:Crew\r\n");
    let placed = world.put(&text, &placed.items).await.unwrap();
    same(&text, &world.read(&placed.items));
    // … and in its end.
    Microsoft
        .delete(
            &world.account,
            &world.place,
            &placed.items,
            GuestPolicy::Never,
        )
        .await
        .unwrap();
    assert_eq!(world.there(), [json!(null); 0]);
    Microsoft
        .delete(
            &world.account,
            &world.place,
            &placed.items,
            GuestPolicy::Never,
        )
        .await
        .unwrap();
    world.clean();
}

/// FACTS §4.5: "Changing `recurrence` of a master discards exceptions: re-apply them".
#[tokio::test]
async fn a_new_rule_keeps_the_exceptions() {
    let world = World::new();
    let text = object(&[
        &format!("{WEEKLY}\nEXDATE;TZID=Europe/Berlin:20260316T090000"),
        "RECURRENCE-ID;TZID=Europe/Berlin:20260323T090000\nDTSTART;TZID=Europe/Berlin:20260323T090000\n\
         DTEND;TZID=Europe/Berlin:20260323T100000\nSUMMARY:Other",
    ]);
    let placed = world.put(&text, &[]).await.unwrap();
    let longer = text.replace("COUNT=10", "COUNT=12");
    let placed = world.put(&longer, &placed.items).await.unwrap();
    same(&longer, &world.read(&placed.items));
    let single = object(&["DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nSUMMARY:Once"]);
    let placed = world.put(&single, &placed.items).await.unwrap();
    same(&single, &world.read(&placed.items));
    let placed = world.put(&text, &placed.items).await.unwrap();
    same(&text, &world.read(&placed.items));
    world.clean();
}

#[tokio::test]
async fn what_graph_cannot_hold_is_listed() {
    let world = World::new();
    let text = object(&[
        "DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nSUMMARY;LANGUAGE=de:A\nURL:https://example.com/\n\
         PRIORITY:3\nSTATUS:CANCELLED\nATTACH:https://example.com/a\n\
         BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:A\nTRIGGER:-PT10M\nEND:VALARM\n\
         BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:A\nTRIGGER:-P1D\nEND:VALARM\n\
         BEGIN:VALARM\nACTION:EMAIL\nDESCRIPTION:A\nTRIGGER:-P1D\nEND:VALARM",
    ]);
    let placed = world.put(&text, &[]).await.unwrap();
    let names: Vec<&str> = placed
        .losses
        .iter()
        .map(|loss| loss.property.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "ATTACH", "PRIORITY", "STATUS", "SUMMARY", "TRANSP", "URL", "VALARM", "VALARM"
        ]
    );
    world.clean();
}

#[tokio::test]
async fn a_meeting_is_made_when_it_is_asked_for_and_never_lost() {
    let world = World::new();
    let text = object(&[
        "DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nSUMMARY:A\nDESCRIPTION:old\nX-KALENDS-CONFERENCE:AUTO",
    ]);
    let placed = world.put(&text, &[]).await.unwrap();
    let read = String::from_utf8(world.read(&placed.items).text).unwrap();
    assert!(
        read.contains("CONFERENCE;VALUE=URI;LABEL=Teams:https://teams.microsoft.com/"),
        "{read}"
    );
    let writes = world.writes();
    world.put(&text, &placed.items).await.unwrap();
    assert_eq!(world.writes(), writes);
    let text = text.replace("DESCRIPTION:old", "DESCRIPTION:new <text>");
    let placed = world.put(&text, &placed.items).await.unwrap();
    let there = &world.there()[0];
    assert_eq!(there["isOnlineMeeting"], true);
    let link = there["onlineMeeting"]["joinUrl"].as_str().unwrap();
    let read = String::from_utf8(world.read(&placed.items).text).unwrap();
    assert!(
        read.contains("DESCRIPTION:new <text>") && read.contains(&link[..40]),
        "{read}"
    );
    world.clean();
    let personal = World::of("UTC", false);
    let placed = personal.put(&text, &[]).await.unwrap();
    assert!(
        placed
            .losses
            .iter()
            .any(|loss| loss.property == "CONFERENCE")
    );
    personal.clean();
}

#[tokio::test]
async fn keys_of_others_stay() {
    let world = World::new();
    let id = world.simulator.graph().add(
        BOB,
        &world.place.remote_id,
        json!({"subject": "A", "start": {"dateTime": "2026-03-10T09:00:00", "timeZone": "UTC"},
               "end": {"dateTime": "2026-03-10T10:00:00", "timeZone": "UTC"}, "hideAttendees": true,
               "sensitivity": "personal", "allowNewTimeProposals": false,
               "singleValueExtendedProperties": [{"id": "String {00000000-0000-0000-0000-000000000001} Name x", "value": "y"}]}),
    );
    let known = world.get(&id.unwrap()).await;
    let text = String::from_utf8(world.read(&known).text).unwrap();
    let text = text.replace("SUMMARY:A", "SUMMARY:B");
    world.put(&text, &known).await.unwrap();
    let there = &world.there()[0];
    assert_eq!(there["subject"], "B");
    assert_eq!(
        (&there["hideAttendees"], &there["sensitivity"]),
        (&json!(true), &json!("personal"))
    );
    assert!(
        there["singleValueExtendedProperties"]
            .to_string()
            .contains("Name x")
    );
    world.clean();
}

#[tokio::test]
async fn what_began_there_never_gets_our_marker() {
    let world = World::new();
    let native = json!({
        "subject": "Theirs",
        "start": {"dateTime": "2026-03-10T09:00:00", "timeZone": "W. Europe Standard Time"},
        "end": {"dateTime": "2026-03-10T10:00:00", "timeZone": "W. Europe Standard Time"},
    });
    let graph = world.simulator.graph();
    let id = graph.add(BOB, &world.place.remote_id, native).unwrap();
    let known = world.get(&id).await;
    assert_eq!(world.read(&known).marker, None);
    let text = String::from_utf8(world.read(&known).text).unwrap();
    let placed = world.put(&text.replace("Theirs", "Ours"), &known).await;
    assert_eq!(graph.events(BOB, None)[0]["subject"], "Ours");
    assert_eq!(world.read(&placed.unwrap().items).marker, None);
    assert_eq!(world.read(&world.get(&id).await).marker, None);
    // What we made keeps its own.
    let made = world.put(&object(&[WEEKLY]), &[]).await.unwrap();
    assert_eq!(world.read(&made.items).marker, Some(marker()));
    let renamed = object(&[&WEEKLY.replace("Team", "Crew")]);
    let placed = world.put(&renamed, &made.items).await.unwrap();
    assert_eq!(world.read(&placed.items).marker, Some(marker()));
    world.clean();
}

#[tokio::test]
async fn an_event_with_guests_is_deleted_only_where_they_may_hear_of_it() {
    let world = World::new();
    let text = object(&[
        "DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nSUMMARY:Meeting\nATTENDEE:mailto:guest@example.org",
    ]);
    let placed = world.put_as(&text, &[], GuestPolicy::Send, None).await;
    let items = placed.unwrap().items;
    world.simulator.take_mails();
    let never = Microsoft.delete(&world.account, &world.place, &items, GuestPolicy::Never);
    assert!(matches!(never.await, Err(Fault::Refused(refusal)) if refusal.code == "guests"));
    assert_eq!(world.there().len(), 1);
    world.clean();
    let send = Microsoft.delete(&world.account, &world.place, &items, GuestPolicy::Send);
    send.await.unwrap();
    assert_eq!(world.there().len(), 0);
}
