//! Test support: a registry in a directory, image fixtures, a faulty disk
