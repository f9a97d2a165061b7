//! The site's files: inside the binary in a release, from disk while it is being worked on.

use super::pages;
use app::pages::SiteFiles;
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::{Embed, EmbeddedFile};
use std::sync::{Arc, OnceLock};

/// What the build made of `style`, `public` and `frontend`. A debug build reads it from disk at every request.
#[derive(Embed)]
#[folder = "../target/site"]
struct Files;

/// Built files carry a hash of their content in their name, so a name never means anything else.
const BUILT: &str = "pkg/";
const FOREVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

/// Serves a file, or says that there is none.
pub(super) async fn serve(request: Request) -> Response {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = request.uri().path().trim_start_matches('/').to_owned();
    match Files::get(&path) {
        // The compressed twins are reached by their file's own name.
        Some(file) if !is_compressed(&path) => answer(&path, file, request.headers()),
        _ if wants_page(request.headers()) => pages::not_found(request).await,
        _ => (StatusCode::NOT_FOUND, "Not found.\n").into_response(),
    }
}

fn is_compressed(path: &str) -> bool {
    path.ends_with(".br") || path.ends_with(".gz")
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

fn answer(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let tag = etag(&file);
    let cache = if path.starts_with(BUILT) { FOREVER } else { ASK_AGAIN };
    if is_known(headers, &tag) {
        let headers = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, cache), (header::VARY, "accept-encoding")];
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let (encoding, file) = compressed(path, headers).map_or((None, file), |(encoding, file)| (Some(encoding), file));
    let mut response = Response::new(Body::from(file.data.into_owned()));
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, content_type(path));
    set(header::CACHE_CONTROL, cache);
    set(header::ETAG, &tag);
    set(header::VARY, "accept-encoding");
    if let Some(encoding) = encoding {
        set(header::CONTENT_ENCODING, encoding);
    }
    response
}

/// Whether the other side has this version already (RFC 9110, section 13.1.2: a weak comparison with a list).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok()).unwrap_or_default();
    known
        .split(',')
        .map(str::trim)
        .any(|one| one == "*" || one.trim_start_matches("W/") == tag.trim_start_matches("W/"))
}

fn compressed(path: &str, headers: &HeaderMap) -> Option<(&'static str, EmbeddedFile)> {
    let accepted = headers.get(header::ACCEPT_ENCODING)?.to_str().ok()?;
    let accepts = |coding: &str| {
        accepted.split(',').map(|one| one.trim().split(';').collect::<Vec<_>>()).any(|one| {
            let refused =
                one.iter().skip(1).any(|weight| matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
            one[0].trim().eq_ignore_ascii_case(coding) && !refused
        })
    };
    [("br", "br"), ("gzip", "gz")]
        .into_iter()
        .filter(|(coding, _)| accepts(coding))
        .find_map(|(coding, ending)| Some((coding, Files::get(&format!("{path}.{ending}"))?)))
}

fn etag(file: &EmbeddedFile) -> String {
    let start = &file.metadata.sha256_hash()[..8];
    // Weak: the compressed twins share it.
    format!("W/\"{}\"", start.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("webmanifest") => "application/manifest+json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Where the page finds its files. In a release that is known once and for all.
pub(super) fn site_files() -> SiteFiles {
    static FOUND: OnceLock<SiteFiles> = OnceLock::new();
    if cfg!(debug_assertions) { find_files() } else { FOUND.get_or_init(find_files).clone() }
}

fn find_files() -> SiteFiles {
    let find = |ending: &str| {
        let found = Files::iter().find(|path| path.starts_with("pkg/taproom") && path.ends_with(ending));
        format!("/{}", found.as_deref().unwrap_or("pkg/taproom.missing"))
    };
    let reload_port = std::env::var("LEPTOS_WATCH").ok().and_then(|_| std::env::var("LEPTOS_RELOAD_PORT").ok());
    SiteFiles {
        css: find(".css"),
        js: find(".js"),
        wasm: find(".wasm"),
        reload_port: reload_port.and_then(|port| port.parse().ok()),
    }
}

/// Which build this is: the version, and the fingerprint of the page's program.
pub(super) fn build() -> Arc<str> {
    static FOUND: OnceLock<Arc<str>> = OnceLock::new();
    if cfg!(debug_assertions) { find_build() } else { FOUND.get_or_init(find_build).clone() }
}

fn find_build() -> Arc<str> {
    let wasm = site_files().wasm;
    let fingerprint: String = wasm.split('.').nth(1).unwrap_or_default().chars().take(8).collect();
    format!("{} ({fingerprint})", env!("CARGO_PKG_VERSION")).into()
}
