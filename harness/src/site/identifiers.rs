//! Which security identifiers a trace's identities have, found out over SMB so that it works on any server: below a
//! directory whose entries everybody inherits, each identity makes a file, and whoever owns that file is it
//! (MS-DTYP 2.5.3.4: the owner of a new object is that of the creator's token).
//!
//! Done only for a trace that names principals, and only for identities whose identifier the run does not know yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use replay_engine::{Clock, Kind, RunOptions, RunReport, Site, Stop, Verdict};
use replay_ir::{
    Answer, ExpectStatus, LoadErrors, Milestone, OwnedValue, StepId, StepSpec, Trace, TraceBuilder,
};
use samba_servers::CaseSite;
use smb_backends::native::Native;
use smb_vocabulary::VOCABULARY;

use super::{LONGEST, SETUP, Steps, close, open};

/// The directory for this, in the case's own. Its name is none that a trace would choose.
const PLACE: &str = ".smb-replay-identifiers";
/// What this is, for messages.
const WHAT: &str = "finding the identities' security identifiers";

/// Finds the identifiers that the trace needs and writes them into the case's identities. The error says what did not
/// work, or which answer held no owner.
pub(crate) async fn find_identifiers(
    case: &mut CaseSite,
    trace: &Trace,
    stop: Option<Stop>,
) -> Result<(), String> {
    if smb_vocabulary::principals(trace).is_empty() {
        return Ok(());
    }
    let unknown = case
        .identities
        .values()
        .filter(|identity| identity.sid.is_none());
    let unknown: Vec<String> = unknown.map(|identity| identity.name.clone()).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    if !case.root_exists {
        let (parent, name) = super::split(&case.target);
        let mut steps = Steps::new("making the case's directory")?;
        steps.add(open(0, &name, "directory", "open-if", "r"));
        steps.add(close(0));
        steps.run(case, parent, stop.clone()).await?;
    }
    let asking = asking(&unknown).map_err(|errors| errors.to_string())?;
    let questions: Vec<StepId> = asking
        .steps()
        .filter(|step| step.expect().unknown())
        .map(|step| step.id())
        .collect();
    let report = ask(case, asking, stop).await;
    let trouble = report
        .differences
        .iter()
        .find(|difference| difference.kind != Kind::Unknown);
    if trouble.is_some() || !matches!(report.verdict, Verdict::Failed { .. }) {
        let why = trouble.map_or_else(|| report.verdict.to_string(), ToString::to_string);
        return Err(format!("{WHAT} did not work: {why}"));
    }
    for (name, question) in unknown.iter().zip(questions) {
        let owner = report
            .actual
            .get(&question)
            .and_then(owner)
            .ok_or_else(|| {
                format!("{WHAT} did not work: the server told no owner of a file of {name}")
            })?;
        if let Some(identity) = case.identities.get_mut(name) {
            identity.sid = Some(owner);
        }
    }
    Ok(())
}

/// Who owns the file, as `S-1-…`.
fn owner(answer: &Answer) -> Option<String> {
    let (_, owner) = answer.fields.iter().find(|(name, _)| *name == "owner")?;
    match owner {
        OwnedValue::Token(owner) if owner.starts_with("S-1-") => Some(owner.clone()),
        _ => None,
    }
}

/// The set-up account makes the directory, each identity a file that goes when it is closed, and the set-up account
/// removes the directory.
fn asking(names: &[String]) -> Result<Trace, LoadErrors> {
    let mut builder = TraceBuilder::new(&VOCABULARY, "the identities' security identifiers");
    let user = |name: &str| [("user".into(), OwnedValue::Token(name.to_owned()))];
    builder.client(SETUP, &user(SETUP));
    for (index, name) in names.iter().enumerate() {
        builder.client(&client(index), &user(name));
    }
    builder.step(&open(
        0,
        PLACE,
        "directory",
        "open-if",
        "r|delete|write-dac",
    ));
    builder.step(
        &StepSpec::new(SETUP, "set-security")
            .label("made")
            .arg("handle", "h0")
            .arg("dacl", "(A;OICI;FA;;;WD)"),
    );
    for index in 0..names.len() {
        let on = |verb: &'static str| StepSpec::new(client(index), verb).arg("handle", "f");
        let create = on("create")
            .arg("path", format!("{PLACE}/{index}"))
            .arg("access", "r|delete")
            .arg("disposition", "create")
            .arg("options", "delete-on-close|non-directory")
            .after("made", Milestone::Done);
        builder.step(&create);
        // The answer is not known yet: that is the question.
        let mut question = on("query-security").flag("owner");
        question.expect.status = ExpectStatus::Unknown;
        builder.step(&question);
        builder.step(&on("close").label(format!("closed{index}")));
    }
    let mut remove = StepSpec::new(SETUP, "set-info")
        .arg("handle", "h0")
        .arg("class", "disposition");
    for index in 0..names.len() {
        remove = remove.after(format!("closed{index}"), Milestone::Done);
    }
    builder.step(&remove);
    builder.step(&close(0));
    builder.build()
}

fn client(index: usize) -> String {
    format!("user{index}")
}

async fn ask(case: &CaseSite, trace: Trace, stop: Option<Stop>) -> RunReport {
    let mut identities: BTreeMap<_, _> = case.identities.clone();
    identities.insert(SETUP.to_owned(), case.setup.clone());
    let site = Site {
        target: case.target.clone(),
        identities,
    };
    let options = RunOptions {
        clock: Clock::Asap,
        run_timeout: Some(LONGEST),
        stop,
        ..RunOptions::default()
    };
    replay_engine::run(
        Arc::new(trace),
        Arc::new(Native::default()),
        &site,
        &options,
    )
    .await
}
