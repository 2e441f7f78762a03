use super::*;
use crate::ical::object::Object;
use crate::ical::tree::{Limits, Tree};
use crate::ical::value::When;
use jiff::civil::date;

mod bounds;
mod corpus;

/// Lines of a VEVENT (or of several, parted by `--`, or another component's after a `VTODO:` line).
fn object(body: &str) -> String {
    let mut lines = body.trim().lines().map(str::trim).peekable();
    let kind = lines
        .next_if(|line| line.ends_with(':'))
        .map_or("VEVENT", |line| line.trim_end_matches(':'));
    let lines: Vec<&str> = lines.collect();
    let components: String = lines
        .split(|line| *line == "--")
        .map(|lines| {
            format!(
                "BEGIN:{kind}\r\nUID:u\r\n{}\r\nEND:{kind}\r\n",
                lines.join("\r\n")
            )
        })
        .collect();
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{components}END:VCALENDAR\r\n")
}

fn with<T>(body: &str, ask: impl FnOnce(&Object<'_>, &Zones<'_>) -> T) -> T {
    let text = object(body);
    let tree = Tree::parse(text.as_bytes(), &Limits::default()).unwrap();
    let object = Object::read(&tree).unwrap();
    ask(&object, &Zones::of(&tree))
}

/// `20260105T090000Z` or a date as seconds.
fn at(text: &str) -> i64 {
    civil::seconds(When::parse(text, None).unwrap().civil())
}

fn stamp(seconds: i64) -> String {
    civil::date_time(seconds)
        .unwrap()
        .strftime("%Y%m%dT%H%M%S")
        .to_string()
}

/// `start/end` of each, `*` where an override speaks, `Z` where it is not local.
fn show(found: &[Occurrence]) -> Vec<String> {
    let one = |o: &Occurrence| {
        let z = if o.local { "" } else { "Z" };
        let end = if o.date {
            stamp(o.end)[..8].to_owned()
        } else {
            stamp(o.end) + z
        };
        let start = if o.date {
            stamp(o.start)[..8].to_owned()
        } else {
            stamp(o.start) + z
        };
        format!("{start}/{end}{}", if o.overridden { "*" } else { "" })
    };
    found.iter().map(one).collect()
}

fn check(body: &str, window: &str, want: &[&str]) {
    let (from, to) = window.split_once('/').unwrap();
    let bound = |text: &str| (!text.is_empty()).then(|| at(text));
    let window = Window {
        from: bound(from),
        to: bound(to),
    };
    let found = with(body, |object, zones| {
        occurrences(object, zones, window, &Budget::default())
    });
    assert_eq!(show(&found.unwrap()), want, "{body}\n{window:?}");
}

const BERLIN: &str =
    "DTSTART;TZID=Europe/Berlin:20260105T090000\nDTEND;TZID=Europe/Berlin:20260105T100000\n";

#[test]
fn an_event_that_does_not_recur() {
    let body = "DTSTART:20260105T090000Z\nDTEND:20260105T100000Z";
    check(body, "/", &["20260105T090000Z/20260105T100000Z"]);
    check(
        body,
        "20260105T095959Z/20260106",
        &["20260105T090000Z/20260105T100000Z"],
    );
    check(body, "20260105T100000Z/20260106", &[]);
    check(body, "20260104/20260105T090000Z", &[]);
    check(
        body,
        "20260104/20260105T090001Z",
        &["20260105T090000Z/20260105T100000Z"],
    );
    check(
        "DTSTART:20260105T090000Z",
        "20260105T090000Z/20260106",
        &["20260105T090000Z/20260105T090000Z"],
    );
    check("DTSTART:20260105T090000Z", "20260105T090001Z/20260106", &[]);
}

/// Length by DTEND, DURATION and default: RFC 5545 §3.6.1. What is nonsense lasts no time, or a day.
#[test]
fn lengths() {
    for (lines, want) in [
        ("DTSTART;VALUE=DATE:20260105", "20260105/20260106"),
        (
            "DTSTART;VALUE=DATE:20260105\nDTEND;VALUE=DATE:20260108",
            "20260105/20260108",
        ),
        (
            "DTSTART;VALUE=DATE:20260105\nDTEND;VALUE=DATE:20260105",
            "20260105/20260106",
        ),
        (
            "DTSTART;VALUE=DATE:20260105\nDURATION:P2D",
            "20260105/20260107",
        ),
        (
            "DTSTART;VALUE=DATE:20260105\nDURATION:PT36H",
            "20260105/20260107",
        ),
        ("DTSTART:20260105T090000", "20260105T090000/20260105T090000"),
        (
            "DTSTART:20260105T090000\nDURATION:PT1H30M",
            "20260105T090000/20260105T103000",
        ),
        (
            "DTSTART:20260105T090000\nDTEND:20260105T080000",
            "20260105T090000/20260105T090000",
        ),
        (
            "DTSTART;TZID=Europe/Berlin:20260105T090000\nDTEND;TZID=America/New_York:20260105T090000",
            "20260105T080000Z/20260105T140000Z",
        ),
        (
            "DTSTART;TZID=Nowhere:20260105T090000\nDURATION:PT1H",
            "20260105T090000/20260105T100000",
        ),
    ] {
        check(lines, "/", &[want]);
    }
}

