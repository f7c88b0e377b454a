//! The Python side: the package's modules, compiled in, and its exceptions as errors.

use std::ffi::CString;
use std::path::PathBuf;

use pyo3::exceptions::PyModuleNotFoundError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyCFunction;

use crate::{Error, Plan, Progress, Report, Settings};

/// The package, in an order in which each module finds those that it imports.
const MODULES: &[(&str, &str)] = &[
    ("ldap_provision", include_str!("ldap_provision/__init__.py")),
    (
        "ldap_provision.errors",
        include_str!("ldap_provision/errors.py"),
    ),
    (
        "ldap_provision.plan",
        include_str!("ldap_provision/plan.py"),
    ),
    (
        "ldap_provision.wire",
        include_str!("ldap_provision/wire.py"),
    ),
    (
        "ldap_provision.schema",
        include_str!("ldap_provision/schema.py"),
    ),
    (
        "ldap_provision.provision",
        include_str!("ldap_provision/provision.py"),
    ),
    (
        "ldap_provision.bridge",
        include_str!("ldap_provision/bridge.py"),
    ),
];

const HOME: &str = include_str!("home.py");

static BRIDGE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// The module that is called.
fn bridge(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    let load = || {
        add_packages(py)?;
        let mut last = None;
        for (name, text) in MODULES {
            let file = format!("{}.py", name.replace('.', "/"));
            let (text, file, name) = (
                CString::new(*text)?,
                CString::new(file)?,
                CString::new(*name)?,
            );
            last = Some(PyModule::from_code(py, &text, &file, &name)?);
        }
        last.map(Bound::unbind)
            .ok_or_else(|| PyModuleNotFoundError::new_err("ldap_provision"))
    };
    BRIDGE
        .get_or_try_init(py, load)
        .map(|module| module.bind(py))
}

/// Lets Python find what a virtual environment holds; the variable VIRTUAL_ENV alone means nothing to it.
fn add_packages(py: Python<'_>) -> PyResult<()> {
    let home = PyModule::from_code(py, &CString::new(HOME)?, c"home.py", c"ldap_provision_home")?;
    home.call_method0("settle")?;
    let named = std::env::var_os("SMB_REPLAY_VENV").filter(|path| !path.is_empty());
    let environment = named.map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.venv")),
        PathBuf::from,
    );
    let version = py.version_info();
    let packages = environment.join(format!(
        "lib/python{}.{}/site-packages",
        version.major, version.minor
    ));
    if packages.is_dir() {
        py.import("site")?.call_method1("addsitedir", (packages,))?;
    }
    Ok(())
}

pub(crate) fn available() -> Result<(), Error> {
    Python::attach(|py| {
        bridge(py)
            .and_then(|_| py.import("ldap3"))
            .map(drop)
            .map_err(|error| translate(py, &error))
    })
}

/// `ldap_provision.bridge.Session`.
#[derive(Debug)]
pub(crate) struct Session {
    object: Py<PyAny>,
}

impl Session {
    pub(crate) fn open(settings: &Settings) -> Result<Self, Error> {
        available()?;
        Python::attach(|py| {
            let open = || {
                let class = bridge(py)?.getattr("Session")?;
                Ok(class.call1((settings.json(),))?.unbind())
            };
            let object = open().map_err(|error: PyErr| translate(py, &error))?;
            Ok(Self { object })
        })
    }

    pub(crate) fn apply(&self, plan: &Plan, progress: Option<Progress>) -> Result<Report, Error> {
        let plan = serde_json::to_string(plan).map_err(|error| Error::Python(error.to_string()))?;
        let report: String = Python::attach(|py| {
            let call = || {
                let told = match progress {
                    None => None,
                    Some(progress) => Some(PyCFunction::new_closure(
                        py,
                        None,
                        None,
                        move |arguments, _| -> PyResult<()> {
                            let (done, total) = arguments.extract::<(u64, u64)>()?;
                            progress(done, total);
                            Ok(())
                        },
                    )?),
                };
                self.object
                    .bind(py)
                    .call_method1("apply", (plan, told))?
                    .extract()
            };
            call().map_err(|error: PyErr| translate(py, &error))
        })?;
        serde_json::from_str(&report).map_err(|error| Error::Python(error.to_string()))
    }

    pub(crate) fn remove(&self, unit: &str) -> Result<bool, Error> {
        self.call("remove", unit)
    }

    pub(crate) fn units(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.call("units", prefix)
    }

    pub(crate) fn close(self) -> Result<(), Error> {
        Python::attach(|py| {
            let closed = self.object.bind(py).call_method0("close");
            closed.map(drop).map_err(|error| translate(py, &error))
        })
    }

    fn call<T: for<'a, 'py> FromPyObject<'a, 'py>>(
        &self,
        method: &str,
        argument: &str,
    ) -> Result<T, Error> {
        Python::attach(|py| {
            let answer = self.object.bind(py).call_method1(method, (argument,));
            answer
                .and_then(|answer| answer.extract().map_err(Into::into))
                .map_err(|error| translate(py, &error))
        })
    }
}

/// A Python exception as an error of ours.
fn translate(py: Python<'_>, error: &PyErr) -> Error {
    let value = error.value(py);
    let text = |name: &str| {
        let attribute = value.getattr(name).ok()?;
        attribute.extract::<String>().ok()
    };
    if error.is_instance_of::<PyModuleNotFoundError>(py) {
        let package = text("name").unwrap_or_else(|| "ldap3".to_owned());
        return Error::MissingPackage { package };
    }
    let kind = error.get_type(py).name().map(|name| name.to_string());
    let (Some(what), Some(advice)) = (text("what"), text("advice")) else {
        return Error::Python(error.to_string());
    };
    let code = value
        .getattr("code")
        .ok()
        .and_then(|code| code.extract::<u32>().ok());
    match (kind.as_deref(), code) {
        (Ok("DirectoryError"), Some(code)) => Error::Directory {
            what,
            advice,
            dn: text("dn").unwrap_or_default(),
            code,
            text: text("text").unwrap_or_default(),
        },
        (Ok("PlanError"), _) => Error::Plan { what, advice },
        (_, code) => Error::Connect { what, advice, code },
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::Schema;

    fn settings(url: &str) -> Settings {
        Settings {
            url: url.to_owned(),
            bind: "admin".to_owned(),
            password: SecretString::from("s3cret"),
            base: "DC=x".to_owned(),
            schema: Schema::ActiveDirectory,
            authority: None,
            start_tls: false,
            insecure: false,
        }
    }

    #[test]
    fn exceptions_arrive_as_errors() {
        match available() {
            Ok(()) => {}
            Err(Error::MissingPackage { package }) => {
                eprintln!("skipped: no Python package {package}");
                return;
            }
            Err(error) => panic!("{error}"),
        }
        let error = Session::open(&settings("ldaps://127.0.0.1:1")).expect_err("no authority");
        let Error::Connect { what, advice, code } = &error else {
            panic!("{error:?}");
        };
        assert!(
            what.contains("no authority") && advice.contains("insecure"),
            "{error}"
        );
        assert_eq!(*code, None);
        assert!(!format!("{error:?}").contains("s3cret"));

        let open = Settings {
            insecure: true,
            ..settings("ldap://127.0.0.1:1")
        };
        let error = Session::open(&open).expect_err("nobody listens");
        assert!(error.to_string().contains("cannot be reached"), "{error}");
        let wrong = settings("http://127.0.0.1");
        let error = Session::open(&wrong).expect_err("no directory");
        assert!(error.to_string().contains("ldaps://host:port"), "{error}");
    }
}
