//! XML as WebDAV needs it: a bounded reader without DTDs, a streaming writer.
