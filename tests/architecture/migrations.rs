//! The files of the schema: what has been part of a version is frozen, and what is new comes after it.

use std::{collections::BTreeMap, fs, process::Command};

use crate::sources::root;

/// What git says to that; none where it has no answer.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").current_dir(root()).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// The files of the last version, with the names that git gives to their texts.
fn frozen() -> Option<BTreeMap<String, String>> {
    let baseline = fs::read_to_string(root().join("tests/crash/mixed/baseline")).unwrap();
    let listed = git(&["ls-tree", baseline.trim(), "migrations/"])?;
    let row = |line: &str| {
        let (about, path) = line.split_once('\t').unwrap();
        (path.to_owned(), about.rsplit(' ').next().unwrap().to_owned())
    };
    Some(listed.lines().map(row).collect())
}

fn version(path: &str) -> i64 {
    let name = path.rsplit('/').next().unwrap();
    name.split('_').next().unwrap().parse().unwrap_or_else(|_| panic!("{path} does not begin with a number"))
}

#[test]
fn files_of_the_last_version_are_as_they_were_and_new_ones_come_after_them() {
    let Some(frozen) = frozen() else {
        return e2e::leave_out("the history does not reach back to the last version, or there is no git");
    };
    assert!(frozen.len() > 10, "{frozen:?}");
    for (path, text) in &frozen {
        let now = git(&["hash-object", path]);
        assert_eq!(now.as_deref().map(str::trim), Some(&text[..]), "{path} is frozen: add a file (docs/adding.md)");
    }
    let newest = frozen.keys().map(|path| version(path)).max().unwrap();
    for entry in fs::read_dir(root().join("migrations")).unwrap() {
        let path = format!("migrations/{}", entry.unwrap().file_name().display());
        assert!(
            frozen.contains_key(&path) || version(&path) > newest,
            "{path} comes before {newest:04}, which is frozen"
        );
    }
}
