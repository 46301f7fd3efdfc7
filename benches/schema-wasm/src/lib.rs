//! Both validators behind plain exports.
