//! Sessions, command by command, as a real server answers them but where a case says so.

use super::{COMMANDS_MAX, Debugger};
use crate::vm::tests::{Commands, machine};
use crate::{Sha, Vm};
use resp::Reply;

/// A command and what it is answered, a line each.
type Step<'a> = (&'a str, &'a str);

/// What ended a session, as its last answer.
fn ended(vm: &mut Vm, source: &str, commands: &[&str]) -> Vec<String> {
    let sha = Sha::of(source.as_bytes());
    vm.load(&sha, source.as_bytes()).unwrap();
    let mut debugger = Debugger::new(source.as_bytes());
    let mut answers = Vec::new();
    for count in 0..=commands.len() {
        if let Some(command) = count.checked_sub(1).map(|at| commands[at]) {
            let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
            assert!(debugger.push(&words));
        }
        let mut reply = Reply::default();
        let (keys, args): ([&[u8]; 1], [&[u8]; 2]) = ([b"k1"], [b"a1", b"a 2"]);
        let mut host = Commands::default();
        let result = vm.debug(&sha, (&keys, &args), &mut host, &mut reply, &mut debugger);
        let lines = debugger.take_answer();
        let mut lines: Vec<_> =
            lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        if !debugger.stopped() {
            lines.push("<endsession>".to_owned());
            let bytes = match result {
                Ok(_) => reply.out.to_vec(),
                Err(error) => [b"-", &error.text[..]].concat(),
            };
            lines.push(String::from_utf8_lossy(&bytes).trim_end().to_owned());
        }
        answers.push(lines.join("\n"));
        if !debugger.stopped() {
            break;
        }
    }
    answers
}

