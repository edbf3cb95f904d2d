//! Libraries of functions.

use super::{Commands, LIBRARY, machine};
use crate::{Ended, Flags, Function, LibraryId, LogLevel, ScriptError, Vm};
use resp::Reply;

const ID: LibraryId = LibraryId(7);

fn load(vm: &mut Vm, body: &str) -> Result<Vec<Function>, String> {
    let source = format!("#!lua name=lib\n{body}");
    let loaded = vm.load_library(ID, source.as_bytes(), &mut Commands::default());
    loaded.map_err(|error| String::from_utf8(error.text).unwrap())
}

fn call(vm: &mut Vm, name: &str, args: &[&[u8]]) -> Result<String, ScriptError> {
    let mut reply = Reply::default();
    let keys: &[&[u8]] = &[b"k"];
    let ended =
        vm.call_function((ID, name.as_bytes()), keys, args, &mut Commands::default(), &mut reply)?;
    assert!(ended == Ended::Well || reply.out.to_vec().starts_with(b"-"));
    Ok(String::from_utf8(reply.out.to_vec()).unwrap())
}

#[test]
fn functions_get_keys_and_arguments() {
    let mut vm = machine();
    vm.load_library(ID, LIBRARY, &mut Commands::default()).unwrap();
    assert!(vm.is_library_loaded(ID));
    assert_eq!(call(&mut vm, "f", &[b"a"]).unwrap(), "*2\r\n$1\r\nk\r\n$1\r\na\r\n");
    assert_eq!(call(&mut vm, "g", &[]).unwrap_err().text, b"ERR Function not found");
    vm.unload_library(ID);
    assert_eq!(call(&mut vm, "f", &[]).unwrap_err().text, b"ERR Function not found");
}

#[test]
fn what_is_registered() {
    let mut vm = machine();
    let functions = load(
        &mut vm,
        "redis.register_function{function_name='a', callback=function() return 1 end, \
         description='it does', flags={'no-writes', 'ALLOW-OOM'}} server.register_function('b', function() end)",
    );
    let expected = [
        Function {
            name: b"a".to_vec(),
            description: Some(b"it does".to_vec()),
            flags: Flags::NO_WRITES.with(Flags::ALLOW_OOM),
        },
        Function { name: b"b".to_vec(), description: None, flags: Flags::NONE },
    ];
    assert_eq!(functions.unwrap(), expected);
    assert_eq!(call(&mut vm, "a", &[]).unwrap(), ":1\r\n");
    assert_eq!(call(&mut vm, "b", &[]).unwrap(), "$-1\r\n");
}

#[test]
fn bad_libraries() {
    const REGISTER: &str = "ERR Error registering functions: ERR ";
    for (body, error) in [
        ("", "ERR No functions registered".to_owned()),
        ("x =", "ERR Error compiling function: user_function:2: unexpected symbol near '<eof>'".into()),
        ("error('boom')", format!("{REGISTER}user_function:2: Script attempted to access nonexistent global variable 'error'")),
        ("redis.register_function()", format!("{REGISTER}wrong number of arguments to server.register_function")),
        ("redis.register_function(1, 2)", format!("{REGISTER}second argument to server.register_function must be a function")),
        ("redis.register_function({}, function() end)", format!("{REGISTER}first argument to server.register_function must be a string")),
        ("redis.register_function{function_name='a'}", format!("{REGISTER}server.register_function must get a callback argument")),
        ("redis.register_function{callback=function() end}", format!("{REGISTER}server.register_function must get a function name argument")),
        ("redis.register_function{x=1}", format!("{REGISTER}unknown argument given to server.register_function")),
        ("redis.register_function{flags={'x'}}", format!("{REGISTER}unknown flag given")),
        (
            "redis.register_function('a', function() end) redis.register_function('a', function() end)",
            "ERR Function already exists in the library".into(),
        ),
        (
            "redis.register_function('a b', function() end)",
            "ERR Function names can only contain letters, numbers, or underscores(_) and must be at least one character long".into(),
        ),
        ("redis.call('ping')", format!("{REGISTER}user_function:2: Script attempted to access nonexistent global variable 'call'")),
        ("math.floor(1)", format!("{REGISTER}user_function:2: Script attempted to access nonexistent global variable 'math'")),
        ("x = 1", format!("{REGISTER}user_function:2: Attempt to modify a readonly table")),
        ("redis.x = 1", format!("{REGISTER}user_function:2: Attempt to modify a readonly table")),
    ] {
        let mut vm = machine();
        assert_eq!(load(&mut vm, body), Err(error), "{body}");
        assert!(!vm.is_library_loaded(ID));
        // Nothing is left behind: loading works as before.
        assert_eq!(load(&mut vm, "redis.register_function('a', function() return math.pi > 3 end)").unwrap().len(), 1);
        assert_eq!(call(&mut vm, "a", &[]).unwrap(), ":1\r\n");
    }
}

#[test]
fn what_functions_see() {
    let mut vm = machine();
    load(
        &mut vm,
        "local register = redis.register_function local count = 0 \
         register('count', function() count = count + 1 return count end) \
         register('late', function() return register('x', function() end) end) \
         register('global', function() return KEYS end) \
         register('fails', function() error('boom') end) \
         register('redis', function() return {redis.call('ping'), redis.REPL_ALL, type(redis.breakpoint)} end) \
         register('set', function() y = 1 end)",
    )
    .unwrap();
    assert_eq!(call(&mut vm, "count", &[]).unwrap(), ":1\r\n");
    assert_eq!(call(&mut vm, "count", &[]).unwrap(), ":2\r\n");
    let mut fails =
        |name: &str| String::from_utf8(call(&mut vm, name, &[]).unwrap_err().text).unwrap();
    assert!(fails("late").contains("can only be called on FUNCTION LOAD command"));
    assert!(fails("global").contains("nonexistent global variable 'KEYS'"));
    assert_eq!(fails("fails"), "ERR user_function:2: boom script: fails, on @user_function:2.");
    assert!(fails("set").contains("Attempt to modify a readonly table"));
    assert_eq!(call(&mut vm, "redis", &[]).unwrap(), "*3\r\n+PONG\r\n:3\r\n$3\r\nnil\r\n");
}

#[test]
fn loading_can_log_and_be_stopped() {
    let mut vm = machine();
    let mut host = Commands::default();
    let source = b"#!lua name=lib\nredis.log(redis.LOG_NOTICE, 'loading') redis.register_function('a', function() end)";
    vm.load_library(ID, source, &mut host).unwrap();
    assert_eq!(host.log, [(LogLevel::Notice, "loading".to_owned())]);
    let mut host = Commands { pulses_max: 10, ..Commands::default() };
    let error = vm.load_library(ID, b"#!lua name=lib\nwhile true do end", &mut host).unwrap_err();
    assert!(error.killed);
    assert!(!vm.is_library_loaded(ID));
}
