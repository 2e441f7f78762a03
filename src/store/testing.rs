//! A fresh database for a test: SQLite in a folder of its own, or, when `KALENDS_TEST_POSTGRES` holds an address, a
//! schema of its own there. Both go away with the value.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{DatabaseUrl, Store, StoreOptions};

/// A store over a database that nobody else has.
pub struct Fresh {
    pub store: Store,
    /// Where it is, to open it a second time.
    pub url: DatabaseUrl,
    place: Place,
}

enum Place {
    Folder(PathBuf),
    Schema { server: String, name: String },
}

impl std::ops::Deref for Fresh {
    type Target = Store;
    fn deref(&self) -> &Store {
        &self.store
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clock only tells runs of the tests apart"
)]
/// A name that no other test has, in this process or another one.
fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |d| d.as_nanos());
    format!(
        "kalends_test_{}_{since}_{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

impl Fresh {
    #[expect(
        clippy::disallowed_methods,
        reason = "what the tests run on is no setting of the program"
    )]
    /// An empty database on the engine that the environment names.
    ///
    /// # Panics
    /// When it cannot be made: a test cannot go on then.
    pub async fn new() -> Fresh {
        match std::env::var("KALENDS_TEST_POSTGRES") {
            Ok(server) if !server.is_empty() => Fresh::postgres(server).await,
            _ => Fresh::sqlite().await,
        }
    }

    /// # Panics
    /// As [`Fresh::new`].
    pub async fn sqlite() -> Fresh {
        let folder = std::env::temp_dir().join(unique());
        std::fs::create_dir_all(&folder).expect("a folder for the test's database");
        let url = DatabaseUrl::Sqlite(folder.join("kalends.sqlite"));
        Fresh::at(url, Place::Folder(folder)).await
    }

    async fn postgres(server: String) -> Fresh {
        let name = unique();
        on_server(&server, &format!("create schema {name}"))
            .await
            .expect("a schema for the test");
        let sign = if server.contains('?') { '&' } else { '?' };
        let url = DatabaseUrl::Postgres(format!(
            "{server}{sign}options=-csearch_path%3D{name}&application_name={name}"
        ));
        Fresh::at(url, Place::Schema { server, name }).await
    }

    async fn at(url: DatabaseUrl, place: Place) -> Fresh {
        let store = Store::open(&url, &StoreOptions::default())
            .await
            .expect("the test's database opens");
        Fresh { store, url, place }
    }

    /// SQLite: the database may not grow any more, as on a full disk (`true`), or may again.
    ///
    /// # Panics
    /// As [`Fresh::new`].
    pub async fn full(&self, full: bool) {
        // No limit is below the present size. It belongs to the connection, and the writer has one.
        let limit = match full {
            true => "pragma max_page_count = 1",
            false => "pragma max_page_count = 1073741823",
        };
        self.store
            .write(move |tx| Box::pin(async move { tx.script(limit).await }))
            .await
            .expect("the limit is set");
    }

    /// The same database opened a second time, as another server would.
    ///
    /// # Panics
    /// As [`Fresh::new`].
    pub async fn again(&self) -> Store {
        Store::open(&self.url, &StoreOptions::default())
            .await
            .expect("the database opens a second time")
    }
}

async fn on_server(server: &str, script: &str) -> crate::model::Result<()> {
    use std::time::Duration;
    super::postgres::Postgres::open(server, 1, Duration::from_secs(10))?
        .begin("")
        .await?
        .script(script)
        .await
}

impl Drop for Fresh {
    fn drop(&mut self) {
        match &self.place {
            // What cannot be removed is in the folder for temporary files.
            Place::Folder(folder) => drop(std::fs::remove_dir_all(folder)),
            Place::Schema { server, name } => {
                // What a test left running may hold a lock, and cannot go on while this waits for it. A schema that
                // cannot be dropped even so is left to the end of the whole database.
                let script = format!(
                    "set lock_timeout = '5s';
                     select pg_terminate_backend(pid) from pg_stat_activity where application_name = '{name}';
                     drop schema {name} cascade"
                );
                let server = server.clone();
                let clean = move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()?;
                    runtime
                        .block_on(on_server(&server, &script))
                        .map_err(std::io::Error::other)
                };
                // A runtime cannot be made inside another one, so this is a thread's work.
                drop(std::thread::spawn(clean).join());
            }
        }
    }
}
