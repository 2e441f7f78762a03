//! The RFC 5545 family, pure: text in, text and arithmetic out. No IO, no clock, no dice.
