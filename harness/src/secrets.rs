//! No password of a run is found in anything that it leaves or shows. Only a test: it knows the passwords because the run
//! tells it in this process, and it writes none of them down.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use replay_engine::{RunOptions, Site, WireLog};
use secrecy::ExposeSecret;
use tracing_subscriber::fmt::MakeWriter;

use crate::artifacts::{self, Artifacts};
use crate::render::{self, Surroundings};
use crate::replay::{Request, replay};
use crate::report::Report;
use crate::servers::{POOL, ServerSpec};

/// One that passes, and one that does not: a wrong expectation in each session.
const TRACES: [&str; 2] = [
    "ir 1\nneeds domain\nclient A user=alice groups=finance\nclient B user=bob auth=kerberos\n\
     given user carol state=locked-out\ngiven file \"f\" size=4 sd=\"D:P(A;;FA;;;$finance)\"\n\
     A create f \"f\" -> OK\nB create f2 \"f\" -> ACCESS_DENIED\nB reauthenticate -> OK mechanism=kerberos\n",
    "ir 1\nneeds domain\nclient A user=alice\nclient B user=bob auth=kerberos encryption=required\n\
     client C user=carol wrong-password\ngiven file \"f\" size=4\n\
     C connect -> LOGON_FAILURE\nA create f \"f\" -> ACCESS_DENIED\nB create f2 \"f\" -> ACCESS_DENIED\n",
];

/// What is looked for: each secret as it is, and as it would be in a message or behind an encoding.
#[derive(Default)]
struct Secrets(BTreeSet<Vec<u8>>);

impl Secrets {
    fn add(&mut self, secret: &str) {
        assert!(secret.len() >= 16, "too short to be looked for");
        let wide = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
        self.0.insert(secret.as_bytes().to_vec());
        self.0.insert(wide);
        self.0.insert(base64(secret.as_bytes()));
    }

    fn are_in(&self, bytes: &[u8]) -> bool {
        let held = |secret: &Vec<u8>| bytes.windows(secret.len()).any(|part| part == secret);
        self.0.iter().any(held)
    }
}

/// All whole groups of three bytes; the padding differs with what follows.
fn base64(bytes: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks_exact(3).flat_map(|group| {
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        [18, 12, 6, 0].map(|shift| LETTERS[(bits >> shift & 63) as usize])
    });
    groups.collect()
}

/// What was found to look through: where from, and its bytes.
type Places = Vec<(String, Vec<u8>)>;

fn found(secrets: &Secrets, places: &Places) -> Vec<String> {
    let bad = places.iter().filter(|(_, bytes)| secrets.are_in(bytes));
    bad.map(|(place, _)| place.clone()).collect()
}

fn files(folder: &Path, places: &mut Places) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => files(&path, places),
            false => {
                let bytes = std::fs::read(&path).expect("a file");
                places.push((path.display().to_string(), bytes));
            }
        }
    }
}

/// The arguments and the environment of every process that this one may look at, in containers too.
fn processes(seen: &mut BTreeSet<Vec<u8>>) {
    for entry in std::fs::read_dir("/proc").expect("Linux").flatten() {
        for name in ["cmdline", "environ"] {
            if let Ok(bytes) = std::fs::read(entry.path().join(name)) {
                seen.insert(bytes);
            }
        }
    }
}

fn docker(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("docker").args(arguments).output();
    let output = output.expect("docker runs");
    assert!(output.status.success(), "{arguments:?}");
    [output.stdout, output.stderr].concat()
}

