use super::*;

/// RFC 5545 §3.3.4, §3.3.5 and what exporters write.
#[test]
fn dates_and_times_are_read_by_their_shape_and_printed_in_the_rfc_form() {
    let cases = [
        ("19970714", None, "19970714", "date"),
        ("19980118T230000", None, "19980118T230000", "floating"),
        ("19980119T070000Z", None, "19980119T070000Z", "utc"),
        (
            "19980119T020000",
            Some("America/New_York"),
            "19980119T020000",
            "zoned",
        ),
        ("19980119T020000", Some(""), "19980119T020000", "floating"),
        (
            "19980119T070000Z",
            Some("America/New_York"),
            "19980119T070000Z",
            "utc",
        ),
        ("19970630T235960Z", None, "19970630T235959Z", "utc"),
        ("20261231T240000", None, "20270101T000000", "floating"),
        (" 20240229 ", None, "20240229", "date"),
        ("20131210Z", None, "20131210", "date"),
        ("00010101T000000", None, "00010101T000000", "floating"),
    ];
    for (text, tzid, printed, form) in cases {
        let when = When::parse(text, tzid).unwrap();
        assert_eq!(when.to_string(), printed, "{text}");
        let found = match when {
            When::Date(_) => "date",
            When::Floating(_) => "floating",
            When::Utc(_) => "utc",
            When::Zoned { .. } => "zoned",
        };
        assert_eq!(found, form, "{text}");
    }
}

#[test]
fn what_is_no_date_or_time_is_refused() {
    for text in [
        "",
        "1997",
        "19970230",
        "19971301",
        "20230229",
        "19970714T",
        "19970714T1200",
        "19970714T120000X",
        "19970714T250000",
        "19970714T240001",
        "19970714T126000",
        "19970714T120061",
        "19970714 120000",
        "1997-07-14",
        "+9970714",
        "19970714T120000ZZ",
        "199707\u{661}4",
        "19970714T120000-0500",
    ] {
        assert!(When::parse(text, None).is_err(), "{text}");
    }
}

/// RFC 5545 §3.3.6 and the rest of the grammar.
#[test]
fn durations_keep_days_apart_from_time() {
    let cases = [
        ("P15DT5H0M20S", (false, 0, 15, 18_020), "P15DT5H0M20S"),
        ("P7W", (false, 7, 0, 0), "P7W"),
        ("-PT15M", (true, 0, 0, 900), "-PT15M"),
        ("+P1D", (false, 0, 1, 0), "P1D"),
        ("PT1H30S", (false, 0, 0, 3630), "PT1H0M30S"),
        ("P1W2D", (false, 1, 2, 0), "P9D"),
        ("PT0S", (false, 0, 0, 0), "PT0S"),
        ("P0D", (false, 0, 0, 0), "PT0S"),
        ("PT36H", (false, 0, 0, 129_600), "PT36H"),
        ("PT90M", (false, 0, 0, 5400), "PT1H30M"),
        ("PT1W2D3H", (false, 1, 2, 10_800), "P9DT3H"),
    ];
    for (text, (negative, weeks, days, seconds), printed) in cases {
        let read = Duration::parse(text).unwrap();
        assert_eq!(
            read,
            Duration {
                negative,
                weeks,
                days,
                seconds
            },
            "{text}"
        );
        assert_eq!(read.to_string(), printed, "{text}");
    }
    assert_eq!(Duration::parse("-P1DT1H").unwrap().total_seconds(), -90_000);
    for text in [
        "",
        "P",
        "PT",
        "P1DT",
        "1D",
        "P1",
        "PD",
        "P1H",
        "P1DTT1H",
        "PT1HT1M",
        "P1D1W",
        "PT1M1H",
        "--P1D",
        "P-1D",
        "P1DX",
        "PT9999999999S",
    ] {
        assert!(Duration::parse(text).is_err(), "{text}");
    }
}

/// RFC 5545 §3.3.9.
#[test]
fn periods_have_an_end_or_a_length() {
    for text in [
        "19970101T180000Z/19970102T070000Z",
        "19970101T180000Z/PT5H30M",
    ] {
        assert_eq!(Period::parse(text, None).unwrap().to_string(), text);
    }
    for text in [
        "19970101T180000Z",
        "19970101/19970102T000000",
        "19970101T180000Z/",
        "19970101T180000Z/-PT1H",
        "/PT1H",
    ] {
        assert!(Period::parse(text, None).is_err(), "{text}");
    }
}

/// RFC 5545 §3.3.14.
#[test]
fn offsets_may_have_seconds() {
    for (text, seconds) in [
        ("-0500", -18_000),
        ("+0100", 3600),
        ("-003644", -2204),
        ("+0530", 19_800),
    ] {
        assert_eq!(utc_offset(text), Ok(seconds));
        assert_eq!(print_utc_offset(seconds), text);
    }
    assert_eq!(utc_offset("-0000"), Ok(0));
    for text in [
        "", "0500", "+05", "+5000", "+0560", "+05:00", "-0752-58", "+00000",
    ] {
        assert!(utc_offset(text).is_err(), "{text}");
    }
}

#[test]
fn lists_drop_empty_items() {
    assert_eq!(
        items("19970101, 19970102,,").collect::<Vec<_>>(),
        ["19970101", "19970102"]
    );
    assert_eq!(items("").count(), 0);
}
