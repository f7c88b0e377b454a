//! The code that the two attributes become. All of it only builds a description and hands it to
//! `smb_replay::suite`, so that what a user compiles stays small.

use std::collections::BTreeMap;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Error, FnArg, Ident, ItemFn, LitStr, Result};

use crate::arguments::{Backend, Mode, ReplayArguments, Server, SuiteArguments};
use crate::names::identifier;
use crate::traces::{self, Found, Package};

/// `#[suite]`.
pub(crate) fn suite(
    arguments: TokenStream,
    item: TokenStream,
    package: &Package,
) -> Result<TokenStream> {
    let arguments: SuiteArguments = syn::parse2(arguments)?;
    let function: ItemFn = syn::parse2(item)?;
    expect_async(&function, "#[suite]")?;
    if function.sig.inputs.len() != 1 {
        return Err(Error::new_spanned(
            &function.sig,
            "a suite's function takes the case and nothing else: async fn name(case: Case)",
        ));
    }
    let name = &function.sig.ident;
    if arguments.mode == Mode::Main && name == "main" {
        return Err(Error::new(
            name.span(),
            "`main` is what #[suite] makes; call this otherwise",
        ));
    }
    let found = traces::find(package, &arguments.traces)?;
    let description = describe(&name.to_string(), &arguments, &found);
    let tracked = track(&found);
    let emitted = match arguments.mode {
        Mode::Main => quote! {
            fn main() -> ::std::process::ExitCode {
                ::smb_replay::suite::main(#description, |case| {
                    ::std::boxed::Box::pin(async move {
                        ::smb_replay::IntoVerdict::into_verdict(#name(case).await)
                    })
                })
            }
        },
        Mode::Tests => tests(name, &description, &arguments, &found),
    };
    Ok(quote! { #function #tracked #emitted })
}

/// `#[replay]`.
pub(crate) fn replay(
    arguments: TokenStream,
    item: TokenStream,
    package: &Package,
) -> Result<TokenStream> {
    let arguments: ReplayArguments = syn::parse2(arguments)?;
    let mut function: ItemFn = syn::parse2(item)?;
    expect_async(&function, "#[replay]")?;
    let Some(FnArg::Typed(case)) = function.sig.inputs.first().cloned() else {
        return Err(Error::new_spanned(
            &function.sig,
            "the first parameter is the case: async fn name(case: Case)",
        ));
    };
    let found = traces::single(package, &arguments.trace)?;
    let ReplayArguments {
        trace,
        backend,
        server,
        known,
    } = arguments;
    let (backend_name, relative) = (backend.name.clone(), found.relative.clone());
    let whole = SuiteArguments {
        traces: vec![trace],
        backends: vec![backend],
        servers: vec![server],
        known,
        mode: Mode::Tests,
    };
    let tracked = track(std::slice::from_ref(&found));
    let name = function.sig.ident.clone();
    let description = describe(&name.to_string(), &whole, std::slice::from_ref(&found));

    function.sig.inputs = function.sig.inputs.into_iter().skip(1).collect();
    function.sig.asyncness = None;
    function.sig.output = syn::parse_quote!(-> ::smb_replay::suite::TestResult);
    let body = &function.block;
    let test = (!is_a_test(&function)).then(|| quote!(#[::core::prelude::v1::test]));
    let (attributes, visibility, signature) = (&function.attrs, &function.vis, &function.sig);
    Ok(quote! {
        #(#attributes)*
        #test
        #visibility #signature {
            #tracked
            static SUITE: ::smb_replay::suite::Suite = #description;
            ::smb_replay::suite::test(
                &SUITE,
                #relative,
                #backend_name,
                0,
                concat!(::core::module_path!(), "::", stringify!(#name)),
                move |case| async move {
                    let #case = case;
                    ::smb_replay::IntoVerdict::into_verdict((async move #body).await)
                },
            )
        }
    })
}

fn expect_async(function: &ItemFn, attribute: &str) -> Result<()> {
    if function.sig.asyncness.is_some() {
        return Ok(());
    }
    Err(Error::new_spanned(
        function.sig.fn_token,
        format!(
            "{attribute} stands before an async function: async fn {}",
            function.sig.ident
        ),
    ))
}

/// True when another attribute already makes a test of it, for instance `#[rstest]`.
fn is_a_test(function: &ItemFn) -> bool {
    function.attrs.iter().any(|attribute| {
        attribute
            .path()
            .segments
            .last()
            .is_some_and(|segment| segment.ident == "test" || segment.ident == "rstest")
    })
}

/// The `Suite` value that the run-time part works from.
fn describe(name: &str, arguments: &SuiteArguments, found: &[Found]) -> TokenStream {
    let patterns = arguments.traces.iter().map(LitStr::value);
    let compiled = found.iter().map(|trace| &trace.relative);
    let backends = arguments.backends.iter().map(|Backend { name }| name);
    let servers = arguments.servers.iter().map(|Server { name, call }| {
        quote! {
            ::smb_replay::suite::NamedServer {
                name: #name,
                spec: || {
                    use ::smb_replay::servers::*;
                    #call
                },
            }
        }
    });
    let known = match &arguments.known {
        Some(path) => quote!(::core::option::Option::Some(#path)),
        None => quote!(::core::option::Option::None),
    };
    quote! {
        ::smb_replay::suite::Suite {
            name: #name,
            package: ::core::env!("CARGO_PKG_NAME"),
            manifest_dir: ::core::env!("CARGO_MANIFEST_DIR"),
            target_tmpdir: ::core::option_env!("CARGO_TARGET_TMPDIR"),
            target: ::core::env!("CARGO_CRATE_NAME"),
            source: ::core::file!(),
            traces: &[#(#patterns),*],
            compiled: &[#(#compiled),*],
            backends: &[#(#backends),*],
            servers: &[#(#servers),*],
            known: #known,
        }
    }
}

/// Makes the compiler read every trace, so that an edit of one compiles the crate again. The bytes
/// are not used and do not get into the binary.
fn track(found: &[Found]) -> TokenStream {
    let paths = found
        .iter()
        .map(|trace| trace.path.to_string_lossy().into_owned());
    quote! { #(const _: &[u8] = ::core::include_bytes!(#paths);)* }
}

/// `mode = tests`: modules that mirror the names, with a `#[test]` function for each case, and one
/// that fails when a trace was added after the crate was compiled.
fn tests(
    body: &Ident,
    description: &TokenStream,
    arguments: &SuiteArguments,
    found: &[Found],
) -> TokenStream {
    let suite = format_ident!("{}_SUITE", body.to_string().to_uppercase());
    let complete = format_ident!("{}_has_every_trace", body);
    let mut tree = Module::default();
    for trace in found {
        for backend in &arguments.backends {
            for (index, server) in arguments.servers.iter().enumerate() {
                let mut path = trace.name.clone();
                path.push(identifier(&backend.name));
                let depth = path.len();
                let function = ident(&identifier(&server.name));
                let up = (0..depth).map(|_| quote!(super::));
                let up = quote!(#(#up)*);
                let (relative, backend) = (&trace.relative, &backend.name);
                tree.at(&path).functions.push(quote! {
                    #[::core::prelude::v1::test]
                    fn #function() -> ::smb_replay::suite::TestResult {
                        ::smb_replay::suite::test(
                            &#up #suite,
                            #relative,
                            #backend,
                            #index,
                            concat!(::core::module_path!(), "::", stringify!(#function)),
                            |case| async move {
                                ::smb_replay::IntoVerdict::into_verdict(#up #body(case).await)
                            },
                        )
                    }
                });
            }
        }
    }
    let modules = tree.render();
    quote! {
        static #suite: ::smb_replay::suite::Suite = #description;
        #[::core::prelude::v1::test]
        fn #complete() -> ::smb_replay::suite::TestResult {
            ::smb_replay::suite::every_trace_is_compiled(&#suite)
        }
        #modules
    }
}

/// A module of the emitted tests.
#[derive(Default)]
struct Module {
    functions: Vec<TokenStream>,
    modules: BTreeMap<String, Module>,
}

impl Module {
    fn at(&mut self, path: &[String]) -> &mut Module {
        path.iter().fold(self, |module, part| {
            module.modules.entry(part.clone()).or_default()
        })
    }

    fn render(&self) -> TokenStream {
        let functions = &self.functions;
        let modules = self.modules.iter().map(|(name, module)| {
            let (name, content) = (ident(name), module.render());
            quote! { mod #name { #content } }
        });
        quote! { #(#functions)* #(#modules)* }
    }
}

fn ident(name: &str) -> Ident {
    Ident::new(name, Span::call_site())
}
