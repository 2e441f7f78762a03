//! Why XML is refused, and where.

/// Why a document was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XmlErrorKind {
    /// Not well-formed, or not namespace-well-formed.
    Malformed,
    /// It has a document type declaration.
    Doctype,
    /// A reference to an entity other than the five predefined ones.
    Entity,
    /// Not UTF-8.
    Encoding,
    /// Elements nested over [`Limits::depth`].
    TooDeep,
    /// More bytes, elements or attributes than [`Limits`] allow.
    TooLarge,
}

/// A refusal, with its place in the text where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmlError {
    /// Why.
    pub kind: XmlErrorKind,
    /// Why, in words.
    pub message: String,
    /// Line, counted from 1; 0 where no place applies.
    pub line: usize,
    /// Column in bytes, counted from 1.
    pub column: usize,
}

impl std::fmt::Display for XmlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => f.write_str(&self.message),
            line => write!(f, "line {line}, column {}: {}", self.column, self.message),
        }
    }
}

impl std::error::Error for XmlError {}

/// An error before its place is known.
pub(super) struct Fault {
    kind: XmlErrorKind,
    message: String,
}

impl Fault {
    pub fn new(kind: XmlErrorKind, message: impl Into<String>) -> Fault {
        Fault {
            kind,
            message: message.into(),
        }
    }

    pub fn malformed(message: impl Into<String>) -> Fault {
        Fault::new(XmlErrorKind::Malformed, message)
    }

    pub fn nowhere(self) -> XmlError {
        XmlError {
            kind: self.kind,
            message: self.message,
            line: 0,
            column: 0,
        }
    }

    pub fn at(self, text: &str, position: usize) -> XmlError {
        let before = &text.as_bytes()[..position.min(text.len())];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        XmlError {
            kind: self.kind,
            message: self.message,
            line,
            column: before.len() - line_start + 1,
        }
    }
}

impl From<quick_xml::Error> for Fault {
    fn from(error: quick_xml::Error) -> Fault {
        use quick_xml::Error::{Encoding, Escape, Namespace};
        use quick_xml::escape::EscapeError::UnrecognizedEntity;
        use quick_xml::name::NamespaceError::{TooDeeplyNested, TooManyBindings};
        let kind = match error {
            Encoding(_) => XmlErrorKind::Encoding,
            Escape(UnrecognizedEntity(..)) => XmlErrorKind::Entity,
            Namespace(TooManyBindings(_)) => XmlErrorKind::TooLarge,
            Namespace(TooDeeplyNested(_)) => XmlErrorKind::TooDeep,
            _ => XmlErrorKind::Malformed,
        };
        Fault::new(kind, error.to_string())
    }
}