/// §3.8.5.3: a DTEND makes the exact duration the same for all, DURATION the nominal one. Clocks go forward
/// on 2026-03-29 in Berlin.
#[test]
fn lengths_across_a_change_of_offset() {
    let start = "DTSTART;TZID=Europe/Berlin:20260327T220000\nRRULE:FREQ=DAILY;COUNT=2\n";
    check(
        &format!("{start}DTEND;TZID=Europe/Berlin:20260328T220000"),
        "/",
        &[
            "20260327T210000Z/20260328T210000Z",
            "20260328T210000Z/20260329T210000Z",
        ],
    );
    check(
        &format!("{start}DURATION:P1D"),
        "/",
        &[
            "20260327T210000Z/20260328T210000Z",
            "20260328T210000Z/20260329T200000Z",
        ],
    );
    check(
        &format!("{start}DURATION:P1DT1H"),
        "/",
        &[
            "20260327T210000Z/20260328T220000Z",
            "20260328T210000Z/20260329T210000Z",
        ],
    );
}

/// §3.3.5 and erratum 4271: an instance in the gap moves forward and counts; one in the fold is the first.
#[test]
fn instances_in_gaps_and_folds() {
    check(
        "DTSTART;TZID=Europe/Berlin:20260328T023000\nRRULE:FREQ=DAILY;COUNT=3",
        "/",
        &[
            "20260328T013000Z/20260328T013000Z",
            "20260329T013000Z/20260329T013000Z",
            "20260330T003000Z/20260330T003000Z",
        ],
    );
    check(
        "DTSTART;TZID=Europe/Berlin:20261024T023000\nRRULE:FREQ=DAILY;COUNT=3",
        "/",
        &[
            "20261024T003000Z/20261024T003000Z",
            "20261025T003000Z/20261025T003000Z",
            "20261026T013000Z/20261026T013000Z",
        ],
    );
    // An hourly rule has one instance of what the gap makes two.
    check(
        "DTSTART;TZID=Europe/Berlin:20260329T010000\nRRULE:FREQ=HOURLY;COUNT=4",
        "/",
        &[
            "20260329T000000Z/20260329T000000Z",
            "20260329T010000Z/20260329T010000Z",
            "20260329T020000Z/20260329T020000Z",
        ],
    );
}

#[test]
fn a_window_far_from_the_start() {
    let body = "DTSTART;TZID=Europe/Berlin:20010101T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY\n\
        EXDATE;TZID=Europe/Berlin:20260707T090000";
    check(
        body,
        "20260706/20260709",
        &[
            "20260706T070000Z/20260706T080000Z",
            "20260708T070000Z/20260708T080000Z",
        ],
    );
    let steps = Budget::new(40, 40);
    let found = with(body, |o, z| {
        occurrences(o, z, Window::new(at("20260706"), at("20260713")), &steps)
    });
    assert_eq!(found.map(|found| found.len()), Ok(6));
}

#[test]
fn what_lasts_longer_than_the_window_is_found() {
    let body = "DTSTART;VALUE=DATE:20260101\nDTEND;VALUE=DATE:20260121\nRRULE:FREQ=MONTHLY";
    check(body, "20260315/20260316", &["20260301/20260321"]);
    check(body, "20260323/20260330", &[]);
}

/// Wall-clock occurrences are given where some zone has them in the window.
#[test]
fn floating_and_all_day_occurrences_in_a_window() {
    let body = "DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=DAILY";
    check(
        body,
        "20260315T100000Z/20260315T120000Z",
        &[
            "20260314/20260315",
            "20260315/20260316",
            "20260316/20260317",
        ],
    );
    check(
        "DTSTART:20260101T120000\nRRULE:FREQ=DAILY",
        "20260315T110000Z/20260315T130000Z",
        &["20260315T120000/20260315T120000"],
    );
}

