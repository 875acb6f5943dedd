//! A program that is a launcher and nothing else.

fn main() {
    callboard_sandbox::launch_if_asked();
}
