//! The provider over scripted answers: points of FACTS §9, and the schema of every request.
