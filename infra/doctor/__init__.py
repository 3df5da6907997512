"""The doctor checks that a deployment's parts fit together: a typed model of its templates, and a table of checks.

It is pure: templates or answers of AWS go in, findings come out. `pipeline doctor` and `infra.check` run it.
"""
