//! Code for every runner that starts programs: the folders of jobs, the registry of a process's children, and programs
//! with limits.

mod children;
pub mod files;
pub mod folders;
mod job_folder;
mod job_folders;
pub mod memory;
pub mod paths;
mod processes;
pub mod program;
pub mod shortage;
mod trash;
mod wiping;

pub use self::children::Children;
pub use self::job_folder::JobFolder;
pub use self::job_folders::JobFolders;
