//! Import and export over a real store.

use super::*;
use crate::app::testing::World;
use crate::app::{calendars, export};
use crate::model::Privileges;
use crate::model::access::Scopes;

struct Bench {
    world: World,
    who: Who,
}

impl Bench {
    async fn new() -> Bench {
        let world = World::new().await;
        let id = world.user("anna").await;
        let who = Who {
            id,
            name: "anna".into(),
            admin: false,
            scopes: Scopes::ALL,
        };
        Bench { world, who }
    }

    async fn calendar(&self) -> Writable<Bound> {
        calendars::to_write(&self.world.app, &self.who, "calendar", Privileges::WRITE)
            .await
            .unwrap()
    }

    async fn import(&self, text: &str, dry_run: bool) -> Result<(Vec<Verdict>, Summary)> {
        let mut all = Vec::new();
        let each = |verdict: &Verdict| all.push(verdict.clone());
        let cal = self.calendar().await;
        let sum = import(
            &self.world.app,
            &self.who,
            &cal,
            text.as_bytes(),
            dry_run,
            each,
        )
        .await?;
        Ok((all, sum))
    }

    async fn export(&self) -> String {
        let cal = self.calendar().await;
        String::from_utf8(export::calendar(&self.world.app, &cal).await.unwrap()).unwrap()
    }
}

const STREAM: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Old//EN\r\nMETHOD:PUBLISH\r\n\
    BEGIN:VTIMEZONE\r\nTZID:Home\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n\
    BEGIN:VEVENT\r\nUID:one\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Home:20270101T100000\r\nRRULE:FREQ=DAILY;COUNT=3\r\nSUMMARY:One\r\nX-ODD;P=\"a:b\":kept\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20270102T100000Z\r\nSUMMARY:Nameless\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nUID:one\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID;TZID=Home:20270102T100000\r\nDTSTART;TZID=Home:20270102T120000\r\nSUMMARY:Moved\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nUID:bad\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:tomorrow\r\nEND:VEVENT\r\n\
    BEGIN:VTODO\r\nUID:task\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Task\r\nEND:VTODO\r\n\
    BEGIN:X-THING\r\nUID:thing\r\nEND:X-THING\r\nEND:VCALENDAR\r\n";

fn outcomes(verdicts: &[Verdict]) -> Vec<(Option<&str>, &str)> {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Created => "created",
        Outcome::Updated => "updated",
        Outcome::Unchanged => "unchanged",
        Outcome::Refused { precondition, .. } => precondition.unwrap_or("refused"),
    };
    verdicts
        .iter()
        .map(|v| (v.title.as_deref(), word(&v.outcome)))
        .collect()
}

#[tokio::test]
async fn every_event_gets_a_verdict() {
    let bench = Bench::new().await;
    let (dry, _) = bench.import(STREAM, true).await.unwrap();
    assert_eq!(
        bench.export().await.matches("BEGIN:V").count(),
        1,
        "a dry run stores nothing"
    );
    let (first, sum) = bench.import(STREAM, false).await.unwrap();
    assert_eq!(
        outcomes(&dry),
        outcomes(&first),
        "a dry run says what would be"
    );
    let expected = [
        (Some("One"), "created"),
        (Some("Nameless"), "created"),
        (None, "valid-calendar-data"),
        (Some("Task"), "created"),
        (None, "supported-calendar-component"),
    ];
    assert_eq!(outcomes(&first), expected);
    assert_eq!((sum.created, sum.refused), (3, 2));
    let nameless = &first[1];
    assert!(
        nameless
            .repairs
            .iter()
            .any(|repair| repair.contains("no UID")),
        "{nameless:?}"
    );
    assert!(
        first[0]
            .repairs
            .iter()
            .any(|repair| repair.contains("METHOD"))
    );
    assert_eq!(first[2].line, 33, "the line is that of the stream");
    let (again, sum) = bench.import(STREAM, false).await.unwrap();
    assert_eq!(
        (sum.created, sum.updated, sum.unchanged, sum.refused),
        (0, 0, 3, 2),
        "{again:?}"
    );
    let (_, sum) = bench
        .import(&STREAM.replace("SUMMARY:One", "SUMMARY:Uno"), false)
        .await
        .unwrap();
    assert_eq!((sum.updated, sum.unchanged), (1, 2));
}

#[tokio::test]
async fn what_was_imported_comes_out_with_its_bytes() {
    let bench = Bench::new().await;
    bench.import(STREAM, false).await.unwrap();
    let text = bench.export().await;
    for part in STREAM
        .split_inclusive("END:VEVENT\r\n")
        .filter(|part| part.contains("UID:one"))
    {
        let event = &part[part.find("BEGIN:VEVENT").unwrap()..];
        assert!(text.contains(event), "{event}");
    }
    assert_eq!(text.matches("BEGIN:VTIMEZONE").count(), 1);
    assert!(!text.contains("METHOD") && text.contains("X-WR-CALNAME:Calendar\r\n"));
}

#[tokio::test]
async fn a_stream_that_is_none_is_refused_as_a_whole() {
    let bench = Bench::new().await;
    for text in ["<html>", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n"] {
        let refused = bench.import(text, false).await;
        let told = refused.map(|(verdicts, sum)| (verdicts.len(), sum.refused));
        assert!(
            told.is_err() || matches!(told, Ok((n, refused)) if n > 0 && refused as usize == n),
            "{text:?}"
        );
    }
    assert_eq!(bench.export().await.matches("BEGIN:VEVENT").count(), 0);
}

#[test]
fn plain_uids_name_their_object() {
    assert_eq!(object_name("a-1@example.org"), "a-1@example.org.ics");
    for odd in ["", "a/b", "ä", ".hidden", "a b", &"x".repeat(300)] {
        let name = object_name(odd);
        assert!(name.len() == 36 && name.ends_with(".ics"), "{odd:?} {name}");
    }
}
