//! Random edits on both sides, random faults, a death at any call or at any moment: afterwards both sides agree, nothing
//! is lost or doubled, and nothing more is sent. `KALENDS_SCHEDULES` says how many schedules (200 by default);
//! `KALENDS_SCHEDULE` runs one.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use futures_util::StreamExt;

use super::bench::Bench;
use super::model::{cancel, event, fields, set, set_instance, uid};
use super::remote::Fate;
use crate::model::LinkId;
use crate::model::bridge::{Direction, LinkState};
use crate::sync::{self, Cause};

/// Repeatable numbers.
#[derive(Clone)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// What one side does to an event in one round.
#[derive(Clone, Debug, PartialEq)]
enum Op {
    Nothing,
    Set(&'static str, String),
    Instance(usize, String),
    Cancel,
    Delete,
}

impl Op {
    fn draw(rng: &mut Rng, round: usize, side: &str, series: bool) -> Op {
        let value = format!("{side} {round} {}", rng.below(1000));
        match rng.below(if series { 9 } else { 6 }) {
            0..=1 => Op::Nothing,
            2 => Op::Set("SUMMARY", value),
            3 => Op::Set("LOCATION", value),
            4 => Op::Set("DESCRIPTION", value),
            5 => Op::Delete,
            6 | 7 => Op::Instance(1 + rng.below(3) as usize, value),
            _ => Op::Cancel,
        }
    }

    fn field(&self) -> Option<String> {
        match self {
            Op::Set(name, _) => Some((*name).to_string()),
            Op::Instance(k, _) => Some(format!("o{k}")),
            Op::Cancel => Some("EXDATE".into()),
            Op::Nothing | Op::Delete => None,
        }
    }

    fn value(&self) -> Option<String> {
        match self {
            Op::Set(_, value) | Op::Instance(_, value) => Some(value.clone()),
            Op::Cancel => Some("20270308T090000Z".into()),
            Op::Nothing | Op::Delete => None,
        }
    }

    fn apply(&self, text: &[u8]) -> Vec<u8> {
        match self {
            Op::Set(name, value) => set(text, name, value),
            Op::Instance(k, value) => set_instance(text, *k, value),
            Op::Cancel => cancel(text),
            Op::Nothing | Op::Delete => text.to_vec(),
        }
    }
}

/// What an event must be after a round: for each field the values that it may have.
type Expected = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// Polls a future so many times and then drops it, as a process that is killed would.
async fn killed<F: Future>(work: F, polls: u64) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut left = polls;
    std::future::poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(cx).map(Some)
    })
    .await
}

fn fates(mut rng: Rng, mut faults: u32) -> super::remote::Fates {
    Box::new(move |_| {
        if faults == 0 || !rng.one_in(3) {
            return Fate::Fine;
        }
        faults -= 1;
        const ALL: [Fate; 7] = [
            Fate::Before,
            Fate::Throttle,
            Fate::After,
            Fate::DieBefore,
            Fate::DieAfter,
            Fate::Touch,
            Fate::Expire,
        ];
        ALL[rng.below(7) as usize]
    })
}

/// Runs until the faults are used up.
async fn troubled(bench: &Bench, link: LinkId, rng: &mut Rng) {
    let faults = rng.below(6) as u32;
    bench
        .remote
        .with(|state| state.fates = Some(fates(rng.clone(), faults)));
    for _ in 0..faults {
        let run = sync::sync_link(&bench.bridge, link, Cause::Asked);
        let polls = if rng.one_in(4) {
            1 + rng.below(60)
        } else {
            u64::MAX
        };
        tokio::select! {
            _ = killed(run, polls) => {}
            () = bench.remote.died.notified() => {}
        }
        if bench.get(link).await.state == LinkState::Asking {
            sync::approve(&bench.bridge, link).await.unwrap();
        }
        bench.world.clock.advance(4000);
    }
    bench.remote.with(|state| state.fates = None);
    // The connection may have been paused by so many failures.
    let (store, connection) = (&bench.world.store, bench.connection);
    store
        .write(move |tx| {
            Box::pin(crate::store::bridges::connections::set_health(
                tx,
                connection,
                crate::model::bridge::Health::Ok,
                "",
            ))
        })
        .await
        .unwrap();
}

