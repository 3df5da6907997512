"""Approval: holds each run until a person has decided on its answer, or the deadline decides."""
