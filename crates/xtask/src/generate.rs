//! The generated parts of the documents, kept fresh.
//!
//! A part stands between two marker lines, in whatever comment syntax its file has:
//!
//! ```text
//! <!-- generated: almagre docs WORDS -->
//! ...what `almagre docs WORDS` prints...
//! <!-- generated: end -->
//! ```
//!
//! This file knows nothing of what is generated: the product's own `docs` tool derives it from the
//! command table and the list of parameters.

use crate::project::Project;
use crate::{Result, run};

const BEGIN: &str = "generated: almagre docs ";
const END: &str = "generated: end";

/// `gen [--check]`: writes the parts anew, or only says which are stale.
pub(crate) fn verb(project: &Project, args: &[String]) -> Result<()> {
    let check = match args {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => return Err("takes --check or nothing".into()),
    };
    let mut stale = Vec::new();
    let mut parts = 0;
    for name in project.files()? {
        if name.starts_with("crates/xtask/") || !is_document(&name) {
            continue;
        }
        let old = project.read(&name)?;
        if !old.contains(BEGIN) {
            continue;
        }
        let (new, count) = rewrite(&name, &old, &mut |words| docs(project, words))?;
        parts += count;
        if new != old {
            if !check {
                std::fs::write(project.root.join(&name), new)
                    .map_err(|e| format!("{name}: {e}"))?;
            }
            stale.push(name);
        }
    }
    println!(
        "gen: {parts} generated parts, {} of {} files",
        stale.len(),
        if check { "stale" } else { "rewritten" }
    );
    if check && !stale.is_empty() {
        return Err(format!("stale: {}; run `cargo x gen`", stale.join(", ")));
    }
    Ok(())
}

fn is_document(name: &str) -> bool {
    [".md", ".conf", ".tsv", ".txt"].iter().any(|end| name.ends_with(end))
}

/// What the product says about itself.
pub(crate) fn docs(project: &Project, words: &[&str]) -> Result<String> {
    let mut command = project.cargo();
    command.args(["run", "--quiet", "--locked", "-p", "almagre", "--", "docs"]).args(words);
    run::output(&mut command).map_err(|error| {
        format!("{error}: the product must answer `almagre docs {}`", words.join(" "))
    })
}

/// The text with every part replaced, and the number of parts.
fn rewrite(
    name: &str,
    old: &str,
    docs: &mut dyn FnMut(&[&str]) -> Result<String>,
) -> Result<(String, usize)> {
    let mut new = String::with_capacity(old.len());
    let mut lines = old.lines();
    let mut parts = 0;
    while let Some(line) = lines.next() {
        new.push_str(line);
        new.push('\n');
        let Some((_, words)) = line.split_once(BEGIN) else { continue };
        let words = words.trim_end_matches("-->").trim_end_matches("*/");
        let text = docs(&words.split_whitespace().collect::<Vec<_>>())?;
        new.push_str(text.trim_end());
        new.push('\n');
        let end = lines.find(|line| line.contains(END));
        new.push_str(end.ok_or_else(|| format!("{name}: `{line}` has no `{END}` after it"))?);
        new.push('\n');
        parts += 1;
    }
    Ok((new, parts))
}

#[cfg(test)]
mod tests {
    use super::rewrite;

    #[test]
    fn parts_are_replaced() {
        let old =
            "a\n<!-- generated: almagre docs table x -->\nstale\n<!-- generated: end -->\nb\n";
        let mut asked = Vec::new();
        let (new, parts) = rewrite("f", old, &mut |words| {
            asked.push(words.join(" "));
            Ok("fresh\n\n".into())
        })
        .unwrap();
        assert_eq!(asked, ["table x"]);
        assert_eq!(parts, 1);
        let want =
            "a\n<!-- generated: almagre docs table x -->\nfresh\n<!-- generated: end -->\nb\n";
        assert_eq!(new, want);
        assert!(rewrite("f", "# generated: almagre docs x\n", &mut |_| Ok(String::new())).is_err());
    }
}
