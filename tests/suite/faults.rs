//! A full disk and a failing one: the server says so, stays up, serves what it has, and acknowledges nothing that is lost.

mod disk_full;
mod each_call;
mod io_errors;
