"""The microservices. No service imports another; what they agree on stands in `shared`."""
