//! The sources keep to the architecture: who may import whom, and what a page must never do.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A source file: its path from the workspace, and its text without comments and unit tests.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn is_of(&self, module: &str) -> bool {
        self.path == format!("{module}.rs") || self.path.starts_with(&format!("{module}/"))
    }

    fn is_of_any(&self, modules: &[&str]) -> bool {
        modules.iter().any(|module| self.is_of(module))
    }

    /// Whether a word stands in the code, with nothing of a longer word around it.
    fn mentions(&self, word: &str) -> bool {
        let in_word = |c: char| c.is_alphanumeric() || c == '_';
        self.text
            .match_indices(word)
            .any(|(at, _)| !self.text[..at].ends_with(in_word) && !self.text[at + word.len()..].starts_with(in_word))
    }

    /// The modules of its own crate that it names from the crate's root.
    fn imports(&self) -> BTreeSet<String> {
        self.text.split("crate::").skip(1).flat_map(first_names).collect()
    }
}

/// What a path begins with: one name, or those at the top of a list in braces.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(list) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut names, mut start) = (0, Vec::new(), 0);
    for (at, c) in list.char_indices() {
        match c {
            '}' if depth == 0 => {
                names.push(name(list[start..at].trim()));
                break;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(name(list[start..at].trim()));
                start = at + 1;
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a crate is in the workspace").to_owned()
}

/// Every source under a directory of the workspace.
fn sources(directory: &str) -> Vec<Source> {
    let (root, mut found, mut to_visit) = (workspace(), Vec::new(), vec![workspace().join(directory)]);
    while let Some(directory) = to_visit.pop() {
        for entry in fs::read_dir(&directory).expect("a directory of the workspace") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                to_visit.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).expect("a source in UTF-8");
                let path = path.strip_prefix(&root).expect("below the root").to_str().expect("a text").to_owned();
                found.push(Source { path, text: code_of(&text) });
            }
        }
    }
    assert!(!found.is_empty(), "{directory} has sources");
    found
}

fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

fn assert_only(word: &str, in_sources: &[Source], allowed: &[&str]) {
    let elsewhere: Vec<_> = in_sources
        .iter()
        .filter(|source| source.mentions(word) && !source.is_of_any(allowed))
        .map(|source| source.path.as_str())
        .collect();
    assert!(elsewhere.is_empty(), "{word} is for {allowed:?} only, and is also in {elsewhere:?}");
}

fn assert_never_imports(module: &str, in_sources: &[Source], forbidden: &[&str]) {
    let of_module: Vec<_> = in_sources.iter().filter(|source| source.is_of(module)).collect();
    assert!(!of_module.is_empty(), "{module} has sources");
    for source in of_module {
        for name in source.imports() {
            assert!(!forbidden.contains(&name.as_str()), "{} imports {name}", source.path);
        }
    }
}

#[test]
fn imports_are_found_however_they_are_written() {
    let source = |text: &str| Source { path: String::new(), text: text.to_owned() };
    let text = "use crate::{\n  a::{B, c::D},\n  e,\n};\nuse crate::f;\nlet x = crate::g::h();";
    assert_eq!(source(text).imports(), ["a", "e", "f", "g"].map(str::to_owned).into());
    assert!(source("use axum::Router;").mentions("axum"));
    assert!(!source("use leptos_axum::x; use axum_extra::y;").mentions("axum"));
}

#[test]
fn axum_stays_at_the_servers_edges() {
    let server = sources("server/src");
    assert!(server.iter().any(|source| source.path == "server/src/web.rs" && source.mentions("axum")));
    let opening = "server/src/websocket/upgrade";
    let edges = ["server/src/web", opening, "server/src/lib", "server/src/main"];
    assert_only("axum", &server, &edges);
    for relative in ["axum_extra", "leptos_axum", "leptos", "tower_http"] {
        assert_only(relative, &server, &["server/src/web"]);
    }
    assert_only("tokio_tungstenite", &server, &[opening]);
}

