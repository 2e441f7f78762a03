//! Misbehaviour: faults that wait for their request, and a random mode.

use super::web::Call;
use super::world::{Dice, Service, lock};
use std::sync::Mutex;

/// A status out of the blue. `reason` is Google's reason or Graph's code; empty means the usual one for the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub code: u16,
    pub reason: String,
    pub retry_after: Option<u64>,
    /// Answered after the request was carried out.
    pub after: bool,
}

/// A server that does its work wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Twist {
    #[default]
    None,
    /// A page without items, but with a link to the next.
    EmptyPage,
    /// The cursor (page token, sync token, delta link) is dead.
    CursorGone,
    /// Items of an earlier page or round come again.
    Replay,
    /// A changed item is left out, and never comes.
    Missing,
    /// The stored body differs from the one that was sent.
    Rewrite,
    /// An answer without the ETag of the result.
    NoEtag,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    DropBefore,
    DropAfter,
    Status(Trouble),
    /// The answer takes so many seconds.
    Slow(i64),
    /// Half of the answer's body.
    Truncated,
    /// All access tokens die; refresh tokens live.
    TokensLost,
    Twist(Twist),
}

impl What {
    /// A status before anything was done.
    pub fn status(code: u16) -> What {
        What::reason(code, "")
    }
    /// A status with a reason (Google) or code (Graph).
    pub fn reason(code: u16, reason: &str) -> What {
        What::Status(Trouble {
            code,
            reason: reason.to_string(),
            retry_after: None,
            after: false,
        })
    }
    /// 429 or 503 with `Retry-After`.
    pub fn throttled(code: u16, seconds: u64) -> What {
        What::Status(Trouble {
            code,
            reason: String::new(),
            retry_after: Some(seconds),
            after: false,
        })
    }
    /// A status after the request was carried out.
    pub fn status_after(code: u16) -> What {
        What::Status(Trouble {
            code,
            reason: String::new(),
            retry_after: None,
            after: true,
        })
    }
}

/// Which requests a fault is for; what is absent matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct On {
    pub service: Option<Service>,
    pub method: Option<String>,
    /// A part of path and query.
    pub target: Option<String>,
}

impl On {
    pub fn service(service: Service) -> On {
        On {
            service: Some(service),
            ..On::default()
        }
    }
    pub fn method(mut self, method: &str) -> On {
        self.method = Some(method.to_string());
        self
    }
    pub fn target(mut self, part: &str) -> On {
        self.target = Some(part.to_string());
        self
    }
    fn matches(&self, service: Service, call: &Call) -> bool {
        self.service.is_none_or(|wanted| wanted == service)
            && self
                .method
                .as_ref()
                .is_none_or(|m| call.method == m.as_str())
            && self
                .target
                .as_ref()
                .is_none_or(|t| call.target().contains(t))
    }
}

struct Waiting {
    on: On,
    skip: u32,
    times: u32,
    what: What,
}

/// The random mode: with `rate`, one of these befalls a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Random {
    pub rate: f64,
    pub services: Vec<Service>,
    /// (weight, fault)
    pub faults: Vec<(u32, What)>,
    pub ping_lost: f64,
    pub ping_doubled: f64,
}

impl Random {
    /// Everything from which a bridge has to recover by itself.
    pub fn usual(rate: f64) -> Random {
        Random {
            rate,
            services: vec![
                Service::GoogleAuth,
                Service::Google,
                Service::MicrosoftAuth,
                Service::Graph,
                Service::Caldav,
                Service::Ics,
            ],
            faults: vec![
                (3, What::DropBefore),
                (3, What::DropAfter),
                (2, What::status(500)),
                (3, What::status_after(503)),
                (1, What::throttled(503, 7)),
                (2, What::throttled(429, 5)),
                (1, What::status(429)),
                (1, What::reason(403, "rateLimitExceeded")),
                (1, What::Slow(20)),
                (1, What::Truncated),
                (1, What::TokensLost),
                (2, What::Twist(Twist::EmptyPage)),
                (2, What::Twist(Twist::CursorGone)),
                (2, What::Twist(Twist::Replay)),
                (1, What::Twist(Twist::Rewrite)),
                (1, What::Twist(Twist::NoEtag)),
            ],
            ping_lost: 0.2,
            ping_doubled: 0.2,
        }
    }
}

