"""The sweep: decides at the deadline, reminds, sends what was decided and not sent, and closes what is over."""
