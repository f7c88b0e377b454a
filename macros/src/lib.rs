//! `#[suite]` and `#[replay]`: traces as test cases, checked when the crate compiles.
//!
//! Both are used through the `smb-replay` crate, which re-exports and documents them. They read the
//! attribute ([`arguments`]), check every trace that it names ([`traces`]), and emit either a
//! libtest-mimic `main` or plain `#[test]` functions ([`expand`]). What happens when a case runs is
//! the `smb-replay` crate's business; nothing here talks to a server.

mod arguments;
mod expand;
mod traces;

use proc_macro::TokenStream;

/// Turns a folder of traces into test cases.
///
/// ```ignore
/// #[smb_replay::suite(
///     traces   = "traces/**/*.ir",          // one pattern, or a list of them
///     backends = [native, smb_rs],          // default: [native]
///     servers  = [samba("4.17")],           // default: [samba("4.17")]
///     known    = "known-failures.toml",     // default: none
///     mode     = main,                      // or `tests`; default: main
/// )]
/// async fn regressions(case: Case) -> Verdict {
///     case.replay().await
/// }
/// ```
///
/// Paths are relative to the package. A trace that does not load is a compile error that shows its
/// line. `mode = main` emits `fn main()` and needs `harness = false` in the `[[test]]` section;
/// `mode = tests` emits one `#[test]` function for each case, with the same names.
#[proc_macro_attribute]
pub fn suite(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let makes_main = !arguments.to_string().contains("mode = tests");
    expand::suite(arguments.into(), item.into(), &traces::Package::from_env())
        .unwrap_or_else(|error| {
            // Without a `main` the compiler would have a second complaint, about that.
            let error = error.into_compile_error();
            let main = makes_main.then(|| {
                quote::quote!(
                    pub(crate) fn main() {}
                )
            });
            quote::quote!(#error #main)
        })
        .into()
}

/// Makes one test of one trace.
///
/// ```ignore
/// #[smb_replay::replay("traces/lock/range-conflict.ir", backend = smb_rs, server = samba("4.17"))]
/// async fn range_conflict(case: Case) -> Verdict {
///     case.replay().await
/// }
/// ```
///
/// The first parameter is the case. Any others are left to rstest: put `#[replay]` above
/// `#[rstest]`, and fixtures and `#[case]`s work as they do in any other test.
#[proc_macro_attribute]
pub fn replay(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::replay(arguments.into(), item.into(), &traces::Package::from_env())
        .unwrap_or_else(|error| error.into_compile_error())
        .into()
}
