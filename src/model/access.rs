//! Who may do what: WebDAV privileges (RFC 3744 §3, RFC 4791 §6.1, RFC 6638 §6) and the proofs that they were checked.

use super::{Bound, Error, Precondition, PrincipalId, Result};

/// One privilege; `PRIVILEGES` gives its name, its aggregate and its description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Privilege {
    Read,
    WriteProperties,
    WriteContent,
    Bind,
    Unbind,
    Unlock,
    ReadAcl,
    ReadCurrentUserPrivilegeSet,
    WriteAcl,
    ReadFreeBusy,
}

/// A set of privileges, without aggregates: `DAV:write` is the four it contains, `DAV:all` is all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Privileges(u16);

impl Privileges {
    pub const NONE: Privileges = Privileges(0);
    pub const ALL: Privileges = Privileges((1 << 10) - 1);
    /// DAV:write (RFC 3744 §3.2): write-properties, write-content, bind, unbind.
    pub const WRITE: Privileges = Privileges::NONE
        .with(Privilege::WriteProperties)
        .with(Privilege::WriteContent)
        .with(Privilege::Bind)
        .with(Privilege::Unbind);
    /// What a reader gets.
    pub const READER: Privileges = Privileges::NONE
        .with(Privilege::Read)
        .with(Privilege::ReadFreeBusy)
        .with(Privilege::ReadCurrentUserPrivilegeSet);

    pub const fn with(self, one: Privilege) -> Privileges {
        Privileges(self.0 | 1 << one as u16)
    }

    pub const fn union(self, other: Privileges) -> Privileges {
        Privileges(self.0 | other.0)
    }

    pub const fn has(self, one: Privilege) -> bool {
        self.0 & (1 << one as u16) != 0
    }

    pub const fn contains(self, all: Privileges) -> bool {
        self.0 & all.0 == all.0
    }

    /// What a grant of this level gives (table `access_grant`): 1 free/busy, 2 read, 3 write, 4 manage.
    pub fn of_level(level: i64) -> Privileges {
        let free_busy = Privileges::NONE
            .with(Privilege::ReadFreeBusy)
            .with(Privilege::ReadCurrentUserPrivilegeSet);
        match level {
            i64::MIN..=0 => Privileges::NONE,
            1 => free_busy,
            2 => Privileges::READER,
            3 => Privileges::READER
                .union(Privileges::WRITE)
                .with(Privilege::Unlock),
            _ => Privileges::ALL,
        }
    }
}

/// Who is asking: the person, and what their credential may be used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    pub id: PrincipalId,
    pub name: String,
    pub admin: bool,
    pub scopes: Scopes,
}

/// Scopes of an API token; a password or app password has all that its owner may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    pub const READ: Scopes = Scopes(1);
    pub const WRITE: Scopes = Scopes(2);
    pub const FREEBUSY: Scopes = Scopes(4);
    pub const BOOK: Scopes = Scopes(8);
    pub const BRIDGE: Scopes = Scopes(16);
    pub const ADMIN: Scopes = Scopes(32);
    pub const ALL: Scopes = Scopes(63);
    const NAMES: [(&'static str, Scopes); 6] = [
        ("read", Scopes::READ),
        ("write", Scopes::WRITE),
        ("freebusy", Scopes::FREEBUSY),
        ("book", Scopes::BOOK),
        ("bridge", Scopes::BRIDGE),
        ("admin", Scopes::ADMIN),
    ];

    /// Both of them.
    pub const fn and(self, other: Scopes) -> Scopes {
        Scopes(self.0 | other.0)
    }

    pub fn has(self, one: Scopes) -> bool {
        self.0 & one.0 == one.0
    }

    /// Reads names separated by spaces or commas; `Err` is the first unknown one.
    pub fn parse(text: &str) -> std::result::Result<Scopes, String> {
        text.split([' ', ','])
            .filter(|word| !word.is_empty())
            .try_fold(Scopes(0), |set, word| {
                let (_, scope) = Self::NAMES
                    .iter()
                    .find(|(name, _)| *name == word)
                    .ok_or_else(|| word.to_string())?;
                Ok(Scopes(set.0 | scope.0))
            })
    }

    /// Names separated by spaces, as stored.
    pub fn print(self) -> String {
        let names: Vec<_> = Self::NAMES
            .iter()
            .filter(|(_, scope)| self.has(*scope))
            .map(|(name, _)| *name)
            .collect();
        names.join(" ")
    }
}

/// Proof that the person asking may read this. Made by [`readable`] only.
#[derive(Clone, Debug)]
pub struct Readable<T>(T);

/// Proof that the person asking may change members of this. Made by [`writable`] only.
#[derive(Clone, Debug)]
pub struct Writable<T>(T);

impl<T> std::ops::Deref for Readable<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> std::ops::Deref for Writable<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// Reading a calendar needs DAV:read; who may see nothing of it is told that it is not there.
pub fn readable(bound: Bound, who: &Who) -> Result<Readable<Bound>> {
    demand(
        &bound,
        who,
        Scopes::READ,
        Privileges::NONE.with(Privilege::Read),
    )?;
    Ok(Readable(bound))
}

/// Changing members of a calendar needs `needs` (bind to add, unbind to remove, write-content to change).
pub fn writable(bound: Bound, who: &Who, needs: Privileges) -> Result<Writable<Bound>> {
    demand(&bound, who, Scopes::WRITE, needs)?;
    Ok(Writable(bound))
}

/// The check itself: 404 for a calendar that this person may not know of, else 403 `need-privileges`.
pub fn demand(bound: &Bound, who: &Who, scope: Scopes, needs: Privileges) -> Result<()> {
    if bound.privileges == Privileges::NONE {
        return Err(Error::NotFound);
    }
    if !who.scopes.has(scope) {
        return Err(Error::forbidden(format!(
            "this token lacks the scope {}",
            scope.print()
        )));
    }
    if !bound.privileges.contains(needs) {
        return Err(Error::precondition(
            Precondition::NeedPrivileges { needs },
            "you may not do this here",
        ));
    }
    Ok(())
}
