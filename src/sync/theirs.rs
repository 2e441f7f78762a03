//! What changed there since the link looked last: pages of the provider's listing become rows and marks on units, one
//! transaction for each page, with the place where the listing goes on. The next page is fetched while one is stored.

use super::run::{Run, Stop};
use super::sheet::{Known, Sheet};
use crate::remote::{Answer, Change, Fault, From, Item, Next, Page};
use crate::store::bridges::{StoredItem, items, links, units};

/// How often a listing may begin anew within one run.
const RESTARTS: usize = 2;

/// Where the listing stands.
enum At {
    Start,
    Cursor(Vec<u8>),
    Page(Vec<u8>),
}

impl At {
    fn from(&self) -> From<'_> {
        match self {
            At::Start => From::Start,
            At::Cursor(cursor) => From::Cursor(cursor),
            At::Page(page) => From::Page(page),
        }
    }
}

/// Takes in everything that changed there.
pub async fn gather(run: &Run) -> Result<(), Stop> {
    let link = run.link.id;
    let progress = run
        .bridge
        .store
        .peek(|tx| Box::pin(links::progress(tx, link)))
        .await?
        .unwrap_or_default();
    let mut listing = progress.listing.then_some(progress.listing_no);
    let mut number = progress.listing_no;
    let mut at = match (progress.page, run.link.cursor.clone()) {
        (Some(page), _) => At::Page(page),
        (None, Some(cursor)) => At::Cursor(cursor),
        (None, None) => At::Start,
    };
    let mut restarts = 0;
    loop {
        if matches!(at, At::Start) {
            number = run
                .write(move |tx| Box::pin(links::begin_listing(tx, link)))
                .await?;
            listing = Some(number);
        }
        match pages(run, at, listing, number).await {
            Err(Stop::Fault(Fault::CursorGone)) if restarts < RESTARTS => {
                restarts += 1;
                at = At::Start;
            }
            outcome => {
                outcome?;
                return look_after(run, number).await;
            }
        }
    }
}

fn ask<'a>(run: &'a Run, from: From<'a>) -> Answer<'a, Result<Page, Fault>> {
    run.provider.changes(&run.account, &run.place, from)
}

async fn pages(run: &Run, at: At, listing: Option<i64>, number: i64) -> Result<(), Stop> {
    let mut page = ask(run, at.from()).await?;
    loop {
        let changes = std::mem::take(&mut page.changes);
        match &page.next {
            Next::Page(next) => {
                let after = After::Page(next.clone());
                let stored = store(run, changes, after, listing, number);
                let (stored, fetched) =
                    futures_util::future::join(stored, ask(run, From::Page(next))).await;
                stored?;
                page = fetched?;
            }
            Next::Done(cursor) => {
                let idle = changes.is_empty() && listing.is_none() && *cursor == run.link.cursor;
                if idle {
                    return Ok(());
                }
                return store(run, changes, After::Done(cursor.clone()), listing, number).await;
            }
        }
    }
}

/// How many events are looked after in one run.
const LOOKS: i64 = 200;

/// Asks for what we wrote there since the last listing and this one did not name: what is made and removed between two
/// looks is in no listing, and would stay here for ever.
async fn look_after(run: &Run, number: i64) -> Result<(), Stop> {
    let link = run.link.id;
    let unnamed = run
        .bridge
        .store
        .peek(|tx| Box::pin(items::unnamed(tx, link, LOOKS)))
        .await?;
    let mut found = Vec::with_capacity(unnamed.len());
    for master in unnamed {
        let event = match run.provider.get(&run.account, &run.place, &master).await {
            Err(Fault::NotFound) => None,
            event => event?,
        };
        found.push(match event {
            Some(items) => Change::Whole(items),
            None => Change::Gone(master),
        });
    }
    if found.is_empty() {
        return Ok(());
    }
    store(run, found, After::Looking, None, number).await
}

/// What a page ends with.
enum After {
    Page(Vec<u8>),
    Done(Option<Vec<u8>>),
    /// It is no page of a listing.
    Looking,
}

