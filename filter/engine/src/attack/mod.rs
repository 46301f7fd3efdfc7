//! The attack engine: signatures matched on the values of a message.

pub mod lazy;
pub mod steps;
pub mod transform;
