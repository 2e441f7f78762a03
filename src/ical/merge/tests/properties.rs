//! What holds for any edits: of a set of them on both sides, and of every two files of the corpus.

use super::*;
