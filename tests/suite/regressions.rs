//! What users of other registries suffered from, by the number under which they reported it.

mod collection;
mod stalls;
mod uploads;
