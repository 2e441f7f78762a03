use super::*;

mod corpus;
mod oracle;
mod reference;

/// `20260101T090000` or `20260101`.
fn at(text: &str) -> DateTime {
    match text.split_once('T') {
        Some(_) => DateTime::strptime("%Y%m%dT%H%M%S", text.trim_end_matches('Z')).unwrap(),
        None => Date::strptime("%Y%m%d", text).unwrap().at(0, 0, 0, 0),
    }
}

fn show(dt: DateTime) -> String {
    dt.strftime("%Y%m%dT%H%M%S").to_string()
}

#[test]
fn parts_come_in_any_order_and_case() {
    let plain =
        Rule::parse("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,-1TH;WKST=SU").map_err(|e| e.to_string());
    assert!(plain.unwrap_err().contains("BYDAY with a number"));
    let rule = Rule::parse("FREQ=MONTHLY;UNTIL=20260131T100000Z;INTERVAL=2;BYDAY=TU,-1TH;WKST=SU")
        .unwrap();
    for text in [
        "wkst=su;byday=tu,-1th;interval=2;until=20260131t100000z;freq=monthly",
        "FREQ=MONTHLY;UNTIL=20260131T100000Z;BYDAY=TU,-1TH;INTERVAL=02;WKST=SU;",
        " FREQ=MONTHLY; UNTIL=20260131T100000Z;;BYDAY = TU, -1TH;INTERVAL=2;WKST=SU ",
        "RSCALE=GREGORIAN;X-EVOLUTION=1;FREQ=MONTHLY;UNTIL=20260131T100000Z;BYDAY=TU,-1TH;INTERVAL=2;WKST=SU;SKIP=OMIT",
    ] {
        assert_eq!(Rule::parse(text).as_ref(), Ok(&rule), "{text}");
    }
    assert_eq!(
        rule.to_string(),
        "FREQ=MONTHLY;UNTIL=20260131T100000Z;INTERVAL=2;BYDAY=TU,-1TH;WKST=SU"
    );
}

#[test]
fn what_the_section_forbids_is_refused() {
    use RuleError::*;
    let value = |part, value: &str| Value {
        part,
        value: value.into(),
    };
    for (text, error) in [
        ("", NoFreq),
        ("COUNT=3", NoFreq),
        ("FREQ=FORTNIGHTLY", value("FREQ", "FORTNIGHTLY")),
        ("FREQ=DAILY;FREQ=DAILY", Repeated("FREQ")),
        ("FREQ=DAILY;BYDAY=MO;byday=TU", Repeated("BYDAY")),
        (
            "FREQ=DAILY;AnythingRandom",
            UnknownPart("AnythingRandom".into()),
        ),
        ("FREQ=DAILY;BYEASTER=1", UnknownPart("BYEASTER".into())),
        ("FREQ=DAILY;COUNT=0", value("COUNT", "0")),
        ("FREQ=DAILY;COUNT=-1", value("COUNT", "-1")),
        ("FREQ=DAILY;INTERVAL=0", value("INTERVAL", "0")),
        ("FREQ=DAILY;BYHOUR=24", value("BYHOUR", "24")),
        ("FREQ=DAILY;BYMINUTE=60", value("BYMINUTE", "60")),
        ("FREQ=DAILY;BYSECOND=61", value("BYSECOND", "61")),
        ("FREQ=DAILY;BYMONTH=13", value("BYMONTH", "13")),
        ("FREQ=DAILY;BYMONTH=5L", value("BYMONTH", "5L")),
        ("FREQ=MONTHLY;BYMONTHDAY=0", value("BYMONTHDAY", "0")),
        ("FREQ=MONTHLY;BYMONTHDAY=32", value("BYMONTHDAY", "32")),
        ("FREQ=MONTHLY;BYDAY=+1,3MO", value("BYDAY", "+1,3MO")),
        ("FREQ=MONTHLY;BYDAY=0MO", value("BYDAY", "0MO")),
        ("FREQ=MONTHLY;BYDAY=", value("BYDAY", "")),
        ("FREQ=YEARLY;BYYEARDAY=-367", value("BYYEARDAY", "-367")),
        ("FREQ=YEARLY;BYWEEKNO=54", value("BYWEEKNO", "54")),
        ("FREQ=DAILY;UNTIL=", value("UNTIL", "")),
        ("FREQ=DAILY;UNTIL=20260230", value("UNTIL", "20260230")),
        (
            "FREQ=DAILY;UNTIL=20260228T10000é",
            value("UNTIL", "20260228T10000é"),
        ),
        (
            "FREQ=DAILY;UNTIL=20260228T250000",
            value("UNTIL", "20260228T250000"),
        ),
        (
            "FREQ=DAILY;COUNT=1;UNTIL=20260228",
            Forbidden("COUNT with UNTIL"),
        ),
        (
            "FREQ=WEEKLY;BYMONTHDAY=1",
            Forbidden("BYMONTHDAY with FREQ=WEEKLY"),
        ),
        (
            "FREQ=MONTHLY;BYYEARDAY=1",
            Forbidden("BYYEARDAY with FREQ=DAILY, WEEKLY or MONTHLY"),
        ),
        (
            "FREQ=MONTHLY;BYWEEKNO=1",
            Forbidden("BYWEEKNO needs FREQ=YEARLY"),
        ),
        (
            "FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO",
            Forbidden("BYDAY with a number beside BYWEEKNO"),
        ),
        (
            "FREQ=YEARLY;BYSETPOS=1",
            Forbidden("BYSETPOS without another BY part"),
        ),
        (
            "RSCALE=HEBREW;FREQ=YEARLY;BYMONTH=5L",
            Unsupported("RSCALE=HEBREW".into()),
        ),
        (
            "FREQ=YEARLY;BYMONTH=5L;RSCALE=CHINESE",
            Unsupported("RSCALE=CHINESE".into()),
        ),
        (
            "RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=FORWARD",
            Unsupported("SKIP=FORWARD".into()),
        ),
    ] {
        assert_eq!(Rule::parse(text), Err(error), "{text}");
    }
}

