//! What this person is called: remembered, asked for, confirmed or refused.

use crate::protocol::{ErrorFrame, NickName, Status};

/// A name on its way from a wish to a fact.
#[derive(Debug, Clone, Default)]
pub(crate) struct Naming {
    /// The name in use, or the one of the last time until the server says something else.
    known: Option<NickName>,
    /// The server said on this connection that `known` is in use.
    confirmed: bool,
    ask: Ask,
    problem: Option<NameProblem>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Ask {
    #[default]
    Nothing,
    /// To be asked for.
    Wanted(NickName),
    /// Asked for and not answered.
    Asked(NickName),
}

/// Why a name was not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameProblem {
    /// The name that was asked for.
    pub wanted: NickName,
    /// What is wrong, for people.
    pub text: String,
    /// A name that is free.
    pub suggestion: Option<NickName>,
}

impl Naming {
    pub(crate) fn remembering(known: Option<NickName>) -> Naming {
        Naming { known, ..Naming::default() }
    }

    pub(crate) fn known(&self) -> Option<&NickName> {
        self.known.as_ref()
    }

    pub(crate) fn problem(&self) -> Option<&NameProblem> {
        self.problem.as_ref()
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.ask != Ask::Nothing
    }

    /// Whether what is said now is said under the right name.
    pub(crate) fn is_settled(&self) -> bool {
        self.confirmed && !self.is_pending()
    }

    pub(crate) fn choose(&mut self, name: NickName) {
        self.problem = None;
        self.ask = if self.confirmed && self.known.as_ref() == Some(&name) { Ask::Nothing } else { Ask::Wanted(name) };
    }

    /// The name to ask for now, which is asked for from then on.
    pub(crate) fn ask_next(&mut self) -> Option<NickName> {
        let Ask::Wanted(name) = &self.ask else { return None };
        let name = name.clone();
        self.ask = Ask::Asked(name.clone());
        Some(name)
    }

    /// `first` is the status that a connection begins with: the remembered name was in the socket's address, and if
    /// this status does not have it, the refusal comes next.
    pub(crate) fn told(&mut self, status: &Status, first: bool) {
        self.confirmed = status.named;
        if !status.named {
            if let (true, Ask::Nothing, Some(known)) = (first, &self.ask, &self.known) {
                self.ask = Ask::Asked(known.clone());
            }
            return;
        }
        if self.ask == Ask::Asked(status.name.clone()) {
            self.ask = Ask::Nothing;
        }
        if self.ask == Ask::Nothing {
            self.problem = None;
        }
        self.known = Some(status.name.clone());
    }

    /// The server refused a name; false when none was asked for.
    pub(crate) fn refused(&mut self, error: &ErrorFrame) -> bool {
        let Ask::Asked(wanted) = self.ask.clone() else { return false };
        self.ask = Ask::Nothing;
        self.problem = Some(NameProblem { wanted, text: error.text.clone(), suggestion: error.suggestion.clone() });
        if !self.confirmed {
            self.known = None;
        }
        true
    }

    /// The connection is gone; the next one begins with the known name in its address.
    pub(crate) fn cut(&mut self) {
        self.confirmed = false;
        if let Ask::Asked(name) = &self.ask {
            let in_address = self.known.as_ref() == Some(name);
            self.ask = if in_address { Ask::Nothing } else { Ask::Wanted(name.clone()) };
        }
    }
}
