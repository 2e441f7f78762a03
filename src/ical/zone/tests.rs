mod agreement;

use super::*;
use crate::ical::tree::{Limits, Tree};
use jiff::Timestamp;
use jiff::civil::date;

fn parsed(text: &[u8]) -> Tree<'_> {
    Tree::parse(text, &Limits::default()).unwrap()
}

fn wrapped(vtimezone: &str) -> Vec<u8> {
    format!(
        "BEGIN:VCALENDAR\r\n{}\r\nEND:VCALENDAR\r\n",
        vtimezone.trim().replace('\n', "\r\n")
    )
    .into_bytes()
}

fn rules(vtimezone: &str) -> Zone {
    let text = wrapped(vtimezone);
    let tree = parsed(&text);
    let own = tree.components().find(|c| c.is("VTIMEZONE")).unwrap();
    Zone::Rules(Arc::new(Rules::of(own).unwrap()))
}

fn utc(year: i16, month: i8, day: i8) -> i64 {
    civil::seconds(date(year, month, day).at(0, 0, 0, 0))
}

#[test]
fn what_tzids_mean_by_themselves() {
    for (tzid, name) in [
        ("Europe/Berlin", Some("Europe/Berlin")),
        ("europe/berlin", Some("Europe/Berlin")),
        (
            "America/Argentina/Buenos_Aires",
            Some("America/Argentina/Buenos_Aires"),
        ),
        (
            "/mozilla.org/20050126_1/Europe/Berlin",
            Some("Europe/Berlin"),
        ),
        ("/Europe/Berlin", Some("Europe/Berlin")),
        (
            "/freeassociation.sourceforge.net/Europe/Berlin",
            Some("Europe/Berlin"),
        ),
        (
            "/freeassociation.sourceforge.net/Tzfile/America/Argentina/Buenos_Aires",
            Some("America/Argentina/Buenos_Aires"),
        ),
        ("/softwarestudio.org/Olson_20011030_5/UTC", Some("UTC")),
        ("UTC", Some("UTC")),
        ("Etc/UTC", Some("UTC")),
        ("GMT", Some("GMT")),
        ("W. Europe Standard Time", Some("Europe/Berlin")),
        ("W. Europe", Some("Europe/Berlin")),
        ("Eastern Daylight Time", Some("America/New_York")),
        (
            "(UTC-05:00) Eastern Time (US & Canada)",
            Some("America/New_York"),
        ),
        (
            "(GMT+01.00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
            Some("Europe/Berlin"),
        ),
        ("tzone://Microsoft/Utc", Some("UTC")),
        ("US-Eastern", Some("America/New_York")),
        ("Customized Time Zone", None),
        ("US--Fictitious-Eastern", None),
        ("", None),
        ("/", None),
        ("../etc/passwd", None),
        ("Europe/Berlin\u{0}", None),
    ] {
        assert_eq!(iana_for_tzid(tzid).as_deref(), name, "{tzid}");
    }
    assert_eq!(Zone::named("UTC+02:00"), Some(Zone::Fixed(7_200)));
    assert_eq!(Zone::named("GMT-0530"), Some(Zone::Fixed(-19_800)));
}

/// CLDR's table, when it lies beside the crate (or where `KALENDS_SHARED` says).
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "tests find shared data by a variable"
)]
fn every_windows_name_is_known() {
    let root = std::env::var("KALENDS_SHARED").unwrap_or_else(|_| "../shared".into());
    let path = std::path::Path::new(&root).join("providers/windows-zones.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no {}", path.display());
        return;
    };
    let table: serde_json::Value = serde_json::from_str(&text).unwrap();
    let names = table["windowsToIana"].as_object().unwrap();
    assert!(names.len() > 130);
    for (windows, zones) in names {
        let (have, want) = (
            Zone::named(windows),
            Zone::named(zones["001"].as_str().unwrap()),
        );
        assert!(have.is_some(), "{windows}");
        for month in 0..24 {
            let at = utc(2025, 1, 1) + month * 30 * civil::DAY;
            let offset = |zone: &Option<Zone>| zone.as_ref().map(|zone| zone.offset_at(at));
            assert_eq!(offset(&have), offset(&want), "{windows}");
        }
    }
}

