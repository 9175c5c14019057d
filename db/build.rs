//! The migrations are inside the library: a new file or a changed one makes it anew.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
