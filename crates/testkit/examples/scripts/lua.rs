//! Makes scripts: every value in them follows from the seed and from the data that they meet.
//!
//! A script is a list of statements, each whole by itself, so that any of them can be left out, and an
//! expression that is returned. Expressions have a type, which is wrong now and then on purpose.

use stdx::rng::Rng;

/// Lua in the making.
pub(crate) struct Lua {
    pub rng: Rng,
    /// Local variables so far, by type.
    numbers: usize,
    texts: usize,
    tables: usize,
}

/// A script.
#[derive(Clone)]
pub(crate) struct Script {
    pub statements: Vec<String>,
    pub result: String,
}

impl Script {
    pub(crate) fn source(&self) -> String {
        let mut source = String::new();
        for statement in &self.statements {
            source.push_str(statement);
            source.push('\n');
        }
        source.push_str("return ");
        source.push_str(&self.result);
        source
    }
}

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "-1",
    "3.5",
    "-0.5",
    "0.1",
    "10",
    "255",
    "256",
    "65536",
    "2147483647",
    "-2147483648",
    "4294967296",
    "9007199254740992",
    "1e15",
    "1e16",
    "1e100",
    "-1e-7",
    "123456789.125",
    "0x1F",
    "1/3",
    "math.huge",
    "-math.huge",
    "0/0",
    "math.pi",
    "2^31",
    "2^53 + 1",
];

const TEXTS: &[&str] = &[
    "''",
    "'a'",
    "'hello'",
    "'Hello World'",
    "'10'",
    "'-3.25'",
    "' 7 '",
    "'0x10'",
    "'1e3'",
    "'nan'",
    "'inf'",
    "'a,b,,c'",
    "'key=value; other=thing'",
    "'\\0\\1\\255'",
    "'\\r\\n'",
    "'\\\"q\\\\'",
    "'%d %s'",
    "'üñí'",
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'",
    "'[1,2,{\"a\":null}]'",
    "'{\"x\":1.5}'",
    "'...'",
    "'x-y_z'",
];

const PATTERNS: &[&str] = &[
    "'%a+'",
    "'%d+'",
    "'(%w+)=(%w+)'",
    "'[^,]*'",
    "'^%s*(.-)%s*$'",
    "'.'",
    "'l+'",
    "'%f[%w]%w+'",
    "'(a)(b)?'",
    "'%b{}'",
    "'()ll()'",
    "'[a-f0-9]'",
    "'%S'",
    "'$'",
    "'^'",
    "'(h)(.)%2'",
    "'[%z\\1]'",
    "'%'",
    "'[a'",
    "'(a'",
];

const FORMATS: &[&str] = &[
    "'%d'",
    "'%5d|'",
    "'%-5d|'",
    "'%05d'",
    "'%+d'",
    "'%x'",
    "'%X'",
    "'%#x'",
    "'%o'",
    "'%c'",
    "'%e'",
    "'%.3f'",
    "'%g'",
    "'%.14g'",
    "'%10.4s|'",
    "'%i'",
    "'%u'",
    "'%5.1f|'",
    "'%%'",
    "'%.20s'",
    "'%G'",
    "'%y'",
    "'%'",
];

const STRUCTS: &[&str] = &[
    "'>I2i4'", "'<hH'", "'!4bi8'", "'s'", "'>d'", "'<f'", "'c5'", "'bBhH'", "'=lL'", "'xb'",
    "'>I3'", "'i9'", "'z'",
];

