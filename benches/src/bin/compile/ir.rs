//! How much the stores of the `issues` example make the compiler generate: lines of LLVM's language, function by function.

use std::{fs, path::Path, process::Command};

use crate::{MOST_IR_LINES, Outcome, Row};

/// Counts what is generated for the example.
pub(crate) fn rows() -> Outcome<Vec<Row>> {
    let this = std::env::current_exe()?;
    let target = this.ancestors().nth(2).ok_or("this program is not in a target folder")?;
    let file = target.join("issues.ll");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(workspace)
        .args(["rustc", "--quiet", "--release", "--locked", "-p", "issues", "--lib", "--target-dir"])
        .arg(target)
        .args(["--", "-Ccodegen-units=1", "-Csymbol-mangling-version=v0"])
        .arg(format!("--emit=llvm-ir={}", file.display()))
        .status()?;
    if !status.success() {
        return Err("the example does not compile".into());
    }
    let Size { lines, of_larder, functions } = count(&fs::read_to_string(&file)?);
    let all = Row::new(
        format!("lines of LLVM IR for the example's 3 stores and its list of all issues, {functions} functions"),
        lines.to_string(),
    );
    Ok(vec![
        all.bar(format!("<= {MOST_IR_LINES}"), lines <= MOST_IR_LINES),
        Row::new("  of which larder's generic functions, for types of theirs", of_larder.to_string()),
    ])
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Size {
    lines: usize,
    of_larder: usize,
    functions: usize,
}

/// Functions whose symbol names something in the modules `stores` of the crate `issues`: what stands there, and what is
/// generic over types from there.
fn count(text: &str) -> Size {
    let mut size = Size::default();
    let mut inside = None;
    for line in text.lines() {
        if let Some(symbol) = line.strip_prefix("define ").and_then(|line| line.split('@').nth(1)) {
            let symbol = symbol.split('(').next().unwrap_or_default();
            let of_stores =
                symbol.contains("6issues6stores") || symbol.contains("_6issues") && symbol.contains("6stores");
            inside = of_stores.then(|| symbol.contains("6larder"));
            size.functions += usize::from(of_stores);
        }
        if let Some(of_larder) = inside {
            size.lines += 1;
            size.of_larder += usize::from(of_larder);
        }
        if line == "}" {
            inside = None;
        }
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_the_stores_are_counted_and_no_others() {
        let text = "define void @_RNvNtNtCs1_6issues6stores5issue3fun(ptr %0) {\n  ret void\n}\ndefine void @other() {\n  ret void\n}\n\
                    define void @_RINvNtCs2_6larder5query3runNtNtCs1_6issues6stores5IssueE() {\n  ret void\n}\n";
        assert_eq!(count(text), Size { lines: 6, of_larder: 3, functions: 2 });
    }
}
