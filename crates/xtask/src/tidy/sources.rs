//! Checks on source text: heads, sizes, words, orphans, and the length of `execute()`.

use super::{Findings, Source};

/// A longer file says at its head what it is.
const HEAD_LINES: usize = 150;

/// A file has to be shorter, or be listed with its length: giants may only shrink.
const FILE_LINES_MAX: usize = 1500;

const GIANTS: &[(&str, usize)] = &[];

/// Where handlers are called from, and how long that function may be, head and end included.
const EXECUTE: (&str, usize) = ("crates/engine/src/", 60);

/// Words that postpone. An issue is the place for that. Spelled apart, to not find themselves.
const BANNED: &[&str] = &[concat!("FIX", "ME"), concat!("XX", "X"), concat!("TO", "DO")];

/// Names of modules that gather what found no home.
const HOMELESS: &[&str] = &["util", "utils", "helpers", "misc"];

pub(crate) fn check(sources: &[Source], findings: &mut Findings) {
    for source in sources {
        words(source, findings);
        if !source.is_rust() {
            continue;
        }
        sizes(source, findings);
        if source.name.starts_with("crates/") {
            head(source, findings);
            orphan(source, sources, findings);
        }
    }
    execute(sources, findings);
}

fn words(source: &Source, findings: &mut Findings) {
    if source.name.ends_with(".lock") || source.name.ends_with("package-lock.json") {
        return;
    }
    for (number, line) in source.text.lines().enumerate() {
        for word in BANNED.iter().filter(|word| has_word(line, word)) {
            findings.add(
                &format!("{}:{}", source.name, number + 1),
                &format!("{word}: open an issue instead"),
            );
        }
    }
    let stem = source.name.rsplit('/').next().and_then(|file| file.strip_suffix(".rs"));
    let folder = source.name.rsplit('/').nth(1);
    if source.is_rust() && [stem, folder].into_iter().flatten().any(|name| HOMELESS.contains(&name))
    {
        findings.add(&source.name, "is named for nothing; find its noun");
    }
}

fn has_word(line: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(inside) && !line[at + word.len()..].starts_with(inside)
    })
}

fn sizes(source: &Source, findings: &mut Findings) {
    let lines = source.text.lines().count();
    let allowed = GIANTS
        .iter()
        .find(|(name, _)| *name == source.name)
        .map_or(FILE_LINES_MAX, |(_, lines)| *lines);
    if lines > allowed {
        findings.add(
            &source.name,
            &format!("{lines} lines, {allowed} allowed; look for two nouns and split it"),
        );
    }
    if allowed > FILE_LINES_MAX && lines < allowed {
        findings
            .add(&source.name, &format!("shrank to {lines} lines; write that into GIANTS of tidy"));
    }
}

fn head(source: &Source, findings: &mut Findings) {
    let long = source.text.lines().count() > HEAD_LINES;
    if long && !source.text.starts_with("//!") {
        findings.add(
            &source.name,
            "does not begin with `//!`; say what it is, its invariants, what it does not do",
        );
    }
}

/// A file that no `mod` names is not compiled, and rots.
fn orphan(source: &Source, sources: &[Source], findings: &mut Findings) {
    let Some((dir, file)) = source.name.rsplit_once('/') else { return };
    let Some(crate_name) = source.name.split('/').nth(1) else { return };
    let root = format!("crates/{crate_name}/src");
    let module = match file {
        "lib.rs" | "main.rs" => return,
        "mod.rs" => dir.rsplit('/').next().unwrap_or(dir),
        _ => file.trim_end_matches(".rs"),
    };
    if !dir.starts_with(&root) || dir.starts_with(&format!("{root}/bin")) {
        return;
    }
    let named = sources
        .iter()
        .filter(|other| other.name.starts_with(&root))
        .any(|other| has_word(&other.text, &format!("mod {module}")));
    if !named {
        findings.add(
            &source.name,
            &format!("no `mod {module};` names it; add that, or delete the file"),
        );
    }
}

/// The one caller of handlers has to stay on a screen. Asked for once there are rows to call.
fn execute(sources: &[Source], findings: &mut Findings) {
    let (folder, lines_max) = EXECUTE;
    let bodies: Vec<(&Source, usize)> = sources
        .iter()
        .filter(|source| source.is_rust() && source.name.starts_with(folder))
        .flat_map(|source| {
            function_lengths(&source.text, "execute").map(move |lines| (source, lines))
        })
        .collect();
    match bodies.as_slice() {
        [] if super::documents::has_rows(sources) => {
            findings
                .add(folder, "no `pub fn execute`, the only caller of handlers; keep that name");
        }
        [] => {}
        [(source, lines)] => {
            if *lines > lines_max {
                findings.add(
                    &source.name,
                    &format!("execute() has {lines} lines, {lines_max} allowed; move work to the guard or the journal"),
                );
            }
        }
        [_, (source, _), ..] => {
            findings.add(&source.name, "a second `pub fn execute`; there is one choke point")
        }
    }
}

/// Lines of each public function of this name: to the brace at the indentation of its head.
fn function_lengths<'a>(text: &'a str, name: &str) -> impl Iterator<Item = usize> + 'a {
    let head = format!("fn {name}");
    let lines: Vec<&str> = text.lines().collect();
    let begins: Vec<usize> = (0..lines.len())
        .filter(|&at| lines[at].trim_start().starts_with("pub"))
        .filter(|&at| {
            let rest = lines[at].split_once(&head).map(|(_, rest)| rest);
            rest.is_some_and(|rest| rest.starts_with('(') || rest.starts_with('<'))
        })
        .collect();
    begins.into_iter().map(move |begin| {
        let indent = lines[begin].len() - lines[begin].trim_start().len();
        let end = format!("{}}}", &lines[begin][..indent]);
        lines[begin..].iter().position(|line| **line == end).map_or(lines.len() - begin, |n| n + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::{function_lengths, has_word};

    #[test]
    fn words_stand_alone() {
        assert!(has_word("// MARK: later", "MARK"));
        assert!(!has_word("MARKED REMARK MARK_1", "MARK"));
    }

    #[test]
    fn lengths() {
        let text = "impl A {\n    pub(crate) fn go(\n        &self,\n    ) {\n        x();\n    }\n    fn go() {}\n}\n";
        assert_eq!(function_lengths(text, "go").collect::<Vec<_>>(), [5]);
        assert_eq!(function_lengths(text, "g").count(), 0);
    }
}
