//! What is done to a value before rules look at it: one pure function a transformation.

mod byte_set;

pub use byte_set::ByteSet;
