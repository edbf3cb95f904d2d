//! Every error a client can see from a command, worded once and exactly as Redis words it.

use std::fmt;

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)*) => {
        /// An error reply. The first word of its text is the code that clients match on.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum CommandError {
            $($(#[$doc])* $name,)*
            /// A text with something of the request in it; with its code, without the dash. Bytes,
            /// since requests are.
            Text(Box<[u8]>),
        }

        impl CommandError {
            /// The line without the leading dash.
            pub fn text(&self) -> &[u8] {
                match self {
                    $(Self::$name => str::as_bytes($text),)*
                    Self::Text(text) => text,
                }
            }
        }
    };
}

errors! {
    Syntax = "ERR syntax error";
    WrongType = "WRONGTYPE Operation against a key holding the wrong kind of value";
    NoSuchKey = "ERR no such key";
    BusyKey = "BUSYKEY Target key name already exists.";
    BadDataFormat = "ERR Bad data format";
    DumpChecksum = "ERR DUMP payload version or checksum are wrong";
    MigrateKeys = "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string";
    MigrateWaits = "ERR MIGRATE waits for another server, so it is not for transactions and scripts";
    MigrateTwice = "ERR a key is being migrated by another client";
    MigrateRestless = "ERR keys change faster than they can be migrated: they are kept, and older values are at the target";
    TargetConnect = "IOERR error or timeout connecting to the client";
    TargetWrite = "IOERR error or timeout writing to target instance";
    TargetRead = "IOERR error or timeout reading to target instance";
    InvalidTtl = "ERR Invalid TTL value, must be >= 0";
    InvalidIdletime = "ERR Invalid IDLETIME value, must be >= 0";
    InvalidFreq = "ERR Invalid FREQ value, must be >= 0 and <= 255";
    NotAnInteger = "ERR value is not an integer or out of range";
    NotAFloat = "ERR value is not a valid float";
    OutOfRange = "ERR value is out of range";
    NotZeroOrOne = "ERR value is out of range, value must between 0 and 1";
    MustBePositive = "ERR value is out of range, must be positive";
    IndexOutOfRange = "ERR index out of range";
    OffsetOutOfRange = "ERR offset is out of range";
    BitOffset = "ERR bit offset is not an integer or out of range";
    BitValue = "ERR bit is not an integer or out of range";
    BitArgument = "ERR The bit argument must be 1 or 0.";
    BitopNot = "ERR BITOP NOT must be called with a single source key.";
    BitfieldType = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";
    BitfieldOverflow = "ERR Invalid OVERFLOW type specified";
    BitfieldReadOnly = "ERR BITFIELD_RO only supports the GET subcommand";
    NotHll = "WRONGTYPE Key is not a valid HyperLogLog string value.";
    CorruptHll = "INVALIDOBJ Corrupted HLL object detected";
    HllNotSparse = "ERR HLL encoding is not sparse";
    HllSimd = "ERR Argument must be ON or OFF";
    KeyDoesNotExist = "ERR The specified key does not exist";
    IncrementOverflow = "ERR increment or decrement would overflow";
    DecrementOverflow = "ERR decrement would overflow";
    IncrementNotFinite = "ERR increment would produce NaN or Infinity";
    StringTooLong = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    DbIndexOutOfRange = "ERR DB index is out of range";
    InvalidDbIndex = "ERR invalid DB index";
    InvalidFirstDbIndex = "ERR invalid first DB index";
    InvalidSecondDbIndex = "ERR invalid second DB index";
    ReplicaofByReplica = "ERR Command is not valid when client is a replica.";
    InvalidMasterPort = "ERR Invalid master port";
    NoCluster = "ERR This instance has cluster support disabled";
    FailoverNoReplicas = "ERR FAILOVER requires connected replicas.";
    FailoverNotRunning = "ERR No failover in progress.";
    FailoverTimeout = "ERR FAILOVER timeout must be greater than 0";
    NoReplica = "ERR this version cannot be a replica";
    ResetReplica = "ERR can only reset normal connections";
    SyncPending = "ERR SYNC and PSYNC are invalid with pending output";
    SyncFilterNeedsEof = "ERR Filtered replica requires EOF capability";
    FailoverAtPrimary = "ERR PSYNC FAILOVER can't be sent to a master.";
    FilterMissing = "ERR Missing rdb-filter-only values";
    SameObject = "ERR source and destination objects are the same";
    /// A number that the C type `int` does not hold.
    NotAnInt = "ERR value is out of range, value must between -2147483648 and 2147483647";
    InvalidCursor = "ERR invalid cursor";
    InvalidKeyArguments = "ERR Invalid arguments specified for command";
    NoKeyArguments = "ERR The command has no key arguments";
    InvalidCommand = "ERR Invalid command specified";
    WrongNumberForCommand = "ERR Invalid number of arguments specified for command";
    UnknownNode = "ERR unknown node";
    DigestLength = "ERR must be exactly 16 hexadecimal characters";
    InvalidDelexCondition = "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE";
    ConditionNeedsString = "ERR Key should be of string type if conditions are specified";
    NumkeysTooSmall = "ERR numkeys should be greater than 0";
    NumkeysTooLarge = "ERR Number of keys can't be greater than number of args";
    NovaluesNotHscan = "ERR NOVALUES option can only be used in HSCAN";
    CountTooSmall = "ERR count should be greater than 0";
    /// The least 64-bit integer, where its negative is needed.
    NotNegatable = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
    LposRankZero = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list";
    LposCountNegative = "ERR COUNT can't be negative";
    LposMaxlenNegative = "ERR MAXLEN can't be negative";
    SortNotNumbers = "ERR One or more scores can't be converted into double";
    InvalidNumkeys = "ERR invalid numkeys value";
    WrongNumberOfPairs = "ERR wrong number of key-value pairs";
    EnxNeedsExpiration = "ERR ENX flag requires an expiration";
    BoundsCrossed = "ERR LBOUND can't be greater than UBOUND";
    InfiniteIncrement = "ERR BYFLOAT increment cannot be Infinity";
    InfiniteValue = "ERR value cannot be Infinity";
    AppliedOverflow = "ERR applied increment would overflow";
    AppliedInfinite = "ERR applied increment would be Infinity";
    HashValueNotInteger = "ERR hash value is not an integer";
    HashValueNotFloat = "ERR hash value is not a float";
    NanOrInfinity = "ERR value is NaN or Infinity";
    RandomCountOutOfRange = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
    FieldsMissing = "ERR Mandatory argument FIELDS is missing or not at the right position";
    FieldsNotPositive = "ERR Number of fields must be a positive integer";
    FieldsNotAboveZero = "ERR Parameter `numFields` should be greater than 0";
    FieldsMismatch = "ERR The `numfields` parameter must match the number of arguments";
    MembersMissing = "ERR Mandatory argument MEMBERS is missing or not at the right position";
    MembersNotPositive = "ERR Number of members must be a positive integer";
    MembersNotAboveZero = "ERR Parameter `numMembers` should be greater than 0";
    MembersMismatch = "ERR The `nummembers` parameter must match the number of arguments";
    FieldsInvalid = "ERR invalid number of fields";
    FieldExpiryNegative = "ERR invalid expire time, must be >= 0";
    FieldExpiryMissing = "ERR missing expire time";
    InvalidUnit = "ERR Invalid unit arg";
    FxxWithFnx = "ERR Only one of FXX or FNX arguments can be specified";
    XxWithNx = "ERR Only one of XX or NX arguments can be specified";
    FieldExpiryTwice = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
    LcsNeedsStrings = "ERR The specified keys must contain string values";
    LcsLenAndIdx = "ERR If you want both the length and indexes, please just use IDX.";
    ExpireNxWithOthers = "ERR NX and XX, GT or LT options at the same time are not compatible";
    ExpireGtWithLt = "ERR GT and LT options at the same time are not compatible";
    NotLfu = "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.";
    NotLru = "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.";
    NxWithXx = "ERR XX and NX options at the same time are not compatible";
    GtLtNx = "ERR GT, LT, and/or NX options at the same time are not compatible";
    IncrPairs = "ERR INCR option supports a single increment-element pair";
    ScoreNaN = "ERR resulting score is not a number (NaN)";
    NotAScoreRange = "ERR min or max is not a float";
    LexMinIllegal = "ERR the min is illegal";
    LexMaxIllegal = "ERR the max is illegal";
    MinAboveMax = "ERR min > max";
    NothingToParse = "ERR no more item to parse";
    PairsIncomplete = "ERR Invalid number of arguments: field-value pairs must be complete";
    FieldsetDuplicate = "ERR duplicate field name in fieldset";
    FieldsetMismatch = "ERR value count does not match fieldset field count";
    NoSuchFieldset = "ERR no such fieldset";
    NoSuchField = "ERR hash key doesn't exist";
    NotALexRange = "ERR min or max not valid string range item";
    LimitOfRanks = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
    ScoresOfLexRange = "ERR syntax error, WITHSCORES not supported in combination with BYLEX";
    WeightNotAFloat = "ERR weight value is not a float";
    NegativeLimit = "ERR LIMIT can't be negative";
    UnknownUnit = "ERR unsupported unit provided. please use M, KM, FT, MI";
    NoSuchPlace = "ERR could not decode requested zset member";
    RadiusNotNumeric = "ERR need numeric radius";
    RadiusNegative = "ERR radius cannot be negative";
    WidthNotNumeric = "ERR need numeric width";
    HeightNotNumeric = "ERR need numeric height";
    BoxNegative = "ERR height or width cannot be negative";
    AnyWithoutCount = "ERR the ANY argument requires COUNT argument";
    InvalidVertices = "ERR invalid number of vertices";
    TooFewVertices = "ERR GEOSEARCH BYPOLYGON must have at least 3 vertices";
    NoAuth = "NOAUTH Authentication required.";
    WrongPass = "WRONGPASS invalid username-password pair or user is disabled.";
    AuthNoPassword = "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?";
    NoProto = "NOPROTO unsupported protocol version";
    ProtoNotInteger = "ERR Protocol version is not an integer or out of range";
    HelloNoAuth = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time";
    ClientName = "ERR Client names cannot contain spaces, newlines or special characters.";
    NoSuchClient = "ERR No such client";
    ClientId = "ERR client-id should be greater than 0";
    MaxageNotInteger = "ERR maxage is not an integer or out of range";
    MaxageTooSmall = "ERR maxage should be greater than 0";
    IdleNotInteger = "ERR idle is not an integer or out of range";
    IdleTooSmall = "ERR idle should be greater than 0";
    PauseMode = "ERR CLIENT PAUSE mode must be WRITE or ALL";
    UnblockReason = "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR";
    NotImportMode = "ERR Server is not in import mode";
    TimeoutNotFloat = "ERR timeout is not a float or out of range";
    Unblocked = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
    WaitaofWithoutLog = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
    TimeoutNotInteger = "ERR timeout is not an integer or out of range";
    TimeoutNegative = "ERR timeout is negative";
    TimeoutOutOfRange = "ERR timeout is out of range";
    LogCount = "ERR count should be greater than or equal to -1";
    LogKind = "ERR type should be one of the following: slow, large-request, large-reply";
    DebugNotAllowed = "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.";
    DebugProtocolType = "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false";
    DebugReloadOptions = "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.";
    ReloadFailed = "ERR Error trying to load the RDB dump, check server logs.";
    SaveInProgress = "ERR Background save already in progress";
    NoSaveToCancel = "ERR Background saving is currently not in progress or scheduled";
    SnapshotInProgress = "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.";
    SaveFailed = "ERR Error trying to save the data set, check server logs.";
    NoShutdown = "ERR No shutdown in progress.";
    ShutdownFailed = "ERR Errors trying to SHUTDOWN. Check logs.";
    SnapshotFailed = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.";
    FewReplicas = "NOREPLICAS Not enough good replicas to write.";
    NoPersistence = "ERR there is no persistence in this build, so nothing can be reloaded";
    NoResp2 = "ERR RESP2 is not supported by this command";
    PackedThreshold = "ERR argument must be a memory value bigger than 1 and smaller than 4gb";
    NotSds = "ERR Not an sds encoded string.";
    OutOfRangeDatabase = "ERR Out of range database";
    ModuleNotAllowed = "ERR MODULE command not allowed. If the enable-module-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.";
    ModuleUnload = "ERR Error unloading module: no such module with that name";
    ModuleLoad = "ERR Error loading the extension: modules cannot be loaded, what they offer is built in";
    MultiNested = "ERR MULTI calls can not be nested";
    WatchInMulti = "ERR WATCH inside MULTI is not allowed";
    ExecWithoutMulti = "ERR EXEC without MULTI";
    DiscardWithoutMulti = "ERR DISCARD without MULTI";
    NotInMulti = "ERR Command not allowed inside a transaction";
    ExecAbort = "EXECABORT Transaction discarded because of previous errors.";
    MonitorDenied = "ERR MONITOR isn't allowed for DENY BLOCKING client";
    SsubscribeDenied = "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client";
    InvalidEtag = "ETAG must be a numerical value greater than or equal to 0";
    EtagWithGet = "ERR WITHETAG option not allowed with GET inside of SET";
    SortedIntMin = "ERR the min isn't integer";
    SortedIntMax = "ERR the max isn't integer";
    ArrayIndex = "ERR invalid array index";
    ArrayOverflow = "ERR array index overflow";
    ArrayInsertOverflow = "ERR insert index overflow";
    ArrayRange = "ERR range exceeds maximum of 1000000 items";
    ArrayCountExceeds = "ERR count exceeds maximum of 1000000 items";
    ArrayCount = "ERR invalid COUNT";
    ArrayLimit = "ERR LIMIT must be positive";
    ArrayOperation = "ERR unknown operation";
    ArrayMatch = "ERR MATCH requires a value argument";
    ArrayRingSize = "ERR invalid size";
    ArrayRingNotPositive = "ERR size must be positive";
    ArrayPredicates = "ERR too many predicates, maximum is 250";
    RegexEmpty = "ERR regular expression is empty";
    RegexLong = "ERR regular expression is too long, maximum is 2048 bytes";
    RegexBackreference = "ERR regular expression backreferences are not supported";
    StreamId = "ERR Invalid stream ID specified as stream command argument";
    StreamStartId = "ERR invalid start ID for the interval";
    StreamEndId = "ERR invalid end ID for the interval";
    XaddZero = "ERR The ID specified in XADD must be greater than 0-0";
    XaddNotAbove = "ERR The ID specified in XADD is equal or smaller than the target stream top item";
    XaddExhausted = "ERR The stream has exhausted the last possible ID, unable to add more items";
    XaddTooLarge = "ERR Elements are too large to be stored";
    TrimTwice = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible";
    TrimMaxlen = "ERR The MAXLEN argument must be >= 0.";
    TrimLimit = "ERR The LIMIT argument must be >= 0.";
    TrimLimitAlone = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy";
    TrimLimitExact = "ERR syntax error, LIMIT cannot be used without the special ~ option";
    XtrimNothing = "ERR syntax error, XTRIM must be called with a trimming strategy";
    IdmpTwice = "ERR syntax error, IDMP/IDMPAUTO specified multiple times";
    IdmpAutoProducer = "ERR syntax error, IDMPAUTO requires a non-empty producer ID";
    IdmpProducer = "ERR syntax error, IDMP requires a non-empty producer ID";
    IdmpName = "ERR syntax error, IDMP requires a non-empty idempotent ID";
    IdmpGivenId = "ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs";
    IdmpRecordProducer = "ERR producer ID must be non-empty";
    IdmpRecordName = "ERR idempotent ID must be non-empty";
    IdmpRecordEntry = "ERR No such message in stream";
    IdmpRecordOther = "ERR IID already exists for this producer with a different stream ID";
    IdmpDuration = "ERR IDMP-DURATION must be between 1 and 86400 seconds";
    IdmpDurationTwice = "ERR IDMP-DURATION specified multiple times";
    IdmpMaxsize = "ERR IDMP-MAXSIZE must be between 1 and 10000 entries";
    IdmpMaxsizeTwice = "ERR IDMP-MAXSIZE specified multiple times";
    IdmpNothing = "ERR At least one parameter must be specified";
    StreamIdCount = "ERR Number of IDs must be a positive integer";
    StreamIdCountOther = "ERR The `numids` parameter must match the number of arguments";
    StreamIdsMissing = "ERR IDS option is required";
    XreadGroupOnly = "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.";
    XreadNoackOnly = "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.";
    XreadClaimOnly = "ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.";
    XreadIdleNotInteger = "ERR min-idle-time is not an integer or out of range";
    XreadIdleNegative = "ERR min-idle-time must be a positive integer";
    XreadgroupNoGroup = "ERR Missing GROUP option for XREADGROUP";
    XreadgroupDollar = "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.";
    XreadgroupPlus = "ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set.";
    XreadGreater = "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.";
    XgroupNoKey = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.";
    XgroupEntriesRead = "ERR value for ENTRIESREAD must be positive or -1";
    BusyGroup = "BUSYGROUP Consumer Group name already exists";
    XsetidAdded = "ERR entries_added must be positive";
    XsetidBelowGivenDeleted = "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id";
    XsetidBelowDeleted = "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id";
    XsetidBelowTop = "ERR The ID specified in XSETID is smaller than the target stream top item";
    XsetidBelowLen = "ERR The entries_added specified in XSETID is smaller than the target stream length";
    XclaimIdle = "ERR Invalid min-idle-time argument for XCLAIM";
    XclaimIdleOption = "ERR Invalid IDLE option argument for XCLAIM";
    XclaimTime = "ERR Invalid TIME option argument for XCLAIM";
    XclaimRetryCount = "ERR Invalid RETRYCOUNT option argument for XCLAIM";
    XautoclaimIdle = "ERR Invalid min-idle-time argument for XAUTOCLAIM";
    CountNotPositive = "ERR COUNT must be > 0";
    XnackMode = "ERR mode must be SILENT, FAIL, or FATAL";
    XnackCount = "ERR numids must be a positive integer";
    XnackCountOther = "ERR number of IDs doesn't match numids";
    XnackRetryCount = "ERR Invalid RETRYCOUNT value, must be >= 0";
    XnackNoIds = "ERR syntax error, expected IDS keyword";
    TrackingTwoRedirects = "ERR A client can only redirect to a single other client";
    TrackingNoTarget = "ERR The client ID you want redirect to does not exist";
    TrackingPrefixWithoutBcast = "ERR PREFIX option requires BCAST mode to be enabled";
    TrackingSwitchBcast = "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.";
    TrackingBcastWithOpt = "ERR OPTIN and OPTOUT are not compatible with BCAST";
    TrackingBothOpts = "ERR You can't specify both OPTIN mode and OPTOUT mode";
    TrackingSwitchOpt = "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.";
    CachingWithoutTracking = "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled";
    CachingYesWithoutOptin = "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.";
    CachingNoWithoutOptout = "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.";
    Oom = "OOM command not allowed when used memory > 'maxmemory'.";
    Loading = "LOADING Redis is loading the dataset in memory";
    Busy = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
    BusyFunction = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
    NotBusy = "NOTBUSY No scripts in execution right now.";
    Unkillable = "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.";
    NoScript = "NOSCRIPT No matching script. Please use EVAL.";
    ScriptKeysTooMany = "ERR Number of keys can't be greater than number of args";
    JobInterval = "ERR interval must be positive";
    JobKeys = "ERR Missing arguments or numkeys is too big";
    JobTime = "ERR missing expire time";
    ScriptKeysNegative = "ERR Number of keys can't be negative";
    FunctionKeys = "ERR Bad number of keys provided";
    FunctionNotFound = "ERR Function not found";
    ScriptUnknownCommand = "ERR Unknown command called from script";
    ScriptArity = "ERR Wrong number of args calling command from script";
    ScriptRefused = "ERR This Redis command is not allowed from script";
    ScriptReadOnly = "ERR Write commands are not allowed from read-only scripts.";
    ScriptWriteFlag = "ERR Can not execute a script with write flag using *_ro command.";
    ScriptOom = "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'";
    ScriptFlushMode = "ERR SCRIPT FLUSH only support SYNC|ASYNC option";
    ScriptDebugMode = "ERR Use SCRIPT DEBUG YES/SYNC/NO";
    ScriptDebugPipeline = "ERR SCRIPT DEBUG must be called outside a pipeline";
    ScriptDebugSha = "ERR Please use EVAL instead of EVALSHA for debugging";
    ScriptDebugExec = "ERR A script cannot be debugged within a transaction";
    ScriptDebugAllKeys = "ERR A script that is debugged may not change all keys at once";
    ScriptDebugFull = "ERR The debugging session has too many commands";
    LibraryName = "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";
    LibraryNotFound = "ERR Library not found";
    NoFunctions = "ERR No functions registered";
    FunctionFlushMode = "ERR FUNCTION FLUSH only supports SYNC|ASYNC option";
    FunctionRestorePolicy = "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.";
    Denied = "DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside.";
}

