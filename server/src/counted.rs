//! The allocator of the unit tests: the system's, which counts what each thread holds.
//!
//! Bytes asked for are the same on every machine, whatever else it does and whichever tests run beside.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// Bytes that this thread asked for and has not given back, less those of others that it gave back.
pub(crate) fn held() -> isize {
    HELD.get()
}

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

struct Counted;

impl Counted {
    fn count(bytes: isize) {
        HELD.set(HELD.get() + bytes);
    }
}

// Nothing but an allocator can say what was asked for, and the trait is unsafe.
#[allow(unsafe_code)]
// SAFETY: every call is handed on as it came. Counting neither allocates nor panics: a `Layout` is at most `isize::MAX`.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Counted::count(layout.size().cast_signed());
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        Counted::count(-layout.size().cast_signed());
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(memory, layout) }
    }
}
