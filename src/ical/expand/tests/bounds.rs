//! What windows and extents promise, where clocks jump far and instances are moved: found by fuzzing, most of it.

use super::super::invariants::windows_fit_together;
use super::*;

/// A zone that skips a day and a half on 2026-06-10 at noon, and goes back on 2026-06-20.
const JUMPING: &str = "\
    BEGIN:VTIMEZONE\r\nTZID:jumping\r\n\
    BEGIN:STANDARD\r\nDTSTART:20260101T000000\r\nTZOFFSETFROM:-1800\r\nTZOFFSETTO:-1800\r\nEND:STANDARD\r\n\
    BEGIN:DAYLIGHT\r\nDTSTART:20260610T120000\r\nTZOFFSETFROM:-1800\r\nTZOFFSETTO:+1800\r\nEND:DAYLIGHT\r\n\
    BEGIN:STANDARD\r\nDTSTART:20260620T120000\r\nTZOFFSETFROM:+1800\r\nTZOFFSETTO:-1800\r\nEND:STANDARD\r\n\
    END:VTIMEZONE\r\n";

/// Windows over some days, wide and narrow, are checked against the extent and against each other.
fn fits(body: &str, from: &str, to: &str) {
    let zoned =
        |zone: &str| object(body).replacen("BEGIN:VEVENT", &format!("{zone}BEGIN:VEVENT"), 1);
    let text = zoned(if body.contains("TZID=jumping") {
        JUMPING
    } else {
        ""
    });
    let tree = Tree::parse(text.as_bytes(), &Limits::default()).unwrap();
    let series = Series::of(&Object::read(&tree).unwrap(), &Zones::of(&tree));
    let (from, to) = (at(from), at(to));
    let all = series.occurrences(Window::new(from, to), &Budget::new(3_000, 300));
    assert!(!all.unwrap().is_empty(), "{body}");
    for hours in [1, 5, 24, 100, 10_000] {
        let length = hours * 3_600;
        for from in (from..to).step_by(length.min(6 * 3_600) as usize) {
            windows_fit_together(&series, Window::new(from, to.min(from + length)));
        }
    }
}

/// RANGE=THISANDFUTURE moves what is added by RDATE, and DTSTART itself, as it moves what a rule makes.
#[test]
fn an_extent_holds_what_an_override_moves() {
    for (id, start) in [("20260508", "20260510"), ("20260510", "20260507")] {
        for more in [
            "",
            "\nRDATE;VALUE=DATE:20260509,20260512",
            "\nRRULE:FREQ=DAILY;COUNT=3",
        ] {
            let body = format!(
                "DTSTART;VALUE=DATE:20260510{more}\n--\nDTSTART;VALUE=DATE:{start}\n\
                 RECURRENCE-ID;VALUE=DATE;RANGE=THISANDFUTURE:{id}"
            );
            fits(&body, "20260501", "20260520");
        }
    }
    let moved = "DTSTART:20260510T090000Z\nDURATION:PT1H\nRDATE:20260512T090000Z\n--\n\
        RECURRENCE-ID;RANGE=THISANDFUTURE:20260511T090000Z\nDTSTART:20260513T090000Z\nDURATION:PT2H";
    let (first, last) = with(moved, extent);
    assert!(first <= Some(at("20260510T090000Z")) && last >= Some(at("20260514T110000Z")));
}

/// What the wall clock skips is later than what comes after it: the last instance is not the latest.
#[test]
fn an_extent_holds_what_a_clock_skips() {
    for body in [
        "DTSTART;TZID=Europe/Berlin:20260329T023000\nRRULE:FREQ=MINUTELY;INTERVAL=5;COUNT=12",
        "DTSTART;TZID=Europe/Berlin:20260329T013000\nRRULE:FREQ=MINUTELY;INTERVAL=5;UNTIL=20260329T030500",
        "DTSTART;TZID=Europe/Berlin:20260329T013000\nRRULE:FREQ=MINUTELY;INTERVAL=5;COUNT=20",
    ] {
        fits(body, "20260329", "20260330");
    }
    for rule in [
        "FREQ=HOURLY;INTERVAL=5;COUNT=9",
        "FREQ=DAILY",
        "FREQ=HOURLY;INTERVAL=7;COUNT=40",
        "FREQ=HOURLY;INTERVAL=7;UNTIL=20260612",
        "FREQ=HOURLY;INTERVAL=7;UNTIL=20260611T100000Z",
        "FREQ=HOURLY\nEXRULE:FREQ=HOURLY;INTERVAL=2",
    ] {
        for start in [
            "20260608T100000",
            "20260610T110000",
            "20260610T130000",
            "20260611T233000",
        ] {
            for length in ["", "\nDURATION:P1DT1H", "\nDURATION:PT30M"] {
                let body = format!("DTSTART;TZID=jumping:{start}{length}\nRRULE:{rule}");
                fits(&body, "20260609", "20260614");
            }
        }
    }
}

