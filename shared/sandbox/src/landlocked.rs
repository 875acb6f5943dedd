//! Landlock: which files the program may open, and which processes it may send signals to.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, RestrictionStatus, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use crate::plan::Plan;
use crate::program::Program;
use crate::settings::Settings;

/// The newest interface whose rights are known here.
pub(crate) const KNOWN: ABI = ABI::V9;
/// What programs usually need to read, and to run.
const READ: [&str; 12] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/nix/store",
    "/proc",
    "/sys/devices/system",
    "/run/systemd/resolve",
];
/// Devices without state.
const DEVICES: [&str; 6] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
];

/// Finds the version of the kernel's interface, and restricts this process by the way.
pub(crate) fn probe() -> Option<i32> {
    let rules = Ruleset::default().handle_access(AccessFs::from_all(KNOWN)).ok()?;
    version(&rules.create().ok()?.restrict_self().ok()?)
}

/// Restricts this process, and returns the version of the interface; `None` if the kernel has none.
pub(crate) fn restrict(plan: &Plan, program: &Program, settings: &Settings) -> Result<Option<i32>, RulesetError> {
    let all = AccessFs::from_all(KNOWN);
    let read = AccessFs::from_read(KNOWN);
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .scope(Scope::from_all(KNOWN))?
        .create()?;
    let own = program
        .paths
        .iter()
        .flat_map(|path| [Some(path.as_path()), folder_of(path)]);
    let readable = READ.iter().map(Path::new).chain(own.flatten());
    let readable = readable.chain(settings.others.iter().chain(&plan.read).map(PathBuf::as_path));
    let writable = plan.write.iter().map(PathBuf::as_path).chain([plan.folder.as_path()]);
    let mut rules = grant(rules, readable, read)?;
    rules = grant(rules, writable, all)?;
    for (setting, is_folder) in &settings.open {
        let access = if *is_folder {
            read
        } else {
            read & AccessFs::from_file(KNOWN)
        };
        rules = rules.add_rule(PathBeneath::new(setting, access))?;
    }
    rules = grant(rules, DEVICES.iter().map(Path::new), all)?;
    for file in [Some(&program.file), program.script.as_ref()].into_iter().flatten() {
        rules = rules.add_rule(PathBeneath::new(file, AccessFs::ReadFile | AccessFs::Execute))?;
    }
    let restricted = rules.restrict_self()?;
    Ok(version(&restricted))
}

/// What is not there is not granted.
fn grant<'a>(
    rules: RulesetCreated,
    paths: impl Iterator<Item = &'a Path>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    rules.add_rules(path_beneath_rules(paths, access))
}

/// Returns the folder of a program, unless that is everything.
pub(crate) fn folder_of(program: &Path) -> Option<&Path> {
    program.parent().filter(|folder| folder.parent().is_some())
}

fn version(restricted: &RestrictionStatus) -> Option<i32> {
    match restricted.landlock {
        LandlockStatus::Available { effective_abi, .. } if restricted.ruleset != RulesetStatus::NotEnforced => {
            Some(effective_abi as i32)
        }
        _ => None,
    }
}
