use crate::{Endpoint, Unbound, bind_all};

#[test]
fn what_could_not_be_opened_is_told() {
    let unix = Endpoint::Unix { path: "/nonexist/x".to_owned(), mode: 0, group: None };
    let Err(Unbound::Unix(text)) = bind_all(&[unix], 1) else { panic!("a socket in no folder") };
    assert!(text.starts_with("Failed opening Unix socket: /nonexist/x: No such file"), "{text}");
    let tcp = Endpoint::Tcp { bind: "192.0.2.1".to_owned(), port: 1 };
    let Err(Unbound::Tcp(text)) = bind_all(&[tcp], 1) else { panic!("not this machine's") };
    let expected = "Could not create server TCP listening socket 192.0.2.1:1: ";
    assert!(text.starts_with(expected), "{text}");
}
