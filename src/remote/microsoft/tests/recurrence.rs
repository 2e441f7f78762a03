use super::*;
use serde_json::{Value, json};

fn wall(name: &str) -> Wall {
    Wall::named(name).unwrap()
}

fn there(rule: &str, start: &str, wall: &Wall) -> Result<(Recurrence, Vec<String>), Refusal> {
    let start = Start {
        local: start.parse().unwrap(),
        date: false,
        wall,
    };
    Recurrence::of_rule(&Rule::parse(rule).unwrap(), &start)
}

/// FACTS §9.20: every row of §4.5, both ways. (RRULE, DTSTART, pattern, RRULE as it comes back)
#[test]
fn facts_20_every_row_both_ways() {
    let table: &[(&str, &str, Value, &str)] = &[
        (
            "FREQ=DAILY;INTERVAL=3",
            "2026-03-02T09:00",
            json!({"type": "daily", "interval": 3}),
            "",
        ),
        (
            "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR",
            "2026-03-02T09:00",
            json!({"type": "weekly", "interval": 1, "firstDayOfWeek": "monday",
                   "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"]}),
            "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU",
            "2026-03-03T09:00",
            json!({"type": "weekly", "interval": 2, "firstDayOfWeek": "monday", "daysOfWeek": ["tuesday", "sunday"]}),
            "",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU",
            "2026-03-03T09:00",
            json!({"type": "weekly", "interval": 2, "firstDayOfWeek": "sunday", "daysOfWeek": ["tuesday", "sunday"]}),
            "",
        ),
        (
            "FREQ=WEEKLY",
            "2026-03-04T23:30",
            json!({"type": "weekly", "interval": 1, "firstDayOfWeek": "monday", "daysOfWeek": ["wednesday"]}),
            "FREQ=WEEKLY;BYDAY=WE",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=15",
            "2026-03-15T09:00",
            json!({"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 15}),
            "",
        ),
        (
            "FREQ=MONTHLY",
            "2026-03-15T09:00",
            json!({"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 15}),
            "FREQ=MONTHLY;BYMONTHDAY=15",
        ),
        (
            "FREQ=MONTHLY;BYDAY=2TU",
            "2026-03-10T09:00",
            json!({"type": "relativeMonthly", "interval": 1, "index": "second", "daysOfWeek": ["tuesday"]}),
            "",
        ),
        (
            "FREQ=MONTHLY;BYDAY=TU;BYSETPOS=2",
            "2026-03-10T09:00",
            json!({"type": "relativeMonthly", "interval": 1, "index": "second", "daysOfWeek": ["tuesday"]}),
            "FREQ=MONTHLY;BYDAY=2TU",
        ),
        (
            "FREQ=MONTHLY;BYDAY=-1FR",
            "2026-03-27T09:00",
            json!({"type": "relativeMonthly", "interval": 1, "index": "last", "daysOfWeek": ["friday"]}),
            "",
        ),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
            "2026-03-31T09:00",
            json!({"type": "relativeMonthly", "interval": 1, "index": "last",
                   "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"]}),
            "",
        ),
        (
            "FREQ=MONTHLY;BYMONTHDAY=-1",
            "2026-03-31T09:00",
            json!({"type": "relativeMonthly", "interval": 1, "index": "last", "daysOfWeek":
                   ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]}),
            "",
        ),
        (
            "FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=5",
            "2026-11-05T09:00",
            json!({"type": "absoluteYearly", "interval": 1, "month": 11, "dayOfMonth": 5}),
            "",
        ),
        (
            "FREQ=YEARLY",
            "2026-11-05T09:00",
            json!({"type": "absoluteYearly", "interval": 1, "month": 11, "dayOfMonth": 5}),
            "FREQ=YEARLY;BYMONTHDAY=5;BYMONTH=11",
        ),
        (
            "FREQ=YEARLY;BYDAY=4TH;BYMONTH=11",
            "2026-11-26T09:00",
            json!({"type": "relativeYearly", "interval": 1, "month": 11, "index": "fourth", "daysOfWeek": ["thursday"]}),
            "",
        ),
    ];
    let zone = wall("Europe/Berlin");
    for (rule, at, pattern, back) in table {
        let (recurrence, losses) = there(rule, at, &zone).unwrap();
        let doc = recurrence.to_json();
        assert_eq!(doc["pattern"], *pattern, "{rule}");
        assert_eq!(
            doc["range"],
            json!({"type": "noEnd", "startDate": &at[..10], "recurrenceTimeZone": "Europe/Berlin"}),
            "{rule}"
        );
        assert!(losses.is_empty(), "{rule}: {losses:?}");
        let start = Start {
            local: at.parse().unwrap(),
            date: false,
            wall: &zone,
        };
        let read = Recurrence::of_json(&doc).unwrap();
        assert!(read.same(&recurrence), "{rule}");
        let back = if back.is_empty() { rule } else { back };
        let printed = read.to_rule(&start);
        assert_eq!(printed, Rule::parse(back).unwrap(), "{rule}: {printed}");
        // What came back is the same there.
        let again = Recurrence::of_rule(&printed, &start).unwrap().0;
        assert!(again.same(&recurrence), "{rule}");
    }
}

