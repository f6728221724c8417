//! `mailflow serve`: runs the schedules of sites, delivers their alerts, looks again where scenarios want it, and shows pages.
//!
//! Each site is kept by one loop; all that must survive stands in the journal, so that a killed process goes on where it was. What it cannot see:
//! that it is itself down; whoever must know asks `/healthz` from elsewhere, and the next start tells which runs were missed.

mod keeper;
mod pages;

use super::{Code, Desk, Halt, environment, folder_of, run::interruption};
use crate::{
    config::secrets,
    model::{SecretSource, Site},
    web::{Gate, listen},
};
use pages::{Shelf, SiteView};
use secrecy::ExposeSecret;
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, RwLock},
};
use tokio::net::TcpListener;

/// A token shorter than this could be guessed.
const SHORTEST_TOKEN: usize = 16;

impl Desk {
    pub(super) async fn serve(&mut self, files: &[PathBuf], address: SocketAddr) -> Result<Code, Halt> {
        let files = if files.is_empty() {
            vec![self.shared.site.clone()]
        } else {
            files.to_vec()
        };
        let state = self.state()?;
        let mut keepers = Vec::new();
        let mut views = Vec::new();
        let mut first = None;
        for file in &files {
            let mut desk = self.clone();
            desk.shared.site.clone_from(file);
            let view = Arc::new(RwLock::new(SiteView::new(self.clock.now())));
            let keeper = keeper::Keeping::of(desk, Arc::clone(&view))?;
            first.get_or_insert_with(|| keeper.site().clone());
            views.push(view);
            keepers.push(keeper);
        }
        let gate = match &first {
            Some(site) => gate(site, address).await?,
            None => Gate::Loopback,
        };
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| format!("{address} cannot be listened on: {error}\n  help: name another with --listen ADDRESS"))?;
        let pages_of = Shelf {
            state,
            clock: self.clock,
            sites: views,
        };
        let stop = interruption();
        let pages = tokio::spawn(listen(
            listener.local_addr().map(|at| (listener, at)).map(|(listener, at)| {
                self.output.insist(&format!("The pages are at http://{at}/"));
                listener
            })?,
            gate,
            Arc::new(move |path| pages_of.answer(path)),
        ));
        let kept = futures::future::join_all(keepers.into_iter().map(|keeper| keeper.keep(stop.clone()))).await;
        pages.abort();
        kept.into_iter().collect::<Result<Vec<()>, Halt>>()?;
        self.output.remark("Stopped.");
        Ok(Code::Passed)
    }
}

/// Who may see the pages at this address.
async fn gate(site: &Site, address: SocketAddr) -> Result<Gate, Halt> {
    let fetch = async |source: &SecretSource| {
        secrets::resolve(source, &folder_of(&site.file), &environment)
            .await
            .map_err(|error| Halt::Sentence(format!("serve.token: {error}")))
    };
    let token = match &site.serve_token {
        Some(source) => Some(fetch(source).await?),
        None => None,
    };
    match token {
        Some(token) if token.expose_secret().len() < SHORTEST_TOKEN => Err(Halt::Sentence(format!(
            "serve.token: shorter than {SHORTEST_TOKEN} characters, which could be guessed\n  help: openssl rand -base64 24"
        ))),
        Some(token) => Ok(Gate::Token(token)),
        None if address.ip().is_loopback() => Ok(Gate::Loopback),
        None => Err(Halt::Sentence(format!(
            "{address} can be reached from other machines, and the pages tell who can be reached by mail and how: a token must guard them\n  help: `serve: {{ token: {{ file: serve.secret }} }}` in {}, or --listen 127.0.0.1:{}",
            site.file,
            address.port()
        ))),
    }
}
