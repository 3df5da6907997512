"""Proves that the parts of a deployment fit together: a typed model of its templates, and one table of checks.

Pure: templates or answers of AWS in, findings out. `pipeline doctor` and `infra.check` run it.
"""
