//! Any bytes are parsed, read, edited, judged, split and joined as `kalends::ical::invariants` promises.
#![no_main]

use kalends_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| bounded(|| kalends::ical::invariants::hold(bytes)));
