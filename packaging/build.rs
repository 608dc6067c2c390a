//! Tells the linker what makes the executable smaller, on disk and in memory, as far as it
//! understands it. Without all this everything works the same.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Keeps one function of those that are alike.
const FOLD: &str = "-Wl,--icf=all";
/// Lists the addresses that are adapted at the start in far less room.
const PACK: &str = "-Wl,-z,pack-relative-relocs";

fn main() -> io::Result<()> {
    let manifest = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let script = Path::new(&manifest).join("packaging/layout.ld");
    let mut instructions = format!("cargo::rerun-if-changed={}\n", script.display());
    // Elsewhere than on Linux linkers know none of it.
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        let layout = format!("-T{}", script.display());
        for argument in [&layout, FOLD, PACK] {
            // Some linkers for Linux know none either; an installation must not fail for that.
            let Some(smallest) = linked_with(argument)? else { continue };
            // A loader from before 2022 starts no packed program, and where another system's is
            // built, there is no telling.
            if argument != PACK || succeeds(&mut Command::new(smallest)) {
                instructions += &format!("cargo::rustc-link-arg-bins={argument}\n");
            }
        }
    }
    io::stdout().write_all(instructions.as_bytes())
}

/// A smallest program linked with this argument, all else being as it will be for the real one.
fn linked_with(argument: &str) -> io::Result<Option<PathBuf>> {
    let variable = |name| env::var_os(name).unwrap_or_default();
    let out = PathBuf::from(variable("OUT_DIR"));
    let (source, program) = (out.join("smallest.rs"), out.join("smallest"));
    fs::write(&source, "fn main() {}\n")?;
    let mut rustc = Command::new(variable("RUSTC"));
    rustc.arg(&source).arg("-o").arg(&program).arg("--target").arg(variable("TARGET"));
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        rustc.arg("-Clinker").arg(linker);
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    rustc.arg(format!("-Clink-arg={argument}"));
    Ok(succeeds(&mut rustc).then_some(program))
}

/// Whether a program can be run, and reports success.
fn succeeds(program: &mut Command) -> bool {
    let silent = program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}
