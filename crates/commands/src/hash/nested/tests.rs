use super::tree::{Node, Value, list_text};
use super::{Format, NAMES_MAX};
use resp::{Protocol, Reply};

fn json(fields: &[(&str, &str)]) -> String {
    let mut node = Node::default();
    fields.iter().for_each(|(name, text)| node.put(name.as_bytes(), text.as_bytes()));
    let mut reply = Reply::new(Protocol::Resp2);
    node.write(Format::Json, &mut reply);
    let text = String::from_utf8(reply.out.to_vec()).expect("text");
    text.split("\r\n").nth(1).expect("a bulk string").to_owned()
}

#[test]
fn lists_are_read_as_they_were_written() {
    let elements: [&[u8]; 4] = [b"", b"a,b:c", b"1:x,", b"\xff\r\n"];
    let owned = elements.map(<[u8]>::to_vec).to_vec();
    assert_eq!(Value::of_list_text(&list_text(&elements)), Value::List(owned));
    for text in ["x", "1", "1:", "1:x", "2:x,", "1:x,y", "-1:,", ":,", "9223372036854775807:x,"] {
        let text = text.as_bytes().to_vec();
        assert_eq!(Value::of_list_text(&text), Value::Text(text));
    }
}

#[test]
fn fields_of_others_are_shown_in_one_way_whatever_their_order() {
    let fields = [("b", "text"), ("b.c", "1"), ("b.", "1:x,"), ("b..", ""), ("b.c.d", "2")];
    let expect = r#"{"b" : "text"}"#;
    assert_eq!(json(&fields), expect);
    let mut backwards = fields;
    backwards.reverse();
    assert_eq!(json(&backwards), expect);
    assert_eq!(json(&fields[1..]), r#"{"b" : ["x"]}"#);
    assert_eq!(json(&[("", "a"), ("x..y", "b"), ("...", "")]), json(&[("x..y", "b"), ("", "a")]));
    assert_eq!(json(&[("x..y", "b")]), r#"{"x" : {"" : {"y" : "b"}}}"#);
}

#[test]
fn depth_has_a_bound() {
    let name = "a.".repeat(100_000) + "a";
    assert_eq!(json(&[(&name, "v")]).matches('{').count(), NAMES_MAX);
}
