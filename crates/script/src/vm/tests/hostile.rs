//! Scripts that mean harm: each must end, with an error or a value, within its memory, and leave a
//! machine that works.

use super::{Commands, machine, run};
use crate::{Limits, Vm};
use resp::Protocol;

/// Pulses after which the host kills; each is a thousand steps or some 60 us of work.
const PULSES_MAX: u64 = 100;

/// Runs a script under a limit; its reply. The machine must work afterwards, and give memory back
/// (Lua halves its own buffers at each collection only).
fn contained(source: &str) -> String {
    contained_for(source, 1_000_000)
}

fn contained_for(source: &str, pulses_max: u64) -> String {
    contained_in(machine(), source, pulses_max)
}

fn contained_in(mut vm: Vm, source: &str, pulses_max: u64) -> String {
    let mut host = Commands { pulses_max, ..Commands::default() };
    let reply = run(&mut vm, &mut host, Protocol::Resp2, source);
    assert!(host.pulses < pulses_max + 500, "{source}: went on for {} pulses", host.pulses);
    let mut host = Commands::default();
    let after = run(&mut vm, &mut host, Protocol::Resp2, "return {1, ('x'):rep(3), tostring(nil)}");
    assert_eq!(after, b"*3\r\n:1\r\n$3\r\nxxx\r\n$3\r\nnil\r\n", "after {source}");
    run(&mut vm, &mut host, Protocol::Resp2, "collectgarbage() return 1");
    assert!(vm.memory_bytes() < 8 << 20, "{source}: keeps {} bytes", vm.memory_bytes());
    String::from_utf8_lossy(&reply).into_owned()
}

#[track_caller]
fn killed(source: &str) {
    let reply = contained_for(source, PULSES_MAX);
    assert!(reply.starts_with("-ERR Script killed by user with SCRIPT KILL."), "{source}: {reply}");
}

#[track_caller]
fn refused(source: &str, by: &str) {
    let limits = Limits { memory_bytes: 16 << 20, ..Limits::default() };
    let reply = contained_in(Vm::new(limits), source, 1_000_000);
    let short = &reply[..reply.len().min(300)];
    assert!(reply.starts_with('-') && reply.contains(by), "{source}: {short}");
}

#[test]
fn endless_loops() {
    killed("while true do end");
    killed("repeat until false");
    killed("for i = 1, math.huge do end");
    killed("for i = 1, 10, 0 do end for i = 1, 1e18 do local x = i end");
    killed("local function f() return f() end f()");
    killed("while true do redis.call('ping') end");
    killed("while true do pcall(redis.call, 'fail', 'x') end");
    killed("for _ in function() return 1 end do end");
    killed("for _ in pairs(setmetatable({}, {})) do end while true do local t = {} end");
    killed(
        "local t = setmetatable({}, {__index = function(t, k) return k end}) while true do t = t end",
    );
    killed("local s = 'x' while true do s:find('y') end");
    killed("local t = {} for i = 1, 1e9 do t[i % 10 + 1] = i end");
    killed("local t = {1} while true do for k in pairs(t) do end end");
    killed("while true do table.sort({3, 2, 1}) end");
    killed("while true do cjson.decode(cjson.encode({1, 2, 3})) end");
    killed("while true do loadstring('return 1')() end");
    killed("while true do collectgarbage() end");
    killed("while true do coroutine.wrap(function() end)() end");
    killed(
        "local f = coroutine.wrap(function() while true do coroutine.yield(1) end end) while true do f() end",
    );
}

#[test]
fn nothing_catches_the_kill() {
    killed("while true do pcall(function() while true do end end) end");
    killed("while true do xpcall(function() while true do end end, function(e) return e end) end");
    killed(
        "xpcall(function() while true do end end, function() while true do end end) while true do end",
    );
    killed(
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    );
    killed("while true do pcall(coroutine.wrap(function() while true do end end)) end");
    killed("local function f() pcall(f) f() end pcall(f) while true do pcall(f) end");
    killed("while true do pcall(string.gsub, 'x', 'x', function() while true do end end) end");
    killed("while true do pcall(table.sort, {1, 2, 3}, function() while true do end end) end");
    killed("while true do pcall(load, function() while true do end end) end");
    killed(
        "while true do pcall(setmetatable({}, {__call = function() while true do end end})) end",
    );
    killed(
        "local t = setmetatable({}, {__index = function() while true do end end}) while true do pcall(function() return t.x end) end",
    );
    killed(
        "local t = setmetatable({}, {__tostring = function() while true do end end}) while true do pcall(tostring, t) end",
    );
    killed(
        "local t = setmetatable({}, {__lt = function() while true do end end}) \
         while true do pcall(table.sort, {t, t, t}) end",
    );
    killed(
        "local co = coroutine.wrap(function() pcall(function() while true do end end) \
         while true do end end) while true do pcall(co) end",
    );
}

