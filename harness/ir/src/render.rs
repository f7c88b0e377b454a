//! How a load error looks on a terminal: as a compiler shows its own.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::error::LoadError;

/// Renders one error, without colours and without a line break at the end.
pub(crate) fn error(name: &str, error: &LoadError) -> String {
    let message = error.problem.to_string();
    let help = error.problem.help();
    let title = Level::ERROR.primary_title(message);
    let mut group = Group::with_title(title);
    // The place that a snippet shows is that of its own text; a part of a line, and no line at all, need it spelt out.
    if error.source.is_empty() || error.skipped > 0 {
        group = group.element(origin(name, error));
    }
    if !error.source.is_empty() {
        let mut snippet = Snippet::source(&*error.source)
            .line_start(error.line as usize)
            .annotation(AnnotationKind::Primary.span(span(error)));
        if error.skipped == 0 {
            snippet = snippet.path(name);
        }
        group = group.element(snippet);
    }
    if let Some(help) = help {
        group = group.element(Level::HELP.message(help));
    }
    Renderer::plain()
        .decor_style(DecorStyle::Ascii)
        .render(&[group])
}

fn origin<'n>(name: &'n str, error: &LoadError) -> Origin<'n> {
    let mut origin = Origin::path(name);
    if error.line > 0 {
        origin = origin.line(error.line as usize);
    }
    if error.column > 0 {
        origin = origin.char_column(error.column as usize);
    }
    origin
}

/// The bytes of the shown part of the line that the problem is about.
fn span(error: &LoadError) -> Range<usize> {
    if error.column == 0 {
        return 0..error.source.len();
    }
    let offset = |chars: u32| {
        let mut letters = error.source.char_indices();
        letters
            .nth(chars as usize)
            .map_or(error.source.len(), |(at, _)| at)
    };
    let first = (error.column - 1).saturating_sub(error.skipped);
    offset(first)..offset(first.saturating_add(error.width))
}
