//! XML as WebDAV needs it: expanded names, a bounded reader without DTDs, a streaming writer.
//!
//! The documents are small and their shape is ours or a client's, so the reader builds a tree
//! ([`Element`]) and the writer streams; neither knows what a property or a report is.

pub mod href;
pub mod name;
pub mod read;
pub mod write;

mod fragment;

pub use name::{Name, Ns};
pub use read::{Attr, Element, Limits, Node, XmlError, XmlErrorKind, read};
pub use write::Writer;