#[test]
fn endless_work_in_one_call() {
    killed("return (('a'):rep(40)):find(('a?'):rep(40) .. ('a'):rep(40))");
    killed("return (('a'):rep(100000)):find(('.-'):rep(60) .. 'b')");
    killed("return (('a'):rep(100000)):match('.-.-.-.-b')");
    killed("return (('a'):rep(1000000)):gsub('.-b', '')");
    killed("local s = ('a'):rep(1000000) for _ in s:gmatch('.-b') do end return 1");
    killed("local s = ('('):rep(200000) return s:gsub('%b()', '')");
    killed(
        "local t = {} for i = 1, 300000 do t[i] = i end while true do table.insert(t, 1, 0) table.remove(t, 1) end",
    );
    killed("local t = {} table.insert(t, -2147483648, 1)");
    killed("local t = {} for i = 1, 300000 do t[i] = i end while true do table.concat(t) end");
    killed("local t = {} for i = 1, 300000 do t[i] = i end while true do table.maxn(t) end");
    killed(
        "local t = {} for i = 1, 70000 do t[i] = {i} end table.sort(t, function(a, b) while true do end end)",
    );
    killed("local s = ('x'):rep(1e5) while true do s:reverse() end");
    killed("local s = ('x'):rep(2e4) while true do redis.sha1hex(s) end");
    killed("local s = ('x'):rep(5e4) while true do cjson.encode(s) end");
    killed(
        "local s = ('[1,2,3],'):rep(1e5) while true do pcall(cjson.decode, '[' .. s .. '1]') end",
    );
    killed("local s = ('\\1'):rep(7000) while true do cmsgpack.unpack(s) end");
    killed("local s = ('a'):rep(1e6) while true do struct.pack('c0', s) end");
    killed("while true do loadstring(('x = 1 '):rep(1000)) end");
    // A reply of two to the thirtieth elements in little memory.
    killed("local t = {1} for i = 1, 40 do t = {t, t} end return t");
}

#[test]
fn memory_bombs() {
    refused("return ('x'):rep(1e9)", "not enough memory");
    refused("return ('x'):rep(2147483647):len()", "not enough memory");
    refused("local s = 'x' while true do s = s .. s end", "not enough memory");
    refused(
        "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
        "not enough memory",
    );
    refused("local t = {} for i = 1, 1e9 do t[i] = i end", "not enough memory");
    refused("local t = {} for i = 1, 1e9 do t[i .. ''] = i end", "not enough memory");
    refused("local t = {} while true do t = {t} end", "not enough memory");
    refused(
        "local t = {} while true do t[#t + 1] = function() return t end end",
        "not enough memory",
    );
    refused(
        "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
        "not enough memory",
    );
    refused("return (('x'):rep(1e6)):gsub('.', ('y'):rep(1000))", "not enough memory");
    refused(
        "return (('x'):rep(1e6)):gsub('.', function() return ('y'):rep(1000) end)",
        "not enough memory",
    );
    refused(
        "local t = {} for i = 1, 1000 do t[i] = ('x'):rep(1e5) end return table.concat(t)",
        "not enough memory",
    );
    refused("local s = ('x'):rep(2e7) return ('%s%s%s%s'):format(s, s, s, s)", "not enough memory");
    refused("local s = ('\"'):rep(2e7) return #cjson.encode({s, s, s})", "not enough memory");
    refused("return cjson.decode('[' .. ('{},'):rep(2e6) .. '1]')", "not enough memory");
    refused(
        "return cmsgpack.unpack('\\221\\0\\255\\255\\255' .. ('\\128'):rep(2e6))",
        "not enough memory",
    );
    refused("local s = ('x'):rep(2e7) return cmsgpack.pack({s, s, s, s})", "not enough memory");
    refused(
        "local s = ('x'):rep(2e7) return struct.pack('c0c0c0c0', s, s, s, s)",
        "not enough memory",
    );
    refused(
        "return redis.call('raw', '*3000000\\r\\n' .. ('*0\\r\\n'):rep(3000000))",
        "not enough memory",
    );
    refused("return loadstring('return {' .. ('{},'):rep(3e6) .. '}')()", "");
    refused(
        "local n = 0 return load(function() n = n + 1 return ('x'):rep(1e6) end)()",
        "not enough memory",
    );
}

