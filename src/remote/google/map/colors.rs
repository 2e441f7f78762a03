//! COLOR (RFC 7986 §5.9: CSS3 names) ↔ `colorId`, Google's eleven event colours.

/// `colorId` and the CSS3 name nearest to it, each name once.
const PALETTE: &[(&str, &str)] = &[
    ("1", "cornflowerblue"),   // lavender #a4bdfc
    ("2", "mediumaquamarine"), // sage #7ae7bf
    ("3", "mediumorchid"),     // grape #dbadff
    ("4", "lightcoral"),       // flamingo #ff887c
    ("5", "gold"),             // banana #fbd75b
    ("6", "orange"),           // tangerine #ffb878
    ("7", "turquoise"),        // peacock #46d6db
    ("8", "silver"),           // graphite #e1e1e1
    ("9", "royalblue"),        // blueberry #5484ed
    ("10", "mediumseagreen"),  // basil #51b749
    ("11", "crimson"),         // tomato #dc2127
];

/// An event's own colour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// The calendar's.
    #[default]
    None,
    Id(String),
    /// A name that Google does not have: what is there stays.
    Other,
}

impl Color {
    pub fn of_name(name: &str) -> Color {
        let name = name.trim();
        if name.is_empty() {
            return Color::None;
        }
        let found = PALETTE
            .iter()
            .find(|(_, known)| known.eq_ignore_ascii_case(name));
        found.map_or(Color::Other, |(id, _)| Color::Id((*id).to_owned()))
    }

    /// An id that is not in the palette has no name, so nobody here can have changed it.
    pub fn of_id(id: &str) -> Color {
        match id {
            "" => Color::None,
            id if PALETTE.iter().any(|(known, _)| *known == id) => Color::Id(id.to_owned()),
            _ => Color::Other,
        }
    }

    pub fn name(&self) -> Option<&'static str> {
        match self {
            Color::Id(id) => PALETTE
                .iter()
                .find(|(known, _)| known == id)
                .map(|row| row.1),
            _ => None,
        }
    }

    /// Whether this has to be written over what is there.
    pub fn differs(&self, theirs: &Color) -> bool {
        match (self, theirs) {
            (Color::Other, _) | (Color::None, Color::Other) => false,
            (ours, theirs) => ours != theirs,
        }
    }
}
