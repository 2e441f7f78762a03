//! What another client of the same account does, and what tests look at.

use super::super::world::lock;
use super::{Caldav, Collection, Object, Quirks, User};

impl Caldav {
    pub fn quirks(&self, change: impl FnOnce(&mut Quirks)) {
        change(&mut lock(&self.state).quirks);
    }
    pub fn behave_as(&self, quirks: Quirks) {
        lock(&self.state).quirks = quirks;
    }

    /// An account with one calendar, `home`.
    pub fn account(&self, user: &str, password: &str) {
        let mut state = lock(&self.state);
        let account = User {
            password: password.to_string(),
            calendars: Default::default(),
        };
        state.users.entry(user.to_string()).or_insert(account);
        drop(state);
        self.calendar_of(user, "home", "Home", false);
    }
    /// The password of an account is another one from now on.
    pub fn change_password(&self, user: &str, password: &str) {
        if let Some(user) = lock(&self.state).users.get_mut(user) {
            user.password = password.to_string();
        }
    }
    /// Another calendar: its path.
    pub fn calendar_of(&self, user: &str, name: &str, title: &str, read_only: bool) -> String {
        let collection = Collection {
            title: title.to_string(),
            read_only,
            component: "VEVENT".to_string(),
            seq: self.world.next(),
            ..Collection::default()
        };
        if let Some(user) = lock(&self.state).users.get_mut(user) {
            user.calendars.entry(name.to_string()).or_insert(collection);
        }
        self.path(user, name)
    }
    /// Accounts with the names of their calendars.
    pub fn users(&self) -> Vec<(String, Vec<String>)> {
        let state = lock(&self.state);
        let all = state.users.iter();
        all.map(|(name, user)| (name.clone(), user.calendars.keys().cloned().collect()))
            .collect()
    }
    /// The path of a calendar.
    pub fn path(&self, user: &str, name: &str) -> String {
        super::Place::Calendar(user.to_string(), name.to_string()).path()
    }
    pub fn remove_calendar(&self, user: &str, name: &str) {
        if let Some(user) = lock(&self.state).users.get_mut(user) {
            user.calendars.remove(name);
        }
    }
    /// All sync tokens of a calendar are dead.
    pub fn expire_sync_tokens(&self, user: &str, calendar: &str) {
        self.with(user, calendar, |collection| collection.epoch += 1);
    }

    fn with<T>(
        &self,
        user: &str,
        calendar: &str,
        change: impl FnOnce(&mut Collection) -> T,
    ) -> Option<T> {
        let mut state = lock(&self.state);
        state
            .users
            .get_mut(user)?
            .calendars
            .get_mut(calendar)
            .map(change)
    }

    /// Stores an object, whatever it is.
    pub fn put_object(&self, user: &str, calendar: &str, name: &str, text: &str) {
        let seq = self.world.next();
        self.with(user, calendar, |collection| {
            let object = Object {
                text: text.to_string(),
                seq,
                gone: false,
            };
            collection.objects.insert(name.to_string(), object);
            collection.seq = seq;
        });
    }
    pub fn remove_object(&self, user: &str, calendar: &str, name: &str) -> bool {
        let seq = self.world.next();
        let done = self.with(user, calendar, |collection| {
            let object = collection
                .objects
                .get_mut(name)
                .filter(|object| !object.gone)?;
            (object.gone, object.seq) = (true, seq);
            collection.seq = seq;
            Some(())
        });
        done.flatten().is_some()
    }
    /// All objects of a calendar: (name, text).
    pub fn objects(&self, user: &str, calendar: &str) -> Vec<(String, String)> {
        let all = self.with(user, calendar, |collection| {
            let live = collection.objects.iter().filter(|(_, object)| !object.gone);
            live.map(|(name, object)| (name.clone(), object.text.clone()))
                .collect()
        });
        all.unwrap_or_default()
    }
}