#[test]
fn rules_dates_and_exceptions() {
    check(
        &format!(
            "{BERLIN}RRULE:FREQ=WEEKLY;UNTIL=20260119T080000Z\nRRULE:FREQ=MONTHLY;COUNT=2\n\
             RDATE;TZID=Europe/Berlin:20260107T120000,20260112T090000\nRDATE:20260108T080000Z\n\
             EXDATE:20260119T080000Z"
        ),
        "/",
        &[
            "20260105T080000Z/20260105T090000Z",
            "20260107T110000Z/20260107T120000Z",
            "20260108T080000Z/20260108T090000Z",
            "20260112T080000Z/20260112T090000Z",
            "20260205T080000Z/20260205T090000Z",
        ],
    );
}

/// §3.8.5.2: a PERIOD brings its own length.
#[test]
fn rdates_with_periods() {
    check(
        "DTSTART:20260105T090000Z\nDURATION:PT1H\nRDATE;VALUE=PERIOD:20260106T090000Z/20260106T093000Z,20260107T090000Z/PT3H\n\
         RDATE:20260107T090000Z",
        "/",
        &[
            "20260105T090000Z/20260105T100000Z",
            "20260106T090000Z/20260106T093000Z",
            "20260107T090000Z/20260107T120000Z",
        ],
    );
    check(
        "DTSTART:20260105T090000Z\nRDATE;VALUE=DATE:20260110",
        "20260106/",
        &["20260110T090000Z/20260110T090000Z"],
    );
}

#[test]
fn exdates_in_other_forms() {
    let daily = format!("{BERLIN}RRULE:FREQ=DAILY;COUNT=3\n");
    for exdate in [
        "EXDATE;TZID=Europe/Berlin:20260106T090000",
        "EXDATE:20260106T080000Z",
        "EXDATE:20260106T090000",
        "EXDATE;TZID=America/New_York:20260106T030000",
        "EXDATE;VALUE=DATE:20260106",
    ] {
        check(
            &format!("{daily}{exdate}"),
            "20260106/",
            &["20260107T080000Z/20260107T090000Z"],
        );
    }
    check(
        "DTSTART;VALUE=DATE:20260105\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE:20260106T000000\nEXDATE;VALUE=DATE:20260107",
        "/",
        &["20260105/20260106"],
    );
    check(
        "DTSTART:20260105T090000Z\nEXDATE:20260105T090000Z",
        "/",
        &[],
    );
    check(
        "DTSTART:20260105T090000Z\nRRULE:FREQ=DAILY;COUNT=4\nEXRULE:FREQ=DAILY;INTERVAL=2",
        "/",
        &[
            "20260106T090000Z/20260106T090000Z",
            "20260108T090000Z/20260108T090000Z",
        ],
    );
}

/// §3.8.5.3: DTSTART counts as the first occurrence, matched or not.
#[test]
fn a_start_that_the_rule_does_not_match() {
    check(
        "DTSTART:20260105T090000Z\nRRULE:FREQ=MONTHLY;BYMONTHDAY=1;COUNT=3",
        "/",
        &[
            "20260105T090000Z/20260105T090000Z",
            "20260201T090000Z/20260201T090000Z",
            "20260301T090000Z/20260301T090000Z",
        ],
    );
    check(
        "DTSTART:20260105T090000Z\nRRULE:FREQ=MONTHLY;BYMONTHDAY=1;COUNT=1",
        "/",
        &["20260105T090000Z/20260105T090000Z"],
    );
    check(
        "DTSTART:20260105T090000Z\nRRULE:FREQ=MONTHLY;BYMONTHDAY=1;COUNT=9",
        "20260215/20260315",
        &["20260301T090000Z/20260301T090000Z"],
    );
}

#[test]
fn until_in_its_forms() {
    // The last one at the very instant; local reading; the whole day of a DATE.
    for until in ["20260107T080000Z", "20260107T090000", "20260107"] {
        check(
            &format!("{BERLIN}RRULE:FREQ=DAILY;UNTIL={until}"),
            "20260107/20260201",
            &["20260107T080000Z/20260107T090000Z"],
        );
    }
    check(
        &format!("{BERLIN}RRULE:FREQ=DAILY;UNTIL=20260107T075959Z"),
        "20260107/20260201",
        &[],
    );
    check(
        "DTSTART;VALUE=DATE:20260105\nRRULE:FREQ=DAILY;UNTIL=20260106T000000Z",
        "/",
        &["20260105/20260106", "20260106/20260107"],
    );
}

