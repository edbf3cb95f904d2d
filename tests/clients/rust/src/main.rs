//! A session of redis-rs, in RESP3 and RESP2, over TCP and the Unix socket, against a running server.
//!
//! usage: almagre-client-tests PORT UNIX_SOCKET

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use redis::{Client, Commands, Connection, ErrorKind, RedisError, RedisResult, Value, cmd, pipe};

struct Session {
    con: Connection,
    /// Opens another connection of the same kind to a database.
    open: Box<dyn Fn(i64) -> RedisResult<Connection>>,
}

type Test = fn(&mut Session) -> RedisResult<()>;

const TESTS: &[(&str, Test)] = &[
    ("strings", strings),
    ("keys", keys),
    ("expiry", expiry),
    ("scan", scan),
    ("pipelines", pipelines),
    ("binary_and_large", binary_and_large),
    ("databases", databases),
    ("introspection", introspection),
    ("errors", errors),
    ("reconnect", reconnect),
];

fn strings(s: &mut Session) -> RedisResult<()> {
    let c = &mut s.con;
    let () = c.set("s", "one")?;
    assert_eq!(c.get::<_, String>("s")?, "one");
    assert_eq!(c.get::<_, Option<String>>("none")?, None);
    assert!(!c.set_nx::<_, _, bool>("s", "two")?);
    assert_eq!(c.append::<_, _, usize>("s", "!")?, 4);
    assert_eq!(c.getrange::<_, String>("s", 1, -1)?, "ne!");
    assert_eq!(c.incr::<_, _, i64>("n", 40)?, 40);
    assert_eq!(c.decr::<_, _, i64>("n", 50)?, -10);
    assert_eq!(c.incr::<_, _, f64>("f", 2.5)?, 2.5);
    let () = c.mset(&[("a", 1), ("b", 2)])?;
    assert_eq!(c.mget::<_, Vec<Option<i64>>>(&["a", "none", "b"])?, [Some(1), None, Some(2)]);
    assert_eq!(c.get_del::<_, Option<String>>("s")?.as_deref(), Some("one!"));
    Ok(())
}

fn keys(s: &mut Session) -> RedisResult<()> {
    let c = &mut s.con;
    let () = c.mset(&[("k1", 1), ("k2", 2), ("k3", 3)])?;
    let found: BTreeSet<String> = c.keys("k[12]")?;
    assert_eq!(found, BTreeSet::from(["k1".into(), "k2".into()]));
    assert_eq!(c.exists::<_, i64>(&["k1", "k1", "none"])?, 2);
    let () = c.rename("k1", "r1")?;
    assert!(!c.rename_nx::<_, _, bool>("k2", "k3")?);
    assert_eq!(c.del::<_, i64>(&["k2", "none"])?, 1);
    assert_eq!(c.unlink::<_, i64>("k3")?, 1);
    assert_eq!(cmd("DBSIZE").query::<i64>(c)?, 1);
    assert_eq!(cmd("TYPE").arg("r1").query::<String>(c)?, "string");
    Ok(())
}

fn expiry(s: &mut Session) -> RedisResult<()> {
    let c = &mut s.con;
    let () = c.set_ex("e", "v", 100)?;
    assert!((61..=100).contains(&c.ttl::<_, i64>("e")?));
    assert!(c.persist::<_, bool>("e")?);
    assert_eq!(c.ttl::<_, i64>("e")?, -1);
    assert!(c.pexpire::<_, bool>("e", 20)?);
    let begin = Instant::now();
    while c.exists("e")? {
        assert!(begin.elapsed() < Duration::from_secs(100), "a key outlived its TTL");
    }
    assert_eq!(c.ttl::<_, i64>("e")?, -2);
    Ok(())
}

fn scan(s: &mut Session) -> RedisResult<()> {
    let mut batch = pipe();
    for i in 0..3000 {
        batch.set(format!("scan:{i}"), i).ignore();
    }
    let () = batch.query(&mut s.con)?;
    let seen = s.con.scan_match::<_, String>("scan:*")?.collect::<RedisResult<BTreeSet<_>>>()?;
    assert_eq!(seen.len(), 3000);
    Ok(())
}

fn pipelines(s: &mut Session) -> RedisResult<()> {
    let mut batch = pipe();
    for _ in 0..5000 {
        batch.incr("n", 1);
    }
    let replies: Vec<i64> = batch.query(&mut s.con)?;
    assert!(replies.into_iter().eq(1..=5000));
    Ok(())
}

fn binary_and_large(s: &mut Session) -> RedisResult<()> {
    let bytes: Vec<u8> = (0..=255).chain(*b"\r\n\0").collect();
    let () = s.con.set(&bytes, &bytes)?;
    assert_eq!(s.con.get::<_, Vec<u8>>(&bytes)?, bytes);
    let large: Vec<u8> = bytes.iter().copied().cycle().take(10 << 20).collect();
    let () = s.con.set("large", &large)?;
    assert!(s.con.get::<_, Vec<u8>>("large")? == large);
    Ok(())
}