/// RFC 5545 §3.3.5: 2:30 AM does not exist on 2007-03-11 in New York and is 3:30 EDT; 1:30 AM on
/// 2007-11-04 exists twice and is the first, EDT.
#[test]
fn gaps_and_folds() {
    let named = Zone::named("America/New_York").unwrap();
    let own = rules(NEW_YORK);
    for zone in [named, own] {
        for (local, instant) in [
            (
                date(2007, 3, 11).at(1, 59, 59, 0),
                date(2007, 3, 11).at(6, 59, 59, 0),
            ),
            (
                date(2007, 3, 11).at(2, 30, 0, 0),
                date(2007, 3, 11).at(7, 30, 0, 0),
            ),
            (
                date(2007, 3, 11).at(3, 30, 0, 0),
                date(2007, 3, 11).at(7, 30, 0, 0),
            ),
            (
                date(2007, 11, 4).at(1, 30, 0, 0),
                date(2007, 11, 4).at(5, 30, 0, 0),
            ),
            (
                date(2007, 11, 4).at(2, 0, 0, 0),
                date(2007, 11, 4).at(7, 0, 0, 0),
            ),
        ] {
            assert_eq!(
                zone.to_instant(local),
                civil::seconds(instant),
                "{local} {zone:?}"
            );
        }
        assert_eq!(
            zone.to_civil(utc(2007, 7, 1)),
            date(2007, 6, 30).at(20, 0, 0, 0)
        );
    }
}

/// The first example of §3.6.5, with its observances in another order.
const NEW_YORK: &str = "
BEGIN:VTIMEZONE
TZID:America/New_York
LAST-MODIFIED:20050809T050000Z
BEGIN:STANDARD
DTSTART:20071104T020000
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
TZNAME:EST
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19670430T020000
RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=-1SU;UNTIL=19730429T070000Z
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
TZNAME:EDT
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:19671029T020000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU;UNTIL=20061029T060000Z
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
TZNAME:EST
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19740106T020000
RDATE:19750223T020000
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
TZNAME:EDT
END:DAYLIGHT
BEGIN:DAYLIGHT
DTSTART:19760425T020000
RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=-1SU;UNTIL=19860427T070000Z
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
TZNAME:EDT
END:DAYLIGHT
BEGIN:DAYLIGHT
DTSTART:19870405T020000
RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU;UNTIL=20060402T070000Z
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
TZNAME:EDT
END:DAYLIGHT
BEGIN:DAYLIGHT
DTSTART:20070311T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
TZNAME:EDT
END:DAYLIGHT
END:VTIMEZONE";

#[test]
fn the_new_york_of_the_rfc_is_the_tz_database_s() {
    let (own, named) = (rules(NEW_YORK), Zone::named("America/New_York").unwrap());
    let mut at = utc(1967, 1, 1);
    // Behind the horizon too: the rules are asked one by one there.
    while at < utc(2110, 1, 1) {
        assert_eq!(
            own.offset_at(at),
            named.offset_at(at),
            "{}",
            own.to_civil(at)
        );
        let local = named.local_of(at);
        assert_eq!(
            own.instant_of(local),
            named.instant_of(local),
            "{}",
            own.to_civil(at)
        );
        at += 13 * 3_600 + 1_799;
    }
}

#[test]
fn offsets_with_seconds_and_without_daylight_saving() {
    let zone = rules(
        "BEGIN:VTIMEZONE\nTZID:x\nBEGIN:STANDARD\nDTSTART:18930401T000000\nTZOFFSETFROM:+002144\n\
         TZOFFSETTO:+0030\nEND:STANDARD\nEND:VTIMEZONE",
    );
    assert_eq!(zone.offset_at(utc(1893, 3, 31)), 1_304);
    assert_eq!(zone.offset_at(utc(2026, 3, 31)), 1_800);
}

/// Outlook's DTSTARTs lie in 1601, and match no rule.
#[test]
fn observances_since_1601() {
    let zone = rules(
        "BEGIN:VTIMEZONE\nTZID:W. Europe Standard Time\nBEGIN:STANDARD\nDTSTART:16010101T030000\n\
         TZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\n\
         END:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n\
         RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\nEND:VTIMEZONE",
    );
    let named = Zone::named("Europe/Berlin").unwrap();
    for day in 0..20_000 {
        let at = utc(1996, 1, 1) + day * civil::DAY + 3_600;
        assert_eq!(
            zone.offset_at(at),
            named.offset_at(at),
            "{}",
            zone.to_civil(at)
        );
    }
}

#[test]
fn unreadable_zones_are_none() {
    for text in [
        "BEGIN:VTIMEZONE\nTZID:x\nEND:VTIMEZONE",
        "BEGIN:VTIMEZONE\nTZID:x\nBEGIN:STANDARD\nDTSTART:19700101T000000\nEND:STANDARD\nEND:VTIMEZONE",
        "BEGIN:VTIMEZONE\nTZID:x\nBEGIN:STANDARD\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE",
    ] {
        let text = wrapped(text);
        let tree = parsed(&text);
        assert_eq!(
            tree.components()
                .find_map(|c| c.is("VTIMEZONE").then(|| Rules::of(c))),
            Some(None)
        );
    }
}