/// A command with what stands for its arguments: K a key, N a number, S a text, F a field.
const CALLS: &[&str] = &[
    "SET K S",
    "SET K N",
    "GET K",
    "INCR K",
    "INCRBY K N",
    "INCRBYFLOAT K N",
    "APPEND K S",
    "STRLEN K",
    "GETRANGE K N N",
    "SETRANGE K 3 S",
    "SETBIT K 7 1",
    "GETBIT K N",
    "BITCOUNT K",
    "LPUSH K S N",
    "RPUSH K S",
    "LRANGE K 0 -1",
    "LPOP K",
    "RPOP K 2",
    "LLEN K",
    "LINDEX K N",
    "LSET K 0 S",
    "LINSERT K BEFORE S S",
    "LREM K 0 S",
    "LTRIM K 0 5",
    "LPOS K S",
    "LMOVE K K LEFT RIGHT",
    "SADD K S N",
    "SISMEMBER K S",
    "SCARD K",
    "SREM K S",
    "SMISMEMBER K S N",
    "HSET K F S",
    "HSET K F N F S",
    "HGET K F",
    "HDEL K F",
    "HLEN K",
    "HEXISTS K F",
    "HINCRBY K F N",
    "HINCRBYFLOAT K F N",
    "HMGET K F F",
    "HKEYS K",
    "HVALS K",
    "HGETALL K",
    "HSTRLEN K F",
    "HSETNX K F S",
    "ZADD K N S",
    "ZADD K 1 S 2 F",
    "ZRANGE K 0 -1",
    "ZRANGE K 0 -1 WITHSCORES",
    "ZSCORE K S",
    "ZINCRBY K N S",
    "ZCARD K",
    "ZRANK K S",
    "ZRANGEBYSCORE K -inf +inf",
    "ZCOUNT K 0 N",
    "ZPOPMIN K",
    "ZREM K S",
    "ZMSCORE K S F",
    "ZREVRANGE K 0 1 WITHSCORES",
    "DEL K",
    "UNLINK K K",
    "EXISTS K K",
    "TYPE K",
    "PERSIST K",
    "TTL K",
    "PEXPIRE K 100000",
    "RENAME K K",
    "COPY K K",
    "MSET K S K N",
    "MGET K K K",
    "SETNX K S",
    "GETSET K S",
    "GETDEL K",
    "PFADD K S N",
    "PFCOUNT K",
    "XADD K 1-1 F S",
    "XLEN K",
    "XRANGE K - +",
    "SINTER K K",
    "SDIFF K K",
    "GEOADD K 13.36 38.11 S",
    "GEODIST K S F",
    "OBJECT ENCODING K",
    "PING",
    "PING S",
    "ECHO S",
    "DBSIZE",
    "SELECT 1",
    "SELECT 0",
    "NOPE",
    "GET",
    "SET K",
    "HSET K F",
    "MULTI",
    "SUBSCRIBE S",
    "BLPOP K 0",
    "SETEX K 0 S",
    "SORT K ALPHA",
    "LCS K K",
    "SUBSTR K 0 N",
    "SCRIPT LOAD S",
    "EVAL S 0",
    "BITOP AND K K K",
    "EXPIRE K N",
    "ZADD K S S",
];

impl Lua {
    pub(crate) fn new(rng: Rng) -> Self {
        Self { rng, numbers: 0, texts: 0, tables: 0 }
    }