/// Master and override on clocks of their own, which jump.
#[test]
fn an_override_moves_between_zones() {
    for (id, start) in [
        (":20260609T100000Z", ";TZID=jumping:20260609T100000"),
        (";TZID=jumping:20260609T100000", ":20260608T100000"),
        (
            ";TZID=jumping:20260610T130000",
            ";TZID=Europe/Berlin:20260611T100000",
        ),
        (";TZID=jumping:20260610T130000", ";VALUE=DATE:20260611"),
    ] {
        for master in [
            ";TZID=jumping:20260608T100000",
            ":20260608T100000Z",
            ":20260608T100000",
        ] {
            let body = format!(
                "DTSTART{master}\nDURATION:PT1H\nRRULE:FREQ=HOURLY;INTERVAL=5;COUNT=40\n--\n\
                 RECURRENCE-ID;RANGE=THISANDFUTURE{id}\nDTSTART{start}"
            );
            fits(&body, "20260607", "20260616");
        }
    }
}

/// A rule that takes out looks as far as what it takes out: the skipped hour is the one after it.
#[test]
fn an_exrule_takes_out_across_a_gap() {
    check(
        "DTSTART;TZID=Europe/Berlin:20260328T023000\nRRULE:FREQ=DAILY;COUNT=2\n\
         EXRULE:FREQ=DAILY;BYHOUR=3;BYMINUTE=30",
        "/",
        &["20260328T013000Z/20260328T013000Z"],
    );
}

/// Behind the times that are listed a zone's rules are asked for every instance: a bounded number of them, a bounded
/// number of steps.
#[test]
fn a_hostile_zone_of_the_far_future() {
    let observance = "BEGIN:STANDARD\r\nDTSTART:20260101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n\
        RRULE:FREQ=SECONDLY\r\nEND:STANDARD\r\n";
    let zone = format!(
        "BEGIN:VTIMEZONE\r\nTZID:mine\r\n{}END:VTIMEZONE\r\n",
        observance.repeat(150)
    );
    for (start, length) in [
        ("22000101T000000", "PT1H"),
        ("20260101T000000", "P4000000000D"),
    ] {
        let body = format!("DTSTART;TZID=mine:{start}\nRRULE:FREQ=HOURLY\nDURATION:{length}");
        let text = object(&body).replacen("BEGIN:VEVENT", &format!("{zone}BEGIN:VEVENT"), 1);
        let tree = Tree::parse(text.as_bytes(), &Limits::default()).unwrap();
        let series = Series::of(&Object::read(&tree).unwrap(), &Zones::of(&tree));
        let found = series.occurrences(Window::default(), &Budget::default());
        assert!(found.unwrap_err().so_far.len() as u32 > Budget::INSTANCES - 10);
    }
}

/// Every date of a long list names its zone, and that may be the last of many, each hard to read.
#[test]
fn dates_in_zones_that_are_hard_to_find() {
    let zone = |n: usize| {
        format!(
            "BEGIN:VTIMEZONE\r\n{}TZID:z{n}\r\nBEGIN:STANDARD\r\nDTSTART:20260101T000000\r\nTZOFFSETFROM:+0100\r\n\
             TZOFFSETTO:+0200\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n",
            "A:\r\n".repeat(7_000)
        )
    };
    let zones: String = (0..48).map(zone).collect();
    let dates = "20260501T100000,".repeat(20_000);
    let body = format!(
        "DTSTART:20260501T080000Z\nRDATE;TZID=z47:{dates}\nEXDATE;TZID=z46:{}",
        dates.replace("T10", "T11")
    );
    let text = object(&body).replacen("BEGIN:VEVENT", &format!("{zones}BEGIN:VEVENT"), 1);
    let tree = Tree::parse(text.as_bytes(), &Limits::default()).unwrap();
    let series = Series::of(&Object::read(&tree).unwrap(), &Zones::of(&tree));
    let found = series.occurrences(Window::default(), &Budget::new(100, 30_000));
    assert_eq!(show(&found.unwrap()), ["20260501T080000Z/20260501T080000Z"]);
}

/// A TZID is kept with every value of a list.
#[test]
fn dates_in_a_zone_with_a_long_name() {
    let name = "z".repeat(100_000);
    let dates = "20260501T100000,".repeat(20_000);
    let body = format!("DTSTART:20260501T080000Z\nRDATE;TZID={name}:{dates}");
    let found = with(&body, |object, zones| {
        occurrences(object, zones, Window::default(), &Budget::new(100, 30_000))
    });
    let want = [
        "20260501T080000Z/20260501T080000Z",
        "20260501T100000Z/20260501T100000Z",
    ];
    assert_eq!(show(&found.unwrap()), want);
}
