//! What is to be done about one event, from what each side changed since they last agreed. Pure, and the heart of it.
//!
//! One act at a time: after [`Act::Apply`] the event is planned again with the new base, which is how *both changed*
//! becomes *theirs taken in here* and then *ours told there*, each step exact by itself after any crash.
//!
//! *Which side may lose?* An edit is never lost to a deletion: what one side edited and the other deleted is made again
//! where it was deleted. What both edited is merged, field by field ([`crate::ical::merge`]).
//!
//! *And what was undone?* [`super::undo`] leaves a base with one side only; (same, absent) and (absent, same) are left
//! alone until something changes.

use crate::model::bridge::Direction;

/// What became of one side since the last agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// As agreed.
    Same,
    /// It is there, and nothing was agreed upon.
    New,
    Edited,
    /// It was agreed upon and is no more.
    Gone,
    /// It never was there.
    Absent,
}

impl Change {
    pub const ALL: [Change; 5] = [
        Change::Same,
        Change::New,
        Change::Edited,
        Change::Gone,
        Change::Absent,
    ];
}

/// What a link does about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub direction: Direction,
    /// A new event of ours is to be made there.
    pub creates: bool,
    /// Changes of ours are to be told there now.
    pub updates: bool,
    /// There is nothing to tell of it: it takes no time on a link that tells busy time only, or a session said so.
    pub hidden: bool,
}

/// The one thing to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Nothing,
    /// It is on neither side, or on ours only and not to be sent: drop the mapping.
    Forget,
    /// Make it there.
    Create,
    /// Make theirs say what ours says.
    Update,
    DeleteThere,
    /// Make it here.
    Take,
    /// Merge their change into ours.
    Apply,
    DeleteHere,
}

impl Act {
    /// For people and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Act::Nothing => "nothing",
            Act::Forget => "forget",
            Act::Create => "create there",
            Act::Update => "update there",
            Act::DeleteThere => "delete there",
            Act::Take => "create here",
            Act::Apply => "update here",
            Act::DeleteHere => "delete here",
        }
    }
}

pub fn plan(ours: Change, theirs: Change, policy: &Policy) -> Act {
    match policy.direction {
        Direction::Pull => pull(ours, theirs),
        _ if policy.hidden => hidden(ours, theirs),
        Direction::Push | Direction::Busy => push(ours, theirs, policy),
        Direction::Both => both(ours, theirs, policy),
    }
}

/// | ours \ theirs | same | new | edited | gone | absent |
/// |---|---|---|---|---|---|
/// | same | – | pair | take in | delete here | – |
/// | new | pair | pair | pair | make there | make there |
/// | edited | tell | pair | merge | make there again | make there |
/// | gone | delete there | make here | make here again | forget | forget |
/// | absent | – | make here | make here | forget | forget |
fn both(ours: Change, theirs: Change, policy: &Policy) -> Act {
    use Change::{Absent, Edited, Gone, New, Same};
    let told = |act| if policy.updates { act } else { Act::Nothing };
    match (ours, theirs) {
        (Same, Same | Absent) => Act::Nothing,
        (Same, New | Edited) => Act::Apply,
        (Same, Gone) => Act::DeleteHere,
        // A UID that both sides have is one event.
        (New, Same | New | Edited) => Act::Apply,
        (New | Edited, Absent) if policy.creates => told(Act::Create),
        (New | Edited, Absent) => Act::Nothing,
        // The one that went was another one of this UID.
        (New, Gone) if policy.creates => told(Act::Create),
        (New, Gone) => Act::Nothing,
        (Edited, Same) => told(Act::Update),
        (Edited, New | Edited) => Act::Apply,
        // Edited here, deleted there: the edit stays, and it was there before, so it is wanted there.
        (Edited, Gone) => told(Act::Create),
        (Gone, Same) => told(Act::DeleteThere),
        // Deleted here, edited there.
        (Gone, New | Edited) => Act::Take,
        (Absent, Same) => Act::Nothing,
        (Absent, New | Edited) => Act::Take,
        (Gone | Absent, Gone | Absent) => Act::Forget,
    }
}

/// Ours is the truth: what was changed there is put back.
///
/// | ours \ theirs | same | new | edited | gone | absent |
/// |---|---|---|---|---|---|
/// | same | – | tell | put back | make there again | – |
/// | new | tell | tell | tell | make there | make there |
/// | edited | tell | tell | tell | make there again | make there |
/// | gone | delete there | delete there | delete there | forget | forget |
/// | absent | – | delete there | – | forget | forget |
fn push(ours: Change, theirs: Change, policy: &Policy) -> Act {
    use Change::{Absent, Edited, Gone, New, Same};
    let told = |act| if policy.updates { act } else { Act::Nothing };
    match (ours, theirs) {
        (Same, Same | Absent) => Act::Nothing,
        // `New` is a mirror of ours that we had lost sight of: only those are mapped on such a link.
        (Same | New | Edited, New | Edited) => told(Act::Update),
        (New | Edited, Same) => told(Act::Update),
        (Same | New | Edited, Gone) if policy.creates => told(Act::Create),
        (New | Edited, Absent) if policy.creates => told(Act::Create),
        (Same | New | Edited, Gone) | (New | Edited, Absent) => Act::Nothing,
        (Gone, Same | New | Edited) => told(Act::DeleteThere),
        // A mirror of nothing.
        (Absent, New) => told(Act::DeleteThere),
        (Absent, Same | Edited) => Act::Nothing,
        (Gone | Absent, Gone | Absent) => Act::Forget,
    }
}

