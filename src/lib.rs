//! Measures whether mail really reaches the people and roles it is meant for.

pub mod postoffice;
