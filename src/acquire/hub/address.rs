//! Addresses: which server one leads to, and where a redirect or a next page leads from there.

use ureq::http::Uri;

use super::error::{HubError, shown};

/// A server: scheme, host and port. The token goes to the endpoint's own and to no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub scheme: String,
    pub host: String,
    pub port: u16,
}

impl Origin {
    /// `None` if it is no address of a web server.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let standard = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let host = uri.host().filter(|host| !host.is_empty())?.to_ascii_lowercase();
        Some(Origin { scheme, host, port: uri.port_u16().unwrap_or(standard) })
    }
}

/// The Hub's own address.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    /// Without a slash at the end.
    pub base: String,
    pub origin: Origin,
}

impl Endpoint {
    pub(super) fn parse(value: &str) -> Result<Self, HubError> {
        let bad = |rule| HubError::BadEndpoint { value: shown(value), rule };
        let base = value.trim().trim_end_matches('/');
        let uri: Uri = base.parse().map_err(|_| bad("it is not an address"))?;
        let origin = Origin::of(&uri).ok_or_else(|| bad("it must begin with `https://` or `http://`"))?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            // Not shown either: what stands before the `@` may be a password.
            let value = format!("{}://…@{}", origin.scheme, origin.host);
            return Err(HubError::BadEndpoint { value, rule: "it must not hold a user name or a password" });
        }
        if uri.query().is_some() {
            return Err(bad("it must not hold a query"));
        }
        Ok(Endpoint { base: base.to_owned(), origin })
    }
}

/// Where `reference`, found in an answer from `base`, leads. `None` for what no Hub sends.
pub(super) fn follow(base: &Uri, reference: &str) -> Option<Uri> {
    let scheme = base.scheme_str()?;
    let authority = base.authority()?.as_str();
    let absolute = if reference.starts_with("//") {
        format!("{scheme}:{reference}")
    } else if reference.starts_with('/') {
        format!("{scheme}://{authority}{reference}")
    } else if reference.starts_with('?') {
        format!("{scheme}://{authority}{}{reference}", base.path())
    } else {
        reference.to_owned()
    };
    let uri: Uri = absolute.split('#').next()?.parse().ok()?;
    let from_secure_to_open = scheme == "https" && uri.scheme_str() != Some("https");
    (Origin::of(&uri).is_some() && !from_secure_to_open).then_some(uri)
}

/// The address of the next page, from a `Link` header (RFC 8288).
pub(super) fn next_page(link: &str) -> Option<&str> {
    link.split(',').find_map(|entry| {
        let (address, parameters) = entry.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = |parameter: &str| matches!(parameter.trim(), "rel=\"next\"" | "rel=next");
        parameters.split(';').any(is_next).then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_address_without_secrets() {
        assert_eq!(Endpoint::parse("https://hub.example/mirror/").unwrap().base, "https://hub.example/mirror");
        assert_eq!(Endpoint::parse("http://127.0.0.1:81").unwrap().origin.port, 81);
        for value in ["", "huggingface.co", "file:///etc/passwd", "ftp://x", "https://", "https://x/?a=b", "http://a b"]
        {
            assert!(Endpoint::parse(value).is_err(), "{value}");
        }
        let error = Endpoint::parse("https://min:secret@hub.example").unwrap_err();
        assert!(!format!("{error:?} {error}").contains("secret"));
    }

    #[test]
    fn a_redirect_may_change_the_server_but_not_give_up_encryption() {
        let base: Uri = "https://hub.example/a/b?c=d".parse().unwrap();
        let to = |reference: &str| follow(&base, reference).map(|uri| uri.to_string());
        assert_eq!(to("/x?y=1").as_deref(), Some("https://hub.example/x?y=1"));
        assert_eq!(to("?y=1").as_deref(), Some("https://hub.example/a/b?y=1"));
        assert_eq!(to("//cdn.example/x").as_deref(), Some("https://cdn.example/x"));
        assert_eq!(to("https://cdn.example/x#y").as_deref(), Some("https://cdn.example/x"));
        for hostile in ["http://hub.example/x", "file:///etc/passwd", "x", "", "javascript:1", "https://"] {
            assert_eq!(to(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn the_next_page_is_the_link_marked_next() {
        let link = r#"<https://h/1>; rel="prev", <https://h/3?cursor=a%3D>; rel="next""#;
        assert_eq!(next_page(link), Some("https://h/3?cursor=a%3D"));
        for none in ["", "<https://h/1>; rel=\"prev\"", "https://h/1; rel=\"next\"", "<", "<>"] {
            assert_eq!(next_page(none), None, "{none}");
        }
    }
}
