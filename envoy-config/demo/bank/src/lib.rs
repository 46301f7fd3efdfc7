//! The small open-banking service that the Portcullis demo protects.
//!
//! It answers every operation of `accounts.yaml` and `payments.yaml` with made-up data that conforms to them. It
//! keeps no state, so the same request always gets the same answer. Like many services behind a gateway it trusts
//! what reaches it, and it has faults to show what a contract stops and what it does not:
//!
//! - `GET /internal/debug` was never declared and tells too much. An undeclared operation: stopped.
//! - `PATCH /accounts/{accountId}` and `POST …/beneficiaries` merge whatever the client sends, read-only properties
//!   included (mass assignment). `readOnly` and `additionalProperties: false`: stopped.
//! - `GET /accounts/{accountId}` never asks whose account it is (broken object level authorisation). The request
//!   conforms to the contract: **not** stopped by it.

mod accounts;
mod answer;
mod payments;
mod route;
pub mod server;

pub use answer::Answer;
pub use route::{Request, respond};
