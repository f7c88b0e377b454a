//! The code that the two attributes become. All of it only builds a description and hands it to
//! `smb_replay::suite`, so that what a user compiles stays small.

use std::collections::BTreeMap;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use replay_ir::naming::identifier;
use syn::{Error, FnArg, Ident, ItemFn, LitStr, Result};

use crate::arguments::{Backend, Mode, ReplayArguments, Server, SuiteArguments};
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
            pub(crate) fn main() -> ::std::process::ExitCode {
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A package with these traces below `traces`.
    fn package(traces: &[(&str, &str)]) -> (tempfile::TempDir, Package) {
        let folder = tempfile::tempdir().expect("a directory");
        let directory = folder.path().join("suites");
        for (name, text) in traces {
            let path = directory.join("traces").join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("created");
            fs::write(path, text).expect("written");
        }
        let package = Package {
            directory,
            shown_from: folder.path().to_owned(),
        };
        (folder, package)
    }

    const GOOD: &str = "ir 1\nclient A user=alice\nA echo\n";
    const ITEM: &str = "async fn all(case: Case) -> Verdict { case.replay().await }";

    fn try_suite(arguments: &str, item: &str, traces: &[(&str, &str)]) -> Result<String> {
        let (_folder, package) = package(traces);
        let tokens = |text: &str| text.parse::<TokenStream>().expect("tokens");
        suite(tokens(arguments), tokens(item), &package).map(|code| code.to_string())
    }

    fn error(arguments: &str) -> String {
        match try_suite(arguments, ITEM, &[("a/b.ir", GOOD)]) {
            Ok(code) => panic!("accepted: {code}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_rust_keeps_for_itself_is_no_name() {
        let is_name = |text: &str| syn::parse_str::<Ident>(text).is_ok();
        for word in replay_ir::naming::KEYWORDS {
            assert!(!is_name(word) && is_name(&identifier(word)), "{word}");
        }
        assert!(!is_name("_") && is_name(&identifier("_")));
    }

    #[test]
    fn every_mistake_in_the_arguments_is_named() {
        for (arguments, says) in [
            ("", "traces = "),
            (
                "traces = \"x/*.ir\"",
                "no trace matches this pattern below suites/",
            ),
            ("traces = \"x/[.ir\"", "no pattern"),
            ("traces = []", "an empty list"),
            ("traces = 1", "string literal"),
            ("traces = \"traces/**/*.ir\", traces = \"x\"", "given twice"),
            (
                "traces = \"traces/**/*.ir\", backend = [native]",
                "no argument `backend`",
            ),
            (
                "traces = \"traces/**/*.ir\", backends = [mount]",
                "no backend `mount`",
            ),
            (
                "traces = \"traces/**/*.ir\", backends = [\"native\"]",
                "one of: native, smb_rs",
            ),
            (
                "traces = \"traces/**/*.ir\", servers = [windows()]",
                "samba, samba_ad, samba_ad_kerberos, samba_ad_member, samba_ad_member_kerberos, external",
            ),
            (
                "traces = \"traces/**/*.ir\", servers = [samba]",
                "samba(\"4.17\")",
            ),
            (
                "traces = \"traces/**/*.ir\", servers = [samba(V)]",
                "a literal is needed",
            ),
            (
                "traces = \"traces/**/*.ir\", mode = bench",
                "there are: main, tests",
            ),
            (
                "traces = \"traces/**/*.ir\" backends = [native]",
                "expected `,`",
            ),
        ] {
            let error = error(arguments);
            assert!(error.contains(says), "{arguments}: {error}");
        }
    }

    #[test]
    fn every_mistake_in_the_function_is_named() {
        for (item, says) in [
            ("fn all(case: Case) -> Verdict {}", "async fn all"),
            ("async fn all() {}", "takes the case"),
            ("async fn all(case: Case, x: u8) {}", "takes the case"),
            ("async fn main(case: Case) {}", "call this otherwise"),
            ("struct S;", "expected"),
        ] {
            let result = try_suite("traces = \"traces/**/*.ir\"", item, &[("b.ir", GOOD)]);
            let error = result.expect_err("refused").to_string();
            assert!(error.contains(says), "{item}: {error}");
        }
    }

    #[test]
    fn every_mistake_of_every_trace_is_shown_at_once() {
        let traces = [
            ("good.ir", GOOD),
            ("one.ir", "ir 1\nclient A user=alice\nA ecko\nA close f\n"),
            ("two.ir", "ir 1\nclient A user=alice\nB echo\n"),
        ];
        let error = try_suite("traces = \"traces/**/*.ir\"", ITEM, &traces).expect_err("refused");
        let text = error.to_string();
        assert!(text.starts_with("2 traces do not load"), "{text}");
        for place in [
            "suites/traces/one.ir:3:3",
            "suites/traces/one.ir:4:9",
            "traces/two.ir:3:1",
        ] {
            assert!(text.contains(place), "{place}: {text}");
        }
        assert!(text.contains("A ecko"), "{text}");
    }

    #[test]
    fn two_traces_of_one_name_are_refused() {
        let traces = [("a-b.ir", GOOD), ("a_b.ir", GOOD)];
        let error = try_suite("traces = \"traces/*.ir\"", ITEM, &traces).expect_err("refused");
        assert!(error.to_string().contains("both be called a_b"), "{error}");
    }

    #[test]
    fn tests_mode_makes_a_function_for_each_case() {
        let code = try_suite(
            "traces = \"traces/**/*.ir\", backends = [native, smb_rs], mode = tests, \
             servers = [samba(\"4.17\"), external(\"smb://nas/data\")]",
            ITEM,
            &[("a/b.ir", GOOD), ("a/move.ir", GOOD), ("c.ir", GOOD)],
        )
        .expect("expands");
        assert_eq!(code.matches("fn samba_4_17").count(), 6, "{code}");
        assert_eq!(code.matches("fn external_nas_data").count(), 6, "{code}");
        assert_eq!(code.matches("mod a ").count(), 1, "{code}");
        assert!(code.contains("mod move_ "), "{code}");
        assert_eq!(code.matches("include_bytes").count(), 3, "{code}");
        syn::parse_str::<syn::File>(&code).expect("Rust");
    }

    #[test]
    fn a_single_trace_leaves_the_rest_to_rstest() {
        let (_folder, package) = package(&[("b.ir", GOOD)]);
        let expand = |arguments: &str, item: &str| {
            let tokens = |text: &str| text.parse::<TokenStream>().expect("tokens");
            replay(tokens(arguments), tokens(item), &package).map(|code| code.to_string())
        };
        let plain = expand(
            "\"traces/b.ir\", backend = smb_rs",
            "async fn b(c: Case) {}",
        );
        assert!(plain.expect("expands").contains(":: test]"));
        let item = "#[rstest] #[case(1)] async fn b(mut c: Case, #[case] x: u8) {}";
        let code = expand("\"traces/b.ir\"", item).expect("expands");
        assert!(
            !code.contains(":: test]") && code.contains("# [case] x : u8"),
            "{code}"
        );
        for (arguments, says) in [
            ("", "a trace is needed"),
            ("\"traces/x.ir\"", "no file suites/traces/x.ir"),
            (
                "\"traces/b.ir\", backends = native",
                "no argument `backends`",
            ),
        ] {
            let error = expand(arguments, "async fn b(c: Case) {}").expect_err("refused");
            assert!(error.to_string().contains(says), "{arguments}: {error}");
        }
        let error = expand("\"traces/b.ir\"", "async fn b() {}").expect_err("refused");
        assert!(error.to_string().contains("first parameter is the case"));
    }
}