#[track_caller]
fn check(source: &str, steps: &[Step<'_>]) {
    let mut vm = machine();
    let commands: Vec<&str> = steps[1..].iter().map(|(command, _)| *command).collect();
    let answers = ended(&mut vm, source, &commands);
    for ((command, expected), answer) in steps.iter().zip(&answers) {
        assert_eq!(answer, expected, "answer to {command:?}");
    }
    assert_eq!(answers.len(), steps.len());
}

#[test]
fn a_script_is_stepped_through() {
    check(
        "return 'hello'",
        &[
            ("EVAL", "* Stopped at 1, stop reason = step over\n-> 1   return 'hello'"),
            ("nope", "<error> Unknown Lua debugger command or wrong number of arguments."),
            ("redis", "<error> Unknown Lua debugger command or wrong number of arguments."),
            ("Step", "<endsession>\n$5\r\nhello"),
        ],
    );
    check(
        "",
        &[
            (
                "EVAL",
                "* Stopped at 1, stop reason = step over\n-> 1   <out of range source code line>",
            ),
            ("n", "<endsession>\n$-1"),
        ],
    );
}

#[test]
fn the_source_is_listed() {
    check(
        "local a=1\nlocal b=2\nlocal c=3\n\nlocal d=4\nlocal e=5\nlocal f=6\nreturn a\n\r\n",
        &[
            ("EVAL", "* Stopped at 1, stop reason = step over\n-> 1   local a=1"),
            (
                "l",
                "-> 1   local a=1\n   2   local b=2\n   3   local c=3\n   4   \n   5   local d=4\n   6   local e=5",
            ),
            ("l 5 1", "   4   \n   5   local d=4\n   6   local e=5"),
            ("l 3 -1", ""),
            ("list 0 0", "-> 1   local a=1"),
            ("l x 0", "-> 1   local a=1"),
            ("l -9223372036854775808 0", "-> 1   local a=1"),
            (
                "l 9223372036854775807 9223372036854775807",
                "-> 1   local a=1\n   2   local b=2\n   3   local c=3\n   4   \n   5   local d=4\n   6   local e=5\n   7   local f=6\n   8   return a",
            ),
            ("n", "* Stopped at 2, stop reason = step over\n-> 2   local b=2"),
            ("c", "<endsession>\n:1"),
        ],
    );
}

#[test]
fn breakpoints_are_set_and_met() {
    check(
        "local a=1\nlocal b=2\nlocal c=3\nlocal d=4\nreturn a",
        &[
            ("EVAL", "* Stopped at 1, stop reason = step over\n-> 1   local a=1"),
            ("b", "No breakpoints set. Use 'b <line>' to add one."),
            ("b 3", "   2   local b=2\n  #3   local c=3\n   4   local d=4"),
            ("b 3", "Wrong line number."),
            ("b 99", "Wrong line number."),
            ("b x", "Invalid argument:'x'"),
            (
                "b 4 2 -9",
                "  #3   local c=3\n  #4   local d=4\n   5   return a\n-> 1   local a=1\n  #2   local b=2\n  #3   local c=3\nNo breakpoint in the specified line.",
            ),
            ("b", "3 breakpoints set:\n  #3   local c=3\n  #4   local d=4\n  #2   local b=2"),
            ("c", "* Stopped at 2, stop reason = break point\n->#2   local b=2"),
            ("b -3", "Breakpoint removed."),
            ("c", "* Stopped at 4, stop reason = break point\n->#4   local d=4"),
            ("b 0", "All breakpoints removed."),
            ("c", "<endsession>\n:1"),
        ],
    );
    check(
        "local a=1\nlocal r=redis.breakpoint()\nlocal c=3\nreturn r",
        &[
            ("EVAL", "* Stopped at 1, stop reason = step over\n-> 1   local a=1"),
            ("c", "* Stopped at 3, stop reason = server.breakpoint() called\n-> 3   local c=3"),
            ("p", "<value> a = 1\n<value> r = true"),
            ("c", "<endsession>\n:1"),
        ],
    );
}

#[test]
fn variables_are_shown() {
    check(
        "local a,b=1.5e100,'x\\n\"y'\nlocal t={1,2,{3,'z'},k='v'}\nlocal e={}\ne[1]=e\nfor i=1,2 do\n a=nil\nend\nreturn 1",
        &[
            ("EVAL", "* Stopped at 1, stop reason = step over\n-> 1   local a,b=1.5e100,'x\\n\"y'"),
            ("p", "No local variables in the current context."),
            ("b 6", "   5   for i=1,2 do\n  #6    a=nil\n   7   end"),
            ("c", "* Stopped at 6, stop reason = break point\n->#6    a=nil"),
            ("p a", "<value> 1.5e+100"),
            ("p b", "<value> \"x\\n\\\"y\""),
            ("p t", "<value> {[1]=1; [2]=2; [3]={3; \"z\"}; [\"k\"]=\"v\"}"),
            ("p e", "<value> {{{{{{{{{{<max recursion level reached! Nested table?>}}}}}}}}}}"),
            ("p i", "<value> 1"),
            ("p nope", "No such variable."),
            ("p KEYS", "<value> {\"k1\"}"),
            ("print ARGV", "<value> {\"a1\"; \"a 2\"}"),
            ("c", "* Stopped at 6, stop reason = break point\n->#6    a=nil"),
            ("p a", "<value> nil"),
            ("c", "<endsession>\n:1"),
        ],
    );
}

#[test]
fn calls_are_traced() {
    check(
        "local function add(a,b)\n  local c=a+b\n  return c\nend\nlocal x=add(1,2)\nreturn x",
        &[
            ("EVAL", "* Stopped at 4, stop reason = step over\n-> 4   end"),
            ("b 3", "   2     local c=a+b\n  #3     return c\n-> 4   end"),
            ("c", "* Stopped at 3, stop reason = break point\n->#3     return c"),
            ("t", "In add:\n->#3     return c\nFrom top level:\n   5   local x=add(1,2)"),
            ("p", "<value> a = 1\n<value> b = 2\n<value> c = 3"),
            ("n", "* Stopped at 6, stop reason = step over\n-> 6   return x"),
            ("c", "<endsession>\n:3"),
        ],
    );
}

#[test]
fn code_runs_beside_the_script() {
    check(
        "local a=1\nreturn a",
        &[
            ("EVAL", "* Stopped at 1, stop reason = step over\n-> 1   local a=1"),
            ("e 1+1", "<retval> 2"),
            (
                "e a",
                "<error> ldb_eval:1: Script attempted to access nonexistent global variable 'a'",
            ),
            ("e return 7", "<retval> 7"),
            ("e error('x')", "<error> ldb_eval:1: x"),
            // A real server crashes of this.
            ("e error({err='y'})", "<error> y"),
            ("e x=1", "<error> ldb_eval:1: Attempt to modify a readonly table"),
            ("e local z=1", "<retval> nil"),
            ("e )(", "<error> ldb_eval:1: unexpected symbol near ')'"),
            ("e {1,2,{3}}", "<retval> {1; 2; {3}}"),
            ("e redis.call('ping')", "<retval> {[\"ok\"]=\"PONG\"}"),
            ("e coroutine.yield(1)", "<error> attempt to yield across metamethod/C-call boundary"),
            ("e coroutine.wrap(function() return 5 end)()", "<retval> 5"),
            ("e redis.debug('x')", "<debug> line 1: \"x\"\n<retval> nil"),
            ("e", "<retval> nil"),
            ("c", "<endsession>\n:1"),
        ],
    );
}

#[test]
fn commands_are_shown_while_stepping() {
    check(
        "redis.call('ping')\nredis.debug('a',1,{2})\nredis.pcall('fail','BAD it')\nreturn redis.call('list','a','b')",
        &[
            ("EVAL", "* Stopped at 1, stop reason = step over\n-> 1   redis.call('ping')"),
            ("r echo x", "<redis> echo x\n<reply> \"x\""),
            ("server fail X", "<redis> fail X\n<error> -X\n<reply> \"-X\""),
            (
                "v list 1 2 3 4 5 6 7 8 9 10",
                "<redis> list 1 2 3 4 5 6 7 8 9 ... (0 more)\n<reply> [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\"]",
            ),
            (
                "n",
                "<redis> ping\n<reply> \"+PONG\"\n* Stopped at 2, stop reason = step over\n-> 2   redis.debug('a',1,{2})",
            ),
            (
                "n",
                "<debug> line 2: \"a\", 1, {2}\n* Stopped at 3, stop reason = step over\n-> 3   redis.pcall('fail','BAD it')",
            ),
            (
                "n",
                "<redis> fail BAD it\n<error> -BAD it\n<reply> \"-BAD it\"\n* Stopped at 4, stop reason = step over\n-> 4   return redis.call('list','a','b')",
            ),
            ("c", "<endsession>\n*2\r\n$1\r\na\r\n$1\r\nb"),
        ],
    );
}

#[test]
fn replies_of_every_kind_are_shown() {
    let mut vm = machine();
    for (bytes, shown) in [
        (":-5\r\n", "-5"),
        ("$-1\r\n", "NULL"),
        ("*-1\r\n", "NULL"),
        ("*2\r\n:1\r\n*0\r\n", "[1,[]]"),
        ("~2\r\n:1\r\n:2\r\n", "~(1,2)"),
        ("%1\r\n+a\r\n,1.5\r\n", "{\"+a\" => (double) 1.5}"),
        ("_\r\n", "(null)"),
        ("*2\r\n#t\r\n#f\r\n", "[#true,#false]"),
        ("*9999999\r\n", "["),
        ("$999\r\nx\r\n", ""),
    ] {
        let sha = Sha::of(b"return 1");
        vm.load(&sha, b"return 1").unwrap();
        let mut debugger = Debugger::new(b"return 1");
        assert!(debugger.push(&[b"r", b"raw", bytes.as_bytes()]));
        let (mut host, mut reply) = (Commands::default(), Reply::default());
        let error = vm.debug(&sha, (&[], &[]), &mut host, &mut reply, &mut debugger).unwrap_err();
        assert!(error.killed);
        let answer = debugger.take_answer();
        assert_eq!(String::from_utf8_lossy(&answer[1]), format!("<reply> {shown}"));
    }
}

#[test]
fn what_is_long_is_cut() {
    let source = "local s=string.rep('x',300)\nreturn 1";
    let whole = format!("<value> s = \"{}\"", "x".repeat(300));
    let cut = format!("<value> s = \"{} ...", "x".repeat(256 - 13));
    let hint = "<hint> The above reply was trimmed. Use 'maxlen 0' to disable trimming.";
    let shorter = format!("<value> s = \"{} ...", "x".repeat(60 - 13));
    check(
        source,
        &[
            ("EVAL", "* Stopped at 1, stop reason = step over\n-> 1   local s=string.rep('x',300)"),
            ("n", "* Stopped at 2, stop reason = step over\n-> 2   return 1"),
            ("p", &format!("{cut}\n{hint}")),
            ("p", &cut),
            ("m", "<value> replies are truncated at 256 bytes."),
            ("m 10", "<value> replies are truncated at 60 bytes."),
            ("p", &shorter),
            ("maxlen 0", "<value> replies are unlimited."),
            ("p", &whole),
            ("m -1", "<value> replies are truncated at 60 bytes."),
            ("c", "<endsession>\n:1"),
        ],
    );
}

#[test]
fn a_script_ends_by_an_error_or_by_abort() {
    let sha =
        |source: &str| String::from_utf8_lossy(Sha::of(source.as_bytes()).as_bytes()).into_owned();
    let source = "local a=1\nerror('boom')";
    check(
        source,
        &[
            ("EVAL", "* Stopped at 1, stop reason = step over\n-> 1   local a=1"),
            (
                "c",
                &format!(
                    "<endsession>\n-ERR user_script:2: boom script: {}, on @user_script:2.",
                    sha(source)
                ),
            ),
        ],
    );
    // A real server lets the script catch this.
    let source = "pcall(function()\n local b=2\nend)\nreturn 5";
    check(
        source,
        &[
            ("EVAL", "* Stopped at 1, stop reason = step over\n-> 1   pcall(function()"),
            ("n", "* Stopped at 3, stop reason = step over\n-> 3   end)"),
            ("n", "* Stopped at 1, stop reason = step over\n-> 1   pcall(function()"),
            ("n", "* Stopped at 2, stop reason = step over\n-> 2    local b=2"),
            (
                "a",
                &format!(
                    "<endsession>\n-ERR script aborted for user request script: {}, on @user_script:1.",
                    sha(source)
                ),
            ),
        ],
    );
}

#[test]
fn coroutines_are_stepped_through() {
    check(
        "local co=coroutine.create(function(a)\n local b=a+1\n return b\nend)\nlocal ok,v=coroutine.resume(co,1)\nreturn v",
        &[
            (
                "EVAL",
                "* Stopped at 1, stop reason = step over\n-> 1   local co=coroutine.create(function(a)",
            ),
            ("n", "* Stopped at 4, stop reason = step over\n-> 4   end)"),
            (
                "n",
                "* Stopped at 1, stop reason = step over\n-> 1   local co=coroutine.create(function(a)",
            ),
            (
                "n",
                "* Stopped at 5, stop reason = step over\n-> 5   local ok,v=coroutine.resume(co,1)",
            ),
            ("n", "* Stopped at 2, stop reason = step over\n-> 2    local b=a+1"),
            ("p a", "<value> 1"),
            ("n", "* Stopped at 3, stop reason = step over\n-> 3    return b"),
            ("n", "* Stopped at 6, stop reason = step over\n-> 6   return v"),
            ("n", "<endsession>\n:2"),
        ],
    );
}

#[test]
fn each_run_draws_the_same_numbers() {
    let source = "local a=math.random(1000000)\nlocal b=math.random(1000000)\nreturn 1";
    let answers = ended(&mut machine(), source, &["n", "p a", "n", "p a", "p b", "c"]);
    assert_eq!(answers[2], answers[4]);
    assert_ne!(answers[4], answers[5]);
}

#[test]
fn a_stopped_script_leaves_the_machine_as_it_was() {
    let mut vm = machine();
    let plain = |vm: &mut Vm| {
        let sha = Sha::of(b"return {redis.breakpoint(), redis.debug(1)}");
        vm.load(&sha, b"return {redis.breakpoint(), redis.debug(1)}").unwrap();
        let mut reply = Reply::default();
        vm.run(&sha, &[], &[], &mut Commands::default(), &mut reply).unwrap();
        reply.out.to_vec()
    };
    let before = plain(&mut vm);
    ended(&mut vm, "while true do pcall(error) end", &["n", "n", "e KEYS.f=1", "n"]);
    assert_eq!(plain(&mut vm), before);
}

#[test]
fn endless_code_is_stopped_by_the_host() {
    let mut vm = machine();
    let sha = Sha::of(b"return 1");
    vm.load(&sha, b"return 1").unwrap();
    let mut debugger = Debugger::new(b"return 1");
    assert!(debugger.push(&[b"e", b"while true do end"]));
    let (mut host, mut reply) =
        (Commands { pulses_max: 50, ..Commands::default() }, Reply::default());
    let error = vm.debug(&sha, (&[], &[]), &mut host, &mut reply, &mut debugger).unwrap_err();
    assert!(error.killed && !debugger.stopped() && !debugger.aborted());
}

#[test]
fn a_session_is_bounded() {
    let mut debugger = Debugger::new(b"return 1");
    assert!((0..COMMANDS_MAX).all(|_| debugger.push(&[b"n"])));
    assert!(!debugger.push(&[b"n"]));
    debugger.pop();
    assert!(debugger.push(&[b"n"]));
    assert!(!Debugger::new(b"").push(&[&[b'x'; 1 << 20]]));
}
