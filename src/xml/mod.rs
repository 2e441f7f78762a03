//! XML as WebDAV needs it: expanded names, a bounded reader without DTDs, a streaming writer.
//!
//! The documents are small and their shape is ours or a client's, so the reader builds a tree
//! ([`Element`]) and the writer streams; neither knows what a property or a report is.

pub mod href;
pub mod name;
pub mod read;
pub mod write;

mod element;
mod error;
mod fragment;

pub use element::{Attr, Element, Node};
pub use error::{XmlError, XmlErrorKind};
pub use name::{Name, Ns};
pub use read::{Limits, read};
pub use write::Writer;