impl CommandError {
    /// An `ERR` text built from the request.
    pub fn err(text: fmt::Arguments<'_>) -> Self {
        Self::Text(format!("ERR {text}").into_bytes().into())
    }

    /// An `ERR` text of these pieces, one after the other.
    pub fn err_bytes(pieces: &[&[u8]]) -> Self {
        Self::Text([&[b"ERR ".as_slice()], pieces].concat().concat().into())
    }

    /// A whole text, its code included.
    pub fn text_of(text: Vec<u8>) -> Self {
        Self::Text(text.into())
    }

    /// EXEC is refused, and the transaction is over.
    #[must_use]
    pub fn exec_abort(&self) -> Self {
        let text = self.text();
        let text = text.strip_prefix(b"ERR ").unwrap_or(text);
        Self::Text([b"EXECABORT Transaction discarded because of: ", text].concat().into())
    }

    /// The code: the first word of the text, by which INFO errorstats counts.
    pub fn code(&self) -> String {
        let code = self.text().split(|byte| *byte == b' ').next().unwrap_or_default();
        String::from_utf8_lossy(code).into_owned()
    }

    /// An expire time that cannot be: `command` in lower case.
    pub fn invalid_expire(command: &str) -> Self {
        Self::err(format_args!("invalid expire time in '{}' command", command.to_ascii_lowercase()))
    }

