//! Feeds: secret addresses that calendar programs poll, and free/busy addresses (PRODUCT §5).

pub mod copy;
pub mod privacy;
