//! What an expansion may cost. Rules come from strangers: `FREQ=SECONDLY` without end and rules that never
//! match are valid text, so every walk pays for its steps and stops when the purse is empty.

use std::cell::Cell;

/// Steps (periods looked at, matching or not) and instances left. Shared by the walks of one expansion.
#[derive(Clone, Debug)]
pub struct Budget {
    steps: Cell<u32>,
    instances: Cell<u32>,
    spent: Cell<bool>,
}

impl Budget {
    /// Two or three milliseconds of searching at the most.
    pub const STEPS: u32 = 50_000;
    pub const INSTANCES: u32 = 20_000;

    pub fn new(steps: u32, instances: u32) -> Self {
        Self {
            steps: Cell::new(steps),
            instances: Cell::new(instances),
            spent: Cell::new(false),
        }
    }

    /// Has a walk been cut short? What it gave until then is right but may not be all.
    pub fn exhausted(&self) -> bool {
        self.spent.get()
    }

    /// Pays for `n` steps; false when they cannot be paid.
    pub fn step(&self, n: u32) -> bool {
        self.pay(&self.steps, n)
    }

    /// Pays for an instance given out; false when it cannot be paid.
    pub fn instance(&self) -> bool {
        self.pay(&self.instances, 1)
    }

    fn pay(&self, purse: &Cell<u32>, n: u32) -> bool {
        match purse.get().checked_sub(n) {
            Some(left) => purse.set(left),
            None => self.spent.set(true),
        }
        !self.spent.get()
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(Self::STEPS, Self::INSTANCES)
    }
}
