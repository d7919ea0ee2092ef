//! What was issued ends with what proved its owner.

mod configured;
mod directory;
mod secrets;

use std::time::Duration;

use berth_catalog::event::Author;

use super::Node;
use crate::tests::basic;
use crate::{Anonymous, Caller, NewUser};

const PASSWORD: &str = "Secret-1";

fn by() -> Author {
    Author::from("berth:operator")
}

impl Node {
    async fn add(&self, name: &str) {
        let (name, password) = (name.to_owned(), PASSWORD.to_owned());
        let new = NewUser { name, display_name: None, email: None, password, own_choice: true };
        self.accounts.create_user(new, &by()).await.unwrap();
        self.access.refresh().await.unwrap();
    }

    async fn log_in(&self, name: &str, secret: &str) -> Caller {
        self.access.authenticate(Some(&basic(name, secret))).await.unwrap()
    }

    async fn kept(&self, caller: &Caller) -> Option<String> {
        self.access.issue(caller, &[], true).await.unwrap().refresh_token
    }
}

#[tokio::test]
async fn nothing_that_lasts_is_given_to_who_was_ended_meanwhile() {
    let node = Node::new(Anonymous::None).await;
    for name in ["dis", "out", "gone"] {
        node.add(name).await;
    }
    let (dis, out, gone) = (node.caller("dis").await, node.caller("out").await, node.caller("gone").await);
    node.clock.advance(Duration::from_millis(20));
    node.accounts.disable_user("dis", true, &by()).await.unwrap();
    node.accounts.log_out_everywhere("out", &by()).await.unwrap();
    node.accounts.delete_user("gone", &by()).await.unwrap();
    for caller in [&dis, &out, &gone] {
        assert_eq!(node.kept(caller).await, None, "{caller}");
        let refused = node.access.begin_session(caller).await.unwrap_err();
        assert!(refused.to_string().ends_with("log in again"), "{refused}");
    }
    assert!(node.kept(&node.caller("out").await).await.is_some());
}
