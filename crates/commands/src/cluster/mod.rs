//! The cluster family. There is no cluster here, and that is what the commands say, as a server without
//! one does to clients that ask what they talk to.

use command::grammar::{block, integer, one_of, string, word};
use command::{Args, Argument, Command, CommandError, Cx, Effect, Flags, Group, Outcome};
use resp::Reply;

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[
    row("ASKING", refuse, 1)
        .flags(Flags::FAST.or(Flags::IN_CONNECTION))
        .summary("Would let the next command use a slot that is being moved here."),
    Command::container("CLUSTER", SUBCOMMANDS)
        .group(Group::Cluster)
        .since("3.0.0")
        .summary("Would tell of the cluster and change it.")
        .complexity("That of the subcommand"),
    row("READONLY", accept, 1)
        .flags(CALM.or(Flags::FAST).or(Flags::IN_CONNECTION))
        .summary("Allows reads of a replica in a cluster: here they always are."),
    row("READWRITE", accept, 1)
        .flags(CALM.or(Flags::FAST).or(Flags::IN_CONNECTION))
        .summary("Takes READONLY back."),
];

/// While loading and with stale data too.
const CALM: Flags = Flags::LOADING.or(Flags::STALE);
const LOOKS: Flags = Flags::STALE;
const OPERATES: Flags = Flags::ADMIN.or(Flags::STALE);
const CHANGES: Flags = OPERATES.or(Flags::NO_ASYNC_LOADING);

const NODE: &[Argument] = &[string("node-id")];
const SLOT: &[Argument] = &[integer("slot")];
const SLOTS: &[Argument] = &[integer("slot").many()];
const RANGES: &[Argument] = &[block("range", &[integer("start-slot"), integer("end-slot")]).many()];
const VARIES: &[&str] = &["nondeterministic_output"];

const fn row(name: &'static str, handler: command::Handler, arity: i16) -> Command {
    Command::conn(name, handler)
        .group(Group::Cluster)
        .since("3.0.0")
        .arity(arity)
        .complexity("O(1)")
}

const fn sub(name: &'static str, arity: i16, flags: Flags) -> Command {
    row(name, refuse, arity).flags(flags)
}

#[rustfmt::skip] // Three lines each.
const SUBCOMMANDS: &[Command] = &[
    sub("ADDSLOTS", -3, CHANGES)
        .args(SLOTS)
        .summary("Would give slots to this node."),
    sub("ADDSLOTSRANGE", -4, CHANGES).since("7.0.0")
        .args(RANGES)
        .summary("Would give ranges of slots to this node."),
    sub("BUMPEPOCH", 2, CHANGES).tips(VARIES)
        .summary("Would raise the epoch of the configuration."),
    sub("COUNT-FAILURE-REPORTS", 3, OPERATES).tips(VARIES)
        .args(NODE)
        .summary("Would count who says that a node has failed."),
    sub("COUNTKEYSINSLOT", 3, LOOKS)
        .args(SLOT)
        .summary("Would count the keys of a slot."),
    sub("DELSLOTS", -3, CHANGES)
        .args(SLOTS)
        .summary("Would take slots from this node."),
    sub("DELSLOTSRANGE", -4, CHANGES).since("7.0.0")
        .args(RANGES)
        .summary("Would take ranges of slots from this node."),
    sub("FAILOVER", -2, CHANGES)
        .args(&[one_of("options", &[word("force", "FORCE"), word("takeover", "TAKEOVER")]).optional()])
        .summary("Would make a replica the primary."),
    sub("FLUSHSLOTS", 2, CHANGES)
        .summary("Would take all slots from this node."),
    sub("FORGET", 3, CHANGES)
        .args(NODE)
        .summary("Would forget a node."),
    sub("GETKEYSINSLOT", 4, LOOKS).tips(VARIES)
        .args(&[integer("slot"), integer("count")])
        .summary("Would list keys of a slot."),
    sub("HELP", 2, CALM).since("5.0.0")
        .summary("Would list the subcommands."),
    sub("INFO", 2, CALM).tips(VARIES)
        .summary("Would describe the cluster."),
    sub("KEYSLOT", 3, LOOKS)
        .args(&[string("key")])
        .summary("Would tell the slot of a key."),
    sub("LINKS", 2, LOOKS).since("7.0.0").tips(VARIES)
        .summary("Would list the connections between nodes."),
    sub("MEET", -4, CHANGES)
        .args(&[string("ip"), integer("port"), integer("cluster-bus-port").optional().since("4.0.0")])
        .summary("Would connect to a node."),
    sub("MYID", 2, CALM)
        .summary("Would tell the ID of this node."),
    sub("MYSHARDID", 2, CALM).since("7.2.0").tips(VARIES)
        .summary("Would tell the ID of this node's shard."),
    sub("NODES", 2, CALM).tips(VARIES)
        .summary("Would list the nodes."),
    sub("REPLICAS", 3, OPERATES).since("5.0.0").tips(VARIES)
        .args(NODE)
        .summary("Would list the replicas of a node."),
    sub("REPLICATE", 3, CHANGES)
        .args(NODE)
        .summary("Would make this node a replica of another."),
    sub("RESET", -2, OPERATES.or(Flags::NOSCRIPT))
        .args(&[one_of("reset-type", &[word("hard", "HARD"), word("soft", "SOFT")]).optional()])
        .summary("Would make this node forget the cluster."),
    sub("SAVECONFIG", 2, CHANGES)
        .summary("Would save the configuration of the cluster."),
    sub("SET-CONFIG-EPOCH", 3, CHANGES)
        .args(&[integer("config-epoch")])
        .summary("Would set the epoch of a new node."),
    sub("SETSLOT", -4, CHANGES)
        .args(&[integer("slot"), one_of("subcommand", &[
            string("importing").display("node-id").token("IMPORTING"),
            string("migrating").display("node-id").token("MIGRATING"),
            string("node").display("node-id").token("NODE"),
            word("stable", "STABLE"),
        ])])
        .summary("Would tell where a slot is on its way to."),
    sub("SHARDS", 2, CALM).since("7.0.0").tips(VARIES)
        .summary("Would list the shards, their slots and nodes."),
    sub("SLAVES", 3, OPERATES).deprecated("5.0.0", "`CLUSTER REPLICAS`").tips(VARIES)
        .args(NODE)
        .summary("Would list the replicas of a node."),
    sub("SLOT-STATS", -4, CALM).since("8.0.0").tips(&["nondeterministic_output", "request_policy:all_shards"])
        .args(&[one_of("filter", &[
            block("slotsrange", &[integer("start-slot"), integer("end-slot")]).token("SLOTSRANGE"),
            block("orderby", &[
                string("metric"),
                integer("limit").token("LIMIT").optional(),
                one_of("order", &[word("asc", "ASC"), word("desc", "DESC")]).optional(),
            ]).token("ORDERBY"),
        ])])
        .summary("Would tell what each slot holds and does."),
    sub("SLOTS", 2, CALM).tips(VARIES)
        .summary("Would list slots and their nodes."),
];

fn refuse(_: &mut Cx<'_>, _: &mut Args<'_>, _: &mut Reply) -> Outcome {
    Err(CommandError::NoCluster)
}

fn accept(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.ok();
    Ok(Effect::None)
}