fn databases(s: &mut Session) -> RedisResult<()> {
    let mut other = (s.open)(7)?;
    let () = s.con.set("here", 0)?;
    assert_eq!(other.get::<_, Option<i64>>("here")?, None);
    let () = other.set("there", 7)?;
    let () = cmd("SELECT").arg(7).query(&mut s.con)?;
    assert_eq!(s.con.get::<_, i64>("there")?, 7);
    assert!((s.open)(1000).is_err());
    Ok(())
}

fn introspection(s: &mut Session) -> RedisResult<()> {
    let c = &mut s.con;
    let () = cmd("CLIENT").arg("SETNAME").arg("rust").query(c)?;
    assert!(cmd("CLIENT").arg("INFO").query::<String>(c)?.contains(" name=rust "));
    assert!(cmd("INFO").query::<redis::InfoDict>(c)?.get::<String>("redis_version").is_some());
    let limits: BTreeMap<String, String> = cmd("CONFIG").arg("GET").arg("maxclients").query(c)?;
    assert!(limits["maxclients"].parse::<u32>().is_ok());
    assert!(cmd("COMMAND").arg("COUNT").query::<i64>(c)? > 50);
    let got: Vec<String> = cmd("COMMAND").arg("GETKEYS").arg("GET").arg("x").query(c)?;
    assert_eq!(got, ["x"]);
    Ok(())
}

fn failure<T: std::fmt::Debug>(result: RedisResult<T>) -> RedisError {
    result.expect_err("the server must refuse")
}

fn errors(s: &mut Session) -> RedisResult<()> {
    let c = &mut s.con;
    let unknown = failure(cmd("NOSUCH").query::<Value>(c));
    assert!(unknown.to_string().contains("unknown command"), "{unknown}");
    let arity = failure(cmd("GET").query::<Value>(c));
    assert!(arity.to_string().contains("wrong number of arguments"), "{arity}");
    let () = c.set("word", "x")?;
    let kind = failure(c.incr::<_, _, i64>("word", 1));
    assert!(kind.to_string().contains("not an integer"), "{kind}");
    assert_ne!(kind.kind(), ErrorKind::Io);
    assert_eq!(c.get::<_, String>("word")?, "x");
    Ok(())
}

fn reconnect(s: &mut Session) -> RedisResult<()> {
    let mut victim = (s.open)(0)?;
    let id: i64 = cmd("CLIENT").arg("ID").query(&mut victim)?;
    assert_eq!(cmd("CLIENT").arg("KILL").arg("ID").arg(id).query::<i64>(&mut s.con)?, 1);
    let broken = failure(cmd("PING").query::<String>(&mut victim));
    assert!(broken.is_connection_dropped() || broken.is_io_error(), "{broken}");
    let mut again = (s.open)(0)?;
    assert!(cmd("CLIENT").arg("ID").query::<i64>(&mut again)? > id);
    Ok(())
}

fn session(address: &str, protocol: &str) -> RedisResult<Session> {
    let unix = address.starts_with('/');
    let address = address.to_owned();
    let protocol = protocol.to_owned();
    let open = Box::new(move |db: i64| {
        let url = if unix {
            format!("redis+unix://{address}?db={db}&protocol={protocol}")
        } else {
            format!("redis://{address}/{db}?protocol={protocol}")
        };
        let con = Client::open(url)?.get_connection()?;
        con.set_read_timeout(Some(Duration::from_secs(100)))?;
        Ok(con)
    });
    let mut con = open(0)?;
    let () = cmd("FLUSHALL").query(&mut con)?;
    Ok(Session { con, open })
}

fn main() {
    let mut args = std::env::args().skip(1);
    let port = args.next().expect("usage: almagre-client-tests PORT UNIX_SOCKET");
    let unix = args.next().expect("usage: almagre-client-tests PORT UNIX_SOCKET");
    let (mut passed, mut failed) = (0, 0);
    for (place, address) in [("tcp", format!("127.0.0.1:{port}")), ("unix", unix)] {
        for protocol in ["resp3", "resp2"] {
            for (name, test) in TESTS {
                let result = catch_unwind(AssertUnwindSafe(|| {
                    session(&address, protocol).and_then(|mut s| test(&mut s))
                }));
                match result {
                    Ok(Ok(())) => {
                        passed += 1;
                        println!("ok    redis-rs {place} {protocol} {name}");
                    }
                    Ok(Err(error)) => {
                        failed += 1;
                        println!("FAIL  redis-rs {place} {protocol} {name}: {error}");
                    }
                    Err(_) => {
                        failed += 1;
                        println!("FAIL  redis-rs {place} {protocol} {name}: see the panic above");
                    }
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    std::process::exit(i32::from(failed > 0));
}
