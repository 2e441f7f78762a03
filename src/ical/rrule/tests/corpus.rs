//! Rules with known answers: the RFC's own examples, and the cases that lie beside the crate (or where
//! `KALENDS_SHARED` says) when they are there.

use super::*;
use serde_json::Value;

/// Rows taken from libical that RFC 5545 does not decide, or decides otherwise.
const NOT_DEFINED: [(&str, &str); 5] = [
    (
        "libical-69",
        "reads YEARLY+BYMONTHDAY as within DTSTART's month; the table says it expands the year",
    ),
    ("libical-70", "the same"),
    ("libical-72", "expects its own \"not implemented\""),
    (
        "libical-126",
        "DTSTART not synchronised, in a week that belongs to the year before",
    ),
    ("libical-127", "the same"),
];

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "tests find shared data by a variable"
)]
fn the_corpus_of_recurrence_cases() {
    let root = std::env::var("KALENDS_SHARED").unwrap_or_else(|_| "../shared".into());
    let path = std::path::Path::new(&root).join("corpus/ics/recurrence-cases.jsonl");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no {}", path.display());
        return;
    };
    let (mut done, mut failures) = (0, Vec::new());
    for line in text.lines().filter(|line| !line.is_empty()) {
        let case: Value = serde_json::from_str(line).unwrap();
        let id = case["id"]
            .as_str()
            .map_or_else(|| case["id"].to_string(), str::to_owned);
        if case["contested"] == true || NOT_DEFINED.iter().any(|(known, _)| *known == id) {
            continue;
        }
        done += 1;
        if let Err(why) = run(&case, !id.starts_with("libical")) {
            failures.push(format!("{id} {} {}\n{why}", case["dtstart"], case["rrule"]));
        }
    }
    assert!(done > 2_600, "only {done} cases");
    assert!(
        failures.is_empty(),
        "{} of {done}:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn times(value: &Value) -> Vec<String> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter_map(|t| t.as_str().map(|t| show(at(t))))
        .collect()
}

/// The generated rows count DTSTART as an instance, which libical does not.
fn run(case: &Value, with_start: bool) -> Result<(), String> {
    let rule =
        Rule::parse(case["rrule"].as_str().unwrap_or_default()).map_err(|e| e.to_string())?;
    let again = Rule::parse(&rule.to_string()).map_err(|e| e.to_string())?;
    assert_eq!(rule, again);
    let budget = Budget::default();
    let start = at(case["dtstart"].as_str().unwrap());
    let span = Span {
        date: case["tz"] == "date",
        to: rule.until.map(Until::last_local),
        ..Span::new(start)
    };
    let (mut extra, except) = (times(&case["RDATE"]), times(&case["EXDATE"]));
    if with_start {
        extra.push(show(start));
    }
    let limit = case["limit"].as_u64().unwrap() as usize;
    let mut set: Vec<String> = rule
        .instances(span, &budget)
        .take(limit + except.len())
        .map(show)
        .collect();
    // A rule cut at the limit says nothing about dates beyond its last instance.
    let cut = (set.len() == limit + except.len())
        .then(|| set.last().cloned())
        .flatten();
    set.extend(
        extra
            .into_iter()
            .filter(|t| cut.as_ref().is_none_or(|cut| t <= cut)),
    );
    set.sort();
    set.dedup();
    set.retain(|t| !except.contains(t));
    set.truncate(limit);
    let expect = times(&case["expect"]);
    if set == expect {
        Ok(())
    } else {
        Err(format!("  want {expect:?}\n  have {set:?}"))
    }
}

#[test]
fn the_examples_of_rfc_5545() {
    let text = include_str!("../../../../fixtures/recur/rfc5545-3.8.5.3.txt");
    let mut seen = 0;
    for example in text.split("\n= ").skip(1) {
        let lines: Vec<&str> = example
            .lines()
            .skip(1)
            .filter(|line| !line.is_empty())
            .collect();
        let (rules, lists): (Vec<&str>, Vec<&str>) =
            lines.iter().partition(|line| line.contains("FREQ="));
        let endless = lists.last() == Some(&"...");
        let name = example.lines().next().unwrap();
        for rule in rules {
            let (start, rule) = rule.split_once(' ').unwrap();
            let want: Vec<String> = lists
                .iter()
                .flat_map(|list| instances(list, &start[8..]))
                .collect();
            let parsed = Rule::parse(rule).unwrap();
            let take = if endless { want.len() } else { want.len() + 1 };
            let have: Vec<String> = parsed
                .iter(at(start), None, &Budget::default())
                .take(take)
                .map(show)
                .collect();
            assert_eq!(have, want, "{name}: {rule}");
            seen += 1;
        }
    }
    assert_eq!(seen, 43);
}

/// `199709: 2-4,9` or `19970902: 0900,0915`, as date-times.
fn instances(list: &str, time: &str) -> Vec<String> {
    let Some((head, items)) = list.split_once(": ") else {
        return Vec::new();
    };
    let one = |item: &str| match head.len() {
        6 => format!("{head}{:0>2}{time}", item),
        _ => format!("{head}T{item}00"),
    };
    let range = |item: &str| match item.split_once('-') {
        Some((a, b)) => (a.parse::<u8>().unwrap()..=b.parse().unwrap())
            .map(|n| one(&n.to_string()))
            .collect(),
        None => vec![one(item)],
    };
    items.split(',').flat_map(range).collect()
}
