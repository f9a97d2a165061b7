//! A message's text as it is shown: characters that would harm are replaced, addresses become links.

use std::borrow::Cow;

/// How many links a message has at most; what follows is text.
const MAX_LINKS: usize = 100;

/// How much punctuation is taken off the end of an address at most.
const MAX_TRAILING: usize = 16;

const SCHEMES: [&str; 3] = ["http://", "https://", "mailto:"];

/// A stretch of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Words(String),
    /// An address that may be followed: http, https or mailto, nothing else.
    Link(String),
}

/// Takes a text apart. The pieces joined are the text as [`cleaned`] gives it, and none of them is empty.
pub(crate) fn pieces(text: &str) -> Vec<Piece> {
    let text = cleaned(text);
    let mut pieces = Vec::new();
    let (mut said, mut at) = (0, 0);
    while let Some(start) = next_scheme(&text, at) {
        let end = start + address_length(&text[start..]);
        at = end;
        let scheme = SCHEMES.iter().find(|scheme| starts_with(&text[start..], scheme)).map_or(0, |scheme| scheme.len());
        if end <= start + scheme || pieces.len() >= 2 * MAX_LINKS {
            at = start + scheme.max(1);
            continue;
        }
        if said < start {
            pieces.push(Piece::Words(text[said..start].to_owned()));
        }
        pieces.push(Piece::Link(text[start..end].to_owned()));
        said = end;
    }
    if said < text.len() {
        pieces.push(Piece::Words(text[said..].to_owned()));
    }
    pieces
}

/// The text as an HTML parser leaves it, so that server and browser have the same: line ends are line feeds, and
/// other controls are replaced by U+FFFD.
pub(crate) fn cleaned(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| !c.is_control() || c == '\n' || c == '\t';
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    Cow::Owned(lines.chars().map(|c| if is_plain(c) { c } else { char::REPLACEMENT_CHARACTER }).collect())
}

/// Where the next address begins: at a scheme that no letter or digit goes before.
fn next_scheme(text: &str, from: usize) -> Option<usize> {
    let mut begins_word = text[..from].chars().next_back().is_none_or(|c| !c.is_alphanumeric());
    for (offset, c) in text[from..].char_indices() {
        let at = from + offset;
        if begins_word && SCHEMES.iter().any(|scheme| starts_with(&text[at..], scheme)) {
            return Some(at);
        }
        begins_word = !c.is_alphanumeric();
    }
    None
}

fn starts_with(text: &str, scheme: &str) -> bool {
    text.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
}

/// How long the address is that a text begins with: without the punctuation of the sentence around it.
fn address_length(text: &str) -> usize {
    let is_override = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let ends = |c: char| c.is_whitespace() || c.is_control() || "<>\"`".contains(c) || is_override(c);
    let mut address = &text[..text.find(ends).unwrap_or(text.len())];
    for _ in 0..MAX_TRAILING {
        let Some(last) = address.chars().next_back() else { break };
        let unbalanced = |open: char, close: char| address.matches(close).count() > address.matches(open).count();
        let is_outside = match last {
            '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '_' | '~' => true,
            ')' => unbalanced('(', ')'),
            ']' => unbalanced('[', ']'),
            '}' => unbalanced('{', '}'),
            _ => false,
        };
        if !is_outside {
            break;
        }
        address = &address[..address.len() - last.len_utf8()];
    }
    address.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn links(text: &str) -> Vec<String> {
        let link = |piece| match piece {
            Piece::Link(link) => Some(link),
            Piece::Words(_) => None,
        };
        pieces(text).into_iter().filter_map(link).collect()
    }

    #[test]
    fn addresses_become_links_without_the_sentence_around_them() {
        assert_eq!(
            links("see https://example.org/a_(b)?c=1#d, or (http://x.org)."),
            ["https://example.org/a_(b)?c=1#d", "http://x.org"]
        );
        assert_eq!(
            links("HTTPS://EXAMPLE.ORG mailto:ada@example.org!"),
            ["HTTPS://EXAMPLE.ORG", "mailto:ada@example.org"]
        );
    }

    #[test]
    fn nothing_else_becomes_a_link() {
        for text in ["javascript:alert(1)", "xhttp://a", "https://", "http://.", "data:text/html,x", "www.example.org"]
        {
            assert_eq!(links(text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(links("javascript:http://x"), ["http://x"]);
        assert_eq!(links("http://a\u{202e}gpj.exe"), ["http://a"]);
    }

    #[test]
    fn controls_are_replaced_and_lines_end_one_way() {
        assert_eq!(cleaned("a\r\nb\rc\nd\te\u{0}f\u{7f}g"), "a\nb\nc\nd\te\u{fffd}f\u{fffd}g");
        assert!(matches!(cleaned("plain\n\u{202e}text"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn nothing_of_a_text_is_lost(text in "(\\PC|https?://|mailto:|[ \\n\\r().,é])*") {
            let joined: String = pieces(&text).into_iter().map(|piece| match piece {
                Piece::Words(words) => { assert!(!words.is_empty()); words }
                Piece::Link(link) => { assert!(SCHEMES.iter().any(|scheme| starts_with(&link, scheme))); link }
            }).collect();
            prop_assert_eq!(joined, cleaned(&text));
        }
    }
}