/// The faults that wait, and the dice of the random mode.
pub struct Faults(Mutex<State>);

struct State {
    waiting: Vec<Waiting>,
    random: Option<Random>,
    dice: Dice,
    lose: u32,
    double: u32,
}

impl Faults {
    pub fn new(seed: u64) -> Faults {
        Faults(Mutex::new(State {
            waiting: Vec::new(),
            random: None,
            dice: Dice::new(seed ^ 0xFA17),
            lose: 0,
            double: 0,
        }))
    }

    /// The next request that matches.
    pub fn next(&self, on: On, what: What) {
        self.add(on, 0, 1, what);
    }
    /// After `skip` matching requests, the following `times`.
    pub fn add(&self, on: On, skip: u32, times: u32, what: What) {
        lock(&self.0).waiting.push(Waiting {
            on,
            skip,
            times,
            what,
        });
    }
    pub fn random(&self, random: Random) {
        lock(&self.0).random = Some(random);
    }
    /// The next `count` webhook calls do not arrive.
    pub fn lose_pings(&self, count: u32) {
        lock(&self.0).lose += count;
    }
    /// The next `count` webhook calls arrive twice.
    pub fn double_pings(&self, count: u32) {
        lock(&self.0).double += count;
    }
    /// No faults any more, of any kind.
    pub fn stop(&self) {
        let mut state = lock(&self.0);
        state.waiting.clear();
        state.random = None;
        (state.lose, state.double) = (0, 0);
    }
    /// Faults that still wait for a request.
    pub fn waiting(&self) -> usize {
        lock(&self.0).waiting.len()
    }

    /// What befalls this request.
    pub fn pick(&self, service: Service, call: &Call) -> Option<What> {
        let mut state = lock(&self.0);
        let state = &mut *state;
        let mut found = None;
        for waiting in &mut state.waiting {
            if found.is_some() || !waiting.on.matches(service, call) {
                continue;
            }
            if waiting.skip > 0 {
                waiting.skip -= 1;
                continue;
            }
            waiting.times = waiting.times.saturating_sub(1);
            found = Some(waiting.what.clone());
        }
        state.waiting.retain(|waiting| waiting.times > 0);
        found.or_else(|| state.roll(service))
    }

    /// A status for one request inside a batch: faults whose target names it.
    pub fn pick_inner(&self, call: &Call) -> Option<Trouble> {
        let mut state = lock(&self.0);
        let fits = |waiting: &Waiting| {
            waiting.on.target.is_some()
                && waiting.skip == 0
                && waiting.on.matches(Service::Graph, call)
                && matches!(waiting.what, What::Status(_))
        };
        let at = state.waiting.iter().position(fits)?;
        let waiting = &mut state.waiting[at];
        waiting.times = waiting.times.saturating_sub(1);
        let what = waiting.what.clone();
        state.waiting.retain(|waiting| waiting.times > 0);
        match what {
            What::Status(trouble) => Some(trouble),
            _ => None,
        }
    }

    /// 0, 1 or 2 copies.
    pub fn copies_of_a_ping(&self) -> usize {
        let mut state = lock(&self.0);
        if state.lose > 0 {
            state.lose -= 1;
            return 0;
        }
        if state.double > 0 {
            state.double -= 1;
            return 2;
        }
        let rates = state.random.as_ref().map(|r| (r.ping_lost, r.ping_doubled));
        match rates {
            Some((lost, _)) if state.dice.chance(lost) => 0,
            Some((_, doubled)) if state.dice.chance(doubled) => 2,
            _ => 1,
        }
    }
}

impl State {
    fn roll(&mut self, service: Service) -> Option<What> {
        let random = self.random.as_ref()?;
        if !random.services.contains(&service) || !self.dice.chance(random.rate) {
            return None;
        }
        let total: u32 = random.faults.iter().map(|(weight, _)| weight).sum();
        let mut left = self.dice.below(u64::from(total)) as u32;
        let found = random.faults.iter().find_map(|(weight, what)| {
            let hit = left < *weight;
            left = left.saturating_sub(*weight);
            hit.then(|| what.clone())
        })?;
        // Only Google says 403 to a quota; elsewhere it would mean that it is forbidden for good.
        let quota = matches!(&found, What::Status(trouble) if trouble.code == 403);
        Some(if quota && service != Service::Google {
            What::status(429)
        } else {
            found
        })
    }
}