    /// The append-only file cannot be written, for the reason `error`.
    pub fn log_failed(error: &str) -> Self {
        Self::Text(format!("MISCONF Errors writing to the AOF file: {error}").into_bytes().into())
    }

    /// A write is applied and visible, and not known to be on disk; `error`: why it may never be.
    pub fn unconfirmed(error: Option<&str>) -> Self {
        let why = error.unwrap_or("the disk takes too long");
        let text = format!("MISCONF The command was executed but is not confirmed on disk: {why}");
        Self::Text(text.into_bytes().into())
    }

    /// A RESP2 client that is subscribed sends `command` ("get", "client|list").
    pub fn while_subscribed(command: &str) -> Self {
        Self::err(format_args!(
            "Can't execute '{command}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / \
             RESET are allowed in this context"
        ))
    }

    /// Wrong number of words for `command` ("get", "client|list").
    pub fn arity(command: &str) -> Self {
        Self::err(format_args!("wrong number of arguments for '{command}' command"))
    }

    /// A subcommand of `container` that does not exist; `word` as sent.
    pub fn unknown_subcommand(container: &str, word: &[u8]) -> Self {
        let container = container.to_ascii_uppercase();
        let word = &word[..word.len().min(128)];
        Self::err_bytes(&[
            b"unknown subcommand '",
            word,
            b"'. Try ",
            container.as_bytes(),
            b" HELP.",
        ])
    }