/// The log, at its most talkative.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_password_of_a_run_is_in_what_it_leaves_or_shows() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let logging = tracing::subscriber::set_default(subscriber);
    let shared = match POOL.get(&ServerSpec::samba_ad(), None).await {
        Ok(shared) => shared,
        Err(reason) => {
            let required = std::env::var_os("SMB_REPLAY_REQUIRE").is_some_and(|value| value == "1");
            assert!(!required, "missing: {reason}");
            println!("skipped: {reason}");
            return;
        }
    };
    let secrets = Arc::new(Mutex::new(Secrets::default()));
    let domain = shared.server.domain().expect("it is a controller").clone();
    let administrator = domain.administrator.password.expose_secret();
    secrets.lock().expect("no panic").add(administrator);

    // Somebody looks at the machine's processes all the time.
    let over = Arc::new(AtomicBool::new(false));
    let watch = std::thread::spawn({
        let over = over.clone();
        move || {
            let mut seen = BTreeSet::new();
            while !over.load(Ordering::Relaxed) {
                processes(&mut seen);
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            seen
        }
    });

    let folder = tempfile::tempdir().expect("a folder");
    let mut places = Places::new();
    for (index, text) in TRACES.into_iter().enumerate() {
        let source = folder.path().join(format!("t{index}.ir"));
        std::fs::write(&source, text).expect("written");
        let trace = Arc::new(smb_vocabulary::load(&source).expect("a sound trace"));
        let case = format!("secrets::t{index}");
        let collect = |site: &Site| {
            let mut secrets = secrets.lock().expect("no panic");
            let users = site.identities.values();
            for password in users.map(|identity| identity.password.expose_secret()) {
                // A group has none.
                if !password.is_empty() {
                    secrets.add(password);
                }
            }
            Ok(site.target.address)
        };
        let wire = WireLog::new(10_000);
        let request = Request {
            case: &case,
            trace: Arc::clone(&trace),
            backend: Arc::new(smb_backends::native::Native::default()),
            options: RunOptions {
                event_log: true,
                wire: Some(wire.clone()),
                ..RunOptions::default()
            },
            kerberos: false,
            keep_failed: false,
            through: Some(&collect),
        };
        let replayed = replay(&shared, request).await.expect("it runs");
        assert!(replayed.troubles.is_empty(), "{:?}", replayed.troubles);
        let run = &replayed.run;
        let passed = matches!(run.verdict, replay_engine::Verdict::Passed);
        assert_eq!(passed, index == 0, "{:?}", run.verdict);
        let around = Surroundings {
            shown: "t.ir",
            server: &replayed.server,
            artifacts: Some(folder.path()),
            kept: replayed.kept.as_deref(),
            again: None,
        };
        let failure = render::failure(&trace, run, &around);
        let log = shared.server.log().await;
        let of_case = Artifacts {
            trace: &trace,
            source: &source,
            run,
            server: &replayed.server,
            server_log: &log,
            wire: Some(&wire),
        };
        let of_case_folder = artifacts::folder(folder.path(), &case);
        of_case.write(&of_case_folder, &failure).expect("written");
        let report = Report::new(&trace, &replayed.server, run);
        let shown = format!("{run:?}{report:?}{failure}");
        places.push(("what is printed".to_owned(), shown.into_bytes()));
    }
    let described = shared.server.describe();
    let mut words = described.split(' ').skip_while(|word| *word != "container");
    let container = words.nth(1).expect("its name");
    places.push(("docker inspect".to_owned(), docker(&["inspect", container])));
    places.push(("docker logs".to_owned(), docker(&["logs", container])));
    over.store(true, Ordering::Relaxed);
    for seen in watch.join().expect("it looks") {
        places.push(("a process".to_owned(), seen));
    }
    files(folder.path(), &mut places);
    drop(logging);
    let logged = std::mem::take(&mut *log.0.lock().expect("no panic"));
    assert!(logged.len() > 1000, "there is a log");
    places.push(("the log".to_owned(), logged));

    drop(shared);
    assert_eq!(POOL.stop().await, Vec::<String>::new());

    let secrets = secrets.lock().expect("no panic");
    // The administrator, two users and a locked one, three users; in three forms each.
    assert_eq!(secrets.0.len(), 3 * 7);
    let all: usize = places.iter().map(|(_, bytes)| bytes.len()).sum();
    println!(
        "{} secrets in {} places, {all} bytes",
        secrets.0.len() / 3,
        places.len()
    );
    assert_eq!(found(&secrets, &places), Vec::<String>::new());
    // It would be found.
    let last = secrets.0.last().expect("some").clone();
    let planted = folder.path().join("planted");
    std::fs::write(&planted, [b"before".as_slice(), &last, b"behind"].concat()).expect("written");
    files(folder.path(), &mut places);
    assert_eq!(found(&secrets, &places), [planted.display().to_string()]);
}

#[test]
fn what_is_looked_for_is_found() {
    let mut secrets = Secrets::default();
    secrets.add("abcdefghijkmnopqrstuvwxy");
    assert!(secrets.are_in(b"x=YWJjZGVmZ2hpamttbm9wcXJzdHV2d3h5;"));
    assert!(secrets.are_in(b"password abcdefghijkmnopqrstuvwxy."));
    assert!(!secrets.are_in(b"password abcdefghijkmnopqrstuvwx"));
}