#[test]
fn memory_can_run_out_again_and_again() {
    let source = "local n = 0 for i = 1, 4 do local ok, e = pcall(function() local s = 'x' \
        while true do s = s .. s end end) if e == 'not enough memory' then n = n + 1 end end return n";
    assert_eq!(contained(source), ":4\r\n");
    // Garbage is no reason to refuse.
    assert_eq!(contained("for i = 1, 300 do local s = ('x'):rep(1e6) .. i end return 1"), ":1\r\n");
    let source = "local keep = ('k'):rep(3e7) for i = 1, 300 do local s = ('x'):rep(1e6) .. i end return #keep";
    assert_eq!(contained(source), ":30000000\r\n");
}

#[test]
fn deep_recursion() {
    refused("local function f() return 1 + f() end return f()", "stack overflow");
    refused(
        "local function f() return pcall(f) end assert(f()) local function g() error(g()) end g()",
        "",
    );
    refused(
        "local f f = function(x) return tostring(setmetatable({}, {__tostring = f})) end return f()",
        "C stack overflow",
    );
    refused(
        "local t = {} setmetatable(t, {__index = function(t, k) return t[k] end}) return t.x",
        "overflow",
    );
    refused("local f f = function() return ('x'):gsub('x', f) end return f()", "C stack overflow");
    refused(
        "local f f = function(a, b) table.sort({1, 2}, f) return true end f()",
        "C stack overflow",
    );
    refused("local f f = function() return coroutine.wrap(f)() end return f()", "C stack overflow");
    refused("local f f = function() return load(f) end local a, e = f() error(e)", "");
    refused("return loadstring(('('):rep(1000) .. '1' .. (')'):rep(1000))()", "");
    refused(
        "local f, e = loadstring('return ' .. ('{'):rep(100000) .. ('}'):rep(100000)) error(e)",
        "chunk has too many syntax levels",
    );
    refused("local f, e = loadstring('return ' .. ('-'):rep(100000) .. '1') error(e)", "");
    refused(
        "local f, e = loadstring('return ' .. ('not '):rep(100000) .. '1') error(e)",
        "chunk has too many syntax levels",
    );
    refused(
        "local f, e = loadstring(('do '):rep(100000)) error(e)",
        "chunk has too many syntax levels",
    );
    refused(
        "local f, e = loadstring(('function f() '):rep(100000)) error(e)",
        "chunk has too many syntax levels",
    );
    refused("local f, e = loadstring('return ' .. ('1 ..'):rep(100000) .. '1') error(e)", "");
    refused("return (('a'):rep(100000)):find(('a?'):rep(50000))", "pattern too complex");
    refused("return cjson.decode(('['):rep(1e6))", "too many nested data structures");
    refused(
        "cjson.decode_max_depth(1e9) return cjson.decode(('['):rep(1e6))",
        "too many nested data structures",
    );
    refused(
        "local t = {} for i = 1, 1e5 do t = {t} end cjson.encode_max_depth(1e9) return cjson.encode(t)",
        "excessive nesting",
    );
    refused("return cmsgpack.unpack(('\\145'):rep(1e6))", "overflow");
    // More values than a call can return, or a stack holds.
    refused("return unpack({}, 1, 8000)", "too many results to unpack");
    refused("return string.byte(('x'):rep(100000), 1, -1)", "string slice too long");
    refused(
        "local t = {} for i = 1, 7990 do t[i] = 'x' end return struct.pack(('b'):rep(7990), unpack(t))",
        "",
    );
    refused(
        "local s = 'return ' .. ('x,'):rep(300) .. 'x' local f, e = loadstring(s) error(e)",
        "",
    );
}

