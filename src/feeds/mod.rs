//! Feeds: secret addresses that calendar programs poll, and free/busy addresses (PRODUCT §5).

pub mod color;
pub mod copy;
pub mod document;
pub mod privacy;
pub mod profile;
