//! Code for every runner that starts programs: the folders of jobs, the registry of a process's children, and programs
//! with limits.

mod children;
pub mod files;
pub mod folders;
mod job_folder;
mod job_folders;
mod job_users;
pub mod memory;
mod ownership;
pub mod paths;
mod processes;
pub mod program;
pub mod shortage;
mod trash;
mod user;
mod wiping;

pub use self::children::Children;
pub use self::job_folder::JobFolder;
pub use self::job_folders::JobFolders;
pub use self::job_users::{Free, JobUser, JobUsers};
pub use self::user::User;
