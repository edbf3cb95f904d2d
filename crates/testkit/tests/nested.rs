//! KEYDB.NHSET and KEYDB.NHGET against a tree.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use stdx::Rng;
use testkit::{Node, Options};

enum Tree {
    Leaf(String),
    Level(BTreeMap<String, Tree>),
}

impl Tree {
    /// Whether something was at the path.
    fn set(&mut self, path: &[String], value: String) -> bool {
        let Some((name, rest)) = path.split_first() else {
            let was = !matches!(self, Self::Level(names) if names.is_empty());
            *self = Self::Leaf(value);
            return was;
        };
        if matches!(self, Self::Leaf(_)) {
            *self = Self::Level(BTreeMap::new());
        }
        let Self::Level(names) = self else { unreachable!() };
        let below = names.entry(name.clone()).or_insert_with(|| Self::Level(BTreeMap::new()));
        below.set(rest, value)
    }

    fn json(&self) -> String {
        match self {
            Self::Leaf(text) => format!("\"{text}\""),
            Self::Level(names) => {
                let mut text = String::from("{");
                for (at, (name, below)) in names.iter().enumerate() {
                    let comma = if at > 0 { "," } else { "" };
                    write!(text, "{comma}\"{name}\" : {}", below.json()).expect("a string grows");
                }
                text + "}"
            }
        }
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

#[test]
fn any_order_of_paths_makes_the_tree_that_it_says() {
    let mut rng = Rng::new(7);
    for (rounds, names) in [(400, 3), (4000, 40)] {
        let mut node = Node::new(Options::default());
        let mut me = node.session();
        let mut tree = Tree::Level(BTreeMap::new());
        for round in 0..rounds {
            let depth = 1 + rng.index(4);
            let path: Vec<String> = (0..depth).map(|_| format!("n{}", rng.index(names))).collect();
            let value = format!("v{round}");
            let line = format!("KEYDB.NHSET k.{} {value}", path.join("."));
            let was = tree.set(&path, value);
            let answer = text(node.send_bytes(&mut me, format!("{line}\r\n").as_bytes()));
            assert_eq!(answer, format!(":{}\r\n", u8::from(was)), "{line}");
        }
        let json = tree.json();
        let expect = format!("${}\r\n{json}\r\n", json.len());
        assert_eq!(text(node.send_bytes(&mut me, b"KEYDB.NHGET JSON k\r\n")), expect);
        node.check_replay().expect("the journal makes the same");
    }
}

/// The only field goes and another comes: the key stays meanwhile, and so does its time.
#[test]
fn what_replaces_all_keeps_the_time_of_the_key() {
    let mut node = Node::new(Options::default());
    let mut me = node.session();
    for (line, expect) in [
        ("KEYDB.NHSET h.a x", ":0"),
        ("PEXPIREAT h 9999999999999", ":1"),
        ("KEYDB.NHSET h.a y", ":1"),
        ("KEYDB.NHSET h.a.b z", ":0"),
        ("KEYDB.NHSET h.a y z", ":1"),
        ("KEYDB.NHSET h.a x", ":1"),
        ("PEXPIRETIME h", ":9999999999999"),
    ] {
        let answer = text(node.send_bytes(&mut me, format!("{line}\r\n").as_bytes()));
        assert_eq!(answer, format!("{expect}\r\n"), "{line}");
        node.check_replay().expect("the journal makes the same");
    }
}
