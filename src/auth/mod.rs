//! Who is asking: Basic (RFC 7617) with passwords and app passwords, Bearer (RFC 6750) with API tokens.

mod basic;
mod cache;
pub mod device;
pub mod password;
mod throttle;

use http::HeaderMap;

use crate::clock::{Clock, Dice};
use crate::model::{Door, Error, Result, Who};
use crate::wire::Peer;

/// The challenge of every 401 (RFC 7617 §2.1).
pub const CHALLENGE: &str = r#"Basic realm="Kalends", charset="UTF-8""#;

pub struct Auth {}

impl Auth {
    pub fn new(_clock: Clock, _dice: Dice) -> Auth {
        Auth {}
    }

    /// Who sends these headers; `None` when they say nothing about it. Wrong credentials are an error, never `None`.
    pub async fn identify(
        &self,
        headers: &HeaderMap,
        _peer: &Peer,
        _door: Door,
    ) -> Result<Option<Who>> {
        match headers.get(http::header::AUTHORIZATION) {
            None => Ok(None),
            Some(_) => Err(Error::Unauthorized),
        }
    }

    /// Like [`Auth::identify`], for doors that let nobody in without a name.
    pub async fn demand(&self, headers: &HeaderMap, peer: &Peer, door: Door) -> Result<Who> {
        self.identify(headers, peer, door)
            .await?
            .ok_or(Error::Unauthorized)
    }
}
