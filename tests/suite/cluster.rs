//! Three servers on one database and one bucket, behind a balancer: clients can't tell them from one.

mod clients;
mod collection;
mod conformance;
mod consistency;
mod crash;
mod outage;
mod races;
mod sessions;
