//! Scripts with the replies that a real server gave to them: `recorded.txt`.

use super::{Commands, machine, run_with};
use resp::Protocol;

/// Defines `S`, which shows a value, and `T`, which shows what a call returns or how it fails. On one line,
/// as positions count, and byte for byte what was sent when the replies were recorded.
const PRELUDE: &str = "local function S(v,d) d=d or 0 local t=type(v) if t=='number' then return \
    string.format('%.17g',v) elseif t=='string' then return string.format('%q',v) elseif \
    t=='table' then if d>6 then return '...' end local ks={} for k in pairs(v) do ks[#ks+1]=k \
    end table.sort(ks,function(a,b) if type(a)==type(b) and type(a)~='table' and \
    type(a)~='boolean' then return a<b end return type(a)..tostring(a)<type(b)..tostring(b) \
    end) local o={} for _,k in ipairs(ks) do o[#o+1]='['..S(k,d+1)..']='..S(v[k],d+1) end \
    return '{'..table.concat(o,',')..'}' elseif t=='function' or t=='thread' or t=='userdata' \
    then return t end return tostring(v) end local function T(f,...) local r={pcall(f,...)} \
    local o={} local n=0 for k in pairs(r) do if k>n then n=k end end for i=1,n do \
    o[i]=S(r[i]) end return table.concat(o,' ') end ";

#[test]
fn replies_are_those_of_a_real_server() {
    let (mut vm, mut host) = (machine(), Commands::default());
    let mut block = "";
    let mut lines = include_str!("recorded.txt").lines().filter(|line| !line.is_empty());
    let mut wrong = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with("# ") {
            continue;
        }
        if let Some(title) = line.strip_prefix("== ") {
            block = title;
            continue;
        }
        let expected = lines.next().and_then(|line| line.strip_prefix('\t')).expect("a reply");
        let source = match block {
            "values" => format!("{PRELUDE}return {line}"),
            _ if line.starts_with("\\n") || line.starts_with("#!") => line.replace("\\n", "\n"),
            _ => line.to_owned(),
        };
        let protocol = if block == "resp3" { Protocol::Resp3 } else { Protocol::Resp2 };
        let reply = run_with(&mut vm, &mut host, protocol, &source, &[b"a1", b"2"]);
        if reply.escape_ascii().to_string() != expected {
            wrong.push(format!(
                "{line}\n  expected {expected}\n  got      {}",
                reply.escape_ascii()
            ));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
