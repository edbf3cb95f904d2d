//! Replies of commands as Lua values, arguments of commands, and what the host is told.

use super::{Commands, machine, run};
use crate::LogLevel;
use resp::Protocol;

/// What a script makes of a reply: `v` is the value.
#[track_caller]
fn sees(reply: &str, script: &str, expected: &str) {
    let (mut vm, mut host) = (machine(), Commands::default());
    let source = format!("local v = redis.call('raw', \"{}\") {script}", reply.escape_default());
    let got = run(&mut vm, &mut host, Protocol::Resp2, &source);
    assert_eq!(String::from_utf8_lossy(&got), expected, "{reply:?}: {script}");
}

#[test]
fn replies_become_values() {
    sees(":5\r\n", "return type(v) .. v", "$7\r\nnumber5\r\n");
    sees(
        ":9223372036854775807\r\n",
        "return string.format('%.0f', v)",
        "$19\r\n9223372036854775808\r\n",
    );
    sees("$3\r\nabc\r\n", "return v", "$3\r\nabc\r\n");
    sees("$-1\r\n", "return type(v) .. tostring(v)", "$12\r\nbooleanfalse\r\n");
    sees("*-1\r\n", "return tostring(v)", "$5\r\nfalse\r\n");
    sees("+OK\r\n", "return v.ok", "$2\r\nOK\r\n");
    sees(
        "*3\r\n:1\r\n$-1\r\n*1\r\n+x\r\n",
        "return {#v, v[1], tostring(v[2]), v[3][1].ok}",
        "*4\r\n:3\r\n:1\r\n$5\r\nfalse\r\n$1\r\nx\r\n",
    );
    sees("*0\r\n", "return #v", ":0\r\n");
    sees("_\r\n", "return type(v)", "$3\r\nnil\r\n");
    sees("#t\r\n", "return tostring(v)", "$4\r\ntrue\r\n");
    sees("#f\r\n", "return tostring(v)", "$5\r\nfalse\r\n");
    sees(",1.5\r\n", "return tostring(v.double)", "$3\r\n1.5\r\n");
    sees(",inf\r\n", "return tostring(v.double)", "$3\r\ninf\r\n");
    sees(",nan\r\n", "return tostring(v.double ~= v.double)", "$4\r\ntrue\r\n");
    sees("(123456789012345678901\r\n", "return v.big_number", "$21\r\n123456789012345678901\r\n");
    sees(
        "=7\r\ntxt:abc\r\n",
        "return v.verbatim_string.format .. v.verbatim_string.string",
        "$6\r\ntxtabc\r\n",
    );
    sees("%1\r\n+a\r\n:1\r\n", "for k, v in pairs(v.map) do return k.ok .. v end", "$2\r\na1\r\n");
    sees("%1\r\n_\r\n:1\r\n", "return tostring(next(v.map))", "$3\r\nnil\r\n");
    sees(
        "~2\r\n$1\r\na\r\n$1\r\nb\r\n",
        "return {v.set.a and 1, v.set.b and 2}",
        "*2\r\n:1\r\n:2\r\n",
    );
    sees("|1\r\n+ttl\r\n:5\r\n$1\r\nx\r\n", "return v", "$1\r\nx\r\n");
    sees(">2\r\n+a\r\n+b\r\n", "return v[2].ok", "$1\r\nb\r\n");
}

#[test]
fn errors_become_tables() {
    let (mut vm, mut host) = (machine(), Commands::default());
    let mut check = |source: &str, expected: &str| {
        let got = run(&mut vm, &mut host, Protocol::Resp2, source);
        assert_eq!(String::from_utf8_lossy(&got), expected, "{source}");
    };
    check("return redis.pcall('fail', 'MYERR text').err", "$10\r\nMYERR text\r\n");
    check("return redis.pcall('fail', 'text').err", "$8\r\nERR text\r\n");
    check(
        "local e = redis.pcall('fail', 'A b') return tostring(e.ignore_error_stats_update)",
        "$4\r\ntrue\r\n",
    );
    check("return {err = 'A b\\0c'}", "-A b\r\n");
    check(
        "local s = '' for k in pairs(redis.pcall('fail', 'A b')) do s = s .. k .. ' ' end return s",
        "$30\r\nignore_error_stats_update err \r\n",
    );
    check("return redis.pcall('fail', 'A b')", "-A b\r\n");
    check(
        "local ok, e = pcall(redis.call, 'fail', 'A b') return {tostring(ok), e}",
        "*2\r\n$5\r\nfalse\r\n$3\r\nA b\r\n",
    );
    check("local v = redis.call('raw', '*1\\r\\n-A b\\r\\n') return v[1].err", "$3\r\nA b\r\n");
}

