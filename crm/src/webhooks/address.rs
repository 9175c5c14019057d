//! Where a webhook may point: a public host, over TLS. Looked at when it is stored and again at each attempt, since a name may mean something
//! else by then.

use url::Url;

use crate::{App, Error};

/// What an address is refused with, whatever is wrong with it: what stands behind a name is nobody's to find out by this.
fn refused() -> Error {
    let message = "give the https address of a host on the public internet, without a user and a password";
    Error::invalid("url", "webhook_url_refused", message)
}

/// An address that may be stored.
#[derive(Debug, Clone)]
pub struct Address {
    pub(super) url: Url,
}

impl Address {
    /// Scheme, host and port.
    pub(super) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

/// Reads an address and asks for its name. No transaction may be open meanwhile.
pub async fn check(app: &App, text: &str) -> Result<Address, Error> {
    let mut url = Url::parse(text.trim()).map_err(|_| refused())?;
    url.set_fragment(None);
    if !url.username().is_empty() || url.password().is_some() || url.as_str().len() > 2000 {
        return Err(refused());
    }
    app.outgoing.http.check(&url).await.map_err(|_| refused())?;
    Ok(Address { url })
}
