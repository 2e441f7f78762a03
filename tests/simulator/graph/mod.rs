//! Microsoft Graph.

pub mod errors;

use super::faults::Twist;
use super::oauth::{Authority, Flavour};
use super::web::{Answer, Call};
use super::world::World;
use std::sync::Arc;

pub struct Graph {
    oauth: Authority,
}

impl Graph {
    pub fn new(world: Arc<World>) -> Graph {
        Graph {
            oauth: Authority::new(world, Flavour::Microsoft),
        }
    }
    pub fn oauth(&self) -> &Authority {
        &self.oauth
    }
    pub fn handle(&self, _call: &Call, _twist: Twist) -> Answer {
        errors::error("ResourceNotFound")
    }
}
