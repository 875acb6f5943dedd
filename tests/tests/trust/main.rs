//! What is promised of every job, kept by the real program when it is killed, overrun and fed what it cannot hold.

mod children;
mod damage;
mod disk;
mod doctor;
mod kills;
mod load;
mod memory;
mod power;
mod refusals;
mod verifying;