#[test]
fn values_that_nest_in_themselves() {
    let reply = contained("local t = {} t[1] = t return t");
    assert!(
        reply.starts_with("*1\r\n*1\r\n") && reply.ends_with("-ERR reached lua stack limit\r\n")
    );
    let reply = contained("local t = {} t.map = t return t");
    assert!(reply.contains("reached lua stack limit") || reply.starts_with('*'), "{}", reply.len());
    refused("local t = {} t[1] = t return cjson.encode(t)", "excessive nesting");
    assert_eq!(contained("local t = {} t[1] = t return #cmsgpack.pack(t)"), ":17\r\n");
    contained(
        "local t = {} setmetatable(t, {__index = t, __newindex = t, __metatable = t}) return t",
    );
}

/// Attempts to get at what no script may have, or to change what others see.
#[test]
fn the_sandbox_holds() {
    for name in [
        "io",
        "debug",
        "package",
        "require",
        "module",
        "dofile",
        "loadfile",
        "print",
        "newproxy",
        "arg",
        "os.execute",
        "os.getenv",
        "os.exit",
        "os.remove",
    ] {
        let reply = contained(&format!("return type({name})"));
        let absent = reply.contains("nonexistent global variable") || reply == "$3\r\nnil\r\n";
        assert!(absent, "{name}: {reply}");
    }
    for change in [
        "string.rep = nil",
        "table.x = 1",
        "_G.x = 1",
        "x = 1",
        "KEYS = nil",
        "redis.call = nil",
        "getmetatable('').__index = {}",
        "getmetatable('').x = 1",
        "getmetatable(_G).__index = nil",
        "rawset(_G, 'x', 1)",
        "rawset(redis, 'call', 1)",
        "setmetatable(_G, {})",
        "setmetatable(string, nil)",
        "table.insert(redis, 1)",
        "table.sort(redis)",
        "setfenv(print, {})",
        "_G._G = nil",
        "math.pi = 3",
        "getmetatable('').__index.rep = nil",
        "getfenv(0).x = 1",
        "getfenv(string.rep).x = 1",
        "getfenv(pcall).pcall = nil",
        "cjson.array_mt.x = 1",
    ] {
        let reply = contained(change);
        assert!(reply.starts_with('-'), "{change}: {reply}");
    }
}

#[test]
fn nothing_leaks_from_script_to_script() {
    let mut vm = machine();
    let mut host = Commands::default();
    let mut run = |source: &str| {
        String::from_utf8_lossy(&run(&mut vm, &mut host, Protocol::Resp2, source)).into_owned()
    };
    let probe = "local seen = {} local count = 0 local function walk(t) if seen[t] then return end \
        seen[t] = true for k, v in pairs(t) do count = count + 1 if type(v) == 'table' and k ~= 'KEYS' and \
        k ~= 'ARGV' then walk(v) end end end walk(_G) return {count, ('x'):rep(2), tostring(tonumber('1'))}";
    let before = run(probe);
    for attempt in [
        "setfenv(0, {}) return 1",
        "setfenv(1, {}) x = 1",
        "collectgarbage('stop') return 1",
        "KEYS[1] = 'z' ARGV.x = 1 return 1",
        "for k, v in pairs(_G) do pcall(rawset, _G, k, nil) end",
        "pcall(setmetatable, getmetatable(''), {})",
        "getfenv(1).x = 1",
        "local t = setmetatable({}, getmetatable(_G)) t.x = 1",
        "cjson.new().encode = nil",
        "redis.setresp(3) return 1",
        "return coroutine.wrap(function() setfenv(0, {}) return 1 end)()",
    ] {
        run(attempt);
        assert_eq!(run(probe), before, "after {attempt}");
    }
    // The environment of a kept script is renewed for each run.
    assert!(
        run("local ok = pcall(function() return y end) setfenv(1, {y = 1}) return y")
            .ends_with(":1\r\n")
    );
    assert_eq!(run("redis.setresp(3) return true"), ":1\r\n");
    assert_eq!(run("return true"), ":1\r\n");
}

