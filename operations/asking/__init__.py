"""Operations that start or stop runs: submit, publish, cancel, and files of many."""
