//! Who may depend on whom: edges between crates go down, and heavy crates stay out.
//!
//! Every crate names its layer under `[package.metadata]`, but for xtask, which has none and on
//! which nothing depends. A dependency lies strictly lower; a dev-dependency may also point to
//! `testkit`. Tokio is for layer 7 and above; what brings syn, HTTP or a parser generator never
//! comes to lie beneath `server`, and the number of third-party crates there has a budget.

use std::collections::{BTreeMap, BTreeSet};

use super::Findings;
use crate::json::Json;
use crate::project::Project;
use crate::{Result, run};

/// Below this layer no crate names Tokio.
const TOKIO_LAYER: u64 = 7;

/// Third-party crates beneath `server`, at most.
const THIRD_PARTY_MAX: usize = 40;

/// Never beneath `server`.
const FORBIDDEN: &[&str] = &[
    "axum",
    "clap",
    "cmake",
    "hyper",
    "proc-macro2",
    "prost",
    "quote",
    "serde",
    "serde_derive",
    "serde_json",
    "syn",
    "thiserror",
    "tracing",
];

pub(crate) fn check(project: &Project, findings: &mut Findings) -> Result<()> {
    let packages = project.metadata.get("packages").elements();
    let layers: BTreeMap<&str, Option<u64>> = packages
        .iter()
        .filter_map(|p| Some((p.get("name").text()?, p.get("metadata").get("layer").number())))
        .collect();
    for package in packages {
        let name = package.get("name").text().unwrap_or("?");
        edges(name, package, &layers, findings);
        shape(project, name, package, findings)?;
    }
    let beneath = third_party(project, "server")?;
    for name in beneath.iter().filter(|name| FORBIDDEN.contains(&name.as_str())) {
        findings.add(
            "Cargo.lock",
            &format!(
                "{name} lies beneath server; `cargo tree -p server -i {name}` says why, do without"
            ),
        );
    }
    if beneath.len() > THIRD_PARTY_MAX {
        let message = format!(
            "{} third-party crates beneath server; {THIRD_PARTY_MAX} is the budget",
            beneath.len()
        );
        findings.add("Cargo.lock", &message);
    }
    Ok(())
}

fn edges(
    name: &str,
    package: &Json,
    layers: &BTreeMap<&str, Option<u64>>,
    findings: &mut Findings,
) {
    let place = format!("crates/{name}/Cargo.toml");
    let own = layers.get(name).copied().flatten();
    if own.is_none() && name != "xtask" {
        findings.add(&place, "has no layer; add `[package.metadata]` with `layer = N`");
    }
    for dependency in package.get("dependencies").elements() {
        let on = dependency.get("name").text().unwrap_or("?");
        let dev = dependency.get("kind").text() == Some("dev");
        if on == "tokio" && !dev && own.is_some_and(|layer| layer < TOKIO_LAYER) {
            findings
                .add(&place, "names tokio below layer 7; take `now` and events, let runtime wait");
        }
        let Some(&below) = layers.get(on) else { continue };
        let down = matches!((own, below), (Some(own), Some(below)) if below < own);
        let free = own.is_none() || (dev && on == "testkit");
        if below.is_none() {
            findings.add(&place, &format!("depends on {on}, which is a tool"));
        } else if !down && !free {
            findings.add(
                &place,
                &format!("layer {own:?} depends on {on} of layer {below:?}; edges go down: move the piece, or invert the call"),
            );
        }
    }
}

/// What holds for every crate's manifest.
fn shape(project: &Project, name: &str, package: &Json, findings: &mut Findings) -> Result<()> {
    let place = format!("crates/{name}/Cargo.toml");
    let manifest = project.read(&place)?;
    if !manifest.contains("[lints]\nworkspace = true") {
        findings.add(
            &place,
            "does not take the workspace's lints; add `[lints]` with `workspace = true`",
        );
    }
    if matches!(package.get("features"), Json::Object(members) if !members.is_empty()) {
        findings.add(&place, "has Cargo features; behavior is chosen by configuration");
    }
    for target in package.get("targets").elements() {
        let kind = target.get("kind").elements().first().and_then(Json::text);
        if kind == Some("custom-build") {
            findings
                .add(&place, "has a build script; compute it in a `const`, or in `cargo x gen`");
        }
        if kind == Some("lib") && target.get("doctest") == &Json::Bool(true) {
            findings.add(&place, "runs doctests, which are slow to link; add `doctest = false`");
        }
    }
    Ok(())
}

/// The names of the third-party crates that a build of `package` contains.
pub(crate) fn third_party(project: &Project, package: &str) -> Result<BTreeSet<String>> {
    let tree = run::output(project.cargo().args([
        "tree",
        "--locked",
        "--quiet",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
        "--package",
        package,
    ]))?;
    // A crate of ours shows its folder in brackets.
    Ok(tree
        .lines()
        .filter(|line| !line.contains("(/"))
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect())
}
