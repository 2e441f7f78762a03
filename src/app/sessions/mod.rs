//! Sessions: VEVENTs as programs see them (PRODUCT §6). The VEVENT is the truth.

pub mod author;
pub mod edit;
pub mod fields;
pub mod times;
pub mod view;
