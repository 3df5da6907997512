"""Evaluation of the analyzer on labelled messages. Nothing deployed imports this folder."""
