//! A list that grows inside without moving what is there.
//!
//! Leptos' keyed list (tachys 0.2) takes the rows after an insertion out of the page and puts them back when more than
//! one row is inserted at once: it expects each of them to have moved by the number of insertions that it has met so
//! far. Scroll position, focus and selection do not survive that. One insertion at a time moves nothing, so that is
//! how the list is brought up to date.

use leptos::tachys::{
    html::attribute::{Attribute, any_attribute::AnyAttribute},
    hydration::Cursor,
    view::{Position, PositionState, Render, RenderHtml, add_attr::AddAnyAttr},
};

/// The lists to go through from the one that is shown to the one that is wanted, which is the last of them. In each of
/// them at most one row is new that has a row below it which was there before.
///
/// Rows that are in both lists are in the same order in both.
pub(super) fn steps<T: Clone, K: PartialEq>(shown: &[K], wanted: &[T], key: impl Fn(&T) -> K) -> Vec<Vec<T>> {
    let mut rest = shown.iter();
    let mut is_new = |row: &T| {
        let (mut search, key) = (rest.clone(), key(row));
        let found = search.any(|shown| *shown == key);
        if found {
            rest = search;
        }
        !found
    };
    let is_new: Vec<bool> = wanted.iter().map(&mut is_new).collect();
    let last_old = is_new.iter().rposition(|is_new| !is_new).unwrap_or(0);
    let inner = is_new.iter().take(last_old).filter(|is_new| **is_new).count();
    let list = |step: usize| {
        // The lowest ones come first, so that the list grows upwards.
        let mut left_out = inner - step;
        let keep = |at: &usize| {
            let waits = is_new[*at] && *at < last_old && left_out > 0;
            left_out -= usize::from(waits);
            !waits
        };
        (0..wanted.len()).filter(keep).map(|at| wanted[at].clone()).collect()
    };
    (inner.min(1)..=inner).map(list).collect()
}

/// A view that is brought up to date in several steps, and built in its last one.
pub(super) struct InSteps<V> {
    before: Vec<V>,
    last: V,
}

impl<V> InSteps<V> {
    /// None of no steps.
    pub(super) fn new(mut steps: Vec<V>) -> Option<InSteps<V>> {
        let last = steps.pop()?;
        Some(InSteps { before: steps, last })
    }
}

impl<V: Render> Render for InSteps<V> {
    type State = V::State;

    fn build(self) -> V::State {
        self.last.build()
    }

    fn rebuild(self, state: &mut V::State) {
        self.before.into_iter().for_each(|step| step.rebuild(state));
        self.last.rebuild(state);
    }
}

impl<V: AddAnyAttr> AddAnyAttr for InSteps<V> {
    type Output<NewAttr: Attribute> = V::Output<NewAttr>;

    fn add_any_attr<NewAttr: Attribute>(self, attr: NewAttr) -> V::Output<NewAttr>
    where
        V::Output<NewAttr>: RenderHtml,
    {
        self.last.add_any_attr(attr)
    }
}

impl<V: RenderHtml + 'static> RenderHtml for InSteps<V> {
    type AsyncOutput = V::AsyncOutput;
    type Owned = Self;

    const MIN_LENGTH: usize = V::MIN_LENGTH;

    fn dry_resolve(&mut self) {
        self.last.dry_resolve();
    }

    fn resolve(self) -> impl Future<Output = V::AsyncOutput> + Send {
        self.last.resolve()
    }

    fn to_html_with_buf(
        self,
        buf: &mut String,
        position: &mut Position,
        escape: bool,
        mark_branches: bool,
        extra_attrs: Vec<AnyAttribute>,
    ) {
        self.last.to_html_with_buf(buf, position, escape, mark_branches, extra_attrs);
    }

    fn hydrate<const FROM_SERVER: bool>(self, cursor: &Cursor, position: &PositionState) -> V::State {
        self.last.hydrate::<FROM_SERVER>(cursor, position)
    }

    fn into_owned(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn inner_insertions(from: &[u8], to: &[u8]) -> usize {
        let last_old = to.iter().rposition(|row| from.contains(row)).unwrap_or(0);
        to[..last_old].iter().filter(|row| !from.contains(row)).count()
    }

    #[test]
    fn rows_come_in_above_one_by_one_and_go_and_follow_at_once() {
        let lists = steps(&[4, 5, 6], &[1, 2, 4, 5, 7, 8], |row| *row);
        assert_eq!(lists, [vec![2, 4, 5, 7, 8], vec![1, 2, 4, 5, 7, 8]]);
        assert_eq!(steps(&[1, 2], &[1, 2, 3, 4], |row| *row), [[1, 2, 3, 4]]);
        assert_eq!(steps(&[1, 2], &[3, 4], |row| *row), [[3, 4]]);
        assert_eq!(steps(&[1], &[] as &[u8], |row| *row), [[0_u8; 0]]);
    }

    proptest! {
        #[test]
        fn every_step_inserts_one_row_at_most_and_the_last_one_is_what_is_wanted(
            rows in proptest::collection::vec((any::<bool>(), any::<bool>()), 0..40),
        ) {
            let some = |pick: fn(&(bool, bool)) -> bool| -> Vec<u8> {
                rows.iter().enumerate().filter(|(_, row)| pick(row)).map(|(at, _)| at as u8).collect()
            };
            let (shown, wanted) = (some(|row| row.0), some(|row| row.1));
            let lists = steps(&shown, &wanted, |row| *row);
            let mut before = shown;
            for list in &lists {
                prop_assert!(inner_insertions(&before, list) <= 1);
                before.clone_from(list);
            }
            prop_assert_eq!(lists.last(), Some(&wanted));
        }
    }
}
