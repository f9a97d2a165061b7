//! Which characters a reader can see, and which must not be in a name.

/// Whether a character leaves ink: not white space, not a control, not one of Unicode's invisible ones
/// (default-ignorable code points, blank letters; Unicode 16, section 5.21).
pub(super) fn is_visible(c: char) -> bool {
    !(c.is_whitespace() || c.is_control() || is_invisible(c))
}

/// Controls, line separators, bidirectional overrides and invisible characters: in a name they could only deceive.
/// The zero-width joiner and non-joiner stay, because emoji and several scripts are written with them.
pub(super) fn is_forbidden_in_name(c: char) -> bool {
    let is_joiner = matches!(c, '\u{200c}' | '\u{200d}');
    let is_separator = matches!(c, '\u{2028}' | '\u{2029}');
    let is_variation = matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}');
    c.is_control() || is_separator || (is_invisible(c) && !is_joiner && !is_variation)
}

fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d159}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}