async fn store(
    run: &Run,
    changes: Vec<Change>,
    after: After,
    listing: Option<i64>,
    number: i64,
) -> Result<(), Stop> {
    let mut sheet = Sheet::new(known(run, &changes).await?);
    for change in changes {
        sheet.apply(change);
    }
    fetch_masters(run, &mut sheet).await?;
    let touched = resolve(run, &mut sheet).await?;
    run.count(|counts| counts.seen += touched as u64);
    let (link, now) = (run.link.id, run.now());
    run.write(move |tx| {
        Box::pin(async move {
            let out = sheet.finish();
            let ids = |list: &'_ [String]| list.iter().map(String::clone).collect::<Vec<_>>();
            let (gone, same) = (ids(&out.gone), ids(&out.same));
            let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
            let same: Vec<&str> = same.iter().map(String::as_str).collect();
            items::remove_exactly(tx, link, &gone).await?;
            items::put(tx, link, &out.changed, number).await?;
            items::seen(tx, link, &same, number).await?;
            units::mark_theirs(tx, link, &out.marks, now).await?;
            match after {
                After::Page(page) => links::save_page(tx, link, &page).await,
                After::Done(cursor) => {
                    if let Some(number) = listing {
                        items::sweep(tx, link, number, now).await?;
                    }
                    links::save_cursor(tx, link, cursor.as_deref()).await
                }
                After::Looking => Ok(()),
            }
        })
    })
    .await
}

/// The rows that these changes are about, with all exceptions of their series.
async fn known(run: &Run, changes: &[Change]) -> Result<Vec<StoredItem>, Stop> {
    let mut ids: Vec<String> = Vec::new();
    for change in changes {
        match change {
            Change::Whole(items) => ids.extend(items.iter().map(|item| item.id.clone())),
            Change::Part(item) => {
                ids.push(item.id.clone());
                ids.extend(item.series.clone());
            }
            Change::Gone(id) => ids.push(id.clone()),
        }
    }
    ids.sort_unstable();
    ids.dedup();
    let link = run.link.id;
    let found = run
        .bridge
        .store
        .read(move |tx| {
            Box::pin(async move {
                let named: Vec<&str> = ids.iter().map(String::as_str).collect();
                let mut found = items::many(tx, link, &named).await?;
                // Masters: those named, and those of the exceptions that were named.
                let of: Vec<String> = found
                    .iter()
                    .filter(|item| !item.series.is_empty() && !ids.contains(&item.series))
                    .map(|item| item.series.clone())
                    .collect();
                let further: Vec<&str> = of.iter().map(String::as_str).collect();
                found.extend(items::many(tx, link, &further).await?);
                let masters: Vec<&str> = named.iter().chain(&further).copied().collect();
                found.extend(items::of_series(tx, link, &masters).await?);
                Ok(found)
            })
        })
        .await?;
    Ok(found)
}

/// An exception whose master is not known: the whole event is fetched.
async fn fetch_masters(run: &Run, sheet: &mut Sheet) -> Result<(), Stop> {
    for master in sheet.without_master() {
        match run.provider.get(&run.account, &run.place, &master).await? {
            Some(items) => sheet.apply(Change::Whole(items)),
            None => sheet.apply(Change::Gone(master)),
        }
    }
    Ok(())
}

/// Finds the unit of each event that has none yet. How many events changed.
async fn resolve(run: &Run, sheet: &mut Sheet) -> Result<usize, Stop> {
    let touched = sheet.changed_masters();
    let mut fresh: Vec<(String, super::adopt::Face)> = Vec::new();
    for master in &touched {
        match sheet.known_uid(master) {
            Known::Unit(uid) => sheet.assign(master, uid),
            Known::Gone => {}
            Known::Unmapped(items) => {
                let items: Vec<Item> = items;
                let face = super::adopt::face(run, &items);
                fresh.push((master.clone(), face));
            }
        }
    }
    if !fresh.is_empty() {
        super::adopt::adopt(run, sheet, fresh).await?;
    }
    Ok(touched.len())
}
