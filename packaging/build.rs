//! Gives the linker `layout.ld`, where it understands it.

use std::{
    env, fs, io,
    path::Path,
    process::{Command, Stdio},
};

fn main() -> io::Result<()> {
    let manifest = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let script = Path::new(&manifest).join("packaging/layout.ld");
    let mut instructions = format!("cargo::rerun-if-changed={}\n", script.display());
    // Elsewhere than on Linux linkers know no such scripts.
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        let argument = format!("-T{}", script.display());
        // Some linkers for Linux know none either; an installation must not fail for that.
        if links_with(&argument)? {
            instructions += &format!("cargo::rustc-link-arg-bins={argument}\n");
        }
    }
    io::Write::write_all(&mut io::stdout(), instructions.as_bytes())
}

/// Whether a smallest program can be linked with this argument, all else being as it will be for
/// the real one.
fn links_with(argument: &str) -> io::Result<bool> {
    let variable = |name| env::var_os(name).unwrap_or_default();
    let out = variable("OUT_DIR");
    let source = Path::new(&out).join("smallest.rs");
    fs::write(&source, "fn main() {}\n")?;
    let mut rustc = Command::new(variable("RUSTC"));
    rustc.arg(&source).arg("--out-dir").arg(&out).arg("--target").arg(variable("TARGET"));
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        rustc.arg("-Clinker").arg(linker);
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    rustc.arg(format!("-Clink-arg={argument}")).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(rustc.status().is_ok_and(|status| status.success()))
}
