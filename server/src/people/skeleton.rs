//! What a name looks like: two names with one skeleton could be mistaken for each other.

use app::protocol::NickName;
use std::{array, sync::LazyLock};
use unicode_security::confusable_detection::skeleton;

/// The shape of a name, without case and with look-alike letters made equal (Unicode UTS #39, section 4).
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Skeleton(Box<str>);

impl Skeleton {
    pub(crate) fn of(name: &NickName) -> Skeleton {
        let name = name.as_str();
        let shape = if name.is_ascii() { name.bytes().map(shape_of_ascii).collect() } else { shape(name) };
        Skeleton(shape.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn shape(text: &str) -> String {
    // Case is folded before and after: the look-alike of a small letter may be a capital one.
    let shape = skeleton(&text.to_lowercase()).collect::<String>().to_lowercase();
    shape.chars().filter(|c| !is_joiner_or_space(*c)).collect()
}

/// Most names are nothing but ASCII, whose letters have shapes that do not depend on their neighbours.
fn shape_of_ascii(letter: u8) -> &'static str {
    static SHAPES: LazyLock<[String; 128]> =
        LazyLock::new(|| array::from_fn(|at| shape(&char::from(at as u8).to_string())));
    &SHAPES[usize::from(letter)]
}

fn is_joiner_or_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn look_alike(a: &str, b: &str) -> bool {
        let shape = |name| Skeleton::of(&NickName::parse(name).expect("a good name"));
        shape(a) == shape(b)
    }

    #[test]
    fn names_that_can_be_mistaken_for_each_other_have_one_skeleton() {
        for (a, b) in [("ada", "ADA"), ("ada", "аdа"), ("paul", "pau1"), ("bob", "b0b"), ("a b", "ab"), ("Ⅷ", "viii")]
        {
            assert!(look_alike(a, b), "{a} and {b}");
        }
    }

    #[test]
    fn different_names_stay_different() {
        for (a, b) in [("ada", "bo"), ("ada", "ada2"), ("user1", "user2"), ("user10", "user1"), ("山田", "山本")] {
            assert!(!look_alike(a, b), "{a} and {b}");
        }
    }

    proptest! {
        #[test]
        fn the_shape_of_ascii_is_that_of_its_letters(text in "[ -~]{0,32}") {
            prop_assert_eq!(text.bytes().map(shape_of_ascii).collect::<String>(), shape(&text));
        }
    }
}
