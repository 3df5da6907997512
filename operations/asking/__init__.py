"""Operations that start or stop runs: submit a message or a file of messages, publish an event, cancel."""
