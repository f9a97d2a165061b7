//! What the journal promises when power, disk and files fail, each row of the fault table in a file of its own.

mod bare;
mod disk;