/// Theirs is the truth, and what was changed here stays here.
///
/// | ours \ theirs | same | new | edited | gone | absent |
/// |---|---|---|---|---|---|
/// | same | – | pair | take in | delete here | – |
/// | new | – | pair | pair | forget | forget |
/// | edited | – | pair | merge | forget: the edit stays | forget |
/// | gone | – | make here | make here again | forget | forget |
/// | absent | – | make here | make here | forget | forget |
fn pull(ours: Change, theirs: Change) -> Act {
    use Change::{Absent, Edited, Gone, New, Same};
    match (ours, theirs) {
        (Same, Same | Absent) => Act::Nothing,
        (Same, New | Edited) => Act::Apply,
        (Same, Gone) => Act::DeleteHere,
        (New | Edited | Gone | Absent, Same) => Act::Nothing,
        (New | Edited, New | Edited) => Act::Apply,
        (Gone | Absent, New | Edited) => Act::Take,
        (New | Edited | Gone | Absent, Gone | Absent) => Act::Forget,
    }
}

/// Nothing is told of it: what was told is taken back, and ours stays.
fn hidden(ours: Change, theirs: Change) -> Act {
    use Change::{Absent, Edited, Gone, New, Same};
    match (ours, theirs) {
        (Absent, Same) => Act::Nothing,
        (_, Same | New | Edited) => Act::DeleteThere,
        (Gone | Absent, Gone | Absent) => Act::Forget,
        (Same | New | Edited, Gone | Absent) => Act::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::Change::{Absent, Edited, Gone, New, Same};
    use super::*;

    const POLICY: Policy = Policy {
        direction: Direction::Both,
        creates: true,
        updates: true,
        hidden: false,
    };

    fn every(policy: &Policy) -> Vec<(Change, Change, Act)> {
        let mut all = Vec::new();
        for ours in Change::ALL {
            for theirs in Change::ALL {
                all.push((ours, theirs, plan(ours, theirs, policy)));
            }
        }
        all
    }

    #[test]
    fn what_is_agreed_stays_as_it_is_in_every_direction() {
        for direction in Direction::ALL {
            for flags in 0..8 {
                let policy = Policy {
                    direction: *direction,
                    creates: flags & 1 != 0,
                    updates: flags & 2 != 0,
                    hidden: false,
                };
                assert_eq!(plan(Same, Same, &policy), Act::Nothing);
                assert_eq!(plan(Gone, Gone, &policy), Act::Forget);
            }
        }
    }

    #[test]
    fn an_edit_is_never_lost_to_a_deletion() {
        for direction in Direction::ALL {
            let policy = Policy {
                direction: *direction,
                ..POLICY
            };
            for lost in Change::ALL {
                assert_ne!(plan(Edited, lost, &policy), Act::DeleteHere);
                assert_ne!(plan(New, lost, &policy), Act::DeleteHere);
            }
        }
        assert_eq!(plan(Gone, Edited, &POLICY), Act::Take);
        assert_eq!(plan(Edited, Gone, &POLICY), Act::Create);
    }

    #[test]
    fn a_direction_writes_on_its_own_side_only() {
        let there = [Act::Create, Act::Update, Act::DeleteThere];
        let here = [Act::Take, Act::Apply, Act::DeleteHere];
        for (direction, never) in [
            (Direction::Pull, there),
            (Direction::Push, here),
            (Direction::Busy, here),
        ] {
            let policy = Policy {
                direction,
                ..POLICY
            };
            for (ours, theirs, act) in every(&policy) {
                assert!(
                    !never.contains(&act),
                    "{direction:?} {ours:?} {theirs:?}: {act:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_to_be_told_is_not_told() {
        let quiet = Policy {
            updates: false,
            ..POLICY
        };
        let closed = Policy {
            creates: false,
            ..POLICY
        };
        for direction in Direction::ALL {
            for (ours, theirs, act) in every(&Policy {
                direction: *direction,
                ..quiet
            }) {
                let writes = matches!(act, Act::Create | Act::Update | Act::DeleteThere);
                assert!(!writes, "{direction:?} {ours:?} {theirs:?}: {act:?}");
            }
        }
        assert_eq!(plan(New, Absent, &closed), Act::Nothing);
        assert_eq!(
            plan(Edited, Same, &closed),
            Act::Update,
            "it is there already"
        );
        assert_eq!(
            plan(Edited, Gone, &closed),
            Act::Create,
            "it was there before"
        );
    }

    #[test]
    fn what_is_hidden_goes_there_and_stays_here() {
        let hidden = Policy {
            hidden: true,
            direction: Direction::Busy,
            ..POLICY
        };
        for theirs in [Same, New, Edited] {
            assert_eq!(plan(Same, theirs, &hidden), Act::DeleteThere);
        }
        for ours in [Same, New, Edited] {
            assert_eq!(plan(ours, Absent, &hidden), Act::Nothing);
        }
        assert_eq!(plan(Gone, Absent, &hidden), Act::Forget);
    }
}
