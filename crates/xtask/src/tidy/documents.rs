//! Checks on documents: promises name their proof, commands have sections, the change log has its
//! form, and nothing of a developer's machine is in the repository.

use std::collections::BTreeSet;

use super::{Findings, Source};
use crate::project::Project;
use crate::{Result, generate};

/// The measured suites that a promise may name as `bench: NAME`.
const BENCHES: &[&str] = &["ops", "memory", "snapshot", "pause", "restart", "build"];

const CHANGES: &[&str] = &["Added", "Changed", "Fixed", "Performance", "Removed", "Security"];

/// Words of hosts that packages come from: their addresses differ by machine.
const REGISTRIES: &[&str] =
    &["artifactory", "crates", "debian", "index.", "npmjs", "proxy.", "pypi", "registry"];

pub(crate) fn check(project: &Project, sources: &[Source], findings: &mut Findings) -> Result<()> {
    for name in ["README.md", "ARCHITECTURE.md", "STYLE.md", "SPEC.md", "CHANGELOG.md"] {
        if !sources.iter().any(|source| source.name == name) {
            findings.add(name, "is missing; every project document has its place");
        }
    }
    if let Some(spec) = sources.iter().find(|source| source.name == "SPEC.md") {
        promises(spec, sources, findings);
    }
    if let Some(log) = sources.iter().find(|source| source.name == "CHANGELOG.md") {
        change_log(log, findings);
    }
    for source in sources {
        leaks(project, source, findings);
    }
    if has_rows(sources) {
        sections(project, sources, findings)?;
    }
    Ok(())
}

/// Whether the command families have any row.
pub(crate) fn has_rows(sources: &[Source]) -> bool {
    sources.iter().any(|source| {
        source.name.starts_with("crates/commands/src/") && source.text.contains("Command::new(")
    })
}

/// Every item of SPEC.md ends in `test: NAME`, `bench: NAME` or `unproved`, and the name exists.
fn promises(spec: &Source, sources: &[Source], findings: &mut Findings) {
    for (number, item) in items(&spec.text) {
        let place = format!("SPEC.md:{number}");
        let mut proofs = 0;
        for code in item.split('`').skip(1).step_by(2) {
            if code == "unproved" {
                proofs += 1;
            } else if let Some(name) = code.strip_prefix("test: ") {
                proofs += 1;
                if !test_exists(name, sources) {
                    findings.add(&place, &format!("names the test {name}, which does not exist"));
                }
            } else if let Some(name) = code.strip_prefix("bench: ") {
                proofs += 1;
                if !BENCHES.contains(&name) {
                    findings.add(
                        &place,
                        &format!("names the benchmark {name}; there are {}", BENCHES.join(", ")),
                    );
                }
            }
        }
        if proofs == 0 {
            findings.add(
                &place,
                "a promise without proof; add `test: NAME`, `bench: NAME` or `unproved`",
            );
        }
    }
}

/// The list items of a text with their first line's number; continuation lines are joined.
fn items(text: &str) -> Vec<(usize, String)> {
    let mut items: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        if let Some(rest) = line.strip_prefix("- ") {
            items.push((number + 1, rest.to_owned()));
            open = true;
        } else if let (true, Some((_, item))) = (open && line.starts_with("  "), items.last_mut()) {
            item.push(' ');
            item.push_str(line.trim());
        } else {
            open = false;
        }
    }
    items
}

/// A test is a Rust or Python function of that name, or a file: `crate::module::name` and
/// `tests/x.py name` count by their last part.
fn test_exists(name: &str, sources: &[Source]) -> bool {
    if sources.iter().any(|source| source.name == name) {
        return true;
    }
    let last = name.rsplit([':', ' ']).next().unwrap_or(name);
    let rust = format!("fn {last}(");
    let python = format!("def {last}(");
    !last.is_empty()
        && sources.iter().any(|source| {
            (source.is_rust() && source.text.contains(&rust))
                || (source.name.ends_with(".py") && source.text.contains(&python))
        })
}

fn change_log(log: &Source, findings: &mut Findings) {
    let mut lines = log.text.lines().enumerate();
    if lines.next().map(|(_, line)| line) != Some("# Changelog") {
        findings.add("CHANGELOG.md:1", "must be `# Changelog`");
    }
    let (mut version, mut kind) = (false, false);
    for (number, line) in lines {
        let wrong = if let Some(title) = line.strip_prefix("## ") {
            (version, kind) = (true, false);
            let dated = title.split_once(" - ").is_some_and(|(name, date)| {
                name.split('.').count() == 3 && date.len() == 10 && date.split('-').count() == 3
            });
            (title != "Unreleased" && !dated)
                .then_some("is neither `## Unreleased` nor `## 1.2.3 - 2026-01-31`")
        } else if let Some(title) = line.strip_prefix("### ") {
            kind = version;
            (!CHANGES.contains(&title)).then_some("is no kind of change; see CHANGES of tidy")
        } else if line.starts_with("- ") {
            (!kind).then_some("stands under no kind of change")
        } else {
            (version && !line.is_empty() && !line.starts_with("  "))
                .then_some("is no entry: begin it with `- `")
        };
        if let Some(wrong) = wrong {
            findings.add(&format!("CHANGELOG.md:{}", number + 1), wrong);
        }
    }
}

