//! Chaos: clients push and pull without a pause while servers, database and object store fail under them.
//!
//! Each kind of chaos lasts `BERTH_CHAOS_SECONDS` (8; the full mode has 60) and ends in one line of figures. Whatever happens,
//! nothing acknowledged may be lost or changed, and the event log must tell every change once. One kind at a time: they
//! measure times.

mod check;
mod frozen;
mod gateway;
mod lines;
mod nodes;
mod patient;
mod pooler;
mod primary;
mod real;
mod report;
mod split;
mod stage;
mod worker;
