"""The Ansible host: imports Ansible once and forks a primed process for every job."""
