//! Prepares for the web application, which may not have been built: rust-embed finds its folder later only if it is there now. Has
//! a release build notice that it was built anew; a debug build reads it at run time and needs no word of it.

fn main() {
    // where nothing may be written the application is either there or can't come later
    let _ = std::fs::create_dir_all("../web/dist");
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo::rerun-if-changed=../web/dist");
    }
}
