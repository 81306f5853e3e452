//! Texts: words and sentences with their places, vocabularies, vectors, teachers, and explanations.

mod documents;
mod explain;
mod teachers;
mod vectors;
