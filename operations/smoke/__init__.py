"""The smoke test of a deployment: what only a real account can prove, as steps with verdicts."""
