//! Fixed workloads, measured side by side with the peers; results are kept in the repository.

use std::process::Command;

use crate::json::{Json, quoted};
use crate::project::Project;
use crate::{Result, run};

/// `bench NAME [OPTION...]`: a suite of the shared side_by_side.py, or `build`.
pub(crate) fn verb(project: &Project, args: &[String]) -> Result<()> {
    let Some((name, options)) = args.split_first() else {
        return Err("name one of ops, memory, snapshot, pause, restart, build".into());
    };
    let folder = project.root.join("bench/results");
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let recorded = folder.join(format!("{name}.json"));
    let rows =
        if name == "build" { build(project)? } else { side_by_side(project, name, options)? };
    let commit = run::output(
        Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(&project.root),
    )?;
    let text = format!(
        "{{\n  \"bench\": {},\n  \"commit\": {},\n  \"options\": {},\n  \"rows\": {}\n}}\n",
        quoted(name),
        quoted(commit.trim()),
        quoted(&options.join(" ")),
        rows.trim().replace('\n', "\n  "),
    );
    Json::parse(&text)?;
    std::fs::write(&recorded, text).map_err(|e| format!("{}: {e}", recorded.display()))?;
    println!("recorded in bench/results/{name}.json");
    Ok(())
}

fn side_by_side(project: &Project, name: &str, options: &[String]) -> Result<String> {
    let script = project.shared("bench/side_by_side.py").ok_or("shared suites not present")?;
    project.build_release()?;
    let rows = project.target.join("side_by_side.json");
    let mut command = project.python(&script);
    command.arg(name).arg("--ours").arg(project.server()).arg("--json").arg(&rows).args(options);
    run::plain(&mut command)?;
    std::fs::read_to_string(&rows).map_err(|e| format!("{}: {e}", rows.display()))
}

/// Seconds of a clean debug build of `server`, and how many third-party crates lie beneath it.
fn build(project: &Project) -> Result<String> {
    let folder = project.target.join("bench-build");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    run::plain(project.cargo().args(["fetch", "--locked"]))?;
    let (built, seconds) = run::timed(|| {
        run::plain(
            project
                .cargo()
                .args(["build", "--locked", "-p", "server", "--target-dir"])
                .arg(&folder),
        )
    });
    built?;
    let crates = crate::tidy::layers::third_party(project, "server")?.len();
    println!("clean debug build of server: {seconds:.1} s, {crates} third-party crates");
    Ok(format!("{{\"debug_server_s\": {seconds:.1}, \"third_party_crates\": {crates}}}"))
}