/// FACTS §9.20: each refusal, and none of them silent.
#[test]
fn facts_20_each_refusal() {
    let table = [
        ("FREQ=HOURLY", "more often than once a day"),
        ("FREQ=MINUTELY;INTERVAL=1440", "more often than once a day"),
        ("FREQ=SECONDLY", "more often than once a day"),
        ("FREQ=DAILY;BYHOUR=9,12", "BYHOUR"),
        ("FREQ=DAILY;BYMINUTE=0,30", "BYMINUTE"),
        ("FREQ=YEARLY;BYWEEKNO=10", "BYWEEKNO"),
        ("FREQ=YEARLY;BYYEARDAY=61", "BYYEARDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=2,16", "several days of the month"),
        ("FREQ=MONTHLY;BYMONTHDAY=-2", "from the end of the month"),
        ("FREQ=MONTHLY;BYDAY=1MO,3MO", "several numbered weekdays"),
        ("FREQ=MONTHLY;BYDAY=1MO,TU", "beside others"),
        ("FREQ=MONTHLY;BYDAY=5MO", "fifth weekday"),
        ("FREQ=MONTHLY;BYDAY=-2MO", "fifth weekday"),
        ("FREQ=MONTHLY;BYDAY=MO", "every such weekday"),
        ("FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=1,2", "list of positions"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=5", "beyond the fourth"),
        (
            "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR",
            "certain days of the month",
        ),
        ("FREQ=MONTHLY;BYMONTH=3,4;BYMONTHDAY=2", "BYMONTH"),
        ("FREQ=WEEKLY;BYMONTH=3", "BYMONTH as a filter"),
        ("FREQ=DAILY;BYMONTH=3", "BYMONTH as a filter"),
        ("FREQ=YEARLY;BYMONTH=3,9", "several months"),
        ("FREQ=YEARLY;BYDAY=20MO", "fifth weekday"),
        ("FREQ=YEARLY;BYDAY=1MO", "no certain month"),
        ("FREQ=YEARLY;BYMONTHDAY=2", "no certain month"),
        ("FREQ=DAILY;INTERVAL=2;BYDAY=MO", "certain weekdays only"),
        ("FREQ=DAILY;BYMONTHDAY=2", "certain days of the month only"),
        ("FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=1", "within a day or week"),
        ("FREQ=MONTHLY;BYMONTHDAY=2;BYSETPOS=1", "no weekdays"),
        ("FREQ=WEEKLY;BYDAY=TU", "its own rule"),
        ("FREQ=DAILY;UNTIL=20260301T000000Z", "ends before"),
        ("FREQ=DAILY;COUNT=1000", "999 times"),
        ("FREQ=DAILY;INTERVAL=1000", "999 times"),
    ];
    let zone = wall("Europe/Berlin");
    for (rule, words) in table {
        let refused = there(rule, "2026-03-02T09:00", &zone).unwrap_err();
        assert_eq!(refused.code, "recurrence", "{rule}");
        assert!(refused.reason.contains(words), "{rule}: {refused}");
    }
}

#[test]
fn days_that_outlook_moves_are_named() {
    let zone = wall("Europe/Berlin");
    for (rule, start) in [
        ("FREQ=MONTHLY;BYMONTHDAY=31", "2026-03-31T09:00"),
        ("FREQ=MONTHLY;BYMONTHDAY=29", "2026-03-29T09:00"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "2028-02-29T09:00"),
    ] {
        let (_, losses) = there(rule, start, &zone).unwrap();
        assert_eq!(losses.len(), 1, "{rule}");
    }
}

/// FACTS §9.23: UNTIL in UTC is a local date there and the moment of the last instance here.
#[test]
fn facts_23_until_is_a_local_date() {
    let table = [
        // (zone, DTSTART, UNTIL, endDate, UNTIL as it comes back)
        (
            "Europe/Berlin",
            "2026-03-02T09:00",
            "20260330T070000Z",
            "2026-03-30",
            "20260330T070000Z",
        ),
        (
            "Europe/Berlin",
            "2026-03-02T09:00",
            "20260330T065959Z",
            "2026-03-29",
            "20260329T070000Z",
        ),
        (
            "Europe/Berlin",
            "2026-03-02T00:30",
            "20260330T223000Z",
            "2026-03-31",
            "20260330T223000Z",
        ),
        (
            "America/Los_Angeles",
            "2026-03-02T20:00",
            "20260303T040000Z",
            "2026-03-02",
            "20260303T040000Z",
        ),
        (
            "Pacific/Kiritimati",
            "2026-03-02T09:00",
            "20260309T190000Z",
            "2026-03-10",
            "20260309T190000Z",
        ),
        (
            "Pacific/Pago_Pago",
            "2026-03-02T20:00",
            "20260310T070000Z",
            "2026-03-09",
            "20260310T070000Z",
        ),
        (
            "Asia/Kathmandu",
            "2026-03-02T00:15",
            "20260309T183000Z",
            "2026-03-10",
            "20260309T183000Z",
        ),
        (
            "Europe/Berlin",
            "2026-03-02T09:00",
            "20260330",
            "2026-03-30",
            "20260330T070000Z",
        ),
    ];
    for (zone, at, until, date, back) in table {
        let zone = wall(zone);
        let (recurrence, _) = there(&format!("FREQ=DAILY;UNTIL={until}"), at, &zone).unwrap();
        let doc = recurrence.to_json();
        assert_eq!(doc["range"]["endDate"], date, "{until} {}", zone.name);
        assert_eq!(doc["range"]["type"], "endDate");
        let start = Start {
            local: at.parse().unwrap(),
            date: false,
            wall: &zone,
        };
        let rule = Recurrence::of_json(&doc).unwrap().to_rule(&start);
        assert_eq!(
            rule.to_string(),
            format!("FREQ=DAILY;UNTIL={back}"),
            "{}",
            zone.name
        );
    }
    let (counted, _) = there("FREQ=DAILY;COUNT=7", "2026-03-02T09:00", &wall("UTC")).unwrap();
    assert_eq!(
        counted.to_json()["range"],
        json!({"type": "numbered", "numberOfOccurrences": 7, "startDate": "2026-03-02", "recurrenceTimeZone": "UTC"})
    );
}

/// Answers have every property, those of other types with defaults.
#[test]
fn answers_with_all_properties_are_read() {
    let doc = json!({
        "pattern": {"type": "absoluteYearly", "interval": 1, "month": 3, "dayOfMonth": 2, "daysOfWeek": [],
                    "firstDayOfWeek": "sunday", "index": "first"},
        "range": {"type": "noEnd", "startDate": "2026-03-02", "endDate": "0001-01-01",
                  "recurrenceTimeZone": "W. Europe Standard Time", "numberOfOccurrences": 0}
    });
    let read = Recurrence::of_json(&doc).unwrap();
    assert_eq!(read.pattern, Pattern::AbsoluteYearly(3, 2));
    assert_eq!(read.end, End::Never);
    let (ours, _) = there("FREQ=YEARLY", "2026-03-02T09:00", &wall("Europe/Vienna")).unwrap();
    assert!(ours.same(&read) && read.same(&ours));
    let mut later = doc.clone();
    later["pattern"]["type"] = json!("lunarMonthly");
    assert_eq!(Recurrence::of_json(&later).unwrap_err().code, "recurrence");
    for broken in [
        json!(null),
        json!({}),
        json!({"pattern": {"type": "weekly"}, "range": {}}),
    ] {
        assert!(Recurrence::of_json(&broken).is_err());
    }
}
