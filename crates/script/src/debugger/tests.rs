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