#[test]
fn sql_stays_with_the_journal_and_the_store() {
    assert_only("rusqlite", &sources("server/src"), &["server/src/journal", "server/src/store"]);
}

#[test]
fn the_server_is_imported_one_way() {
    let server = sources("server/src");
    let chat = server.iter().find(|source| source.path == "server/src/chat.rs").expect("chat.rs");
    assert!(chat.imports().contains("journal"), "the reading of imports works: {:?}", chat.imports());
    for (module, forbidden) in [
        ("rooms", &["journal", "chat", "web", "delivery"][..]),
        ("journal", &["chat", "web", "delivery", "people"]),
        ("store", &["chat", "web", "delivery", "rooms", "people", "journal"]),
        ("people", &["chat", "web", "delivery", "rooms", "journal", "store"]),
        ("config", &["chat", "web", "delivery", "rooms", "journal", "store", "people"]),
        ("chat", &["web", "delivery"]),
        ("delivery", &["web"]),
        ("websocket", &["chat", "web", "delivery", "rooms", "journal", "store", "people", "config"]),
        ("metrics", &["chat", "web", "delivery", "rooms", "journal", "store", "people", "config"]),
        ("files", &["chat", "web", "delivery", "rooms", "journal", "store", "people", "config", "metrics"]),
    ] {
        assert_never_imports(&format!("server/src/{module}"), &server, forbidden);
    }
}

#[test]
fn the_browser_is_touched_in_few_places() {
    let app = sources("app/src");
    let places = ["app/src/client", "app/src/components", "app/src/browser", "app/src/protocol/nfc_browser"];
    for library in ["web_sys", "js_sys", "gloo_net", "gloo_timers", "wasm_bindgen"] {
        assert_only(library, &app, &places);
    }
}

#[test]
fn the_protocol_stands_alone_and_the_client_knows_no_component() {
    let app = sources("app/src");
    let others = ["backend", "browser", "client", "components", "pages"];
    assert_never_imports("app/src/protocol", &app, &others);
    assert_never_imports("app/src/client", &app, &["components", "backend", "pages"]);
    assert_never_imports("app/src/components", &app, &["backend", "pages"]);
    assert_only("leptos", &app, &["app/src/client", "app/src/components", "app/src/pages", "app/src/browser"]);
    assert!(!app.iter().any(|source| source.is_of("app/src") && source.mentions("server::")), "app knows no server");
}

#[test]
fn a_feature_gates_whole_modules() {
    for Source { path, text } in sources("app/src").iter().chain(&sources("frontend/src")) {
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if !line.contains("cfg(feature") && !line.contains("cfg_attr(feature") {
                continue;
            }
            let gated = lines.find(|line| !line.starts_with("#[")).unwrap_or_default();
            let item = gated.trim_start_matches("pub ").trim_start_matches("pub(crate) ");
            assert!(line.starts_with("#[cfg(") && item.starts_with("mod "), "{path}: {line} {gated}");
        }
    }
}

#[test]
fn a_page_never_writes_html_by_itself() {
    let app = sources("app/src");
    assert_only("inner_html", &app, &[]);
    for Source { path, text } in &app {
        // What stands between the tags is not escaped on the server.
        let is_empty = |before: &str| before.trim_end().ends_with('>');
        let areas: Vec<&str> = text.split("</textarea").collect();
        let all_empty = areas.iter().rev().skip(1).all(|before| is_empty(before));
        assert!(all_empty, "{path}: a textarea has no children, only prop:value");
    }
}

#[test]
fn nothing_is_left_for_later() {
    for directory in ["app/src", "frontend/src", "fuzz", "server/examples", "server/src", "server/tests", "xtask/src"] {
        for Source { path, text } in sources(directory) {
            let marks = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["todo", "!("].concat()];
            assert!(!marks.iter().any(|mark| text.contains(mark.as_str())), "{path}");
        }
    }
}