    fn pick<'p>(&mut self, from: &[&'p str]) -> &'p str {
        from[self.rng.index(from.len())]
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.rng.index(one_in) == 0
    }

    pub(crate) fn script(&mut self) -> Script {
        (self.numbers, self.texts, self.tables) = (0, 0, 0);
        let mut statements = Vec::new();
        if self.chance(12) {
            statements.push("redis.setresp(3)".into());
        }
        for _ in 0..1 + self.rng.index(6) {
            let statement = self.statement(3);
            statements.push(statement);
        }
        Script { statements, result: self.value(3) }
    }

    fn statement(&mut self, depth: usize) -> String {
        match self.rng.index(12) {
            0 | 1 => {
                let value = self.number(depth);
                self.numbers += 1;
                format!("local n{} = {value}", self.numbers)
            }
            2 | 3 => {
                let value = self.text(depth);
                self.texts += 1;
                format!("local s{} = {value}", self.texts)
            }
            4 => {
                let value = self.table(depth);
                self.tables += 1;
                format!("local t{} = {value}", self.tables)
            }
            5 | 6 => self.call("pcall", depth),
            7 => self.call("call", depth),
            8 if self.tables > 0 => self.change(depth),
            9 if depth > 0 => {
                let (truth, inner) = (self.truth(depth - 1), self.statement(depth - 1));
                format!("if {truth} then {inner} end")
            }
            10 if depth > 0 => {
                let (count, inner) = (1 + self.rng.index(4), self.statement(depth - 1));
                format!("for i = 1, {count} do {inner} end")
            }
            _ => {
                let value = self.value(depth);
                self.tables += 1;
                format!("local t{} = {{pcall(function() return {value} end)}}", self.tables)
            }
        }
    }

    /// A change of a table; no table goes into another, or some would go into themselves.
    fn change(&mut self, depth: usize) -> String {
        let depth = depth.max(1);
        let table = format!("t{}", 1 + self.rng.index(self.tables));
        match self.rng.index(6) {
            0 => format!("table.insert({table}, {})", self.scalar(depth - 1)),
            1 => format!("table.remove({table}, {})", self.rng.index(3)),
            2 => {
                format!("table.sort({table}, function(a, b) return type(a) < type(b) end)")
            }
            3 => format!("{table}[{}] = {}", 1 + self.rng.index(5), self.scalar(depth - 1)),
            4 => format!("{table}['f{}'] = {}", self.rng.index(3), self.scalar(depth - 1)),
            _ => format!("table.sort({table})"),
        }
    }

    fn key(&mut self) -> String {
        match self.rng.index(8) {
            0 => "KEYS[1]".into(),
            1 => "KEYS[2]".into(),
            n => format!("'k{}'", n % 6),
        }
    }

    fn call(&mut self, how: &str, depth: usize) -> String {
        let template = self.pick(CALLS);
        let mut words = Vec::new();
        for word in template.split(' ') {
            words.push(match word {
                "K" => self.key(),
                "N" => self.small(depth.saturating_sub(1)),
                "S" => self.text(depth.saturating_sub(1)),
                "F" => format!("'f{}'", self.rng.index(4)),
                word => format!("'{word}'"),
            });
        }
        if self.chance(60) {
            words.push(self.value(1));
        }
        format!("redis.{how}({})", words.join(", "))
    }

    /// A number as commands are given them.
    fn small(&mut self, depth: usize) -> String {
        if self.chance(4) { self.number(depth) } else { self.rng.index(20).to_string() }
    }

    fn number(&mut self, depth: usize) -> String {
        if depth == 0 || self.chance(4) {
            let numbers = self.numbers;
            return match numbers {
                0 => self.pick(NUMBERS).into(),
                _ if self.chance(2) => self.pick(NUMBERS).into(),
                count => format!("n{}", 1 + self.rng.index(count)),
            };
        }
        let d = depth - 1;
        match self.rng.index(14) {
            0..=4 => {
                let operator = self.pick(&["+", "-", "*", "/", "%", "^"]);
                format!("({} {operator} {})", self.number(d), self.number(d))
            }
            5 => {
                let function = self.pick(&["floor", "ceil", "abs", "sqrt", "deg", "exp", "sin"]);
                format!("math.{function}({})", self.number(d))
            }
            6 => {
                let function = self.pick(&["max", "min", "fmod"]);
                format!("math.{function}({}, {})", self.number(d), self.number(d))
            }
            7 => format!("#{}", self.text(d)),
            8 => format!("#{}", self.table(d)),
            9 => format!("(tonumber({}) or {})", self.text(d), self.number(d)),
            10 => {
                let function =
                    self.pick(&["band", "bor", "bxor", "lshift", "rshift", "arshift", "rol"]);
                format!("bit.{function}({}, {})", self.number(d), self.small(d))
            }
            11 => {
                let function = self.pick(&["bnot", "tobit", "bswap"]);
                format!("bit.{function}({})", self.number(d))
            }
            12 => format!("(string.byte({}, {}) or 0)", self.text(d), self.rng.index(6)),
            _ => format!("select('#', {})", self.value(d)),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        if depth == 0 || self.chance(4) {
            return match self.rng.index(5) {
                0 => "ARGV[1]".into(),
                1 => "ARGV[2]".into(),
                2 if self.texts > 0 => format!("s{}", 1 + self.rng.index(self.texts)),
                _ => self.pick(TEXTS).into(),
            };
        }
        let d = depth - 1;
        match self.rng.index(19) {
            0 | 1 => format!("({} .. {})", self.text(d), self.text(d)),
            2 => format!("({} .. {})", self.number(d), self.text(d)),
            3 => format!("tostring({})", self.scalar(d)),
            4 => format!("string.rep({}, {})", self.text(d), self.rng.index(4)),
            5 => format!("string.sub({}, {}, {})", self.text(d), self.small(d), self.small(d)),
            6 => {
                let function = self.pick(&["upper", "lower", "reverse"]);
                format!("string.{function}({})", self.text(d))
            }
            7 => format!("string.format({}, {})", self.pick(FORMATS), self.scalar(d)),
            8 => format!("string.format('%q', {})", self.text(d)),
            9 => {
                let with = self.pick(&[
                    "'<%0>'",
                    "'%1'",
                    "''",
                    "string.upper",
                    "{l = 'L', a = 1}",
                    "'%9'",
                ]);
                format!("(string.gsub({}, {}, {with}))", self.text(d), self.pick(PATTERNS))
            }
            10 => format!("tostring(string.match({}, {}))", self.text(d), self.pick(PATTERNS)),
            11 => format!("tostring(string.find({}, {}))", self.text(d), self.pick(PATTERNS)),
            12 => format!("cjson.encode({})", self.value(d)),
            13 => format!("redis.sha1hex(cmsgpack.pack({}))", self.value(d)),
            14 => format!("redis.sha1hex({})", self.text(d)),
            15 => {
                let form = self.pick(STRUCTS);
                format!(
                    "redis.sha1hex(struct.pack({form}, {}, {}))",
                    self.scalar(d),
                    self.scalar(d)
                )
            }
            16 => format!("bit.tohex({})", self.number(d)),
            17 => format!("type({})", self.value(d)),
            _ => format!("table.concat({}, {})", self.table(d), self.pick(&["','", "''", "1"])),
        }
    }

    fn truth(&mut self, depth: usize) -> String {
        match self.rng.index(6) {
            0 => "true".into(),
            1 => format!("{} == {}", self.scalar(depth), self.scalar(depth)),
            2 => format!("{} < {}", self.number(depth), self.number(depth)),
            3 => format!("{} <= {}", self.text(depth), self.text(depth)),
            4 => format!("not {}", self.scalar(depth)),
            _ => format!("{} ~= nil and false", self.scalar(depth)),
        }
    }

    fn scalar(&mut self, depth: usize) -> String {
        match self.rng.index(9) {
            0..=3 => self.number(depth),
            4..=6 => self.text(depth),
            7 => self.pick(&["true", "false", "nil"]).into(),
            _ => format!("({})", self.truth(depth.saturating_sub(1))),
        }
    }

    fn table(&mut self, depth: usize) -> String {
        if self.tables > 0 && self.chance(3) {
            return format!("t{}", 1 + self.rng.index(self.tables));
        }
        let d = depth.saturating_sub(1);
        match self.rng.index(9) {
            0..=3 => {
                let values: Vec<String> = (0..self.rng.index(5)).map(|_| self.value(d)).collect();
                format!("{{{}}}", values.join(", "))
            }
            4 => format!("{{f{} = {}}}", self.rng.index(3), self.value(d)),
            5 => format!(
                "{{{}, f1 = {}, [{}] = 1}}",
                self.value(d),
                self.value(d),
                self.rng.index(4)
            ),
            6 => {
                let with = self.pick(&["ok", "err", "double", "big_number", "map", "set"]);
                format!("{{{with} = {}}}", self.value(d))
            }
            7 => format!("{{cjson.decode({})}}", self.text(d)),
            _ => format!("{{cmsgpack.unpack(cmsgpack.pack({}))}}", self.value(d)),
        }
    }

    fn value(&mut self, depth: usize) -> String {
        match self.rng.index(12) {
            0..=5 => self.scalar(depth),
            6..=8 if depth > 0 => self.table(depth),
            9 if depth > 0 => self.call("pcall", depth - 1),
            10 if depth > 0 => {
                let raised =
                    self.pick(&["'boom'", "{err = 'MY error'}", "nil", "{1}", "12", "'a', 0"]);
                format!("select(2, pcall(function() error({raised}) end))")
            }
            11 if depth > 0 => {
                let function = self.pick(&["error_reply", "status_reply"]);
                format!("redis.{function}({})", self.text(depth - 1))
            }
            _ => self.number(depth.saturating_sub(1)),
        }
    }
}
