//! The arguments of the two attributes, each with the place where it stands.

use proc_macro2::Span;
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprCall, Ident, Lit, LitStr, Result, Token, bracketed};

/// The backends that a suite can name, as they are written in Rust.
const BACKENDS: &[&str] = &["native", "smb_rs"];
/// The functions of `smb_replay::servers` that a suite can call.
const SERVERS: &[&str] = &[
    "samba",
    "samba_ad",
    "samba_ad_kerberos",
    "samba_ad_member",
    "samba_ad_member_kerberos",
    "external",
];

/// What `#[suite(…)]` says.
pub(crate) struct SuiteArguments {
    pub(crate) traces: Vec<LitStr>,
    pub(crate) backends: Vec<Backend>,
    pub(crate) servers: Vec<Server>,
    pub(crate) known: Option<LitStr>,
    pub(crate) mode: Mode,
}

/// What `#[replay(…)]` says.
pub(crate) struct ReplayArguments {
    pub(crate) trace: LitStr,
    pub(crate) backend: Backend,
    pub(crate) server: Server,
    pub(crate) known: Option<LitStr>,
}

/// What the macro emits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `fn main()` over libtest-mimic.
    Main,
    /// A `#[test]` function for each case.
    Tests,
}

/// A backend; `smb_rs` in Rust is `smb-rs` everywhere else.
pub(crate) struct Backend {
    pub(crate) name: String,
}

/// A server, for instance `samba("4.17")`, whose name is `samba-4.17`.
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) call: ExprCall,
}

impl Parse for SuiteArguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut traces = None;
        let mut shared = Shared::default();
        let mut mode = None;
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            match key.to_string().as_str() {
                "traces" => set(
                    &mut traces,
                    &key,
                    one_or_list(input, |input| input.parse())?,
                )?,
                "backends" => {
                    set(
                        &mut shared.backends,
                        &key,
                        one_or_list(input, Backend::parse)?,
                    )?;
                }
                "servers" => set(
                    &mut shared.servers,
                    &key,
                    one_or_list(input, Server::parse)?,
                )?,
                "known" => set(&mut shared.known, &key, input.parse()?)?,
                "mode" => set(&mut mode, &key, parse_mode(input)?)?,
                _ => return Err(unknown(&key, "traces, backends, servers, known, mode")),
            }
            comma(input)?;
        }
        let traces = traces.ok_or_else(|| {
            Error::new(
                Span::call_site(),
                "a suite needs to know its traces: traces = \"traces/**/*.ir\"",
            )
        })?;
        Ok(Self {
            traces,
            backends: shared.backends.unwrap_or_else(|| vec![Backend::default()]),
            servers: shared.servers.unwrap_or_else(|| vec![Server::default()]),
            known: shared.known,
            mode: mode.unwrap_or(Mode::Main),
        })
    }
}

impl Parse for ReplayArguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if !input.peek(LitStr) {
            return Err(input.error("a trace is needed first: #[replay(\"traces/x.ir\")]"));
        }
        let trace = input.parse()?;
        comma(input)?;
        let (mut backend, mut server, mut known) = (None, None, None);
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            match key.to_string().as_str() {
                "backend" => set(&mut backend, &key, Backend::parse(input)?)?,
                "server" => set(&mut server, &key, Server::parse(input)?)?,
                "known" => set(&mut known, &key, input.parse()?)?,
                _ => return Err(unknown(&key, "backend, server, known")),
            }
            comma(input)?;
        }
        Ok(Self {
            trace,
            backend: backend.unwrap_or_default(),
            server: server.unwrap_or_default(),
            known,
        })
    }
}

/// The arguments that have defaults.
#[derive(Default)]
struct Shared {
    backends: Option<Vec<Backend>>,
    servers: Option<Vec<Server>>,
    known: Option<LitStr>,
}

impl Default for Backend {
    fn default() -> Self {
        Self {
            name: "native".to_owned(),
        }
    }
}

impl Backend {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let ident: Ident = input.parse().map_err(|error| {
            Error::new(
                error.span(),
                format!("a backend is one of: {}", BACKENDS.join(", ")),
            )
        })?;
        if BACKENDS.iter().all(|name| ident != name) {
            return Err(Error::new(
                ident.span(),
                format!(
                    "there is no backend `{ident}`; there are: {}",
                    BACKENDS.join(", ")
                ),
            ));
        }
        Ok(Self {
            name: ident.to_string().replace('_', "-"),
        })
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            name: "samba-4.17".to_owned(),
            call: syn::parse_quote!(samba("4.17")),
        }
    }
}

impl Server {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let expression: Expr = input.parse()?;
        let wrong = || {
            Error::new_spanned(
                &expression,
                format!(
                    "a server is written as a call of one of: {}; for instance samba(\"4.17\")",
                    SERVERS.join(", ")
                ),
            )
        };
        let Expr::Call(call) = &expression else {
            return Err(wrong());
        };
        let Expr::Path(path) = &*call.func else {
            return Err(wrong());
        };
        let ident = path.path.get_ident().ok_or_else(wrong)?;
        if SERVERS.iter().all(|name| ident != name) {
            return Err(wrong());
        }
        let mut parts = vec![ident.to_string().replace('_', "-")];
        for argument in &call.args {
            match argument {
                Expr::Lit(literal) => match &literal.lit {
                    Lit::Str(text) => {
                        let text = text.value();
                        parts.push(text.strip_prefix("smb://").unwrap_or(&text).to_owned());
                    }
                    other => parts.push(other.to_token_stream().to_string()),
                },
                other => {
                    return Err(Error::new_spanned(
                        other,
                        "a literal is needed here, because it becomes a part of the case's name",
                    ));
                }
            }
        }
        Ok(Self {
            name: parts.join("-"),
            call: call.clone(),
        })
    }
}

fn parse_mode(input: ParseStream<'_>) -> Result<Mode> {
    let ident: Ident = input.parse()?;
    match ident.to_string().as_str() {
        "main" => Ok(Mode::Main),
        "tests" => Ok(Mode::Tests),
        _ => Err(Error::new(
            ident.span(),
            format!("`{ident}` is no mode; there are: main, tests"),
        )),
    }
}

/// `x` or `[x, y]`; an empty list is refused, because nothing would be tested.
fn one_or_list<T>(
    input: ParseStream<'_>,
    item: fn(ParseStream<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    if !input.peek(syn::token::Bracket) {
        return Ok(vec![item(input)?]);
    }
    let content;
    let bracket = bracketed!(content in input);
    let list = Punctuated::<T, Token![,]>::parse_terminated_with(&content, item)?;
    if list.is_empty() {
        return Err(Error::new(
            bracket.span.join(),
            "an empty list would test nothing",
        ));
    }
    Ok(list.into_iter().collect())
}

fn set<T>(slot: &mut Option<T>, key: &Ident, value: T) -> Result<()> {
    if slot.replace(value).is_some() {
        return Err(Error::new(key.span(), format!("`{key}` is given twice")));
    }
    Ok(())
}

fn unknown(key: &Ident, known: &str) -> Error {
    Error::new(
        key.span(),
        format!("there is no argument `{key}`; there are: {known}"),
    )
}

fn comma(input: ParseStream<'_>) -> Result<()> {
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok(())
}
