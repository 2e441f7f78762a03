//! A whole application with links to calendars of the scripted provider.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretString;

use super::remote::Remote;
use crate::app::testing::World;
use crate::app::{calendars, users};
use crate::model::bridge::{
    ConflictPolicy, Direction, GuestPolicy, Link, LinkState, Privacy, RemoteCalendar,
};
use crate::model::{
    Bound, ConnectionId, Door, Guard, LinkId, Origin, Privileges, RemoteCalendarId, Who, Writable,
};
use crate::objects;
use crate::remote::{Answer, Broken, Row, Transport};
use crate::store::bridges::{
    NewConnection, NewLink, Settings, connections, links, remote_calendars, units,
};
use crate::store::{self, verify};
use crate::sync::credentials::Secret;
use crate::sync::{self, Bridge, Cause, Parts, Report};

/// Nothing is sent: the scripted provider needs no network.
struct Nowhere;

impl Transport for Nowhere {
    fn send(
        &self,
        _: ::http::Request<bytes::Bytes>,
    ) -> Answer<'_, Result<::http::Response<bytes::Bytes>, Broken>> {
        Box::pin(async {
            Err(Broken {
                sent: false,
                reason: "there is no network".into(),
            })
        })
    }
}

pub struct Bench {
    pub world: World,
    pub bridge: Bridge,
    pub remote: Remote,
    pub who: Who,
    pub connection: ConnectionId,
}

pub fn settings(direction: Direction) -> Settings {
    Settings {
        direction,
        privacy: Privacy::Full,
        title_template: String::new(),
        description_template: String::new(),
        auto_create: true,
        auto_update: true,
        conflict: ConflictPolicy::Theirs,
        guests: GuestPolicy::Never,
        interval: 60,
    }
}

impl Bench {
    pub async fn new() -> Bench {
        let world = World::new().await;
        let anna = world.user("anna").await;
        let who = users::acting(&world, "anna").await.unwrap();
        let remote = Remote::default();
        remote.with(|state| state.page = 3);
        let row = Row {
            name: "scripted",
            title: "Scripted",
            oauth: None,
            provider: Box::leak(Box::new(remote.clone())),
        };
        let bridge = bridge(&world, vec![row]);
        let secret = Secret::Address(SecretString::from("x".to_string()));
        let new = NewConnection {
            owner: anna,
            provider: "scripted".into(),
            account: "a".into(),
            label: "a@example.com".into(),
            secret: secret.seal(&world.seal).unwrap(),
            scopes: String::new(),
        };
        let connection = world
            .store
            .write(move |tx| Box::pin(async move { connections::create(tx, &new, 0).await }))
            .await
            .unwrap();
        Bench {
            world,
            bridge,
            remote,
            who,
            connection,
        }
    }

    /// With the default calendar linked to the remote calendar `r`.
    pub async fn linked(direction: Direction) -> (Bench, LinkId) {
        let bench = Bench::new().await;
        let link = bench.link("calendar", "r", settings(direction)).await;
        (bench, link)
    }

