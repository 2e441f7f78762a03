//! JSON over HTTP (PRODUCT §6): everything under `/api/v1/`.

pub mod problem;
pub mod request;
