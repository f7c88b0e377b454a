//! How a load error looks on a terminal: as a compiler shows its own.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::error::LoadError;

/// Renders one error, without colours and without a line break at the end.
pub(crate) fn error(name: &str, error: &LoadError) -> String {
    let message = error.problem.to_string();
    let help = error.problem.help();
    let title = Level::ERROR.primary_title(message);
    let mut origin = Origin::path(name);
    if error.line > 0 {
        origin = origin.line(error.line as usize);
    }
    if error.column > 0 {
        origin = origin.char_column(error.column as usize);
    }
    let mut group = Group::with_title(title);
    let offset = |chars: usize| {
        error
            .source
            .char_indices()
            .nth(chars)
            .map_or(error.source.len(), |(at, _)| at)
    };
    if error.source.is_empty() {
        group = group.element(origin);
    } else {
        let start = offset((error.column.saturating_sub(1) - error.skipped) as usize);
        let end = offset((error.column.saturating_sub(1) - error.skipped + error.width) as usize);
        let span = if error.column == 0 {
            0..error.source.len()
        } else {
            start..end
        };
        let snippet = Snippet::source(&*error.source)
            .path(name)
            .line_start(error.line as usize)
            .annotation(AnnotationKind::Primary.span(span));
        group = group.element(snippet);
    }
    if let Some(help) = help {
        group = group.element(Level::HELP.message(help));
    }
    Renderer::plain()
        .decor_style(DecorStyle::Ascii)
        .render(&[group])
}