#[test]
fn overrides_by_any_writing_of_their_instance() {
    let daily = format!("{BERLIN}RRULE:FREQ=DAILY;COUNT=3\n--\n");
    let moved = "DTSTART;TZID=Europe/Berlin:20260106T150000\nDURATION:PT2H";
    for id in [
        "RECURRENCE-ID;TZID=Europe/Berlin:20260106T090000",
        "RECURRENCE-ID:20260106T080000Z",
        "RECURRENCE-ID:20260106T090000",
        "RECURRENCE-ID;TZID=America/New_York:20260106T030000",
        "RECURRENCE-ID;VALUE=DATE:20260106",
    ] {
        check(
            &format!("{daily}{id}\n{moved}"),
            "/",
            &[
                "20260105T080000Z/20260105T090000Z",
                "20260106T140000Z/20260106T160000Z*",
                "20260107T080000Z/20260107T090000Z",
            ],
        );
    }
}

#[test]
fn overrides_move_into_and_out_of_the_window() {
    let body = format!(
        "{BERLIN}RRULE:FREQ=WEEKLY\n--\nRECURRENCE-ID:20260112T080000Z\nDTSTART:20260301T120000Z\nDURATION:PT1H\n--\n\
         RECURRENCE-ID:20270104T080000Z\nDTSTART;VALUE=DATE:20260114"
    );
    check(&body, "20260110/20260118", &["20260114/20260115*"]);
    check(
        &body,
        "20260301/20260302",
        &["20260301T120000Z/20260301T130000Z*"],
    );
    check(&body, "20270103/20270105", &[]);
    let found = with(&body, |o, z| {
        occurrences(
            o,
            z,
            Window::new(at("20260301"), at("20260302")),
            &Budget::default(),
        )
    });
    let found = found.unwrap();
    assert_eq!(
        (found[0].rid, found[0].component),
        (at("20260112T080000Z"), 2)
    );
}

/// An override of no instance is shown, and so are overrides without a master.
#[test]
fn orphans() {
    check(
        &format!("{BERLIN}\n--\nRECURRENCE-ID:20260301T080000Z\nDTSTART:20260302T080000Z"),
        "/",
        &[
            "20260105T080000Z/20260105T090000Z",
            "20260302T080000Z/20260302T080000Z*",
        ],
    );
    check(
        "RECURRENCE-ID:20260301T080000Z\nDTSTART:20260302T080000Z\n--\nRECURRENCE-ID:20260303T080000Z",
        "/",
        &[
            "20260302T080000Z/20260302T080000Z*",
            "20260303T080000Z/20260303T080000Z*",
        ],
    );
}

/// §3.8.4.4: later instances move by the same difference and last as long; those with an override of their
/// own do not.
#[test]
fn this_and_future() {
    let body = format!(
        "{BERLIN}RRULE:FREQ=DAILY;COUNT=90\n--\n\
         RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260107T090000\n\
         DTSTART;TZID=Europe/Berlin:20260107T110000\nDURATION:PT30M\n--\n\
         RECURRENCE-ID:20260109T080000Z\nDTSTART:20260109T080000Z\nDURATION:PT1H"
    );
    check(
        &body,
        "20260105/20260111",
        &[
            "20260105T080000Z/20260105T090000Z",
            "20260106T080000Z/20260106T090000Z",
            "20260107T100000Z/20260107T103000Z*",
            "20260108T100000Z/20260108T103000Z*",
            "20260109T080000Z/20260109T090000Z*",
            "20260110T100000Z/20260110T103000Z*",
        ],
    );
    // By the wall clock: in summer too it is 11:00.
    check(
        &body,
        "20260401/20260402",
        &["20260401T090000Z/20260401T093000Z*"],
    );
}

#[test]
fn this_and_future_moves_in_from_another_day() {
    let body = "DTSTART:20260105T090000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY\n--\n\
        RECURRENCE-ID;RANGE=THISANDFUTURE:20260112T090000Z\nDTSTART:20260110T090000Z\nDURATION:PT1H";
    check(
        body,
        "20260606/20260607",
        &["20260606T090000Z/20260606T100000Z*"],
    );
    let back = body.replace("20260110T", "20260115T");
    check(
        &back,
        "20260604/20260605",
        &["20260604T090000Z/20260604T100000Z*"],
    );
    let days = body.replace(
        "DTSTART:20260110T090000Z\nDURATION:PT1H",
        "DTSTART;VALUE=DATE:20260113",
    );
    check(
        &days,
        "20260609T120000Z/20260609T123000Z",
        &["20260609/20260610*"],
    );
}

