#!/usr/bin/env bash
# Playbooks with every kind of event. What they fail with is meant to be.

export ANSIBLE_DEPRECATION_WARNINGS=true

ansible-playbook e1.yml -i local
ansible-playbook e2.yml -i hosts 2>&1
ansible-playbook e3.yml -i hosts -f 1
ansible-playbook e4.yml -i local -e folder="$OUTPUT_DIR" --diff 2>&1
ansible-playbook e5.yml -i local
ansible-playbook e1.yml e2.yml -i hosts -i local -v
exit 0
