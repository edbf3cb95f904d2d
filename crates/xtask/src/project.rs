//! Where things are: the checkout, its tracked files, the target folder, the shared suites.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::json::Json;
use crate::{Result, run};

/// The checkout that holds this crate, as cargo and git see it.
pub(crate) struct Project {
    pub(crate) root: PathBuf,
    /// Where cargo builds: `target/`, or what CARGO_TARGET_DIR says.
    pub(crate) target: PathBuf,
    /// What `cargo metadata --no-deps` prints.
    pub(crate) metadata: Json,
}

impl Project {
    pub(crate) fn open() -> Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.ancestors().nth(2).expect("this crate lies in crates/xtask");
        let text = run::output(cargo(root).args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--locked",
        ]))?;
        let metadata = Json::parse(&text)?;
        let target =
            metadata.get("target_directory").text().ok_or("cargo names no target folder")?;
        Ok(Self { root: root.to_owned(), target: PathBuf::from(target), metadata })
    }

    pub(crate) fn cargo(&self) -> Command {
        cargo(&self.root)
    }

    pub(crate) fn python(&self, script: &Path) -> Command {
        let mut command = Command::new("python3");
        command.arg(script).current_dir(&self.root).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// The files that git tracks or would track, relative to the root, sorted.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let listed = run::output(
            Command::new("git")
                .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
                .current_dir(&self.root),
        )?;
        let mut files: Vec<String> = listed
            .split('\0')
            .filter(|name| !name.is_empty() && self.root.join(name).is_file())
            .map(str::to_owned)
            .collect();
        files.sort_unstable();
        files.dedup();
        Ok(files)
    }

    pub(crate) fn read(&self, name: &str) -> Result<String> {
        std::fs::read_to_string(self.root.join(name)).map_err(|error| format!("{name}: {error}"))
    }

    /// A file of the shared suites, which lie beside the checkout on the project's own machines
    /// and not in a stranger's clone. ALMAGRE_SHARED names another folder, for a second worktree.
    pub(crate) fn shared(&self, name: &str) -> Option<PathBuf> {
        let beside = || self.root.join("..").join("shared");
        let path = std::env::var_os("ALMAGRE_SHARED").map_or_else(beside, PathBuf::from).join(name);
        path.exists().then_some(path)
    }

    /// The command line of the server under test, with `{port}` and `{dir}`.
    pub(crate) fn server(&self) -> String {
        std::env::var("ALMAGRE_SERVER").unwrap_or_else(|_| {
            format!("{} server --port {{port}} --dir {{dir}}", self.binary().display())
        })
    }

    /// The release build of the product.
    pub(crate) fn binary(&self) -> PathBuf {
        self.target.join("release").join("almagre")
    }

    /// Builds what the black-box tests run, unless ALMAGRE_SERVER names another server.
    pub(crate) fn build_release(&self) -> Result<()> {
        if std::env::var_os("ALMAGRE_SERVER").is_some() {
            return Ok(());
        }
        run::plain(self.cargo().args(["build", "--release", "--locked", "-p", "almagre"]))
    }
}

/// Whether this is the project's CI, where nothing may be skipped.
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

fn cargo(root: &Path) -> Command {
    // The cargo that runs us, so that a +toolchain on the command line holds for all of it.
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root);
    // Set for this crate by `cargo run`; the crates we build must not see them.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    command
}
