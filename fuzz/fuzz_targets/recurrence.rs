//! Any bytes, read as a rule and as objects, are expanded as `kalends::ical::expand::invariants` promises.
#![no_main]

use kalends_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| bounded(|| kalends::ical::expand::invariants::hold(bytes)));
