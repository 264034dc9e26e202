//! What passwords are hashed with, and which hashes are taken.

use argon2::password_hash::{PasswordHash as Phc, PasswordHashString, Salt};
use argon2::{Params, Version};
use std::fmt;
use std::str::FromStr;

/// The costs that `htpasswd` can give a bcrypt hash. One check at the highest takes some seconds.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=17;

/// The most memory that checking an argon2 hash may take, in KiB, …
const ARGON2_MEMORY: u32 = 256 * 1024;
/// … and the most that it may write in all its passes, which takes about as long as the costliest bcrypt.
const ARGON2_WORK: u64 = 8 * 1024 * 1024;

/// The hash of a password, seen to be one that can be checked.
#[derive(Clone, PartialEq, Eq)]
pub enum PasswordHash {
    /// bcrypt, `$2a$`, `$2b$` or `$2y$`, which all mean the same.
    Bcrypt(String),
    /// argon2, in the form of PHC strings.
    Argon2(PasswordHashString),
}

/// Says what kind it is.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            PasswordHash::Bcrypt(_) => "Bcrypt",
            PasswordHash::Argon2(_) => "Argon2",
        })
    }
}

/// Hashes that others make, by how they begin.
const REFUSED: &[(&str, &str)] = &[
    ("$apr1$", "MD5 (apr1), which takes no time to try"),
    ("$1$", "MD5, which takes no time to try"),
    ("$md5", "MD5, which takes no time to try"),
    ("{SHA}", "SHA-1, which takes no time to try"),
    ("{SSHA}", "SHA-1, which takes no time to try"),
    ("$2x$", "a bcrypt that was broken"),
    ("$2$", "a bcrypt that was broken"),
    ("$5$", "SHA-256 crypt, which is not known here"),
    ("$6$", "SHA-512 crypt, which is not known here"),
    ("$7$", "scrypt, which is not known here"),
    ("$scrypt$", "scrypt, which is not known here"),
    ("$y$", "yescrypt, which is not known here"),
    ("$gy$", "yescrypt, which is not known here"),
    ("$pbkdf2", "PBKDF2, which is not known here"),
];

impl PasswordHash {
    /// Reads a hash, or says what is wrong with it; the message goes on after whose it is.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("is not there".to_owned());
        }
        if ["$2a$", "$2b$", "$2y$"]
            .iter()
            .any(|start| text.starts_with(start))
        {
            return bcrypt(text);
        }
        if text.starts_with("$argon2") {
            return argon2(text);
        }
        let refused = REFUSED.iter().find(|(start, _)| text.starts_with(start));
        Err(match refused {
            Some((_, kind)) => format!("is hashed with {kind}"),
            None if is_des(text) => {
                "is hashed with DES crypt, which takes no time to try, or not at all".to_owned()
            }
            None => "is plain text, or a hash that is not known here".to_owned(),
        })
    }
}

fn bcrypt(text: &str) -> Result<PasswordHash, String> {
    let damaged = || "has a bcrypt hash that is cut short or damaged".to_owned();
    let parts = bcrypt::HashParts::from_str(text).map_err(|_| damaged())?;
    let cost = parts.get_cost();
    if !BCRYPT_COSTS.contains(&cost) {
        let (low, high) = BCRYPT_COSTS.into_inner();
        return Err(format!(
            "has a bcrypt hash of cost {cost}, and costs from {low} to {high} are taken"
        ));
    }
    Ok(PasswordHash::Bcrypt(text.to_owned()))
}

fn argon2(text: &str) -> Result<PasswordHash, String> {
    let damaged = || "has an argon2 hash that is cut short or damaged".to_owned();
    let hash = PasswordHashString::new(text).map_err(|_| damaged())?;
    let costs = costs(&hash.password_hash()).ok_or_else(damaged)?;
    if costs.m_cost() > ARGON2_MEMORY {
        return Err(format!(
            "has an argon2 hash that takes {} MiB of memory to check, and at most {} are taken",
            costs.m_cost() / 1024,
            ARGON2_MEMORY / 1024
        ));
    }
    if u64::from(costs.m_cost()) * u64::from(costs.t_cost()) > ARGON2_WORK {
        return Err(format!(
            "has an argon2 hash that takes too long to check, with m × t of more than {ARGON2_WORK}"
        ));
    }
    Ok(PasswordHash::Argon2(hash))
}

/// What a hash costs; none when something is missing that its check needs.
fn costs(hash: &Phc<'_>) -> Option<Params> {
    argon2::Algorithm::try_from(hash.algorithm).ok()?;
    Version::try_from(hash.version?).ok()?;
    let mut salt = [0; Salt::MAX_LENGTH];
    let salt = hash.salt?.decode_b64(&mut salt).ok()?;
    hash.hash?;
    let params = Params::try_from(hash).ok()?;
    // With a key id, a secret key would be needed as well.
    let is_usable = salt.len() >= argon2::MIN_SALT_LEN && params.keyid().is_empty();
    is_usable.then_some(params)
}

/// Whether it looks like what `crypt` made before 1990, and `htpasswd -d` makes.
fn is_des(text: &str) -> bool {
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/');
    text.len() == 13 && text.bytes().all(may_stand)
}
