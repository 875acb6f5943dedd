//! Opens the program, and checks that it is what it is said to be.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::plan::Plan;
use crate::report::Failure;
use crate::trust;

/// How many bytes of a script the kernel reads for the name of its interpreter.
const HEAD_BYTES: usize = 256;

/// A program that was checked. What is executed is this open file, whatever is at its path by then.
pub(crate) struct Program {
    /// The file to execute.
    pub(crate) file: File,
    /// The arguments, with the name.
    pub(crate) arguments: Vec<CString>,
    /// The script that `file` interprets, if it is handed over as an open file.
    pub(crate) script: Option<File>,
    /// The files that must be readable for it: the program, and its interpreter.
    pub(crate) paths: Vec<PathBuf>,
}

impl Program {
    /// Opens and checks the program of a plan.
    pub(crate) fn open(plan: &Plan) -> Result<Self, Failure> {
        let file = open(&plan.program)?;
        if let Some(expected) = &plan.sha256 {
            check_digest(&plan.program, &file, expected)?;
        }
        let mut arguments = vec![text(plan.program.as_os_str().as_bytes())?];
        for argument in &plan.arguments {
            arguments.push(text(argument.as_bytes())?);
        }
        match interpreter(&plan.program, &file)? {
            None => Ok(Self {
                file,
                arguments,
                script: None,
                paths: vec![plan.program.clone()],
            }),
            Some(interpreter) => Self::interpreted(plan, file, arguments, interpreter),
        }
    }

    fn interpreted(plan: &Plan, file: File, own: Vec<CString>, by: Interpreter) -> Result<Self, Failure> {
        let (script, path) = (plan.program.display(), by.path.display());
        if !plan.interpreters.contains(&by.path) {
            return Err(Failure::program(format!(
                "{script} is a script of {path}, which is not in the allowed_commands of the service's security_policy"
            )));
        }
        let program = open(&by.path)?;
        if interpreter(&by.path, &program)?.is_some() {
            return Err(Failure::program(format!(
                "{script} is a script of {path}, which is a script itself; name a program"
            )));
        }
        let mut arguments = vec![text(by.path.as_os_str().as_bytes())?];
        if let Some(argument) = &by.argument {
            arguments.push(text(argument)?);
        }
        // the interpreter opens what it is told to: where the digest counts, that must be the file that was hashed
        let handed = plan.sha256.is_some();
        arguments.push(match handed {
            true => text(format!("/dev/fd/{}", file.as_raw_fd()).as_bytes())?,
            false => own[0].clone(),
        });
        arguments.extend(own.into_iter().skip(1));
        Ok(Self {
            file: program,
            arguments,
            script: handed.then_some(file),
            paths: vec![plan.program.clone(), by.path],
        })
    }
}

/// The interpreter that a script names.
struct Interpreter {
    path: PathBuf,
    argument: Option<Vec<u8>>,
}

/// Opens a program that nobody but the system's administrator and this user can have put or changed there.
fn open(path: &Path) -> Result<File, Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::program(format!("the program {} cannot be run: {error}", path.display()))
    };
    // a pipe or a device must not make the open wait
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.map_err(|error| wrong(&error))?;
    let found = file.metadata().map_err(|error| wrong(&error))?;
    if !found.is_file() {
        return Err(wrong(&"it is no regular file"));
    }
    let checked = trust::check(path).map_err(|why| wrong(&why))?;
    if (checked.dev(), checked.ino()) != (found.dev(), found.ino()) {
        return Err(wrong(&"it is being replaced"));
    }
    Ok(file)
}

fn check_digest(path: &Path, file: &File, expected: &[u8; 32]) -> Result<(), Failure> {
    let digest = digest(file).map_err(|error| Failure::system("the program cannot be read", error))?;
    if digest == *expected {
        return Ok(());
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Err(Failure::program(format!(
        "{} is not the program that the registry names: its SHA-256 digest is {}, not {}",
        path.display(),
        hex(&digest),
        hex(expected)
    )))
}

fn digest(mut file: &File) -> io::Result<[u8; 32]> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 256 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// Returns the interpreter of a script, and nothing for other programs.
fn interpreter(path: &Path, file: &File) -> Result<Option<Interpreter>, Failure> {
    let mut head = [0; HEAD_BYTES];
    let count = file
        .read_at(&mut head, 0)
        .map_err(|error| Failure::system("the program cannot be read", error))?;
    let Some(line) = head[..count].strip_prefix(b"#!") else {
        return Ok(None);
    };
    let end = line.iter().position(|byte| matches!(byte, b'\n' | 0));
    let line = line[..end.unwrap_or(line.len())].trim_ascii();
    let blank = line.iter().position(|byte| matches!(byte, b' ' | b'\t'));
    let (name, argument) = line.split_at(blank.unwrap_or(line.len()));
    let argument = argument.trim_ascii();
    if end.is_none() || !name.starts_with(b"/") {
        return Err(Failure::program(format!(
            "the script {} does not name its interpreter by an absolute path in a first line of at most {HEAD_BYTES} bytes",
            path.display()
        )));
    }
    Ok(Some(Interpreter {
        path: PathBuf::from(std::ffi::OsStr::from_bytes(name)),
        argument: (!argument.is_empty()).then(|| argument.to_owned()),
    }))
}

/// Makes a text for the kernel.
pub(crate) fn text(bytes: &[u8]) -> Result<CString, Failure> {
    CString::new(bytes).map_err(|_| Failure::program("an argument or a variable holds NUL"))
}