/// The order: IANA name where the object's rules agree with it, else the object's rules, else a Windows name.
#[test]
fn the_objects_rules_win_where_they_differ() {
    let fixed = |tzid: &str, offset: &str| {
        wrapped(&format!(
            "BEGIN:VTIMEZONE\nTZID:{tzid}\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:{offset}\n\
             TZOFFSETTO:{offset}\nEND:STANDARD\nEND:VTIMEZONE"
        ))
    };
    let text = wrapped(NEW_YORK);
    let tree = parsed(&text);
    let zones = Zones::of(&tree);
    let all = [None, Some((utc(2026, 1, 1), utc(2027, 1, 1)))];
    for within in all {
        let zone = zones.resolve("America/New_York", within).unwrap();
        assert_eq!(zone.iana_name(), Some("America/New_York"), "{within:?}");
    }
    assert_eq!(
        zones
            .resolve("Romance Standard Time", None)
            .unwrap()
            .iana_name(),
        Some("Europe/Paris")
    );
    assert_eq!(zones.resolve("Nowhere", None), None);
    assert_eq!(zones.only().unwrap().iana_name(), Some("America/New_York"));

    let text = fixed("Europe/Berlin", "+0100");
    let tree = parsed(&text);
    let zones = Zones::of(&tree);
    let (winter, summer) = (
        (utc(2026, 1, 1), utc(2026, 2, 1)),
        (utc(2026, 7, 1), utc(2026, 7, 2)),
    );
    assert!(matches!(
        zones.resolve("Europe/Berlin", Some(winter)),
        Some(Zone::Iana(_))
    ));
    assert!(matches!(
        zones.resolve("Europe/Berlin", Some(summer)),
        Some(Zone::Rules(_))
    ));
    assert!(matches!(
        zones.resolve("Europe/Berlin", None),
        Some(Zone::Rules(_))
    ));

    let text = fixed("Tokyo Standard Time", "+0200");
    let tree = parsed(&text);
    let zone = Zones::of(&tree)
        .resolve("tokyo standard time", None)
        .unwrap();
    assert_eq!(zone.offset_at(0), 7_200);
}

/// Every zone of the tz database, written for some spans and read back: the same offsets, to the minute.
#[test]
fn generated_zones_say_what_the_tz_database_says() {
    let spans = [
        (utc(2000, 1, 1), Some(utc(2040, 1, 1))),
        (utc(2026, 6, 1), Some(utc(2026, 7, 1))),
        (utc(2024, 1, 1), None),
    ];
    let (mut longest, mut zones) = (0, 0);
    for name in jiff::tz::db().available() {
        let Some(zone) = Zone::named(name.as_str()) else {
            continue;
        };
        zones += 1;
        for (from, to) in spans {
            let text = vtimezone(name.as_str(), from, to).unwrap();
            longest = longest.max(text.len());
            let own = rules(&text.replace("\r\n", "\n"));
            let end = to.unwrap_or(utc(2060, 1, 1));
            let minutes = |offset: i32| (offset + 30).div_euclid(60) * 60;
            let mut points: Vec<i64> = (from..end).step_by(20 * civil::DAY as usize).collect();
            if let Zone::Iana(named) = &zone {
                let start = Timestamp::from_second(from).unwrap();
                let changes = named
                    .zone()
                    .following(start)
                    .map(|t| t.timestamp().as_second());
                points.extend(
                    changes
                        .take_while(|at| *at < end)
                        .flat_map(|at| [at - 1, at, at + 1]),
                );
            }
            for at in points.into_iter().filter(|at| (from..end).contains(at)) {
                let (have, want) = (own.offset_at(at), minutes(zone.offset_at(at)));
                assert_eq!(
                    have,
                    want,
                    "{} at {}\n{text}",
                    name.as_str(),
                    Zone::Utc.to_civil(at)
                );
            }
        }
    }
    assert!(zones > 550 && longest < 12_000, "{zones} {longest}");
}

#[test]
fn generated_zones_are_short_where_a_rule_holds() {
    let text = vtimezone("Europe/Berlin", utc(2026, 6, 1), None).unwrap();
    let want = "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\n\
        BEGIN:DAYLIGHT\r\nTZNAME:CEST\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n\
        DTSTART:20260329T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\n\
        BEGIN:STANDARD\r\nTZNAME:CET\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n\
        DTSTART:20261025T030000\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\n\
        END:VTIMEZONE\r\n";
    assert_eq!(text, want);
    let text = vtimezone(
        "W. Europe Standard Time",
        utc(2026, 6, 1),
        Some(utc(2026, 6, 2)),
    )
    .unwrap();
    assert!(
        text.contains("TZID:W. Europe Standard Time\r\nX-LIC-LOCATION:Europe/Berlin\r\n"),
        "{text}"
    );
    let text = vtimezone("Asia/Tokyo", utc(2026, 6, 1), None).unwrap();
    assert_eq!(text.matches("BEGIN:STANDARD").count(), 1, "{text}");
    assert!(
        !text.contains("RRULE") && text.contains("TZOFFSETTO:+0900"),
        "{text}"
    );
    assert_eq!(vtimezone("Nowhere", 0, None), None);
}