/// Paths of this machine and addresses of package registries.
fn leaks(project: &Project, source: &Source, findings: &mut Findings) {
    let mut folders = vec![project.root.display().to_string()];
    folders.extend(["HOME", "CARGO_HOME"].iter().filter_map(|name| std::env::var(name).ok()));
    // Folders of the machines that this was ever developed on.
    folders.extend(
        [concat!("/ro", "ot"), concat!("/wo", "rk"), concat!("/fa", "rm")].map(str::to_owned),
    );
    folders.sort_unstable();
    folders.dedup();
    for (number, line) in source.text.lines().enumerate() {
        let place = || format!("{}:{}", source.name, number + 1);
        for folder in folders.iter().filter(|folder| folder.len() > 3) {
            let path = format!("{}/", folder.trim_end_matches('/'));
            let outside = |c: char| c.is_alphanumeric() || "._-/}~$)*".contains(c);
            if line.match_indices(&path).any(|(at, _)| !line[..at].ends_with(outside)) {
                findings.add(
                    &place(),
                    &format!("names {path}, a folder of a machine; make it relative"),
                );
            }
        }
        for (at, mark) in line.match_indices("://") {
            let rest = &line[at + mark.len()..];
            let host = rest.split(['/', ' ', '"', '`', ')', '>', '\\']).next().unwrap_or(rest);
            if REGISTRIES.iter().any(|word| host.contains(word)) {
                findings.add(
                    &place(),
                    "names the host of a registry; leave that to the machine's configuration",
                );
            }
        }
    }
}

/// A section per command and a command per section: `docs/commands/*.md` against the table.
///
/// `almagre docs commands` prints a line for each command and subcommand, its full name in upper
/// case and the stem of its page, separated by a tab. A section is a heading of two or three `#`
/// that is such a name.
fn sections(project: &Project, sources: &[Source], findings: &mut Findings) -> Result<()> {
    let table = generate::docs(project, &["commands"])?;
    let rows: BTreeSet<(String, String)> = table
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, page)| (page.trim().to_owned(), name.to_owned()))
        .collect();
    if rows.is_empty() {
        findings.add("almagre docs commands", "prints no line of `NAME<tab>page`");
    }
    let mut written = BTreeSet::new();
    for source in sources {
        let page = source.name.strip_prefix("docs/commands/").and_then(|n| n.strip_suffix(".md"));
        let Some(page) = page else { continue };
        for line in source.text.lines() {
            let title = line.strip_prefix("## ").or_else(|| line.strip_prefix("### "));
            if let Some(title) = title.filter(|title| is_command(title)) {
                written.insert((page.to_owned(), title.to_owned()));
            }
        }
    }
    for (page, name) in rows.difference(&written) {
        findings.add(
            &format!("docs/commands/{page}.md"),
            &format!("has no section `## {name}`; write one"),
        );
    }
    for (page, name) in written.difference(&rows) {
        findings.add(
            &format!("docs/commands/{page}.md"),
            &format!("describes {name}, which is no row of that page"),
        );
    }
    Ok(())
}

fn is_command(title: &str) -> bool {
    title.starts_with(|c: char| c.is_ascii_uppercase())
        && title.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || " -._".contains(c))
}

#[cfg(test)]
mod tests {
    use super::super::Findings;
    use super::{Source, change_log, items, promises};

    fn source(name: &str, text: &str) -> Source {
        Source { name: name.into(), text: text.into() }
    }

    #[test]
    fn items_are_joined() {
        let text = "# T\n- a\n  b\n\nprose\n- c\n";
        assert_eq!(items(text), [(2, "a b".into()), (6, "c".into())]);
    }

    #[test]
    fn promises_need_proof() {
        let code = source("crates/a/src/tests.rs", "fn holds() {}");
        let spec =
            source("SPEC.md", "- A. `test: a::holds`\n- B. `unproved`\n- C.\n- D. `test: gone`\n");
        let mut findings = Findings::default();
        promises(&spec, &[code], &mut findings);
        assert_eq!(findings.found.len(), 2, "{:?}", findings.found);
    }

    #[test]
    fn change_log_form() {
        let good = "# Changelog\n\nProse.\n\n## Unreleased\n\n### Added\n\n- One,\n  two.\n\n## 1.0.0 - 2026-11-21\n";
        let mut findings = Findings::default();
        change_log(&source("CHANGELOG.md", good), &mut findings);
        assert!(findings.found.is_empty(), "{:?}", findings.found);
        let bad = "# Changes\n## 1.0\n- One\n### News\nprose\n";
        change_log(&source("CHANGELOG.md", bad), &mut findings);
        assert_eq!(findings.found.len(), 5, "{:?}", findings.found);
    }
}
