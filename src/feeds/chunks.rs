//! The events of a feed in chunks of some hundred objects, so that a body shares with the one before it every chunk in
//! which nothing has changed.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use jiff::civil::Date;

use crate::app::feeds::Part;
use crate::model::CalendarId;

/// What fills a chunk. A change costs the copy of one; every chunk costs a look.
const FULL: (usize, usize) = (64 << 10, 256);

/// TZIDs, by number, with the first day of their use.
pub type Zones = Box<[(usize, Date)]>;

/// Some objects of a calendar, neighbours by name.
pub struct Chunk {
    pub calendar: CalendarId,
    pub text: Part,
    pub zones: Zones,
    pieces: Box<[Piece]>,
}

/// What one object became.
pub struct Piece {
    pub name: Box<str>,
    at: Range<usize>,
    zones: Zones,
}

/// Chunks in the making.
pub struct Chunks {
    calendar: CalendarId,
    done: Vec<Arc<Chunk>>,
    /// What is not in a chunk yet. Whoever adds a piece writes it here first.
    pub text: Vec<u8>,
    pieces: Vec<Piece>,
}

impl Default for Chunks {
    fn default() -> Chunks {
        Chunks {
            calendar: CalendarId(0),
            done: Vec::new(),
            text: Vec::new(),
            pieces: Vec::new(),
        }
    }
}

impl Chunk {
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The name of its first object.
    pub fn first(&self) -> Option<&str> {
        self.pieces.first().map(|piece| &*piece.name)
    }

    /// About how many bytes it takes beside its text.
    pub fn weight(&self) -> usize {
        self.pieces.len() * 120
    }

    fn of(calendar: CalendarId, text: &[u8], pieces: &mut Vec<Piece>) -> Chunk {
        let mut zones: Vec<(usize, Date)> = Vec::new();
        for (number, date) in pieces.iter().flat_map(|piece| &piece.zones) {
            match zones.iter_mut().find(|(known, _)| known == number) {
                Some((_, first)) => *first = (*first).min(*date),
                None => zones.push((*number, *date)),
            }
        }
        Chunk {
            calendar,
            text: Bytes::copy_from_slice(text).into(),
            zones: zones.into(),
            pieces: std::mem::take(pieces).into(),
        }
    }
}

impl Chunks {
    /// The calendar whose objects come next.
    pub fn begin(&mut self, calendar: CalendarId) {
        self.seal();
        self.calendar = calendar;
    }

    pub fn calendar(&self) -> CalendarId {
        self.calendar
    }

    /// What was written since the last piece is one, too.
    pub fn end_piece(&mut self, name: Box<str>, zones: Zones) {
        let start = self.pieces.last().map_or(0, |piece| piece.at.end);
        let at = start..self.text.len();
        self.pieces.push(Piece { name, at, zones });
    }

    /// Adds a piece of a chunk.
    pub fn keep(&mut self, chunk: &Chunk, piece: &Piece) {
        self.text
            .extend_from_slice(&chunk.text.plain()[piece.at.clone()]);
        self.end_piece(piece.name.clone(), piece.zones.clone());
    }

    /// Adds a chunk as it is, unless there are pieces that want to be in one with it.
    pub fn share(&mut self, chunk: &Arc<Chunk>) -> bool {
        let alone = self.pieces.is_empty();
        if alone {
            self.done.push(chunk.clone());
        }
        alone
    }

    fn holds(&self, part: usize) -> bool {
        self.text.len() >= FULL.0 / part || self.pieces.len() >= FULL.1 / part
    }

    /// Seals when there is enough for a chunk.
    pub fn seal_if_full(&mut self) {
        if self.holds(1) {
            self.seal();
        }
    }

    /// Seals when there is enough that chunks will not become ever smaller.
    pub fn seal_if_worth(&mut self) {
        if self.holds(4) {
            self.seal();
        }
    }

    /// Makes chunks of all pieces, in the order of their names.
    fn seal(&mut self) {
        self.pieces.sort_by(|a, b| a.name.cmp(&b.name));
        let (mut text, mut pieces) = (Vec::new(), Vec::new());
        for piece in self.pieces.drain(..) {
            let start = text.len();
            text.extend_from_slice(&self.text[piece.at]);
            let at = start..text.len();
            pieces.push(Piece { at, ..piece });
            if text.len() >= FULL.0 || pieces.len() >= FULL.1 {
                let chunk = Chunk::of(self.calendar, &text, &mut pieces);
                self.done.push(Arc::new(chunk));
                text.clear();
            }
        }
        if !pieces.is_empty() {
            let chunk = Chunk::of(self.calendar, &text, &mut pieces);
            self.done.push(Arc::new(chunk));
        }
        self.text.clear();
    }

    pub fn finish(mut self) -> Vec<Arc<Chunk>> {
        self.seal();
        self.done
    }
}