#[test]
fn a_date_only_until_is_its_whole_day() {
    let rule = Rule::parse("FREQ=DAILY;UNTIL=20260103").unwrap();
    let days: Vec<String> = rule
        .iter(at("20260101T090000"), None, &Budget::default())
        .map(show)
        .collect();
    assert_eq!(
        days,
        ["20260101T090000", "20260102T090000", "20260103T090000"]
    );
}

/// Rules as an attacker would write them, each over all time: they end, and soon.
const HOSTILE: [&str; 16] = [
    "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6;BYDAY=MO",
    "FREQ=MINUTELY;INTERVAL=1440;BYHOUR=5;BYMINUTE=7",
    "FREQ=SECONDLY;INTERVAL=7919;BYHOUR=3;BYMINUTE=3;BYSECOND=59",
    "FREQ=SECONDLY;INTERVAL=2;BYSECOND=1",
    "FREQ=HOURLY;INTERVAL=168;BYDAY=MO",
    "FREQ=HOURLY;INTERVAL=4294967295;BYMONTH=3",
    "FREQ=SECONDLY;COUNT=4294967295",
    "FREQ=SECONDLY;COUNT=4294967295;BYHOUR=1",
    "FREQ=SECONDLY;BYYEARDAY=366;BYMONTH=1",
    "FREQ=YEARLY;BYDAY=-53SU,53SU,52SU,-52SU;BYMONTHDAY=15;BYYEARDAY=1",
    "FREQ=YEARLY;BYHOUR=0,1,2,3;BYMINUTE=0,1,2,3,4,5;BYSECOND=0,1,2;BYSETPOS=366,-366;BYMONTH=1,2,3,4;BYDAY=1MO",
];

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the time it takes is the subject"
)]
fn hostile_rules_stay_within_the_budget() {
    for text in HOSTILE {
        let rule = Rule::parse(text).unwrap();
        let budget = Budget::default();
        let clock = std::time::Instant::now();
        let n = rule
            .iter(at("20260101T000000"), Some(at("20290301T000000")), &budget)
            .take(500)
            .count();
        assert!(n <= 500);
        // Ten milliseconds when optimised; a debug build on a busy machine gets more.
        assert!(
            clock.elapsed().as_millis() < 500,
            "{text}: {:?}",
            clock.elapsed()
        );
    }
}

#[test]
fn a_window_far_from_dtstart_costs_few_steps() {
    for text in [
        "FREQ=DAILY",
        "FREQ=DAILY;COUNT=20000",
        "FREQ=DAILY;INTERVAL=3;BYHOUR=9,15;BYMINUTE=0,30",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;WKST=SU",
        "FREQ=WEEKLY;BYDAY=MO,WE;COUNT=4000",
        "FREQ=MONTHLY;BYDAY=-1FR",
        "FREQ=YEARLY",
        "FREQ=HOURLY;INTERVAL=5",
        "FREQ=MINUTELY;INTERVAL=7;BYHOUR=9",
        "FREQ=SECONDLY;INTERVAL=3600;COUNT=1000000",
    ] {
        let rule = Rule::parse(text).unwrap();
        let budget = Budget::new(60, 60);
        let from = Some(at("20261101T000000"));
        let some: Vec<DateTime> = rule
            .iter(at("20010101T090000"), from, &budget)
            .take(2)
            .collect();
        assert!(some.len() == 2 && !budget.exhausted(), "{text}: {some:?}");
    }
}