#[test]
fn todos_and_journals() {
    check(
        "VTODO:\nDTSTART:20260105T090000Z\nDUE:20260105T100000Z\nRRULE:FREQ=DAILY;COUNT=2",
        "/",
        &[
            "20260105T090000Z/20260105T100000Z",
            "20260106T090000Z/20260106T100000Z",
        ],
    );
    check(
        "VTODO:\nDUE:20260105T100000Z",
        "/",
        &["20260105T100000Z/20260105T100000Z"],
    );
    check(
        "VTODO:\nDTSTART:20260105T100000Z",
        "/",
        &["20260105T100000Z/20260105T100000Z"],
    );
    check("VTODO:\nDUE:20260105T100000Z", "20260106/", &[]);
    check(
        "VTODO:\nSUMMARY:some day",
        "20260106/20260107",
        &["00010101T000000/99991231T235959"],
    );
    check(
        "VJOURNAL:\nDTSTART;VALUE=DATE:20260105",
        "/",
        &["20260105/20260106"],
    );
    check("VJOURNAL:\nSUMMARY:undated", "/", &[]);
}

#[test]
fn extents() {
    let of = |body: &str| with(body, extent);
    let show = |(from, to): (Option<i64>, Option<i64>)| (from.map(stamp), to.map(stamp));
    for (body, from, to) in [
        (
            "DTSTART:20260105T090000Z\nDURATION:PT1H",
            "20260105T090000",
            Some("20260105T100000"),
        ),
        (
            "DTSTART:20260105T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY",
            "20260105T090000",
            None,
        ),
        (
            "DTSTART:20260105T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3",
            "20260105T090000",
            Some("20260107T100000"),
        ),
        (
            "DTSTART:20260105T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=20260107T090000Z",
            "20260105T090000",
            Some("20260107T100000"),
        ),
        (
            "DTSTART:20260105T090000Z\nRDATE:20250101T000000Z,20270101T000000Z",
            "20250101T000000",
            Some("20270101T000000"),
        ),
        (
            "RECURRENCE-ID:20260105T090000Z\nDTSTART;VALUE=DATE:20260105",
            "20260105T000000",
            Some("20260106T000000"),
        ),
    ] {
        assert_eq!(
            show(of(body)),
            (Some(from.into()), to.map(str::to_owned)),
            "{body}"
        );
    }
    assert_eq!(of("VJOURNAL:\nSUMMARY:undated"), (None, None));
    assert_eq!(of("VTODO:\nSUMMARY:undated"), (Some(civil::MIN), None));
    assert_eq!(
        of("DTSTART:20260105T090000Z\nRRULE:FREQ=SECONDLY;COUNT=4000000000;BYHOUR=1").1,
        None
    );
    assert!(with(
        "DTSTART:20260105T090000Z\nRRULE:FREQ=DAILY",
        |o, z| Series::of(o, z).is_endless()
    ));
}

#[test]
fn an_occurrence_by_its_original_start() {
    let body = format!(
        "{BERLIN}RRULE:FREQ=DAILY\n--\nRECURRENCE-ID:20260112T080000Z\nDTSTART:20260301T120000Z"
    );
    with(&body, |object, zones| {
        let series = Series::of(object, zones);
        let find = |rid: &str| {
            series
                .occurrence_at(at(rid), &Budget::default())
                .map(|o| stamp(o.start))
        };
        assert_eq!(find("20300110T080000Z").as_deref(), Some("20300110T080000"));
        assert_eq!(find("20260112T080000Z").as_deref(), Some("20260301T120000"));
        assert_eq!(find("20260110T083000Z"), None);
    });
}

#[test]
fn budgets_are_kept() {
    let body = "DTSTART:20260105T090000Z\nRRULE:FREQ=SECONDLY";
    let budget = Budget::new(1_000, 100);
    let found = with(body, |o, z| occurrences(o, z, Window::default(), &budget)).unwrap_err();
    assert!(found.so_far.len() <= 100 && found.to_string().contains("too many"));
    let never = "DTSTART:20260105T090000Z\nRRULE:FREQ=DAILY;INTERVAL=7;BYDAY=TU";
    check(never, "20260101/", &["20260105T090000Z/20260105T090000Z"]);
    assert_eq!(date(2026, 1, 5).weekday(), jiff::civil::Weekday::Monday);
}
