//! Lists that come page by page, and the links between the pages, which never lead away from the cloud's own host.
//!
//! What it cannot see: whether a list changed while it was read; Graph gives no snapshot.

use super::{Cloud, client::Graph, error::Error, error::Malformed, request::Request};
use reqwest::Url;
use serde::{Deserialize, de::DeserializeOwned};
use std::{collections::HashSet, marker::PhantomData};
use tokio::time::Instant;

/// A link within the cloud's Graph: to a next page, or to the changes since (`@odata.deltaLink`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Link(String);

impl Link {
    pub(super) fn read(text: &str, cloud: &Cloud) -> Result<Self, Malformed> {
        let url = Url::parse(text).map_err(|_| Malformed::ForeignLink)?;
        if cloud.owns(&url) {
            Ok(Self(url.into()))
        } else {
            Err(Malformed::ForeignLink)
        }
    }

    /// The whole URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What stands on it.
    pub items: Vec<T>,
    /// Where to ask for the changes since; only at the end of a delta query's round.
    pub delta: Option<Link>,
    /// The id under which Microsoft finds the request again.
    pub request_id: Option<String>,
}

#[derive(Deserialize)]
struct Wire<T> {
    value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
    #[serde(rename = "@odata.deltaLink")]
    delta: Option<String>,
}

/// The pages of a list, one after the other. After an error, the same page is asked for again by the next call.
#[derive(Debug)]
pub struct Pages<T> {
    graph: Graph,
    next: Option<Request>,
    followed: HashSet<String>,
    limit: u32,
    left: u32,
    item: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Pages<T> {
    pub(super) fn new(graph: Graph, first: Request, limit: u32) -> Self {
        Self {
            graph,
            next: Some(first),
            followed: HashSet::new(),
            limit,
            left: limit,
            item: PhantomData,
        }
    }

    /// The next page; `None` after the last.
    ///
    /// # Errors
    /// As [`Graph::fetch`]; [`Malformed::ForeignLink`], [`Malformed::Loop`] and [`Malformed::TooManyPages`] end the list.
    pub async fn next(&mut self, until: Instant) -> Result<Option<Page<T>>, Error> {
        let Some(request) = self.next.clone() else {
            return Ok(None);
        };
        if self.left == 0 {
            self.next = None;
            return Err(Error::Malformed(Malformed::TooManyPages(self.limit)));
        }
        let answer = self.graph.call(&request, until).await?;
        let wire: Wire<T> = answer.json()?;
        self.left -= 1;
        self.next = None;
        if let Some(next) = wire.next {
            let link = self.graph.link(&next)?;
            if !self.followed.insert(link.as_str().to_owned()) {
                return Err(Error::Malformed(Malformed::Loop));
            }
            self.next = Some(request.follow(link));
        }
        Ok(Some(Page {
            items: wire.value,
            delta: wire.delta.map(|delta| self.graph.link(&delta)).transpose()?,
            request_id: answer.request_id,
        }))
    }

    /// All items of all pages left, and the delta link at their end.
    ///
    /// # Errors
    /// As [`Pages::next`].
    pub async fn all(mut self, until: Instant) -> Result<(Vec<T>, Option<Link>), Error> {
        let mut items = Vec::new();
        let mut delta = None;
        while let Some(page) = self.next(until).await? {
            items.extend(page.items);
            delta = page.delta;
        }
        Ok((items, delta))
    }
}
