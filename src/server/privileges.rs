//! No more rights than the work needs.
//!
//! Root is wanted for one thing, ports below 1024, and that is done before anybody is served. Then the process becomes the user that the
//! file names, before it has a second thread, and keeps of root's rights only that one (Linux: CAP_NET_BIND_SERVICE), so that a file that is
//! loaded later can open such a port too. Logs are opened afterwards, by the user who will have to open them again.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::unistd::{User, getuid, setgid, setuid};

use crate::config::Config;

/// Becomes the user that the file names; warns where root goes on serving.
///
/// # Errors
/// There is no such user, or this one may not become it.
pub(super) fn give_up(user: Option<&str>) -> Result<(), String> {
    let Some(name) = user else {
        if getuid().is_root() {
            log::warn!(
                "serving as root; name a user in `server.user`, which the process becomes once it listens"
            );
        }
        return Ok(());
    };
    let found = User::from_name(name)
        .map_err(|error| format!("server.user: {name:?} cannot be looked up: {error}"))?;
    let user = found.ok_or_else(|| {
        format!(
            "server.user: this system has no user {name:?}; add it (useradd --system {name}), or name another"
        )
    })?;
    if user.uid == getuid() {
        return Ok(());
    }
    if !getuid().is_root() {
        return Err(format!(
            "server.user: only root can become {name:?}; start the process as root or as {name:?}, or leave the key out"
        ));
    }
    become_user(&user)
        .map_err(|error| format!("server.user: the process cannot become {name:?}: {error}"))?;
    log::info!("serving as {name}");
    Ok(())
}

fn become_user(user: &User) -> std::io::Result<()> {
    let ports = low_ports::keep()?;
    set_groups(user)?;
    setgid(user.gid)?;
    setuid(user.uid)?;
    low_ports::only(ports)
}

#[cfg(not(target_vendor = "apple"))]
fn set_groups(user: &User) -> std::io::Result<()> {
    let name = CString::new(user.name.as_str())?;
    Ok(nix::unistd::initgroups(&name, user.gid)?)
}

/// There, a process has the groups of the user that it is.
#[cfg(target_vendor = "apple")]
fn set_groups(_: &User) -> std::io::Result<()> {
    Ok(())
}

/// The right to listen on ports below 1024.
#[cfg(target_os = "linux")]
mod low_ports {
    use std::io;

    use rustix::thread::{
        CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_keep_capabilities,
        set_no_new_privs,
    };

    /// Lets it outlast the change of user; what there is of it.
    pub(super) fn keep() -> io::Result<CapabilitySet> {
        set_keep_capabilities(true)?;
        Ok(capabilities(None)?.permitted & CapabilitySet::NET_BIND_SERVICE)
    }

    /// Leaves nothing but it, and lets no program that is started get more.
    pub(super) fn only(ports: CapabilitySet) -> io::Result<()> {
        set_capabilities(
            None,
            CapabilitySets {
                effective: ports,
                permitted: ports,
                inheritable: CapabilitySet::empty(),
            },
        )?;
        set_keep_capabilities(false)?;
        Ok(set_no_new_privs(true)?)
    }
}

/// There is no such right elsewhere.
#[cfg(not(target_os = "linux"))]
mod low_ports {
    pub(super) fn keep() -> std::io::Result<()> {
        Ok(())
    }

    pub(super) fn only((): ()) -> std::io::Result<()> {
        Ok(())
    }
}

/// Says which of the files that are read while the process runs this user may not read, and which keys others may.
pub(super) fn look_at_files(file: &Path, config: &Config) {
    let tls = config
        .listeners
        .iter()
        .filter_map(|listener| listener.tls.as_ref());
    let pairs = tls.flat_map(|tls| &tls.certificates);
    let files = pairs.clone().flat_map(|pair| [&*pair.cert, &*pair.key]);
    for path in files.chain([file]) {
        if let Err(error) = File::open(path) {
            log::warn!(
                "{} cannot be read by the user that the process is: {error}; when it changes, that will not be seen",
                path.display()
            );
        }
    }
    for pair in pairs {
        if is_open_to_all(&pair.key) {
            log::warn!(
                "{}: everybody on this machine may read this private key; take that right away (chmod o= {})",
                pair.key.display(),
                pair.key.display()
            );
        }
    }
}

fn is_open_to_all(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o006 != 0)
}