    /// A subcommand of a command that takes its own words apart, such as DEBUG.
    pub fn unknown_or_arity(command: &str, word: &[u8]) -> Self {
        let word = &word[..word.len().min(128)];
        let first: &[u8] = b"unknown subcommand or wrong number of arguments for '";
        Self::err_bytes(&[first, word, b"'. Try ", command.as_bytes(), b" HELP."])
    }

    /// A command that does not exist, with the beginning of its arguments.
    pub fn unknown_command(args: &[&[u8]]) -> Self {
        const SHOWN: usize = 128;
        let name = &args[0][..args[0].len().min(SHOWN)];
        let mut with = Vec::new();
        for word in &args[1..] {
            if with.len() >= SHOWN {
                break;
            }
            let word = &word[..word.len().min(SHOWN - with.len())];
            with.extend_from_slice(&[b"'", word, b"' "].concat());
        }
        Self::err_bytes(&[b"unknown command '", name, b"', with args beginning with: ", &with])
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.text()))
    }
}

impl From<types::hll::HllError> for CommandError {
    fn from(error: types::hll::HllError) -> Self {
        match error {
            types::hll::HllError::NotHll => Self::NotHll,
            types::hll::HllError::Corrupt => Self::CorruptHll,
        }
    }
}

impl From<keyspace::WrongType> for CommandError {
    fn from(_: keyspace::WrongType) -> Self {
        Self::WrongType
    }
}