/// One round of edits on both sides; what must come of it.
async fn edits(bench: &Bench, rng: &mut Rng, round: usize) -> Expected {
    let mut expected = Expected::new();
    let theirs: BTreeMap<_, _> = bench
        .remote
        .events("r")
        .into_iter()
        .map(|(id, text)| (uid(&text), (id, text)))
        .collect();
    for (name, text) in bench.objects().await {
        let uid = uid(&text);
        let series = text.windows(6).any(|w| w == b"RRULE:");
        let (id, their_text) = &theirs[&uid];
        let ours_op = Op::draw(rng, round, "ours", series);
        let theirs_op = Op::draw(rng, round, "theirs", series);
        match &ours_op {
            Op::Delete => bench.remove(&name).await,
            Op::Nothing => {}
            op => bench.put(&name, &op.apply(&text)).await,
        }
        match &theirs_op {
            Op::Delete => bench.remote.delete("r", id),
            Op::Nothing => {}
            op => bench.remote.edit("r", id, |_| op.apply(their_text)),
        }
        let deleted = [&ours_op, &theirs_op].contains(&&Op::Delete);
        let edited = ours_op.field().is_some() || theirs_op.field().is_some();
        if deleted && !edited {
            continue;
        }
        let mut now: BTreeMap<String, Vec<String>> = fields(&text)
            .into_iter()
            .map(|(name, value)| (name, vec![value]))
            .collect();
        let same_field = ours_op.field() == theirs_op.field();
        for op in [&ours_op, &theirs_op] {
            let (Some(field), Some(value)) = (op.field(), op.value()) else {
                continue;
            };
            match now.get_mut(&field) {
                Some(values) if same_field && op == &theirs_op => values.push(value),
                _ => {
                    now.insert(field, vec![value]);
                }
            }
        }
        expected.insert(uid, now);
    }
    for side in ["here", "there"] {
        for n in 0..rng.below(3) {
            let uid = format!("{side}-{round}-{n}");
            let text = event(&uid, rng.one_in(2));
            match side {
                "here" => bench.put(&format!("{uid}.ics"), &text).await,
                _ => drop(bench.remote.create("r", &text)),
            }
            let values = fields(&text)
                .into_iter()
                .map(|(name, value)| (name, vec![value]));
            expected.insert(uid, values.collect());
        }
    }
    expected
}

/// Both sides are as they must be.
async fn check(bench: &Bench, link: LinkId, expected: &mut Expected, story: &str) {
    for (id, url) in bench
        .remote
        .with(|state| std::mem::take(&mut state.touched))
    {
        // Changed there while we were about to write: the last one counts, and the event lives.
        let there = bench.remote.events("r");
        let text = there
            .get(&id)
            .unwrap_or_else(|| panic!("{story}: {id} was lost with {url}"));
        let fields = expected.entry(uid(text)).or_default();
        fields.insert("URL".into(), vec![url]);
    }
    let ours: BTreeMap<_, _> = bench
        .objects()
        .await
        .into_values()
        .map(|text| (uid(&text), fields(&text)))
        .collect();
    let there = bench.remote.events("r");
    let theirs: BTreeMap<_, _> = there
        .values()
        .map(|text| (uid(text), fields(text)))
        .collect();
    assert_eq!(theirs.len(), there.len(), "{story}: a UID twice there");
    assert_eq!(ours, theirs, "{story}: the sides differ");
    let uids = |keys: Vec<&String>| keys.into_iter().cloned().collect::<Vec<_>>();
    assert_eq!(
        uids(ours.keys().collect()),
        uids(expected.keys().collect()),
        "{story}: lost or doubled"
    );
    for (uid, fields) in expected.iter() {
        for (name, values) in fields {
            let now = ours[uid].get(name);
            assert!(
                now.is_some_and(|now| values.contains(now)),
                "{story}: {uid} {name} is {now:?}, not one of {values:?}"
            );
        }
    }
    let counts = bench.counts(link).await;
    assert_eq!((counts.waiting, counts.parked), (0, 0), "{story}");
    assert_eq!(counts.mapped as usize, ours.len(), "{story}");
}

async fn schedule(seed: u64) {
    let mut rng = Rng(seed);
    let (bench, link) = Bench::linked(Direction::Both).await;
    let page = 1 + rng.below(4) as usize;
    bench.remote.with(|state| state.page = page);
    for round in 0..3 {
        let story = format!("KALENDS_SCHEDULE={seed}, round {round}");
        let mut expected = edits(&bench, &mut rng, round).await;
        troubled(&bench, link, &mut rng).await;
        bench.settle(link).await;
        check(&bench, link, &mut expected, &story).await;
        // Nothing is sent when there is nothing to say, also after everything was listed anew.
        let writes = bench.remote.writes();
        bench.sync(link).await;
        bench.remote.expire();
        bench.settle(link).await;
        assert_eq!(bench.remote.writes(), writes, "{story}: something was sent");
    }
    bench.sound().await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "how many schedules are tried is no setting of the program"
)]
pub fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test]
async fn after_any_faults_both_sides_agree_and_nothing_is_lost() {
    if let Some(one) = asked("KALENDS_SCHEDULE") {
        return schedule(one).await;
    }
    let all = asked("KALENDS_SCHEDULES").unwrap_or(200);
    // Most of a schedule is waiting for the disk.
    let running = futures_util::stream::iter((0..all).map(schedule)).buffer_unordered(12);
    running.for_each(|()| std::future::ready(())).await;
}