    pub async fn link(&self, slug: &str, remote_id: &str, settings: Settings) -> LinkId {
        let calendar = self.calendar(slug).await.calendar.id;
        let (connection, remote_id) = (self.connection, remote_id.to_string());
        let known = self.remotes().await;
        let id = self
            .world
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let mut all = known;
                    if !all.iter().any(|c| c.remote_id == remote_id) {
                        all.push(RemoteCalendar {
                            id: RemoteCalendarId(0),
                            connection,
                            remote_id: remote_id.clone(),
                            name: remote_id.clone(),
                            color: String::new(),
                            zone: String::new(),
                            writable: true,
                            primary: false,
                            gone: false,
                            extra: String::new(),
                        });
                    }
                    remote_calendars::merge_listing(tx, connection, &all, 0).await?;
                    let all = remote_calendars::list(tx, connection).await?;
                    let remote = all.iter().find(|c| c.remote_id == remote_id).unwrap().id;
                    let new = NewLink {
                        calendar,
                        remote,
                        connection,
                        settings,
                    };
                    links::create(tx, &new, 0).await
                })
            })
            .await
            .unwrap();
        sync::linked(&self.bridge).await.unwrap();
        id
    }

    async fn remotes(&self) -> Vec<RemoteCalendar> {
        let connection = self.connection;
        let all = self
            .world
            .store
            .peek(|tx| Box::pin(remote_calendars::list(tx, connection)))
            .await;
        all.unwrap()
    }

    pub async fn calendar(&self, slug: &str) -> Writable<Bound> {
        calendars::to_write(&self.world, &self.who, slug, Privileges::WRITE)
            .await
            .unwrap()
    }

    /// A further calendar.
    pub async fn make_calendar(&self, slug: &'static str) {
        use crate::store::calendars::{NewCalendar, create};
        let new = NewCalendar {
            home: self.who.id,
            slug: slug.into(),
            kind: crate::model::CalendarKind::Calendar,
            components: crate::model::ComponentSet::standard(),
            timezone: String::new(),
            transparent: false,
        };
        self.world
            .store
            .write(move |tx| Box::pin(async move { create(tx, &new, 0).await }))
            .await
            .unwrap();
    }

    fn origin(&self) -> Origin {
        Origin {
            who: self.who.id,
            door: Door::Caldav,
        }
    }

    pub async fn put_in(&self, slug: &str, name: &str, text: &[u8]) {
        let calendar = self.calendar(slug).await;
        let draft = objects::Draft {
            name: name.into(),
            body: text.to_vec().into(),
        };
        objects::put(
            &self.world.door(),
            &calendar,
            draft,
            &Guard::default(),
            self.origin(),
        )
        .await
        .unwrap();
    }

    pub async fn put(&self, name: &str, text: &[u8]) {
        self.put_in("calendar", name, text).await;
    }

    pub async fn remove(&self, name: &str) {
        let calendar = self.calendar("calendar").await;
        objects::remove(
            &self.world.door(),
            &calendar,
            name,
            &Guard::default(),
            self.origin(),
        )
        .await
        .unwrap();
    }

    /// Every object of a calendar, by name.
    pub async fn objects_in(&self, slug: &str) -> BTreeMap<String, Vec<u8>> {
        let id = self.calendar(slug).await.calendar.id;
        let mut found = BTreeMap::new();
        self.world
            .store
            .read(|tx| {
                let found = &mut found;
                Box::pin(store::objects::page(tx, id, None, 10_000, true, |m| {
                    found.insert(m.name.to_string(), m.body.to_vec());
                    Ok(())
                }))
            })
            .await
            .unwrap();
        found
    }

    pub async fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.objects_in("calendar").await
    }

    pub async fn sync(&self, link: LinkId) -> Report {
        sync::sync_link(&self.bridge, link, Cause::Poll)
            .await
            .unwrap()
    }

    pub async fn get(&self, link: LinkId) -> Link {
        let found = self
            .world
            .store
            .peek(|tx| Box::pin(links::get(tx, link)))
            .await;
        found.unwrap().unwrap()
    }

    /// Runs the link until it has nothing to do, waiting as long as it takes.
    pub async fn settle(&self, link: LinkId) {
        for _ in 0..40 {
            let report = match sync::sync_link(&self.bridge, link, Cause::Asked).await {
                Ok(report) => report,
                Err(_) => {
                    self.world.clock.advance(200);
                    continue;
                }
            };
            if self.get(link).await.state == LinkState::Asking {
                sync::approve(&self.bridge, link).await.unwrap();
                continue;
            }
            let counts = self.counts(link).await;
            if report.run.is_none() && report.fault.is_none() && counts.waiting == 0 {
                return;
            }
            self.world.clock.advance(4000);
        }
        panic!("it never settles: {:?}", self.queue(link).await);
    }

    pub async fn counts(&self, link: LinkId) -> units::Counts {
        let counts = self
            .world
            .store
            .peek(|tx| Box::pin(units::counts(tx, link)))
            .await;
        counts.unwrap()
    }

    pub async fn queue(&self, link: LinkId) -> Vec<units::Unit> {
        let queue = self
            .world
            .store
            .peek(|tx| Box::pin(units::waiting(tx, link, 100)))
            .await;
        queue.unwrap()
    }

    pub async fn sound(&self) {
        assert_eq!(verify::verify(&self.world.store).await.unwrap(), vec![]);
    }
}

/// A bridge of this application with these providers.
pub fn bridge(world: &World, rows: Vec<Row>) -> Bridge {
    Bridge::new(Parts {
        store: world.store.clone(),
        rules: world.rules.clone(),
        wake: world.wake.clone(),
        clock: world.clock.clone(),
        dice: world.dice.clone(),
        seal: world.seal.clone(),
        instance: "test".into(),
        transport: Arc::new(Nowhere),
        providers: Box::leak(rows.into_boxed_slice()),
        endpoints: Default::default(),
        registrations: Default::default(),
        locks: Default::default(),
    })
}