/// What was published about Redis's Lua.
#[test]
fn published_attacks() {
    // CVE-2015-4335: bytecode. It is read as text, and is none.
    refused(
        "local f, e = loadstring(string.dump(function() end)) error(e)",
        "unexpected symbol near",
    );
    refused(
        "local f, e = loadstring('\\27Lua\\81\\0\\1\\4\\8\\4\\8\\0') error(e)",
        "unexpected symbol near",
    );
    refused(
        "local d = string.dump(function() end) local f, e = load(function() local x = d d = nil return x end) error(e)",
        "unexpected symbol near",
    );
    // CVE-2018-11218, -11219, CVE-2020-14147: sizes that overflow.
    refused("return struct.pack('I2147483648', 10)", "integral size overflow");
    refused("return struct.unpack('c2147483647', 'x')", "data string too short");
    refused("return struct.unpack('c0', 'x')", "needs a previous size");
    refused("return struct.unpack('dc0', struct.pack('d', -1) .. 'xxxx')", "data string too short");
    refused("return struct.unpack('s', 'x', 100)", "");
    contained("return struct.size(('c2147483647'):rep(100))");
    contained("return {pcall(cmsgpack.pack, unpack({}, 1, 7000))}");
    refused("return cmsgpack.unpack('\\219\\255\\255\\255\\255x')", "Missing bytes");
    // CVE-2021-32626: more on the stack than there is room for.
    contained("local t = {} for i = 1, 7000 do t = {t} end return t");
    contained("return cjson.encode(cmsgpack.unpack(('\\145'):rep(900) .. '\\1'))");
    // CVE-2022-24735: functions of others, by global names.
    refused("function redis_call() end", "readonly");
    refused("string.format = function() end", "readonly");
    // CVE-2022-24736: a null pointer by a message that is none.
    contained("error({err = {}})");
    contained("error({})");
    contained("error(setmetatable({}, {__index = function() error('x') end}))");
    contained("return {err = {}}");
    // CVE-2024-31449: the least integer has no positive twin.
    assert_eq!(contained("return bit.tohex(65535, -2147483648)"), "$8\r\n0000FFFF\r\n");
    // CVE-2024-46981: finalizers.
    contained(
        "local t = setmetatable({}, {__gc = function() while true do end end}) t = nil collectgarbage() return 1",
    );
    // CVE-2025-49844: the parser's own strings, collected while it runs.
    contained(
        "for i = 1, 200 do collectgarbage() loadstring('return ' .. ('x' .. i .. ','):rep(100) .. '1', \
         ('n'):rep(i)) end return 1",
    );
    // CVE-2025-46817: ranges that overflow.
    refused("return unpack({}, 0, 2147483647)", "too many results to unpack");
    refused("return unpack({}, -2147483648, 2147483647)", "too many results to unpack");
    refused("return unpack({}, -1, 2147483646)", "too many results to unpack");
    // CVE-2025-46818: metatables of types.
    refused("getmetatable('').__index = function() return 'owned' end", "readonly");
    refused("getmetatable('').__add = function() return 'owned' end", "readonly");
    // CVE-2025-46819: long brackets.
    contained("return loadstring('return [' .. ('='):rep(1e6) .. '[x')");
    contained("return loadstring('return [' .. ('='):rep(1e6))");
    contained("return loadstring('--[' .. ('='):rep(1e6))");
    // CVE-2014-5461: many parameters before `...`, few arguments.
    let names: Vec<String> = (0..199).map(|number| format!("p{number}")).collect();
    let names = names.join(",");
    let source = format!(
        "local function f({names}, ...) return p0 end for i = 1, 1000 do f() end local function g() f() return 1 + g() end return g()"
    );
    refused(&source, "stack overflow");
}

#[test]
fn replies_have_a_limit() {
    let mut vm = Vm::new(Limits { reply_bytes: 1000, ..Limits::default() });
    let mut host = Commands::default();
    let reply = run(
        &mut vm,
        &mut host,
        Protocol::Resp2,
        "local t = {} for i = 1, 1000 do t[i] = i end return t",
    );
    assert!(
        reply.starts_with(b"-ERR the reply of the script is too large"),
        "{}",
        reply.escape_ascii()
    );
    assert_eq!(run(&mut vm, &mut host, Protocol::Resp2, "return 1"), b":1\r\n");
}
