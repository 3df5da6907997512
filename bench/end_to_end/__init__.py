"""The pipeline beside a design that invokes its functions directly: one at a time and in bursts, on local engines."""
