"""Tests of the Ansible host."""
