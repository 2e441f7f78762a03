//! What recurrence and zones cost: `cargo bench --bench ical`.
//!
//! The first group is what a query for a week pays per object; the second what a hostile rule may take before its
//! budget ends it (10 ms is the promise); the third is on the path of every PUT.

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::civil::{DateTime, date};
use kalends::ical::expand::{Series, Window, occurrences};
use kalends::ical::object::Object;
use kalends::ical::prune::{Recurrences, Retrieval};
use kalends::ical::query::TimeRange;
use kalends::ical::rrule::{Budget, Rule, civil};
use kalends::ical::tree::{Limits, Tree};
use kalends::ical::zone::{Zone, Zones, vtimezone};
use std::hint::black_box;

fn start() -> DateTime {
    date(2001, 1, 1).at(9, 0, 0, 0)
}

fn week() -> Window {
    let from = civil::seconds(date(2026, 11, 16).at(0, 0, 0, 0));
    Window::new(from, from + 7 * civil::DAY)
}

/// A daily series of 2001 in Berlin with a VTIMEZONE, some EXDATEs and overrides.
fn old_series() -> String {
    let zone = vtimezone("Europe/Berlin", 978_307_200, None).unwrap_or_default();
    let exdates: String = (1..=28)
        .map(|day| format!("EXDATE;TZID=Europe/Berlin:202605{day:02}T090000\r\n"))
        .collect();
    let overrides: String = (1..=20)
        .map(|day| {
            format!(
                "BEGIN:VEVENT\r\nUID:u\r\nRECURRENCE-ID;TZID=Europe/Berlin:202607{day:02}T090000\r\n\
                 DTSTART;TZID=Europe/Berlin:202607{day:02}T150000\r\nDURATION:PT1H\r\nEND:VEVENT\r\n"
            )
        })
        .collect();
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{zone}BEGIN:VEVENT\r\nUID:u\r\n\
         DTSTART;TZID=Europe/Berlin:20010101T090000\r\nDTEND;TZID=Europe/Berlin:20010101T100000\r\n\
         RRULE:FREQ=DAILY\r\n{exdates}END:VEVENT\r\n{overrides}END:VCALENDAR\r\n"
    )
}

fn a_week_of_an_old_series(c: &mut Criterion) {
    let mut group = c.benchmark_group("a week of 2026");
    for text in [
        "FREQ=DAILY",
        "FREQ=DAILY;COUNT=15000",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,FR",
        "FREQ=MONTHLY;BYDAY=-1FR;COUNT=400",
        "FREQ=YEARLY;BYMONTH=11;BYDAY=3MO",
        "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9",
    ] {
        let Ok(rule) = Rule::parse(text) else {
            continue;
        };
        let from = Some(date(2026, 11, 16).at(0, 0, 0, 0));
        let to = date(2026, 11, 23).at(0, 0, 0, 0);
        group.bench_function(text, |b| {
            b.iter(|| {
                rule.iter(start(), from, &Budget::default())
                    .take_while(|at| *at < to)
                    .count()
            });
        });
    }
    let text = old_series();
    let Ok(tree) = Tree::parse(text.as_bytes(), &Limits::default()) else {
        return;
    };
    let Ok(object) = Object::read(&tree) else {
        return;
    };
    let zones = Zones::of(&tree);
    group.bench_function("object with 28 EXDATEs and 20 overrides", |b| {
        b.iter(|| {
            occurrences(&object, &zones, week(), &Budget::default()).map(|found| found.len())
        });
    });
    let series = Series::of(&object, &zones);
    group.bench_function("the same, read before", |b| {
        b.iter(|| {
            series
                .occurrences(week(), &Budget::default())
                .map(|found| found.len())
        });
    });
    group.finish();
}

/// What `calendar-data` with `expand` costs per object of an answer, from its bytes.
fn expanded_month(c: &mut Criterion) {
    let mut group = c.benchmark_group("expanded for a month");
    let from = civil::seconds(date(2026, 7, 1).at(0, 0, 0, 0));
    let retrieval = Retrieval {
        recurrences: Recurrences::Expand(TimeRange {
            start: from,
            end: from + 35 * civil::DAY,
        }),
        ..Retrieval::default()
    };
    let old = old_series();
    let once = old.replace("RRULE:FREQ=DAILY\r\n", "");
    let once = once.replace("20010101", "20260708");
    let at = |name: &str| old.find(name).unwrap_or_default();
    let daily = format!(
        "{}END:VCALENDAR\r\n",
        &old[..at("BEGIN:VEVENT\r\nUID:u\r\nRECUR")]
    );
    for (name, text) in [
        ("one event and its overrides", &once),
        ("a daily series", &daily),
        ("a daily series with 20 overrides", &old),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let tree = Tree::parse(text.as_bytes(), &Limits::default()).ok()?;
                let object = Object::read(&tree).ok()?;
                let answer = retrieval.apply(&object, &Zone::Utc, &Budget::default());
                answer.ok().map(|text| text.len())
            });
        });
    }
    group.finish();
}

fn hostile_rules(c: &mut Criterion) {
    let mut group = c.benchmark_group("hostile");
    group.sample_size(20);
    for text in [
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYDAY=-53SU,53SU,52SU,-52SU;BYMONTHDAY=15;BYYEARDAY=1",
        "FREQ=SECONDLY;INTERVAL=7919;BYHOUR=3;BYMINUTE=3;BYSECOND=59",
        "FREQ=HOURLY;INTERVAL=169;BYDAY=MO;BYHOUR=5;BYMONTHDAY=31;BYMONTH=12",
        "FREQ=SECONDLY;COUNT=4294967295;BYHOUR=1",
        "FREQ=SECONDLY",
    ] {
        let Ok(rule) = Rule::parse(text) else {
            continue;
        };
        group.bench_function(text, |b| {
            b.iter(|| rule.iter(start(), None, &Budget::default()).count())
        });
    }
    group.finish();
}

fn zones(c: &mut Criterion) {
    let mut group = c.benchmark_group("zone");
    let Some(named) = Zone::named("Europe/Berlin") else {
        return;
    };
    let summer = date(2026, 7, 1).at(9, 0, 0, 0);
    group.bench_function("local to instant, named", |b| {
        b.iter(|| named.to_instant(black_box(summer)))
    });
    let text = old_series();
    let Ok(tree) = Tree::parse(text.as_bytes(), &Limits::default()) else {
        return;
    };
    let zones = Zones::of(&tree);
    group.bench_function("TZID with its VTIMEZONE, known", |b| {
        b.iter(|| {
            zones.resolve(
                black_box("Europe/Berlin"),
                Some((978_307_200, 2_000_000_000)),
            )
        });
    });
    group.bench_function("Windows name", |b| {
        b.iter(|| Zone::named(black_box("W. Europe Standard Time")))
    });
    let own = text.replace("TZID:Europe/Berlin", "TZID:Ours");
    let Ok(tree) = Tree::parse(own.as_bytes(), &Limits::default()) else {
        return;
    };
    let Some(own) = Zones::of(&tree).resolve("Ours", None) else {
        return;
    };
    group.bench_function("local to instant, own rules", |b| {
        b.iter(|| own.to_instant(black_box(summer)))
    });
    group.bench_function("VTIMEZONE written", |b| {
        b.iter(|| vtimezone("Europe/Berlin", 1_790_000_000, None))
    });
    group.finish();
}

criterion_group!(
    benches,
    a_week_of_an_old_series,
    expanded_month,
    hostile_rules,
    zones
);
criterion_main!(benches);
