use super::{Flags, Header};

fn script(source: &str) -> Result<Option<Header>, String> {
    Header::of_script(source.as_bytes()).map_err(|text| String::from_utf8(text).unwrap())
}

fn library(source: &str) -> Result<Header, String> {
    Header::of_library(source.as_bytes()).map_err(|text| String::from_utf8(text).unwrap())
}

#[test]
fn scripts() {
    assert_eq!(script("return 1"), Ok(None));
    assert_eq!(script("#!lua\n").unwrap().unwrap().flags, Flags::NONE);
    let header = script("#!lua flags=no-writes,allow-stale\nreturn 1").unwrap().unwrap();
    assert_eq!(header.flags, Flags::NO_WRITES.with(Flags::ALLOW_STALE));
    assert_eq!(header.flags.names().collect::<Vec<_>>(), ["no-writes", "allow-stale"]);
    assert_eq!(script("#!lua flags=\n").unwrap().unwrap().flags, Flags::NONE);
    assert_eq!(script("#!Lua flags=no-writes\n").unwrap().unwrap().flags, Flags::NO_WRITES);
    for (source, text) in [
        ("#!lua", "ERR Invalid script shebang"),
        ("#!lua \"\n", "ERR Invalid engine in script shebang"),
        ("#!js\n", "ERR Could not find scripting engine 'js'"),
        ("#!lua name=x\n", "ERR Unknown lua shebang option: name=x"),
        ("#!lua flags=No-Writes\n", "ERR Unexpected flag in script shebang: No-Writes"),
        ("#!lua flags=no-writes,\n", "ERR Unexpected flag in script shebang: "),
    ] {
        assert_eq!(script(source), Err(text.into()), "{source:?}");
    }
}

#[test]
fn libraries() {
    let header = library("#!LUA NAME=lib\n").unwrap();
    assert_eq!((&header.engine[..], &header.name[..]), (&b"LUA"[..], &b"lib"[..]));
    for (source, text) in [
        ("return 1", "ERR Missing library metadata"),
        ("#!lua name=x", "ERR Invalid library metadata"),
        ("#!lua\n", "ERR Library name was not given"),
        ("#!lua foo=bar\n", "ERR Invalid metadata value given: foo=bar"),
        (
            "#!lua name=a name=b\n",
            "ERR Invalid metadata value, name argument was given multiple times",
        ),
    ] {
        assert_eq!(library(source), Err(text.into()), "{source:?}");
    }
}

#[test]
fn lines_keep_their_numbers() {
    assert_eq!(Header::strip(b"#!lua\nreturn 1"), b"\nreturn 1");
    assert_eq!(Header::strip(b"return 1\n"), b"return 1\n");
}
