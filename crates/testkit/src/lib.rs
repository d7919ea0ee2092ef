//! Test support: a registry in a temporary directory, images to push, a client to push them with.
//!
//! Only tests use this room, and it may use every other; it fails by panicking, which is what a test wants.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use berth_testkit::{Image, TestRegistry};
//!
//! let registry = TestRegistry::builder().with_user("ada", "secret").start().await;
//! let ada = registry.client().with_credentials("ada", "secret");
//! let image = Image::small();
//! ada.push("library/app", "1.0", &image).await;
//! assert_eq!(ada.pull("library/app", "1.0").await, image);
//! # });
//! ```

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on must fail, loudly and at once"
)]
#![expect(clippy::missing_panics_doc, reason = "every function here panics where a test could not go on")]

mod builder;
mod client;
mod image;
mod layer;
mod registry;

pub use builder::Builder;
pub use client::Client;
pub use image::{Blob, Image, index};
pub use layer::tar;
pub use registry::TestRegistry;
