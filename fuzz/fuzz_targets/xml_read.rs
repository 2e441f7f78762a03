//! Any bytes are refused or read; what is read survives being written and read again.
#![no_main]

use kalends::xml::{Limits, read};
use kalends_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

/// Wide enough for what writing adds: escapes, and declarations moved to where they are used.
const WIDE: Limits = Limits {
    bytes: 64 << 20,
    depth: 64,
    elements: 1 << 20,
    attributes: 256,
};

fuzz_target!(|bytes: &[u8]| bounded(|| survives(bytes)));

fn survives(bytes: &[u8]) {
    let Ok(root) = read(bytes, &Limits::default()) else {
        return;
    };
    let written = root.to_xml_string();
    let again = match read(written.as_bytes(), &WIDE) {
        Ok(again) => again,
        Err(error) => panic!("{error} in {written}"),
    };
    assert_eq!(again.to_xml_string(), written);
}
