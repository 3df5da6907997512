"""The check whether a version of a service that is about to be deployed can read what is in flight."""