#[test]
fn errors_are_counted_once() {
    let (mut vm, mut host) = (machine(), Commands::default());
    let mut ended = |source: &str| {
        let sha = crate::Sha::of(source.as_bytes());
        vm.load(&sha, source.as_bytes()).unwrap();
        vm.run(&sha, &[], &[], &mut host, &mut resp::Reply::default())
    };
    assert_eq!(ended("return 1"), Ok(crate::Ended::Well));
    assert_eq!(
        ended("return redis.pcall('fail', 'A b')"),
        Ok(crate::Ended::WithError { counted: true })
    );
    assert_eq!(ended("return {err = 'A b'}"), Ok(crate::Ended::WithError { counted: false }));
    assert!(ended("return redis.call('fail', 'A b')").unwrap_err().counted);
    assert!(!ended("error('x')").unwrap_err().counted);
}

#[test]
fn arguments_are_words() {
    let (mut vm, mut host) = (machine(), Commands::default());
    let source = "redis.call('list', 1, 1.5, -0.0, 1e17, 1e20, 0.1, 'x', '') redis.call('ping') \
        local t = {} for i = 1, 100 do t[i] = i end return #redis.call('list', unpack(t))";
    assert_eq!(run(&mut vm, &mut host, Protocol::Resp2, source), b":100\r\n");
    assert_eq!(
        host.calls[0],
        ["list", "1", "1.5", "0", "100000000000000000", "1e+20", "0.1", "x", ""]
    );
    assert_eq!(host.calls[1], ["ping"]);
    assert_eq!(host.calls[2].len(), 101);
}

#[test]
fn the_host_is_told() {
    let (mut vm, mut host) = (machine(), Commands::default());
    let source = "redis.log(redis.LOG_WARNING, 'a', 1, {}, 'b') redis.set_repl(redis.REPL_AOF) \
        return {redis.acl_check_cmd('get', 'k'), redis.acl_check_cmd('set', 'k', 'v')}";
    assert_eq!(run(&mut vm, &mut host, Protocol::Resp2, source), b"*2\r\n:1\r\n$-1\r\n");
    assert_eq!(host.log, [(LogLevel::Warning, "a 1 b".to_owned())]);
    assert_eq!(host.repl, Some((true, false)));
}

/// A big value comes in pieces that are shared.
#[test]
fn large_replies() {
    struct Large(Commands);
    impl crate::Host for Large {
        fn call(&mut self, _words: &[&[u8]], reply: &mut resp::Reply) {
            reply.array(2);
            reply.bulk_shared(&std::sync::Arc::new(vec![b'x'; 100_000]));
            reply.bulk(b"y");
        }
        fn log(&mut self, level: LogLevel, message: &[u8]) {
            self.0.log(level, message);
        }
        fn set_repl(&mut self, _aof: bool, _replicas: bool) {}
        fn check_command(&mut self, _words: &[&[u8]]) -> crate::CommandCheck {
            crate::CommandCheck::Unknown
        }
        fn interrupt(&mut self) -> crate::Pulse {
            crate::Pulse::Continue
        }
        fn clock(&mut self) -> std::time::Duration {
            std::time::Duration::ZERO
        }
    }
    let source = b"local v = redis.call('x') return {#v[1], v[2]}";
    let sha = crate::Sha::of(source);
    let mut vm = machine();
    vm.load(&sha, source).unwrap();
    let mut reply = resp::Reply::default();
    vm.run(&sha, &[], &[], &mut Large(Commands::default()), &mut reply).unwrap();
    assert_eq!(reply.out.to_vec(), b"*2\r\n:100000\r\n$1\r\ny\r\n");
}
