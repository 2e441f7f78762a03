//! Where chrono-tz, whose database is of 2025, has other offsets than ours: programs that read our answers with it show
//! another hour there.

use super::*;
use chrono::{DateTime as Instant, Offset, TimeZone as _};
use chrono_tz::TZ_VARIANTS;

/// 2020 to 2030.
const SPAN: (i64, i64) = (1_577_836_800, 1_893_456_000);

/// One line a zone: its name, the first instant with another offset, ours, theirs (hours:minutes east of UTC).
const DIFFERING: &str = include_str!("../../../../fixtures/zones/chrono-tz-differs.txt");

fn clock(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Each day, and the last and first second around each change of ours.
fn instants(zone: &Zone) -> Vec<i64> {
    let mut all: Vec<i64> = (SPAN.0..SPAN.1).step_by(86_400).collect();
    if let Zone::Iana(named) = zone {
        let start = Timestamp::from_second(SPAN.0).unwrap();
        let changes = named.zone().following(start);
        for at in changes.map(|change| change.timestamp().as_second()) {
            if at >= SPAN.1 {
                break;
            }
            all.extend([at - 1, at]);
        }
    }
    all.sort_unstable();
    all
}

fn first_difference(theirs: chrono_tz::Tz) -> Option<String> {
    let name = theirs.name();
    let Some(ours) = Zone::named(name) else {
        return Some(format!("{name} is unknown to us"));
    };
    instants(&ours).into_iter().find_map(|at| {
        let utc = Instant::from_timestamp(at, 0).unwrap().naive_utc();
        let their = theirs
            .offset_from_utc_datetime(&utc)
            .fix()
            .local_minus_utc();
        let our = ours.offset_at(at);
        let stamp = Timestamp::from_second(at).unwrap();
        (our != their).then(|| format!("{name} {stamp} {} {}", clock(our), clock(their)))
    })
}

#[test]
fn chrono_tz_differs_in_these_zones_and_no_other() {
    let found: Vec<String> = TZ_VARIANTS
        .into_iter()
        .filter_map(first_difference)
        .collect();
    let listed: Vec<&str> = DIFFERING
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(found, listed, "the list should be:\n{}", found.join("\n"));
}
